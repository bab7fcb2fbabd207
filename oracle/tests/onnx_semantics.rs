//! The reference on small cases whose answer the specification states, and its errors.

use halfproof_ir::ops::{self, AutoPad};
use halfproof_ir::{DType, Graph, Op, Tensor};
use halfproof_oracle::arith::Ideal;
use halfproof_oracle::onnx::{self, EvalError};
use halfproof_oracle::value::Value;

fn one(op: impl Into<Op>, operands: &[Tensor]) -> Result<Value<f64>, EvalError> {
    let mut g = Graph::new("one");
    let ids: Vec<_> =
        operands.iter().enumerate().map(|(i, t)| g.add_input(format!("x{i}"), t.dtype(), &t.shape)).collect();
    let y = g.add_node(op, &ids, "y");
    g.outputs.push(y);
    let evaluation = onnx::evaluate(&g, operands, &Ideal)?;
    Ok(evaluation.outputs().next().expect("one output").clone())
}

fn floats(value: &Value<f64>) -> (&[usize], &[f64]) {
    match value {
        Value::Float(_, a) => (&a.shape, &a.data),
        Value::Whole(..) => panic!("floats expected"),
    }
}

fn iota(shape: &[usize]) -> Tensor {
    let n: usize = shape.iter().product();
    Tensor::f32(shape.to_vec(), (0..n).map(|i| i as f32 + 1.0).collect())
}

#[test]
fn some_tensors_are_those_of_the_whole_graph_and_no_other_node_is_evaluated() {
    let mut g = Graph::new("some");
    let x = g.add_input("x", DType::F32, &[2]);
    let wanted = g.add_node(Op::Neg, &[x], "wanted");
    let deeper = g.add_node(Op::Abs, &[wanted], "deeper");
    let beside = g.add_node(Op::Exp, &[x], "beside");
    g.outputs.extend([deeper, beside]);
    let inputs = [Tensor::f32([2], vec![1.0, -2.0])];
    let whole = onnx::evaluate(&g, &inputs, &Ideal).unwrap();
    let mut given = vec![None; g.values.len()];
    given[x.index()] = whole.value(x).cloned();
    let some = onnx::evaluate_from(&g, given.clone(), &Ideal, &[wanted]).unwrap();
    assert_eq!(some.value(wanted), whole.value(wanted));
    assert_eq!((some.value(deeper), some.value(beside)), (None, None));
    // From a value in between, whatever it was computed from.
    given[wanted.index()] = whole.value(x).cloned();
    let later = onnx::evaluate_from(&g, given, &Ideal, &[deeper]).unwrap();
    assert_eq!(later.value(wanted), whole.value(x));
    assert_eq!(later.value(deeper), whole.value(deeper));
}

#[test]
fn conv_same_padding_is_asymmetric_for_even_kernels() {
    for (auto_pad, expected) in
        [(AutoPad::SameUpper, [3.0, 5.0, 7.0, 4.0]), (AutoPad::SameLower, [1.0, 3.0, 5.0, 7.0])]
    {
        let op = ops::Conv { auto_pad, ..ops::Conv::default() };
        let w = Tensor::f32([1, 1, 2], vec![1.0, 1.0]);
        let y = one(op, &[iota(&[1, 1, 4]), w]).unwrap();
        assert_eq!(floats(&y), (&[1, 1, 4][..], &expected[..]));
    }
}

#[test]
fn a_strided_dilated_grouped_convolution_follows_its_formula() {
    let op = ops::Conv {
        group: 2,
        strides: vec![2],
        dilations: vec![2],
        pads: vec![1, 2],
        ..ops::Conv::default()
    };
    let w = Tensor::f32([2, 1, 2], vec![1.0, 10.0, 100.0, 1000.0]);
    let b = Tensor::f32([2], vec![0.5, 0.25]);
    // Channel 0 is 0 1 2 3 4 0 0, channel 1 is 0 5 6 7 8 0 0.
    let y = one(op, &[iota(&[1, 2, 4]), w, b]).unwrap();
    assert_eq!(floats(&y).1, [20.5, 42.5, 4.5, 6000.25, 8600.25, 800.25]);
}

#[test]
fn a_negative_alpha_of_celu_makes_an_exponential_of_negative_elements() {
    let x = Tensor::f32([3], vec![-2.5, 0.0, 2.5]);
    let y = one(ops::Celu { alpha: -2.0 }, std::slice::from_ref(&x)).unwrap();
    let expected = [-2.0 * 1.25f64.exp_m1(), 0.0, 2.5];
    for (y, e) in floats(&y).1.iter().zip(expected) {
        assert!((y - e).abs() < 1e-14, "{y} instead of {e}");
    }
    let y = one(ops::Celu { alpha: 2.0 }, &[x]).unwrap();
    assert!((floats(&y).1[0] - 2.0 * (-1.25f64).exp_m1()).abs() < 1e-15);
}

#[test]
fn inputs_that_the_graph_does_not_declare_are_named() {
    let mut g = Graph::new("g");
    let x = g.add_input("left", DType::F32, &[2]);
    let y = g.add_node(Op::Relu, &[x], "y");
    g.outputs.push(y);
    let error = |inputs: &[Tensor]| onnx::evaluate(&g, inputs, &Ideal).unwrap_err().to_string();
    assert_eq!(error(&[]), "graph has 1 inputs, got 0 tensors");
    assert_eq!(error(&[iota(&[3])]), "input \"left\" has shape [3], the graph declares [2]");
    assert_eq!(error(&[Tensor::ints([1, 2])]), "input \"left\" is INT64, the graph declares FLOAT32");
}

#[test]
fn an_unknown_operator_is_an_error_and_not_a_guess() {
    let op = Op::Unknown { domain: "com.example".into(), name: "Magic".into() };
    let error = one(op, &[iota(&[1])]).unwrap_err();
    assert_eq!(error.to_string(), "Magic \"y\": operator is not in the table");
}

#[test]
fn a_global_p_norm_is_the_root_of_the_sum_of_powers_of_each_channel() {
    for (p, expected) in [(1, 10.0), (2, 30f64.sqrt()), (3, 100f64.cbrt())] {
        let y = one(ops::GlobalLpPool { p }, &[iota(&[1, 1, 2, 2])]).unwrap();
        let (shape, data) = floats(&y);
        assert_eq!(shape, [1, 1, 1, 1]);
        assert!((data[0] - expected).abs() < 1e-12, "p {p}: {} instead of {expected}", data[0]);
    }
}
