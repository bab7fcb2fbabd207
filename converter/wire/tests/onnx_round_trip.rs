//! What is written is read back: every operator at the canonical opset, and in its older forms.
#![allow(clippy::unwrap_used, reason = "tests")]

use halfproof_ir::ops::*;
use halfproof_ir::{DType, Graph, Op, Tensor, ValueId, text};
use halfproof_wire::onnx::{self, Opset};

/// A graph of one node with as few operands as the operator allows, and one result.
fn alone(op: Op) -> Graph {
    let info = op.info().unwrap();
    let mut g = Graph::new("g");
    let inputs: Vec<ValueId> =
        (0..info.inputs.0).map(|i| g.add_input(format!("x{i}"), DType::F32, &[2, 6, 4])).collect();
    let y = g.add_node(op, &inputs, "y");
    g.outputs.push(y);
    g
}

/// A graph of one node over a float input and the given constants.
fn over(op: Op, shape: &[usize], constants: &[(&str, Tensor)]) -> Graph {
    let mut g = Graph::new("g");
    let mut inputs = vec![g.add_input("x", DType::F32, shape)];
    for (name, tensor) in constants {
        inputs.push(g.add_constant(format!("y.{name}"), tensor.clone()));
    }
    let y = g.add_node(op, &inputs, "y");
    g.outputs.push(y);
    g
}

fn read_back(graph: &Graph, opset: u16) -> Graph {
    onnx::read(&onnx::write(graph, Opset(opset)).unwrap()).unwrap()
}

#[test]
fn every_operator_survives_at_its_own_opset() {
    for op in Op::one_of_each() {
        let graph = alone(op);
        assert_eq!(read_back(&graph, Opset::of(&graph).0), graph);
    }
}

#[test]
fn old_forms_read_as_the_new_ones() {
    let ints = |v: &[i64]| Tensor::ints(v);
    let scalar = |v: f32| Tensor::f32(vec![], vec![v]);
    let asymmetric = Resize {
        coordinate_transformation_mode: CoordinateMode::Asymmetric,
        nearest_mode: NearestMode::Floor,
        ..Resize::default()
    };
    let graphs = [
        over(Op::Clip, &[4], &[("min", scalar(-1.5)), ("max", scalar(6.0))]),
        over(Op::Pad(Pad::default()), &[2, 2], &[("pads", ints(&[0, 1, 2, 0]))]),
        over(Op::Pad(Pad::default()), &[2], &[("pads", ints(&[1, 2])), ("value", scalar(7.0))]),
        over(Op::Slice, &[4], &[("starts", ints(&[1])), ("ends", ints(&[-1])), ("axes", ints(&[0]))]),
        over(Op::Split(Split::default()), &[4], &[("split", ints(&[4]))]),
        over(Op::Split(Split { axis: 1, num_outputs: Some(1) }), &[2, 3], &[]),
        over(Op::Squeeze, &[1, 3], &[("axes", ints(&[0]))]),
        over(Op::Unsqueeze, &[3], &[("axes", ints(&[0, 2]))]),
        over(Op::ReduceSum(ReduceSum::default()), &[2, 3], &[("axes", ints(&[1]))]),
        over(Op::ReduceLogSumExp(ReduceLogSumExp::default()), &[2, 3], &[("axes", ints(&[0, 1]))]),
        over(Op::Softmax(Softmax { axis: -1, coerce_2d: false }), &[2, 3], &[]),
        over(Op::Softmax(Softmax { axis: 1, coerce_2d: true }), &[2, 3, 4], &[]),
        over(Op::LogSoftmax(LogSoftmax { axis: 0, coerce_2d: true }), &[2, 3, 4], &[]),
        {
            let scales = Tensor::f32(vec![4], vec![1.0, 1.0, 2.0, 2.0]);
            let mut g = over(asymmetric.into(), &[1, 1, 2, 2], &[("scales", scales)]);
            g.nodes[0].inputs.insert(1, None);
            g
        },
    ];
    for graph in graphs {
        for opset in 9..=Opset::of(&graph).0.min(23) {
            assert_eq!(read_back(&graph, opset), graph, "{} at opset {opset}", graph.nodes[0].op.name());
        }
    }
}

