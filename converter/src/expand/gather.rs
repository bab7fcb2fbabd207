//! OneHot: whether each place is the one that an index names.

use super::Builder;
use crate::infer::axis;
use halfproof_ir::ops::{Cast, Gather};
use halfproof_ir::{DType, Node, Op, ValueId};

pub(super) fn one_hot(b: &mut Builder, node: &Node) -> Result<Vec<ValueId>, String> {
    let Op::OneHot(op) = &node.op else { return Err("it is no OneHot".into()) };
    let (mut indices, values, y) = (b.need(node, 0)?, b.need(node, 2)?, b.need_output(node)?);
    let shape = b.shape(y)?;
    let at = axis(op.axis, shape.len())?;
    let depth = shape[at].cast_signed() as i64;
    if b.ty(indices)?.dtype != DType::I32 {
        indices = b.emit(Cast { to: DType::I64, ..Cast::default() }, &[indices])?;
    }
    let dtype = b.ty(indices)?.dtype;
    let spread: Vec<usize> = (0..shape.len()).map(|i| if i == at { 1 } else { shape[i] }).collect();
    let indices = b.reshape(indices, &spread)?;
    let along: Vec<usize> = (0..shape.len()).map(|i| if i == at { shape[at] } else { 1 }).collect();
    // An index may count from the end.
    let front = b.numbers(dtype, &along, (0..depth).collect())?;
    let back = b.numbers(dtype, &along, (-depth..0).collect())?;
    let (front, back) = (b.emit(Op::Equal, &[indices, front])?, b.emit(Op::Equal, &[indices, back])?);
    let hit = b.emit(Op::Or, &[front, back])?;
    let value = |b: &mut Builder, i: i64| {
        let i = b.wholes(&[], vec![i]);
        b.emit(Gather { axis: 0 }, &[values, i])
    };
    let (off, on) = (value(b, 0)?, value(b, 1)?);
    Ok(vec![b.emit(Op::Where, &[hit, on, off])?])
}
