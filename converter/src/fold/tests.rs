//! What folding computes, what it leaves alone, and what it removes.

use super::fold;
use halfproof_ir::ops::{Cast, Concat, ConstantOfShape, Gather, Gemm, ReduceSum, Shape, Transpose};
use halfproof_ir::{DType, Data, Graph, Op, Tensor, ValueId, validate};
use proptest::prelude::*;
use std::sync::Arc;

fn constant(g: &mut Graph, name: &str, tensor: Tensor) -> ValueId {
    g.add_constant(name, tensor)
}

fn folded(g: &Graph) -> Graph {
    let out = fold(g);
    validate::validate(&out).unwrap();
    out
}

/// Folds a graph that has one result and gives that result's elements.
fn result(mut g: Graph, y: ValueId) -> Tensor {
    g.outputs = vec![y];
    let out = folded(&g);
    assert!(out.nodes.is_empty(), "{:?}", out.nodes);
    out.constant(y).unwrap().clone()
}

#[test]
fn a_flatten_written_with_shape_gather_and_concat_becomes_a_constant_shape() {
    let mut g = Graph::new("g");
    let x = g.add_input("x", DType::F32, &[2, 3, 4, 5]);
    let shape = g.add_node(Shape::default(), &[x], "shape");
    let zero = constant(&mut g, "zero", Tensor::i64([], vec![0]));
    let batch = g.add_node(Gather { axis: 0 }, &[shape, zero], "batch");
    let axes = constant(&mut g, "axes", Tensor::ints([0]));
    let batch = g.add_node(Op::Unsqueeze, &[batch, axes], "batch1");
    let rest = constant(&mut g, "rest", Tensor::ints([-1]));
    let target = g.add_node(Concat { axis: 0 }, &[batch, rest], "target");
    let y = g.add_node(Op::Reshape(Default::default()), &[x, target], "y");
    g.outputs.push(y);
    let out = folded(&g);
    assert_eq!(out.nodes.len(), 1);
    assert_eq!(out.constant(target).unwrap(), &Tensor::ints([2, -1]));
    assert!(out.constant(shape).is_none(), "what nobody reads is dropped");
}

#[test]
fn shapes_behind_nodes_are_known_too() {
    let mut g = Graph::new("g");
    let x = g.add_input("x", DType::F32, &[2, 3]);
    let t = g.add_node(Transpose { perm: vec![1, 0] }, &[x], "t");
    let s = g.add_node(Shape { start: 0, end: Some(1) }, &[t], "s");
    let n = g.add_node(Op::Size, &[t], "n");
    g.outputs = vec![s, n];
    let out = folded(&g);
    assert_eq!(out.constant(s).unwrap(), &Tensor::ints([3]));
    assert_eq!(out.constant(n).unwrap(), &Tensor::i64([], vec![6]));
    assert!(out.nodes.is_empty());
}

#[test]
fn floats_stay_f64_between_folds() {
    let mut g = Graph::new("g");
    let a = constant(&mut g, "a", Tensor::f32([2], vec![0.1, 3.0]));
    let b = constant(&mut g, "b", Tensor::f32([], vec![3.0]));
    let q = g.add_node(Op::Div, &[a, b], "q");
    let q = g.add_node(Cast { to: DType::F32, ..Cast::default() }, &[q], "cast");
    let y = g.add_node(Op::Mul, &[q, b], "y");
    g.outputs = vec![y];
    let out = folded(&g);
    let (x, three) = (f64::from(0.1f32), 3.0);
    assert_eq!(out.constant(y).unwrap().data, Data::F64(vec![x / three * three, 3.0]));
    assert_eq!(out.value(y).dtype, Some(DType::F32));
    assert!(crate::infer::graph(&out).unwrap()[y.index()].as_ref().unwrap().dtype == DType::F32);
}

#[test]
fn integers_divide_toward_zero_and_never_wrap() {
    let divide = |a: Vec<i64>, b: i64| {
        let mut g = Graph::new("g");
        let a = constant(&mut g, "a", Tensor::ints(a));
        let b = constant(&mut g, "b", Tensor::i64([], vec![b]));
        let y = g.add_node(Op::Div, &[a, b], "y");
        g.outputs = vec![y];
        folded(&g).constant(y).cloned()
    };
    assert_eq!(divide(vec![7, -7], 2), Some(Tensor::ints([3, -3])));
    assert_eq!(divide(vec![1], 0), None);
    assert_eq!(divide(vec![i64::MIN], -1), None);

    let mut g = Graph::new("g");
    let a = constant(&mut g, "a", Tensor::new([1], Data::I8(vec![100])));
    let y = g.add_node(Op::Add, &[a, a], "y");
    g.outputs = vec![y];
    assert_eq!(folded(&g).nodes.len(), 1, "200 is no i8");
}

