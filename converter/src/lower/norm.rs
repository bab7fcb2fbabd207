//! Lowers normalisations, spelt out by their definitions with the node's own epsilon.
//!
//! TFLite's LOCAL_RESPONSE_NORMALIZATION is not used: its options hold alpha / size in binary32, and LiteRT's two kernels
//! disagree about the window. Nor is L2_NORMALIZATION, which has an epsilon of its own.

use super::binary::{add, combine, div, mul, sub};
use super::context::Context;
use super::conv::{paddings_tensor, short};
use super::fuse::{Affine, batch_normalization};
use super::perm::Perm;
use super::reduce::{held_order, reduce};
use crate::infer::axis;
use crate::layout::choose;
use crate::target::TensorId;
use halfproof_ir::ops::{GroupNormalization, LRN};
use halfproof_ir::{DType, Op, Role, ValueId};
use halfproof_wire::tflite::{Activation, Builtin, Options, Padding, options};

const NONE: Activation = Activation::None;

pub(super) fn lower(cx: &mut Context<'_>, index: usize) -> Result<(), String> {
    let node = &cx.graph.nodes[index];
    let x = cx.input(node, 0)?;
    let ty = cx.ty(x)?;
    if !ty.dtype.is_float() {
        return Err(format!("{} is not a float", ty.dtype));
    }
    match &node.op {
        Op::BatchNormalization(_) => batch(cx, index),
        Op::InstanceNormalization(n) => instance(cx, index, n.epsilon.into()),
        Op::GroupNormalization(n) => group(cx, index, n),
        Op::LayerNormalization(n) => layer(cx, index, n.axis, n.epsilon.into()),
        Op::RMSNormalization(n) => rms(cx, index, n.axis, n.epsilon.into()),
        Op::LRN(n) => local_response(cx, index, n),
        Op::LpNormalization(n) => lp(cx, index, n.axis, n.p),
        other => Err(format!("{} is no normalisation", other.name())),
    }
}

fn batch(cx: &mut Context<'_>, index: usize) -> Result<(), String> {
    let graph = cx.graph;
    let node = &graph.nodes[index];
    let tail = cx.tail(index);
    let y = tail.output.unwrap_or(cx.output(node)?);
    let x = cx.input(node, 0)?;
    let shape = cx.shape(x)?;
    let channels = *shape.get(1).ok_or("there is no channel axis")?;
    let constant = |k: usize| cx.optional(node, k).and_then(|v| graph.constant(v));
    let affine =
        batch_normalization(node, channels, &constant).ok_or("statistics are not constant or not finite")?;
    let order = choose(cx, &[x], y, shape.len());
    let tensor = cx.ordered(x, &order)?;
    let vector = along(&order, 1, channels);
    let Affine { scale, shift } = affine;
    let scale = cx.floats(vector.clone(), scale, Role::Scale);
    let shift = cx.floats(vector, shift, Role::Bias);
    let out = combine(cx, Builtin::Mul, &[tensor, scale], mul(NONE), None)?;
    let out = combine(cx, Builtin::Add, &[out, shift], add(tail.activation), None)?;
    cx.bind(y, out, order);
    Ok(())
}

/// The shape of a vector that runs along a source axis of a tensor held in that order.
fn along(order: &Perm, axis: usize, extent: usize) -> Vec<usize> {
    std::iter::once(extent).chain((order.position(axis) + 1..order.rank()).map(|_| 1)).collect()
}

/// A source vector as such a tensor.
fn vector_along(
    cx: &mut Context<'_>,
    vector: ValueId,
    order: &Perm,
    axis: usize,
    role: Role,
) -> Result<TensorId, String> {
    let extent = cx.ty(vector)?.len();
    let shape = along(order, axis, extent);
    if cx.constant(vector).is_some() {
        return cx.constant_as(vector, &Perm::identity(1), &shape, role);
    }
    cx.shaped(vector, &Perm::identity(1), &shape)
}

/// What a centred normalisation computes on the way.
struct Moments {
    centred: TensorId,
    mean: TensorId,
    inverse_deviation: TensorId,
}

