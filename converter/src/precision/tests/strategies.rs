//! The `weights` and `full` strategies, interfaces, kept nodes, provenance.

use super::super::{apply, assemble, fixture::patch_classifier};
use super::{convert, count, of_type, tensor};
use crate::constants;
use crate::precision::keep::matches;
use crate::target::Target;
use halfproof_ir::{DType, Io, Precision, Request, Role};
use halfproof_wire::tflite::options::Cast;
use halfproof_wire::tflite::{Builtin, OpCode, Options, TensorType};

fn request(precision: Precision) -> Request {
    Request::new(precision)
}

#[test]
fn full_leaves_no_float32_and_no_int8() {
    let model = convert(&patch_classifier(), &request(Precision::Full));
    assert!(of_type(&model, TensorType::Float32).is_empty());
    assert!(of_type(&model, TensorType::Int8).is_empty());
    assert_eq!(of_type(&model, TensorType::Float16).len(), 9);
    assert_eq!(model.main().operators.len(), 4);
}

#[test]
fn full_halves_the_constants() {
    let target = patch_classifier();
    let full: usize = convert(&target, &request(Precision::Full)).buffers.iter().map(|b| b.len()).sum();
    let ints = 4 * (8 + 2);
    assert_eq!(full - ints, 2 * (192 + 1 + 640 + 10));
}

#[test]
fn weights_puts_one_dequantize_behind_each_constant_and_keeps_activations() {
    let model = convert(&patch_classifier(), &request(Precision::Weights));
    assert_eq!(count(&model, Builtin::Dequantize), 4);
    assert_eq!(of_type(&model, TensorType::Float16).len(), 4);
    for op in &model.main().operators {
        if op.code == OpCode::Builtin(Builtin::Dequantize) {
            assert_eq!(op.version, 3);
            assert!(model.data(tensor(&model, op.inputs[0])).is_some());
            assert_eq!(tensor(&model, op.outputs[0]).dtype, TensorType::Float32);
        }
    }
    for &io in model.main().inputs.iter().chain(&model.main().outputs) {
        assert_eq!(tensor(&model, io).dtype, TensorType::Float32);
    }
    assert_eq!(count(&model, Builtin::Cast), 0);
}

#[test]
fn a_constant_with_two_readers_is_dequantized_once() {
    let mut t = Target::default();
    let x = t.input("x", &[2]);
    let c = t.exact("c", &[2], Role::Plain, vec![0.1, 0.2]);
    let a = t.plain(Builtin::Mul, &[x, c], "a", &[2]);
    let b = t.plain(Builtin::Add, &[a, c], "b", &[2]);
    t.output("y", b);
    assert_eq!(count(&convert(&t, &request(Precision::Weights)), Builtin::Dequantize), 1);
}

#[test]
fn tied_weights_share_a_buffer() {
    let mut t = Target::default();
    let x = t.input("x", &[2]);
    let c = t.exact("c", &[2], Role::Plain, vec![0.1, 0.2]);
    let d = t.exact("d", &[1, 2], Role::Plain, vec![0.1, 0.2]);
    let a = t.plain(Builtin::Mul, &[x, c], "a", &[2]);
    let b = t.plain(Builtin::Add, &[a, d], "b", &[1, 2]);
    t.output("y", b);
    let model = convert(&t, &request(Precision::Full));
    assert_eq!(model.buffers.len(), 2);
}

#[test]
fn a_float32_interface_costs_one_cast_per_edge_and_keeps_the_public_names() {
    let io = Request { io: Io::Float32, ..request(Precision::Full) };
    let model = convert(&patch_classifier(), &io);
    assert_eq!(count(&model, Builtin::Cast), 2);
    let floats = of_type(&model, TensorType::Float32);
    assert_eq!(floats.iter().map(|t| t.name.as_str()).collect::<Vec<_>>(), ["x", "fc"]);
    assert_eq!(model.signatures[0].inputs, [("x".to_string(), model.main().inputs[0].unsigned_abs())]);
    assert_eq!(model.signatures[0].outputs[0].0, "logits");
    assert_eq!(model.signatures[0].key, "serving_default");
}

#[test]
fn kept_nodes_are_islands_between_casts_with_float32_constants() {
    let keep = Request { keep_fp32: Some("^fc$".to_string()), ..request(Precision::Full) };
    let model = convert(&patch_classifier(), &keep);
    assert_eq!(count(&model, Builtin::Cast), 2);
    let names: Vec<_> = of_type(&model, TensorType::Float32).iter().map(|t| t.name.as_str()).collect();
    assert_eq!(names, ["flatten/float32", "fc.weight", "fc.bias", "fc/float32"]);

    let keep = Request { keep_fp32: Some("^fc$".to_string()), ..request(Precision::Weights) };
    let model = convert(&patch_classifier(), &keep);
    assert_eq!(count(&model, Builtin::Dequantize), 2);
    assert_eq!(of_type(&model, TensorType::Float16).len(), 2);
}

#[test]
fn a_bad_pattern_is_refused_in_one_line() {
    let keep = Request { keep_fp32: Some("(".to_string()), ..request(Precision::Full) };
    let refusal = apply(&patch_classifier(), &keep).unwrap_err();
    assert_eq!(refusal.nodes.len(), 1);
    assert!(!refusal.to_string().contains('\n'));
}

