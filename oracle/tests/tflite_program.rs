//! What planning refuses, and what running, stepping and constants promise.

mod tflite_models;

use halfproof_ir::{DType, Data, Elements, Tensor};
use halfproof_oracle::arith::{Bound, Enclosure, Ideal};
use halfproof_oracle::contract::Runtime;
use halfproof_oracle::tflite::{Constants, Kind, Program, ProgramError, RunError, tensor, value};
use halfproof_oracle::value::{Array, Value};
use halfproof_wire::tflite::{Activation, Builtin, Model, Options, Padding, TensorType, options};
use std::collections::BTreeMap;
use std::sync::Arc;
use tflite_models::Builder;

const F32: TensorType = TensorType::Float32;

/// x [1, 2] -> FULLY_CONNECTED with weights [[1, 2], [3, -4]] and bias [0.5, 0] -> RELU.
fn dense() -> Model {
    let mut b = Builder::new();
    let x = b.input(F32, &[1, 2]);
    let w = b.floats(&[2, 2], &[1.0, 2.0, 3.0, -4.0]);
    let bias = b.floats(&[2], &[0.5, 0.0]);
    let y = b.op(Builtin::FullyConnected, &[x, w, bias], options::FullyConnected::default(), F32, &[1, 2]);
    let z = b.op(Builtin::Relu, &[y], Options::None, F32, &[1, 2]);
    b.finish(&[z])
}

fn floats(value: &Value<f64>) -> &[f64] {
    match value {
        Value::Float(_, a) => &a.data,
        Value::Whole(..) => panic!("{value:?} holds no floats"),
    }
}

#[test]
fn a_run_shows_inputs_and_every_result_but_no_constant() {
    let program = Program::new(&dense()).unwrap();
    let run = program.run(&[Tensor::f32(vec![1, 2], vec![1.0, 1.0])], Constants::Stored, &Ideal).unwrap();
    assert_eq!(run.tensors.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false, false, true, true]);
    assert_eq!(floats(run.tensors[3].as_ref().unwrap()), [3.5, -1.0]);
    assert_eq!(floats(run.outputs().next().unwrap()), [3.5, 0.0]);
}

#[test]
fn results_are_the_outputs_of_a_run() {
    let program = Program::new(&dense()).unwrap();
    let x = [Tensor::f32(vec![1, 2], vec![0.25, -3.0])];
    let run = program.run(&x, Constants::Stored, &Ideal).unwrap();
    let lean = program.results(&x, Constants::Stored, &Ideal).unwrap();
    assert_eq!(run.outputs().cloned().collect::<Vec<_>>(), lean);
}

#[test]
fn a_run_of_some_tensors_computes_nothing_behind_them() {
    let program = Program::new(&dense()).unwrap();
    let x = [Tensor::f32(vec![1, 2], vec![1.0, 1.0])];
    let whole = program.run(&x, Constants::Stored, &Ideal).unwrap();
    let given = |t: usize, value: usize| {
        (0..whole.tensors.len()).map(|i| whole.tensors[value].clone().filter(|_| i == t)).collect()
    };
    let some = program.run_from(given(0, 0), Constants::Stored, &Ideal, [3]).unwrap();
    assert_eq!(some.tensors[3], whole.tensors[3]);
    assert_eq!(some.tensors[4], None);
    assert_eq!(program.behind([3], &[]), [true, true, true, true, false]);
    // From a tensor in between, whatever it was computed from.
    let later = program.run_from(given(3, 3), Constants::Stored, &Ideal, [4]).unwrap();
    assert_eq!((&later.tensors[0], &later.tensors[4]), (&None, &whole.tensors[4]));
}

#[test]
fn exact_constants_replace_stored_ones() {
    let program = Program::new(&dense()).unwrap();
    let x = [Tensor::f32(vec![1, 2], vec![1.0, 1.0])];
    let exact = BTreeMap::from([(2, Elements::from(vec![0.1, 7.0]))]);
    let run = program.run(&x, Constants::Exact(&exact), &Ideal).unwrap();
    assert_eq!(floats(run.outputs().next().unwrap()), [3.1, 6.0]);
}

#[test]
fn exact_constants_that_fit_no_constant_are_refused() {
    let program = Program::new(&dense()).unwrap();
    let x = [Tensor::f32(vec![1, 2], vec![1.0, 1.0])];
    for (tensor, count) in [(2, 3), (0, 2), (99, 1)] {
        let exact = BTreeMap::from([(tensor, Elements::from(vec![0.0; count]))]);
        let error = program.run(&x, Constants::Exact(&exact), &Ideal).unwrap_err();
        assert!(matches!(error, RunError::Constant { tensor: t, .. } if t == tensor), "{error}");
    }
}

