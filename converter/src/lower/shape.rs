//! Lowers operators that change shapes only. None of them moves an element: they say how a tensor that is already
//! there can be read. Expand and Tile repeat elements.

use super::context::Context;
use super::perm::Perm;
use crate::layout::choose;
use crate::target::Constant;
use halfproof_ir::{DType, Data, Op, Role};
use halfproof_wire::tflite::{Builtin, options};
use std::sync::Arc;

pub(super) fn lower(cx: &mut Context<'_>, index: usize) -> Result<(), String> {
    let node = &cx.graph.nodes[index];
    let (x, y) = (cx.input(node, 0)?, cx.output(node)?);
    match &node.op {
        Op::Identity => cx.alias_transposed(y, x, &Perm::identity(cx.ty(x)?.rank())),
        Op::Reshape(_) | Op::Flatten(_) | Op::Squeeze | Op::Unsqueeze => cx.alias_reshaped(y, x),
        Op::Expand => expand(cx, index),
        Op::Tile => tile(cx, index),
        Op::Shape(s) => {
            let shape = cx.shape(x)?;
            let rank = shape.len().cast_signed() as i64;
            let clamp =
                |i: i64| usize::try_from((if i < 0 { i + rank } else { i }).clamp(0, rank)).unwrap_or(0);
            let (start, end) = (clamp(s.start), clamp(s.end.unwrap_or(rank)));
            let dims = shape[start..end.max(start)].iter().map(|&d| d.cast_signed() as i64).collect();
            whole(cx, index, dims)
        }
        Op::Size => {
            let count = cx.ty(x)?.len().cast_signed() as i64;
            whole(cx, index, vec![count])
        }
        Op::ConstantOfShape(_) | Op::Range => Err("its operands are not constant".into()),
        other => Err(format!("{} is no shape operator", other.name())),
    }
}

/// Binds the result to a known INT64 constant.
fn whole(cx: &mut Context<'_>, index: usize, values: Vec<i64>) -> Result<(), String> {
    let y = cx.output(&cx.graph.nodes[index])?;
    let shape = cx.shape(y)?;
    let tensor = cx.literal(shape, DType::I64, Constant::Stored(Arc::new(Data::I64(values))), Role::Plain);
    cx.bind_plain(y, tensor)
}

/// Repeats axes of extent 1 with BROADCAST_TO.
fn expand(cx: &mut Context<'_>, index: usize) -> Result<(), String> {
    let node = &cx.graph.nodes[index];
    let (x, y) = (cx.input(node, 0)?, cx.output(node)?);
    let (from, to) = (cx.shape(x)?, cx.shape(y)?);
    if from == to {
        return cx.alias_transposed(y, x, &Perm::identity(from.len()));
    }
    if from.iter().product::<usize>() == to.iter().product::<usize>() {
        return cx.alias_reshaped(y, x);
    }
    let order = choose(cx, &[x], y, to.len());
    let tensor = cx.broadcast(x, &order, Role::Plain, false)?;
    let target = order.apply(&to);
    let extents: Vec<i32> = target.iter().map(|&d| i32::try_from(d).unwrap_or(i32::MAX)).collect();
    let extents = cx.ints(&extents);
    let out = cx.emit(Builtin::BroadcastTo, &[tensor, extents], options::BroadcastTo {}, target);
    cx.bind(y, out, order);
    Ok(())
}

fn tile(cx: &mut Context<'_>, index: usize) -> Result<(), String> {
    let node = &cx.graph.nodes[index];
    let (x, y) = (cx.input(node, 0)?, cx.output(node)?);
    let repeats =
        cx.constant(cx.input(node, 1)?).and_then(|t| t.integers()).ok_or("repeats is not constant")?;
    if repeats.iter().all(|&r| r == 1) {
        return cx.alias_transposed(y, x, &Perm::identity(repeats.len()));
    }
    let order = choose(cx, &[x], y, repeats.len());
    let tensor = cx.ordered(x, &order)?;
    let times: Vec<i32> = order.axes().map(|a| i32::try_from(repeats[a]).unwrap_or(i32::MAX)).collect();
    let times = cx.ints(&times);
    let shape = order.apply(&cx.shape(y)?);
    let out = cx.emit(Builtin::Tile, &[tensor, times], options::Tile {}, shape);
    cx.bind(y, out, order);
    Ok(())
}
