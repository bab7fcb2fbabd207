//! The faults of LiteRT 2.3.0 in `corpus/known-issues/litert`, shown by our own worker. When one of these fails, the
//! pinned LiteRT no longer has the fault: delete the entry and the test.

mod models;

use halfproof_ir::Tensor;
use halfproof_oracle::contract::HalfUnit;
use halfproof_oracle::record::{Execution, Status};
use halfproof_systems::runtimes::litert::{LiteRt, Mode};
use halfproof_systems::worker::{Limits, Program};
use halfproof_systems::{Runtime, Taps};
use halfproof_wire::tflite::{self, Builtin, Model, Options, options};
use std::io::Write;

/// Runs a model in one mode; `None` after saying loudly that LiteRT is not installed.
#[expect(clippy::unwrap_used, reason = "a test")]
fn run(mode: Mode, model: &[u8], inputs: &[Tensor]) -> Option<Execution> {
    let worker = Program::new(env!("CARGO_BIN_EXE_halfproof-worker"), vec![]);
    match LiteRt::all(worker, Limits::default()) {
        Ok(mut modes) => Some(modes.swap_remove(mode as usize).run(model, inputs, Taps::None)),
        Err(why) => {
            std::io::stderr().write_all(format!("SKIPPED, nothing was tested: {why}\n").as_bytes()).unwrap();
            None
        }
    }
}

fn unary(builtin: Builtin, options: Options, inputs: &[f32], mode: Mode) -> Option<Vec<f64>> {
    let shape = [i32::try_from(inputs.len()).ok()?];
    let model = tflite::write(&models::single(builtin, options, &[(&shape, None)], &shape));
    let run = run(mode, &model, &[Tensor::f32(vec![inputs.len()], inputs.to_vec())])?;
    assert_eq!(run.status, Status::Ok);
    run.outputs[0].floats()
}

fn response_normalization() -> Model {
    let options = options::LocalResponseNormalization { radius: 1, bias: 1.0, alpha: 1.0, beta: 1.0 };
    let shape: &[i32] = &[1, 1, 1, 4];
    models::single(Builtin::LocalResponseNormalization, options.into(), &[(shape, None)], shape)
}

#[test]
fn reference_lrn_window() {
    let model = tflite::write(&response_normalization());
    let inputs = [Tensor::f32(vec![1, 1, 1, 4], vec![1.0, 2.0, 3.0, 4.0])];
    let Some(builtin) = run(Mode::Builtin, &model, &inputs) else { return };
    let Some(reference) = run(Mode::Reference, &model, &inputs) else { return };
    let near = |run: &Execution, expected: [f64; 4]| {
        run.outputs[0].floats().is_some_and(|got| got.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6))
    };
    assert!(near(&builtin, [1.0 / 6.0, 2.0 / 15.0, 3.0 / 30.0, 4.0 / 26.0]), "{builtin:?}");
    // The square of the last channel of each window is missing. That the modes differ at all also shows that both
    // identifiers of the CPU options carry the payload.
    assert!(near(&reference, [1.0 / 2.0, 2.0 / 6.0, 3.0 / 14.0, 4.0 / 26.0]), "{reference:?}");
}

#[test]
fn unnamed_signature_entry() {
    let model = include_bytes!("models/unnamed-signature-entry.tflite");
    for mode in Mode::CPU {
        let Some(run) = run(mode, model, &[Tensor::f32(vec![1, 4], vec![1.0; 4])]) else { return };
        assert!(
            matches!(&run.status, Status::Crashed { how }
                if how.starts_with("SIGABRT in LiteRtGetCompiledModelInputBufferRequirements") && how.contains("logic_error")),
            "{:?}",
            run.status
        );
    }
}

#[test]
fn xnnpack_dequantized_constant_output() {
    let model = tflite::write(&models::dequantized_constant());
    let inputs = [Tensor::f32(vec![4], vec![10.0; 4])];
    let constant = Tensor::f32(vec![4], vec![1.0, 2.0, 3.0, 4.0]);
    let Some(builtin) = run(Mode::Builtin, &model, &inputs) else { return };
    let Some(delegated) = run(Mode::Xnnpack, &model, &inputs) else { return };
    assert_eq!(builtin.outputs[1], constant);
    assert_eq!(delegated.outputs[0], builtin.outputs[0]);
    assert_ne!(delegated.outputs[1], constant);
}

