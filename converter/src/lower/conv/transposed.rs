//! Lowers ConvTranspose: TRANSPOSE_CONV over two axes (one is computed as two with a height of 1); with dilation or over three
//! axes the convolution of the input with zeros between its elements.

use super::super::context::Context;
use super::super::fuse::{Affine, Tail};
use super::super::pad::surround;
use super::super::perm::Perm;
use super::{bias, grouped, short};
use crate::infer::window::{TransposedAxis, transposed};
use crate::target::TensorId;
use halfproof_ir::{Node, Op, Role, ValueId};
use halfproof_wire::tflite::{Builtin, Options, Padding, options};

/// A transposed convolution as the convolution, with reversed taps, of the input with zeros between its elements (a stride of
/// 1 needs none). TRANSPOSE_CONV has no dilation, and LiteRT's CONV_3D_TRANSPOSE no padding but SAME and VALID. Zeros between
/// the taps instead would make NaN of infinite elements.
fn convolved_apart(
    cx: &mut Context<'_>,
    node: &Node,
    groups: usize,
    axes: &[TransposedAxis],
    tail: &Tail,
    y: ValueId,
) -> Result<(), String> {
    let (x, w) = (cx.input(node, 0)?, cx.input(node, 1)?);
    let (shape, per_group) = (cx.shape(x)?, cx.shape(w)?[1]);
    let elements =
        cx.constant(w).ok_or("weights are not constant")?.floats().ok_or("weights are not floats")?;
    let inputs = axes.iter().map(|a| a.input);
    let image: Vec<usize> = [shape[0]].into_iter().chain(inputs).chain([shape[1]]).collect();
    let mut tensor = cx.shaped(x, &Perm::channels_last(shape.len()), &image)?;
    for (i, a) in axes.iter().enumerate() {
        tensor = zeros_between(cx, tensor, i + 1, a.stride)?;
    }
    tensor = around(cx, tensor, axes)?;
    let filters = per_group * groups;
    let bias = bias(cx, cx.optional(node, 2), filters, tail.affine.as_ref())?;
    let inputs = shape[1] / groups;
    let kernel: Vec<usize> = axes.iter().map(|a| a.kernel).collect();
    let held = match kernel[..] {
        [h, w] => vec![per_group, h, w, inputs],
        _ => [&kernel[..], &[inputs, per_group]].concat(),
    };
    let parts: Vec<TensorId> = (0..groups)
        .map(|g| {
            let taps: usize = kernel.iter().product();
            // In the other order: O, H, W, I for CONV_2D, and D, H, W, I, O for CONV_3D.
            let part =
                of_group(&elements, (taps, inputs, per_group), g, tail.affine.as_ref(), |tap, i, o| {
                    let tap = taps - 1 - tap;
                    if kernel.len() == 2 {
                        (o * taps + tap) * inputs + i
                    } else {
                        (tap * inputs + i) * per_group + o
                    }
                });
            cx.floats(held.clone(), part, Role::Weight)
        })
        .collect();
    let dilation: Vec<i32> = axes.iter().map(|a| short(a.dilation)).collect();
    let (padding, fused_activation_function) = (Padding::Valid, tail.activation);
    let (builtin, options): (Builtin, Options) = match dilation[..] {
        [dilation_h_factor, dilation_w_factor] => {
            let options = options::Conv2D {
                padding,
                stride_w: 1,
                stride_h: 1,
                fused_activation_function,
                dilation_w_factor,
                dilation_h_factor,
                ..options::Conv2D::default()
            };
            (Builtin::Conv2d, options.into())
        }
        [dilation_d_factor, dilation_h_factor, dilation_w_factor] => {
            let options = options::Conv3D {
                padding,
                stride_d: 1,
                stride_w: 1,
                stride_h: 1,
                fused_activation_function,
                dilation_d_factor,
                dilation_w_factor,
                dilation_h_factor,
            };
            (Builtin::Conv3d, options.into())
        }
        _ => return Err(format!("TFLite has no convolution over {} axes", axes.len())),
    };
    let outputs = axes.iter().map(|a| a.output);
    let wanted: Vec<usize> = [shape[0]].into_iter().chain(outputs).chain([filters]).collect();
    let out = grouped(cx, (tensor, &parts, bias), &wanted, |cx, operands, made| {
        cx.emit(builtin, &operands, options.clone(), made)
    });
    cx.bind(y, out, Perm::channels_last(shape.len()));
    Ok(())
}

