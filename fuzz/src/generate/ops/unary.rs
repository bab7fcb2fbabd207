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

/// A tensor within [-1, 1]: one from the pool, or the sine of another.
fn within_one(b: &mut Builder<'_>) -> Option<Item> {
    if let Some(item) = b.wanted_float() {
        return Some(item);
    }
    if let Some(item) = b.float(|i| i.span.radius() <= 1.0) {
        return Some(item);
    }
    let x = b.float(|i| i.span.radius() < 1e3)?;
    b.emit(Op::Sin, &[x.id], DType::F32, x.shape, Span::around_zero(1.0))
}

fn on_within_one(b: &mut Builder<'_>, op: Op, image: impl Fn(f64) -> f64) -> Option<Item> {
    let x = within_one(b)?;
    // A wanted tensor may lie outside, where nothing finite comes out.
    let inside = x.span.map(|v| v.clamp(-1.0, 1.0));
    b.emit(op, &[x.id], DType::F32, x.shape, inside.map(image))
}

pub(super) fn tan(b: &mut Builder<'_>) -> Option<Item> {
    on_within_one(b, Op::Tan, f64::tan)
}

pub(super) fn asin(b: &mut Builder<'_>) -> Option<Item> {
    on_within_one(b, Op::Asin, f64::asin)
}

pub(super) fn acos(b: &mut Builder<'_>) -> Option<Item> {
    on_within_one(b, Op::Acos, f64::acos)
}

pub(super) fn atan(b: &mut Builder<'_>) -> Option<Item> {
    on(b, Op::Atan, |_| true, |s| s.map(f64::atan))
}

pub(super) fn sinh(b: &mut Builder<'_>) -> Option<Item> {
    on(b, Op::Sinh, |i| i.span.radius() < 9.0, |s| s.map(f64::sinh))
}

pub(super) fn cosh(b: &mut Builder<'_>) -> Option<Item> {
    on(b, Op::Cosh, |i| i.span.radius() < 9.0, |s| Span::new(1.0, s.radius().cosh()))
}

pub(super) fn asinh(b: &mut Builder<'_>) -> Option<Item> {
    on(b, Op::Asinh, |_| true, |s| s.map(f64::asinh))
}

pub(super) fn acosh(b: &mut Builder<'_>) -> Option<Item> {
    if let Some(x) = b.wanted_float() {
        let high = x.span.radius().max(1.0).acosh();
        return b.emit(Op::Acosh, &[x.id], DType::F32, x.shape, Span::new(0.0, high));
    }
    if let Some(x) = b.float(|i| i.span.low >= 1.0) {
        return b.emit(Op::Acosh, &[x.id], DType::F32, x.shape, x.span.map(f64::acosh));
    }
    // |x| + 1 of another.
    let x = b.float(|i| i.span.radius() < 1e4)?;
    let high = x.span.radius();
    let x = b.emit(Op::Abs, &[x.id], DType::F32, x.shape, Span::new(0.0, high))?;
    let one = b.scalar(1.0);
    let x = b.emit(Op::Add, &[x.id, one], DType::F32, x.shape, Span::new(1.0, high + 1.0))?;
    b.emit(Op::Acosh, &[x.id], DType::F32, x.shape, Span::new(0.0, (high + 1.0).acosh()))
}

pub(super) fn atanh(b: &mut Builder<'_>) -> Option<Item> {
    if let Some(x) = b.wanted_float() {
        return b.emit(Op::Atanh, &[x.id], DType::F32, x.shape, Span::around_zero(20.0));
    }
    // Three quarters of a sine: what rounds to 1 has no finite result.
    let x = within_one(b)?;
    let most = b.scalar(0.75);
    let x = b.emit(Op::Mul, &[x.id, most], DType::F32, x.shape, Span::around_zero(0.75))?;
    b.emit(Op::Atanh, &[x.id], DType::F32, x.shape, Span::around_zero(0.98))
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
