//! Lowers Pad. Constants are PAD or PADV2, reflections MIRROR_PAD; everything else gathers the source index of every
//! element, axis by axis. Negative pads cut first.

use super::concat::slice_axis;
use super::context::Context;
use super::conv::{paddings_tensor, short};
use super::perm::Perm;
use crate::infer::{Operand, pads};
use crate::layout::choose;
use crate::target::TensorId;
use halfproof_ir::ops::PadMode;
use halfproof_ir::{DType, Op};
use halfproof_wire::tflite::{Builtin, MirrorPadMode, options};

pub(super) fn lower(cx: &mut Context<'_>, index: usize) -> Result<(), String> {
    let graph = cx.graph;
    let node = &graph.nodes[index];
    let Op::Pad(op) = &node.op else { return Err("it is no Pad".into()) };
    let (x, y) = (cx.input(node, 0)?, cx.output(node)?);
    let ty = cx.ty(x)?.clone();
    let types: Vec<_> = [1, 3]
        .iter()
        .map(|&i| cx.optional(node, i).map(|v| cx.ty(v).cloned()).transpose())
        .collect::<Result<_, _>>()?;
    let operand = |slot: usize, i: usize| {
        let ty = types[slot].as_ref()?;
        Some(Operand { ty, constant: cx.optional(node, i).and_then(|v| graph.constant(v)) })
    };
    let all = pads(ty.rank(), operand(0, 1).ok_or("pads is missing")?, operand(1, 3))?;
    if all.iter().all(|&p| p == (0, 0)) {
        return cx.alias_transposed(y, x, &Perm::identity(ty.rank()));
    }
    let order = choose(cx, &[x], y, ty.rank());
    let mut tensor = cx.ordered(x, &order)?;
    let pads: Vec<(i64, i64)> = order.apply(&all);
    if op.mode != PadMode::Constant && pads.iter().any(|&(b, e)| b < 0 || e < 0) {
        return Err(format!("negative pads in mode {}", op.mode.name()));
    }
    for (place, &(b, e)) in pads.iter().enumerate() {
        let cut = |p: i64| usize::try_from(-p).unwrap_or(0);
        let extent = cx.extents(tensor)[place];
        let (front, back) = (cut(b), cut(e));
        let left = extent.checked_sub(front + back).filter(|&n| n > 0).ok_or("pads cut everything")?;
        tensor = slice_axis(cx, tensor, place, front, left);
    }
    let grow: Vec<(usize, usize)> = pads
        .iter()
        .map(|&(b, e)| (usize::try_from(b).unwrap_or(0), usize::try_from(e).unwrap_or(0)))
        .collect();
    if grow.iter().all(|&g| g == (0, 0)) {
        cx.bind(y, tensor, order);
        return Ok(());
    }
    let shape = cx.extents(tensor);
    let fits = grow.iter().zip(&shape).all(|(&(b, e), &d)| b < d && e < d);
    let out = match op.mode {
        PadMode::Constant => {
            let value = cx.optional(node, 2);
            constant(cx, tensor, &grow, value, ty.dtype)?
        }
        PadMode::Reflect if fits && mirror_type(ty.dtype) => {
            let (paddings, out) = table(cx, &grow, &shape);
            let options = options::MirrorPad { mode: MirrorPadMode::Reflect };
            cx.emit(Builtin::MirrorPad, &[tensor, paddings], options, out)
        }
        mode => {
            super::gather::supported(ty.dtype)?;
            gathered(cx, tensor, &grow, mode)
        }
    };
    cx.bind(y, out, order);
    Ok(())
}

fn mirror_type(dtype: DType) -> bool {
    dtype.is_float() || matches!(dtype, DType::I32 | DType::I64)
}

fn table(cx: &mut Context<'_>, grow: &[(usize, usize)], shape: &[usize]) -> (TensorId, Vec<usize>) {
    let paddings = grow.iter().flat_map(|&(b, e)| [short(b), short(e)]).collect();
    let out = shape.iter().zip(grow).map(|(d, (b, e))| d + b + e).collect();
    (paddings_tensor(cx, paddings), out)
}