#[test]
fn weights_keeps_a_constant_that_float16_would_ruin() {
    let mut t = Target::default();
    let x = t.input("x", &[2]);
    let huge = t.scalar("huge", Role::Mask, -1e30);
    let eps = t.scalar("eps", Role::Epsilon, 1e-12);
    let a = t.plain(Builtin::Mul, &[x, huge], "a", &[2]);
    let b = t.plain(Builtin::Add, &[a, eps], "b", &[2]);
    t.output("y", b);
    let (model, provenance, notes) = assemble(&t, &request(Precision::Weights)).unwrap();
    assert!(of_type(&model, TensorType::Float16).is_empty());
    assert_eq!(notes.iter().map(|n| n.at.as_str()).collect::<Vec<_>>(), ["huge", "eps"]);
    assert_eq!(provenance.constants.len(), 2);
}

#[test]
fn a_constant_result_is_stored_in_the_type_of_the_interface() {
    let mut t = Target::default();
    let c = t.exact("c", &[2], Role::Plain, vec![0.1, 0.2]);
    t.output("y", c);
    for (precision, dtype) in
        [(Precision::Weights, TensorType::Float32), (Precision::Full, TensorType::Float16)]
    {
        let model = convert(&t, &request(precision));
        assert!(model.main().operators.is_empty());
        assert_eq!(tensor(&model, model.main().outputs[0]).dtype, dtype);
    }
}

#[test]
fn stored_elements_are_the_exact_ones_rounded_once_and_provenance_says_which() {
    let target = patch_classifier();
    for precision in Precision::ALL {
        let (model, provenance, _) = assemble(&target, &request(precision)).unwrap();
        assert_eq!(provenance.constants.len(), 4);
        for c in &provenance.constants {
            let tensor = &model.main().tensors[c.tensor as usize];
            assert_eq!(tensor.dtype, TensorType::Float16);
            let stored = model.data(tensor).unwrap();
            let expected: Vec<u8> = c.exact.iter().flat_map(|x| constants::round(x).to_le_bytes()).collect();
            assert_eq!(stored, expected);
        }
        for o in &provenance.tensors {
            assert_eq!(model.main().tensors[o.tensor as usize].name, o.source);
        }
        let nodes: Vec<_> = provenance.operators.iter().map(|o| o.nodes[0].as_str()).collect();
        assert_eq!(nodes, ["padded", "relu", "flatten", "fc"]);
    }
}

#[test]
fn the_same_program_gives_the_same_bytes() {
    let target = patch_classifier();
    for precision in Precision::ALL {
        let once = apply(&target, &request(precision)).unwrap();
        let again = apply(&target, &request(precision)).unwrap();
        assert_eq!(once.model, again.model);
    }
}

/// LiteRT takes tensors for each other by their names.
#[test]
fn tensors_of_one_name_are_told_apart_and_those_of_the_interface_keep_theirs() {
    let mut t = Target::default();
    let x = t.input("x", &[2]);
    let a = t.plain(Builtin::Abs, &[x], "y", &[2]);
    let b = t.plain(Builtin::Neg, &[a], "y", &[2]);
    let c = t.plain(Builtin::Tanh, &[b], "x", &[2]);
    let y = t.plain(Builtin::Sqrt, &[c], "y", &[2]);
    t.output("y", y);
    let model = convert(&t, &request(Precision::Full));
    let names: Vec<&str> = model.main().tensors.iter().map(|t| t.name.as_str()).collect();
    assert_eq!(names, ["x", "y/2", "y/3", "x/2", "y"]);
}

#[test]
fn a_cast_says_the_types_that_its_tensors_have_in_the_file() {
    let mut t = Target::default();
    let x = t.input("x", &[2]);
    let c = t.plain(Builtin::Cast, &[x], "c", &[2]);
    t.tensors[c.index()].dtype = DType::I32;
    t.operators[0].options = Options::Cast(Cast::default());
    t.output("y", c);
    let said = |precision: Precision, io: Io| {
        let model = convert(&t, &Request { io, ..request(precision) });
        let of = |options: &Options| match options {
            Options::Cast(o) => (o.in_data_type, o.out_data_type),
            other => panic!("{other:?}"),
        };
        model.main().operators.iter().map(|op| of(&op.options)).collect::<Vec<_>>()
    };
    use TensorType::{Float16, Float32, Int32};
    assert_eq!(said(Precision::Full, Io::Strategy), [(Float16, Int32)]);
    assert_eq!(said(Precision::Weights, Io::Strategy), [(Float32, Int32)]);
    assert_eq!(said(Precision::Full, Io::Float32), [(Float32, Float16), (Float16, Int32)]);
}

#[test]
fn an_axis_beyond_32_bits_is_refused_by_its_tensor() {
    let mut t = Target::default();
    let x = t.input("x", &[1 << 31]);
    t.output("x", x);
    let refusal = assemble(&t, &request(Precision::Full)).unwrap_err();
    let node = &refusal.nodes[0];
    assert_eq!((node.op.as_str(), node.node.as_str(), node.dtype), ("tensor", "x", Some(DType::F32)));
    assert_eq!(node.reason, "an axis of 2147483648 elements does not fit TFLite's 32-bit extents");
}

#[test]
fn a_pattern_says_whether_it_matches_any_name() {
    assert_eq!(matches("^b", ["a", "bc"]), Ok(true));
    assert_eq!(matches("^b", ["a", "cb"]), Ok(false));
    assert_eq!(matches("^b", []), Ok(false));
    let reason = matches("(", ["a"]).unwrap_err();
    assert!(reason.contains("unclosed group") && !reason.contains('\n'), "{reason}");
}
