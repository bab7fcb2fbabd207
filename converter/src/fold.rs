//! Computes what a source graph says about constants and static shapes, so that lowering sees them as constants.
//!
//! A node is folded when all its operands are constant, when it asks for a shape that is known, or when its results have no
//! elements. Floats are
//! computed in f64 and stay there: a folded constant has `Data::F64` elements whatever type it is declared to have,
//! and is rounded only once, when the file is written. Integers that would wrap, divide by zero or not fit their
//! type are left unfolded, and so is what would make the model much larger than its source or take long.
//!
//! Source: the ONNX operator specification, newest opset.

mod arith;
mod matmul;
mod reduce;
mod shape;
mod strided;

use crate::infer::{self, Operand, Type};
use halfproof_ir::{DType, Data, Dim, Graph, Node, Op, Tensor};
use std::sync::Arc;

/// A fold that yields at most this many elements more than it consumes is always worth it.
const FREE_GROWTH: usize = 1 << 18;
/// All folds of a graph together may add this many elements, or as many as the source has, if that is more.
const TOTAL_GROWTH: usize = 1 << 20;
/// A ConstantOfShape may fill this many elements: weights of models that are published without them are made so.
const MOST_FILLED: usize = 1 << 27;
/// Most multiplications for one folded product.
const MOST_PRODUCTS: usize = 1 << 27;

/// Folds a graph and drops the nodes that nothing needs any more.
///
/// Values keep their ids; what no longer has a definition is read by nobody. Nodes that cannot be evaluated, also
/// because they are malformed, stay as they are for others to refuse.
pub fn fold(graph: &Graph) -> Graph {
    let mut folder = Folder::new(graph);
    let mut folded = vec![false; graph.nodes.len()];
    for (node, folded) in graph.nodes.iter().zip(&mut folded) {
        *folded = folder.node(node);
    }
    let mut out = folder.graph;
    let mut needed = vec![false; out.values.len()];
    for &id in &out.outputs {
        needed[id.index()] = true;
    }
    for (node, folded) in graph.nodes.iter().zip(&mut folded).rev() {
        let live = !*folded && node.outputs.iter().flatten().any(|id| needed[id.index()]);
        *folded = !live;
        if live {
            for id in node.inputs.iter().flatten() {
                needed[id.index()] = true;
            }
        }
    }
    out.nodes = graph.nodes.iter().zip(&folded).filter(|(_, gone)| !**gone).map(|(n, _)| n.clone()).collect();
    for (value, needed) in out.values.iter_mut().zip(needed) {
        if !needed {
            value.constant = None;
        }
    }
    out
}

struct Folder {
    /// The source without its nodes; constants are added as they are found.
    graph: Graph,
    /// What is known of each value.
    types: Vec<Option<Type>>,
    /// Elements that folds may still add.
    growth: usize,
}

impl Folder {
    fn new(graph: &Graph) -> Folder {
        let out = Graph {
            name: graph.name.clone(),
            values: graph.values.clone(),
            nodes: Vec::new(),
            inputs: graph.inputs.clone(),
            outputs: graph.outputs.clone(),
        };
        let mut types = vec![None; graph.values.len()];
        let mut elements = 0;
        for (value, ty) in graph.values.iter().zip(&mut types) {
            if let Some(t) = &value.constant {
                elements += t.len();
                *ty = Some(Type::new(value.dtype.unwrap_or(t.dtype()), t.shape.clone()));
            }
        }
        for &id in &graph.inputs {
            let value = graph.value(id);
            // Inputs of a size whose arithmetic overflows are left to inference to refuse.
            let shape = value.static_shape().filter(|shape| infer::representable(shape).is_ok());
            if let (Some(dtype), Some(shape)) = (value.dtype, shape) {
                types[id.index()] = Some(Type::new(dtype, shape));
            }
        }
        Folder { graph: out, types, growth: elements.max(TOTAL_GROWTH) }
    }

    /// Learns the types of a node's results, and their elements if it can; true when all that is asked for is known.
    fn node(&mut self, node: &Node) -> bool {
        let Some((types, values)) = self.evaluate(node) else { return false };
        let mut values = values.map(Vec::into_iter);
        for (id, ty) in node.outputs.iter().zip(types) {
            let value = values.as_mut().and_then(Iterator::next);
            let Some(id) = id else { continue };
            if let Some(data) = value {
                let slot = &mut self.graph.values[id.index()];
                slot.dtype = Some(ty.dtype);
                slot.shape = Some(ty.shape.iter().map(|&d| Dim::Fixed(d)).collect());
                slot.constant = Some(Arc::new(Tensor::new(ty.shape.clone(), data)));
            }
            self.types[id.index()] = Some(ty);
        }
        values.is_some()
    }

