//! Normalisations: BatchNormalization InstanceNormalization LayerNormalization RMSNormalization GroupNormalization LRN
//! LpNormalization MeanVarianceNormalization.
//!
//! # Definition
//! ONNX BatchNormalization-15 (inference), InstanceNormalization-6, LayerNormalization-17, RMSNormalization-23,
//! GroupNormalization-21 (and 18, `per_group_scale`): `(x - mean) / sqrt(variance + epsilon) * scale + bias`, the variance being the
//! mean of centred squares; they differ in what the mean is over. RMS: `x / sqrt(mean(x^2) + epsilon) * scale`. LRN-13: `x / (bias + alpha / size * s)^beta`, s the sum of
//! squares over channels `c - floor((size-1)/2) ..= c + ceil((size-1)/2)`. LpNormalization-1 and 22: `x / (sum |x|^p)^(1/p)` along one axis.
//! MeanVarianceNormalization-13: `(x - mean) / (sqrt(variance) + 1e-9)` over the axes given, the variance being that of all elements.
//! # Edge cases
//! A constant row has variance 0 and rests on epsilon alone. LpNormalization of a zero row is zero (version 22; version 1 does
//! not say). BatchNormalization of a rank-1 tensor has one channel.
//! The second and third result of LayerNormalization (mean, inverse standard deviation) have the type of `stash_type`.
//! # Numerics
//! Composites of `sum`, `dot`, Rsqrt; every step is an `intermediate`. Mean, variance and inverse deviation are computed once per row,
//! and BatchNormalization forms one factor per channel.

use super::error::{OpError, attribute, shape};
use super::operands::Operands;
use super::strided::{axes, axis, copy, expand, strides};
use crate::arith::{Arith, Comparison, Function};
use crate::value::{Array, Value};
use halfproof_ir::DType;
use halfproof_ir::ops::{
    BatchNormalization, GroupNormalization, InstanceNormalization, LRN, LayerNormalization, LpNormalization,
    MeanVarianceNormalization, RMSNormalization,
};

#[expect(clippy::cast_precision_loss, reason = "a number of elements, below the limit on tensors")]
fn count<A: Arith>(arith: &A, n: usize) -> A::E {
    arith.exact(n as f64)
}

/// 1 / sqrt(variance + epsilon).
fn inverse_deviation<A: Arith>(arith: &A, variance: A::E, epsilon: f32) -> A::E {
    let raised = arith.intermediate(arith.add(variance, arith.exact(epsilon.into())));
    arith.intermediate(arith.apply(Function::Rsqrt, raised))
}

/// Leaves `x - mean` in `centred`; gives the mean and the inverse standard deviation of the row.
fn moments<A: Arith>(arith: &A, row: &[A::E], epsilon: f32, centred: &mut Vec<A::E>) -> (A::E, A::E) {
    let n = count(arith, row.len());
    let mean = arith.intermediate(arith.div(arith.sum(row), n));
    centred.clear();
    centred.extend(row.iter().map(|&x| arith.intermediate(arith.sub(x, mean))));
    let variance = arith.intermediate(arith.div(arith.dot(centred, centred, None), n));
    (mean, inverse_deviation(arith, variance, epsilon))
}

/// The extent of the channel axis, and the number of elements of one channel of one instance.
fn channels(dims: &[usize]) -> (usize, usize) {
    (dims.get(1).copied().unwrap_or(1), dims.iter().skip(2).product())
}

fn per_channel<'a, E: Copy>(x: &Operands<'a, E>, i: usize, extent: usize) -> Result<&'a [E], OpError> {
    let (_, a) = x.floats(i)?;
    if a.shape == [extent] {
        return Ok(&a.data);
    }
    Err(shape(format!("operand {i} has shape {:?}, [{extent}] is needed", a.shape)))
}

