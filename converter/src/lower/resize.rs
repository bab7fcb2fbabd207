//! Lowers Resize, exactly: a TFLite resize only where its own coordinates give the same elements and weights; otherwise
//! nearest gathers, and interpolation multiplies each axis by the matrix of the weights that ONNX defines.

mod matrix;

use super::binary::{add, combine};
use super::context::Context;
use super::conv::short;
use super::perm::Perm;
use crate::layout::choose;
use crate::target::TensorId;
use halfproof_ir::ops::{CoordinateMode, Resize, ResizeMode};
use halfproof_ir::{Node, Op, Precision, Role};
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
    let matrices: Vec<Matrix> = lines.iter().map(|l| l.matrix(op)).collect();
    if from.len() == 4 && moving.iter().all(|&a| a >= 2) && float && builtin(cx, op, &lines, &matrices, x, y)?
    {
        return Ok(());
    }
    let order = choose(cx, &[x], y, from.len());
    let mut tensor = cx.ordered(x, &order)?;
    let outside = op.coordinate_transformation_mode == CoordinateMode::TfCropAndResize
        && moving.iter().any(|&a| matrices[a].outside.contains(&true));
    for &a in &moving {
        let place = order.position(a);
        tensor = if op.mode == ResizeMode::Nearest && !outside {
            gather(cx, tensor, place, &matrices[a])
        } else if float {
            multiply(cx, tensor, place, &matrices[a])
        } else {
            return Err("an integer image is read outside its borders".into());
        };
    }
    if outside && op.extrapolation_value != 0.0 {
        tensor = extrapolated(cx, tensor, &order, &matrices, &to, op.extrapolation_value.into())?;
    }
    cx.bind(y, tensor, order);
    Ok(())
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
    x: halfproof_ir::ValueId,
    y: halfproof_ir::ValueId,
) -> Result<bool, String> {
    // RESIZE_BILINEAR has no float16 kernel; the matrix products do.
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

/// Rows of a matrix with a single 1, as indices.
fn gather(cx: &mut Context<'_>, tensor: TensorId, place: usize, matrix: &Matrix) -> TensorId {
    let indices: Vec<i32> =
        matrix.rows().map(|row| short(row.iter().position(|&w| w != 0.0).unwrap_or(0))).collect();
    let mut shape = cx.extents(tensor);
    shape[place] = indices.len();
    let indices = cx.ints(&indices);
    let options = options::Gather { axis: short(place), batch_dims: 0 };
    cx.emit(Builtin::Gather, &[tensor, indices], options, shape)
}

/// Multiplies one axis by a matrix: a FULLY_CONNECTED when it is the last, else a product from the left.
fn multiply(cx: &mut Context<'_>, tensor: TensorId, place: usize, matrix: &Matrix) -> TensorId {
    let mut shape = cx.extents(tensor);
    let outer: usize = shape[..place].iter().product();
    let inner: usize = shape[place + 1..].iter().product();
    let (input, output) = (matrix.inputs, matrix.outside.len());
    shape[place] = output;
    if inner == 1 {
        let weights = cx.floats([output, input], matrix.weights.clone(), Role::Weight);
        let bias = cx.floats([output], vec![0.0; output], Role::Bias);
        let rows = cx.reshape(tensor, &[outer, input]);
        let out = cx.emit(
            Builtin::FullyConnected,
            &[rows, weights, bias],
            options::FullyConnected::default(),
            [outer, output],
        );
        return cx.reshape(out, &shape);
    }
    let block = cx.reshape(tensor, &[outer, input, inner]);
    let weights = cx.floats([1, output, input], matrix.weights.clone(), Role::Weight);
    let out = cx.emit(
        Builtin::BatchMatmul,
        &[weights, block],
        options::BatchMatMul::default(),
        [outer, output, inner],
    );
    cx.reshape(out, &shape)
}

/// Adds the extrapolation value wherever some axis was read outside; products have left zeros there.
fn extrapolated(
    cx: &mut Context<'_>,
    tensor: TensorId,
    order: &Perm,
    matrices: &[Matrix],
    to: &[usize],
    value: f64,
) -> Result<TensorId, String> {
    let spans: Vec<usize> =
        (0..to.len()).map(|a| if matrices[a].outside.contains(&true) { to[a] } else { 1 }).collect();
    let count: usize = spans.iter().product();
    let mut elements = Vec::with_capacity(count);
    for i in 0..count {
        let mut rest = i;
        let mut out = false;
        for a in (0..to.len()).rev() {
            out |= spans[a] > 1 && matrices[a].outside[rest % spans[a]]
                || spans[a] == 1 && matrices[a].outside == [true];
            rest /= spans[a];
        }
        elements.push(if out { value } else { 0.0 });
    }
    let shape = order.apply(&spans);
    let addend = cx.floats(shape, super::perm::transpose(&elements, &spans, order), Role::Bias);
    combine(cx, Builtin::Add, &[tensor, addend], add(Activation::None), None)
}
