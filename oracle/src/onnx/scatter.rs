//! Reading and writing by tensors of indices: GatherElements GatherND ScatterElements ScatterND TensorScatter Compress NonZero
//! ReverseSequence.
//!
//! # Definition
//! GatherElements-13: `Y[i][j] = X[I[i][j]][j]` (for axis 0). GatherND-13: the last axis of the indices names an element or a slice
//! of X behind `batch_dims` common axes. ScatterElements-18 and ScatterND-18: a copy of X in which the places that the indices
//! name are replaced by the updates, or combined with them (`add`, `mul`, `max`, `min`) in the order of the updates.
//! TensorScatter-24: updates replace a run of X along `axis` that begins, for each batch, at its write index; in `circular`
//! mode the run wraps around. Compress-11: the slices along an axis (or the elements of the flattened X) under a true condition.
//! NonZero-13: the indices of the elements that are not 0, one column each. ReverseSequence-10: for each batch the first `n` steps of
//! the time axis in reverse.
//! # Edge cases
//! Negative indices count from the end, except in TensorScatter; an index out of bounds is an error. A condition shorter
//! than its axis is continued with false. Two updates of one place in `none` mode: the specification forbids it, here the last one stays.
//! # Numerics
//! Copies; `add` and `mul` round after every update. What an undecided index fetches is unknown; writing by one is refused,
//! because every place could change.

use super::either_kind;
use super::error::{OpError, attribute, shape};
use super::operands::Operands;
use super::strided::{axis as index_of, elements, strides};
use super::whole::{combine, wrap};
use crate::arith::{Arith, Comparison};
use crate::value::{Array, Value, Whole};
use halfproof_ir::DType;
use halfproof_ir::ops::{
    Compress, GatherElements, GatherND, ReverseSequence, ScatterElements, ScatterND, TensorScatter,
};

fn indices<'a, E: Copy>(x: &Operands<'a, E>, i: usize) -> Result<&'a Array<Whole>, OpError> {
    match x.need(i)? {
        Value::Whole(d, a) if *d != DType::Bool => Ok(a),
        other => Err(OpError::Type { operand: i, dtype: other.dtype() }),
    }
}

/// An index that may count from the end of an extent.
fn place(index: i64, extent: usize) -> Result<usize, OpError> {
    let from_start = if index < 0 { index.saturating_add(extent.cast_signed() as i64) } else { index };
    usize::try_from(from_start)
        .ok()
        .filter(|&i| i < extent)
        .ok_or_else(|| shape(format!("index {index} is outside an extent of {extent}")))
}

/// The coordinates of the n-th element of a row-major tensor.
fn coordinates(mut n: usize, dims: &[usize]) -> Vec<usize> {
    let mut at = vec![0; dims.len()];
    for i in (0..dims.len()).rev() {
        at[i] = n % dims[i].max(1);
        n /= dims[i].max(1);
    }
    at
}

fn offset(at: &[usize], dims: &[usize]) -> usize {
    at.iter().zip(strides(dims)).map(|(&i, s)| i * s.cast_unsigned()).sum()
}

/// The elements at the flat places, unknown where the place is undecided.
fn fetch<A: Arith>(
    value: &Value<A::E>,
    places: &[(usize, bool)],
    dims: Vec<usize>,
    arith: &A,
) -> Value<A::E> {
    match value {
        Value::Float(d, a) => {
            let data = places
                .iter()
                .map(|&(p, decided)| if decided { a.data[p] } else { arith.unknown(a.data[p]) })
                .collect();
            Value::Float(*d, Array { shape: dims, data })
        }
        Value::Whole(d, a) => {
            let data = places
                .iter()
                .map(|&(p, decided)| Whole { decided: a.data[p].decided && decided, ..a.data[p] })
                .collect();
            Value::Whole(*d, Array { shape: dims, data })
        }
    }
}