/// Why a graph, given as text, cannot be written.
fn refusal(text: &str, opset: u16) -> String {
    onnx::write(&text::parse(text).unwrap(), Opset(opset)).unwrap_err().to_string()
}

#[test]
fn what_an_opset_cannot_say_is_refused_with_node_and_reason() {
    let x = "x = input f32[1,2,5]\n";
    for (line, opset, reason) in [
        ("y = Mish(x)", 17, "Mish \"y\" cannot be written at opset 17: it came with opset 18"),
        ("y = RMSNormalization(x, x)", 21, "it came with opset 23"),
        ("y = Resize(x, _, s)", 9, "before opset 11 coordinates are asymmetric, and cut in nearest mode"),
        (
            "y = ReduceMean(x) noop_with_empty_axes=1",
            17,
            "attribute \"noop_with_empty_axes\" came with opset 18",
        ),
        ("y = ReduceMean(x, x)", 17, "axes of \"y\" must be constant at this opset"),
        ("y = Softmax(x) axis=1", 12, "before opset 13 it can only work along the last axis"),
        ("y = Softmax(x) axis=1 coerce_2d=1", 13, "it means what opsets before 13 meant"),
        ("y = GroupNormalization(x, x, x)", 20, "it has one scale per channel, which opsets up to 20 do not"),
        (
            "y = GroupNormalization(x, x, x) per_group_scale=1",
            21,
            "it has one scale per group, which opsets from 21 do not",
        ),
        ("y, z = Split(x) axis=2 num_outputs=2", 17, "before opset 18 parts without given sizes are equal"),
        ("y = Pad(x, p) mode=\"wrap\"", 18, "mode \"wrap\" came with opset 19"),
        ("y = Slice(x, p, p, _, p)", 9, "steps came with opset 10"),
        ("y = Gemm(x, x)", 10, "before opset 11 the third operand is not optional"),
        ("y = Equal(x, x)", 10, "its elements of type FLOAT32 came with opset 11"),
        ("y = unknown \"\" \"Thing\"(x)", 21, "it is not in the operator table, its attributes are not kept"),
        (
            "h = Sqrt(x)\ny = Concat(h, h) axis=-1",
            10,
            "before opset 11 axes are not negative, and the operand has no declared shape",
        ),
    ] {
        let text = format!("{x}s = const f32[3] {{1, 1, 2}}\np = const i64[1] {{2}}\n{line}\noutput y\n");
        let error = refusal(&text, opset);
        assert!(error.ends_with(reason), "{error}");
    }
    let error = refusal(x, 8);
    assert_eq!(error, "graph \"\" cannot be written at opset 8: only opsets 9 to 25 are written");
}

#[test]
fn negative_axes_count_from_the_front_in_old_files() {
    let text = "x = input f32[1,2,5]\na = const i64[2] {-1, 0}\ny = ReduceSum(x, a)\nu = Unsqueeze(x, a)\n\
                c = Concat(x, x) axis=-2\noutput y\noutput u\noutput c\n";
    let old = text::print(&read_back(&text::parse(text).unwrap(), 9));
    assert_eq!(
        old,
        "graph \"graph\"\nx = input f32[1,2,5]\ny.axes = const i64[2] {2, 0}\nu.axes = const i64[2] {4, 0}\n\
         y = ReduceSum(x, y.axes)\nu = Unsqueeze(x, u.axes)\nc = Concat(x, x) axis=1\n\
         output y\noutput u\noutput c\n"
    );
}

#[test]
fn the_axis_of_a_one_hot_counts_in_its_result() {
    let text = "i = input i64[3]\nd = const i64[] {4}\nv = const f32[2] {0, 1}\ny = OneHot(i, d, v) axis=-2\noutput y\n";
    let old = text::print(&read_back(&text::parse(text).unwrap(), 9));
    assert!(old.contains("y = OneHot(i, d, v) axis=0\n"), "{old}");
}