/// BatchNormalization.
pub(super) fn batch<A: Arith>(
    op: &BatchNormalization,
    x: &Operands<A::E>,
    arith: &A,
) -> Result<Value<A::E>, OpError> {
    let (d, a) = x.floats(0)?;
    if a.shape.is_empty() {
        return Err(shape("BatchNormalization of a scalar"));
    }
    let (extent, size) = channels(&a.shape);
    let [scale, bias, mean, variance] = [1, 2, 3, 4].map(|i| per_channel(x, i, extent));
    let (scale, bias, mean, variance) = (scale?, bias?, mean?, variance?);
    let factors: Vec<A::E> = (0..extent)
        .map(|c| {
            let inverse = inverse_deviation(arith, variance[c], op.epsilon);
            arith.intermediate(arith.mul(scale[c], inverse))
        })
        .collect();
    let data = a
        .data
        .chunks(size.max(1))
        .enumerate()
        .flat_map(|(i, channel)| {
            let c = i % extent.max(1);
            let (mean, factor, bias) = (mean[c], factors[c], bias[c]);
            channel.iter().map(move |&e| {
                let centred = arith.intermediate(arith.sub(e, mean));
                arith.store(arith.add(arith.intermediate(arith.mul(centred, factor)), bias), d)
            })
        })
        .collect();
    Ok(Value::Float(d, Array { shape: a.shape.clone(), data }))
}

/// InstanceNormalization.
pub(super) fn instance<A: Arith>(
    op: &InstanceNormalization,
    x: &Operands<A::E>,
    arith: &A,
) -> Result<Value<A::E>, OpError> {
    let (d, a) = x.floats(0)?;
    if a.shape.len() < 2 {
        return Err(shape(format!("InstanceNormalization of shape {:?}", a.shape)));
    }
    let (extent, size) = channels(&a.shape);
    let (scale, bias) = (per_channel(x, 1, extent)?, per_channel(x, 2, extent)?);
    let data = grouped(arith, &a.data, size, op.epsilon, d, |i, _| {
        let c = i % extent.max(1);
        (scale[c], bias[c])
    });
    Ok(Value::Float(d, Array { shape: a.shape.clone(), data }))
}

/// GroupNormalization.
pub(super) fn group<A: Arith>(
    op: &GroupNormalization,
    x: &Operands<A::E>,
    arith: &A,
) -> Result<Value<A::E>, OpError> {
    let (d, a) = x.floats(0)?;
    let (extent, size) = channels(&a.shape);
    let groups = usize::try_from(op.num_groups).unwrap_or(0);
    if a.shape.len() < 2 || groups == 0 || !extent.is_multiple_of(groups) {
        return Err(attribute(format!("num_groups {} for a tensor of shape {:?}", op.num_groups, a.shape)));
    }
    let parameters = if op.per_group_scale { groups } else { extent };
    let (scale, bias) = (per_channel(x, 1, parameters)?, per_channel(x, 2, parameters)?);
    let each = extent / groups;
    let data = grouped(arith, &a.data, each * size, op.epsilon, d, |i, at| {
        let g = i % groups;
        let p = if op.per_group_scale { g } else { g * each + at / size };
        (scale[p], bias[p])
    });
    Ok(Value::Float(d, Array { shape: a.shape.clone(), data }))
}

/// Standardises consecutive rows of `width` elements; `affine(row, position)` gives scale and bias.
fn grouped<A: Arith>(
    arith: &A,
    data: &[A::E],
    width: usize,
    epsilon: f32,
    dtype: DType,
    affine: impl Fn(usize, usize) -> (A::E, A::E),
) -> Vec<A::E> {
    let mut out = Vec::with_capacity(data.len());
    let mut centred = Vec::new();
    for (i, row) in data.chunks(width.max(1)).enumerate() {
        let (_, inverse) = moments(arith, row, epsilon, &mut centred);
        out.extend(centred.iter().enumerate().map(|(at, &c)| {
            let (scale, bias) = affine(i, at);
            let standard = arith.intermediate(arith.mul(c, inverse));
            arith.store(arith.add(arith.intermediate(arith.mul(standard, scale)), bias), dtype)
        }));
    }
    out
}

