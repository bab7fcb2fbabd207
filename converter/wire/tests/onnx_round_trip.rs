//! What is written is read back: every operator at the canonical opset, and in its older forms.
#![allow(clippy::unwrap_used, reason = "tests")]

use halfproof_ir::ops::*;
use halfproof_ir::{DType, Graph, Op, Tensor, ValueId};
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
