//! Softmax and LogSoftmax.
//!
//! # Definition
//! `exp(x) / sum(exp(x))` along `axis`, and its logarithm (ONNX Softmax-13, LogSoftmax-13). Before opset 13
//! (`coerce_2d`) the tensor is viewed as a matrix cut at `axis` and every row of it is normalised.
//! # Edge cases
//! A row of extent 1 gives 1. A row of nothing but -inf, or with +inf, gives NaN. A tensor of rank 0 has no axis.
//! # Numerics
//! The `softmax` rule of the arithmetic per row: it is shift-invariant, which a composition of exp and sum would not show.

use super::error::OpError;
use super::operands::Operands;
use super::strided::{axis as index_of, copy, strides};
use crate::arith::Arith;
use crate::value::{Array, Value};

/// Softmax, or its logarithm.
pub(super) fn evaluate<A: Arith>(
    axis: i64,
    coerce_2d: bool,
    log: bool,
    x: &Operands<A::E>,
    arith: &A,
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
        data.chunks_exact(width)
            .flat_map(|row| arith.softmax(row, 1.0, log))
            .map(|e| arith.store(e, d))
            .collect()
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
