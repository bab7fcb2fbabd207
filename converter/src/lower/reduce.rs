//! Lowers reductions over given axes, in whatever order their operand is held.

use super::binary::{add, sub};
use super::context::Context;
use super::perm::Perm;
use crate::infer::{Operand, axis, reduced_axes, reduction};
use crate::layout::choose;
use crate::target::TensorId;
use halfproof_ir::{DType, Data, Op, Role, ValueId};
use halfproof_wire::tflite::{Activation, Builtin, Options, TensorType, options};

pub(super) fn lower(cx: &mut Context<'_>, index: usize) -> Result<(), String> {
    let node = &cx.graph.nodes[index];
    match &node.op {
        Op::ArgMax(a) => return arg(cx, index, Builtin::ArgMax, a.axis, a.select_last_index),
        Op::CumSum(c) => return cum_sum(cx, index, c.exclusive, c.reverse),
        Op::TopK(t) => return top_k(cx, index, t.axis, t.largest),
        Op::ArgMin(a) => return arg(cx, index, Builtin::ArgMin, a.axis, a.select_last_index),
        _ => {}
    }
    let (x, y) = (cx.input(node, 0)?, cx.output(node)?);
    let (keep, noop) = reduction(&node.op).ok_or("it is no reduction")?;
    let ty = cx.ty(x)?.clone();
    let given = match cx.optional(node, 1) {
        Some(v) => {
            let ty = cx.ty(v)?.clone();
            let constant = cx.constant(v);
            reduced_axes(cx.ty(x)?.rank(), Some(Operand { ty: &ty, constant }), noop)?
        }
        None => reduced_axes(ty.rank(), None, noop)?,
    };
    if !ty.dtype.is_float() {
        let plain =
            matches!(node.op, Op::ReduceSum(_) | Op::ReduceMax(_) | Op::ReduceMin(_) | Op::ReduceProd(_));
        if !plain || !matches!(ty.dtype, DType::I32 | DType::I64) {
            return Err(format!("{} of {} has no TFLite kernel", node.op.name(), ty.dtype));
        }
    }
    let op = node.op.clone();
    let order = choose(cx, &[x], y, ty.rank());
    // Any order will do when axes are dropped: the result is renamed below.
    let order = if keep { order } else { held_order(cx, x).unwrap_or(order) };
    let (tensor, axes) = {
        let tensor = cx.ordered(x, &order)?;
        let mut axes: Vec<usize> = given.iter().map(|&a| order.position(a)).collect();
        axes.sort_unstable();
        (tensor, axes)
    };
    let out = formula(cx, &op, tensor, &axes, keep)?;
    bind_reduced(cx, y, out, &order, &given, keep)
}

/// The order in which a value is held first.
pub(super) fn held_order(cx: &Context<'_>, x: ValueId) -> Option<Perm> {
    let rank = cx.ty(x).ok()?.rank();
    cx.carriers(x).first().map(|c| c.perm).filter(|p| p.rank() == rank)
}

/// Binds a reduced tensor: with kept axes the order stays, else the axes that are left are renamed.
pub(super) fn bind_reduced(
    cx: &mut Context<'_>,
    y: ValueId,
    tensor: TensorId,
    order: &Perm,
    reduced: &[usize],
    keep: bool,
) -> Result<(), String> {
    if keep {
        cx.bind(y, tensor, *order);
        return Ok(());
    }
    let left: Vec<usize> = (0..order.rank()).filter(|a| !reduced.contains(a)).collect();
    let renamed = order.axes().filter_map(|a| left.iter().position(|&l| l == a));
    let renamed = Perm::new(renamed);
    cx.bind(y, tensor, renamed);
    Ok(())
}

