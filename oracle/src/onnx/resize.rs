//! Resize.
//!
//! # Definition
//! Every output cell is a weighted mean of the input cells around its original coordinate, separably per axis (ONNX Resize-19):
//! the nearest cell, two cells (linear) or four (cubic, Keys 1981, equation 4, with coefficient `cubic_coeff_a`). Extents come from
//! `sizes`, or are `floor(extent * (roi_end - roi_start) * scale)`; the region of interest counts only in `tf_crop_and_resize`.
//! # Edge cases
//! Cells outside the tensor are its edge cells, or with `exclude_outside` have no weight and the others share it. In `tf_crop_and_resize` a
//! coordinate outside gives the extrapolation value. Integers can only be resized by `nearest`.
//! # Numerics
//! Coordinates and weights are exact numbers in f64, not part of the arithmetic; one `dot` of cells and weights per output cell.
//! `nearest` copies. The product `extent * scale` is formed in float32, the type of `scales`, as in the shape inference of ONNX.

mod axis;

use super::error::{OpError, shape};
use super::operands::Operands;
use super::strided::{axes as distinct, elements, extent, strides};
use crate::arith::Arith;
use crate::value::{Array, Value};
use axis::{Axis, Taps};
use halfproof_ir::ops::{CoordinateMode, Resize, ResizeMode};

/// Resize.
pub(super) fn evaluate<A: Arith>(op: &Resize, x: &Operands<A::E>, arith: &A) -> Result<Value<A::E>, OpError> {
    let value = x.need(0)?;
    let geometry = axes(op, x, arith, value.shape())?;
    let dims: Vec<usize> = geometry.iter().map(|a| a.output).collect();
    elements(&dims)?;
    if value.is_empty() && !dims.contains(&0) {
        return Err(shape(format!("shape {:?} has no cell to resize", value.shape())));
    }
    match value {
        Value::Float(d, a) => {
            let outside = arith.store(arith.exact(op.extrapolation_value.into()), *d);
            let nearest = op.mode == ResizeMode::Nearest;
            let mix = |cells: &[A::E], weights: &[A::E]| match *cells {
                [only] if nearest => only,
                _ => arith.store(arith.dot(cells, weights, None), *d),
            };
            let data = resample(op, a, &geometry, |w| arith.exact(w), mix, outside);
            Ok(Value::Float(*d, Array { shape: dims, data }))
        }
        Value::Whole(d, a) if op.mode == ResizeMode::Nearest => {
            #[expect(clippy::cast_possible_truncation, reason = "saturating, and wrapped to the type")]
            let outside = crate::value::Whole::known(super::whole::wrap(op.extrapolation_value as i64, *d));
            let none = crate::value::Whole::known(0);
            let data = resample(op, a, &geometry, |_| none, |cells, _| cells[0], outside);
            Ok(Value::Whole(*d, Array { shape: dims, data }))
        }
        Value::Whole(d, _) => Err(OpError::Type { operand: 0, dtype: *d }),
    }
}

/// Extent and scale along every axis.
fn axes<A: Arith>(op: &Resize, x: &Operands<A::E>, arith: &A, from: &[usize]) -> Result<Vec<Axis>, OpError> {
    let rank = from.len();
    let list = match op.axes.is_empty() {
        true => (0..rank).collect(),
        false => distinct(&op.axes, rank)?,
    };
    let numbers = |i: usize| -> Result<Option<Vec<f64>>, OpError> {
        // An empty tensor stands for an absent operand: opset 11 had no other way.
        let array = x.optional_floats(i)?.filter(|a| !a.data.is_empty());
        Ok(array.map(|a| a.data.iter().map(|&e| arith.centre(e)).collect()))
    };
    let crop = op.coordinate_transformation_mode == CoordinateMode::TfCropAndResize;
    let roi = if crop { numbers(1)? } else { None };
    if crop && roi.as_ref().is_none_or(|r| r.len() != 2 * list.len()) {
        return Err(shape(format!("roi does not fit {} axes", list.len())));
    }
    let scales = numbers(2)?;
    let sizes = x.optional_ints(3)?.filter(|s| !s.is_empty());
    let mut result: Vec<Axis> = from.iter().map(|&n| Axis::whole(n)).collect();
    for (i, &at) in list.iter().enumerate() {
        if let Some(roi) = &roi {
            result[at].roi = (roi[i], roi[list.len() + i]);
        }
    }
    match (scales, sizes) {
        (Some(scales), None) if scales.len() == list.len() => {
            for (&at, &scale) in list.iter().zip(&scales) {
                result[at].scale_by(scale).ok_or_else(|| shape(format!("scale {scale}")))?;
            }
        }
        (None, Some(sizes)) if sizes.len() == list.len() => {
            let sizes = sizes.into_iter().map(extent).collect::<Result<Vec<_>, _>>()?;
            elements(&sizes)?;
            if list.iter().any(|&at| from[at] == 0) {
                return Err(shape(format!("shape {from:?} has no cell to resize")));
            }
            fit(op, &list, &sizes, &mut result)?;
        }
        (Some(_), Some(_)) => return Err(shape("both scales and sizes are given")),
        (None, None) => return Err(shape("neither scales nor sizes are given")),
        (Some(n), None) => return Err(shape(format!("{} scales for {} axes", n.len(), list.len()))),
        (None, Some(n)) => return Err(shape(format!("{} sizes for {} axes", n.len(), list.len()))),
    }
    Ok(result)
}

