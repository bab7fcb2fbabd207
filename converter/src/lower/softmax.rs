//! Lowers Softmax and LogSoftmax, which TFLite computes over the last axis.
//!
//! LOG_SOFTMAX has no float16 kernel; when float16 is asked for, it is spelt out as
//! `x - max - log(sum(exp(x - max)))`.

use super::binary::sub;
use super::context::Context;
use super::perm::Perm;
use super::reduce::reduce;
use crate::infer::axis;
use crate::target::TensorId;
use halfproof_ir::Op;
use halfproof_wire::tflite::{Activation, Builtin, Options, options};

pub(super) fn lower(cx: &mut Context<'_>, index: usize) -> Result<(), String> {
    let node = &cx.graph.nodes[index];
    let (x, y) = (cx.input(node, 0)?, cx.output(node)?);
    let (at, matrix, log) = match &node.op {
        Op::Softmax(s) => (s.axis, s.coerce_2d, false),
        Op::LogSoftmax(s) => (s.axis, s.coerce_2d, true),
        other => return Err(format!("{} is no softmax", other.name())),
    };
    let ty = cx.ty(x)?;
    if !ty.dtype.is_float() {
        return Err(format!("{} is not a float", ty.dtype));
    }
    let (rank, shape) = (ty.rank(), ty.shape.clone());
    if matrix || rank == 0 {
        let cut = if rank == 0 || at == rank.cast_signed() as i64 { rank } else { axis(at, rank)? };
        let rows = shape[..cut].iter().product();
        let order = Perm::identity(rank);
        let tensor = cx.shaped(x, &order, &[rows, shape[cut..].iter().product()])?;
        let out = rows_of(cx, tensor, log);
        cx.bind(y, out, order);
        return Ok(());
    }
    let at = axis(at, rank)?;
    let last = |order: &Perm| order.axes().rfind(|&a| shape[a] != 1).is_none_or(|a| a == at);
    cx.settle(x)?;
    let held = cx.carriers(x).iter().map(|c| c.perm).find(|p| last(p) && p.axes().next_back() == Some(at));
    let order = held.unwrap_or_else(|| Perm::new((0..rank).filter(|&a| a != at).chain([at])));
    let order_shape = order.apply(&shape);
    let tensor = if rank > 4 {
        let columns = shape[at];
        cx.shaped(x, &order, &[order_shape.iter().product::<usize>() / columns, columns])?
    } else {
        cx.ordered(x, &order)?
    };
    let out = rows_of(cx, tensor, log);
    cx.bind(y, out, order);
    Ok(())
}

/// Normalises along the last axis.
fn rows_of(cx: &mut Context<'_>, x: TensorId, log: bool) -> TensorId {
    if !log {
        return cx.map(Builtin::Softmax, x, options::Softmax { beta: 1.0 });
    }
    if !cx.half {
        return cx.map(Builtin::LogSoftmax, x, options::LogSoftmax {});
    }
    let shape = cx.extents(x);
    let last = shape.len() - 1;
    let most = reduce(cx, Builtin::ReduceMax, x, &[last], true);
    let shifted = cx.emit(Builtin::Sub, &[x, most], sub(Activation::None), shape.clone());
    let e = cx.map(Builtin::Exp, shifted, options::Exp {});
    let sum = reduce(cx, Builtin::Sum, e, &[last], true);
    let log = cx.map(Builtin::Log, sum, Options::None);
    cx.emit(Builtin::Sub, &[shifted, log], sub(Activation::None), shape)
}