fn formula(
    cx: &mut Context<'_>,
    op: &Op,
    x: TensorId,
    axes: &[usize],
    keep: bool,
) -> Result<TensorId, String> {
    let square = |cx: &mut Context<'_>, t| cx.map(Builtin::Square, t, options::Square {});
    if axes.is_empty()
        && matches!(
            op,
            Op::ReduceSum(_) | Op::ReduceMean(_) | Op::ReduceMax(_) | Op::ReduceMin(_) | Op::ReduceProd(_)
        )
    {
        return Ok(x);
    }
    Ok(match op {
        Op::ReduceSum(_) => reduce(cx, Builtin::Sum, x, axes, keep),
        Op::ReduceMean(_) => reduce(cx, Builtin::Mean, x, axes, keep),
        Op::ReduceMax(_) => reduce(cx, Builtin::ReduceMax, x, axes, keep),
        Op::ReduceMin(_) => reduce(cx, Builtin::ReduceMin, x, axes, keep),
        Op::ReduceProd(_) => reduce(cx, Builtin::ReduceProd, x, axes, keep),
        Op::ReduceL1(_) => {
            let size = cx.map(Builtin::Abs, x, options::Abs {});
            reduce(cx, Builtin::Sum, size, axes, keep)
        }
        Op::ReduceL2(_) => {
            let s = square(cx, x);
            let sum = reduce(cx, Builtin::Sum, s, axes, keep);
            cx.map(Builtin::Sqrt, sum, Options::None)
        }
        Op::ReduceSumSquare(_) => {
            let s = square(cx, x);
            reduce(cx, Builtin::Sum, s, axes, keep)
        }
        Op::ReduceLogSum(_) => {
            let sum = reduce(cx, Builtin::Sum, x, axes, keep);
            cx.map(Builtin::Log, sum, Options::None)
        }
        Op::ReduceLogSumExp(_) => {
            // max + log(sum(exp(x - max))), so that exp cannot overflow.
            let most = reduce(cx, Builtin::ReduceMax, x, axes, true);
            let most = finite_or_zero(cx, most);
            let shape = cx.extents(x);
            let shifted = cx.emit(Builtin::Sub, &[x, most], sub(Activation::None), shape);
            let e = cx.map(Builtin::Exp, shifted, options::Exp {});
            let sum = reduce(cx, Builtin::Sum, e, axes, keep);
            let log = cx.map(Builtin::Log, sum, Options::None);
            let shape = cx.extents(log);
            let most = cx.reshape(most, &shape);
            cx.emit(Builtin::Add, &[log, most], add(Activation::None), shape)
        }
        other => return Err(format!("{} is no reduction", other.name())),
    })
}

/// 0 in the place of infinities: nothing can be shifted by those, for inf - inf is NaN.
fn finite_or_zero(cx: &mut Context<'_>, x: TensorId) -> TensorId {
    let shape = cx.extents(x);
    let size = cx.map(Builtin::Abs, x, options::Abs {});
    let (zero, infinity) = (cx.float(0.0, Role::Plain), cx.float(f64::INFINITY, Role::Plain));
    let infinite =
        cx.emit_as(Builtin::Equal, &[size, infinity], options::Equal {}, shape.clone(), DType::Bool);
    cx.emit_as(Builtin::SelectV2, &[infinite, zero, x], options::SelectV2 {}, shape, DType::F32)
}

/// One reducing operator over sorted axes of the tensor itself; the tensor itself for none.
pub(super) fn reduce(
    cx: &mut Context<'_>,
    builtin: Builtin,
    x: TensorId,
    axes: &[usize],
    keep_dims: bool,
) -> TensorId {
    if axes.is_empty() {
        return x;
    }
    let shape: Vec<usize> = cx
        .extents(x)
        .iter()
        .enumerate()
        .filter(|(i, _)| keep_dims || !axes.contains(i))
        .map(|(i, &d)| if axes.contains(&i) { 1 } else { d })
        .collect();
    let list: Vec<i32> = axes.iter().map(|&a| i32::try_from(a).unwrap_or(0)).collect();
    let list = cx.ints(&list);
    cx.emit(builtin, &[x, list], options::Reducer { keep_dims }, shape)
}

/// ARG_MAX and ARG_MIN take the first of equal elements; the last is the first of the reversed tensor.
fn arg(cx: &mut Context<'_>, index: usize, builtin: Builtin, at: i64, last: bool) -> Result<(), String> {
    let node = &cx.graph.nodes[index];
    let (x, y) = (cx.input(node, 0)?, cx.output(node)?);
    let ty = cx.ty(x)?.clone();
    if !ty.dtype.is_float() && !matches!(ty.dtype, DType::U8 | DType::I8 | DType::I32) {
        return Err(format!("TFLite {builtin} has no {} kernel", ty.dtype));
    }
    let at = axis(at, ty.rank())?;
    cx.settle(x)?;
    let order = held_order(cx, x).unwrap_or_else(|| Perm::identity(ty.rank()));
    let mut tensor = cx.ordered(x, &order)?;
    let place = order.position(at);
    let place_tensor = cx.int(i32::try_from(place).unwrap_or(0));
    if last {
        let axes = cx.ints(&[i32::try_from(place).unwrap_or(0)]);
        let shape = cx.extents(tensor);
        tensor = cx.emit(Builtin::ReverseV2, &[tensor, axes], options::ReverseV2 {}, shape);
    }
    let mut shape = cx.extents(tensor);
    shape.remove(place);
    let options: Options = match builtin {
        Builtin::ArgMax => options::ArgMax { output_type: TensorType::Int64 }.into(),
        _ => options::ArgMin { output_type: TensorType::Int64 }.into(),
    };
    let mut out = cx.emit_as(builtin, &[tensor, place_tensor], options, shape.clone(), DType::I64);
    if last {
        let top = i64::try_from(ty.shape[at]).unwrap_or(i64::MAX) - 1;
        let data = crate::target::Constant::Stored(std::sync::Arc::new(halfproof_ir::Data::I64(vec![top])));
        let top = cx.literal(vec![], DType::I64, data, Role::Plain);
        out = cx.emit(Builtin::Sub, &[top, out], sub(Activation::None), shape);
    }
    // Kept or not, the axis has extent 1 in the result: the elements are the same.
    let keep = cx.ty(y)?.rank() == ty.rank();
    let renamed = if keep {
        order
    } else {
        Perm::new(order.axes().filter(|&a| a != at).map(|a| if a > at { a - 1 } else { a }))
    };
    cx.bind(y, out, renamed);
    Ok(())
}