/// GatherElements.
pub(super) fn gather_elements<A: Arith>(
    op: &GatherElements,
    x: &Operands<A::E>,
    arith: &A,
) -> Result<Value<A::E>, OpError> {
    let (value, chosen) = (x.need(0)?, indices(x, 1)?);
    let dims = value.shape();
    let at = index_of(op.axis, dims.len())?;
    let fits =
        chosen.shape.len() == dims.len() && (0..dims.len()).all(|i| i == at || chosen.shape[i] <= dims[i]);
    if !fits {
        return Err(shape(format!("indices of shape {:?} for a tensor of shape {dims:?}", chosen.shape)));
    }
    let places = (0..chosen.data.len())
        .map(|n| {
            let mut to = coordinates(n, &chosen.shape);
            to[at] = place(chosen.data[n].value, dims[at])?;
            Ok((offset(&to, dims), chosen.data[n].decided))
        })
        .collect::<Result<Vec<_>, OpError>>()?;
    Ok(fetch(value, &places, chosen.shape.clone(), arith))
}

/// For every tuple along the last axis of the indices: the flat number of the slice that it names, and whether that is decided.
/// `batch` leading axes are common.
fn tuples(
    chosen: &Array<Whole>,
    dims: &[usize],
    batch: usize,
) -> Result<(Vec<(usize, bool)>, usize), OpError> {
    let (&width, outer) = chosen.shape.split_last().ok_or_else(|| shape("indices are a scalar"))?;
    if batch + width > dims.len() || outer.len() < batch || outer[..batch] != dims[..batch] {
        return Err(shape(format!("indices of shape {:?} for a tensor of shape {dims:?}", chosen.shape)));
    }
    let rows: usize = outer.iter().product();
    let per_batch = rows / outer[..batch].iter().product::<usize>().max(1);
    let found = (0..rows)
        .map(|n| {
            let row = &chosen.data[n * width..][..width];
            let mut flat = n / per_batch.max(1);
            for (w, &extent) in row.iter().zip(&dims[batch..]) {
                flat = flat * extent + place(w.value, extent)?;
            }
            Ok((flat, row.iter().all(|w| w.decided)))
        })
        .collect::<Result<Vec<_>, OpError>>()?;
    Ok((found, dims[batch + width..].iter().product()))
}

/// GatherND.
pub(super) fn gather_nd<A: Arith>(
    op: &GatherND,
    x: &Operands<A::E>,
    arith: &A,
) -> Result<Value<A::E>, OpError> {
    let (value, chosen) = (x.need(0)?, indices(x, 1)?);
    let batch = usize::try_from(op.batch_dims).map_err(|_| attribute("batch_dims is negative"))?;
    let (slices, size) = tuples(chosen, value.shape(), batch)?;
    let width = chosen.shape.last().copied().unwrap_or(0);
    let dims: Vec<usize> = chosen.shape[..chosen.shape.len() - 1]
        .iter()
        .chain(&value.shape()[batch + width..])
        .copied()
        .collect();
    elements(&dims)?;
    let places: Vec<(usize, bool)> =
        slices.iter().flat_map(|&(s, d)| (0..size).map(move |i| (s * size + i, d))).collect();
    Ok(fetch(value, &places, dims, arith))
}

/// Replaces or combines elements at the flat places, in the order of the updates.
fn write<A: Arith>(
    x: &Operands<A::E>,
    updates: usize,
    places: &[usize],
    reduction: &str,
    arith: &A,
) -> Result<Value<A::E>, OpError> {
    if !matches!(reduction, "none" | "add" | "mul" | "max" | "min") {
        return Err(attribute(format!("reduction {reduction:?}")));
    }
    Ok(match (x.need(0)?, x.need(updates)?) {
        (Value::Float(d, a), Value::Float(e, u)) if d == e => {
            let mut data = a.data.clone();
            for (&p, &new) in places.iter().zip(&u.data) {
                let old = data[p];
                data[p] = match reduction {
                    "add" => arith.store(arith.add(old, new), *d),
                    "mul" => arith.store(arith.mul(old, new), *d),
                    "max" => arith.max(old, new),
                    "min" => arith.min(old, new),
                    _ => new,
                };
            }
            Value::Float(*d, Array { shape: a.shape.clone(), data })
        }
        (Value::Whole(d, a), Value::Whole(e, u)) if d == e => {
            let mut data = a.data.clone();
            for (&p, &new) in places.iter().zip(&u.data) {
                let old = data[p];
                data[p] = match reduction {
                    "add" => combine(old, new, |a, b| wrap(a.wrapping_add(b), *d)),
                    "mul" => combine(old, new, |a, b| wrap(a.wrapping_mul(b), *d)),
                    "max" => combine(old, new, i64::max),
                    "min" => combine(old, new, i64::min),
                    _ => new,
                };
            }
            Value::Whole(*d, Array { shape: a.shape.clone(), data })
        }
        (_, u) => return Err(OpError::Type { operand: updates, dtype: u.dtype() }),
    })
}

