//! CastLike is a Cast; EyeLike is a constant.

use super::Builder;
use halfproof_ir::ops::Cast;
use halfproof_ir::{Node, Op, ValueId};

pub(super) fn cast_like(b: &mut Builder, node: &Node) -> Result<Vec<ValueId>, String> {
    let (x, like) = (b.need(node, 0)?, b.need(node, 1)?);
    let to = b.ty(like)?.dtype;
    Ok(vec![b.emit(Cast { to, ..Cast::default() }, &[x])?])
}

pub(super) fn eye_like(b: &mut Builder, node: &Node) -> Result<Vec<ValueId>, String> {
    let Op::EyeLike(op) = &node.op else { return Err("it is no EyeLike".into()) };
    let x = b.ty(b.need(node, 0)?)?;
    let &[rows, columns] = &x.shape[..] else { return Err("it is no matrix".into()) };
    let on = |i: usize| (i % columns).cast_signed() as i64 - (i / columns).cast_signed() as i64 == op.k;
    let data = (0..rows * columns).map(|i| i64::from(on(i))).collect();
    Ok(vec![b.numbers(op.dtype.unwrap_or(x.dtype), &x.shape, data)?])
}
