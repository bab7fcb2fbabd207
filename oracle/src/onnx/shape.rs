//! Operators that only rearrange or tell shapes: Identity Reshape Flatten Squeeze Unsqueeze Expand Tile Shape Size Range
//! ConstantOfShape EyeLike.
//!
//! # Definition
//! ONNX Identity-13, Reshape-14, Flatten-13, Squeeze-13, Unsqueeze-13, Expand-13, Tile-13, Shape-15, Size-13, Range-11,
//! ConstantOfShape-9, EyeLike-9 (ones on the k-th diagonal of a matrix of the operand's shape). Elements keep their row-major order, except in Expand and Tile, which repeat them.
//! # Edge cases
//! Reshape: one -1 is inferred; 0 copies the extent at that position unless `allowzero`; -1 together with a 0 extent cannot be
//! inferred and is an error. Flatten accepts `axis = rank` and negative axes, and makes a matrix of any rank, 0 included.
//! Squeeze without axes drops every axis of extent 1. Expand broadcasts in both directions: an extent of 1 in the
//! shape operand keeps the tensor's. Shape clamps `start` and `end` to the rank.
//! Range has `max(0, ceil((limit - start) / delta))` elements `start + i * delta`.
//! # Numerics
//! Copies, except Range of floats: one multiplication and one addition per element (the specification allows repeated
//! addition as well). Its operands decide a shape and must be exact.

use super::either_kind;
use super::error::{OpError, attribute, shape as misfit};
use super::operands::Operands;
use super::strided::{self, axes, axis, broadcast, elements, extent};
use crate::arith::{Arith, Comparison};
use crate::value::{Array, Value, Whole};
use halfproof_ir::DType;
use halfproof_ir::ops::{ConstantOfShape, EyeLike, Flatten, Reshape, Shape};

/// Identity.
pub(super) fn identity<E: Copy>(x: &Operands<E>) -> Result<Value<E>, OpError> {
    x.need(0).cloned()
}

/// The same elements under another shape of the same size.
fn with_shape<E: Copy>(value: &Value<E>, dims: Vec<usize>) -> Value<E> {
    either_kind!(value, a => Array { shape: dims, data: a.data.clone() })
}

/// Reshape.
pub(super) fn reshape<E: Copy>(op: &Reshape, x: &Operands<E>) -> Result<Value<E>, OpError> {
    let value = x.need(0)?;
    let wanted = x.ints(1)?;
    let from = value.shape();
    let mut dims = Vec::with_capacity(wanted.len());
    let mut inferred = None;
    for (i, &n) in wanted.iter().enumerate() {
        dims.push(match n {
            -1 if inferred.is_some() => return Err(misfit("shape has more than one -1")),
            -1 => {
                inferred = Some(i);
                1
            }
            0 if !op.allowzero => *from.get(i).ok_or_else(|| {
                misfit(format!("shape has a 0 at {i}, beyond the operand's rank {}", from.len()))
            })?,
            n => extent(n)?,
        });
    }
    let known = elements(&dims)?;
    if let Some(i) = inferred {
        if known == 0 {
            return Err(misfit("-1 cannot be inferred beside an extent of 0"));
        }
        dims[i] = value.len() / known;
    }
    if elements(&dims)? != value.len() {
        return Err(misfit(format!("shape {from:?} cannot be viewed as {wanted:?}")));
    }
    Ok(with_shape(value, dims))
}

/// Flatten.
pub(super) fn flatten<E: Copy>(op: &Flatten, x: &Operands<E>) -> Result<Value<E>, OpError> {
    let value = x.need(0)?;
    let dims = value.shape();
    let rank = dims.len();
    let cut = if op.axis == rank.cast_signed() as i64 { rank } else { axis(op.axis, rank)? };
    Ok(with_shape(value, vec![dims[..cut].iter().product(), dims[cut..].iter().product()]))
}

