//! Reading and writing by tensors of indices: everything becomes a Gather from a flat tensor.
//!
//! Indices may be computed where they are only read by. Writing needs constant ones: each element of the result is then
//! either one of the tensor or one of the updates, a Gather from both; updates that are combined with what is there come in
//! as many rounds as one place has updates.

use super::Builder;
use crate::infer::axis;
use halfproof_ir::ops::{Cast, Concat, Gather, Mod};
use halfproof_ir::{DType, Node, Op, ValueId};

/// Distance between neighbours along each axis.
pub(super) fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for i in (1..shape.len()).rev() {
        strides[i - 1] = strides[i] * shape[i];
    }
    strides
}

pub(super) fn signed(n: usize) -> i64 {
    n.cast_signed() as i64
}

/// The coordinates of the n-th element.
pub(super) fn coordinates(mut n: usize, shape: &[usize]) -> Vec<usize> {
    let mut at = vec![0; shape.len()];
    for i in (0..shape.len()).rev() {
        at[i] = n % shape[i].max(1);
        n /= shape[i].max(1);
    }
    at
}

pub(super) fn offset(at: &[usize], shape: &[usize]) -> usize {
    at.iter().zip(strides(shape)).map(|(i, s)| i * s).sum()
}

/// An index that may count from the end.
fn place(index: i64, extent: usize) -> Result<usize, String> {
    let from_start = if index < 0 { index + signed(extent) } else { index };
    usize::try_from(from_start)
        .ok()
        .filter(|&i| i < extent)
        .ok_or_else(|| format!("index {index} is outside 0..{extent}"))
}

/// The slices of a tensor, viewed as rows of `inner` elements, that flat numbers name; `shape` is that of the result.
fn rows(
    b: &mut Builder,
    x: ValueId,
    flat: ValueId,
    inner: usize,
    shape: &[usize],
) -> Result<ValueId, String> {
    let count = b.ty(x)?.len() / inner.max(1);
    let view = if inner == 1 { vec![count] } else { vec![count, inner] };
    let viewed = b.reshape(x, &view)?;
    let read = b.emit(Gather { axis: 0 }, &[viewed, flat])?;
    b.reshape(read, shape)
}

/// Indices computed at run time, those from the end made positive, times a stride.
fn steps(b: &mut Builder, indices: ValueId, extent: usize, stride: usize) -> Result<ValueId, String> {
    let dtype = b.ty(indices)?.dtype;
    if !matches!(dtype, DType::I32 | DType::I64) {
        return Err(format!("indices of {dtype} are neither INT32 nor INT64"));
    }
    let modulus = b.numbers(dtype, &[], vec![signed(extent)])?;
    let wrapped = b.emit(Mod { fmod: false }, &[indices, modulus])?;
    if stride == 1 {
        return Ok(wrapped);
    }
    let stride = b.numbers(dtype, &[], vec![signed(stride)])?;
    b.emit(Op::Mul, &[wrapped, stride])
}

pub(super) fn gather_elements(b: &mut Builder, node: &Node) -> Result<Vec<ValueId>, String> {
    let Op::GatherElements(op) = &node.op else { return Err("it is no GatherElements".into()) };
    let (x, indices) = (b.need(node, 0)?, b.need(node, 1)?);
    let (from, to) = (b.shape(x)?, b.shape(indices)?);
    let at = axis(op.axis, from.len())?;
    let known = b.constant(indices).and_then(|t| t.integers());
    let flat = match known {
        Some(known) => {
            let flat = known.iter().enumerate().map(|(n, &index)| {
                let mut cell = coordinates(n, &to);
                cell[at] = place(index, from[at])?;
                Ok(signed(offset(&cell, &from)))
            });
            let flat = flat.collect::<Result<Vec<_>, String>>()?;
            b.wholes(&to, flat)
        }
        None => {
            let along = steps(b, indices, from[at], strides(&from)[at])?;
            let base = (0..to.iter().product()).map(|n| {
                let mut cell = coordinates(n, &to);
                cell[at] = 0;
                signed(offset(&cell, &from))
            });
            let dtype = b.ty(indices)?.dtype;
            let base = b.numbers(dtype, &to, base.collect())?;
            b.emit(Op::Add, &[along, base])?
        }
    };
    Ok(vec![rows(b, x, flat, 1, &to)?])
}

