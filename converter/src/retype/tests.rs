//! What survives retyping, what changes, and what is refused.

use super::convert_tflite;
use crate::precision::{apply, fixture::patch_classifier};
use halfproof_ir::{Precision, Request};
use halfproof_wire::tflite::options::While;
use halfproof_wire::tflite::{
    Builtin, Metadata, Model, OpCode, Operator, Options, Quantization, Signature, SubGraph, Tensor,
    TensorType, read,
};
use std::sync::Arc;

fn request(precision: Precision) -> Request {
    Request::new(precision)
}

fn convert(model: &Model, precision: Precision) -> Model {
    read(&convert_tflite(model, &request(precision)).unwrap().model).unwrap()
}

/// The classifier as a float32 file.
fn float32() -> Model {
    let keep = Request { keep_fp32: Some(String::new()), ..request(Precision::Weights) };
    let model = read(&apply(&patch_classifier(), &keep).unwrap().model).unwrap();
    assert!(model.main().tensors.iter().all(|t| t.dtype != TensorType::Float16));
    model
}

fn has(model: &Model, dtype: TensorType) -> bool {
    model.subgraphs.iter().flat_map(|g| &g.tensors).any(|t| t.dtype == dtype)
}

fn float(name: &str) -> Tensor {
    Tensor { name: name.into(), shape: vec![2], dtype: TensorType::Float32, ..Tensor::default() }
}

/// `y = op(x)` over two floats.
fn single(op: Operator) -> Model {
    let main = SubGraph {
        name: "main".into(),
        tensors: vec![float("x"), float("y")],
        inputs: vec![0],
        outputs: vec![1],
        operators: vec![op],
    };
    Model { version: 3, subgraphs: vec![main], buffers: vec![Arc::default()], ..Model::default() }
}

#[test]
fn a_float32_file_becomes_what_its_source_becomes() {
    for precision in Precision::ALL {
        let direct = read(&apply(&patch_classifier(), &request(precision)).unwrap().model).unwrap();
        let retyped = convert(&float32(), precision);
        assert!(retyped == direct, "{precision}");
    }
}

#[test]
fn a_file_with_float16_weights_becomes_pure_float16_with_the_same_weights() {
    let weights = convert(&float32(), Precision::Weights);
    assert!(weights.main().operators.iter().any(|op| op.name() == "DEQUANTIZE"));
    let full = convert(&weights, Precision::Full);
    assert!(full == convert(&float32(), Precision::Full));
    assert!(!has(&full, TensorType::Float32));
}

#[test]
fn a_constant_that_the_file_unpacks_into_another_shape_is_left_alone() {
    let mut model = convert(&float32(), Precision::Weights);
    let main = &mut model.subgraphs[0];
    let unpacks = |op: &&Operator| op.code == OpCode::Builtin(Builtin::Dequantize);
    let result = main.operators.iter().find(unpacks).unwrap().outputs[0];
    main.tensors[result as usize].shape = vec![2, 1, 1, 1 << 27];
    let why = convert_tflite(&model, &request(Precision::Full)).unwrap_err().to_string();
    assert!(why.contains("DEQUANTIZE"), "{why}");
    assert!(has(&convert(&model, Precision::Mixed), TensorType::Float16));
}

/// `y = x * k`, with the constant in the file.
fn product_with(k: [f32; 2]) -> Model {
    let mut model = single(Operator::builtin(Builtin::Mul, [0, 2], [1], Options::None));
    model.buffers.push(Arc::new(k.iter().flat_map(|x| x.to_le_bytes()).collect()));
    model.subgraphs[0].tensors.push(Tensor { buffer: 1, ..float("k") });
    model
}

#[test]
fn a_constant_of_the_file_that_float16_does_not_hold_keeps_its_operator_in_float32() {
    let type_of_product = |k: [f32; 2]| {
        let out = convert(&product_with(k), Precision::Mixed);
        let product = out.main().operators.iter().find(|op| op.name() == "MUL").unwrap().outputs[0];
        out.main().tensors[product as usize].dtype
    };
    assert_eq!(type_of_product([0.5, 2.0]), TensorType::Float16);
    assert_eq!(type_of_product([1e6, 1.0]), TensorType::Float32);
}

