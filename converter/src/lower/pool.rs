//! Lowers pooling to the channels-last operators of TFLite.
//!
//! TFLite's pools ignore what SAME adds. Other paddings of a maximum repeat elements that the window holds anyway (or
//! zeros, where nothing is negative); those of an average add zeros and correct the divisor. Windows over three axes are
//! pooled two axes at a time: both operations are separable.

use super::context::Context;
use super::conv::{flat_axis, pad_zeros, paddings_tensor, scheme, short};
use super::perm::Perm;
use super::reduce::{held_order, reduce};
use crate::infer::window::{Axis, axes};
use crate::infer::{average_pool_attributes, max_pool_attributes};
use crate::target::TensorId;
use halfproof_ir::{DType, Op, Role, ValueId};
use halfproof_wire::tflite::{Activation, Builtin, MirrorPadMode, Padding, options};

pub(super) fn lower(cx: &mut Context<'_>, index: usize) -> Result<(), String> {
    let node = &cx.graph.nodes[index];
    match &node.op {
        Op::GlobalAveragePool => return global(cx, index, Builtin::Mean),
        Op::GlobalMaxPool => return global(cx, index, Builtin::ReduceMax),
        _ => {}
    }
    let tail = cx.tail(index);
    let y = tail.output.unwrap_or(cx.output(node)?);
    let x = cx.input(node, 0)?;
    let (shape, dtype) = (cx.shape(x)?, cx.ty(x)?.dtype);
    if !dtype.is_float() {
        return Err(format!("TFLite pools {dtype} only when it is quantized"));
    }
    if node.outputs.get(1).copied().flatten().is_some() {
        return Err("the indices of the maxima are asked for; TFLite has none".into());
    }
    let kernel = |k: &[i64]| k.iter().map(|&n| usize::try_from(n).unwrap_or(0)).collect::<Vec<_>>();
    let (mut axes, average) = match &node.op {
        Op::MaxPool(p) => (axes(&shape[2..], &kernel(&p.kernel_shape), &max_pool_attributes(p))?, None),
        Op::AveragePool(p) => {
            let attributes = average_pool_attributes(p);
            (axes(&shape[2..], &kernel(&p.kernel_shape), &attributes)?, Some(p.count_include_pad))
        }
        other => return Err(format!("{} is no pool", other.name())),
    };
    if axes.len() > 3 {
        return Err(format!("TFLite has no pool over {} axes", axes.len()));
    }
    if axes.len() == 1 {
        axes.insert(0, flat_axis());
    }
    if axes.iter().any(|a| (0..a.output).any(|o| a.taps(o).next().is_none())) {
        return Err("a window holds nothing but padding".into());
    }
    let last = Perm::channels_last(shape.len());
    let (n, c) = (shape[0], shape[1]);
    let pool = |cx: &mut Context<'_>, tensor: TensorId, axes: &[Axis], positive: bool, act: Activation| {
        match average {
            None => max_pool(cx, tensor, axes, positive, act),
            Some(count_pads) => average_pool(cx, tensor, axes, count_pads, act),
        }
    };
    let positive = average.is_none() && nonnegative(cx, x, 4);
    let out = if let [d, h, w] = axes[..] {
        let tensor = cx.shaped(x, &last, &[n * d.input, h.input, w.input, c])?;
        let flat = pool(cx, tensor, &[h, w], positive, Activation::None);
        let deep = cx.reshape(flat, &[n, d.input, h.output * w.output, c]);
        let rest = Axis { input: h.output * w.output, output: h.output * w.output, ..flat_axis() };
        pool(cx, deep, &[d, rest], positive, tail.activation)
    } else {
        let tensor = cx.shaped(x, &last, &[n, axes[0].input, axes[1].input, c])?;
        pool(cx, tensor, &axes, positive, tail.activation)
    };
    cx.bind(y, out, last);
    Ok(())
}

/// A mean or maximum over all spatial axes, kept with extent 1.
fn global(cx: &mut Context<'_>, index: usize, builtin: Builtin) -> Result<(), String> {
    let node = &cx.graph.nodes[index];
    let (x, y) = (cx.input(node, 0)?, cx.output(node)?);
    let ty = cx.ty(x)?.clone();
    if !ty.dtype.is_float() {
        return Err(format!("{} is not a float", ty.dtype));
    }
    cx.settle(x)?;
    let order = held_order(cx, x).unwrap_or_else(|| Perm::identity(ty.rank()));
    let tensor = cx.ordered(x, &order)?;
    let mut axes: Vec<usize> = (2..ty.rank()).map(|a| order.position(a)).collect();
    axes.sort_unstable();
    let out = reduce(cx, builtin, tensor, &axes, true);
    cx.bind(y, out, order);
    Ok(())
}

