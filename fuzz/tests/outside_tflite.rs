//! Float32 .tflite files from other people's converters become float16: judged by evaluating source and result.
//!
//! The files and the script that made them are in `data/tflite`.
#![allow(clippy::unwrap_used, reason = "tests")]

use halfproof_converter::retype::convert_tflite;
use halfproof_ir::{Conversion, DType, Data, Level, Precision, Request, Tensor};
use halfproof_oracle::arith::Ideal;
use halfproof_oracle::half;
use halfproof_oracle::record::Status;
use halfproof_oracle::tflite::{Constants, Program};
use halfproof_oracle::value::Value;
use halfproof_systems::Taps;
use halfproof_systems::runtimes::interp::Interpreter;
use halfproof_wire::tflite::{self, Model, TensorType};
use std::collections::BTreeMap;
use std::path::Path;

/// Files that the oracle can evaluate, subgraph by subgraph.
const JUDGED: [&str; 7] =
    ["cnn", "cnn_float16_weights", "cnn_offset_buffers", "block", "signatures", "torch_net", "torch_block"];

fn read(name: &str) -> Model {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tflite").join(format!("{name}.tflite"));
    tflite::read(&std::fs::read(path).unwrap()).unwrap()
}

/// Inputs for one subgraph: a fixed wave, exact in float16; masks and flags of ones.
fn inputs(program: &Program, model: &Model) -> Vec<Tensor> {
    let tensor = |&t: &u32| {
        let (dtype, shape) = program.form(t).unwrap();
        let n: usize = shape.iter().product();
        let mask = model.main().tensors[t as usize].name.contains("mask");
        let wave =
            |i: usize| if mask { (i % 5 != 4) as u8 as f32 } else { ((i * 7) % 33) as f32 / 16.0 - 1.0 };
        let data = match dtype {
            DType::F16 => {
                let bytes: Vec<u8> =
                    (0..n).flat_map(|i| half::to_bits(f64::from(wave(i))).to_le_bytes()).collect();
                Data::from_le_bytes(DType::F16, &bytes).unwrap()
            }
            DType::F32 => Data::F32((0..n).map(wave).collect()),
            DType::I32 => Data::I32(vec![2; n]),
            other => panic!("an input of {other}"),
        };
        Tensor::new(shape, data)
    };
    program.inputs().iter().map(tensor).collect()
}

/// The model with one of its subgraphs only.
fn only(model: &Model, subgraph: usize) -> Model {
    Model { subgraphs: vec![model.subgraphs[subgraph].clone()], signatures: vec![], ..model.clone() }
}

fn floats(value: &Value<f64>) -> &[f64] {
    let Value::Float(_, array) = value else { panic!("a float") };
    &array.data
}

fn convert(model: &Model, precision: Precision) -> (Conversion, Model) {
    let conversion = convert_tflite(model, &Request::new(precision)).unwrap();
    let out = tflite::read(&conversion.model).unwrap();
    (conversion, out)
}

#[test]
fn every_strategy_means_what_the_source_means_and_runs_in_float16() {
    for name in JUDGED {
        let source = read(name);
        for precision in Precision::ALL {
            let (whole, out) = convert(&source, precision);
            assert_eq!(out.subgraphs.len(), source.subgraphs.len());
            for g in 0..source.subgraphs.len() {
                let case = format!("{name}, {precision}, subgraph {g}");
                let (part, result) = (only(&source, g), only(&out, g));
                let (before, after) = (Program::new(&part).unwrap(), Program::new(&result).unwrap());
                let (x, y) = (inputs(&before, &part), inputs(&after, &result));
                let exact = before.results(&x, Constants::Stored, &Ideal).unwrap();
                // The provenance is that of the first subgraph; the others are as good as their rounded constants.
                let unrounded: BTreeMap<_, _> =
                    whole.provenance.constants.iter().map(|c| (c.tensor, c.exact.clone())).collect();
                let (constants, tolerance) = match g {
                    0 => (Constants::Exact(&unrounded), 1e-9),
                    _ => (Constants::Stored, 2e-3),
                };
                let same = after.results(&y, constants, &Ideal).unwrap();
                for (e, a) in exact.iter().zip(&same) {
                    assert_eq!(e.shape(), a.shape(), "{case}");
                    let largest = floats(e).iter().fold(0.0, |m: f64, x| m.max(x.abs()));
                    let error =
                        floats(e).iter().zip(floats(a)).map(|(e, a)| (e - a).abs()).fold(0.0, f64::max);
                    assert!(error <= tolerance * largest, "{case}: {error:e} of {largest:e}");
                }
                let run = Interpreter::f16().execute(&after, &y, Taps::None);
                assert_eq!(run.status, Status::Ok, "{case}");
                for (e, a) in exact.iter().zip(&run.outputs) {
                    let largest = floats(e).iter().fold(0.0, |m: f64, x| m.max(x.abs()));
                    let a = a.floats().unwrap();
                    let error = floats(e).iter().zip(&a).map(|(e, a)| (e - a).abs()).fold(0.0, f64::max);
                    assert!(error <= 0.02 * largest, "{case}: float16 is {error:e} off {largest:e}");
                }
            }
        }
    }
}

