//! Replaces the huge constants of attention masks by smaller ones that exclude just as well.
//!
//! A mask adds something like −1e30 to the scores that a softmax shall ignore. In float16 that is −∞, which gives NaN
//! when it is multiplied by 0 or when a whole row is masked. Any value far below all scores does the same work.

use super::islands::Uses;
use super::plan::Rounded;
use super::ranges::{Bounds, Ranges};
use crate::constants;
use crate::target::{Target, TensorId};
use halfproof_ir::{Elements, Rewrite};
use halfproof_wire::tflite::Builtin;

/// What a mask becomes: four of them add up without overflow.
const MASK: f64 = 16384.0;
/// Below this a mask might not exclude any more.
const LEAST_MASK: f64 = 1024.0;
/// Scores must be smaller than the mask by this factor.
const MARGIN: f64 = 4.0;
/// Longest way from a mask to its softmax.
const LONGEST_WAY: usize = 12;

/// What stands between a constant and the softmaxes it ends in.
#[derive(Clone, Copy, Debug)]
struct Way {
    /// Largest factor it is multiplied by.
    factor: f64,
    /// Largest magnitude that it is added to.
    scores: f64,
}

/// Constants with elements that overflow and that only ever reach softmaxes, as additions to scores.
pub(super) fn candidates(target: &Target, constants: &[Option<Rounded>]) -> Vec<TensorId> {
    let huge = |(i, c): (usize, &Option<Rounded>)| {
        let c = c.as_ref()?;
        (c.narrowed.survey.overflowed > 0).then(|| TensorId(u32::try_from(i).unwrap_or(u32::MAX)))
    };
    let huge: Vec<TensorId> = constants.iter().enumerate().filter_map(huge).collect();
    if huge.is_empty() || !target.operators.iter().any(|op| op.builtin == Builtin::Softmax) {
        return Vec::new();
    }
    huge
}

/// The elements of a constant with those that overflow cut to ±`to`.
pub(super) fn cut(exact: &Elements, to: f64) -> Vec<f64> {
    let overflows = |x: f64| x.is_finite() && x.abs() >= constants::OVERFLOW;
    exact.iter().map(|x| if overflows(x) { to.copysign(x) } else { x }).collect()
}

/// The magnitude to which a candidate can be cut without changing what the softmax makes of it; `None` when there is
/// none. `ranges` are those with all candidates cut to [`MASK`].
pub(super) fn magnitude(target: &Target, uses: &Uses, ranges: &Ranges, id: TensorId) -> Option<f64> {
    let way = walk(target, uses, ranges, id, 0)?;
    let magnitude = MASK / way.factor.max(1.0);
    (magnitude >= LEAST_MASK && way.scores * MARGIN <= magnitude).then_some(magnitude)
}

/// The default magnitude, for the first look at the ranges.
pub(super) const FIRST: f64 = MASK;

fn walk(target: &Target, uses: &Uses, ranges: &Ranges, id: TensorId, length: usize) -> Option<Way> {
    use Builtin::*;
    let mut way = Way { factor: 1.0, scores: 0.0 };
    if length > LONGEST_WAY || uses.is_output(id) || uses.readers(id).is_empty() {
        return None;
    }
    for &reader in uses.readers(id) {
        let op = &target.operators[reader];
        let others = || op.inputs.iter().flatten().filter(|&&i| i != id).map(|&i| ranges.tensors[i.index()]);
        let mut factor = 1.0;
        match op.builtin {
            Softmax => continue,
            Mul => factor = others().map(|r| r.reach()).fold(0.0, f64::max),
            Add | Sub => {
                // Another mask may be added too; what counts are the scores.
                let scores = others().filter(|r| !is_mask(r)).map(|r| r.reach()).fold(0.0, f64::max);
                way.scores = way.scores.max(scores);
            }
            Neg | Reshape | ExpandDims | Squeeze | Transpose | BroadcastTo | Tile | Slice | StridedSlice => {}
            // The condition is no score.
            Select | SelectV2 if op.inputs.first() != Some(&Some(id)) => {
                let other = op.inputs.iter().skip(1).flatten().filter(|&&i| i != id);
                let scores =
                    other.map(|&i| ranges.tensors[i.index()]).filter(|r| !is_mask(r)).map(|r| r.reach());
                way.scores = way.scores.max(scores.fold(0.0, f64::max));
            }
            _ => return None,
        }
        let &[result] = &op.outputs[..] else { return None };
        let next = walk(target, uses, ranges, result, length + 1)?;
        way.factor = way.factor.max(factor * next.factor);
        way.scores = way.scores.max(next.scores);
    }
    Some(way)
}

fn is_mask(range: &Bounds) -> bool {
    range.reach() >= MASK
}

/// What was changed, one entry per distinct value.
pub(super) fn rewrites(at: &str, exact: &Elements, to: f64) -> Vec<Rewrite> {
    let mut values: Vec<f64> =
        exact.iter().filter(|x| x.is_finite() && x.abs() >= constants::OVERFLOW).collect();
    values.sort_unstable_by(f64::total_cmp);
    values.dedup();
    let rewrite = |from: f64| Rewrite {
        at: at.to_string(),
        rule: "clamp-constant".to_string(),
        from,
        to: constants::round(to.copysign(from)).to_f64(),
    };
    values.into_iter().map(rewrite).collect()
}