/// ScatterElements.
pub(super) fn scatter_elements<A: Arith>(
    op: &ScatterElements,
    x: &Operands<A::E>,
    arith: &A,
) -> Result<Value<A::E>, OpError> {
    let (dims, chosen, updates) = (x.need(0)?.shape(), indices(x, 1)?, x.need(2)?);
    let at = index_of(op.axis, dims.len())?;
    let fits = chosen.shape == updates.shape()
        && chosen.shape.len() == dims.len()
        && (0..dims.len()).all(|i| i == at || chosen.shape[i] <= dims[i]);
    if !fits {
        return Err(shape(format!("indices of shape {:?} for a tensor of shape {dims:?}", chosen.shape)));
    }
    if chosen.data.iter().any(|w| !w.decided) {
        return Err(OpError::Undecided(1));
    }
    let places = (0..chosen.data.len())
        .map(|n| {
            let mut to = coordinates(n, &chosen.shape);
            to[at] = place(chosen.data[n].value, dims[at])?;
            Ok(offset(&to, dims))
        })
        .collect::<Result<Vec<_>, OpError>>()?;
    write(x, 2, &places, &op.reduction, arith)
}

/// ScatterND.
pub(super) fn scatter_nd<A: Arith>(
    op: &ScatterND,
    x: &Operands<A::E>,
    arith: &A,
) -> Result<Value<A::E>, OpError> {
    let (dims, chosen, updates) = (x.need(0)?.shape(), indices(x, 1)?, x.need(2)?);
    let (slices, size) = tuples(chosen, dims, 0)?;
    if slices.iter().any(|(_, decided)| !decided) {
        return Err(OpError::Undecided(1));
    }
    let width = chosen.shape.last().copied().unwrap_or(0);
    let wanted: Vec<usize> =
        chosen.shape[..chosen.shape.len() - 1].iter().chain(&dims[width..]).copied().collect();
    if updates.shape() != wanted {
        return Err(shape(format!("updates of shape {:?}, {wanted:?} are needed", updates.shape())));
    }
    let places: Vec<usize> = slices.iter().flat_map(|&(s, _)| (0..size).map(move |i| s * size + i)).collect();
    write(x, 2, &places, &op.reduction, arith)
}

/// TensorScatter.
pub(super) fn tensor_scatter<A: Arith>(
    op: &TensorScatter,
    x: &Operands<A::E>,
    arith: &A,
) -> Result<Value<A::E>, OpError> {
    let (dims, updates) = (x.need(0)?.shape(), x.need(1)?.shape());
    let at = index_of(op.axis, dims.len())?;
    let fits =
        at > 0 && updates.len() == dims.len() && (0..dims.len()).all(|i| i == at || updates[i] == dims[i]);
    if !fits || updates[at] > dims[at] {
        return Err(shape(format!("updates of shape {updates:?} for a tensor of shape {dims:?}")));
    }
    let starts = x.optional_ints(2)?.unwrap_or_else(|| vec![0; dims[0]]);
    if starts.len() != dims[0] {
        return Err(shape(format!("{} write indices for {} batches", starts.len(), dims[0])));
    }
    let circular = match op.mode.as_str() {
        "linear" => false,
        "circular" => true,
        mode => return Err(attribute(format!("mode {mode:?}"))),
    };
    let places = (0..updates.iter().product::<usize>())
        .map(|n| {
            let mut to = coordinates(n, updates);
            let start = usize::try_from(starts[to[0]]).map_err(|_| shape("a write index is negative"))?;
            let step = start.saturating_add(to[at]);
            to[at] = if circular { step % dims[at].max(1) } else { step };
            if to[at] >= dims[at] {
                return Err(shape(format!("step {step} is outside an extent of {}", dims[at])));
            }
            Ok(offset(&to, dims))
        })
        .collect::<Result<Vec<_>, OpError>>()?;
    write(x, 1, &places, "none", arith)
}