#[test]
fn full_leaves_no_float32_and_weights_leaves_no_float32_constant_of_any_size() {
    for name in JUDGED {
        let source = read(name);
        let (_, full) = convert(&source, Precision::Full);
        let tensors = |m: &Model| m.subgraphs.iter().flat_map(|g| g.tensors.clone()).collect::<Vec<_>>();
        assert!(tensors(&full).iter().all(|t| t.dtype != TensorType::Float32), "{name}");
        let (_, weights) = convert(&source, Precision::Weights);
        for t in tensors(&weights).iter().filter(|t| t.dtype == TensorType::Float32) {
            // What float16 would ruin may stay: masks and epsilons.
            let size = weights.data(t).map_or(0, |d| d.len());
            assert!(size <= 4, "{name}: {} of {size} bytes", t.name);
        }
    }
}

#[test]
fn names_signatures_and_metadata_survive() {
    let files = ["cnn", "signatures", "block", "loop", "torch_net", "dense_dynamic_int8"];
    for name in files {
        let source = read(name);
        for precision in Precision::ALL {
            let Ok(conversion) = convert_tflite(&source, &Request::new(precision)) else { continue };
            let out = tflite::read(&conversion.model).unwrap();
            let keys = |m: &Model| -> Vec<(String, Vec<String>, Vec<String>)> {
                let names = |list: &[(String, u32)]| list.iter().map(|(n, _)| n.clone()).collect();
                m.signatures.iter().map(|s| (s.key.clone(), names(&s.inputs), names(&s.outputs))).collect()
            };
            assert_eq!(keys(&out), keys(&source), "{name}, {precision}");
            let interface = |m: &Model| -> Vec<Vec<String>> {
                let name = |g: &tflite::SubGraph, i: i32| g.tensors[i.unsigned_abs() as usize].name.clone();
                m.subgraphs
                    .iter()
                    .map(|g| g.inputs.iter().chain(&g.outputs).map(|&i| name(g, i)).collect())
                    .collect()
            };
            assert_eq!(interface(&out), interface(&source), "{name}, {precision}");
            let metadata = |m: &Model| -> Vec<(String, Vec<u8>)> {
                m.metadata.iter().map(|d| (d.name.clone(), m.buffers[d.buffer as usize].to_vec())).collect()
            };
            assert_eq!(metadata(&out), metadata(&source), "{name}, {precision}");
        }
    }
}

#[test]
fn constants_that_two_subgraphs_share_are_stored_once_per_subgraph() {
    let source = read("signatures");
    let (_, out) = convert(&source, Precision::Full);
    let stored: usize = out.buffers.iter().map(|b| b.len()).filter(|&n| n == 2 * 64).count();
    // Sharing between subgraphs is lost today (docs/limits.md).
    assert_eq!(stored, 2, "a matrix of 8 x 8 in float16 for each");
}

#[test]
fn constants_behind_the_flatbuffer_are_read_like_those_inside() {
    let (_, near) = convert(&read("cnn"), Precision::Full);
    let (_, far) = convert(&read("cnn_offset_buffers"), Precision::Full);
    assert_eq!(near.main().operators, far.main().operators);
    // Buffers may be shared in one file and not in the other; elements are the same.
    let elements = |m: &tflite::Model| -> Vec<Option<Vec<u8>>> {
        m.main().tensors.iter().map(|t| m.data(t).map(<[u8]>::to_vec)).collect()
    };
    assert_eq!(elements(&near), elements(&far));
}

#[test]
fn float16_weights_of_another_tool_are_taken_as_they_are() {
    let (_, out) = convert(&read("cnn_float16_weights"), Precision::Full);
    assert!(out.main().operators.iter().all(|op| op.name() != "DEQUANTIZE"));
}

#[test]
fn quantized_operators_stay_as_they_are_or_are_refused_by_name() {
    let source = read("dense_dynamic_int8");
    let refusal = convert_tflite(&source, &Request::new(Precision::Full)).unwrap_err();
    assert!(refusal.nodes.iter().all(|n| n.reason.contains("stays float32")), "{refusal}");
    let (conversion, out) = convert(&source, Precision::Mixed);
    let bytes = |m: &Model| -> Vec<Vec<u8>> {
        let quantized = m.main().tensors.iter().filter(|t| t.dtype == TensorType::Int8);
        let mut all: Vec<Vec<u8>> = quantized.filter_map(|t| m.data(t)).map(<[u8]>::to_vec).collect();
        all.sort();
        all
    };
    assert_eq!(bytes(&out), bytes(&source));
    assert!(conversion.notes.iter().any(|n| n.level == Level::Info && n.text.contains("quantized")));
}

#[test]
fn control_flow_keeps_one_type_on_both_sides_of_every_call() {
    let source = read("loop");
    for precision in Precision::ALL {
        let Ok(conversion) = convert_tflite(&source, &Request::new(precision)) else {
            assert_eq!(precision, Precision::Full);
            continue;
        };
        let out = tflite::read(&conversion.model).unwrap();
        let types = |g: &tflite::SubGraph, list: &[i32]| -> Vec<TensorType> {
            list.iter().map(|&i| g.tensors[i.unsigned_abs() as usize].dtype).collect()
        };
        for op in &out.main().operators {
            let tflite::Options::While(o) = &op.options else { continue };
            let body = &out.subgraphs[usize::try_from(o.body_subgraph_index).unwrap()];
            assert_eq!(types(out.main(), &op.inputs), types(body, &body.inputs), "{precision}");
            assert_eq!(types(out.main(), &op.outputs), types(body, &body.outputs), "{precision}");
        }
    }
}
