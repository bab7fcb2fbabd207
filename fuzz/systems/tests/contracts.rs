//! Probes of LiteRT's float16 contracts (`oracle/src/contract/runtime.rs`): each is built so that every other contract
//! gives another bit pattern. Skipped, and loudly, when LiteRT is not installed.
#![allow(clippy::unwrap_used, reason = "tests")]

mod models;

use halfproof_ir::{DType, Tensor};
use halfproof_oracle::contract::HalfUnit;
use halfproof_oracle::half;
use halfproof_oracle::record::Status;
use halfproof_systems::runtimes::litert::{LiteRt, Mode};
use halfproof_systems::worker::{Limits, Program};
use halfproof_systems::{Runtime, Taps};
use halfproof_wire::tflite::{self, Builtin, Model, Options, TensorType, options};
use std::io::Write;

/// The outputs of a model with float16 forced; `None` after saying loudly that LiteRT is not installed.
fn forced(model: &Model, inputs: &[Tensor]) -> Option<Vec<f64>> {
    run(Mode::XnnpackFp16, model, inputs)
}

fn run(mode: Mode, model: &Model, inputs: &[Tensor]) -> Option<Vec<f64>> {
    let worker = Program::new(env!("CARGO_BIN_EXE_halfproof-worker"), vec![]);
    match LiteRt::all(worker, Limits::default()) {
        Ok(mut modes) => {
            let run = modes.swap_remove(mode as usize).run(&tflite::write(model), inputs, Taps::None);
            assert_eq!(run.status, Status::Ok, "{:?}", mode.name());
            run.outputs[0].floats()
        }
        Err(why) => {
            std::io::stderr().write_all(format!("SKIPPED, nothing was tested: {why}\n").as_bytes()).unwrap();
            None
        }
    }
}

fn row(x: &[f32]) -> Tensor {
    Tensor::f32(vec![1, x.len()], x.to_vec())
}

/// 2048 + 1 - 2048: 1 with a binary32 accumulator, 0 with a binary16 one in that order.
const CANCELLING: [f32; 3] = [2048.0, 1.0, -2048.0];

#[test]
fn dense_layers_accumulate_as_the_processor_computes() {
    let shape: &[i32] = &[1, 3];
    let model = models::single(
        Builtin::FullyConnected,
        options::FullyConnected::default().into(),
        &[(shape, None), (shape, Some(&CANCELLING))],
        &[1, 1],
    );
    let Some(y) = forced(&model, &[row(&[1.0; 3])]) else { return };
    let expected = match HalfUnit::here() {
        HalfUnit::Converting => 1.0,
        HalfUnit::Computing => 0.0,
    };
    assert_eq!(y, [expected], "{}", HalfUnit::here().name());
}

#[test]
fn depthwise_convolutions_round_after_every_step() {
    let filter: &[i32] = &[1, 1, 3, 1];
    let options = options::DepthwiseConv2D {
        stride_w: 1,
        stride_h: 1,
        depth_multiplier: 1,
        dilation_w_factor: 1,
        dilation_h_factor: 1,
        padding: tflite::Padding::Valid,
        ..options::DepthwiseConv2D::default()
    };
    let model = models::single(
        Builtin::DepthwiseConv2d,
        options.into(),
        &[(filter, None), (filter, Some(&CANCELLING)), (&[1], Some(&[0.0]))],
        &[1, 1, 1, 1],
    );
    let Some(y) = forced(&model, &[Tensor::f32(vec![1, 1, 3, 1], vec![1.0; 3])]) else { return };
    assert_eq!(y, [0.0], "1 would be a binary32 accumulator");
}

/// Sums of nine elements in binary32, each rounded to binary16 before the next nine join it, times the reciprocal of the number
/// of elements as binary16 holds it. The contract allows more (binary16 sums, in any order), since the other kind of
/// processor was only seen to need that reciprocal.
#[test]
fn averages_are_sums_of_nine_times_a_binary16_reciprocal() {
    for n in [2_u8, 3, 7, 9, 10, 18, 19, 40] {
        let options = options::Pool2D {
            padding: tflite::Padding::Valid,
            stride_w: 1,
            stride_h: 1,
            filter_width: n.into(),
            filter_height: 1,
            ..options::Pool2D::default()
        };
        let channels = 256;
        let shape: &[i32] = &[1, 1, n.into(), channels];
        let model =
            models::single(Builtin::AveragePool2d, options.into(), &[(shape, None)], &[1, 1, 1, channels]);
        let size = usize::from(n) * channels as usize;
        // Multiples of 1/1024 between -2 and 2 in an order without pattern.
        let element = |i: usize| half::round(((i * 2_654_435_761) % 4001) as f64 / 1024.0 - 2.0) as f32;
        let x: Vec<f32> = (0..size).map(element).collect();
        let input = Tensor::f32(vec![1, 1, n.into(), channels as usize], x.clone());
        let Some(y) = forced(&model, &[input]) else { return };
        let channel = |k: usize| x.iter().skip(k).step_by(channels as usize).map(|&v| f64::from(v));
        let expected: Vec<f64> = (0..channels as usize)
            .map(|k| {
                let all: Vec<f64> = channel(k).collect();
                let sum = all.chunks(9).fold(0.0, |sum, nine| half::round(sum) + nine.iter().sum::<f64>());
                half::round(sum * half::round(1.0 / f64::from(n)))
            })
            .collect();
        match HalfUnit::here() {
            HalfUnit::Computing => assert_eq!(y, expected, "{n} elements"),
            HalfUnit::Converting => {
                let size = channel(0).map(f64::abs).sum::<f64>();
                assert!((y[0] - expected[0]).abs() <= f64::from(n) * half::UNIT * size, "{n} elements");
            }
        }
    }
}