#[test]
fn one_step_computes_from_the_operands_given() {
    let program = Program::new(&dense()).unwrap();
    let x = value(&Tensor::f32(vec![1, 2], vec![2.0, 0.0]), &Ideal);
    let y = program.step(0, &[Some(&x), None, None], &Ideal).unwrap();
    assert_eq!(tensor(&y[0], &Ideal), Tensor::f32(vec![1, 2], vec![2.5, 6.0]));
    let z = program.step(1, &[Some(&x)], &Ideal).unwrap();
    assert_eq!(floats(&z[0]), [2.0, 0.0]);
}

#[test]
fn one_step_refuses_operands_of_another_form() {
    let program = Program::new(&dense()).unwrap();
    let wrong = value(&Tensor::f32(vec![2, 1], vec![2.0, 0.0]), &Ideal);
    for operands in [vec![Some(&wrong)], vec![None], vec![]] {
        assert!(matches!(program.step(1, &operands, &Ideal), Err(RunError::Operand { operator: 1, .. })));
    }
    assert_eq!(program.step(2, &[], &Ideal), Err(RunError::NoOperator { operator: 2 }));
}

#[test]
fn inputs_of_another_number_type_or_shape_are_refused() {
    let program = Program::new(&dense()).unwrap();
    let run = |inputs: &[Tensor]| program.run(inputs, Constants::Stored, &Ideal).unwrap_err().to_string();
    assert_eq!(run(&[]), "the program has 1 inputs, got 0");
    assert_eq!(
        run(&[Tensor::new(vec![1, 2], Data::I32(vec![1, 2]))]),
        "input 0 is FLOAT32[1, 2], got INT32[1, 2]"
    );
    assert_eq!(run(&[Tensor::f32(vec![2], vec![1.0, 2.0])]), "input 0 is FLOAT32[1, 2], got FLOAT32[2]");
}

#[test]
fn an_unknown_operator_is_unsupported_and_named() {
    let mut model = dense();
    model.subgraphs[0].operators[1] = tflite_operator(Builtin::Svdf, &[3], &[4]);
    let error = Program::new(&model).unwrap_err();
    assert_eq!(error.kind(), Kind::Unsupported);
    assert_eq!(
        error.to_string(),
        "operator 1 SVDF (result \"t4\"): this interpreter does not know the operator"
    );
}

fn tflite_operator(builtin: Builtin, inputs: &[i32], outputs: &[i32]) -> halfproof_wire::tflite::Operator {
    halfproof_wire::tflite::Operator::builtin(builtin, inputs, outputs, Options::None)
}

#[test]
fn contradictions_of_the_file_are_malformed() {
    type Change = fn(&mut Model);
    let changes: [(Change, &str); 9] = [
        (|m| m.subgraphs.clear(), "the model has no subgraph"),
        (|m| m.subgraphs[0].inputs = vec![7], "subgraph inputs entry 0: names no tensor"),
        (|m| m.subgraphs[0].inputs = vec![0, 0], "subgraph inputs entry 1: is listed twice"),
        (|m| m.subgraphs[0].outputs = vec![-1], "subgraph outputs entry 0: names no tensor"),
        (|m| m.subgraphs[0].operators.swap(0, 1), "is read before any operator has written it"),
        (|m| m.subgraphs[0].operators[1].outputs = vec![3], "result 0, tensor 3, has a value already"),
        (|m| m.subgraphs[0].tensors[3].shape = vec![2, 1], "result 0 has shape [1, 2], the file says [2, 1]"),
        (|m| m.buffers[1] = Arc::new(vec![0; 12]), "has 12 bytes of data for FLOAT32[2, 2]"),
        (
            |m| m.subgraphs[0].operators[0].options = options::Conv2D::default().into(),
            "has the option table with number 1, needs FullyConnectedOptions",
        ),
    ];
    for (change, expected) in changes {
        let mut model = dense();
        change(&mut model);
        let error = Program::new(&model).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        let is_unwritten = expected.contains("before any operator");
        assert_eq!(error.kind(), if is_unwritten { Kind::Unwritten } else { Kind::Malformed });
    }
}

#[test]
fn quantized_tensors_are_unsupported() {
    let mut model = dense();
    model.subgraphs[0].tensors[1].quantization =
        Some(halfproof_wire::tflite::Quantization { scale: vec![0.5], ..Default::default() });
    let error = Program::new(&model).unwrap_err();
    assert!(matches!(error, ProgramError::Operator { operator: 0, .. }));
    assert_eq!(error.kind(), Kind::Unsupported);
}