#[test]
fn a_file_whose_operators_run_in_a_circle_is_refused() {
    let reshape = |from, to| Operator::builtin(Builtin::Reshape, [from], [to], Options::None);
    for operators in [vec![reshape(1, 1)], vec![reshape(0, 1), reshape(1, 0)]] {
        let mut model = single(operators[0].clone());
        model.subgraphs[0].operators = operators;
        for precision in Precision::ALL {
            let why = convert_tflite(&model, &request(precision)).unwrap_err().to_string();
            assert!(why.contains("later operator writes"), "{why}");
        }
    }
}

#[test]
fn signatures_metadata_description_and_dynamic_axes_survive() {
    let mut model = float32();
    model.description = "mine".into();
    model.buffers.push(Arc::new(b"1.5.0".to_vec()));
    let buffer = u32::try_from(model.buffers.len() - 1).unwrap();
    model.metadata.push(Metadata { name: "min_runtime_version".into(), buffer });
    let (x, y) = (model.main().inputs[0].unsigned_abs(), model.main().outputs[0].unsigned_abs());
    model.signatures = vec![Signature {
        key: "classify".into(),
        subgraph: 0,
        inputs: vec![("image".into(), x)],
        outputs: vec![("scores".into(), y)],
    }];
    model.subgraphs[0].tensors[x as usize].shape_signature = vec![-1, 64, 64, 3];
    for precision in Precision::ALL {
        let out = convert(&model, precision);
        assert_eq!(out.description, "mine");
        assert_eq!(out.metadata[0].name, "min_runtime_version");
        assert_eq!(out.buffers[out.metadata[0].buffer as usize].as_slice(), b"1.5.0");
        let [signature] = &out.signatures[..] else { panic!("one signature") };
        assert_eq!((signature.key.as_str(), signature.inputs[0].0.as_str()), ("classify", "image"));
        assert_eq!(signature.outputs[0], ("scores".to_string(), out.main().outputs[0].unsigned_abs()));
        let input = &out.main().tensors[signature.inputs[0].1 as usize];
        assert_eq!(input.shape_signature, [-1, 64, 64, 3]);
        assert_eq!(input.name, "x");
    }
}

fn custom() -> Operator {
    Operator {
        code: OpCode::Custom("Mine".into()),
        version: 7,
        custom_options: vec![1, 2, 3],
        ..Operator::builtin(Builtin::Custom, vec![0], vec![1], Options::None)
    }
}

#[test]
fn a_custom_operator_stays_float32_between_casts_and_keeps_its_options() {
    let out = convert(&single(custom()), Precision::Mixed);
    let names: Vec<&str> = out.main().operators.iter().map(Operator::name).collect();
    assert_eq!(names, ["CAST", "Mine", "CAST"]);
    let op = &out.main().operators[1];
    assert_eq!((op.version, op.custom_options.as_slice()), (7, &[1, 2, 3][..]));
    assert_eq!(out.main().tensors[op.inputs[0].unsigned_abs() as usize].dtype, TensorType::Float32);
}

#[test]
fn full_refuses_what_it_would_have_to_leave_and_names_all_of_it() {
    let mut model = single(custom());
    model.subgraphs[0].operators.push(Operator {
        inputs: vec![1],
        outputs: vec![2],
        ..Operator::builtin(Builtin::Quantize, vec![], vec![], Options::None)
    });
    let quantization =
        Some(Quantization { scale: vec![0.5], zero_point: vec![0], ..Quantization::default() });
    let q = Tensor { name: "q".into(), dtype: TensorType::Int8, quantization, ..float("q") };
    model.subgraphs[0].tensors.push(q);
    let refusal = convert_tflite(&model, &request(Precision::Full)).unwrap_err();
    let ops: Vec<&str> = refusal.nodes.iter().map(|n| n.op.as_str()).collect();
    assert_eq!(ops, ["Mine", "QUANTIZE"]);

    let keep = Request { keep_fp32: Some("^[yq]$".into()), ..request(Precision::Full) };
    assert!(convert_tflite(&model, &keep).is_ok(), "asked for");
    let out = convert(&model, Precision::Mixed);
    let q = out.main().tensors.iter().find(|t| t.name == "q").unwrap();
    assert_eq!(q.quantization.as_ref().unwrap().scale, [0.5]);
    assert_eq!(q.dtype, TensorType::Int8);
}

