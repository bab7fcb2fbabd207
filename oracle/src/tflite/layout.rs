//! Operators that rearrange whole tensors: TRANSPOSE, REVERSE_V2 and the block rearrangements.
//!
//! # Definition
//! TRANSPOSE: result axis i is operand axis perm[i]. REVERSE_V2 reverses the listed axes. DEPTH_TO_SPACE with block b:
//! result [n, y, x, c] is operand [n, y / b, x / b, ((y % b) b + x % b) C + c], where C is the result's channels;
//! SPACE_TO_DEPTH is its inverse. BATCH_TO_SPACE_ND: along spatial axis i, result coordinate y (after adding the crop
//! before it) is operand coordinate y / b[i] of the batch whose number holds y % b[i], most significant axis first;
//! SPACE_TO_BATCH_ND is its inverse and pads with zeros first.
//!
//! # Edge cases
//! Extents that blocks do not divide are refused.
//!
//! # Numerics
//! Copies.

use super::error::{Fault, ensure};
use super::movement::{Movement, Moves, identity, line};
use super::pad::{padded, padding_axes};
use super::plan::{self, Call, Planned, strides, table, whole};
use halfproof_wire::tflite::Builtin;

/// Plans TRANSPOSE.
pub(super) fn plan_transpose(call: &Call<'_>) -> Result<Planned, Fault> {
    call.arity(2, 2, 1)?;
    let x = call.alike(0)?;
    let order = call.ints(1, "the permutation")?;
    ensure!(order.len() == x.rank(), "permutation {order:?} of shape {:?}", x.shape);
    let strides = strides(x.shape);
    let (mut axes, mut shape, mut seen) = (vec![], vec![], vec![false; x.rank()]);
    for &p in order {
        let p = plan::axis(p, x.rank())?;
        ensure!(!seen[p], "permutation {order:?} repeats an axis");
        seen[p] = true;
        axes.push(line(0, 1, x.shape[p], strides[p]));
        shape.push(x.shape[p]);
    }
    Planned::one(Moves::new(axes), shape)
}

/// Plans REVERSE_V2.
pub(super) fn plan_reverse(call: &Call<'_>) -> Result<Planned, Fault> {
    call.arity(2, 2, 1)?;
    let x = call.alike(0)?;
    let mut axes = identity(x.shape);
    let mut seen = vec![false; x.rank()];
    for &a in call.ints(1, "the axes")? {
        let a = plan::axis(a, x.rank())?;
        ensure!(!seen[a], "axis {a} is listed twice");
        seen[a] = true;
        axes[a].reverse();
    }
    Planned::one(Moves::new(axes), x.shape)
}

/// Plans DEPTH_TO_SPACE and SPACE_TO_DEPTH.
pub(super) fn plan_depth(call: &Call<'_>) -> Result<Planned, Fault> {
    call.arity(1, 1, 1)?;
    let x = call.alike(0)?;
    plan::rank("the operand", x.shape, 4)?;
    let to_space = call.builtin == Builtin::DepthToSpace;
    let block = if to_space {
        table!(call, DepthToSpace)?.block_size
    } else {
        table!(call, SpaceToDepth)?.block_size
    };
    ensure!((1..=1 << 14).contains(&block), "block size {block}");
    let b = block.unsigned_abs() as usize;
    let [n, h, w, c] = [x.shape[0], x.shape[1], x.shape[2], x.shape[3]];
    let s = strides(x.shape);
    if to_space {
        ensure!(c % (b * b) == 0, "block size {b} for shape {:?}", x.shape);
        let depth = c / (b * b);
        let shape = plan::shape(&[n, h * b, w * b, depth].map(whole))?;
        let axes = vec![
            line(0, 1, n, s[0]),
            (0..h * b).map(|y| y / b * s[1] + y % b * b * depth).collect(),
            (0..w * b).map(|x| x / b * s[2] + x % b * depth).collect(),
            line(0, 1, depth, 1),
        ];
        return Planned::one(Moves::new(axes), shape);
    }
    ensure!(h % b == 0 && w % b == 0, "block size {b} for shape {:?}", x.shape);
    let shape = plan::shape(&[n, h / b, w / b, c.saturating_mul(b * b)].map(whole))?;
    let axes = vec![
        line(0, 1, n, s[0]),
        (0..h / b).map(|y| y * b * s[1]).collect(),
        (0..w / b).map(|x| x * b * s[2]).collect(),
        line(0, 1, b, s[1]),
        line(0, 1, b, s[2]),
        line(0, 1, c, 1),
    ];
    Planned::one(Moves::new(axes), shape)
}