/// Output extents from `sizes`, under the policy for the aspect ratio.
fn fit(op: &Resize, list: &[usize], sizes: &[usize], axes: &mut [Axis]) -> Result<(), OpError> {
    // Ratios are compared exactly, as cross products.
    let ratios = list.iter().zip(sizes).map(|(&at, &size)| (size, axes[at].input));
    let order = |a: &(usize, usize), b: &(usize, usize)| (a.0 * b.1).cmp(&(b.0 * a.1));
    let common = match op.keep_aspect_ratio_policy.as_str() {
        "stretch" => {
            for (&at, &size) in list.iter().zip(sizes) {
                axes[at].output = size;
                axes[at].ratio = (size as f64, axes[at].input as f64);
            }
            return Ok(());
        }
        "not_larger" => ratios.min_by(order),
        "not_smaller" => ratios.max_by(order),
        other => return Err(super::error::attribute(format!("keep_aspect_ratio_policy \"{other}\""))),
    };
    let Some((over, under)) = common else { return Ok(()) };
    for &at in list {
        // Halves are rounded up.
        axes[at].output = (2 * axes[at].input * over + under) / (2 * under);
        axes[at].ratio = (over as f64, under as f64);
    }
    Ok(())
}

/// The output cells in row-major order: `mix(cells, weights)`, or `outside` where a coordinate is extrapolated.
fn resample<T: Copy>(
    op: &Resize,
    a: &Array<T>,
    axes: &[Axis],
    weight: impl Fn(f64) -> T,
    mix: impl Fn(&[T], &[T]) -> T,
    outside: T,
) -> Vec<T> {
    // Leading axes that stay as they are share one set of taps.
    let lead = axes.iter().take_while(|a| a.is_identity(op)).count();
    let planes: usize = a.shape[..lead].iter().product();
    let size: usize = a.shape[lead..].iter().product();
    let steps = strides(&a.shape);
    let taps: Vec<Vec<Taps>> = axes[lead..].iter().map(|axis| axis.taps(op)).collect();
    let extents: Vec<usize> = axes[lead..].iter().map(|a| a.output).collect();
    let places: usize = extents.iter().product();
    let mut data = vec![outside; planes * places];
    let mut index = vec![0; extents.len()];
    let (mut cells, mut next) = (Vec::new(), Vec::new());
    let (mut values, mut weights) = (Vec::new(), Vec::new());
    for place in 0..places {
        cells.clear();
        cells.push((0, 1.0));
        let mut extrapolated = false;
        for (i, &o) in index.iter().enumerate() {
            let Taps::Inside(here) = &taps[i][o] else {
                extrapolated = true;
                break;
            };
            let step = steps[lead + i].cast_unsigned();
            next.clear();
            next.extend(
                cells.iter().flat_map(|&(c, v)| here.iter().map(move |&(at, w)| (c + at * step, v * w))),
            );
            std::mem::swap(&mut cells, &mut next);
        }
        if !extrapolated {
            weights.clear();
            weights.extend(cells.iter().map(|&(_, w)| weight(w)));
            for plane in 0..planes {
                values.clear();
                values.extend(cells.iter().map(|&(c, _)| a.data[plane * size + c]));
                data[plane * places + place] = mix(&values, &weights);
            }
        }
        for i in (0..extents.len()).rev() {
            index[i] += 1;
            if index[i] < extents[i] {
                break;
            }
            index[i] = 0;
        }
    }
    data
}
