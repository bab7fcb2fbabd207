//! Where and Trilu.

use super::super::graph::{Builder, Item, Span};
use super::super::shapes::broadcast;
use super::binary::partner;
use halfproof_ir::ops::Trilu;
use halfproof_ir::{DType, Op, Tensor};

pub(super) fn where_(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.float(|_| true)?;
    let (y, y_shape, y_span) = partner(b, &x);
    let shape = broadcast(&x.shape, &y_shape)?;
    let computed = b.any(|i| i.dtype == DType::Bool && broadcast(&i.shape, &shape).is_some());
    let (condition, c_shape) = match computed {
        Some(i) => (i.id, i.shape),
        None => {
            let c = b.broadcastable(&shape);
            (b.mask(&c), c)
        }
    };
    let shape = broadcast(&shape, &c_shape)?;
    b.emit(Op::Where, &[condition, x.id, y], DType::F32, shape, x.span.hull(y_span))
}

pub(super) fn trilu(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.float(|i| i.rank() >= 2)?;
    let upper = b.dna.chance(1, 2);
    let mut inputs = vec![x.id];
    if b.dna.chance(1, 2) {
        let k = *b.dna.pick(&[1, -1, 0, 2, -3]);
        inputs.push(b.constant(Tensor::i64(vec![], vec![k])));
    }
    b.emit(Trilu { upper }, &inputs, DType::F32, x.shape, x.span.hull(Span::new(0.0, 0.0)))
}
