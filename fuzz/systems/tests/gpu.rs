//! What LiteRT's WebGPU accelerator does, on whatever Vulkan driver there is. Skipped loudly where `setup litert-gpu` was
//! not run.
#![expect(clippy::unwrap_used, reason = "a test")]

mod models;

use halfproof_ir::{DType, Tensor};
use halfproof_oracle::record::{Execution, Status};
use halfproof_systems::runtimes::litert::{LiteRt, Mode};
use halfproof_systems::worker::{Limits, Program};
use halfproof_systems::{Runtime, Taps};
use halfproof_wire::tflite::{self, Builtin, Model, Options, options};
use std::io::Write;

fn run(mode: Mode, model: &Model, inputs: &[Tensor]) -> Option<Execution> {
    Some(runtime(mode)?.run(&tflite::write(model), inputs, Taps::None))
}

fn runtime(mode: Mode) -> Option<LiteRt> {
    let worker = Program::new(env!("CARGO_BIN_EXE_halfproof-worker"), vec![]);
    match LiteRt::gpu(worker, Limits::default()) {
        Ok(modes) => modes.into_iter().find(|r| r.mode() == mode),
        Err(why) => {
            std::io::stderr().write_all(format!("SKIPPED, nothing was tested: {why}\n").as_bytes()).unwrap();
            None
        }
    }
}

fn vector(values: &[f32]) -> Tensor {
    Tensor::f32(vec![1, values.len()], values.to_vec())
}

#[test]
fn the_modes_differ_as_float32_and_float16_do() {
    let shape: &[i32] = &[1, 3];
    let model = models::single(Builtin::Add, Options::None, &[(shape, None), (shape, None)], shape);
    let inputs = [vector(&[60000.0, 2048.0, 1.0]), vector(&[60000.0, 1.0, 2.0])];
    let Some(single) = run(Mode::Gpu, &model, &inputs) else { return };
    let Some(half) = run(Mode::GpuFp16, &model, &inputs) else { return };
    assert_eq!(single.outputs, [vector(&[120_000.0, 2049.0, 3.0])], "{single:?}");
    assert_eq!(half.outputs, [vector(&[f32::INFINITY, 2048.0, 3.0])], "{half:?}");
}

#[test]
fn what_the_gpu_does_not_take_is_named_and_no_finding() {
    let model = models::chain(&[Builtin::Relu0To1], DType::F32, 4);
    let Some(run) = run(Mode::Gpu, &model, &[vector(&[0.5; 4])]) else { return };
    assert!(matches!(&run.status, Status::Cannot { why } if why.contains("RELU_0_TO_1")), "{run:?}");
}

/// The elements of a vector are taken for batches of one element each (a bug of LiteRT 2.3.0; corpus/known-issues).
#[test]
fn softmax_of_a_vector_is_ones() {
    let shape: &[i32] = &[2];
    let options = options::Softmax { beta: 1.0 };
    let model = models::single(Builtin::Softmax, options.into(), &[(shape, None)], shape);
    for mode in Mode::GPU {
        let Some(run) = run(mode, &model, &[Tensor::f32(vec![2], vec![3.0, 3.0])]) else { return };
        assert_eq!(run.outputs, [Tensor::f32(vec![2], vec![1.0, 1.0])], "{run:?}");
    }
}

#[test]
fn nothing_is_said_of_inputs_that_are_no_numbers() {
    let model = models::chain(&[Builtin::Relu], DType::F32, 4);
    let Some(run) = run(Mode::Gpu, &model, &[vector(&[f32::NAN, 1.0, -1.0, 0.0])]) else { return };
    assert!(matches!(&run.status, Status::Cannot { why } if why.contains("WGSL")), "{run:?}");
}

/// The second operand is not taken again for the second batch (a bug of LiteRT 2.3.0; corpus/known-issues).
#[test]
fn a_product_with_fewer_batches_is_zero_beyond_the_first() {
    let options = options::BatchMatMul::default();
    let shapes: [(&[i32], Option<&[f32]>); 2] = [(&[2, 1, 2], None), (&[1, 2, 1], None)];
    let model = models::single(Builtin::BatchMatmul, options.into(), &shapes, &[2, 1, 1]);
    let inputs =
        [Tensor::f32(vec![2, 1, 2], vec![1.0, 2.0, 3.0, 4.0]), Tensor::f32(vec![1, 2, 1], vec![3.0, 5.0])];
    let Some(run) = run(Mode::Gpu, &model, &inputs) else { return };
    assert_eq!(run.outputs, [Tensor::f32(vec![2, 1, 1], vec![13.0, 0.0])], "{run:?}");
}

/// The shader for several batches does not compile, and the run is a success all the same (a bug of LiteRT 2.3.0;
/// corpus/known-issues).
#[test]
fn a_run_whose_shader_does_not_compile_is_undone() {
    let options = options::DepthToSpace { block_size: 2 };
    let shape: &[i32] = &[2, 1, 1, 4];
    let model = models::single(Builtin::DepthToSpace, options.into(), &[(shape, None)], &[2, 2, 2, 1]);
    let input = Tensor::f32(vec![2, 1, 1, 4], (0u8..8).map(f32::from).collect());
    for mode in Mode::GPU {
        let Some(mut runtime) = runtime(mode) else { return };
        // The same each time: a device that rejected a shader only says later on that it did.
        for taps in [Taps::None, Taps::Checked, Taps::None] {
            let run = runtime.run(&tflite::write(&model), std::slice::from_ref(&input), taps);
            let said = |text: &str| text.starts_with("Error while parsing WGSL: ") && !text.contains(":15:1");
            assert!(matches!(&run.status, Status::Undone { text } if said(text)), "{run:?}");
            assert!(run.outputs.is_empty(), "{run:?}");
        }
    }
}
