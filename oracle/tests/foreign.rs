//! A file of another converter says nothing of where its tensors and constants are from. What it computes is matched with
//! the source by values, and what it folded is judged by what folding can do.

mod tflite_models;

use half::f16;
use halfproof_ir::{Conversion, DType, Graph, Op, Precision, Provenance, Request, Tensor};
use halfproof_oracle::arith::{ExecutionModel, Half};
use halfproof_oracle::judge::diagnosis::{Diagnosis, diagnose};
use halfproof_oracle::judge::trace::{Plan, Run, Source};
use halfproof_oracle::judge::{Subject, recognise};
use halfproof_oracle::tflite::Program;
use halfproof_oracle::verdict::{Class, Strength};
use halfproof_wire::tflite::{self, Builtin, Model, Options, TensorType, options};
use tflite_models::{Builder, halves};

const F32: TensorType = TensorType::Float32;

/// What the walk beside the source says of a file whose constants nobody explains.
fn diagnosed(graph: &Graph, model: &Model, input: &Tensor) -> Diagnosis {
    diagnosed_as(Precision::Weights, graph, model, input)
}

fn diagnosed_as(precision: Precision, graph: &Graph, model: &Model, input: &Tensor) -> Diagnosis {
    let request = Request::new(precision);
    let conversion =
        Conversion { model: tflite::write(model), provenance: Provenance::default(), notes: vec![] };
    let subject = Subject::new(graph, &request, &conversion).expect("the file can be planned");
    let run = Run::Live { system: "interp-f32", arith: Half::new(ExecutionModel::SINGLE) };
    let plan = Plan { source: Some(Source::Onnx(graph)), inputs: std::slice::from_ref(input), run };
    let trace = subject.trace(&plan, &mut |_| ()).expect("the file can be run");
    diagnose(&subject.program, &[], &[trace])
}

/// A float16 constant of one element behind a DEQUANTIZE.
fn widened(b: &mut Builder, value: f64) -> i32 {
    let stored = b.constant(&halves(&[1], &[value]));
    b.op(Builtin::Dequantize, &[stored], Options::None, F32, &[1])
}

/// y = x · (a · b): a converter folds the product of the constants.
fn scaled_twice(a: f32, b: f32) -> Graph {
    let mut g = Graph::new("scaled");
    let x = g.add_input("x", DType::F32, &[3]);
    let a = g.add_constant("a", Tensor::f32([1], vec![a]));
    let b = g.add_constant("b", Tensor::f32([1], vec![b]));
    let ab = g.add_node(Op::Mul, &[a, b], "ab");
    let y = g.add_node(Op::Mul, &[x, ab], "y");
    g.outputs.push(y);
    g
}

fn product_with(constant: f32) -> Model {
    let mut b = Builder::new();
    let x = b.input(F32, &[3]);
    let k = b.floats(&[1], &[constant]);
    let y = b.op(Builtin::Mul, &[x, k], options::Mul::default(), F32, &[3]);
    b.finish(&[y])
}

#[test]
fn a_constant_folded_by_a_few_float32_operators_is_no_certain_fault() {
    let (a, b) = (1.1f32, 1.3f32);
    let input = Tensor::f32([3], vec![1.0, -2.5, 3.0]);
    let source = scaled_twice(a, b);
    let nearest = (f64::from(a) * f64::from(b)) as f32;
    let right = diagnosed(&source, &product_with(nearest), &input);
    assert_eq!(right.verdict.class, Class::Pass, "{:?}", right.verdict);

    // Four units away: what a folded power or a sum does. Who accuses it says that folding would explain it.
    let near = f32::from_bits(nearest.to_bits() + 4);
    let folded = diagnosed(&source, &product_with(near), &input).verdict;
    assert_eq!((folded.class, folded.strength), (Class::Semantics, Strength::Unknown), "{folded:?}");
    assert!(folded.notes.iter().any(|n| n.contains("float32 or float16")), "{folded:?}");

    // A thousand units: no folding does that.
    let far = f32::from_bits(nearest.to_bits() + 1000);
    let wrong = diagnosed(&source, &product_with(far), &input).verdict;
    assert_eq!((wrong.class, wrong.strength), (Class::Semantics, Strength::Certified), "{wrong:?}");
    assert!(!wrong.notes.iter().any(|n| n.contains("float32 or float16")), "{wrong:?}");
}