/// `while true { x = neg(x) }`: types are what counts here.
fn looped() -> Model {
    let options = While { cond_subgraph_index: 1, body_subgraph_index: 2 };
    let mut model = single(Operator::builtin(Builtin::While, vec![0], vec![1], options));
    let mut yes = float("yes");
    (yes.shape, yes.dtype, yes.buffer, yes.has_rank) = (vec![], TensorType::Bool, 1, true);
    model.buffers.push(Arc::new(vec![1]));
    model.subgraphs.push(SubGraph {
        name: "cond".into(),
        tensors: vec![float("x"), yes],
        inputs: vec![0],
        outputs: vec![1],
        operators: vec![],
    });
    model.subgraphs.push(SubGraph {
        name: "body".into(),
        tensors: vec![float("x"), float("y")],
        inputs: vec![0],
        outputs: vec![1],
        operators: vec![Operator::builtin(Builtin::Neg, vec![0], vec![1], Options::None)],
    });
    model
}

#[test]
fn a_loop_and_what_it_calls_agree_on_their_type() {
    for precision in Precision::ALL {
        let out = convert(&looped(), precision);
        let dtype = |g: &SubGraph, i: i32| g.tensors[i.unsigned_abs() as usize].dtype;
        let op = out.main().operators.iter().find(|op| op.name() == "WHILE").unwrap();
        let outside = dtype(out.main(), op.inputs[0]);
        let expected = if precision == Precision::Full { TensorType::Float16 } else { TensorType::Float32 };
        assert_eq!(outside, expected);
        assert_eq!(dtype(out.main(), op.outputs[0]), expected);
        for g in &out.subgraphs[1..] {
            assert_eq!(dtype(g, g.inputs[0]), expected);
        }
        assert_eq!(dtype(&out.subgraphs[2], out.subgraphs[2].outputs[0]), expected);
        let names: Vec<&str> = out.subgraphs.iter().map(|g| g.name.as_str()).collect();
        assert_eq!(names, ["main", "cond", "body"]);
    }
}

#[test]
fn state_that_outlives_a_run_keeps_its_type() {
    let mut model = single(Operator::builtin(Builtin::Add, vec![0, 2], vec![1], Options::None));
    let state = Tensor { is_variable: true, ..float("state") };
    model.subgraphs[0].tensors.push(state);
    let out = convert(&model, Precision::Mixed);
    let state = out.main().tensors.iter().find(|t| t.name == "state").unwrap();
    assert!(state.is_variable);
    assert_eq!(state.dtype, TensorType::Float32);
    assert!(convert_tflite(&model, &request(Precision::Full)).is_err());
}

#[test]
fn strings_and_the_operators_on_them_are_not_touched() {
    let mut model = single(Operator::builtin(Builtin::Neg, vec![0], vec![1], Options::None));
    let text = Tensor { name: "text".into(), dtype: TensorType::String, ..float("text") };
    model.subgraphs[0].tensors.push(text);
    model.subgraphs[0].inputs.push(2);
    let out = convert(&model, Precision::Full);
    assert_eq!(out.main().tensors[out.main().inputs[1].unsigned_abs() as usize].dtype, TensorType::String);
    assert_eq!(out.main().tensors[out.main().inputs[0].unsigned_abs() as usize].dtype, TensorType::Float16);
}

#[test]
fn a_constant_that_subgraphs_share_is_stored_once() {
    let add = || Operator::builtin(Builtin::Add, vec![0, 2], vec![1], Options::None);
    let mut model = single(add());
    let elements: Vec<u8> = (0..64).flat_map(|i| (0.5 + i as f32).to_le_bytes()).collect();
    model.buffers.push(Arc::new(elements));
    let wide = |name: &str, buffer| Tensor { shape: vec![64], buffer, ..float(name) };
    model.subgraphs[0].tensors = vec![wide("x", 0), wide("y", 0), wide("c", 1)];
    let again = SubGraph { name: "again".into(), ..model.subgraphs[0].clone() };
    model.subgraphs.push(again);
    for precision in Precision::ALL {
        let out = convert(&model, precision);
        let held: Vec<u32> = out
            .subgraphs
            .iter()
            .map(|g| {
                g.tensors.iter().find(|t| t.dtype == TensorType::Float16 && t.buffer > 0).unwrap().buffer
            })
            .collect();
        assert_eq!(held.len(), 2);
        assert_eq!(held[0], held[1], "{precision}");
        assert_eq!(out.buffers[held[0] as usize].len(), 128);
    }
}
