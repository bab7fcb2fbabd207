//! Lowers Slice: SLICE where every step is 1, STRIDED_SLICE otherwise. Axes taken whole are merged when there are more
//! than the kernels' five.

use super::context::Context;
use super::conv::short;
use super::perm::Perm;
use crate::infer::{Operand, Range, slice_ranges};
use crate::layout::choose;
use crate::target::TensorId;
use halfproof_ir::{DType, Op};
use halfproof_wire::tflite::{Builtin, options};

const MOST: usize = 5;

pub(super) fn lower(cx: &mut Context<'_>, index: usize) -> Result<(), String> {
    let graph = cx.graph;
    let node = &graph.nodes[index];
    let Op::Slice = node.op else { return Err("it is no Slice".into()) };
    let (x, y) = (cx.input(node, 0)?, cx.output(node)?);
    let ty = cx.ty(x)?.clone();
    if matches!(ty.dtype, DType::U16 | DType::U64) {
        return Err(format!("TFLite SLICE has no {} kernel", ty.dtype));
    }
    let types: Vec<_> = (1..5)
        .map(|i| cx.optional(node, i).map(|v| cx.ty(v).cloned()).transpose())
        .collect::<Result<_, _>>()?;
    let operand = |i: usize| {
        let ty = types[i - 1].as_ref()?;
        Some(Operand { ty, constant: cx.optional(node, i).and_then(|v| graph.constant(v)) })
    };
    let need = |i: usize| operand(i).ok_or_else(|| format!("operand {i} is missing"));
    let ranges = slice_ranges(&ty.shape, need(1)?, need(2)?, operand(3), operand(4))?;
    if ranges.iter().zip(&ty.shape).all(|(r, &d)| r.step == 1 && r.len == d) {
        return cx.alias_transposed(y, x, &Perm::identity(ty.rank()));
    }
    let order = choose(cx, &[x], y, ty.rank());
    let tensor = cx.ordered(x, &order)?;
    let out = slice(cx, tensor, &order.apply(&ranges))?;
    cx.bind(y, out, order);
    Ok(())
}

/// The ranges of a tensor, one per axis.
fn slice(cx: &mut Context<'_>, tensor: TensorId, ranges: &[Range]) -> Result<TensorId, String> {
    let shape = cx.extents(tensor);
    let out: Vec<usize> = ranges.iter().map(|r| r.len).collect();
    if shape.len() > MOST {
        let (merged, ranges) = merge_whole(&shape, ranges);
        if merged.len() > MOST {
            return Err(format!("{} axes are cut apart; TFLite SLICE takes {MOST}", merged.len()));
        }
        let flat = cx.reshape(tensor, &merged);
        let cut = slice(cx, flat, &ranges)?;
        return Ok(cx.reshape(cut, &out));
    }
    let begin: Vec<i32> = ranges.iter().map(|r| short(r.start)).collect();
    if ranges.iter().all(|r| r.step == 1) {
        let size: Vec<i32> = out.iter().map(|&d| short(d)).collect();
        let (begin, size) = (cx.ints(&begin), cx.ints(&size));
        return Ok(cx.emit(Builtin::Slice, &[tensor, begin, size], options::Slice {}, out));
    }
    let mut end_mask = 0;
    let mut ends = Vec::with_capacity(ranges.len());
    let mut strides = Vec::with_capacity(ranges.len());
    for (i, (r, &extent)) in ranges.iter().zip(&shape).enumerate() {
        // A step that leaves the axis after its first element is as good as any longer one.
        let step = r.step.clamp(-(extent.cast_signed() as i64), extent.cast_signed() as i64);
        let end = r.start.cast_signed() as i64 + step * r.len.cast_signed() as i64;
        if end < 0 {
            // Walking backwards past the first element cannot be written as an index.
            end_mask |= 1 << i;
        }
        ends.push(i32::try_from(end.clamp(0, extent.cast_signed() as i64)).unwrap_or(i32::MAX));
        strides.push(i32::try_from(step).unwrap_or(1));
    }
    let (begin, end, strides) = (cx.ints(&begin), cx.ints(&ends), cx.ints(&strides));
    let options = options::StridedSlice { end_mask, ..options::StridedSlice::default() };
    Ok(cx.emit(Builtin::StridedSlice, &[tensor, begin, end, strides], options, out))
}

/// Neighbouring axes that are taken whole, merged.
fn merge_whole(shape: &[usize], ranges: &[Range]) -> (Vec<usize>, Vec<Range>) {
    let mut merged: Vec<usize> = Vec::new();
    let mut out: Vec<Range> = Vec::new();
    let mut whole_before = false;
    for (&d, r) in shape.iter().zip(ranges) {
        let whole = r.step == 1 && r.len == d;
        match (merged.last_mut(), out.last_mut()) {
            (Some(m), Some(o)) if whole && whole_before => {
                *m *= d;
                o.len *= d;
            }
            _ => {
                merged.push(d);
                out.push(*r);
            }
        }
        whole_before = whole;
    }
    (merged, out)
}