#[test]
fn xnnpack_fp16_constant_batch_matmul() {
    let shape: &[i32] = &[1, 2, 2];
    let operands = [(shape, None), (shape, Some(&[1.0_f32, 0.0, 0.0, 1.0][..]))];
    let options = options::BatchMatMul::default();
    let model = tflite::write(&models::single(Builtin::BatchMatmul, options.into(), &operands, shape));
    let inputs = [Tensor::f32(vec![1, 2, 2], vec![0.0, 1.0, 2.0, 3.0])];
    let Some(single) = run(Mode::Xnnpack, &model, &inputs) else { return };
    let Some(half) = run(Mode::XnnpackFp16, &model, &inputs) else { return };
    assert_eq!(single.status, Status::Ok);
    assert!(
        matches!(&half.status, Status::Cannot { why } if why.contains("failed to delegate BATCH_MATMUL")),
        "{:?}",
        half.status
    );
}

#[test]
fn xnnpack_fp16_gelu_tanh_large_negative() {
    if !is_here(HalfUnit::Converting) {
        return;
    }
    let options = options::Gelu { approximate: true };
    let inputs = [-65504.0, -10000.0, -1000.0];
    let Some(got) = unary(Builtin::Gelu, options.into(), &inputs, Mode::XnnpackFp16) else { return };
    assert!(got.iter().zip(inputs).all(|(y, x)| (y / f64::from(x) - 5.35e-4).abs() < 1.5e-5), "{got:?}");
}

/// True on a processor of that kind; says loudly that nothing is tested on others.
fn is_here(unit: HalfUnit) -> bool {
    if unit != HalfUnit::here() {
        let text = format!("SKIPPED, nothing was tested on this processor ({})\n", HalfUnit::here().name());
        std::io::stderr().write_all(text.as_bytes()).unwrap_or_default();
    }
    unit == HalfUnit::here()
}

#[test]
fn xnnpack_fp16_exp_never_small() {
    if !is_here(HalfUnit::Converting) {
        return;
    }
    let inputs = [-65504.0, -20.0, -11.0];
    let Some(got) = unary(Builtin::Exp, Options::None, &inputs, Mode::XnnpackFp16) else { return };
    assert_eq!(got, [1.0 / 32_768.0; 3]);
}

#[test]
fn xnnpack_rsqrt_zero() {
    let Some(got) = unary(Builtin::Rsqrt, Options::None, &[-0.0, 0.0, 4.0], Mode::Xnnpack) else { return };
    assert!(got[0].is_nan() && got[1].is_nan() && got[2] == 0.5, "{got:?}");
}

#[test]
fn xnnpack_exp_overflows_early() {
    let Some(got) = unary(Builtin::Exp, Options::None, &[88.375, 88.4375], Mode::Xnnpack) else { return };
    assert!(got[0].is_finite() && got[1].is_infinite(), "{got:?}");
}

#[test]
fn xnnpack_log_infinity() {
    let Some(got) = unary(Builtin::Log, Options::None, &[f32::INFINITY, f32::NAN, 1.0], Mode::Xnnpack) else {
        return;
    };
    // Which kernel runs depends on the processor; some are right.
    let is_wrong = (got[0] - 88.376).abs() < 1e-3 && got[1].is_finite();
    let is_right = got[0] == f64::INFINITY && got[1].is_nan();
    assert!((is_wrong || is_right) && got[2] == 0.0, "{got:?}");
}

