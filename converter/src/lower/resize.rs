//! Lowers Resize, exactly: a TFLite resize only where its own coordinates give the same elements and weights; otherwise
//! each axis gathers its elements, once per weight that ONNX defines, and adds them up. A matrix product would do too, but
//! it multiplies all other elements by 0, which an infinity does not survive.

mod matrix;
#[cfg(test)]
mod tests;

use super::binary::{add, combine, mul};
use super::context::Context;
use super::conv::short;
use super::pad::surround;
use super::perm::Perm;
use crate::layout::choose;
use crate::target::TensorId;
use halfproof_ir::ops::{CoordinateMode, Resize, ResizeMode};
use halfproof_ir::{Node, Op, Precision, Role, ValueId};
use halfproof_wire::tflite::{Activation, Builtin, options};
use matrix::{Line, Matrix};

pub(super) fn lower(cx: &mut Context<'_>, index: usize) -> Result<(), String> {
    let node = &cx.graph.nodes[index];
    let Op::Resize(op) = &node.op else { return Err("it is no Resize".into()) };
    let (x, y) = (cx.input(node, 0)?, cx.output(node)?);
    let (from, to) = (cx.shape(x)?, cx.shape(y)?);
    let lines = lines(cx, node, op, &from, &to)?;
    let moving: Vec<usize> = (0..from.len()).filter(|&a| !lines[a].is_copy()).collect();
    if moving.is_empty() {
        return cx.alias_transposed(y, x, &Perm::identity(from.len()));
    }
    let float = cx.ty(x)?.dtype.is_float();
    if op.mode != ResizeMode::Nearest && !float {
        return Err(format!("interpolation of {} is not defined", cx.ty(x)?.dtype));
    }
    if from.contains(&0) {
        return Err("an axis without elements is resized".into());
    }
    let matrices: Vec<Matrix> = lines.iter().map(|l| l.matrix(op)).collect();
    if from.len() == 4 && moving.iter().all(|&a| a >= 2) && float && builtin(cx, op, &lines, &matrices, x, y)?
    {
        return Ok(());
    }
    let order = choose(cx, &[x], y, from.len());
    let mut tensor = cx.ordered(x, &order)?;
    if moving.iter().any(|&a| matrices[a].inside().is_empty()) {
        return nothing_inside(cx, y, float, op.extrapolation_value.into());
    }
    for &a in &moving {
        tensor = interpolate(cx, tensor, order.position(a), &matrices[a])?;
    }
    let beyond = |a: usize| match moving.contains(&a) {
        true => (matrices[a].inside().start, to[a] - matrices[a].inside().end),
        false => (0, 0),
    };
    let grow: Vec<(usize, usize)> = order.axes().map(beyond).collect();
    if grow.iter().any(|&g| g != (0, 0)) {
        if !float {
            return Err("an integer image is read outside its borders".into());
        }
        let value = f64::from(op.extrapolation_value);
        let element = (value != 0.0).then(|| cx.floats([1], vec![value], Role::Plain));
        tensor = surround(cx, tensor, &grow, element)?;
    }
    cx.bind(y, tensor, order);
    Ok(())
}

/// All coordinates lie outside the image: the result is the extrapolation value throughout.
fn nothing_inside(cx: &mut Context<'_>, y: ValueId, float: bool, value: f64) -> Result<(), String> {
    if !float {
        return Err("an integer image is read outside its borders".into());
    }
    let shape = cx.shape(y)?;
    let count = shape.iter().product();
    let tensor = cx.floats(shape, vec![value; count], Role::Plain);
    cx.bind_plain(y, tensor)
}