/// Squeeze.
pub(super) fn squeeze<E: Copy>(x: &Operands<E>) -> Result<Value<E>, OpError> {
    let value = x.need(0)?;
    let dims = value.shape();
    let dropped = match x.optional_ints(1)? {
        Some(list) => axes(&list, dims.len())?,
        None => (0..dims.len()).filter(|&i| dims[i] == 1).collect(),
    };
    if let Some(&i) = dropped.iter().find(|&&i| dims[i] != 1) {
        return Err(misfit(format!("axis {i} of shape {dims:?} is not 1")));
    }
    let kept = (0..dims.len()).filter(|i| !dropped.contains(i)).map(|i| dims[i]).collect();
    Ok(with_shape(value, kept))
}

/// Unsqueeze.
pub(super) fn unsqueeze<E: Copy>(x: &Operands<E>) -> Result<Value<E>, OpError> {
    let value = x.need(0)?;
    let list = x.ints(1)?;
    let rank = value.shape().len() + list.len();
    let new = axes(&list, rank)?;
    let mut old = value.shape().iter();
    let dims =
        (0..rank).map(|i| if new.contains(&i) { 1 } else { old.next().copied().unwrap_or(1) }).collect();
    Ok(with_shape(value, dims))
}

/// Expand.
pub(super) fn expand<E: Copy>(x: &Operands<E>) -> Result<Value<E>, OpError> {
    let value = x.need(0)?;
    let wanted = x.ints(1)?.into_iter().map(extent).collect::<Result<Vec<_>, _>>()?;
    let dims = broadcast(&[value.shape(), &wanted])?;
    Ok(either_kind!(value, a => {
        let data = strided::expand(a, &dims)?.into_owned();
        Array { shape: dims, data }
    }))
}

/// Tile.
pub(super) fn tile<E: Copy>(x: &Operands<E>) -> Result<Value<E>, OpError> {
    let value = x.need(0)?;
    let repeats = x.ints(1)?.into_iter().map(extent).collect::<Result<Vec<_>, _>>()?;
    let from = value.shape();
    if repeats.len() != from.len() {
        return Err(misfit(format!("{} repeats for a tensor of rank {}", repeats.len(), from.len())));
    }
    // Each axis becomes two, (repeat, extent), and a repeat costs no step.
    let (mut split, mut steps) = (Vec::new(), Vec::new());
    for ((&n, step), &r) in from.iter().zip(strided::strides(from)).zip(&repeats) {
        split.extend([r, n]);
        steps.extend([0, step]);
    }
    elements(&split)?;
    let dims: Vec<usize> = split.chunks(2).map(|p| p[0] * p[1]).collect();
    Ok(either_kind!(value, a => Array { shape: dims, data: strided::copy(&a.data, 0, &split, &steps) }))
}

/// Shape.
pub(super) fn shape_of<E: Copy>(op: &Shape, x: &Operands<E>) -> Result<Value<E>, OpError> {
    let dims = x.need(0)?.shape();
    let rank = dims.len().cast_signed() as i64;
    let clamp = |i: i64| {
        let i = if i < 0 { i.saturating_add(rank) } else { i };
        i.clamp(0, rank).cast_unsigned() as usize
    };
    let (start, end) = (clamp(op.start), clamp(op.end.unwrap_or(rank)));
    let data: Vec<Whole> = dims[start..end.max(start)].iter().map(|&n| count(n)).collect();
    Ok(Value::Whole(DType::I64, Array { shape: vec![data.len()], data }))
}

/// Size.
pub(super) fn size<E: Copy>(x: &Operands<E>) -> Result<Value<E>, OpError> {
    Ok(Value::Whole(DType::I64, Array { shape: vec![], data: vec![count(x.need(0)?.len())] }))
}

fn count(n: usize) -> Whole {
    Whole::known(n.cast_signed() as i64)
}

