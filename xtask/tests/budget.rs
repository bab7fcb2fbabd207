//! `convert --max-bits-lost` keeps its word: outputs of real models, executed, against the exact results of the source.
#![allow(clippy::unwrap_used, reason = "tests")]

use halfproof_fuzz::generate::{InputKind, inputs};
use halfproof_ir::{Data, Graph, Tensor};
use halfproof_oracle::arith::half::{ExecutionModel, Half};
use halfproof_oracle::half;
use halfproof_oracle::onnx::ideal;
use halfproof_oracle::tflite::{Constants, Program};
use halfproof_oracle::value::Value;
use halfproof_wire::{npz, onnx, tflite};
use std::path::Path;
use std::process::{Command, Output};

/// Models whose interface keeps the source's layout, with float inputs.
const MODELS: [&str; 3] = ["founding", "vit-block", "residual"];

fn convert(model: &Path, samples: &Path, out: &Path, options: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xtask"))
        .arg("convert")
        .arg(model)
        .args(["--precision", "mixed", "--calibrate"])
        .arg(samples)
        .arg("-o")
        .arg(out)
        .args(options)
        .output()
        .unwrap()
}

/// Bits lost in the worst output: log2 of the largest error, in half units in the last place of float16 at the output's
/// largest element. Inputs are given as float16 holds them.
fn lost(graph: &Graph, set: &[Tensor], converted: &Path) -> f64 {
    let exact = ideal(graph, set).unwrap();
    let model = tflite::read(&std::fs::read(converted).unwrap()).unwrap();
    let program = Program::new(&model).unwrap();
    let given: Vec<Tensor> = program
        .inputs()
        .iter()
        .zip(set)
        .map(|(&t, input)| {
            let (dtype, shape) = program.form(t).unwrap();
            let values = input.floats().unwrap();
            let data = match dtype {
                halfproof_ir::DType::F16 => {
                    Data::F16(values.iter().map(|&x| ::half::f16::from_bits(half::to_bits(x))).collect())
                }
                _ => Data::F32(values.iter().map(|&x| x as f32).collect()),
            };
            Tensor::new(shape.to_vec(), data)
        })
        .collect();
    let outputs = program.results(&given, Constants::Stored, &Half::new(ExecutionModel::HALF)).unwrap();
    let mut worst = 0.0f64;
    for (exact, actual) in exact.outputs().zip(&outputs) {
        let (Value::Float(_, e), Value::Float(_, a)) = (exact, actual) else { continue };
        assert_eq!(e.data.len(), a.data.len());
        let largest = e.data.iter().fold(0.0f64, |m, x| m.max(x.abs()));
        let error = e.data.iter().zip(&a.data).fold(0.0f64, |m, (e, &a)| m.max((f64::from(a) - e).abs()));
        worst = worst.max((error / (0.5 * half::ulp(largest))).log2());
    }
    worst
}

#[test]
fn no_output_loses_more_bits_than_were_allowed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus/models");
    let scratch = tempfile::tempdir().unwrap();
    let (mut kept, mut refused) = (0, 0);
    for name in MODELS {
        let file = folder.join(format!("{name}.onnx"));
        let graph = onnx::read(&std::fs::read(&file).unwrap()).unwrap();
        let mut set = inputs(&graph, InputKind::Gaussian, 5);
        for tensor in &mut set {
            if let Data::F32(v) = &mut tensor.data {
                v.iter_mut().for_each(|x| *x = half::round_f32(*x));
            }
        }
        let names = graph.inputs.iter().map(|&id| graph.value(id).name.clone());
        let samples = scratch.path().join(format!("{name}.npz"));
        let named: Vec<(String, Tensor)> = names.zip(set.iter().cloned()).collect();
        std::fs::write(&samples, npz::write(&named).unwrap()).unwrap();
        let out = scratch.path().join(format!("{name}.tflite"));
        let free = convert(&file, &samples, &out, &[]);
        assert!(free.status.success(), "{}", String::from_utf8_lossy(&free.stderr));
        let without = lost(&graph, &set, &out);
        // Budgets around what the model loses without one: the first is kept anyway, the others need float32 somewhere.
        for bits in [without + 0.5, without - 0.5, without - 1.0] {
            let told = convert(&file, &samples, &out, &["--max-bits-lost", &bits.max(0.0).to_string()]);
            if told.status.success() {
                let measured = lost(&graph, &set, &out);
                assert!(measured <= bits.max(0.0) + 1e-9, "{name}: {measured} bits lost, {bits} allowed");
                kept += 1;
            } else {
                let text = String::from_utf8_lossy(&told.stderr);
                assert!(text.contains("cannot be kept"), "{name}: {text}");
                refused += 1;
            }
        }
    }
    assert!(kept >= 6, "{kept} budgets kept, {refused} refused");
}