/// Zeros, or elements to drop, around an input with zeros between its elements, so that the windows of a VALID convolution
/// are those of the transposed one.
fn around(cx: &mut Context<'_>, tensor: TensorId, axes: &[TransposedAxis]) -> Result<TensorId, String> {
    // Below 0: to drop.
    let ends = axes.iter().map(|a| {
        let taps = (a.reach() - 1).cast_signed();
        let before = taps - a.begin;
        (before, a.output.cast_signed() + taps - before - (a.input * a.stride).cast_signed())
    });
    let ends: Vec<(isize, isize)> = [(0, 0)].into_iter().chain(ends).chain([(0, 0)]).collect();
    let amount = |n: isize| usize::try_from(n).unwrap_or(0);
    let mut tensor = tensor;
    if ends.iter().any(|&(before, after)| before < 0 || after < 0) {
        let begin: Vec<i32> = ends.iter().map(|&(before, _)| short(amount(-before))).collect();
        let kept: Vec<usize> = cx
            .extents(tensor)
            .iter()
            .zip(&ends)
            .map(|(n, &(before, after))| n.saturating_sub(amount(-before) + amount(-after)))
            .collect();
        if kept.contains(&0) {
            return Err("its pads leave nothing of its input".into());
        }
        let (begin, size) = (cx.ints(&begin), cx.ints(&kept.iter().map(|&n| short(n)).collect::<Vec<_>>()));
        tensor = cx.emit(Builtin::Slice, &[tensor, begin, size], options::Slice {}, kept);
    }
    let grow: Vec<(usize, usize)> = ends.iter().map(|&(b, a)| (amount(b), amount(a))).collect();
    if grow.iter().all(|&g| g == (0, 0)) {
        return Ok(tensor);
    }
    surround(cx, tensor, &grow, None)
}

/// Each element along an axis followed by `stride` - 1 zeros.
fn zeros_between(
    cx: &mut Context<'_>,
    tensor: TensorId,
    axis: usize,
    stride: usize,
) -> Result<TensorId, String> {
    if stride == 1 {
        return Ok(tensor);
    }
    let mut shape = cx.extents(tensor);
    let (outer, inner) = (shape[..axis].iter().product(), shape[axis + 1..].iter().product());
    let apart = cx.reshape(tensor, &[outer, shape[axis], 1, inner]);
    let grown = surround(cx, apart, &[(0, 0), (0, 0), (0, stride - 1), (0, 0)], None)?;
    shape[axis] *= stride;
    Ok(cx.reshape(grown, &shape))
}

/// The weights `[C, M/group, taps…]` of one group with per-channel factors applied, each where `place` says for its tap, input
/// and output.
fn of_group(
    elements: &[f64],
    (taps, inputs, outputs): (usize, usize, usize),
    group: usize,
    affine: Option<&Affine>,
    place: impl Fn(usize, usize, usize) -> usize,
) -> Vec<f64> {
    let mut out = vec![0.0; taps * inputs * outputs];
    for i in 0..inputs {
        for o in 0..outputs {
            let factor = affine.map_or(1.0, |a| a.scale[group * outputs + o]);
            for tap in 0..taps {
                let from = ((group * inputs + i) * outputs + o) * taps + tap;
                out[place(tap, i, o)] = elements[from] * factor;
            }
        }
    }
    out
}