/// Range.
pub(super) fn range<A: Arith>(x: &Operands<A::E>, arith: &A) -> Result<Value<A::E>, OpError> {
    let dtype = x.need(0)?.dtype();
    for i in 0..3 {
        let operand = x.need(i)?;
        if operand.dtype() != dtype || dtype == DType::Bool {
            return Err(OpError::Type { operand: i, dtype: operand.dtype() });
        }
        if operand.len() != 1 {
            return Err(misfit(format!("operand {i} has shape {:?}, a scalar is needed", operand.shape())));
        }
    }
    if dtype.is_float() {
        let mut numbers = [0.0; 3];
        let mut given = [arith.exact(0.0); 3];
        for i in 0..3 {
            given[i] = x.floats(i)?.1.data[0];
            numbers[i] = arith.centre(given[i]);
            if arith.compare(given[i], arith.exact(numbers[i])) != (Comparison::Equal, true) {
                return Err(OpError::Undecided(i));
            }
        }
        let [start, limit, delta] = numbers;
        let n = whole_count(((limit - start) / delta).ceil())?;
        #[expect(clippy::cast_precision_loss, reason = "an index below the limit on elements")]
        let element = |i: usize| {
            let step = arith.mul(arith.exact(i as f64), given[2]);
            arith.store(arith.add(given[0], step), dtype)
        };
        return Ok(Value::Float(dtype, Array { shape: vec![n], data: (0..n).map(element).collect() }));
    }
    let ints = [x.ints(0)?[0], x.ints(1)?[0], x.ints(2)?[0]].map(i128::from);
    let [start, limit, delta] = ints;
    if delta == 0 {
        return Err(misfit("delta of Range is 0"));
    }
    let (distance, step) = if delta > 0 { (limit - start, delta) } else { (start - limit, -delta) };
    let n = usize::try_from((distance + step - 1).max(0) / step).unwrap_or(usize::MAX);
    elements(&[n])?;
    // Every element lies between start and limit, so the conversion back is exact.
    let element = |i: usize| Whole::known(i64::try_from(start + delta * i as i128).unwrap_or(i64::MAX));
    Ok(Value::Whole(dtype, Array { shape: vec![n], data: (0..n).map(element).collect() }))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked against both ends first"
)]
fn whole_count(n: f64) -> Result<usize, OpError> {
    if n.is_nan() {
        return Err(misfit("Range has no number of elements"));
    }
    let n = n.clamp(0.0, 1e18) as usize;
    elements(&[n])
}

/// ConstantOfShape.
pub(super) fn constant_of_shape<A: Arith>(
    op: &ConstantOfShape,
    x: &Operands<A::E>,
    arith: &A,
) -> Result<Value<A::E>, OpError> {
    let dims = x.ints(0)?.into_iter().map(extent).collect::<Result<Vec<_>, _>>()?;
    let n = elements(&dims)?;
    let Some(tensor) = &op.value else {
        return Ok(Value::Float(DType::F32, Array { shape: dims, data: vec![arith.exact(0.0); n] }));
    };
    let value = super::load(tensor, arith).filter(|v| v.len() == 1);
    let value = value.ok_or_else(|| attribute("value must be one number in the range of INT64"))?;
    Ok(either_kind!(&value, a => Array { shape: dims, data: vec![a.data[0]; n] }))
}

/// EyeLike.
pub(super) fn eye_like<A: Arith>(
    op: &EyeLike,
    x: &Operands<A::E>,
    arith: &A,
) -> Result<Value<A::E>, OpError> {
    let value = x.need(0)?;
    let &[rows, columns] = value.shape() else {
        return Err(misfit(format!("EyeLike of a tensor of shape {:?}", value.shape())));
    };
    let dtype = op.dtype.unwrap_or(value.dtype());
    let dims = vec![rows, columns];
    let on = |i: usize| (i % columns).cast_signed() as i64 - (i / columns).cast_signed() as i64 == op.k;
    let cells = 0..rows * columns;
    Ok(if dtype.is_float() {
        let data = cells.map(|i| arith.exact(if on(i) { 1.0 } else { 0.0 })).collect();
        Value::Float(dtype, Array { shape: dims, data })
    } else {
        let data = cells.map(|i| Whole::known(i64::from(on(i)))).collect();
        Value::Whole(dtype, Array { shape: dims, data })
    })
}
