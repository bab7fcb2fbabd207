//! Transpose, DepthToSpace, SpaceToDepth, Col2Im.

use super::super::graph::{Builder, Item, Span};
use halfproof_ir::DType;
use halfproof_ir::ops::{Col2Im, D2sMode, DepthToSpace, SpaceToDepth, Transpose};

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

pub(super) fn col2im(b: &mut Builder<'_>) -> Option<Item> {
    // Blocks one after the other fit any number of columns; overlapping ones need an image to match.
    let x = b.float(|i| i.rank() == 3 && i.span.radius() < 1e3)?;
    let (rows, columns) = (x.shape[1], x.shape[2]);
    let divisors: Vec<usize> = (1..=rows.min(6)).filter(|d| rows.is_multiple_of(*d)).collect();
    let block = *b.dna.pick(&divisors);
    let stride = b.dna.between(1, block);
    let dilation = if b.dna.chance(1, 4) { 2 } else { 1 };
    let reach = (block - 1) * dilation + 1;
    let pad = if b.dna.chance(1, 3) { 1.min((reach - 1) / 2) } else { 0 };
    let image = (columns - 1) * stride + reach - 2 * pad;
    let (h, w) = (b.ints([1, image as i64]), b.ints([1, block as i64]));
    let op = Col2Im {
        dilations: vec![1, dilation as i64],
        pads: vec![0, pad as i64, 0, pad as i64],
        strides: vec![1, stride as i64],
    };
    let shape = vec![x.shape[0], rows / block, 1, image];
    b.emit(op, &[x.id, h, w], DType::F32, shape, Span::around_zero(x.span.radius() * block as f64))
}
