//! The adapters that come with halfproof, with the real converters behind them; each is skipped, loudly, where it is not
//! installed (`cargo xtask setup NAME`).
#![allow(clippy::unwrap_used, reason = "tests")]

use halfproof_ir::{Graph, Precision, Request, text};
use halfproof_systems::converters::{self, outside::Outside};
use halfproof_systems::{Converter, Outcome, Source};
use halfproof_wire::onnx::{self, Opset};
use halfproof_wire::tflite::{self, TensorType};
use std::io::Write;

fn installed(name: &str) -> Option<Outside> {
    match Outside::named(name) {
        Ok(converter) => Some(converter),
        Err(why) => {
            std::io::stderr().write_all(format!("SKIPPED, nothing was tested: {why}\n").as_bytes()).unwrap();
            None
        }
    }
}

fn dense() -> Graph {
    text::parse(
        "x = input f32[2,3]
         w = const f32[4,3] {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}
         b = const f32[4] {1, 2, 3, 4}
         y = Gemm(x, w, b) transB=1
         output y",
    )
    .unwrap()
}

fn convert(converter: &mut Outside, graph: &Graph, precision: Precision) -> Outcome {
    let onnx = onnx::write(graph, Opset::of(graph)).unwrap();
    converter.convert(Source { graph, onnx: &onnx }, &Request::new(precision))
}

/// Types of all tensors that hold elements.
fn constant_types(model: &[u8]) -> Vec<TensorType> {
    let model = tflite::read(model).unwrap();
    let tensors = &model.subgraphs[0].tensors;
    tensors.iter().filter(|t| model.data(t).is_some()).map(|t| t.dtype).collect()
}

#[test]
fn quantizer_narrows_the_weights_of_a_dense_layer() {
    let Some(mut converter) = installed("quantizer") else { return };
    assert_eq!(converter.precisions(), [Precision::Weights]);
    for _ in 0..3 {
        let outcome = convert(&mut converter, &dense(), Precision::Weights);
        let Outcome::Converted(conversion) = outcome else { panic!("{outcome:?}") };
        assert!(constant_types(&conversion.model).contains(&TensorType::Float16));
    }
    assert!(matches!(convert(&mut converter, &dense(), Precision::Full), Outcome::Cannot { .. }));
}

/// What is known of `.half()`: the layers that people use most cannot be legalized.
#[test]
fn litert_torch_refuses_half_convolutions_and_converts_half_products() {
    let Some(mut converter) = installed("litert-torch") else { return };
    let outcome = convert(&mut converter, &dense(), Precision::Full);
    let Outcome::Converted(conversion) = outcome else { panic!("{outcome:?}") };
    let model = tflite::read(&conversion.model).unwrap();
    assert!(model.subgraphs[0].tensors.iter().any(|t| t.dtype == TensorType::Float16));
    let graph = text::parse(
        "x = input f32[1,3,4,4]
         w = const f32[2,3,1,1] {1, 2, 3, 4, 5, 6}
         y = Conv(x, w)
         output y",
    )
    .unwrap();
    let outcome = convert(&mut converter, &graph, Precision::Full);
    assert!(matches!(&outcome, Outcome::Refused(r) if r.nodes[0].op == "tfl.conv_2d"), "{outcome:?}");
}

/// A convolution and a dense layer each, with inputs and outputs in the order of the source.
fn two_layers() -> Graph {
    text::parse(
        "z = input f32[1,3,4,5]
         a = input f32[2,3]
         w = const f32[2,3,1,1] {1, 2, 3, 4, 5, 6}
         v = const f32[3,1] {1, 2, 3}
         y: f32[1,2,4,5] = Conv(z, w)
         b: f32[2,1] = MatMul(a, v)
         output y
         output b",
    )
    .unwrap()
}

