//! Every runtime, whatever it is, runs the same small program and says the same.

mod models;

use halfproof_ir::{DType, Graph, Op, Tensor};
use halfproof_oracle::record::Status;
use halfproof_systems::worker::{Limits, Program};
use halfproof_systems::{Taps, runtimes};
use halfproof_wire::tflite::{self, Builtin};
use std::io::Write;

#[expect(clippy::unwrap_used, reason = "a test")]
fn onnx() -> Vec<u8> {
    let mut graph = Graph::new("smoke");
    let x = graph.add_input("x", DType::F32, &[1, 4]);
    let y = graph.add_node(Op::Neg, &[x], "y");
    let z = graph.add_node(Op::Relu, &[y], "z");
    graph.outputs.push(z);
    halfproof_wire::onnx::write(&graph, halfproof_wire::onnx::Opset::CANONICAL).unwrap()
}

#[test]
fn every_runtime_runs_a_small_program() {
    let worker = Program::new(env!("CARGO_BIN_EXE_halfproof-worker"), vec![]);
    let opened = runtimes::open(&runtimes::NAMES, &worker, Limits::default());
    let tflite = tflite::write(&models::chain(&[Builtin::Neg, Builtin::Relu], DType::F32, 4));
    let inputs = [Tensor::f32(vec![1, 4], vec![1.0, -2.0, 0.5, -0.25])];
    for (name, runtime) in runtimes::NAMES.into_iter().zip(opened) {
        let mut runtime = match runtime {
            Ok(runtime) => runtime,
            Err(why) => {
                std::io::stderr()
                    .write_all(format!("SKIPPED, {name} was not tested: {why}\n").as_bytes())
                    .unwrap();
                continue;
            }
        };
        assert_eq!(runtime.name(), name);
        let onnx = onnx();
        let model = if name == "tract" { &onnx } else { &tflite };
        for taps in Taps::ALL {
            let run = runtime.run(model, &inputs, taps);
            assert_eq!(run.status, Status::Ok, "{name}");
            assert_eq!(run.system, name);
            assert_eq!(run.outputs, [Tensor::f32(vec![1, 4], vec![0.0, 2.0, 0.0, 0.25])], "{name}");
            if taps != Taps::None && name != "tract" {
                let seen: Vec<u32> = run.taps.iter().map(|(t, _)| *t).collect();
                assert_eq!(seen, [1, 2], "{name}");
            }
        }
        let refused = runtime.run(b"neither one nor the other", &inputs, Taps::None);
        assert!(
            matches!(&refused.status, Status::Refused { stage, .. } if stage == "load"),
            "{name}: {refused:?}"
        );
    }
}

#[test]
fn an_unknown_runtime_is_unavailable_and_the_message_lists_the_known_ones() {
    let worker = Program::new("unused", vec![]);
    let answer = runtimes::open(&["litert-npu"], &worker, Limits::default()).remove(0);
    let text = answer.err().unwrap().to_string();
    assert!(text.contains("litert-npu") && text.contains("interp-f16"), "{text}");
}
