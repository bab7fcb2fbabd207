//! Concat and Split.
//!
//! # Definition
//! Concat (ONNX Concat-13) lays tensors end to end along one axis; all other extents agree. Split (Split-18) is its inverse: parts of the
//! sizes given, or `num_outputs` parts of `ceil(extent / num_outputs)`, the last one smaller.
//! # Edge cases
//! Parts and operands of extent 0 are allowed. Sizes that don't add up to the extent are an error, and so is a `num_outputs`
//! that would make the last part negative. Without sizes and `num_outputs` the number of results decides.
//! # Numerics
//! Copies.

use super::either_kind;
use super::error::{OpError, shape};
use super::operands::Operands;
use super::strided::{axis as index_of, elements, extent};
use crate::value::{Array, Value};
use halfproof_ir::ops::{Concat, Split};

/// Concat.
pub(super) fn concat<E: Copy>(op: &Concat, x: &Operands<E>) -> Result<Value<E>, OpError> {
    let first = x.need(0)?;
    let at = index_of(op.axis, first.shape().len())?;
    let misfit = |i: usize, v: &Value<E>| OpError::Type { operand: i, dtype: v.dtype() };
    match first {
        Value::Float(d, _) => {
            let part = |i: usize| match x.need(i)? {
                Value::Float(e, a) if e == d => Ok(a),
                other => Err(misfit(i, other)),
            };
            let parts = (0..x.0.len()).map(part).collect::<Result<Vec<_>, _>>()?;
            Ok(Value::Float(*d, join(&parts, at)?))
        }
        Value::Whole(d, _) => {
            let part = |i: usize| match x.need(i)? {
                Value::Whole(e, a) if e == d => Ok(a),
                other => Err(misfit(i, other)),
            };
            let parts = (0..x.0.len()).map(part).collect::<Result<Vec<_>, _>>()?;
            Ok(Value::Whole(*d, join(&parts, at)?))
        }
    }
}

fn join<T: Copy>(parts: &[&Array<T>], at: usize) -> Result<Array<T>, OpError> {
    let mut dims = parts[0].shape.clone();
    dims[at] = 0;
    for p in parts {
        let same = p.shape.len() == dims.len() && (0..dims.len()).all(|i| i == at || p.shape[i] == dims[i]);
        if !same {
            return Err(shape(format!(
                "shapes {:?} and {:?} differ beside axis {at}",
                parts[0].shape, p.shape
            )));
        }
        dims[at] += p.shape[at];
    }
    let mut data = Vec::with_capacity(elements(&dims)?);
    let outer: usize = dims[..at].iter().product();
    let runs: Vec<usize> = parts.iter().map(|p| p.shape[at..].iter().product()).collect();
    for i in 0..outer {
        for (p, run) in parts.iter().zip(&runs) {
            data.extend_from_slice(&p.data[i * run..][..*run]);
        }
    }
    Ok(Array { shape: dims, data })
}

/// Split.
pub(super) fn split<E: Copy>(op: &Split, outputs: usize, x: &Operands<E>) -> Result<Vec<Value<E>>, OpError> {
    let value = x.need(0)?;
    let at = index_of(op.axis, value.shape().len())?;
    let whole = value.shape()[at];
    let sizes = match x.optional_ints(1)? {
        Some(list) => list.into_iter().map(extent).collect::<Result<Vec<_>, _>>()?,
        None => even(whole, op.num_outputs.map_or(Ok(outputs), extent)?)?,
    };
    let total = sizes.iter().try_fold(0usize, |sum, &n| sum.checked_add(n));
    if total != Some(whole) || sizes.len() < outputs {
        return Err(shape(format!("parts {sizes:?} of an extent of {whole}, {outputs} results")));
    }
    let mut start = 0;
    let mut results = Vec::with_capacity(sizes.len());
    for n in sizes {
        results.push(either_kind!(value, a => part(a, at, start, n)));
        start += n;
    }
    Ok(results)
}

fn even(whole: usize, parts: usize) -> Result<Vec<usize>, OpError> {
    let misfit = || shape(format!("an extent of {whole} cannot be split into {parts} parts"));
    if parts == 0 || parts > whole.max(1 << 16) {
        return Err(misfit());
    }
    let size = whole.div_ceil(parts);
    let last = whole.checked_sub(size * (parts - 1)).ok_or_else(misfit)?;
    let mut sizes = vec![size; parts];
    sizes[parts - 1] = last;
    Ok(sizes)
}

fn part<T: Copy>(a: &Array<T>, at: usize, start: usize, n: usize) -> Array<T> {
    let mut dims = a.shape.clone();
    dims[at] = n;
    let outer: usize = dims[..at].iter().product();
    let inner: usize = dims[at + 1..].iter().product();
    let (stride, run) = (a.shape[at] * inner, n * inner);
    let mut data = Vec::with_capacity(outer * run);
    for i in 0..outer {
        data.extend_from_slice(&a.data[i * stride + start * inner..][..run]);
    }
    Array { shape: dims, data }
}
