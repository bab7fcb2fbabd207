//! Lowers Cast. Casts between float types change nothing here: every float tensor is of one type until `precision`.

use super::context::{Context, stored};
use super::perm::Perm;
use super::unary::map;
use crate::target::TensorId;
use halfproof_ir::{DType, Op};
use halfproof_wire::tflite::{Builtin, TensorType, options};

pub(super) fn lower(cx: &mut Context<'_>, index: usize) -> Result<(), String> {
    let node = &cx.graph.nodes[index];
    let Op::Cast(op) = &node.op else { return Err("it is no Cast".into()) };
    let (x, y) = (cx.input(node, 0)?, cx.output(node)?);
    let from = cx.ty(x)?.dtype;
    if stored(from) == stored(op.to) {
        return cx.alias_transposed(y, x, &Perm::identity(cx.ty(x)?.rank()));
    }
    for dtype in [from, op.to] {
        if matches!(dtype, DType::U64) {
            return Err(format!("TFLite CAST has no {dtype} kernel"));
        }
    }
    let to = op.to;
    if to == DType::Bool && from.is_float() {
        // A cast to BOOL asks whether the element differs from 0; the kernel's own cast would truncate first.
        return map(cx, x, y, |cx, t| {
            let zero = cx.float(0.0, halfproof_ir::Role::Plain);
            let shape = cx.extents(t);
            cx.emit_as(Builtin::NotEqual, &[t, zero], options::NotEqual {}, shape, DType::Bool)
        });
    }
    let mut failed = Ok(());
    map(cx, x, y, |cx, t| {
        cast(cx, t, to).unwrap_or_else(|e| {
            failed = Err(e);
            t
        })
    })?;
    failed
}

/// A tensor in another element type.
pub(super) fn cast(cx: &mut Context<'_>, tensor: TensorId, to: DType) -> Result<TensorId, String> {
    let (from, to) = (cx.dtype(tensor), stored(to));
    let shape = cx.extents(tensor);
    let options = options::Cast { in_data_type: TensorType::from(from), out_data_type: TensorType::from(to) };
    Ok(cx.emit_as(Builtin::Cast, &[tensor], options, shape, to))
}
