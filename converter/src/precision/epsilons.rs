//! Raises the epsilons that float16 loses to the smallest number that survives.
//!
//! 1e-5 is subnormal in float16 and 1e-12 is 0; where subnormals are flushed, both guard nothing. The smallest normal
//! number, 2^-14, does. That changes the function, so it is done only where the least that it is added to is so much larger that the
//! change is at most what rounding once may change, which samples can show and assumptions cannot, and it is recorded.

use super::islands::Uses;
use super::plan::Rounded;
use super::ranges::Ranges;
use crate::constants::MIN_NORMAL;
use crate::target::{Target, TensorId};
use halfproof_ir::Role;
use halfproof_wire::tflite::Builtin;

/// What an epsilon is added to must be this many times as large as the raised one: the root of the sum then changes by
/// at most 2^-11 of itself, the unit roundoff.
pub(super) const MUCH: f64 = 1024.0;

/// Epsilons that may be raised, by tensor, ascending.
pub(super) fn candidates(
    target: &Target,
    uses: &Uses,
    ranges: &Ranges,
    constants: &[Option<Rounded>],
    single: &[bool],
) -> Vec<TensorId> {
    let ids = (0..).map(TensorId).zip(constants);
    ids.filter_map(|(id, rounded)| {
        let exact = rounded.as_ref()?.elements();
        let tiny = !exact.is_empty() && exact.iter().all(|x| x > 0.0 && x < MIN_NORMAL);
        let readers = uses.readers(id);
        let free = tiny && !uses.is_output(id) && !readers.is_empty();
        (free && readers.iter().all(|&i| guards(target, uses, ranges, i, id, single))).then_some(id)
    })
    .collect()
}

/// True when operator `i` adds the constant to something that is always much larger, or bounds it from
/// below, in order to divide by it or take its root.
fn guards(target: &Target, uses: &Uses, ranges: &Ranges, i: usize, id: TensorId, single: &[bool]) -> bool {
    use Builtin::{Add, Div, Log, Maximum, Rsqrt, Sqrt};
    let op = &target.operators[i];
    let mut others = op.inputs.iter().flatten().filter(|&&o| o != id);
    let (Some(&other), None) = (others.next(), others.next()) else { return false };
    let range = ranges.tensors[other.index()];
    // Not the mean: a class token's variance may be a thousandth of the other tokens'.
    let large = range.low >= MUCH * MIN_NORMAL;
    let marked = target.tensor(id).role == Role::Epsilon;
    let divided = |&result: &TensorId| {
        uses.readers(result).iter().any(|&r| match target.operators[r].builtin {
            Rsqrt | Sqrt | Log => true,
            Div => target.operators[r].inputs.get(1) == Some(&Some(result)),
            _ => false,
        })
    };
    matches!(op.builtin, Add | Maximum) && !single[i] && large && (marked || op.outputs.iter().any(divided))
}
