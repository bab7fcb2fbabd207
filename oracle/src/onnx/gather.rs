//! Gather and OneHot.
//!
//! # Definition
//! The axis `axis` of data is replaced by the axes of indices: entries of data at those indices (ONNX Gather-13).
//! OneHot-11: a new axis at `axis` of `depth` elements, the on-value where its index is the given one, the off-value elsewhere.
//! # Edge cases
//! Negative indices count from the end; an index out of bounds is an error in Gather, and nowhere on in OneHot. Indices of OneHot
//! may be floats, which are cut to integers.
//! # Numerics
//! Copies. What an undecided index fetches is unknown.

use super::error::{OpError, shape};
use super::operands::Operands;
use super::strided::{axis as index_of, elements, extent, map};
use crate::arith::Arith;
use crate::value::{Array, Value, Whole};
use halfproof_ir::DType;
use halfproof_ir::ops::{Gather, OneHot};

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

/// OneHot.
pub(super) fn one_hot<A: Arith>(op: &OneHot, x: &Operands<A::E>, arith: &A) -> Result<Value<A::E>, OpError> {
    let whole = |i: usize| -> Result<Array<Whole>, OpError> {
        Ok(match x.need(i)? {
            Value::Float(_, a) => map(a, |e| arith.truncate(e)),
            Value::Whole(_, a) => a.clone(),
        })
    };
    let indices = whole(0)?;
    let depth = match whole(1)?.data[..] {
        [w] if w.decided => extent(w.value)?,
        [_] => return Err(OpError::Undecided(1)),
        _ => return Err(shape("depth is not one number")),
    };
    let at = index_of(op.axis, indices.shape.len() + 1)?;
    let mut dims = indices.shape.clone();
    dims.insert(at, depth);
    let total = elements(&dims)?;
    let inner: usize = dims[at + 1..].iter().product();
    let depth_signed = depth.cast_signed() as i64;
    // For every element of the result: whether its place is the one that the index names, and whether that is decided.
    let hits = (0..total).map(|i| {
        let (outer, place, rest) = (i / (inner * depth), i / inner % depth, i % inner);
        let index = indices.data[outer * inner + rest];
        let from_start = if index.value < 0 { index.value.saturating_add(depth_signed) } else { index.value };
        (from_start == place.cast_signed() as i64, index.decided)
    });
    Ok(match x.need(2)? {
        Value::Float(d, Array { data, .. }) => {
            let &[off, on] = &data[..] else { return Err(shape("values are not two")) };
            let pick = |(hit, decided)| match (hit, decided) {
                (true, true) => on,
                (false, true) => off,
                (true, false) => arith.either(on, off),
                (false, false) => arith.either(off, on),
            };
            Value::Float(*d, Array { shape: dims, data: hits.map(pick).collect() })
        }
        Value::Whole(d, Array { data, .. }) => {
            let &[off, on] = &data[..] else { return Err(shape("values are not two")) };
            let pick = |(hit, decided): (bool, bool)| {
                let chosen = if hit { on } else { off };
                Whole { decided: chosen.decided && (decided || on == off), ..chosen }
            };
            Value::Whole(*d, Array { shape: dims, data: hits.map(pick).collect() })
        }
    })
}
