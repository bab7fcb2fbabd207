//! Where.

use super::super::graph::{Builder, Item};
use super::super::shapes::broadcast;
use super::binary::partner;
use halfproof_ir::{DType, Op};

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