#[test]
fn a_constant_is_not_taken_for_a_result_that_happens_to_be_near_it() {
    // tanh(20) is 1 in f64, and float16 makes 1 of tanh(5) = 0.99990920 too.
    let five = 5.0f32;
    let mut source = Graph::new("saturated");
    let x = source.add_input("x", DType::F32, &[1]);
    let c = source.add_constant("c", Tensor::f32([1], vec![five]));
    let t = source.add_node(Op::Tanh, &[x], "t");
    let k = source.add_node(Op::Tanh, &[c], "k");
    let y = source.add_node(Op::Mul, &[t, k], "y");
    source.outputs.push(y);

    let mut b = Builder::new();
    let x = b.input(F32, &[1]);
    let wide = widened(&mut b, f64::from(five).tanh());
    let t = b.op(Builtin::Tanh, &[x], Options::None, F32, &[1]);
    let y = b.op(Builtin::Mul, &[t, wide], options::Mul::default(), F32, &[1]);
    let model = b.finish(&[y]);
    assert_eq!(f16::from_f64(f64::from(five).tanh()).to_f64(), 1.0, "the case is about such a constant");

    let found = diagnosed(&source, &model, &Tensor::f32([1], vec![20.0])).verdict;
    assert!(found.class.is_fine(), "{found:?}");
}

/// A row over its norm, which is at least 1e-12.
fn floored() -> Graph {
    let mut g = Graph::new("floored");
    let x = g.add_input("x", DType::F32, &[2]);
    let floor = g.add_constant("floor", Tensor::f32(Vec::<usize>::new(), vec![1e-12]));
    let n = g.add_node(Op::Abs, &[x], "n");
    let f = g.add_node(Op::Max, &[n, floor], "f");
    let y = g.add_node(Op::Div, &[x, f], "y");
    g.outputs.push(y);
    g
}

#[test]
fn a_floor_that_float16_makes_0_is_the_policys_doing_and_no_wrong_meaning() {
    let mut b = Builder::new();
    let x = b.input(F32, &[2]);
    let wide = widened(&mut b, 1e-12);
    let n = b.op(Builtin::Abs, &[x], Options::None, F32, &[2]);
    let f = b.op(Builtin::Maximum, &[n, wide], Options::None, F32, &[2]);
    let y = b.op(Builtin::Div, &[x, f], options::Div::default(), F32, &[2]);
    let model = b.finish(&[y]);
    let found = diagnosed(&floored(), &model, &Tensor::f32([2], vec![0.0, 3.0])).verdict;
    assert_eq!(found.class, Class::Nonfinite, "{found:?}");
}

#[test]
fn a_product_in_two_orders_is_no_difference_where_one_is_folded_and_rounded() {
    // x·a·b - x·(a·b) is 0 but for the rounding of f64; the file stores a·b in float16.
    let (a, b) = (1.1f32, 1.3f32);
    let mut source = Graph::new("orders");
    let x = source.add_input("x", DType::F32, &[3]);
    let a_id = source.add_constant("a", Tensor::f32([1], vec![a]));
    let b_id = source.add_constant("b", Tensor::f32([1], vec![b]));
    let xa = source.add_node(Op::Mul, &[x, a_id], "xa");
    let left = source.add_node(Op::Mul, &[xa, b_id], "left");
    let ab = source.add_node(Op::Mul, &[a_id, b_id], "ab");
    let right = source.add_node(Op::Mul, &[x, ab], "right");
    let y = source.add_node(Op::Sub, &[left, right], "y");
    source.outputs.push(y);

    let mut build = Builder::new();
    let x = build.input(F32, &[3]);
    let (a_t, b_t) = (widened(&mut build, f64::from(a)), widened(&mut build, f64::from(b)));
    let ab = widened(&mut build, f64::from(a) * f64::from(b));
    let xa = build.op(Builtin::Mul, &[x, a_t], options::Mul::default(), F32, &[3]);
    let left = build.op(Builtin::Mul, &[xa, b_t], options::Mul::default(), F32, &[3]);
    let right = build.op(Builtin::Mul, &[x, ab], options::Mul::default(), F32, &[3]);
    let y = build.op(Builtin::Sub, &[left, right], options::Sub::default(), F32, &[3]);
    let model = build.finish(&[y]);
    let found = diagnosed(&source, &model, &Tensor::f32([3], vec![1.0, -2.5, 0.7])).verdict;
    assert!(found.class.is_fine(), "{found:?}");
}

