//! Cast between floats, integers and booleans.

use super::super::graph::{Builder, Item, Span};
use halfproof_ir::DType;
use halfproof_ir::ops::{Cast, CastLike};

/// Spans of floats are estimates: what is cut to an integer may lie outside, and must not be taken for an index.
fn image(span: Span, from: DType, to: DType) -> Span {
    match to {
        DType::Bool => Span::new(0.0, 1.0),
        DType::F32 => span,
        _ if from == DType::F32 => Span::around_zero(span.radius() + 1.0),
        _ => span,
    }
}

pub(super) fn cast(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.any(|i| i.span.radius() < 1e6)?;
    let to = match x.dtype {
        DType::F32 => *b.dna.pick(&[DType::I64, DType::I32, DType::Bool]),
        _ => DType::F32,
    };
    let span = image(x.span, x.dtype, to);
    b.emit(Cast { to, saturate: true }, &[x.id], to, x.shape, span)
}

pub(super) fn cast_like(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.any(|i| i.span.radius() < 1e6)?;
    let like = b.any(|i| i.id != x.id)?;
    let span = image(x.span, x.dtype, like.dtype);
    b.emit(CastLike { saturate: true }, &[x.id, like.id], like.dtype, x.shape, span)
}