/// TRANSPOSE_CONV with the result's full extent and a crop, per group.
pub(super) fn lower(cx: &mut Context<'_>, index: usize) -> Result<(), String> {
    let node = &cx.graph.nodes[index];
    let Op::ConvTranspose(op) = &node.op else { return Err("it is no ConvTranspose".into()) };
    let tail = cx.tail(index);
    let y = tail.output.unwrap_or(cx.output(node)?);
    let (x, w) = (cx.input(node, 0)?, cx.input(node, 1)?);
    let (shape, kernel) = (cx.shape(x)?, cx.shape(w)?);
    if !cx.ty(x)?.dtype.is_float() {
        return Err(format!("TFLite TRANSPOSE_CONV of {} is not float", cx.ty(x)?.dtype));
    }
    let mut axes = transposed(&shape[2..], &kernel[2..], op)?;
    if axes.len() == 1 {
        axes.insert(0, TransposedAxis { input: 1, kernel: 1, stride: 1, dilation: 1, begin: 0, output: 1 });
    }
    let constant = cx.constant(w);
    let groups = usize::try_from(op.group).unwrap_or(1);
    let (channels, per_group) = (shape[1], kernel[1]);
    let is_apart = axes.len() != 2 || axes.iter().any(|a| a.dilation > 1);
    if constant.is_none() && (groups > 1 || is_apart) {
        return Err("weights are not constant, and groups, dilation or a third axis need them to be".into());
    }
    if is_apart {
        return convolved_apart(cx, node, groups, &axes, &tail, y);
    }
    let filters = per_group * groups;
    let last = Perm::channels_last(shape.len());
    let tensor = cx.shaped(x, &last, &[shape[0], axes[0].input, axes[1].input, channels])?;
    let bias = bias(cx, cx.optional(node, 2), filters, tail.affine.as_ref())?;
    let inputs = channels / groups;
    let parts: Vec<TensorId> = match constant {
        None => {
            let order = Perm::new([1].into_iter().chain(2..kernel.len()).chain([0]));
            let held = [filters, axes[0].kernel, axes[1].kernel, channels];
            vec![cx.shaped(w, &order, &held)?]
        }
        Some(t) => {
            let elements = t.floats().ok_or("weights are not floats")?;
            (0..groups)
                .map(|g| {
                    let taps = axes[0].kernel * axes[1].kernel;
                    let place = |tap, i, o| (o * taps + tap) * inputs + i;
                    let part = of_group(&elements, (taps, inputs, per_group), g, tail.affine.as_ref(), place);
                    cx.floats([per_group, axes[0].kernel, axes[1].kernel, inputs], part, Role::Weight)
                })
                .collect()
        }
    };
    let plan: Vec<Placement> = axes.iter().map(placement).collect();
    let padding = if plan.iter().all(|p| p.same) { Padding::Same } else { Padding::Valid };
    // SAME places both axes or none.
    let plan: Vec<Placement> = match padding {
        Padding::Same => plan,
        Padding::Valid => axes
            .iter()
            .map(|a| Placement {
                same: false,
                extent: valid_extent(a),
                crop: valid_crop(a),
                lead: valid_lead(a),
            })
            .collect(),
    };
    let extents = [short(shape[0]), short(plan[0].extent), short(plan[1].extent), short(per_group)];
    let size = cx.ints(&extents);
    let options = options::TransposeConv {
        padding,
        stride_w: short(axes[1].stride),
        stride_h: short(axes[0].stride),
        ..options::TransposeConv::default()
    };
    let full = [shape[0], plan[0].extent, plan[1].extent, filters];
    let mut out = grouped(cx, (tensor, &parts, bias), &full, |cx, [input, weights, bias], made| {
        let dtype = cx.dtype(input);
        cx.emit_as(Builtin::TransposeConv, &[size, weights, input, bias], options.clone(), made, dtype)
    });
    if plan.iter().any(|p| p.lead > 0) {
        return Err("pads are negative at the beginning".into());
    }
    let wanted = [shape[0], axes[0].output, axes[1].output, filters];
    if cx.extents(out) != wanted {
        let begin = cx.ints(&[0, short(plan[0].crop), short(plan[1].crop), 0]);
        let size = cx.ints(&wanted.map(short));
        out = cx.emit(Builtin::Slice, &[out, begin, size], options::Slice {}, wanted);
    }
    cx.bind(y, out, last);
    Ok(())
}

/// Where TRANSPOSE_CONV puts a result, along one axis.
struct Placement {
    same: bool,
    /// Extent to ask for.
    extent: usize,
    /// Elements to drop in front.
    crop: usize,
    /// Elements missing in front.
    lead: usize,
}

fn placement(a: &TransposedAxis) -> Placement {
    let total = ((a.input - 1) * a.stride + a.reach()).saturating_sub(a.output);
    let same = a.input == a.output.div_ceil(a.stride) && a.begin == (total / 2).cast_signed();
    Placement { same, extent: a.output, crop: 0, lead: 0 }
}

/// The extent of a VALID result that covers all that is wanted.
fn valid_extent(a: &TransposedAxis) -> usize {
    a.full().max(usize::try_from(a.begin).unwrap_or(0) + a.output)
}

fn valid_crop(a: &TransposedAxis) -> usize {
    usize::try_from(a.begin).unwrap_or(0)
}

fn valid_lead(a: &TransposedAxis) -> usize {
    usize::try_from(-a.begin).unwrap_or(0)
}