fn weights_become_float16_and_the_interface_stays(name: &str) {
    let Some(mut converter) = installed(name) else { return };
    assert_eq!(converter.precisions(), [Precision::Weights]);
    let outcome = convert(&mut converter, &two_layers(), Precision::Weights);
    let Outcome::Converted(conversion) = outcome else { panic!("{outcome:?}") };
    assert!(constant_types(&conversion.model).contains(&TensorType::Float16));
    let model = tflite::read(&conversion.model).unwrap();
    let main = &model.subgraphs[0];
    let shapes = |ids: &[i32]| -> Vec<Vec<i32>> {
        ids.iter().map(|&i| main.tensors[usize::try_from(i).unwrap()].shape.clone()).collect()
    };
    assert_eq!(shapes(&main.inputs), [vec![1, 3, 4, 5], vec![2, 3]]);
    assert_eq!(shapes(&main.outputs), [vec![1, 2, 4, 5], vec![2, 1]]);
}

#[test]
fn tensorflow_narrows_weights_and_keeps_the_interface() {
    weights_become_float16_and_the_interface_stays("tensorflow");
}

#[test]
fn tensorflow_says_which_operator_tflite_has_not() {
    let Some(mut converter) = installed("tensorflow") else { return };
    let graph = text::parse("x = input f32[2]\ny = Acos(x)\noutput y").unwrap();
    let outcome = convert(&mut converter, &graph, Precision::Weights);
    assert!(matches!(&outcome, Outcome::Refused(r) if r.nodes[0].op == "Acos"), "{outcome:?}");
}

#[test]
fn onnx2tf_narrows_weights_and_keeps_the_interface() {
    weights_become_float16_and_the_interface_stays("onnx2tf");
}

#[test]
fn every_name_is_known_and_no_other() {
    for name in converters::names() {
        assert!(converters::is_known(name));
    }
    assert!(converters::is_known("cmd:./mine --fast") && !converters::is_known("mine"));
    assert!(converters::open("cmd:").err().unwrap().why.contains("name a program"));
}

/// What an adapter answers in ONNX becomes a .tflite with the same types: float16 where the file has it, float32 elsewhere.
#[test]
fn an_answer_in_onnx_keeps_its_types() {
    if std::process::Command::new("python3").arg("-c").arg("").status().is_err() {
        std::io::stderr().write_all(b"SKIPPED, nothing was tested: python3 is not there\n").unwrap();
        return;
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fake_adapter.py");
    let mut converter = Outside::command(&format!("python3 {script} copies-onnx")).unwrap();
    let graph = text::parse(
        "x = input f16[1,3]
         a = Neg(x)
         b = Cast(a) to=f32
         c = Exp(b)
         d = Cast(c) to=f16
         e = Abs(d)
         output e",
    )
    .unwrap();
    let outcome = convert(&mut converter, &graph, Precision::Full);
    let Outcome::Converted(conversion) = outcome else { panic!("{outcome:?}") };
    assert!(conversion.provenance.tensors.is_empty(), "a map to another program");
    let model = tflite::read(&conversion.model).unwrap();
    let graph = model.main();
    let typed: Vec<_> =
        graph.operators.iter().map(|op| (op.name(), graph.tensors[op.outputs[0] as usize].dtype)).collect();
    use TensorType::{Float16, Float32};
    let expected =
        [("NEG", Float16), ("CAST", Float32), ("EXP", Float32), ("CAST", Float16), ("ABS", Float16)];
    assert_eq!(typed, expected);
}

#[test]
fn modelopt_autocast_makes_a_dense_layer_float16() {
    let Some(mut converter) = installed("modelopt-autocast") else { return };
    assert_eq!(converter.precisions(), [Precision::Mixed]);
    let outcome = convert(&mut converter, &dense(), Precision::Mixed);
    let Outcome::Converted(conversion) = outcome else { panic!("{outcome:?}") };
    let types = constant_types(&conversion.model);
    assert!(types.contains(&TensorType::Float16) && !types.contains(&TensorType::Float32), "{types:?}");
}