/// Compress.
pub(super) fn compress<E: Copy>(op: &Compress, x: &Operands<E>) -> Result<Value<E>, OpError> {
    let value = x.need(0)?;
    let Value::Whole(DType::Bool, condition) = x.need(1)? else {
        return Err(OpError::Type { operand: 1, dtype: x.need(1)?.dtype() });
    };
    if condition.data.iter().any(|w| !w.decided) {
        return Err(OpError::Undecided(1));
    }
    let (dims, at) = match op.axis {
        Some(axis) => (value.shape().to_vec(), index_of(axis, value.shape().len())?),
        None => (vec![value.len()], 0),
    };
    let kept: Vec<usize> = (0..condition.data.len()).filter(|&i| condition.data[i].value != 0).collect();
    if kept.last().is_some_and(|&i| i >= dims[at]) {
        return Err(shape(format!("the condition goes beyond an extent of {}", dims[at])));
    }
    let mut to = dims.clone();
    to[at] = kept.len();
    let places = (0..to.iter().product::<usize>()).map(|n| {
        let mut from = coordinates(n, &to);
        from[at] = kept[from[at]];
        offset(&from, &dims)
    });
    Ok(either_kind!(value, a => Array { shape: to.clone(), data: places.map(|p| a.data[p]).collect() }))
}

/// NonZero.
pub(super) fn non_zero<A: Arith>(x: &Operands<A::E>, arith: &A) -> Result<Value<A::E>, OpError> {
    let value = x.need(0)?;
    let held = |n: usize| match value {
        Value::Float(_, a) => {
            let (order, decided) = arith.compare(a.data[n], arith.exact(0.0));
            (order != Comparison::Equal, decided)
        }
        Value::Whole(_, a) => (a.data[n].value != 0, a.data[n].decided),
    };
    let mut found = Vec::new();
    for n in 0..value.len() {
        match held(n) {
            (_, false) => return Err(OpError::Undecided(0)),
            (true, true) => found.push(coordinates(n, value.shape())),
            (false, true) => {}
        }
    }
    let rank = value.shape().len();
    let column = |axis: usize| found.iter().map(move |at| Whole::known(at[axis].cast_signed() as i64));
    let data = (0..rank).flat_map(column).collect();
    Ok(Value::Whole(DType::I64, Array { shape: vec![rank, found.len()], data }))
}

/// ReverseSequence.
pub(super) fn reverse_sequence<E: Copy>(op: &ReverseSequence, x: &Operands<E>) -> Result<Value<E>, OpError> {
    let value = x.need(0)?;
    let dims = value.shape();
    let (batch, time) = match (op.batch_axis, op.time_axis) {
        (0, 1) => (0, 1),
        (1, 0) => (1, 0),
        _ => return Err(attribute("batch_axis and time_axis are not 0 and 1")),
    };
    if dims.len() < 2 {
        return Err(shape(format!("ReverseSequence of a tensor of shape {dims:?}")));
    }
    let lengths = x.ints(1)?;
    if lengths.len() != dims[batch] {
        return Err(shape(format!("{} lengths for {} batches", lengths.len(), dims[batch])));
    }
    let places = (0..value.len())
        .map(|n| {
            let mut at = coordinates(n, dims);
            let length = usize::try_from(lengths[at[batch]]).ok().filter(|&l| l <= dims[time]);
            let length = length.ok_or_else(|| shape("a sequence is longer than its axis"))?;
            if at[time] < length {
                at[time] = length - 1 - at[time];
            }
            Ok(offset(&at, dims))
        })
        .collect::<Result<Vec<_>, OpError>>()?;
    Ok(
        either_kind!(value, a => Array { shape: a.shape.clone(), data: places.iter().map(|&p| a.data[p]).collect() }),
    )
}
