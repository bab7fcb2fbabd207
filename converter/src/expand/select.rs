//! Trilu is a Where with a constant mask.

use super::Builder;
use halfproof_ir::{Node, Op, ValueId};

pub(super) fn trilu(b: &mut Builder, node: &Node) -> Result<Vec<ValueId>, String> {
    let Op::Trilu(op) = &node.op else { return Err("it is no Trilu".into()) };
    let x = b.need(node, 0)?;
    let ty = b.ty(x)?;
    let k = match b.integers(node, 1, "k")?.as_deref() {
        None => 0,
        Some(&[k]) => k,
        Some(_) => return Err("k is not one number".into()),
    };
    let &[.., rows, columns] = &ty.shape[..] else { return Err("there is no matrix".into()) };
    let keeps = |i: usize| {
        let diagonal = (i % columns).cast_signed() as i64 - (i / columns).cast_signed() as i64;
        if op.upper { diagonal >= k } else { diagonal <= k }
    };
    let mask = b.mask(&[rows, columns], (0..rows * columns).map(keeps).collect());
    let zero = b.numbers(ty.dtype, &[], vec![0])?;
    Ok(vec![b.emit(Op::Where, &[mask, x, zero])?])
}