#[test]
fn extents_computed_in_float32_round_as_float32_does() {
    let mut g = Graph::new("g");
    let n = constant(&mut g, "n", Tensor::ints([13]));
    let n = g.add_node(Cast { to: DType::F32, ..Cast::default() }, &[n], "float");
    let scale = constant(&mut g, "scale", Tensor::f32([1], vec![30.0 / 13.0]));
    let scaled = g.add_node(Op::Mul, &[n, scale], "scaled");
    let floor = g.add_node(Op::Floor, &[scaled], "floor");
    let y = g.add_node(Cast { to: DType::I64, ..Cast::default() }, &[floor], "y");
    assert!(13.0 * f64::from(30.0f32 / 13.0) < 30.0);
    assert_eq!(result(g, y), Tensor::ints([30]));
}

#[test]
fn expanding_one_element_to_millions_is_left_to_the_runtime() {
    let expand = |extent: i64| {
        let mut g = Graph::new("g");
        let x = g.add_input("x", DType::F32, &[1]);
        let c = constant(&mut g, "c", Tensor::f32([1], vec![0.5]));
        let shape = constant(&mut g, "shape", Tensor::ints([extent, 1024]));
        let e = g.add_node(Op::Expand, &[c, shape], "e");
        let y = g.add_node(Op::Add, &[x, e], "y");
        g.outputs = vec![y];
        folded(&g).nodes.len()
    };
    assert_eq!(expand(8), 1);
    assert_eq!(expand(8192), 2);
}

#[test]
fn many_small_expansions_share_one_budget() {
    let mut g = Graph::new("g");
    let c = constant(&mut g, "c", Tensor::f32([1], vec![0.5]));
    for i in 0..32 {
        let shape = constant(&mut g, &format!("shape{i}"), Tensor::ints([512, 512]));
        let e = g.add_node(Op::Expand, &[c, shape], format!("e{i}"));
        g.outputs.push(e);
    }
    let out = folded(&g);
    let constants: usize = out.values.iter().filter_map(|v| v.constant.as_ref()).map(|t| t.len()).sum();
    assert!(constants < 2 << 20, "{constants}");
    assert!(!out.nodes.is_empty());
}

#[test]
fn nodes_that_no_output_needs_are_removed() {
    let mut g = Graph::new("g");
    let x = g.add_input("x", DType::F32, &[2]);
    let y = g.add_node(Op::Relu, &[x], "y");
    g.add_node(Op::Exp, &[y], "unused");
    g.outputs.push(y);
    assert_eq!(folded(&g).nodes.len(), 1);
}

#[test]
fn what_cannot_be_typed_stays_for_others_to_refuse() {
    let mut g = Graph::new("g");
    let a = constant(&mut g, "a", Tensor::f32([2], vec![1.0; 2]));
    let b = constant(&mut g, "b", Tensor::f32([3], vec![1.0; 3]));
    let y = g.add_node(Op::Add, &[a, b], "y");
    let u = g.add_node(Op::Unknown { domain: String::new(), name: "Foo".into() }, &[y], "u");
    g.outputs = vec![u];
    assert_eq!(folded(&g).nodes.len(), 2);
}

#[test]
fn moving_operators_move_what_they_say() {
    let six = || Tensor::ints((0..6).collect::<Vec<i64>>());
    let mut g = Graph::new("g");
    let v = constant(&mut g, "v", six());
    let shape = constant(&mut g, "shape", Tensor::ints([2, 3]));
    let m = g.add_node(Op::Reshape(Default::default()), &[v, shape], "m");
    let indices = constant(&mut g, "i", Tensor::ints([-1, 0]));
    let picked = g.add_node(Gather { axis: 1 }, &[m, indices], "picked");
    let both = g.add_node(Concat { axis: 1 }, &[picked, m], "both");
    let bounds =
        [("starts", vec![-1, 1]), ("ends", vec![-9, 9]), ("axes", vec![1, 0]), ("steps", vec![-2, 1])];
    let bounds: Vec<ValueId> =
        bounds.into_iter().map(|(n, v)| constant(&mut g, n, Tensor::ints(v))).collect();
    let sliced = g.add_node(Op::Slice, &[&[both][..], &bounds].concat(), "sliced");
    let twice = constant(&mut g, "twice", Tensor::ints([2, 1]));
    let y = g.add_node(Op::Tile, &[sliced, twice], "y");
    // both = [[2, 0, 0, 1, 2], [5, 3, 3, 4, 5]]; its second row backwards by two: 5, 3, 5.
    assert_eq!(result(g, y), Tensor::i64([2, 3], vec![5, 3, 5, 5, 3, 5]));
}

#[test]
fn a_causal_mask_is_a_constant() {
    let mut g = Graph::new("g");
    let scalars = [0, 3, 1].map(|i| constant(&mut g, &format!("s{i}"), Tensor::i64([], vec![i])));
    let r = g.add_node(Op::Range, &scalars, "r");
    let axes = constant(&mut g, "axes", Tensor::ints([1]));
    let c = g.add_node(Op::Unsqueeze, &[r, axes], "c");
    let keep = g.add_node(Op::LessOrEqual, &[r, c], "keep");
    let low = constant(&mut g, "low", Tensor::f32([], vec![f32::MIN]));
    let zero = constant(&mut g, "zero", Tensor::f32([], vec![0.0]));
    let y = g.add_node(Op::Where, &[keep, zero, low], "y");
    let l = f64::from(f32::MIN);
    assert_eq!(result(g, y).data, Data::F64(vec![0.0, l, l, 0.0, 0.0, l, 0.0, 0.0, 0.0]));
}