/// `x - mean`, the mean and `1 / sqrt(variance + epsilon)` over axes of the tensor itself.
fn moments(cx: &mut Context<'_>, x: TensorId, axes: &[usize], epsilon: f64) -> Result<Moments, String> {
    let mean = reduce(cx, Builtin::Mean, x, axes, true);
    let centred = combine(cx, Builtin::Sub, &[x, mean], sub(NONE), None)?;
    let square = cx.map(Builtin::Square, centred, options::Square {});
    let variance = reduce(cx, Builtin::Mean, square, axes, true);
    let inverse_deviation = inverse_root(cx, variance, epsilon)?;
    Ok(Moments { centred, mean, inverse_deviation })
}

/// `1 / sqrt(x + epsilon)`.
fn inverse_root(cx: &mut Context<'_>, x: TensorId, epsilon: f64) -> Result<TensorId, String> {
    let epsilon = cx.float(epsilon, Role::Epsilon);
    let sum = combine(cx, Builtin::Add, &[x, epsilon], add(NONE), None)?;
    Ok(cx.map(Builtin::Rsqrt, sum, Options::None))
}

fn instance(cx: &mut Context<'_>, index: usize, epsilon: f64) -> Result<(), String> {
    let node = &cx.graph.nodes[index];
    let (x, y) = (cx.input(node, 0)?, cx.output(node)?);
    let rank = cx.ty(x)?.rank();
    let order = choose(cx, &[x], y, rank);
    let tensor = cx.ordered(x, &order)?;
    let mut axes: Vec<usize> = (2..rank).map(|a| order.position(a)).collect();
    axes.sort_unstable();
    let m = moments(cx, tensor, &axes, epsilon)?;
    let out = combine(cx, Builtin::Mul, &[m.centred, m.inverse_deviation], mul(NONE), None)?;
    let scale = vector_along(cx, cx.input(node, 1)?, &order, 1, Role::Scale)?;
    let bias = vector_along(cx, cx.input(node, 2)?, &order, 1, Role::Bias)?;
    let out = combine(cx, Builtin::Mul, &[out, scale], mul(NONE), None)?;
    let out = combine(cx, Builtin::Add, &[out, bias], add(NONE), None)?;
    cx.bind(y, out, order);
    Ok(())
}

/// Groups are an axis of their own while the moments are taken: N, G, rest, or N, rest, G, C / G channels last.
fn group(cx: &mut Context<'_>, index: usize, n: &GroupNormalization) -> Result<(), String> {
    let node = &cx.graph.nodes[index];
    let (x, y) = (cx.input(node, 0)?, cx.output(node)?);
    let shape = cx.shape(x)?;
    let groups = usize::try_from(n.num_groups).ok().filter(|&g| g > 0).ok_or("num_groups is not positive")?;
    if !shape[1].is_multiple_of(groups) {
        return Err(format!("{} channels do not make {groups} groups", shape[1]));
    }
    let order = choose(cx, &[x], y, shape.len());
    let last = Perm::channels_last(shape.len());
    let order = if order == last { last } else { Perm::identity(shape.len()) };
    let spatial: usize = shape[2..].iter().product();
    let (grouped, axes): (Vec<usize>, Vec<usize>) = if order.is_identity() {
        (vec![shape[0], groups, shape[1] / groups * spatial], vec![2])
    } else {
        (vec![shape[0], spatial, groups, shape[1] / groups], vec![1, 3])
    };
    let tensor = cx.shaped(x, &order, &grouped)?;
    let m = moments(cx, tensor, &axes, n.epsilon.into())?;
    let out = combine(cx, Builtin::Mul, &[m.centred, m.inverse_deviation], mul(NONE), None)?;
    let (scale, bias) = (cx.input(node, 1)?, cx.input(node, 2)?);
    let out = if n.per_group_scale {
        // One entry per group: along the group axis of the grouped view.
        let view = [groups, 1];
        let scale = grouped_vector(cx, scale, &view, Role::Scale)?;
        let bias = grouped_vector(cx, bias, &view, Role::Bias)?;
        let out = combine(cx, Builtin::Mul, &[out, scale], mul(NONE), None)?;
        combine(cx, Builtin::Add, &[out, bias], add(NONE), None)?
    } else {
        let held = order.apply(&shape);
        let out = cx.reshape(out, &held);
        let scale = vector_along(cx, scale, &order, 1, Role::Scale)?;
        let bias = vector_along(cx, bias, &order, 1, Role::Bias)?;
        let out = combine(cx, Builtin::Mul, &[out, scale], mul(NONE), None)?;
        combine(cx, Builtin::Add, &[out, bias], add(NONE), None)?
    };
    cx.bind(y, out, order);
    Ok(())
}

