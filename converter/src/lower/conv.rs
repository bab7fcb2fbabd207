//! Lowers Conv and ConvTranspose to the channels-last operators of TFLite.
//!
//! Padding is SAME only where TFLite's SAME is exactly what the node says, VALID where nothing is added, and an explicit
//! PAD before VALID otherwise. One spatial axis is computed as two with a height of 1. Per-channel steps that follow a
//! convolution are multiplied into its weights and bias in f64.

mod transposed;

use super::context::Context;
use super::fuse::{Affine, Tail};
use super::perm::{self, Perm};
use crate::infer::conv_attributes;
use crate::infer::window::{Axis, axes};
use crate::target::TensorId;
use halfproof_ir::{Node, Op, Role, Tensor, ValueId};
use halfproof_wire::tflite::{Activation, Builtin, Options, Padding, options};

pub(super) fn lower(cx: &mut Context<'_>, index: usize) -> Result<(), String> {
    let node = &cx.graph.nodes[index];
    match &node.op {
        Op::Conv(_) => conv(cx, index),
        Op::ConvTranspose(_) => transposed::lower(cx, index),
        other => Err(format!("{} is no convolution", other.name())),
    }
}

fn conv(cx: &mut Context<'_>, index: usize) -> Result<(), String> {
    let node = &cx.graph.nodes[index];
    let Op::Conv(op) = &node.op else { return Err("it is no Conv".into()) };
    let tail = cx.tail(index);
    let y = tail.output.unwrap_or(cx.output(node)?);
    let (x, w) = (cx.input(node, 0)?, cx.input(node, 1)?);
    if !cx.ty(x)?.dtype.is_float() {
        return Err(format!("TFLite CONV_2D of {} is not float", cx.ty(x)?.dtype));
    }
    let (shape, kernel, out_shape) = (cx.shape(x)?, cx.shape(w)?, cx.shape(y)?);
    let mut axes = axes(&shape[2..], &kernel[2..], &conv_attributes(op))?;
    match axes.len() {
        1 => axes.insert(0, flat_axis()),
        2 => {}
        3 => return conv_3d(cx, node, op.group, &axes, &tail, y),
        more => return Err(format!("TFLite has no convolution over {more} axes")),
    }
    let (groups, channels, filters) = (usize::try_from(op.group).unwrap_or(1), shape[1], kernel[0]);
    let last = Perm::channels_last(shape.len());
    let image = vec![shape[0], axes[0].input, axes[1].input, channels];
    let tensor = cx.shaped(x, &last, &image)?;
    let (tensor, padding) = padded(cx, tensor, &axes);
    // One filter per input channel and more than one channel: DEPTHWISE_CONV_2D, whose channels are in ONNX's order.
    let depthwise = groups > 1 && groups == channels && filters.is_multiple_of(channels);
    let weights = weights(cx, w, groups, &axes, depthwise, tail.affine.as_ref())?;
    let bias = bias(cx, cx.optional(node, 2), filters, tail.affine.as_ref())?;
    let (stride_h, stride_w) = (short(axes[0].stride), short(axes[1].stride));
    let (dilation_h_factor, dilation_w_factor) = (short(axes[0].dilation), short(axes[1].dilation));
    let fused_activation_function = tail.activation;
    let (builtin, options): (Builtin, Options) = if depthwise {
        let options = options::DepthwiseConv2D {
            padding,
            stride_w,
            stride_h,
            depth_multiplier: short(filters / channels),
            fused_activation_function,
            dilation_w_factor,
            dilation_h_factor,
        };
        (Builtin::DepthwiseConv2d, options.into())
    } else {
        let options = options::Conv2D {
            padding,
            stride_w,
            stride_h,
            fused_activation_function,
            dilation_w_factor,
            dilation_h_factor,
            ..options::Conv2D::default()
        };
        (Builtin::Conv2d, options.into())
    };
    let out = vec![shape[0], axes[0].output, axes[1].output, filters];
    let out = cx.emit(builtin, &[tensor, weights, bias], options, out);
    cx.bind(y, out, Perm::channels_last(out_shape.len()));
    Ok(())
}

/// The height of a tensor that has only a width.
pub(super) fn flat_axis() -> Axis {
    Axis { input: 1, kernel: 1, stride: 1, dilation: 1, begin: 0, end: 0, output: 1 }
}

pub(super) fn short(n: usize) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