/// LayerNormalization.
pub(super) fn layer<A: Arith>(
    op: &LayerNormalization,
    x: &Operands<A::E>,
    arith: &A,
) -> Result<Vec<Value<A::E>>, OpError> {
    let (d, a) = x.floats(0)?;
    let cut = axis(op.axis, a.shape.len())?;
    let scale = expand(x.floats(1)?.1, &a.shape)?;
    let bias = x.optional_floats(2)?.map(|b| expand(b, &a.shape)).transpose()?;
    let stash = DType::from_onnx_code(op.stash_type).filter(|d| d.is_float());
    let stash = stash.ok_or_else(|| attribute(format!("stash_type {}", op.stash_type)))?;
    let width: usize = a.shape[cut..].iter().product();
    let rows: usize = a.shape[..cut].iter().product();
    let mut data = Vec::with_capacity(a.data.len());
    let (mut means, mut inverses) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
    let mut centred = Vec::new();
    for i in 0..rows {
        let row = &a.data[i * width..][..width];
        let (mean, inverse) = moments(arith, row, op.epsilon, &mut centred);
        means.push(arith.store(mean, stash));
        inverses.push(arith.store(inverse, stash));
        for (j, &c) in centred.iter().enumerate() {
            let standard = arith.intermediate(arith.mul(c, inverse));
            let scaled = arith.mul(standard, scale[i * width + j]);
            let y = match &bias {
                Some(b) => arith.add(arith.intermediate(scaled), b[i * width + j]),
                None => scaled,
            };
            data.push(arith.store(y, d));
        }
    }
    let mut reduced = a.shape.clone();
    reduced[cut..].fill(1);
    Ok(vec![
        Value::Float(d, Array { shape: a.shape.clone(), data }),
        Value::Float(stash, Array { shape: reduced.clone(), data: means }),
        Value::Float(stash, Array { shape: reduced, data: inverses }),
    ])
}

/// RMSNormalization.
pub(super) fn rms<A: Arith>(
    op: &RMSNormalization,
    x: &Operands<A::E>,
    arith: &A,
) -> Result<Value<A::E>, OpError> {
    let (d, a) = x.floats(0)?;
    let cut = axis(op.axis, a.shape.len())?;
    let scale = expand(x.floats(1)?.1, &a.shape)?;
    let width: usize = a.shape[cut..].iter().product();
    let n = count(arith, width);
    let mut data = Vec::with_capacity(a.data.len());
    for (i, row) in a.data.chunks(width.max(1)).enumerate() {
        let square = arith.intermediate(arith.div(arith.dot(row, row, None), n));
        let inverse = inverse_deviation(arith, square, op.epsilon);
        data.extend(row.iter().enumerate().map(|(j, &e)| {
            arith.store(arith.mul(arith.intermediate(arith.mul(e, inverse)), scale[i * width + j]), d)
        }));
    }
    Ok(Value::Float(d, Array { shape: a.shape.clone(), data }))
}

/// LRN.
pub(super) fn lrn<A: Arith>(op: &LRN, x: &Operands<A::E>, arith: &A) -> Result<Value<A::E>, OpError> {
    let (d, a) = x.floats(0)?;
    let width = usize::try_from(op.size).ok().filter(|&s| s > 0);
    let width = width.ok_or_else(|| attribute(format!("size {}", op.size)))?;
    if a.shape.len() < 2 {
        return Err(shape(format!("LRN of a tensor of shape {:?}", a.shape)));
    }
    let (extent, size) = channels(&a.shape);
    let (below, above) = ((width - 1) / 2, width / 2);
    let [alpha, beta, bias] = [op.alpha, op.beta, op.bias].map(|v| arith.exact(v.into()));
    let factor = arith.intermediate(arith.div(alpha, count(arith, width)));
    let mut data = Vec::with_capacity(a.data.len());
    let mut column = Vec::new();
    for n in 0..a.shape[0] {
        for c in 0..extent {
            let seen = c.saturating_sub(below)..=c.saturating_add(above).min(extent - 1);
            for i in 0..size {
                let at = |c: usize| a.data[(n * extent + c) * size + i];
                column.clear();
                column.extend(seen.clone().map(at));
                let squares = arith.intermediate(arith.dot(&column, &column, None));
                let base = arith.add(bias, arith.intermediate(arith.mul(factor, squares)));
                let power = arith.intermediate(arith.pow(arith.intermediate(base), beta));
                data.push(arith.store(arith.div(at(c), power), d));
            }
        }
    }
    Ok(Value::Float(d, Array { shape: a.shape.clone(), data }))
}

