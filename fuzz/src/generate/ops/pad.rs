//! Pad in all modes, CenterCropPad.

use super::super::graph::{Builder, Item, Span};
use halfproof_ir::DType;
use halfproof_ir::ops::{CenterCropPad, Pad, PadMode};

pub(super) fn pad(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.float(|i| i.rank() >= 1)?;
    let mode =
        *b.dna.pick(&[PadMode::Constant, PadMode::Constant, PadMode::Reflect, PadMode::Edge, PadMode::Wrap]);
    let (mut begins, mut ends, mut shape) = (vec![], vec![], vec![]);
    for &extent in &x.shape {
        let most = match mode {
            PadMode::Reflect => extent - 1,
            PadMode::Wrap => extent,
            _ => 3,
        };
        let mut draw = || if b.dna.chance(1, 2) { b.dna.between(0, most.min(3)) } else { 0 };
        let (begin, end) = (draw(), draw());
        shape.push(begin + extent + end);
        begins.push(begin as i64);
        ends.push(end as i64);
    }
    let pads = b.ints([begins, ends].concat());
    let mut inputs = vec![x.id, pads];
    let mut span = x.span;
    if mode == PadMode::Constant {
        let fill = *b.dna.pick(&[None, Some(0.0f32), Some(1.5), Some(-1.0)]);
        span =
            span.hull(super::super::graph::Span::new(fill.unwrap_or(0.0).into(), fill.unwrap_or(0.0).into()));
        if let Some(v) = fill {
            inputs.push(b.scalar(v));
        }
    }
    b.emit(Pad { mode }, &inputs, DType::F32, shape, span)
}

pub(super) fn center_crop(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.float(|i| i.rank() >= 1)?;
    let axes: Vec<usize> = (0..x.rank()).filter(|_| b.dna.chance(1, 2)).collect();
    let axes = if axes.is_empty() { vec![x.rank() - 1] } else { axes };
    let mut shape = x.shape.clone();
    for &a in &axes {
        shape[a] = b.dna.between(1, x.shape[a] + 3);
    }
    let extents: Vec<i64> = axes.iter().map(|&a| shape[a] as i64).collect();
    let extents = b.ints(extents);
    let axes = axes.into_iter().map(|a| a as i64).collect();
    let span = x.span.hull(Span::new(0.0, 0.0));
    b.emit(CenterCropPad { axes }, &[x.id, extents], DType::F32, shape, span)
}