/// Blocks of every spatial axis, and two numbers per spatial axis (crops or paddings).
type Blocks = (Vec<usize>, Vec<(usize, usize)>);

/// Operands 1 and 2.
fn blocks(call: &Call<'_>, rank: usize) -> Result<Blocks, Fault> {
    let (blocks, pairs) = (call.ints(1, "the blocks")?, call.ints(2, "the crops or paddings")?);
    ensure!(blocks.len() < rank, "{} blocks for rank {rank}", blocks.len());
    ensure!(pairs.len() == 2 * blocks.len(), "{} crops or paddings for {} blocks", pairs.len(), blocks.len());
    let limit = whole(plan::MAX_ELEMENTS);
    ensure!(blocks.iter().all(|b| (1..=limit).contains(b)), "blocks {blocks:?}");
    ensure!(pairs.iter().all(|p| (0..=limit).contains(p)), "crops or paddings {pairs:?}");
    let product = blocks.iter().fold(1i64, |product, &b| product.saturating_mul(b));
    ensure!(product <= limit, "blocks {blocks:?}");
    let natural = |x: i64| usize::try_from(x).unwrap_or(0);
    let pairs = pairs.as_chunks::<2>().0.iter().map(|&[a, b]| (natural(a), natural(b)));
    Ok((blocks.iter().map(|&b| natural(b)).collect(), pairs.collect()))
}

/// Plans BATCH_TO_SPACE_ND.
pub(super) fn plan_batch_to_space(call: &Call<'_>) -> Result<Planned, Fault> {
    call.arity(3, 3, 1)?;
    let x = call.alike(0)?;
    let (blocks, crops) = blocks(call, x.rank())?;
    let all: usize = blocks.iter().product();
    ensure!(x.shape[0] % all == 0, "blocks {blocks:?} for shape {:?}", x.shape);
    let batch = x.shape[0] / all;
    let s = strides(x.shape);
    let mut axes = identity(x.shape);
    let mut extents: Vec<i64> = x.shape.iter().map(|&e| whole(e)).collect();
    axes[0].truncate(batch);
    extents[0] = whole(batch);
    let mut weight = all;
    for (i, (&block, &(before, after))) in blocks.iter().zip(&crops).enumerate() {
        weight /= block;
        let a = i + 1;
        let full = whole(x.shape[a]).saturating_mul(whole(block));
        extents[a] = full - whole(before) - whole(after);
        ensure!(extents[a] >= 0, "crops of {before} and {after} of {full} elements");
        plan::shape(&[full])?;
        let count = usize::try_from(extents[a]).unwrap_or(0);
        axes[a] =
            (before..before + count).map(|y| y / block * s[a] + y % block * weight * batch * s[0]).collect();
    }
    Planned::one(Moves::new(axes), plan::shape(&extents)?)
}

/// Plans SPACE_TO_BATCH_ND.
pub(super) fn plan_space_to_batch(call: &Call<'_>) -> Result<Planned, Fault> {
    call.arity(3, 3, 1)?;
    let x = call.alike(0)?;
    let (blocks, spatial) = blocks(call, x.rank())?;
    let mut paddings = vec![(0, 0); x.rank()];
    paddings[1..=blocks.len()].copy_from_slice(&spatial);
    let middle = padded(x.shape, &paddings)?;
    let s = strides(&middle);
    let mut axes = vec![];
    let mut shape = middle.clone();
    for (i, &block) in blocks.iter().enumerate() {
        ensure!(middle[i + 1] % block == 0, "blocks {blocks:?} for the padded shape {middle:?}");
        axes.push(line(0, 1, block, s[i + 1]));
        shape[i + 1] = middle[i + 1] / block;
        shape[0] = shape[0].saturating_mul(block);
    }
    axes.push(line(0, 1, middle[0], s[0]));
    for a in 1..middle.len() {
        let block = blocks.get(a - 1).copied().unwrap_or(1);
        axes.push((0..shape[a]).map(|y| y * block * s[a]).collect());
    }
    let shape = plan::shape(&shape.iter().map(|&e| whole(e)).collect::<Vec<_>>())?;
    let steps = vec![Movement::new(padding_axes(x.shape, &paddings)), Movement::new(axes)];
    Planned::one(Moves { operand: 0, steps, fill: None }, shape)
}