    fn evaluate(&mut self, node: &Node) -> Option<(Vec<Type>, Option<Vec<Data>>)> {
        let mut operands = Vec::with_capacity(node.inputs.len());
        let mut constants = 0;
        for input in &node.inputs {
            operands.push(match input {
                None => None,
                Some(id) => {
                    let constant = self.graph.constant(*id);
                    constants += usize::from(constant.is_some());
                    Some(Operand { ty: self.types[id.index()].as_ref()?, constant })
                }
            });
        }
        let types = infer::results(&node.op, &operands, node.outputs.len()).ok()?;
        if let Some(shape) = asked_shape(&node.op, &operands) {
            return Some((types, Some(vec![shape])));
        }
        if !types.is_empty() && types.iter().all(Type::is_empty) {
            // Whatever it computes, there is nothing of it.
            return Some((types.clone(), Some(types.iter().map(|t| nothing(t.dtype)).collect())));
        }
        if constants == 0 || constants < operands.iter().flatten().count() {
            return Some((types, None));
        }
        let consumed: usize = operands.iter().flatten().map(|o| o.ty.len()).sum();
        let produced: usize = types.iter().map(Type::len).sum();
        let filled = matches!(node.op, Op::ConstantOfShape(_)) && produced <= MOST_FILLED;
        let growth = if filled { 0 } else { produced.saturating_sub(consumed) };
        let bomb = produced > consumed.saturating_mul(4).max(FREE_GROWTH) || growth > self.growth;
        if bomb && !filled {
            return Some((types, None));
        }
        let values = constant(&node.op, &operands, &types);
        if values.is_some() {
            self.growth -= growth;
        }
        Some((types, values))
    }
}

/// Shape and Size need only the type of their operand.
fn asked_shape(op: &Op, operands: &[Option<Operand<'_>>]) -> Option<Data> {
    let shape = &operands.first().copied().flatten()?.ty.shape;
    let extents = |part: &[usize]| Data::I64(part.iter().map(|&d| d.cast_signed() as i64).collect());
    match op {
        Op::Shape(s) => {
            let rank = shape.len().cast_signed() as i64;
            let clamp =
                |i: i64| usize::try_from((if i < 0 { i + rank } else { i }).clamp(0, rank)).unwrap_or(0);
            let (start, end) = (clamp(s.start), clamp(s.end.unwrap_or(rank)));
            Some(extents(shape.get(start..end).unwrap_or_default()))
        }
        Op::Size => Some(extents(&[shape.iter().product()])),
        _ => None,
    }
}

/// Evaluates a node whose operands are all constant; `None` for what is not folded.
fn constant(op: &Op, operands: &[Option<Operand<'_>>], types: &[Type]) -> Option<Vec<Data>> {
    let inputs: Vec<Option<&Tensor>> = operands.iter().map(|o| o.and_then(|o| o.constant)).collect();
    let result = types.first()?;
    if let Some(moved) = shape::evaluate(op, operands, types) {
        return Some(moved);
    }
    let one = match op {
        Op::MatMul => matmul::matmul(inputs[0]?, inputs[1]?, result),
        Op::Gemm(gemm) => {
            matmul::gemm(gemm, inputs[0]?, inputs[1]?, inputs.get(2).copied().flatten(), result)
        }
        _ => match infer::reduction(op) {
            Some(_) => reduce::evaluate(op, operands, result),
            None => arith::evaluate(op, &inputs, operands.first().copied().flatten()?.ty.dtype, result),
        },
    };
    one.map(|data| vec![data])
}

/// No elements of a type.
fn nothing(dtype: DType) -> Data {
    integers(dtype, Vec::new()).unwrap_or_else(|| Data::F64(Vec::new()))
}

/// Integer elements in the type that the graph declares; `None` when one does not fit.
pub(crate) fn integers(dtype: DType, elements: Vec<i64>) -> Option<Data> {
    fn fit<T: TryFrom<i64>>(elements: &[i64]) -> Option<Vec<T>> {
        elements.iter().map(|&x| T::try_from(x).ok()).collect()
    }
    Some(match dtype {
        DType::I64 => Data::I64(elements),
        DType::I32 => Data::I32(fit(&elements)?),
        DType::I16 => Data::I16(fit(&elements)?),
        DType::I8 => Data::I8(fit(&elements)?),
        DType::U64 => Data::U64(fit(&elements)?),
        DType::U32 => Data::U32(fit(&elements)?),
        DType::U16 => Data::U16(fit(&elements)?),
        DType::U8 => Data::U8(fit(&elements)?),
        DType::Bool => Data::Bool(elements.iter().map(|&x| x != 0).collect()),
        DType::F16 | DType::F32 | DType::F64 => return None,
    })
}

#[cfg(test)]
mod tests;
