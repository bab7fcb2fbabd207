//! Softmax, LogSoftmax and Hardmax.

use super::{Site, Types, axis};

pub(super) fn rows(a: i64, coerce_2d: bool, site: &Site<'_>) -> Types {
    let rank = site.need(0)?.ty.rank();
    // Cut behind the last axis, a matrix view has columns of extent 1; rank 0 is one row of one element.
    if !(coerce_2d && a == rank.cast_signed() as i64) && rank > 0 {
        axis(a, rank)?;
    }
    site.same()
}