fn grouped_vector(
    cx: &mut Context<'_>,
    vector: ValueId,
    shape: &[usize],
    role: Role,
) -> Result<TensorId, String> {
    if cx.constant(vector).is_some() {
        return cx.constant_as(vector, &Perm::identity(1), shape, role);
    }
    cx.shaped(vector, &Perm::identity(1), shape)
}

fn layer(cx: &mut Context<'_>, index: usize, at: i64, epsilon: f64) -> Result<(), String> {
    let node = &cx.graph.nodes[index];
    let (x, y) = (cx.input(node, 0)?, cx.output(node)?);
    let rank = cx.ty(x)?.rank();
    let first = axis(at, rank)?;
    let order = choose(cx, &[x], y, rank);
    let tensor = cx.ordered(x, &order)?;
    let mut axes: Vec<usize> = (first..rank).map(|a| order.position(a)).collect();
    axes.sort_unstable();
    let m = moments(cx, tensor, &axes, epsilon)?;
    let mut out = combine(cx, Builtin::Mul, &[m.centred, m.inverse_deviation], mul(NONE), None)?;
    let scale = cx.broadcast(cx.input(node, 1)?, &order, Role::Scale, true)?;
    out = combine(cx, Builtin::Mul, &[out, scale], mul(NONE), None)?;
    if let Some(bias) = cx.optional(node, 2) {
        let bias = cx.broadcast(bias, &order, Role::Bias, true)?;
        out = combine(cx, Builtin::Add, &[out, bias], add(NONE), None)?;
    }
    cx.bind(y, out, order);
    for (i, tensor) in [(1, m.mean), (2, m.inverse_deviation)] {
        if let Some(id) = node.outputs.get(i).copied().flatten() {
            cx.bind(id, tensor, order);
        }
    }
    Ok(())
}

fn rms(cx: &mut Context<'_>, index: usize, at: i64, epsilon: f64) -> Result<(), String> {
    let node = &cx.graph.nodes[index];
    let (x, y) = (cx.input(node, 0)?, cx.output(node)?);
    let rank = cx.ty(x)?.rank();
    let first = axis(at, rank)?;
    let order = choose(cx, &[x], y, rank);
    let tensor = cx.ordered(x, &order)?;
    let mut axes: Vec<usize> = (first..rank).map(|a| order.position(a)).collect();
    axes.sort_unstable();
    let square = cx.map(Builtin::Square, tensor, options::Square {});
    let mean = reduce(cx, Builtin::Mean, square, &axes, true);
    let inverse = inverse_root(cx, mean, epsilon)?;
    let out = combine(cx, Builtin::Mul, &[tensor, inverse], mul(NONE), None)?;
    let scale = cx.broadcast(cx.input(node, 1)?, &order, Role::Scale, true)?;
    let out = combine(cx, Builtin::Mul, &[out, scale], mul(NONE), None)?;
    cx.bind(y, out, order);
    Ok(())
}

