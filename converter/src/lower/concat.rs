//! Lowers Concat and Split along whatever place their axis has in the order held.
//!
//! Unequal parts are SLICEs when float16 is asked for: SPLIT_V has no float16 kernel.

use super::context::Context;
use super::conv::short;
use super::perm::Perm;
use crate::infer::{Operand, axis, split_sizes};
use crate::layout::choose;
use crate::target::TensorId;
use halfproof_ir::{DType, Node, Op, ValueId};
use halfproof_wire::tflite::{Activation, Builtin, options};

pub(super) fn lower(cx: &mut Context<'_>, index: usize) -> Result<(), String> {
    let node = &cx.graph.nodes[index];
    match &node.op {
        Op::Concat(c) => concat(cx, index, c.axis),
        Op::Split(s) => split(cx, index, s.axis, s.num_outputs),
        other => Err(format!("{} neither joins nor splits", other.name())),
    }
}

fn concat(cx: &mut Context<'_>, index: usize, at: i64) -> Result<(), String> {
    let node = &cx.graph.nodes[index];
    let y = cx.output(node)?;
    let operands: Vec<ValueId> =
        (0..node.inputs.len()).map(|i| cx.input(node, i)).collect::<Result<_, _>>()?;
    let ty = cx.ty(y)?.clone();
    if matches!(ty.dtype, DType::U16 | DType::U64) {
        return Err(format!("TFLite CONCATENATION has no {} kernel", ty.dtype));
    }
    let at = axis(at, ty.rank())?;
    let parts: Vec<ValueId> =
        operands.into_iter().filter(|&v| cx.ty(v).is_ok_and(|t| !t.is_empty())).collect();
    if let [one] = parts[..] {
        return cx.alias_transposed(y, one, &Perm::identity(ty.rank()));
    }
    let order = choose(cx, &parts, y, ty.rank());
    let tensors: Vec<TensorId> = parts.iter().map(|&v| cx.ordered(v, &order)).collect::<Result<_, _>>()?;
    let options = options::Concatenation {
        axis: short(order.position(at)),
        fused_activation_function: Activation::None,
    };
    let out = cx.emit(Builtin::Concatenation, &tensors, options, order.apply(&ty.shape));
    cx.bind(y, out, order);
    Ok(())
}

fn split(cx: &mut Context<'_>, index: usize, at: i64, parts: Option<i64>) -> Result<(), String> {
    let node = &cx.graph.nodes[index];
    let x = cx.input(node, 0)?;
    let ty = cx.ty(x)?.clone();
    let at = axis(at, ty.rank())?;
    let sizes = match cx.optional(node, 1) {
        Some(v) => {
            let sizes_ty = cx.ty(v)?.clone();
            let operand = Operand { ty: &sizes_ty, constant: cx.constant(v) };
            split_sizes(ty.shape[at], Some(operand), parts, node.outputs.len())?
        }
        None => split_sizes(ty.shape[at], None, parts, node.outputs.len())?,
    };
    let first = node.outputs.iter().copied().flatten().next().ok_or("it has no result")?;
    let order = choose(cx, &[x], first, ty.rank());
    if let [_] = sizes[..] {
        return cx.alias_transposed(first, x, &Perm::identity(ty.rank()));
    }
    let tensor = cx.ordered(x, &order)?;
    let place = order.position(at);
    let extents = cx.extents(tensor);
    let part = |n: usize| {
        let mut shape = extents.clone();
        shape[place] = n;
        shape
    };
    let split_type =
        ty.dtype.is_float() || matches!(ty.dtype, DType::U8 | DType::I8 | DType::I16 | DType::I32);
    let equal = sizes.iter().all(|&s| s == sizes[0]);
    let split_v_type = split_type || ty.dtype == DType::I64;
    let axis = cx.int(short(place));
    let outputs: Vec<Option<TensorId>> = if sizes.contains(&0) {
        slices(cx, node, tensor, place, &sizes)
    } else if equal && split_type {
        let tensors: Vec<TensorId> = sizes.iter().map(|&n| cx.tensor(part(n), ty.dtype)).collect();
        let options = options::Split { num_splits: short(sizes.len()) };
        cx.add(Builtin::Split, vec![Some(axis), Some(tensor)], tensors.clone(), options);
        tensors.into_iter().map(Some).collect()
    } else if split_v_type && !cx.half {
        let tensors: Vec<TensorId> = sizes.iter().map(|&n| cx.tensor(part(n), ty.dtype)).collect();
        let lengths: Vec<i32> = sizes.iter().map(|&n| short(n)).collect();
        let lengths = cx.ints(&lengths);
        let options = options::SplitV { num_splits: short(sizes.len()) };
        cx.add(Builtin::SplitV, vec![Some(tensor), Some(lengths), Some(axis)], tensors.clone(), options);
        tensors.into_iter().map(Some).collect()
    } else {
        slices(cx, node, tensor, place, &sizes)
    };
    for (id, tensor) in node.outputs.iter().zip(outputs) {
        if let (Some(id), Some(tensor)) = (id, tensor) {
            cx.bind(*id, tensor, order);
        }
    }
    Ok(())
}

/// The parts that somebody may read, each as a SLICE; parts without elements are not made.
fn slices(
    cx: &mut Context<'_>,
    node: &Node,
    tensor: TensorId,
    place: usize,
    sizes: &[usize],
) -> Vec<Option<TensorId>> {
    let mut from = 0;
    let mut tensors = Vec::with_capacity(sizes.len());
    for (i, &n) in sizes.iter().enumerate() {
        let wanted = n > 0 && node.outputs.get(i).copied().flatten().is_some();
        tensors.push(wanted.then(|| slice_axis(cx, tensor, place, from, n)));
        from += n;
    }
    tensors
}

/// `len` elements along one axis of a tensor.
pub(super) fn slice_axis(
    cx: &mut Context<'_>,
    tensor: TensorId,
    place: usize,
    from: usize,
    len: usize,
) -> TensorId {
    let mut shape = cx.extents(tensor);
    if from == 0 && len == shape[place] {
        return tensor;
    }
    shape[place] = len;
    let begin: Vec<i32> = (0..shape.len()).map(|i| if i == place { short(from) } else { 0 }).collect();
    let size: Vec<i32> = shape.iter().map(|&d| short(d)).collect();
    let (begin, size) = (cx.ints(&begin), cx.ints(&size));
    cx.emit(Builtin::Slice, &[tensor, begin, size], options::Slice {}, shape)
}