#[test]
fn results_are_rounded_before_the_next_operator_reads_them() {
    // 300 * 300 overflows binary16; divided by 300 it would be 300 again where the product was not stored.
    for (dtype, mode) in [(DType::F32, Mode::XnnpackFp16), (DType::F16, Mode::Xnnpack)] {
        let mut model = models::chain(&[Builtin::Square, Builtin::Sqrt], dtype, 2);
        let x = if dtype == DType::F16 {
            let data = [200.0, 300.0].map(::half::f16::from_f32).to_vec();
            Tensor::new(vec![1, 2], halfproof_ir::Data::F16(data))
        } else {
            row(&[200.0, 300.0])
        };
        let Some(y) = run(mode, &model, std::slice::from_ref(&x)) else { return };
        assert_eq!(y, [200.0, f64::INFINITY], "{dtype}");
        model.subgraphs[0].outputs.push(1);
        assert_eq!(run(mode, &model, &[x]).unwrap(), y, "visible or not");
    }
}

/// SQUARE, then MEAN over the last axis.
fn mean_of_squares(dtype: TensorType) -> Model {
    let mut model = models::single(
        Builtin::Mean,
        options::Reducer { keep_dims: true }.into(),
        &[(&[1, 4], None), (&[1], Some(&[0.0]))],
        &[1, 1],
    );
    // The axis is an int32; a float32 zero has the same bytes as 0, axis 1 does not.
    let axis = model.subgraphs[0].tensors[1].buffer as usize;
    model.buffers[axis] = tflite::Buffer::new(1_i32.to_le_bytes().to_vec());
    let graph = &mut model.subgraphs[0];
    graph.tensors[1].dtype = TensorType::Int32;
    let squares = tflite::Tensor { name: "squares".into(), ..graph.tensors[0].clone() };
    graph.tensors.push(squares);
    for t in [0, 2, 3] {
        graph.tensors[t].dtype = dtype;
    }
    graph.operators[0].inputs = vec![3, 1];
    graph.operators.insert(0, tflite::Operator::builtin(Builtin::Square, [0], [3], Options::None));
    model
}

#[test]
fn squares_are_fused_into_a_mean_that_stays_in_binary32() {
    // One square is 90000, beyond binary16; their mean of 22500 is not.
    let x = [300.0, 0.0, 0.0, 0.0];
    let Some(y) = forced(&mean_of_squares(TensorType::Float32), &[row(&x)]) else { return };
    assert_eq!(y, [22500.0], "which is no binary16 number: the mean stays in binary32");
    let half = halfproof_ir::Data::F16(x.map(::half::f16::from_f32).to_vec());
    let inputs = [Tensor::new(vec![1, 4], half)];
    let y = run(Mode::Xnnpack, &mean_of_squares(TensorType::Float16), &inputs).unwrap();
    assert_eq!(y, [22496.0], "rounded when it leaves");
}

#[test]
fn the_slope_of_a_leaky_relu_is_rounded_to_binary16() {
    let alpha = 0.01_f32;
    let shape: &[i32] = &[1, 3];
    let options = options::LeakyRelu { alpha };
    let model = models::single(Builtin::LeakyRelu, options.into(), &[(shape, None)], shape);
    let x = [-1.0_f32, -3124.0, -60000.0];
    let Some(y) = forced(&model, &[row(&x)]) else { return };
    let slope = half::round(f64::from(alpha));
    let with = |slope: f64| x.map(|x| half::round(half::round(f64::from(x)) * slope));
    assert_eq!(y, with(slope));
    assert_ne!(y, with(f64::from(alpha)), "the probe would not tell the slopes apart");
}

#[test]
fn a_squared_difference_is_rounded_twice() {
    let shape: &[i32] = &[1, 2];
    let model = models::single(
        Builtin::SquaredDifference,
        Options::SquaredDifference(options::SquaredDifference {}),
        &[(shape, None), (shape, None)],
        shape,
    );
    // 2048 + 1.5 is not a binary16 number: 2050 after rounding to even.
    let Some(y) = forced(&model, &[row(&[100.0, 129.0]), row(&[-0.09375, 0.0469])]) else { return };
    let expect = |a: f64, b: f64| half::round(half::round(a - half::round(b)).powi(2));
    assert_eq!(y, [expect(100.0, -0.09375), expect(129.0, f64::from(0.0469_f32))]);
}