fn pool_options(axes: &[Axis], padding: Padding, fused_activation_function: Activation) -> options::Pool2D {
    options::Pool2D {
        padding,
        stride_w: short(axes[1].stride),
        stride_h: short(axes[0].stride),
        filter_width: short(axes[1].kernel),
        filter_height: short(axes[0].kernel),
        fused_activation_function,
    }
}

fn max_pool(
    cx: &mut Context<'_>,
    tensor: TensorId,
    axes: &[Axis],
    positive: bool,
    act: Activation,
) -> TensorId {
    let shape = cx.extents(tensor);
    let out = vec![shape[0], axes[0].output, axes[1].output, shape[3]];
    let dense = axes.iter().all(|a| a.dilation == 1);
    if let (Some(padding), true) = (scheme(axes), dense) {
        return cx.emit(Builtin::MaxPool2d, &[tensor], pool_options(axes, padding, act), out);
    }
    if dense {
        let padded = if positive {
            pad_zeros(cx, tensor, axes)
        } else if axes.iter().all(mirrors) {
            pad_mirror(cx, tensor, axes)
        } else {
            return max_of_gathered(cx, tensor, axes, act);
        };
        return cx.emit(Builtin::MaxPool2d, &[padded], pool_options(axes, Padding::Valid, act), out);
    }
    max_of_gathered(cx, tensor, axes, act)
}

/// Whether mirrored elements, the edge included, stay within each window that reads them, so that no maximum changes.
fn mirrors(a: &Axis) -> bool {
    let end = usize::try_from(a.end_read()).unwrap_or(0);
    let inside = |position: usize, window: usize| {
        let from = window * a.stride;
        // Positions count from the first padding element.
        (from..from + a.kernel).contains(&(position + a.begin))
    };
    a.begin <= a.input
        && end <= a.input
        && (0..a.output).all(|o| {
            let from = o * a.stride;
            (from..from + a.kernel).all(|p| match p.checked_sub(a.begin) {
                None => inside(a.begin - 1 - p, o),
                Some(p) if p >= a.input => inside((2 * a.input).saturating_sub(p + 1), o),
                Some(_) => true,
            })
        })
}

fn pad_mirror(cx: &mut Context<'_>, tensor: TensorId, axes: &[Axis]) -> TensorId {
    let mut shape = cx.extents(tensor);
    let mut paddings = vec![0; 2 * shape.len()];
    for (i, a) in axes.iter().enumerate() {
        let end = usize::try_from(a.end_read()).unwrap_or(0);
        paddings[2 * (i + 1)] = short(a.begin);
        paddings[2 * (i + 1) + 1] = short(end);
        shape[i + 1] += a.begin + end;
    }
    let paddings = paddings_tensor(cx, paddings);
    let options = options::MirrorPad { mode: MirrorPadMode::Symmetric };
    cx.emit(Builtin::MirrorPad, &[tensor, paddings], options, shape)
}

/// Gathers the taps of every window side by side, then pools blocks. A tap that falls into the padding is replaced by
/// another of its window, which changes no maximum.
fn max_of_gathered(cx: &mut Context<'_>, mut tensor: TensorId, axes: &[Axis], act: Activation) -> TensorId {
    let mut blocks = [flat_axis(), flat_axis()];
    for (i, a) in axes.iter().enumerate() {
        let mut indices = Vec::with_capacity(a.output * a.kernel);
        for o in 0..a.output {
            let spare = a.taps(o).next().unwrap_or(0);
            for k in 0..a.kernel {
                let at = (o * a.stride + k * a.dilation).checked_sub(a.begin).filter(|&p| p < a.input);
                indices.push(short(at.unwrap_or(spare)));
            }
        }
        let mut shape = cx.extents(tensor);
        shape[i + 1] = indices.len();
        if !indices.iter().copied().eq(0..short(a.input)) {
            let indices = cx.ints(&indices);
            let options = options::Gather { axis: short(i + 1), batch_dims: 0 };
            tensor = cx.emit(Builtin::Gather, &[tensor, indices], options, shape);
        }
        blocks[i] = Axis { kernel: a.kernel, stride: a.kernel, output: a.output, ..flat_axis() };
    }
    let shape = cx.extents(tensor);
    let out = vec![shape[0], blocks[0].output, blocks[1].output, shape[3]];
    cx.emit(Builtin::MaxPool2d, &[tensor], pool_options(&blocks, Padding::Valid, act), out)
}