pub(super) fn gather_nd(b: &mut Builder, node: &Node) -> Result<Vec<ValueId>, String> {
    let Op::GatherND(op) = &node.op else { return Err("it is no GatherND".into()) };
    let (x, indices, y) = (b.need(node, 0)?, b.need(node, 1)?, b.need_output(node)?);
    let (from, tuples, shape) = (b.shape(x)?, b.shape(indices)?, b.shape(y)?);
    let batch = usize::try_from(op.batch_dims).map_err(|_| "batch_dims is negative")?;
    let (&width, outer) = tuples.split_last().ok_or("indices are a scalar")?;
    let inner: usize = from[batch + width..].iter().product();
    let named = &from[..batch + width];
    let counts = strides(named);
    let dtype = b.ty(indices)?.dtype;
    let mut flat: Option<ValueId> = None;
    for j in 0..width {
        let column = b.wholes(&[], vec![signed(j)]);
        let column = b.emit(Gather { axis: -1 }, &[indices, column])?;
        let column = steps(b, column, named[batch + j], counts[batch + j])?;
        flat = Some(match flat {
            None => column,
            Some(sum) => b.emit(Op::Add, &[sum, column])?,
        });
    }
    let mut flat = flat.ok_or("indices name nothing")?;
    if batch > 0 {
        let base = (0..outer.iter().product()).map(|n| {
            let cell = coordinates(n, outer);
            signed(cell[..batch].iter().zip(&counts).map(|(i, s)| i * s).sum())
        });
        let base = b.numbers(dtype, outer, base.collect())?;
        flat = b.emit(Op::Add, &[flat, base])?;
    }
    Ok(vec![rows(b, x, flat, inner, &shape)?])
}

/// Writes rows of `inner` elements: update u goes to row `to[u]`.
fn write(
    b: &mut Builder,
    x: ValueId,
    updates: ValueId,
    to: &[usize],
    inner: usize,
    reduction: &str,
) -> Result<ValueId, String> {
    let ty = b.ty(x)?;
    let count = ty.len() / inner.max(1);
    let view = |n: usize| if inner == 1 { vec![n] } else { vec![n, inner] };
    let (held, new) = (b.reshape(x, &view(count))?, b.reshape(updates, &view(to.len()))?);
    let combine: Option<(Op, f64)> = match reduction {
        "none" => None,
        "add" => Some((Op::Add, 0.0)),
        "mul" => Some((Op::Mul, 1.0)),
        "max" => Some((Op::Max, f64::NEG_INFINITY)),
        "min" => Some((Op::Min, f64::INFINITY)),
        other => return Err(format!("reduction {other:?} is not defined")),
    };
    let Some((combine, neutral)) = combine else {
        let mut source: Vec<i64> = (0..signed(count)).collect();
        for (u, &row) in to.iter().enumerate() {
            source[row] = signed(count + u);
        }
        let both = b.emit(Concat { axis: 0 }, &[held, new])?;
        let source = b.wholes(&[count], source);
        let written = b.emit(Gather { axis: 0 }, &[both, source])?;
        return b.reshape(written, &ty.shape);
    };
    if !ty.dtype.is_float() {
        return Err(format!("combining {} elements is not supported", ty.dtype));
    }
    // A row behind the updates that changes nothing.
    let idle = view(1);
    let idle = b.floats(ty.dtype, &idle, vec![neutral; inner]);
    let both = b.emit(Concat { axis: 0 }, &[new, idle])?;
    let mut rounds: Vec<Vec<i64>> = Vec::new();
    let mut met = vec![0usize; count];
    for (u, &row) in to.iter().enumerate() {
        if met[row] == rounds.len() {
            rounds.push(vec![signed(to.len()); count]);
        }
        rounds[met[row]][row] = signed(u);
        met[row] += 1;
    }
    if rounds.len() > 64 {
        return Err(format!("one place has {} updates, more than 64", rounds.len()));
    }
    let mut sum = held;
    for round in rounds {
        let source = b.wholes(&[count], round);
        let term = b.emit(Gather { axis: 0 }, &[both, source])?;
        sum = b.emit(combine.clone(), &[sum, term])?;
    }
    b.reshape(sum, &ty.shape)
}

fn constant_indices(b: &Builder, node: &Node, i: usize) -> Result<Vec<i64>, String> {
    b.integers(node, i, "the tensor of indices")?.ok_or_else(|| format!("operand {i} is missing"))
}

pub(super) fn scatter_elements(b: &mut Builder, node: &Node) -> Result<Vec<ValueId>, String> {
    let Op::ScatterElements(op) = &node.op else { return Err("it is no ScatterElements".into()) };
    let (x, updates) = (b.need(node, 0)?, b.need(node, 2)?);
    let (from, shape) = (b.shape(x)?, b.shape(updates)?);
    let at = axis(op.axis, from.len())?;
    let to = constant_indices(b, node, 1)?
        .iter()
        .enumerate()
        .map(|(n, &index)| {
            let mut cell = coordinates(n, &shape);
            cell[at] = place(index, from[at])?;
            Ok(offset(&cell, &from))
        })
        .collect::<Result<Vec<_>, String>>()?;
    Ok(vec![write(b, x, updates, &to, 1, &op.reduction)?])
}