/// `x / (bias + alpha / size * sum of squares of neighbouring channels) ^ beta`. The mean over `size` channels, zeros
/// beyond the first and last, is an average pool of a one-channel image.
fn local_response(cx: &mut Context<'_>, index: usize, n: &LRN) -> Result<(), String> {
    let node = &cx.graph.nodes[index];
    let (x, y) = (cx.input(node, 0)?, cx.output(node)?);
    let shape = cx.shape(x)?;
    let size = usize::try_from(n.size).map_err(|_| "size is not positive")?;
    let channels = shape[1];
    let order = Perm::channels_last(shape.len());
    // Rank 2 has its channels last already.
    let tensor = cx.ordered(x, &order)?;
    let held = cx.extents(tensor);
    let rows: usize = held[..held.len() - 1].iter().product();
    let square = cx.map(Builtin::Square, tensor, options::Square {});
    let image = cx.reshape(square, &[1, rows, channels, 1]);
    let (before, after) = ((size - 1) / 2, size / 2);
    let mut padded = image;
    if size > 1 {
        let paddings = paddings_tensor(cx, vec![0, 0, 0, 0, short(before), short(after), 0, 0]);
        padded =
            cx.emit(Builtin::Pad, &[image, paddings], options::Pad {}, [1, rows, channels + size - 1, 1]);
        let pool = options::Pool2D {
            padding: Padding::Valid,
            stride_w: 1,
            stride_h: 1,
            filter_width: short(size),
            filter_height: 1,
            fused_activation_function: NONE,
        };
        padded = cx.emit(Builtin::AveragePool2d, &[padded], pool, [1, rows, channels, 1]);
    }
    let mean = cx.reshape(padded, &held);
    let alpha = cx.float(n.alpha.into(), Role::Scale);
    let bias = cx.float(n.bias.into(), Role::Bias);
    let base = combine(cx, Builtin::Mul, &[mean, alpha], mul(NONE), None)?;
    let base = combine(cx, Builtin::Add, &[base, bias], add(NONE), None)?;
    let root = |cx: &mut Context<'_>, t: TensorId| cx.map(Builtin::Sqrt, t, Options::None);
    let power = match n.beta {
        1.0 => base,
        0.5 => root(cx, base),
        0.75 => {
            let half = root(cx, base);
            let quarter = root(cx, half);
            combine(cx, Builtin::Mul, &[half, quarter], mul(NONE), None)?
        }
        beta => {
            let beta = cx.float(beta.into(), Role::Plain);
            combine(cx, Builtin::Pow, &[base, beta], options::Pow {}, None)?
        }
    };
    let out = combine(cx, Builtin::Div, &[tensor, power], div(NONE), None)?;
    cx.bind(y, out, order);
    Ok(())
}

/// `x / norm`, and 0 where the norm is 0.
fn lp(cx: &mut Context<'_>, index: usize, at: i64, p: i64) -> Result<(), String> {
    let node = &cx.graph.nodes[index];
    let (x, y) = (cx.input(node, 0)?, cx.output(node)?);
    let rank = cx.ty(x)?.rank();
    let at = axis(at, rank)?;
    cx.settle(x)?;
    let order = held_order(cx, x).unwrap_or_else(|| Perm::identity(rank));
    let tensor = cx.ordered(x, &order)?;
    let place = [order.position(at)];
    let norm = match p {
        1 => {
            let size = cx.map(Builtin::Abs, tensor, options::Abs {});
            reduce(cx, Builtin::Sum, size, &place, true)
        }
        2 => {
            let square = cx.map(Builtin::Square, tensor, options::Square {});
            let sum = reduce(cx, Builtin::Sum, square, &place, true);
            cx.map(Builtin::Sqrt, sum, Options::None)
        }
        _ => return Err(format!("p is {p}, neither 1 nor 2")),
    };
    let (zero, one) = (cx.float(0.0, Role::Plain), cx.float(1.0, Role::Plain));
    let empty = combine(cx, Builtin::Equal, &[norm, zero], options::Equal {}, Some(DType::Bool))?;
    let safe = combine(cx, Builtin::SelectV2, &[empty, one, norm], options::SelectV2 {}, Some(DType::F32))?;
    let out = combine(cx, Builtin::Div, &[tensor, safe], div(NONE), None)?;
    cx.bind(y, out, order);
    Ok(())
}