fn average_pool(
    cx: &mut Context<'_>,
    tensor: TensorId,
    axes: &[Axis],
    count_pads: bool,
    act: Activation,
) -> TensorId {
    let shape = cx.extents(tensor);
    let out = vec![shape[0], axes[0].output, axes[1].output, shape[3]];
    let dense = axes.iter().all(|a| a.dilation == 1);
    // Divisors of single axes; a window's divisor is their product.
    let counts: Vec<Vec<usize>> =
        axes.iter().map(|a| (0..a.output).map(|o| divisor(a, o, count_pads)).collect()).collect();
    let full = axes.iter().zip(&counts).all(|(a, c)| c.iter().all(|&n| n == a.kernel));
    let padding = scheme(axes);
    if dense && (padding == Some(Padding::Valid) && full || padding == Some(Padding::Same) && !count_pads) {
        let padding = padding.unwrap_or_default();
        return cx.emit(Builtin::AveragePool2d, &[tensor], pool_options(axes, padding, act), out);
    }
    let padded = if axes.iter().any(|a| a.begin > 0 || a.end_read() > 0) {
        pad_zeros(cx, tensor, axes)
    } else {
        tensor
    };
    let window: usize = axes.iter().map(|a| a.kernel).product();
    let first = if full { act } else { Activation::None };
    let mean = if dense {
        cx.emit(Builtin::AveragePool2d, &[padded], pool_options(axes, Padding::Valid, first), out.clone())
    } else {
        mean_of_taps(cx, padded, axes, window, first, out.clone())
    };
    if full {
        return mean;
    }
    #[expect(clippy::cast_precision_loss, reason = "windows are small")]
    let factor = |h: usize, w: usize| window as f64 / (counts[0][h] * counts[1][w]) as f64;
    let factors = (0..axes[0].output).flat_map(|h| (0..axes[1].output).map(move |w| (h, w)));
    let factors = factors.map(|(h, w)| factor(h, w)).collect();
    let factors = cx.floats([axes[0].output, axes[1].output, 1], factors, Role::Scale);
    cx.emit(Builtin::Mul, &[mean, factors], options::Mul { fused_activation_function: act }, out)
}

/// How many elements an average counts along an axis: those inside the tensor, or also those in the padding that the
/// node names (a window that ceil_mode lets hang over counts no further).
fn divisor(a: &Axis, window: usize, count_pads: bool) -> usize {
    let limit = a.input + a.begin + a.end;
    match count_pads {
        true => (0..a.kernel).filter(|k| window * a.stride + k * a.dilation < limit).count(),
        false => a.taps(window).count(),
    }
}

/// The mean of dilated taps: a depthwise convolution with equal weights.
fn mean_of_taps(
    cx: &mut Context<'_>,
    tensor: TensorId,
    axes: &[Axis],
    window: usize,
    act: Activation,
    out: Vec<usize>,
) -> TensorId {
    let channels = out[3];
    #[expect(clippy::cast_precision_loss, reason = "windows are small")]
    let weights = vec![1.0 / window as f64; window * channels];
    let weights = cx.floats([1, axes[0].kernel, axes[1].kernel, channels], weights, Role::Weight);
    let bias = cx.floats([channels], vec![0.0; channels], Role::Bias);
    let options = options::DepthwiseConv2D {
        padding: Padding::Valid,
        stride_w: short(axes[1].stride),
        stride_h: short(axes[0].stride),
        depth_multiplier: 1,
        fused_activation_function: act,
        dilation_w_factor: short(axes[1].dilation),
        dilation_h_factor: short(axes[0].dilation),
    };
    cx.emit_as(Builtin::DepthwiseConv2d, &[tensor, weights, bias], options, out, DType::F32)
}

/// Whether a value is known to hold nothing negative, looking at most `depth` operators back.
fn nonnegative(cx: &Context<'_>, value: ValueId, depth: usize) -> bool {
    let Some(node) = cx.graph.nodes.iter().find(|n| n.outputs.first().copied().flatten() == Some(value))
    else {
        return false;
    };
    let behind = |i: usize| depth > 0 && cx.optional(node, i).is_some_and(|v| nonnegative(cx, v, depth - 1));
    match &node.op {
        Op::Relu | Op::Sigmoid | Op::HardSigmoid(_) | Op::Softmax(_) => true,
        Op::Clip => cx.optional(node, 1).and_then(|v| cx.scalar(v)).is_some_and(|low| low >= 0.0),
        Op::MaxPool(_) | Op::AveragePool(_) => behind(0),
        Op::Concat(_) => (0..node.inputs.len()).all(behind),
        _ => false,
    }
}
