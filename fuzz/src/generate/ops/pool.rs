//! Pooling over the spatial axes of [N, C, spatial...].

use super::super::graph::{Builder, Item, Span};
use super::super::shapes::{count, window};
use super::conv::image;
use halfproof_ir::ops::{AutoPad, AveragePool, GlobalLpPool, LpPool, MaxPool};
use halfproof_ir::{DType, Op};

/// Window parameters of one pooling.
struct Windows {
    auto_pad: AutoPad,
    ceil: bool,
    kernel: Vec<i64>,
    strides: Vec<i64>,
    dilations: Vec<i64>,
    pads: Vec<i64>,
    out: Vec<usize>,
}

/// Pads stay below the kernel, as the specification's formula and every framework expect.
fn windows(b: &mut Builder<'_>, x: &Item, dilate: bool) -> Option<Windows> {
    let auto_pad =
        *b.dna.pick(&[AutoPad::NotSet, AutoPad::NotSet, AutoPad::NotSet, AutoPad::SameUpper, AutoPad::Valid]);
    let ceil = auto_pad == AutoPad::NotSet && b.dna.chance(1, 4);
    let mut w = Windows {
        auto_pad,
        ceil,
        kernel: vec![],
        strides: vec![],
        dilations: vec![],
        pads: vec![],
        out: vec![x.shape[0], x.shape[1]],
    };
    let (mut begins, mut ends) = (vec![], vec![]);
    for &extent in &x.shape[2..] {
        let d = if dilate && b.dna.chance(1, 5) { 2 } else { 1 };
        let most = extent.saturating_sub(1) / d + 1;
        let k = (*b.dna.pick(&[2, 3, 1, 4, 5])).min(most.max(1));
        let d = if k == 1 { 1 } else { d };
        let s = *b.dna.pick(&[2, 1, 3]);
        let (begin, end) = if auto_pad == AutoPad::NotSet && k > 1 {
            let p = b.dna.between(0, k / 2);
            (p, if b.dna.chance(1, 4) { b.dna.between(0, k / 2) } else { p })
        } else {
            (0, 0)
        };
        w.out.push(match auto_pad {
            AutoPad::SameUpper => extent.div_ceil(s),
            _ => window(extent, k, s, d, begin, end, ceil)?,
        });
        // A last window that starts behind the input is left out by the text of the specification, and counted by the shape
        // inference of the `onnx` package below opset 22: nothing is to be said of who reads it how.
        let counted = || Some((extent + begin + end).checked_sub(d * (k - 1) + 1)?.div_ceil(s) + 1);
        if ceil && w.out.last().copied() != counted() {
            return None;
        }
        w.kernel.push(k as i64);
        w.strides.push(s as i64);
        w.dilations.push(d as i64);
        begins.push(begin as i64);
        ends.push(end as i64);
    }
    if auto_pad == AutoPad::NotSet {
        w.pads = [begins, ends].concat();
    }
    Some(w)
}

pub(super) fn max_pool(b: &mut Builder<'_>) -> Option<Item> {
    let x = image(b)?;
    let w = windows(b, &x, true)?;
    let op = MaxPool {
        auto_pad: w.auto_pad,
        ceil_mode: w.ceil,
        dilations: w.dilations,
        kernel_shape: w.kernel,
        pads: w.pads,
        storage_order: 0,
        strides: w.strides,
    };
    b.emit(op, &[x.id], DType::F32, w.out, x.span)
}

pub(super) fn average_pool(b: &mut Builder<'_>) -> Option<Item> {
    let x = image(b)?;
    let w = windows(b, &x, false)?;
    let count_include_pad = b.dna.chance(1, 3);
    let op = AveragePool {
        auto_pad: w.auto_pad,
        ceil_mode: w.ceil,
        count_include_pad,
        dilations: vec![],
        kernel_shape: w.kernel,
        pads: w.pads,
        strides: w.strides,
    };
    b.emit(op, &[x.id], DType::F32, w.out, x.span)
}

fn global(b: &mut Builder<'_>, op: Op) -> Option<Item> {
    let x = image(b)?;
    let mut shape = vec![1; x.rank()];
    shape[..2].copy_from_slice(&x.shape[..2]);
    b.emit(op, &[x.id], DType::F32, shape, x.span)
}

pub(super) fn global_average(b: &mut Builder<'_>) -> Option<Item> {
    global(b, Op::GlobalAveragePool)
}

pub(super) fn global_max(b: &mut Builder<'_>) -> Option<Item> {
    global(b, Op::GlobalMaxPool)
}

pub(super) fn lp_pool(b: &mut Builder<'_>) -> Option<Item> {
    let x = image(b)?;
    if x.span.radius() > 50.0 {
        return None;
    }
    let w = windows(b, &x, true)?;
    let p = *b.dna.pick(&[2, 1, 3]);
    let cells: i64 = w.kernel.iter().product();
    let op = LpPool {
        auto_pad: w.auto_pad,
        ceil_mode: w.ceil,
        dilations: w.dilations,
        kernel_shape: w.kernel,
        p,
        pads: w.pads,
        strides: w.strides,
    };
    b.emit(op, &[x.id], DType::F32, w.out, Span::new(0.0, x.span.radius() * cells as f64))
}

pub(super) fn global_lp(b: &mut Builder<'_>) -> Option<Item> {
    let p = *b.dna.pick(&[2, 1, 3]);
    let x = b.float(|i| (3..=5).contains(&i.rank()) && i.span.radius() < 20.0)?;
    let mut shape = vec![1; x.rank()];
    shape[..2].copy_from_slice(&x.shape[..2]);
    let span = Span::new(0.0, x.span.radius() * count(&x.shape) as f64);
    b.emit(GlobalLpPool { p }, &[x.id], DType::F32, shape, span)
}
