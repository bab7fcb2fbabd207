//! Elementwise functions of one operand, each on a domain where it stays finite.

use super::super::graph::{Builder, Item, Span};
use halfproof_ir::{DType, Op};

fn on(
    b: &mut Builder<'_>,
    op: Op,
    fits: impl Fn(&Item) -> bool,
    image: impl Fn(Span) -> Span,
) -> Option<Item> {
    let x = b.float(fits)?;
    b.emit(op, &[x.id], DType::F32, x.shape, image(x.span))
}

fn on_positive(b: &mut Builder<'_>, op: Op, image: impl Fn(f64) -> f64) -> Option<Item> {
    let x = b.positive()?;
    b.emit(op, &[x.id], DType::F32, x.shape, x.span.map(image))
}

pub(super) fn abs(b: &mut Builder<'_>) -> Option<Item> {
    on(b, Op::Abs, |_| true, |s| Span::new(0.0, s.radius()))
}

pub(super) fn neg(b: &mut Builder<'_>) -> Option<Item> {
    on(b, Op::Neg, |_| true, |s| s.map(|x| -x))
}

pub(super) fn exp(b: &mut Builder<'_>) -> Option<Item> {
    on(b, Op::Exp, |i| i.span.high < 9.0, |s| s.map(f64::exp))
}

pub(super) fn log(b: &mut Builder<'_>) -> Option<Item> {
    on_positive(b, Op::Log, f64::ln)
}

pub(super) fn sqrt(b: &mut Builder<'_>) -> Option<Item> {
    on_positive(b, Op::Sqrt, f64::sqrt)
}

pub(super) fn reciprocal(b: &mut Builder<'_>) -> Option<Item> {
    on_positive(b, Op::Reciprocal, |x| 1.0 / x)
}

pub(super) fn sin(b: &mut Builder<'_>) -> Option<Item> {
    on(b, Op::Sin, |i| i.span.radius() < 1e3, |_| Span::around_zero(1.0))
}

pub(super) fn cos(b: &mut Builder<'_>) -> Option<Item> {
    on(b, Op::Cos, |i| i.span.radius() < 1e3, |_| Span::around_zero(1.0))
}

pub(super) fn floor(b: &mut Builder<'_>) -> Option<Item> {
    on(b, Op::Floor, |_| true, |s| s.map(f64::floor))
}

pub(super) fn ceil(b: &mut Builder<'_>) -> Option<Item> {
    on(b, Op::Ceil, |_| true, |s| s.map(f64::ceil))
}

pub(super) fn round(b: &mut Builder<'_>) -> Option<Item> {
    on(b, Op::Round, |_| true, |s| s.map(f64::round))
}

pub(super) fn sign(b: &mut Builder<'_>) -> Option<Item> {
    on(b, Op::Sign, |_| true, |_| Span::around_zero(1.0))
}

pub(super) fn erf(b: &mut Builder<'_>) -> Option<Item> {
    on(b, Op::Erf, |_| true, |_| Span::around_zero(1.0))
}

pub(super) fn sigmoid(b: &mut Builder<'_>) -> Option<Item> {
    on(b, Op::Sigmoid, |_| true, |s| s.map(|x| 1.0 / (1.0 + (-x).exp())))
}

pub(super) fn tanh(b: &mut Builder<'_>) -> Option<Item> {
    on(b, Op::Tanh, |_| true, |s| s.map(f64::tanh))
}