#[test]
fn xnnpack_fp16_constant_depthwise_conv() {
    let graph = "x = input f32[1,3,4,4]
        c = const f32[1,3,4,4] lattice(1)
        w = const f32[3,1,1,1] {1, 2, 3}
        f = Conv(c, w) group=3
        y = Add(x, f)
        output y";
    let graph = halfproof_ir::text::parse(graph).unwrap();
    let request = halfproof_ir::Request::new(halfproof_ir::Precision::Weights);
    let model = halfproof_converter::convert(&graph, &request).unwrap().model;
    let inputs = [Tensor::f32(vec![1, 3, 4, 4], vec![1.0; 48])];
    let Some(single) = run(Mode::Xnnpack, &model, &inputs) else { return };
    let Some(half) = run(Mode::XnnpackFp16, &model, &inputs) else { return };
    assert_eq!(single.status, Status::Ok);
    assert!(
        matches!(&half.status, Status::Cannot { why } if why.contains("failed to delegate DEPTHWISE_CONV_2D")),
        "{:?}",
        half.status
    );
}

/// LiteRT suppresses subnormal float32 numbers while a compiled model runs, in every mode; its Interpreter does not. No
/// fault, but part of every contract: `Contract::flush_single`.
#[test]
fn compiled_models_flush_subnormal_results() {
    for mode in [Mode::Reference, Mode::Builtin, Mode::Xnnpack] {
        let Some(got) = unary(Builtin::Square, Options::None, &[1e-20, 1e-18], mode) else { return };
        assert!(got[0] == 0.0 && got[1] > 0.0, "{mode:?}: {got:?}");
    }
}

/// The two operators become one, which reads the constant as what it is not.
#[test]
fn xnnpack_fp16_sum_times_constant() {
    let model = models::sum_times_constant(0.5);
    let mut kept = model.clone();
    kept.subgraphs[0].outputs.push(2);
    let inputs = [Tensor::f32(vec![4], vec![1.0, 2.0, 3.0, 4.0])];
    let Some(alone) = run(Mode::XnnpackFp16, &tflite::write(&model), &inputs) else { return };
    let Some(kept) = run(Mode::XnnpackFp16, &tflite::write(&kept), &inputs) else { return };
    let Some(single) = run(Mode::Xnnpack, &tflite::write(&model), &inputs) else { return };
    assert_ne!(alone.outputs[0].floats().as_deref(), Some(&[5.0][..]), "{alone:?}");
    assert_eq!(kept.outputs[0].floats().as_deref(), Some(&[5.0][..]), "{kept:?}");
    assert_eq!(single.outputs[0].floats().as_deref(), Some(&[5.0][..]), "{single:?}");
}

#[test]
fn xnnpack_avx512fp16_functions() {
    if !is_here(HalfUnit::Computing) {
        return;
    }
    let of = |builtin, inputs: &[f32]| unary(builtin, Options::None, inputs, Mode::XnnpackFp16);
    let Some(tanh) = of(Builtin::Tanh, &[-10.0, 4.5, 10.0]) else { return };
    assert_eq!(tanh, [-1.000_976_562_5, 1.000_976_562_5, 1.000_976_562_5]);
    let exp = of(Builtin::Exp, &[-11.0, 10.7, 10.75, 11.0]).unwrap_or_default();
    assert!(exp[0] == 0.0 && exp[1].is_finite() && exp[2..] == [f64::INFINITY; 2], "{exp:?}");
    // 2^-24, 2^-16, and numbers whose logarithms are 11.09 and more.
    let log = of(Builtin::Log, &[5.960_464_5e-8, 1.525_878_9e-5, 65504.0, f32::INFINITY]).unwrap_or_default();
    assert_eq!(log, [-10.75, -10.445_312_5, 10.75, 10.75]);
    let sin = of(Builtin::Sin, &[1000.0, 20_000.0, 20_992.0]).unwrap_or_default();
    assert!((sin[0] - 0.8269).abs() < 1e-3 && sin[1] > 13.0 && sin[2] == f64::INFINITY, "{sin:?}");
    let cos = of(Builtin::Cos, &[500.0, 1000.0, 20_000.0]).unwrap_or_default();
    assert!((cos[0] + 0.8839).abs() < 2e-3 && cos[1] < -0.8 && cos[2] > 13.0, "{cos:?}");
}
