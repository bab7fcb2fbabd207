//! PAD, PADV2 and MIRROR_PAD.
//!
//! # Definition
//! Operand 1 holds, per axis, how many elements to add before and after. PAD adds zeros, PADV2 the element of operand
//! 2, MIRROR_PAD the mirrored elements: REFLECT without repeating the edge, SYMMETRIC with it.
//!
//! # Edge cases
//! Negative paddings are no part of the definition and are refused. A mirrored padding is at most the axis' extent
//! (SYMMETRIC) or one less (REFLECT).
//!
//! # Numerics
//! Copies.

use super::error::{Fault, ensure};
use super::movement::{FILL, Moves};
use super::plan::{self, Call, Planned, strides, table, whole};
use halfproof_wire::tflite::{Builtin, MirrorPadMode};

/// Elements to add before and after every axis, from operand 1.
fn paddings(call: &Call<'_>, rank: usize) -> Result<Vec<(usize, usize)>, Fault> {
    let all = call.ints(1, "the paddings")?;
    ensure!(all.len() == 2 * rank, "{} paddings for rank {rank}", all.len());
    ensure!(all.iter().all(|p| (0..=whole(plan::MAX_ELEMENTS)).contains(p)), "paddings {all:?}");
    let natural = |p: i64| usize::try_from(p).unwrap_or(0);
    Ok(all.as_chunks::<2>().0.iter().map(|&[before, after]| (natural(before), natural(after))).collect())
}

/// The extents with their paddings.
pub(super) fn padded(shape: &[usize], paddings: &[(usize, usize)]) -> Result<Vec<usize>, Fault> {
    let extents: Vec<i64> = shape.iter().zip(paddings).map(|(&e, &(b, a))| whole(b + e + a)).collect();
    plan::shape(&extents)
}

/// Where every coordinate of the padded axes reads.
pub(super) fn padding_axes(shape: &[usize], paddings: &[(usize, usize)]) -> Vec<Vec<usize>> {
    let strides = strides(shape);
    let axis = |a: usize| {
        let (before, after) = paddings[a];
        let mut offsets = vec![FILL; before];
        offsets.extend((0..shape[a]).map(|i| i * strides[a]));
        offsets.extend(std::iter::repeat_n(FILL, after));
        offsets
    };
    (0..shape.len()).map(axis).collect()
}

/// Plans PAD and PADV2.
pub(super) fn plan(call: &Call<'_>) -> Result<Planned, Fault> {
    let valued = call.builtin == Builtin::Padv2;
    call.arity(if valued { 3 } else { 2 }, if valued { 3 } else { 2 }, 1)?;
    let x = call.alike(0)?;
    if valued {
        ensure!(call.alike(2)?.len() == 1, "the padding value has shape {:?}", call.alike(2)?.shape);
    }
    let paddings = paddings(call, x.rank())?;
    let shape = padded(x.shape, &paddings)?;
    let moves = Moves { fill: valued.then_some(2), ..Moves::new(padding_axes(x.shape, &paddings)) };
    Planned::one(moves, shape)
}

/// Plans MIRROR_PAD.
pub(super) fn plan_mirror(call: &Call<'_>) -> Result<Planned, Fault> {
    call.arity(2, 2, 1)?;
    let x = call.alike(0)?;
    let edge = usize::from(table!(call, MirrorPad)?.mode == MirrorPadMode::Reflect);
    let paddings = paddings(call, x.rank())?;
    let shape = padded(x.shape, &paddings)?;
    let strides = strides(x.shape);
    let mut axes = vec![];
    for (a, &(before, after)) in paddings.iter().enumerate() {
        let extent = x.shape[a];
        ensure!(
            before + edge <= extent && after + edge <= extent || before + after == 0,
            "paddings of {before} and {after} of an axis of extent {extent}"
        );
        let left = (0..before).rev().map(|i| i + edge);
        let right = (0..after).map(|i| extent - 1 - i - edge);
        axes.push(left.chain(0..extent).chain(right).map(|i| i * strides[a]).collect());
    }
    Planned::one(Moves::new(axes), shape)
}
