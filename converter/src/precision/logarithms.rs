//! Finds what must be float32 because a logarithm reads it.
//!
//! A logarithm turns a small number into an ordinary one, so the operand may be far below what float16 holds while the result
//! is not; in float16 such an operand is 0 and the result an infinity. It becomes 0 by underflow (a product, an
//! exponential) or by absorption (`log(1 + exp(x))`), so the elementwise operators behind the operand are kept as well, back
//! to the first operator of another kind.

use super::islands::Uses;
use super::ranges::Ranges;
use crate::constants::MIN_NORMAL;
use crate::target::{Target, TensorId};
use halfproof_wire::tflite::Builtin;

/// By operator: it is a logarithm of small results, or makes such, directly or through elementwise operators.
pub(super) fn behind(target: &Target, uses: &Uses, ranges: &Ranges) -> Vec<bool> {
    let mut found = vec![false; target.operators.len()];
    let operands = |i: usize| target.operators[i].inputs.iter().flatten().copied();
    let computed = |id: TensorId| uses.producer(id).filter(|_| target.tensor(id).constant.is_none());
    let mut open: Vec<usize> = Vec::new();
    for (i, op) in target.operators.iter().enumerate() {
        if op.builtin == Builtin::Log
            && operands(i).any(|id| comes_near_zero(ranges, id) && computed(id).is_some())
        {
            open.push(i);
        }
    }
    while let Some(i) = open.pop() {
        if std::mem::replace(&mut found[i], true) || !is_elementwise(target.operators[i].builtin) {
            continue;
        }
        open.extend(operands(i).filter_map(computed));
    }
    found
}

/// True when positive elements may be too small for float16.
fn comes_near_zero(ranges: &Ranges, id: TensorId) -> bool {
    let range = ranges.tensors[id.index()];
    range.low < MIN_NORMAL && range.high > 0.0
}

/// True for the operators that map, combine or move elements one by one.
fn is_elementwise(builtin: Builtin) -> bool {
    use Builtin::{
        Abs, Add, BroadcastTo, Div, Elu, Exp, ExpandDims, Gelu, HardSwish, LeakyRelu, Log, Logistic, Maximum,
        Minimum, Mul, Neg, Pow, Prelu, Relu, Relu6, Reshape, Rsqrt, SelectV2, Sqrt, Square,
        SquaredDifference, Squeeze, Sub, Tanh, Transpose,
    };
    matches!(
        builtin,
        Abs | Add
            | BroadcastTo
            | Div
            | Elu
            | Exp
            | ExpandDims
            | Gelu
            | HardSwish
            | LeakyRelu
            | Log
            | Logistic
            | Maximum
            | Minimum
            | Mul
            | Neg
            | Pow
            | Prelu
            | Relu
            | Relu6
            | Reshape
            | Rsqrt
            | SelectV2
            | Sqrt
            | Square
            | SquaredDifference
            | Squeeze
            | Sub
            | Tanh
            | Transpose
    )
}
