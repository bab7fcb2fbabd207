//! Softmax, LogSoftmax and Hardmax.
//!
//! # Definition
//! `exp(x) / sum(exp(x))` along `axis`, and its logarithm (ONNX Softmax-13, LogSoftmax-13). Before opset 13
//! Hardmax-13 gives 1 to the first largest element of a row and 0 to the others. Before opset 13 (`coerce_2d`) the tensor is viewed as a matrix cut at `axis` and every row of it is normalised.
//! # Edge cases
//! A row of extent 1 gives 1. A row of nothing but -inf, or with +inf, gives NaN. A tensor of rank 0 has no axis.
//! # Numerics
//! The `softmax` rule of the arithmetic per row: it is shift-invariant, which a composition of exp and sum would not show.

use super::error::OpError;
use super::operands::Operands;
use super::strided::{axis as index_of, copy, strides};
use crate::arith::{Arith, Comparison};
use crate::value::{Array, Value};
use halfproof_ir::ops::Hardmax;

/// Softmax, or its logarithm.
pub(super) fn evaluate<A: Arith>(
    axis: i64,
    coerce_2d: bool,
    log: bool,
    x: &Operands<A::E>,
    arith: &A,
) -> Result<Value<A::E>, OpError> {
    by_row(axis, coerce_2d, x, arith, |row| arith.softmax(row, 1.0, log))
}

/// Hardmax.
pub(super) fn hard<A: Arith>(op: &Hardmax, x: &Operands<A::E>, arith: &A) -> Result<Value<A::E>, OpError> {
    let (zero, one) = (arith.exact(0.0), arith.exact(1.0));
    by_row(op.axis, op.coerce_2d, x, arith, |row| {
        let best = (1..row.len()).fold(0, |best, i| {
            if arith.compare(row[i], row[best]).0 == Comparison::Greater { i } else { best }
        });
        // An element that rounding could make the winner may have either number, and then so may the winner.
        let rival = |i: usize| {
            let (order, decided) = arith.compare(row[i], row[best]);
            i != best && (!decided || order == Comparison::Unordered)
        };
        let rivals: Vec<bool> = (0..row.len()).map(rival).collect();
        let contested = rivals.contains(&true);
        let number = |(i, rival): (usize, bool)| match (i == best, rival || (i == best && contested)) {
            (true, false) => one,
            (true, true) => arith.either(one, zero),
            (false, true) => arith.either(zero, one),
            (false, false) => zero,
        };
        rivals.into_iter().enumerate().map(number).collect()
    })
}

fn by_row<A: Arith>(
    axis: i64,
    coerce_2d: bool,
    x: &Operands<A::E>,
    arith: &A,
    f: impl Fn(&[A::E]) -> Vec<A::E>,
) -> Result<Value<A::E>, OpError> {
    let (d, a) = x.floats(0)?;
    let rank = a.shape.len();
    let cut = if coerce_2d && axis == rank.cast_signed() as i64 { rank } else { index_of(axis, rank)? };
    let last = if coerce_2d { rank } else { cut + 1 };
    let width: usize = a.shape[cut..last].iter().product();
    let inner: usize = a.shape[last..].iter().product();
    if a.data.is_empty() {
        return Ok(Value::Float(d, a.clone()));
    }
    let rows = |data: &[A::E]| -> Vec<A::E> {
        data.chunks_exact(width).flat_map(&f).map(|e| arith.store(e, d)).collect()
    };
    let data = if inner == 1 {
        rows(&a.data)
    } else {
        let outer: usize = a.shape[..cut].iter().product();
        let turned = [outer, inner, width];
        let steps = [(width * inner).cast_signed(), 1, inner.cast_signed()];
        let done = rows(&copy(&a.data, 0, &turned, &steps));
        let back = strides(&turned);
        copy(&done, 0, &[outer, width, inner], &[back[0], back[2], back[1]])
    };
    Ok(Value::Float(d, Array { shape: a.shape.clone(), data }))
}
