//! Transpose, DepthToSpace, SpaceToDepth.

use super::super::graph::{Builder, Item};
use halfproof_ir::DType;
use halfproof_ir::ops::{D2sMode, DepthToSpace, SpaceToDepth, Transpose};

pub(super) fn transpose(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.float(|i| i.rank() >= 2)?;
    let rank = x.rank();
    let mut order: Vec<usize> = (0..rank).collect();
    match (b.dna.below(4), rank) {
        (0, 4) => order = vec![0, 2, 3, 1],
        (1, 4) => order = vec![0, 3, 1, 2],
        (2, _) => order.swap(rank - 1, rank - 2),
        _ => {
            for i in (1..rank).rev() {
                order.swap(i, b.dna.below(i + 1));
            }
        }
    }
    let shape = order.iter().map(|&i| x.shape[i]).collect();
    let reversal = order.iter().rev().copied().eq(0..rank);
    // An absent permutation means the reversal.
    let perm =
        if reversal && b.dna.chance(1, 2) { vec![] } else { order.iter().map(|&i| i as i64).collect() };
    b.emit(Transpose { perm }, &[x.id], DType::F32, shape, x.span)
}

pub(super) fn depth_to_space(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.float(|i| i.rank() == 4 && [4, 9].iter().any(|&s| i.shape[1].is_multiple_of(s)))?;
    let block = if x.shape[1].is_multiple_of(4) { 2 } else { 3 };
    let shape = vec![x.shape[0], x.shape[1] / (block * block), x.shape[2] * block, x.shape[3] * block];
    let mode = *b.dna.pick(D2sMode::ALL);
    b.emit(DepthToSpace { blocksize: block as i64, mode }, &[x.id], DType::F32, shape, x.span)
}

pub(super) fn space_to_depth(b: &mut Builder<'_>) -> Option<Item> {
    let divides = |i: &Item, s: usize| i.shape[2].is_multiple_of(s) && i.shape[3].is_multiple_of(s);
    let x = b.float(|i| i.rank() == 4 && (divides(i, 2) || divides(i, 3)))?;
    let block = if divides(&x, 2) { 2 } else { 3 };
    let shape = vec![x.shape[0], x.shape[1] * block * block, x.shape[2] / block, x.shape[3] / block];
    b.emit(SpaceToDepth { blocksize: block as i64 }, &[x.id], DType::F32, shape, x.span)
}
