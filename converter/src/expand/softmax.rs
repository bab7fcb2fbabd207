//! Hardmax: whether each place is the one that ArgMax names.

use super::Builder;
use crate::infer::axis;
use halfproof_ir::ops::{ArgMax, Cast};
use halfproof_ir::{Node, Op, ValueId};

pub(super) fn hardmax(b: &mut Builder, node: &Node) -> Result<Vec<ValueId>, String> {
    let Op::Hardmax(op) = &node.op else { return Err("it is no Hardmax".into()) };
    let x = b.need(node, 0)?;
    let ty = b.ty(x)?;
    let rank = ty.rank();
    // Before opset 13 the tensor is a matrix cut at the axis.
    let (view, at) = if op.coerce_2d {
        let cut = if op.axis == rank.cast_signed() as i64 { rank } else { axis(op.axis, rank)? };
        (vec![ty.shape[..cut].iter().product(), ty.shape[cut..].iter().product()], 1)
    } else {
        (ty.shape.clone(), axis(op.axis, rank)?)
    };
    let viewed = b.reshape(x, &view)?;
    let best = ArgMax { axis: at.cast_signed() as i64, keepdims: true, select_last_index: false };
    let best = b.emit(best, &[viewed])?;
    let places: Vec<usize> = (0..view.len()).map(|i| if i == at { view[at] } else { 1 }).collect();
    let places = b.wholes(&places, (0..view[at].cast_signed() as i64).collect());
    let hit = b.emit(Op::Equal, &[best, places])?;
    let hit = b.emit(Cast { to: ty.dtype, ..Cast::default() }, &[hit])?;
    Ok(vec![b.reshape(hit, &ty.shape)?])
}
