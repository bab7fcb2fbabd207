//! Elementwise operators of two or more operands, with broadcasting.

use super::super::graph::{Builder, Item, Span};
use super::super::shapes::broadcast;
use halfproof_ir::ops::Mod;
use halfproof_ir::{DType, Op, Tensor, ValueId};

/// A second operand that broadcasts with the first: a constant, or another tensor of the pool.
pub(super) fn partner(b: &mut Builder<'_>, x: &Item) -> (ValueId, Vec<usize>, Span) {
    if b.dna.chance(1, 2) {
        let limit = b.max_elements;
        let other = b.float(|i| {
            i.id != x.id
                && broadcast(&i.shape, &x.shape).is_some_and(|s| s.iter().product::<usize>() <= limit)
        });
        if let Some(i) = other {
            return (i.id, i.shape, i.span);
        }
    }
    let shape = b.broadcastable(&x.shape);
    let (id, span) = b.weights(&shape, 1.0);
    (id, shape, span)
}

fn two(b: &mut Builder<'_>, op: Op, image: impl Fn(Span, Span) -> Span) -> Option<Item> {
    let x = b.float(|i| i.span.radius() < 1e4)?;
    let (y, y_shape, y_span) = partner(b, &x);
    let shape = broadcast(&x.shape, &y_shape)?;
    let (operands, span) = if b.dna.chance(1, 4) {
        ([y, x.id], image(y_span, x.span))
    } else {
        ([x.id, y], image(x.span, y_span))
    };
    b.emit(op, &operands, DType::F32, shape, span)
}

pub(super) fn add(b: &mut Builder<'_>) -> Option<Item> {
    two(b, Op::Add, |x, y| Span::new(x.low + y.low, x.high + y.high))
}

pub(super) fn sub(b: &mut Builder<'_>) -> Option<Item> {
    two(b, Op::Sub, |x, y| Span::new(x.low - y.high, x.high - y.low))
}

pub(super) fn mul(b: &mut Builder<'_>) -> Option<Item> {
    two(b, Op::Mul, Span::times)
}

pub(super) fn div(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.float(|i| i.span.radius() < 1e3)?;
    if b.dna.chance(1, 3) {
        let y = b.positive()?;
        let shape = broadcast(&x.shape, &y.shape)?;
        let span = x.span.times(y.span.map(|v| 1.0 / v));
        return b.emit(Op::Div, &[x.id, y.id], DType::F32, shape, span);
    }
    let y_shape = b.broadcastable(&x.shape);
    let (y, y_span) = b.positive_weights(&y_shape, 1.0);
    let shape = broadcast(&x.shape, &y_shape)?;
    b.emit(Op::Div, &[x.id, y], DType::F32, shape, x.span.times(y_span.map(|v| 1.0 / v)))
}

pub(super) fn pow(b: &mut Builder<'_>) -> Option<Item> {
    let exponent = *b.dna.pick(&[2.0f32, 0.5, 3.0, -1.0, 1.5, -0.5, 1.0, 0.0, 0.3]);
    let whole = exponent.fract() == 0.0 && exponent >= 0.0;
    let x = if whole { b.float(|i| i.span.radius() < 20.0)? } else { b.positive()? };
    let shape = if b.dna.chance(1, 4) { vec![1; x.rank()] } else { vec![] };
    let y = b.constant(Tensor::f32(shape, vec![exponent]));
    let span = if whole {
        Span::around_zero(x.span.radius().powf(exponent.into()).max(1.0))
    } else {
        x.span.map(|v| v.powf(exponent.into()))
    };
    b.emit(Op::Pow, &[x.id, y], DType::F32, x.shape, span)
}

pub(super) fn modulo(b: &mut Builder<'_>) -> Option<Item> {
    // Integers come from ArgMax and casts.
    if b.dna.chance(1, 3)
        && let Some(x) = b.any(|i| matches!(i.dtype, DType::I32 | DType::I64) && i.span.radius() < 1e6)
    {
        let fmod = x.dtype == DType::I32 && b.dna.chance(1, 2);
        let divisor = *b.dna.pick(&[3, 2, -3, 5]);
        let divisor = b.constant(match x.dtype {
            DType::I32 => Tensor::new(vec![], halfproof_ir::Data::I32(vec![divisor as i32])),
            _ => Tensor::i64(vec![], vec![divisor]),
        });
        // A rest may be negative: it names no place.
        return b.emit(Mod { fmod }, &[x.id, divisor], x.dtype, x.shape, Span::around_zero(5.0));
    }
    let x = b.float(|i| i.span.radius() < 1e3)?;
    let y_shape = b.broadcastable(&x.shape);
    let (y, y_span) = b.positive_weights(&y_shape, 1.0);
    let shape = broadcast(&x.shape, &y_shape)?;
    let fmod = b.dna.chance(2, 3);
    b.emit(Mod { fmod }, &[x.id, y], DType::F32, shape, Span::around_zero(y_span.high))
}

fn several(b: &mut Builder<'_>, op: Op, image: impl Fn(Span, Span) -> Span) -> Option<Item> {
    let x = b.float(|i| i.span.radius() < 1e4)?;
    let mut operands = vec![x.id];
    let (mut shape, mut span) = (x.shape.clone(), x.span);
    for _ in 0..*b.dna.pick(&[1, 1, 2, 0, 3]) {
        let (y, y_shape, y_span) = partner(b, &x);
        if let Some(joint) = broadcast(&shape, &y_shape) {
            operands.push(y);
            shape = joint;
            span = image(span, y_span);
        }
    }
    b.emit(op, &operands, DType::F32, shape, span)
}

pub(super) fn min(b: &mut Builder<'_>) -> Option<Item> {
    several(b, Op::Min, |x, y| Span::new(x.low.min(y.low), x.high.min(y.high)))
}

pub(super) fn max(b: &mut Builder<'_>) -> Option<Item> {
    several(b, Op::Max, |x, y| Span::new(x.low.max(y.low), x.high.max(y.high)))
}

pub(super) fn sum(b: &mut Builder<'_>) -> Option<Item> {
    several(b, Op::Sum, |x, y| Span::new(x.low + y.low, x.high + y.high))
}

pub(super) fn mean(b: &mut Builder<'_>) -> Option<Item> {
    several(b, Op::Mean, Span::hull)
}
