//! Cast between floats, integers and booleans.

use super::super::graph::{Builder, Item, Span};
use halfproof_ir::DType;
use halfproof_ir::ops::Cast;

pub(super) fn cast(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.any(|i| i.span.radius() < 1e6)?;
    let to = match x.dtype {
        DType::F32 => *b.dna.pick(&[DType::I64, DType::I32, DType::Bool]),
        _ => DType::F32,
    };
    // A computed integer may be negative: keep it out of indexing by its span.
    let span = if to == DType::Bool { Span::new(0.0, 1.0) } else { x.span };
    b.emit(Cast { to, saturate: true }, &[x.id], to, x.shape, span)
}