/// Weights as TFLite holds them: O, H, W, I for CONV_2D and 1, H, W, O for DEPTHWISE_CONV_2D.
fn weights(
    cx: &mut Context<'_>,
    w: ValueId,
    groups: usize,
    axes: &[Axis],
    depthwise: bool,
    affine: Option<&Affine>,
) -> Result<TensorId, String> {
    let shape = cx.shape(w)?;
    let rank = shape.len();
    let (filters, inputs) = (shape[0], shape[1]);
    let order = if depthwise {
        Perm::new([1].into_iter().chain(2..rank).chain([0]))
    } else {
        Perm::channels_last(rank)
    };
    let held = match depthwise {
        true => vec![1, axes[0].kernel, axes[1].kernel, filters],
        false => vec![filters, axes[0].kernel, axes[1].kernel, inputs],
    };
    debug_assert!(!depthwise || inputs == 1 && groups > 1);
    let Some(affine) = affine else {
        return if cx.constant(w).is_some() {
            cx.constant_as(w, &order, &held, Role::Weight)
        } else {
            cx.shaped(w, &order, &held)
        };
    };
    let elements = scaled(cx.constant(w).ok_or("weights are not constant")?, 0, &affine.scale)?;
    Ok(cx.floats(held, perm::transpose(&elements, &shape, &order), Role::Weight))
}

/// The elements of a tensor, each slice along an axis times its factor.
pub(super) fn scaled(tensor: &Tensor, axis: usize, factors: &[f64]) -> Result<Vec<f64>, String> {
    let mut elements = tensor.floats().ok_or("weights are not floats")?;
    let inner: usize = tensor.shape[axis + 1..].iter().product();
    for (i, e) in elements.iter_mut().enumerate() {
        *e *= factors[i / inner % factors.len()];
    }
    Ok(elements)
}

/// The bias vector; zeros where the node has none, since kernels want one.
fn bias(
    cx: &mut Context<'_>,
    bias: Option<ValueId>,
    channels: usize,
    affine: Option<&Affine>,
) -> Result<TensorId, String> {
    match (bias, affine) {
        (Some(b), None) if cx.constant(b).is_none() => cx.plain(b),
        (Some(b), None) => cx.constant_as(b, &Perm::identity(1), &[channels], Role::Bias),
        (b, affine) => {
            let mut values = match b {
                Some(b) => cx.constant(b).and_then(Tensor::floats).ok_or("bias is not constant")?,
                None => vec![0.0; channels],
            };
            if let Some(a) = affine {
                for (c, v) in values.iter_mut().enumerate() {
                    *v = *v * a.scale[c] + a.shift[c];
                }
            }
            Ok(cx.floats([channels], values, Role::Bias))
        }
    }
}

/// The padding scheme for windows over axes 1 and 2 of an N, H, W, C tensor, after a PAD where neither SAME nor VALID
/// is exactly what the node says.
pub(super) fn padded(cx: &mut Context<'_>, tensor: TensorId, axes: &[Axis]) -> (TensorId, Padding) {
    if let Some(padding) = scheme(axes) {
        return (tensor, padding);
    }
    (pad_zeros(cx, tensor, axes), Padding::Valid)
}

/// SAME or VALID, where one of them is exactly what the node says.
pub(super) fn scheme(axes: &[Axis]) -> Option<Padding> {
    if axes.iter().all(|a| a.begin == 0 && a.end_read() <= 0) {
        return Some(Padding::Valid);
    }
    let same = |a: &Axis| {
        let total = ((a.output - 1) * a.stride + a.reach()).saturating_sub(a.input);
        a.output == a.input.div_ceil(a.stride) && a.begin == total / 2
    };
    axes.iter().all(same).then_some(Padding::Same)
}

/// Adds the zeros that windows read, and no more, around the axes between the first and the last.
pub(super) fn pad_zeros(cx: &mut Context<'_>, tensor: TensorId, axes: &[Axis]) -> TensorId {
    let mut shape = cx.extents(tensor);
    let mut paddings = vec![0; 2 * shape.len()];
    for (i, a) in axes.iter().enumerate() {
        let end = usize::try_from(a.end_read()).unwrap_or(0);
        paddings[2 * (i + 1)] = short(a.begin);
        paddings[2 * (i + 1) + 1] = short(end);
        shape[i + 1] += a.begin + end;
    }
    let paddings = paddings_tensor(cx, paddings);
    cx.emit(Builtin::Pad, &[tensor, paddings], options::Pad {}, shape)
}

/// The second operand of the PAD operators: one row per axis.
pub(super) fn paddings_tensor(cx: &mut Context<'_>, paddings: Vec<i32>) -> TensorId {
    let rows = paddings.len() / 2;
    let data = crate::target::Constant::Stored(std::sync::Arc::new(halfproof_ir::Data::I32(paddings)));
    cx.literal(vec![rows, 2], halfproof_ir::DType::I32, data, Role::Plain)
}