/// CUMSUM works along any axis.
fn cum_sum(cx: &mut Context<'_>, index: usize, exclusive: bool, reverse: bool) -> Result<(), String> {
    let node = &cx.graph.nodes[index];
    let (x, y) = (cx.input(node, 0)?, cx.output(node)?);
    let ty = cx.ty(x)?.clone();
    if !ty.dtype.is_float() && !matches!(ty.dtype, DType::I32 | DType::I64) {
        return Err(format!("TFLite CUMSUM has no {} kernel", ty.dtype));
    }
    let given = cx.constant(cx.input(node, 1)?).and_then(|t| t.integers()).unwrap_or_default();
    let &[at] = &given[..] else { return Err("axis is not one constant number".into()) };
    let at = axis(at, ty.rank())?;
    let order = choose(cx, &[x], y, ty.rank());
    let tensor = cx.ordered(x, &order)?;
    let place = cx.int(i32::try_from(order.position(at)).unwrap_or(0));
    let shape = cx.extents(tensor);
    let out = cx.emit(Builtin::Cumsum, &[tensor, place], options::Cumsum { exclusive, reverse }, shape);
    cx.bind(y, out, order);
    Ok(())
}

/// TOPK_V2 finds the largest along the last axis. The smallest are the largest of the negated elements; integers are taken
/// from -1 instead, which turns the order around without overflow.
fn top_k(cx: &mut Context<'_>, index: usize, at: i64, largest: bool) -> Result<(), String> {
    let node = &cx.graph.nodes[index];
    let x = cx.input(node, 0)?;
    let ty = cx.ty(x)?.clone();
    let kernels = if largest { &[DType::I8, DType::I32, DType::I64][..] } else { &[DType::I32, DType::I64] };
    if !ty.dtype.is_float() && !kernels.contains(&ty.dtype) {
        return Err(format!("TFLite TOPK_V2 has no {} kernel", ty.dtype));
    }
    let at = axis(at, ty.rank())?;
    let results: Vec<Option<ValueId>> = node.outputs.clone();
    let result = results.iter().flatten().next().copied().ok_or("it has no result")?;
    let k = cx.ty(result)?.shape[at];
    let order = Perm::new((0..ty.rank()).filter(|&a| a != at).chain([at]));
    let mut tensor = cx.ordered(x, &order)?;
    let turn = |cx: &mut Context<'_>, t: TensorId| {
        if ty.dtype.is_float() {
            return cx.map(Builtin::Neg, t, options::Neg {});
        }
        let data = if ty.dtype == DType::I32 { Data::I32(vec![-1]) } else { Data::I64(vec![-1]) };
        let data = crate::target::Constant::Stored(std::sync::Arc::new(data));
        let minus_one = cx.literal(vec![], ty.dtype, data, Role::Plain);
        let shape = cx.extents(t);
        cx.emit(Builtin::Sub, &[minus_one, t], sub(Activation::None), shape)
    };
    if !largest {
        tensor = turn(cx, tensor);
    }
    let mut shape = cx.extents(tensor);
    if let Some(last) = shape.last_mut() {
        *last = k;
    }
    let count = cx.int(i32::try_from(k).unwrap_or(0));
    let mut values = cx.tensor(shape.clone(), ty.dtype);
    let indices = cx.tensor(shape, DType::I32);
    cx.add(Builtin::TopkV2, vec![Some(tensor), Some(count)], vec![values, indices], options::TopKV2 {});
    if let Some(y) = results.first().copied().flatten() {
        if !largest {
            values = turn(cx, values);
        }
        cx.bind(y, values, order);
    }
    if let Some(i) = results.get(1).copied().flatten() {
        let indices = super::cast::cast(cx, indices, DType::I64)?;
        cx.bind(i, indices, order);
    }
    Ok(())
}
