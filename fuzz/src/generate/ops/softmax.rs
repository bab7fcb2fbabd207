//! Softmax, LogSoftmax and Hardmax on any axis.

use super::super::graph::{Builder, Item, Span};
use halfproof_ir::DType;
use halfproof_ir::ops::{Hardmax, LogSoftmax, Softmax};

fn axis(b: &mut Builder<'_>, rank: usize) -> i64 {
    match b.dna.below(3) {
        0 | 1 => -1,
        _ => b.dna.below(rank) as i64,
    }
}

pub(super) fn softmax(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.float(|i| i.rank() >= 1 && i.span.radius() < 1e4)?;
    let axis = axis(b, x.rank());
    b.emit(Softmax { axis, coerce_2d: false }, &[x.id], DType::F32, x.shape, Span::new(0.0, 1.0))
}

pub(super) fn log_softmax(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.float(|i| i.rank() >= 1 && i.span.radius() < 1e3)?;
    let axis = axis(b, x.rank());
    let span = Span::new(-2.0 * x.span.radius() - 8.0, 0.0);
    b.emit(LogSoftmax { axis, coerce_2d: false }, &[x.id], DType::F32, x.shape, span)
}

pub(super) fn hardmax(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.float(|i| i.rank() >= 1)?;
    let axis = axis(b, x.rank());
    b.emit(Hardmax { axis, coerce_2d: false }, &[x.id], DType::F32, x.shape, Span::new(0.0, 1.0))
}