/// How every axis is resized.
fn lines(
    cx: &Context<'_>,
    node: &Node,
    op: &Resize,
    from: &[usize],
    to: &[usize],
) -> Result<Vec<Line>, String> {
    let rank = from.len();
    let axes: Vec<usize> = match op.axes.len() {
        0 => (0..rank).collect(),
        _ => op.axes.iter().map(|&a| crate::infer::axis(a, rank)).collect::<Result<_, _>>()?,
    };
    let floats = |i: usize| {
        let v = cx.optional(node, i)?;
        cx.constant(v)?.floats().filter(|v| !v.is_empty())
    };
    let scales = floats(2);
    let roi = floats(1);
    #[expect(clippy::cast_precision_loss, reason = "extents are small")]
    let ratio = |a: usize| to[a] as f64 / from[a] as f64;
    // One scale for all axes when the aspect ratio is kept: that of the axis which decides.
    let sizes = cx
        .optional(node, 3)
        .and_then(|v| cx.constant(v))
        .and_then(|t| t.integers())
        .filter(|v| !v.is_empty());
    #[expect(clippy::cast_precision_loss, reason = "extents are small")]
    let kept = sizes.filter(|_| op.keep_aspect_ratio_policy != "stretch").map(|sizes| {
        let wanted = axes.iter().zip(&sizes).map(|(&a, &n)| n as f64 / from[a] as f64);
        if op.keep_aspect_ratio_policy == "not_larger" {
            wanted.fold(f64::INFINITY, f64::min)
        } else {
            wanted.fold(0.0, f64::max)
        }
    });
    let mut lines: Vec<Line> =
        (0..rank).map(|a| Line { input: from[a], output: to[a], scale: ratio(a), roi: (0.0, 1.0) }).collect();
    for (i, &a) in axes.iter().enumerate() {
        if let Some(s) = kept.or_else(|| scales.as_ref().map(|s| s[i])) {
            lines[a].scale = s;
        }
        if let Some(r) = &roi
            && r.len() == 2 * axes.len()
        {
            lines[a].roi = (r[i], r[axes.len() + i]);
        }
    }
    if op.coordinate_transformation_mode == CoordinateMode::TfCropAndResize && roi.is_none() {
        return Err("roi is not constant".into());
    }
    Ok(lines)
}

/// One of TFLite's resizes, if its coordinates are the node's.
fn builtin(
    cx: &mut Context<'_>,
    op: &Resize,
    lines: &[Line],
    matrices: &[Matrix],
    x: ValueId,
    y: ValueId,
) -> Result<bool, String> {
    // RESIZE_BILINEAR has no float16 kernel; gathers, products and sums do.
    let bilinear = op.mode == ResizeMode::Linear && cx.precision != Precision::Full;
    if !bilinear && op.mode != ResizeMode::Nearest {
        return Ok(false);
    }
    for (align_corners, half_pixel_centers) in [(false, true), (true, false), (false, false)] {
        let agrees = [2, 3].iter().all(|&a| {
            let theirs = match bilinear {
                true => lines[a].tflite_bilinear(align_corners, half_pixel_centers),
                false => match lines[a].tflite_nearest(align_corners, half_pixel_centers) {
                    Some(m) => m,
                    None => return false,
                },
            };
            theirs.agrees(&matrices[a])
        });
        if !agrees {
            continue;
        }
        let last = Perm::channels_last(4);
        let tensor = cx.ordered(x, &last)?;
        let out = last.apply(&cx.shape(y)?);
        let size = cx.ints(&[short(out[1]), short(out[2])]);
        let out = if bilinear {
            let options = options::ResizeBilinear { align_corners, half_pixel_centers };
            cx.emit(Builtin::ResizeBilinear, &[tensor, size], options, out)
        } else {
            let options = options::ResizeNearestNeighbor { align_corners, half_pixel_centers };
            cx.emit(Builtin::ResizeNearestNeighbor, &[tensor, size], options, out)
        };
        cx.bind(y, out, last);
        return Ok(true);
    }
    Ok(false)
}

/// One axis: the sum over k of the k-th weight of every row times the element that it weighs.
fn interpolate(
    cx: &mut Context<'_>,
    tensor: TensorId,
    place: usize,
    matrix: &Matrix,
) -> Result<TensorId, String> {
    let mut shape = cx.extents(tensor);
    let taps = matrix.taps();
    let mut sum = None;
    for k in 0..taps.first().map_or(0, Vec::len) {
        let indices: Vec<i32> = taps.iter().map(|row| short(row[k].0)).collect();
        let weights: Vec<f64> = taps.iter().map(|row| row[k].1).collect();
        shape[place] = indices.len();
        let indices = cx.ints(&indices);
        let options = options::Gather { axis: short(place), batch_dims: 0 };
        let mut term = cx.emit(Builtin::Gather, &[tensor, indices], options, shape.clone());
        if weights.iter().any(|&w| w != 1.0) {
            let mut along = vec![1; shape.len() - place];
            along[0] = weights.len();
            let weights = cx.floats(along, weights, Role::Weight);
            term = combine(cx, Builtin::Mul, &[term, weights], mul(Activation::None), None)?;
        }
        sum = Some(match sum {
            None => term,
            Some(sum) => combine(cx, Builtin::Add, &[sum, term], add(Activation::None), None)?,
        });
    }
    sum.ok_or_else(|| "an axis has no elements".to_string())
}