#[test]
fn axes_that_the_signature_leaves_open_fit_any_extent() {
    let mut model = dense();
    model.subgraphs[0].tensors[3].shape = vec![1, 1];
    model.subgraphs[0].tensors[3].shape_signature = vec![1, -1];
    assert!(Program::new(&model).is_ok());
}

/// The new shape is the halved shape of the operand plus an offset.
#[test]
fn a_shape_computed_from_shapes_is_known_while_planning() {
    let mut b = Builder::new();
    let x = b.input(F32, &[3, 2]);
    let shape =
        b.op(Builtin::Shape, &[x], options::Shape { out_type: TensorType::Int32 }, TensorType::Int32, &[2]);
    let factor = b.ints(&[2], &[2, 2]);
    let half = b.op(Builtin::FloorDiv, &[shape, factor], Options::None, TensorType::Int32, &[2]);
    let offset = b.ints(&[2], &[1, 2]);
    let new = b.op(Builtin::Add, &[half, offset], Options::None, TensorType::Int32, &[2]);
    let y = b.op(Builtin::Reshape, &[x, new], Options::None, F32, &[2, 3]);
    let program = Program::new(&b.finish(&[y])).unwrap();
    assert_eq!(program.form(6), Some((DType::F32, [2, 3].as_slice())));
}

#[test]
fn a_shape_that_depends_on_an_input_is_unsupported() {
    let mut b = Builder::new();
    let x = b.input(F32, &[4]);
    let shape = b.input(TensorType::Int32, &[2]);
    let y = b.op(Builtin::Reshape, &[x, shape], Options::None, F32, &[2, 2]);
    assert_eq!(Program::new(&b.finish(&[y])).unwrap_err().kind(), Kind::Unsupported);
}

#[test]
fn a_fused_activation_clamps_a_convolution() {
    let mut b = Builder::new();
    let x = b.input(F32, &[1, 3, 1, 1]);
    let w = b.floats(&[1, 2, 1, 1], &[1.0, 10.0]);
    let bias = b.floats(&[1], &[0.0]);
    let options = options::Conv2D {
        padding: Padding::Same,
        stride_w: 1,
        stride_h: 1,
        fused_activation_function: Activation::Relu6,
        ..Default::default()
    };
    let y = b.op(Builtin::Conv2d, &[x, w, bias], options, F32, &[1, 3, 1, 1]);
    let program = Program::new(&b.finish(&[y])).unwrap();
    let x = Tensor::f32(vec![1, 3, 1, 1], vec![-1.0, 0.25, 2.0]);
    let run = program.run(&[x], Constants::Stored, &Ideal).unwrap();
    assert_eq!(floats(run.outputs().next().unwrap()), [1.5, 6.0, 2.0]);
}

/// Every float16 execution of `program` on `x`.
fn enclosures(program: &Program, x: &Tensor) -> Vec<Option<Value<Enclosure>>> {
    let bound = Bound::new(Runtime::AnyHalf);
    program.run(std::slice::from_ref(x), Constants::Stored, &bound).expect("it runs").tensors
}

fn halves(shape: &[usize], data: &[f32]) -> Tensor {
    Tensor::new(shape, Data::F16(data.iter().map(|&x| half::f16::from_f32(x)).collect()))
}

/// z = exp(x) of one row, which kernels give only to within a few units, then operators on z.
fn powers(x: &[f32], more: impl FnOnce(&mut Builder, i32) -> Vec<i32>) -> (Program, Tensor, Vec<i32>) {
    let mut b = Builder::new();
    let input = b.input(TensorType::Float16, &[x.len()]);
    let z = b.op(Builtin::Exp, &[input], Options::None, TensorType::Float16, &[x.len()]);
    let results = more(&mut b, z);
    let program = Program::new(&b.finish(&results)).expect("it plans");
    (program, halves(&[x.len()], x), results)
}

fn at<E>(tensors: &[Option<Value<E>>], tensor: i32) -> &Value<E> {
    tensors[usize::try_from(tensor).expect("an index")].as_ref().expect("a visible tensor")
}

fn decided(value: &Value<Enclosure>) -> Vec<bool> {
    match value {
        Value::Whole(_, a) => a.data.iter().map(|x| x.decided).collect(),
        Value::Float(..) => panic!("{value:?} holds no integers"),
    }
}

/// The powers of the first two differ by less than the float16 spacing there.
const CLOSE: [f32; 3] = [0.5, 0.500_488_3, 0.25];

