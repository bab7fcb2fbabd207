//! Finds what must be float32 because a logarithm reads it.
//!
//! A logarithm turns a small number into an ordinary one, so the operand may be far below what float16 holds while the result
//! is not; in float16 such an operand is 0 and the result an infinity. It becomes 0 by underflow (a product, an
//! exponential, a sum of squares) or by absorption (`log(1 + exp(x))`), so the operators behind the operand are kept as well,
//! back to the exponential or the weighted sum that they start from.

use super::islands::{Uses, is_cheap};
use super::ranges::Ranges;
use crate::constants::MIN_NORMAL;
use crate::target::{Target, TargetOperator, TensorId};
use halfproof_wire::tflite::Builtin;

/// By operator: it is a logarithm of small results, or makes such, directly or through other operators.
pub(super) fn behind(target: &Target, uses: &Uses, ranges: &Ranges) -> Vec<bool> {
    let mut found = vec![false; target.operators.len()];
    let makers = |op: &TargetOperator| {
        let computed = op.inputs.iter().flatten().filter(|&&id| target.tensor(id).constant.is_none());
        computed.filter_map(|&id| uses.producer(id)).collect::<Vec<usize>>()
    };
    let small = |op: &TargetOperator| op.inputs.iter().flatten().any(|&id| comes_near_zero(ranges, id));
    let starts = |(_, op): &(usize, &TargetOperator)| {
        op.builtin == Builtin::Log && small(op) && !makers(op).is_empty()
    };
    let mut open: Vec<usize> = target.operators.iter().enumerate().filter(starts).map(|(i, _)| i).collect();
    while let Some(i) = open.pop() {
        let op = &target.operators[i];
        if std::mem::replace(&mut found[i], true) || keeps_relative_errors_small(op.builtin) {
            continue;
        }
        // Weights are expensive in float32; a weighted sum that its own source node brought along has none.
        let near = |&maker: &usize| {
            let maker = &target.operators[maker];
            is_cheap(maker) || maker.nodes == op.nodes
        };
        open.extend(makers(op).into_iter().filter(near));
    }
    found
}

/// True when positive elements may be too small for float16.
fn comes_near_zero(ranges: &Ranges, id: TensorId) -> bool {
    let range = ranges.tensors[id.index()];
    range.low < MIN_NORMAL && range.high > 0.0
}

/// True for the functions whose small results come from ordinary operands, which float16 may hold.
fn keeps_relative_errors_small(builtin: Builtin) -> bool {
    matches!(builtin, Builtin::Exp | Builtin::Logistic | Builtin::Softmax)
}