#[test]
fn zeros_that_a_converter_made_may_have_either_sign() {
    let mut graph = Graph::new("windowed");
    let x = graph.add_input("x", DType::F32, &[2]);
    let y = graph.add_node(Op::Neg, &[x], "y");
    graph.outputs.push(y);
    let mut b = Builder::new();
    let x = b.input(F32, &[2]);
    let zeros = b.floats(&[2], &[-0.0, 0.0]);
    let y = b.op(Builtin::Sub, &[zeros, x], options::Sub::default(), F32, &[2]);
    let model = b.finish(&[y]);
    let program = Program::new(&model).expect("the interpreter knows SUB");
    let provenance = recognise::constants(Source::Onnx(&graph), &model, &program);
    assert_eq!(provenance.constants.len(), 1);
    let conversion = Conversion { model: tflite::write(&model), provenance, notes: vec![] };
    let request = Request::new(Precision::Weights);
    let subject = Subject::new(&graph, &request, &conversion).expect("the file can be planned");
    let verdict = subject.constants();
    assert_eq!(verdict.class, Class::Pass, "{verdict:?}");
}

/// `module.half()` rounds a weight to float16; the converter then computes in float32 and stores it as FLOAT32.
#[test]
fn a_float32_constant_may_have_been_float16_where_all_was_to_be() {
    let mut source = Graph::new("scaled");
    let x = source.add_input("x", DType::F32, &[3]);
    let k = source.add_constant("k", Tensor::f32([1], vec![1.313_934_3]));
    let y = source.add_node(Op::Mul, &[x, k], "y");
    source.outputs.push(y);
    let input = Tensor::f32([3], vec![1.0, -2.5, 3.0]);
    let narrowed = product_with(f16::from_f32(1.313_934_3).to_f32());
    let of = |precision, model: &Model| diagnosed_as(precision, &source, model, &input).verdict;
    assert_eq!(of(Precision::Full, &narrowed).class, Class::Pass, "{:?}", of(Precision::Full, &narrowed));
    let kept = of(Precision::Weights, &narrowed);
    assert_eq!((kept.class, kept.strength), (Class::Semantics, Strength::Certified), "{kept:?}");
    // Two units of float16 away, and a number of float32 that no float16 weight can be.
    for other in [1.315_429_7, 1.313_5] {
        let wrong = of(Precision::Full, &product_with(other));
        assert_eq!(wrong.class, Class::Semantics, "{other}: {wrong:?}");
    }
}

/// x · (1 + b), where a converter may fold the sum; and an input of it.
fn shifted(b: f32) -> (Graph, Tensor) {
    let mut source = Graph::new("shifted");
    let x = source.add_input("x", DType::F32, &[3]);
    let a = source.add_constant("a", Tensor::f32([1], vec![1.0]));
    let b = source.add_constant("b", Tensor::f32([1], vec![b]));
    let ab = source.add_node(Op::Add, &[a, b], "ab");
    let y = source.add_node(Op::Mul, &[x, ab], "y");
    source.outputs.push(y);
    let input = Tensor::f32([3], vec![1.0, -2.5, 3.0]);
    (source, input)
}

/// The bias of a folded BatchNormalization, which cancels: 1 - 1 · 0.999995 in float32 is off by its unit near 1, which is a thousandth
/// of the result.
#[test]
fn a_folded_constant_that_cancels_is_no_certain_fault() {
    let (source, input) = shifted(-0.999_995);
    let exact = 1.0 - f64::from(0.999_995_f32);
    let of = |off: f64| diagnosed(&source, &product_with((exact + off) as f32), &input).verdict;
    let near = of(6e-9);
    assert_eq!((near.class, near.strength), (Class::Semantics, Strength::Unknown), "{near:?}");
    let far = of(1e-5);
    assert_eq!((far.class, far.strength), (Class::Semantics, Strength::Certified), "{far:?}");
}

/// `batch_norm` of a `.half()` module: 1 - 1 · 0.9535 in float16 is off by its unit near 1, three thousandths of the result (litert-torch,
/// seed 103).
#[test]
fn a_constant_that_float16_folded_and_that_cancels_is_no_certain_fault() {
    let (source, input) = shifted(-0.953_462_6);
    let folded = 1.0 - f16::from_f32(0.953_462_6).to_f32();
    let of = |precision, k: f32| diagnosed_as(precision, &source, &product_with(k), &input).verdict;
    let near = of(Precision::Full, folded);
    assert_eq!((near.class, near.strength), (Class::Semantics, Strength::Unknown), "{near:?}");
    let far = of(Precision::Full, f16::from_f32(0.051).to_f32());
    assert_eq!((far.class, far.strength), (Class::Semantics, Strength::Certified), "{far:?}");
    let single = of(Precision::Weights, folded);
    assert_eq!((single.class, single.strength), (Class::Semantics, Strength::Certified), "{single:?}");
}