#[test]
fn a_choice_that_rounding_can_turn_is_one_or_the_other() {
    let (program, x, results) = powers(&CLOSE, |b, z| {
        let limit = b.constant(&halves(&[3], &[1.648_437_5, 8.0, 8.0]));
        let less = b.op(Builtin::Less, &[z, limit], Options::None, TensorType::Bool, &[3]);
        let ones = b.constant(&halves(&[], &[1.0]));
        let nines = b.constant(&halves(&[], &[9.0]));
        let picked = b.op(Builtin::SelectV2, &[less, ones, nines], Options::None, TensorType::Float16, &[3]);
        vec![less, picked]
    });
    let tensors = enclosures(&program, &x);
    assert_eq!(decided(at(&tensors, results[0])), [false, true, true]);
    let Value::Float(_, picked) = at(&tensors, results[1]) else { panic!("not a float") };
    assert!(picked.data[0].contains(1.0) && picked.data[0].contains(9.0));
    assert!(picked.data[1].contains(1.0) && !picked.data[1].contains(9.0));
}

#[test]
fn an_undecided_index_fetches_something_unknown() {
    let (program, x, results) = powers(&CLOSE, |b, z| {
        let axis = b.ints(&[], &[0]);
        let options = options::ArgMax { output_type: TensorType::Int32 };
        let index = b.op(Builtin::ArgMax, &[z, axis], options, TensorType::Int32, &[]);
        let table = b.constant(&halves(&[3], &[5.0, 6.0, 7.0]));
        let options = options::Gather { axis: 0, batch_dims: 0 };
        let fetched = b.op(Builtin::Gather, &[table, index], options, TensorType::Float16, &[]);
        vec![index, fetched]
    });
    let tensors = enclosures(&program, &x);
    assert_eq!(decided(at(&tensors, results[0])), [false]);
    let Value::Float(_, fetched) = at(&tensors, results[1]) else { panic!("not a float") };
    assert!([5.0, 6.0, 7.0, 1e4].iter().all(|&x| fetched.data[0].contains(x)));
}

/// Nobody says whether a NaN is passed over or wins.
#[test]
fn the_index_of_a_row_with_a_nan_is_undecided() {
    let row = [0.5, f32::NAN, 0.25];
    let (program, x, results) = powers(&row, |b, z| {
        let axis = b.ints(&[], &[0]);
        let options = options::ArgMax { output_type: TensorType::Int32 };
        vec![b.op(Builtin::ArgMax, &[z, axis], options, TensorType::Int32, &[])]
    });
    assert_eq!(decided(at(&enclosures(&program, &x), results[0])), [false]);
}

#[test]
fn places_that_rounding_can_exchange_are_undecided_in_top_k() {
    let (program, x, results) = powers(&[0.25, CLOSE[0], CLOSE[1], 3.0], |b, z| {
        let k = b.ints(&[], &[4]);
        let (values, indices) = (b.tensor(TensorType::Float16, &[4]), b.tensor(TensorType::Int32, &[4]));
        b.operator(Builtin::TopkV2, &[z, k], &[values, indices], Options::None);
        vec![values, indices]
    });
    let tensors = enclosures(&program, &x);
    assert_eq!(decided(at(&tensors, results[1])), [true, false, false, true]);
    let run = program.run(&[x], Constants::Stored, &Ideal).unwrap().tensors;
    assert!((floats(at(&run, results[0]))[0] - 3f64.exp()).abs() < 1e-12);
}

#[test]
fn whether_the_last_element_of_top_k_is_nan_decides_its_place() {
    let (program, _, _) = powers(&[1.0, 2.0], |b, z| {
        let k = b.ints(&[], &[2]);
        let (values, indices) = (b.tensor(TensorType::Float16, &[2]), b.tensor(TensorType::Int32, &[2]));
        b.operator(Builtin::TopkV2, &[z, k], &[values, indices], Options::None);
        vec![values, indices]
    });
    let last = program.operators().len() - 1;
    let places = |row: [Enclosure; 2]| {
        let operand = Value::Float(DType::F16, Array::new(vec![2], row.to_vec()));
        let bound = Bound::new(Runtime::AnyHalf);
        let results = program.step(last, &[Some(&operand), None], &bound).unwrap();
        decided(&results[1])
    };
    let (nan, open) = (Enclosure::point(f64::NAN), Enclosure::anything(f64::NAN));
    assert_eq!(places([nan, nan]), [true, true]);
    // The exact one is NaN as well; an execution may find a number there, which comes first.
    assert_eq!(places([nan, open]), [false, false]);
}
