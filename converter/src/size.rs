//! What is too large to be evaluated, told from shapes before anything is allocated.
//!
//! Conversion moves no elements and takes what the format can say. Evaluation holds every tensor of a model at once, in f64,
//! often with bounds beside it, so that its limit is much lower. Constants are no matter of it: their elements are in the
//! file already.

use crate::fold::fold;
use crate::infer::{self, Operand, Type};
use halfproof_ir::Graph;
use halfproof_wire::tflite::{Builtin, Model, OpCode, SubGraph};

/// Most elements of an input that is made up, or of any result that is evaluated: 256 MB in f64. An image of 3840 by 2160
/// pixels in three channels has fewer.
pub const MOST_ELEMENTS: usize = 1 << 25;

/// A tensor of a model that is too large to be evaluated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "tensor \"{tensor}\" of shape {shape:?} is too large to be evaluated: the limit is {MOST_ELEMENTS} elements \
     (see docs/limits.md)"
)]
pub struct Oversized {
    /// Its name.
    pub tensor: String,
    /// Its shape.
    pub shape: Vec<usize>,
}

/// True when a tensor of that shape is one that may be evaluated. Extents of 0 count as 1, so that no order of multiplying
/// them overflows.
pub fn is_evaluable(shape: &[usize]) -> bool {
    let count = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d.max(1)));
    count.is_some_and(|n| n <= MOST_ELEMENTS)
}

/// Looks at the inputs of a graph and at every result whose shape can be told.
///
/// # Errors
/// The first tensor that is too large, in graph order.
pub fn graph(graph: &Graph) -> Result<(), Oversized> {
    for &id in &graph.inputs {
        let value = graph.value(id);
        evaluable(&value.name, &value.static_shape().unwrap_or_default())?;
    }
    let folded = fold(graph);
    let mut types: Vec<Option<Type>> = vec![None; folded.values.len()];
    let inputs = folded.inputs.iter().map(|&id| (id, folded.value(id)));
    for (id, value) in inputs {
        types[id.index()] =
            value.dtype.zip(value.static_shape()).map(|(dtype, shape)| Type::new(dtype, shape));
    }
    for (value, ty) in folded.values.iter().zip(&mut types) {
        if let Some(t) = &value.constant {
            *ty = Some(Type::new(value.dtype.unwrap_or(t.dtype()), t.shape.clone()));
        }
    }
    for node in &folded.nodes {
        let operand = |id: &Option<_>| match id {
            None => Some(None),
            Some(id) => {
                let ty = types.get(halfproof_ir::ValueId::index(*id))?.as_ref()?;
                Some(Some(Operand { ty, constant: folded.constant(*id) }))
            }
        };
        let Some(operands) = node.inputs.iter().map(operand).collect::<Option<Vec<_>>>() else { continue };
        // What has no shape here has none for the evaluation either, or one that it computes and limits by itself.
        let Ok(found) = infer::unlimited(&node.op, &operands, node.outputs.len()) else { continue };
        for (id, ty) in node.outputs.iter().zip(found) {
            evaluable(id.map_or(&node.name, |id| &folded.value(id).name), &ty.shape)?;
            if let Some(id) = id {
                types[id.index()] = Some(ty);
            }
        }
    }
    Ok(())
}

/// Looks at every tensor of a .tflite that is no constant.
///
/// # Errors
/// The first tensor that is too large, in the order of the file.
pub fn model(model: &Model) -> Result<(), Oversized> {
    for graph in &model.subgraphs {
        let widened = widened(graph);
        for (i, tensor) in graph.tensors.iter().enumerate() {
            if model.data(tensor).is_none() && !widened.contains(&i) {
                let shape: Vec<usize> =
                    tensor.shape.iter().map(|&d| usize::try_from(d).unwrap_or(0)).collect();
                evaluable(&tensor.name, &shape)?;
            }
        }
    }
    Ok(())
}

/// Tensors that a DEQUANTIZE writes: constants in another type.
fn widened(graph: &SubGraph) -> Vec<usize> {
    let dequantize = |code: &OpCode| *code == OpCode::Builtin(Builtin::Dequantize);
    let written = graph.operators.iter().filter(|op| dequantize(&op.code)).flat_map(|op| &op.outputs);
    written.filter_map(|&t| usize::try_from(t).ok()).collect()
}

fn evaluable(tensor: &str, shape: &[usize]) -> Result<(), Oversized> {
    if is_evaluable(shape) {
        return Ok(());
    }
    Err(Oversized { tensor: tensor.to_string(), shape: shape.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use halfproof_ir::text;
    use halfproof_wire::tflite;

    fn oversized(source: &str) -> Option<String> {
        let parsed = text::parse(source).expect("a graph");
        graph(&parsed).err().map(|o| o.tensor)
    }

    #[test]
    fn inputs_are_held_to_the_limit_whatever_their_product_is() {
        let relu = |shape: &str| oversized(&format!("x = input f32[{shape}]\ny = Relu(x)\noutput y"));
        assert_eq!(relu("33554432"), None);
        assert_eq!(relu("33554433"), Some("x".into()));
        assert_eq!(relu("1099511627776"), Some("x".into()));
        assert_eq!(relu("2147483648,2147483648,2147483648"), Some("x".into()));
        assert_eq!(relu("4294967296,0,4294967296"), Some("x".into()));
    }

    #[test]
    fn results_are_held_to_the_limit_also_behind_folded_shapes() {
        let expand = oversized(
            "x = input f32[1]
            rows = const i64[1] {1048576}
            both = Concat(rows, rows) axis=0
            y = Expand(x, both)
            z = ReduceSum(y)
            output z",
        );
        assert_eq!(expand, Some("y".into()));
        let tile = oversized(
            "x = input f32[1,8192]
            times = const i64[2] {8192,1}
            a = Tile(x, times)
            y = Relu(a)
            output y",
        );
        assert_eq!(tile, Some("a".into()));
    }

    #[test]
    fn constants_may_be_larger_because_they_are_there_already() {
        // As weights of models that are published without them are made.
        let filled = oversized(
            "x = input f32[1,64]
            shape = const i64[2] {64,1048576}
            w = ConstantOfShape(shape)
            y = MatMul(x, w)
            output y",
        );
        assert_eq!(filled, None);
    }

    #[test]
    fn tensors_of_a_tflite_are_held_to_the_same_limit() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/wire/tests/data/plain.tflite");
        let mut file = tflite::read(&std::fs::read(path).expect("a file")).expect("a model");
        assert_eq!(model(&file), Ok(()));
        let input = file.main().inputs[0].unsigned_abs() as usize;
        file.subgraphs[0].tensors[input].shape = vec![i32::MAX; 3];
        let name = file.main().tensors[input].name.clone();
        assert_eq!(model(&file).err().map(|o| o.tensor), Some(name));
    }
}