/// LpNormalization.
pub(super) fn lp<A: Arith>(
    op: &LpNormalization,
    x: &Operands<A::E>,
    arith: &A,
) -> Result<Value<A::E>, OpError> {
    let (d, a) = x.floats(0)?;
    let at = axis(op.axis, a.shape.len())?;
    if !matches!(op.p, 1 | 2) {
        return Err(attribute(format!("p {}, only 1 and 2 are defined", op.p)));
    }
    let (width, inner) = (a.shape[at], a.shape[at + 1..].iter().product::<usize>());
    let outer: usize = a.shape[..at].iter().product();
    let steps = [(width * inner).cast_signed(), 1, inner.cast_signed()];
    let turned = copy(&a.data, 0, &[outer, inner, width], &steps);
    let zero = arith.exact(0.0);
    let mut rows = Vec::with_capacity(turned.len());
    for row in turned.chunks(width.max(1)) {
        let norm = if op.p == 1 {
            let magnitudes: Vec<A::E> = row.iter().map(|&e| arith.apply(Function::Abs, e)).collect();
            arith.sum(&magnitudes)
        } else {
            arith.apply(Function::Sqrt, arith.intermediate(arith.dot(row, row, None)))
        };
        let norm = arith.intermediate(norm);
        let (order, decided) = arith.compare(norm, zero);
        rows.extend(row.iter().map(|&e| {
            let y = match (order == Comparison::Equal, decided) {
                (true, true) => zero,
                (true, false) => arith.either(zero, arith.div(e, norm)),
                (false, true) => arith.div(e, norm),
                (false, false) => arith.either(arith.div(e, norm), zero),
            };
            arith.store(y, d)
        }));
    }
    let back = strides(&[outer, inner, width]);
    let data = copy(&rows, 0, &[outer, width, inner], &[back[0], back[2], back[1]]);
    Ok(Value::Float(d, Array { shape: a.shape.clone(), data }))
}

/// MeanVarianceNormalization.
pub(super) fn mean_variance<A: Arith>(
    op: &MeanVarianceNormalization,
    x: &Operands<A::E>,
    arith: &A,
) -> Result<Value<A::E>, OpError> {
    let (d, a) = x.floats(0)?;
    let rank = a.shape.len();
    let reduced = axes(&op.axes, rank)?;
    let order: Vec<usize> =
        (0..rank).filter(|i| !reduced.contains(i)).chain((0..rank).filter(|i| reduced.contains(i))).collect();
    let steps = strides(&a.shape);
    let (dims, turned): (Vec<usize>, Vec<isize>) = order.iter().map(|&i| (a.shape[i], steps[i])).unzip();
    let width: usize = reduced.iter().map(|&i| a.shape[i]).product();
    let mut rows = Vec::with_capacity(a.data.len());
    for row in copy(&a.data, 0, &dims, &turned).chunks(width.max(1)) {
        let n = count(arith, row.len());
        let mean = arith.intermediate(arith.div(arith.sum(row), n));
        let centred: Vec<A::E> = row.iter().map(|&e| arith.intermediate(arith.sub(e, mean))).collect();
        let variance = arith.intermediate(arith.div(arith.dot(&centred, &centred, None), n));
        let deviation = arith.intermediate(arith.apply(Function::Sqrt, variance));
        let divisor = arith.intermediate(arith.add(deviation, arith.exact(1e-9)));
        rows.extend(centred.into_iter().map(|e| arith.store(arith.div(e, divisor), d)));
    }
    let held = strides(&dims);
    let back: Vec<isize> =
        (0..rank).map(|axis| held[order.iter().position(|&o| o == axis).unwrap_or(0)]).collect();
    Ok(Value::Float(d, Array { shape: a.shape.clone(), data: copy(&rows, 0, &a.shape, &back) }))
}
