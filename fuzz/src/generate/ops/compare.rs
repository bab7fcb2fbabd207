//! Comparisons of floats and logic on their results.

use super::super::graph::{Builder, Item, Span};
use super::super::shapes::broadcast;
use super::binary::partner;
use halfproof_ir::ops::IsInf;
use halfproof_ir::{DType, Op};

const TRUTH: Span = Span { low: 0.0, high: 1.0 };

fn comparison(b: &mut Builder<'_>, op: Op) -> Option<Item> {
    let x = b.float(|_| true)?;
    let (y, y_shape, _) = partner(b, &x);
    let shape = broadcast(&x.shape, &y_shape)?;
    b.emit(op, &[x.id, y], DType::Bool, shape, TRUTH)
}

pub(super) fn equal(b: &mut Builder<'_>) -> Option<Item> {
    comparison(b, Op::Equal)
}

pub(super) fn greater(b: &mut Builder<'_>) -> Option<Item> {
    comparison(b, Op::Greater)
}

pub(super) fn greater_or_equal(b: &mut Builder<'_>) -> Option<Item> {
    comparison(b, Op::GreaterOrEqual)
}

pub(super) fn less(b: &mut Builder<'_>) -> Option<Item> {
    comparison(b, Op::Less)
}

pub(super) fn less_or_equal(b: &mut Builder<'_>) -> Option<Item> {
    comparison(b, Op::LessOrEqual)
}

fn logic(b: &mut Builder<'_>, op: Op) -> Option<Item> {
    let x = b.any(|i| i.dtype == DType::Bool)?;
    let other = b.any(|i| i.dtype == DType::Bool && i.id != x.id && broadcast(&i.shape, &x.shape).is_some());
    let (y, y_shape) = match other {
        Some(i) => (i.id, i.shape),
        None => {
            let shape = b.broadcastable(&x.shape);
            (b.mask(&shape), shape)
        }
    };
    let shape = broadcast(&x.shape, &y_shape)?;
    b.emit(op, &[x.id, y], DType::Bool, shape, TRUTH)
}

pub(super) fn and(b: &mut Builder<'_>) -> Option<Item> {
    logic(b, Op::And)
}

pub(super) fn or(b: &mut Builder<'_>) -> Option<Item> {
    logic(b, Op::Or)
}

pub(super) fn xor(b: &mut Builder<'_>) -> Option<Item> {
    logic(b, Op::Xor)
}

pub(super) fn not(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.any(|i| i.dtype == DType::Bool)?;
    b.emit(Op::Not, &[x.id], DType::Bool, x.shape, TRUTH)
}

pub(super) fn is_nan(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.float(|_| true)?;
    b.emit(Op::IsNaN, &[x.id], DType::Bool, x.shape, TRUTH)
}

pub(super) fn is_inf(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.float(|_| true)?;
    let (detect_negative, detect_positive) =
        *b.dna.pick(&[(true, true), (false, true), (true, false), (false, false)]);
    b.emit(IsInf { detect_negative, detect_positive }, &[x.id], DType::Bool, x.shape, TRUTH)
}
