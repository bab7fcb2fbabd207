//! CenterCropPad: a Slice where it cuts, a Pad where it adds.

use super::Builder;
use super::scatter::signed;
use halfproof_ir::ops::Pad;
use halfproof_ir::{Node, Op, ValueId};

pub(super) fn center_crop(b: &mut Builder, node: &Node) -> Result<Vec<ValueId>, String> {
    let (mut x, y) = (b.need(node, 0)?, b.need_output(node)?);
    let (from, to) = (b.ty(x)?, b.shape(y)?);
    let cut: Vec<usize> = (0..to.len()).filter(|&i| to[i] < from.shape[i]).collect();
    if !cut.is_empty() {
        let starts: Vec<usize> = cut.iter().map(|&i| (from.shape[i] - to[i]) / 2).collect();
        let ends: Vec<usize> = cut.iter().zip(&starts).map(|(&i, s)| s + to[i]).collect();
        let (starts, ends, axes) = (b.ints(&starts), b.ints(&ends), b.ints(&cut));
        x = b.emit(Op::Slice, &[x, starts, ends, axes])?;
    }
    let before = |i: usize| to[i].saturating_sub(from.shape[i]) / 2;
    let after = |i: usize| to[i].saturating_sub(from.shape[i]) - before(i);
    if (0..to.len()).any(|i| to[i] > from.shape[i]) {
        let pads = (0..to.len()).map(|i| signed(before(i))).chain((0..to.len()).map(|i| signed(after(i))));
        let pads = b.wholes(&[2 * to.len()], pads.collect());
        let zero = b.numbers(from.dtype, &[], vec![0])?;
        x = b.emit(Pad::default(), &[x, pads, zero])?;
    }
    Ok(vec![x])
}