/// CONV_3D over N, D, H, W, C with weights D, H, W, I, O, once per group: the kernel knows none.
fn conv_3d(
    cx: &mut Context<'_>,
    node: &Node,
    group: i64,
    axes: &[Axis],
    tail: &Tail,
    y: ValueId,
) -> Result<(), String> {
    let groups = usize::try_from(group).unwrap_or(1);
    let (x, w) = (cx.input(node, 0)?, cx.input(node, 1)?);
    let shape = cx.shape(w)?;
    let tensor = cx.ordered(x, &Perm::channels_last(5))?;
    let (tensor, padding) = padded(cx, tensor, axes);
    let order = Perm::new([2, 3, 4, 1, 0]);
    let held = order.apply(&shape);
    let filters = shape[0] / groups;
    let parts: Vec<TensorId> = match cx.constant(w) {
        None if groups > 1 => {
            return Err("TFLite CONV_3D has no groups, and its weights are not constant".into());
        }
        None => vec![cx.shaped(w, &order, &held)?],
        Some(_) if groups == 1 && tail.affine.is_none() => {
            vec![cx.constant_as(w, &order, &held, Role::Weight)?]
        }
        Some(t) => {
            let elements = match &tail.affine {
                Some(a) => scaled(t, 0, &a.scale)?,
                None => t.floats().ok_or("weights are not floats")?,
            };
            let part: Vec<usize> = [filters].into_iter().chain(shape[1..].iter().copied()).collect();
            elements
                .chunks(elements.len() / groups)
                .map(|e| cx.floats(order.apply(&part), perm::transpose(e, &part, &order), Role::Weight))
                .collect()
        }
    };
    let bias = bias(cx, cx.optional(node, 2), shape[0], tail.affine.as_ref())?;
    let options = options::Conv3D {
        padding,
        stride_d: short(axes[0].stride),
        stride_w: short(axes[2].stride),
        stride_h: short(axes[1].stride),
        fused_activation_function: tail.activation,
        dilation_d_factor: short(axes[0].dilation),
        dilation_w_factor: short(axes[2].dilation),
        dilation_h_factor: short(axes[1].dilation),
    };
    let last = Perm::channels_last(5);
    let wanted = last.apply(&cx.shape(y)?);
    let out = grouped(cx, (tensor, &parts, bias), &wanted, |cx, operands, made| {
        cx.emit(Builtin::Conv3d, &operands, options.clone(), made)
    });
    cx.bind(y, out, last);
    Ok(())
}

/// A convolution of each group's channels with its weights, joined again; `emit` adds one of input, weights and bias.
fn grouped(
    cx: &mut Context<'_>,
    (tensor, parts, bias): (TensorId, &[TensorId], TensorId),
    wanted: &[usize],
    emit: impl Fn(&mut Context<'_>, [TensorId; 3], Vec<usize>) -> TensorId,
) -> TensorId {
    let (groups, last) = (parts.len(), wanted.len() - 1);
    let filters = wanted[last] / groups;
    let slices = if groups == 1 { vec![tensor] } else { split_channels(cx, tensor, groups) };
    let mut results = Vec::with_capacity(groups);
    for (g, (&weights, input)) in parts.iter().zip(slices).enumerate() {
        let bias = if groups == 1 { bias } else { slice_vector(cx, bias, g * filters, filters) };
        let mut made = wanted.to_vec();
        made[last] = filters;
        results.push(emit(cx, [input, weights, bias], made));
    }
    if let [one] = results[..] {
        return one;
    }
    let options = options::Concatenation { axis: short(last), fused_activation_function: Activation::None };
    cx.emit(Builtin::Concatenation, &results, options, wanted)
}

/// Equal parts of the last axis.
fn split_channels(cx: &mut Context<'_>, tensor: TensorId, parts: usize) -> Vec<TensorId> {
    let mut shape = cx.extents(tensor);
    let axis = shape.len() - 1;
    shape[axis] /= parts;
    let dtype = cx.dtype(tensor);
    let outputs: Vec<TensorId> = (0..parts).map(|_| cx.tensor(shape.clone(), dtype)).collect();
    let axis = cx.int(short(axis));
    let options = options::Split { num_splits: short(parts) };
    cx.add(Builtin::Split, vec![Some(axis), Some(tensor)], outputs.clone(), options);
    outputs
}

/// A part of a vector: of its elements when it is constant.
fn slice_vector(cx: &mut Context<'_>, vector: TensorId, begin: usize, len: usize) -> TensorId {
    if let Some(crate::target::Constant::Exact(v)) = &cx.target.tensor(vector).constant {
        let part = v.to_vec()[begin..begin + len].to_vec();
        return cx.floats([len], part, Role::Bias);
    }
    let (begin, size) = (cx.ints(&[short(begin)]), cx.ints(&[short(len)]));
    cx.emit(Builtin::Slice, &[vector, begin, size], options::Slice {}, [len])
}