/// Pads with one element, given at run time, constant, or 0 where it is absent.
fn constant(
    cx: &mut Context<'_>,
    tensor: TensorId,
    grow: &[(usize, usize)],
    value: Option<halfproof_ir::ValueId>,
    dtype: DType,
) -> Result<TensorId, String> {
    let known = value.map(|v| cx.scalar(v));
    let zero = match known {
        None => true,
        Some(Some(v)) => v == 0.0,
        Some(None) => false,
    };
    if zero && (dtype.is_float() || matches!(dtype, DType::Bool | DType::I32 | DType::I64)) {
        return surround(cx, tensor, grow, None);
    }
    if !dtype.is_float() && !matches!(dtype, DType::Bool | DType::I32 | DType::I64) {
        return Err(format!("TFLite PADV2 has no {dtype} kernel"));
    }
    let value = value.ok_or("the padding element is missing")?;
    let element = cx.shaped(value, &Perm::identity(cx.ty(value)?.rank()), &[1])?;
    surround(cx, tensor, grow, Some(element))
}

/// PAD writes zeros, PADV2 a given element. Axes that do not grow are merged when there are more than four.
pub(super) fn surround(
    cx: &mut Context<'_>,
    tensor: TensorId,
    grow: &[(usize, usize)],
    element: Option<TensorId>,
) -> Result<TensorId, String> {
    const MOST: usize = 4;
    let shape = cx.extents(tensor);
    if shape.len() > MOST {
        let (mut merged, mut pads): (Vec<usize>, Vec<(usize, usize)>) = (Vec::new(), Vec::new());
        let mut still = false;
        for (&d, &g) in shape.iter().zip(grow) {
            match merged.last_mut() {
                Some(m) if still && g == (0, 0) => *m *= d,
                _ => {
                    merged.push(d);
                    pads.push(g);
                }
            }
            still = g == (0, 0);
        }
        if merged.len() > 5 {
            return Err(format!("{} axes grow apart; TFLite PAD takes 5", merged.len()));
        }
        if merged.len() < shape.len() {
            let flat = cx.reshape(tensor, &merged);
            let padded = surround(cx, flat, &pads, element)?;
            let out: Vec<usize> = shape.iter().zip(grow).map(|(d, (b, e))| d + b + e).collect();
            return Ok(cx.reshape(padded, &out));
        }
    }
    let (paddings, out) = table(cx, grow, &shape);
    Ok(match element {
        None => cx.emit(Builtin::Pad, &[tensor, paddings], options::Pad {}, out),
        Some(element) => cx.emit(Builtin::Padv2, &[tensor, paddings, element], options::PadV2 {}, out),
    })
}

/// Fetches every element of every growing axis from the index that the mode says.
fn gathered(cx: &mut Context<'_>, mut tensor: TensorId, grow: &[(usize, usize)], mode: PadMode) -> TensorId {
    for (place, &(before, after)) in grow.iter().enumerate() {
        if before == 0 && after == 0 {
            continue;
        }
        let mut shape = cx.extents(tensor);
        let extent = shape[place].cast_signed();
        let indices: Vec<i32> = (0..shape[place] + before + after)
            .map(|i| i.cast_signed() - before.cast_signed())
            .map(|i| match mode {
                PadMode::Edge => i.clamp(0, extent - 1),
                PadMode::Wrap => i.rem_euclid(extent),
                _ if extent == 1 => 0,
                _ => {
                    // Back and forth, the edges once: a period of 2 (extent - 1).
                    let i = i.rem_euclid(2 * (extent - 1));
                    if i < extent { i } else { 2 * (extent - 1) - i }
                }
            })
            .map(|i| i32::try_from(i).unwrap_or(0))
            .collect();
        shape[place] = indices.len();
        let indices = cx.ints(&indices);
        let options = options::Gather { axis: short(place), batch_dims: 0 };
        tensor = cx.emit(Builtin::Gather, &[tensor, indices], options, shape);
    }
    tensor
}