#[test]
fn filled_tensors_take_their_value_and_default_to_zero() {
    let fill = |value: Option<Tensor>| {
        let mut g = Graph::new("g");
        let shape = constant(&mut g, "shape", Tensor::ints([2]));
        let y = g.add_node(ConstantOfShape { value: value.map(Arc::new) }, &[shape], "y");
        result(g, y)
    };
    assert_eq!(fill(Some(Tensor::ints([7]))), Tensor::ints([7, 7]));
    assert_eq!(fill(None).floats(), Some(vec![0.0, 0.0]));
}

#[test]
fn gemm_scales_transposes_and_broadcasts() {
    let mut g = Graph::new("g");
    let a = constant(&mut g, "a", Tensor::f32([2, 1], vec![1.0, 2.0]));
    let b = constant(&mut g, "b", Tensor::f32([3, 2], vec![1.0, 0.0, 0.0, 1.0, 1.0, 1.0]));
    let c = constant(&mut g, "c", Tensor::f32([3], vec![1.0, 2.0, 3.0]));
    let op = Gemm { alpha: 2.0, beta: 10.0, transA: true, transB: true };
    let y = g.add_node(op, &[a, b, c], "y");
    assert_eq!(result(g, y).floats().unwrap(), [12.0, 24.0, 36.0]);
}

fn matmul(a: &[usize], b: &[usize]) -> Tensor {
    let ramp = |shape: &[usize]| {
        let n = shape.iter().product::<usize>();
        Tensor::f32(shape, (0..n).map(|i| (i % 5) as f32 - 1.5).collect())
    };
    let mut g = Graph::new("g");
    let (a, b) = (ramp(a), ramp(b));
    let a = constant(&mut g, "a", a);
    let b = constant(&mut g, "b", b);
    let y = g.add_node(Op::MatMul, &[a, b], "y");
    result(g, y)
}

#[test]
fn products_of_vectors_and_batches_have_numpy_shapes() {
    assert_eq!(matmul(&[3], &[3]).shape, [0usize; 0]);
    assert_eq!(matmul(&[3], &[2, 3, 4]).shape, [2, 4]);
    assert_eq!(matmul(&[2, 1, 4, 3], &[5, 3, 2]).shape, [2, 5, 4, 2]);
}

proptest! {
    #[test]
    fn a_product_is_the_sum_over_the_inner_axis(m in 1usize..4, k in 1usize..4, n in 1usize..4, batch in 1usize..3) {
        let y = matmul(&[batch, m, k], &[k, n]).floats().unwrap();
        let element = |i: usize| (i % 5) as f64 - 1.5;
        for (i, &y) in y.iter().enumerate() {
            let (row, column) = (i / n, i % n);
            let expected: f64 = (0..k).map(|l| element(row * k + l) * element(l * n + column)).sum();
            prop_assert_eq!(y, expected);
        }
    }

    #[test]
    fn a_sum_over_axes_is_the_sum_of_its_elements(shape in proptest::collection::vec(1usize..4, 1..4), mask in 0usize..8) {
        let n: usize = shape.iter().product();
        let axes: Vec<i64> = (0..shape.len()).filter(|a| mask >> a & 1 == 1).map(|a| a as i64).collect();
        let mut g = Graph::new("g");
        let x = constant(&mut g, "x", Tensor::i64(shape.clone(), (0..n as i64).collect()));
        let a = constant(&mut g, "axes", Tensor::ints(axes.clone()));
        let y = g.add_node(ReduceSum { keepdims: true, noop_with_empty_axes: true }, &[x, a], "y");
        let y = result(g, y);
        // Every element of the input belongs to exactly one element of the result.
        let strides = super::strided::row_major(&y.shape);
        let mut expected = vec![0i64; y.len()];
        for i in 0..n {
            let mut rest = i;
            let mut at = 0;
            for d in (0..shape.len()).rev() {
                if y.shape[d] != 1 {
                    at += (rest % shape[d]) * strides[d].unsigned_abs();
                }
                rest /= shape[d];
            }
            expected[at] += i as i64;
        }
        prop_assert_eq!(y.integers().unwrap(), expected);
    }

    #[test]
    fn folding_twice_changes_nothing(extent in 1usize..5, scale in -3.0f32..3.0) {
        let mut g = Graph::new("g");
        let x = g.add_input("x", DType::F32, &[extent, 2]);
        let c = constant(&mut g, "c", Tensor::f32([2], vec![scale, 1.0]));
        let e = g.add_node(Op::Exp, &[c], "e");
        let y = g.add_node(Op::Mul, &[x, e], "y");
        g.outputs.push(y);
        let once = folded(&g);
        prop_assert_eq!(fold(&once), once.clone());
    }
}
