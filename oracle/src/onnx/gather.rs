//! Gather.
//!
//! # Definition
//! The axis `axis` of data is replaced by the axes of indices: entries of data at those indices (ONNX Gather-13).
//! # Edge cases
//! Negative indices count from the end; an index out of bounds is an error.
//! # Numerics
//! Copies. What an undecided index fetches is unknown.

use super::error::{OpError, shape};
use super::operands::Operands;
use super::strided::{axis as index_of, elements};
use crate::arith::Arith;
use crate::value::{Array, Value, Whole};
use halfproof_ir::DType;
use halfproof_ir::ops::Gather;

/// Gather.
pub(super) fn evaluate<A: Arith>(op: &Gather, x: &Operands<A::E>, arith: &A) -> Result<Value<A::E>, OpError> {
    let indices = match x.need(1)? {
        Value::Whole(d, a) if *d != DType::Bool => a,
        other => return Err(OpError::Type { operand: 1, dtype: other.dtype() }),
    };
    let value = x.need(0)?;
    let at = index_of(op.axis, value.shape().len())?;
    Ok(match value {
        Value::Float(d, a) => Value::Float(*d, gather(a, indices, at, |e| arith.unknown(e))?),
        Value::Whole(d, a) => {
            Value::Whole(*d, gather(a, indices, at, |w: Whole| Whole { decided: false, ..w })?)
        }
    })
}

fn gather<T: Copy>(
    a: &Array<T>,
    indices: &Array<Whole>,
    at: usize,
    unknown: impl Fn(T) -> T,
) -> Result<Array<T>, OpError> {
    let n = a.shape[at];
    let dims: Vec<usize> =
        a.shape[..at].iter().chain(&indices.shape).chain(&a.shape[at + 1..]).copied().collect();
    let mut data = Vec::with_capacity(elements(&dims)?);
    let rows = indices
        .data
        .iter()
        .map(|i| {
            let from_start =
                if i.value < 0 { i.value.saturating_add(n.cast_signed() as i64) } else { i.value };
            let row = usize::try_from(from_start).ok().filter(|&row| row < n);
            row.map(|row| (row, i.decided))
                .ok_or_else(|| shape(format!("index {} is outside an extent of {n}", i.value)))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let outer: usize = a.shape[..at].iter().product();
    let inner: usize = a.shape[at + 1..].iter().product();
    for i in 0..outer {
        for &(row, decided) in &rows {
            let run = &a.data[(i * n + row) * inner..][..inner];
            if decided {
                data.extend_from_slice(run);
            } else {
                data.extend(run.iter().map(|&e| unknown(e)));
            }
        }
    }
    Ok(Array { shape: dims, data })
}