pub(super) fn scatter_nd(b: &mut Builder, node: &Node) -> Result<Vec<ValueId>, String> {
    let Op::ScatterND(op) = &node.op else { return Err("it is no ScatterND".into()) };
    let (x, updates) = (b.need(node, 0)?, b.need(node, 2)?);
    let from = b.shape(x)?;
    let &width = b.shape(b.need(node, 1)?)?.last().ok_or("indices are a scalar")?;
    if width == 0 || width > from.len() {
        return Err("indices name nothing".into());
    }
    let to = constant_indices(b, node, 1)?
        .chunks(width)
        .map(|tuple| {
            let pairs = tuple.iter().zip(&from);
            pairs.map(|(&i, &d)| Ok((place(i, d)?, d))).try_fold(0, |flat, step: Result<_, String>| {
                let (i, d) = step?;
                Ok::<usize, String>(flat * d + i)
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let inner: usize = from[width..].iter().product();
    Ok(vec![write(b, x, updates, &to, inner, &op.reduction)?])
}

pub(super) fn tensor_scatter(b: &mut Builder, node: &Node) -> Result<Vec<ValueId>, String> {
    let Op::TensorScatter(op) = &node.op else { return Err("it is no TensorScatter".into()) };
    let (x, updates) = (b.need(node, 0)?, b.need(node, 1)?);
    let (from, shape) = (b.shape(x)?, b.shape(updates)?);
    let at = axis(op.axis, from.len())?;
    let starts = b.integers(node, 2, "the tensor of write indices")?.unwrap_or_else(|| vec![0; from[0]]);
    let inner: usize = from[at + 1..].iter().product();
    let to = (0..shape[..=at].iter().product())
        .map(|n| {
            let mut cell = coordinates(n, &shape[..=at]);
            let start = starts
                .get(cell[0])
                .and_then(|&s| usize::try_from(s).ok())
                .ok_or("a write index is missing")?;
            cell[at] += start;
            if op.mode == "circular" {
                cell[at] %= from[at];
            }
            if cell[at] >= from[at] {
                return Err(format!("step {} is outside 0..{}", cell[at], from[at]));
            }
            Ok(offset(&cell, &from[..=at]))
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok(vec![write(b, x, updates, &to, inner, "none")?])
}

pub(super) fn compress(b: &mut Builder, node: &Node) -> Result<Vec<ValueId>, String> {
    let Op::Compress(op) = &node.op else { return Err("it is no Compress".into()) };
    let x = b.need(node, 0)?;
    let condition = constant_indices(b, node, 1)?;
    let kept: Vec<i64> = (0i64..).zip(&condition).filter(|(_, c)| **c != 0).map(|(i, _)| i).collect();
    let kept = b.wholes(&[kept.len()], kept);
    let (x, at) = match op.axis {
        Some(at) => (x, at),
        None => {
            let n = b.ty(x)?.len();
            (b.reshape(x, &[n])?, 0)
        }
    };
    Ok(vec![b.emit(Gather { axis: at }, &[x, kept])?])
}

pub(super) fn non_zero(b: &mut Builder, node: &Node) -> Result<Vec<ValueId>, String> {
    let x = b.need(node, 0)?;
    let shape = b.shape(x)?;
    let tensor =
        b.constant(x).ok_or("the number of its results depends on elements that are not constant")?;
    let places = crate::infer::places_of_non_zeros(tensor);
    let data = (0..shape.len())
        .flat_map(|axis| places.iter().map(|&n| signed(coordinates(n, &shape)[axis])).collect::<Vec<_>>());
    let data: Vec<i64> = data.collect();
    Ok(vec![b.wholes(&[shape.len(), places.len()], data)])
}

/// `length - 1 - t` in front of the length, t behind it, as rows of the two leading axes.
pub(super) fn reverse_sequence(b: &mut Builder, node: &Node) -> Result<Vec<ValueId>, String> {
    let Op::ReverseSequence(op) = &node.op else { return Err("it is no ReverseSequence".into()) };
    let (x, lengths) = (b.need(node, 0)?, b.need(node, 1)?);
    let shape = b.shape(x)?;
    let time = match (op.batch_axis, op.time_axis) {
        (0, 1) => 1,
        (1, 0) => 0,
        _ => return Err("batch_axis and time_axis are not 0 and 1".into()),
    };
    let &[d0, d1, ref inner @ ..] = &shape[..] else { return Err("it has no two axes".into()) };
    let lengths = b.emit(Cast { to: DType::I64, ..Cast::default() }, &[lengths])?;
    let (time_shape, batch_shape) = if time == 0 { ([d0, 1], [1, d1]) } else { ([1, d1], [d0, 1]) };
    let steps = shape[time];
    let batches = shape[1 - time];
    let lengths = b.reshape(lengths, &batch_shape)?;
    let t = b.wholes(&time_shape, (0..signed(steps)).collect());
    let back = b.wholes(&time_shape, (0..signed(steps)).map(|t| -1 - t).collect());
    let turned = b.emit(Op::Add, &[lengths, back])?;
    let inside = b.emit(Op::Less, &[t, lengths])?;
    let from = b.emit(Op::Where, &[inside, turned, t])?;
    let time_stride = if time == 0 { d1 } else { 1 };
    let stride = b.wholes(&[], vec![signed(time_stride)]);
    let from = b.emit(Op::Mul, &[from, stride])?;
    let batch_stride = if time == 0 { 1 } else { d1 };
    let base = b.wholes(&batch_shape, (0..batches).map(|n| signed(n * batch_stride)).collect());
    let flat = b.emit(Op::Add, &[from, base])?;
    Ok(vec![rows(b, x, flat, inner.iter().product(), &shape)?])
}
