//! Activations.

use super::super::graph::{Builder, Item, Span};
use super::super::shapes::count;
use halfproof_ir::ops::{
    Celu, Elu, Gelu, GeluMode, HardSigmoid, LeakyRelu, Selu, Shrink, Swish, ThresholdedRelu,
};
use halfproof_ir::{DType, Op};

fn on(b: &mut Builder<'_>, op: impl Into<Op>, image: impl Fn(Span) -> Span) -> Option<Item> {
    let x = b.float(|_| true)?;
    b.emit(op, &[x.id], DType::F32, x.shape, image(x.span))
}

/// Keeps positive values and shrinks negative ones to at most `floor` in size.
fn gate(floor: f64) -> impl Fn(Span) -> Span {
    move |s| Span::new(s.low.clamp(-floor, 0.0), s.high.max(0.0))
}

pub(super) fn relu(b: &mut Builder<'_>) -> Option<Item> {
    on(b, Op::Relu, gate(0.0))
}

pub(super) fn leaky_relu(b: &mut Builder<'_>) -> Option<Item> {
    let alpha = *b.dna.pick(&[0.01f32, 0.2, 0.1, 1.5, -0.5]);
    on(b, LeakyRelu { alpha }, |s| Span::around_zero(s.radius() * 1.5))
}

pub(super) fn prelu(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.float(|i| i.rank() >= 1)?;
    let slope_shape = match b.dna.below(3) {
        // One slope per channel, as exporters write it: [C, 1, 1].
        0 if x.rank() >= 2 => {
            let mut s = vec![1; x.rank() - 1];
            s[0] = x.shape[1];
            s
        }
        1 => vec![1],
        _ => b.broadcastable(&x.shape),
    };
    let (slope, _) = b.weights(&slope_shape, 0.5);
    b.emit(Op::PRelu, &[x.id, slope], DType::F32, x.shape, Span::around_zero(x.span.radius() * 2.0))
}

pub(super) fn elu(b: &mut Builder<'_>) -> Option<Item> {
    let alpha = *b.dna.pick(&[1.0f32, 1.0, 0.5, 2.0, -0.5]);
    on(b, Elu { alpha }, gate(2.0))
}

pub(super) fn celu(b: &mut Builder<'_>) -> Option<Item> {
    // A negative alpha makes an exponential of what is below 0.
    if b.dna.chance(1, 6) {
        let alpha = *b.dna.pick(&[-2.0f32, -0.5]);
        let x = b.float(|i| i.span.radius() <= 4.0)?;
        let low = f64::from(-alpha) * (x.span.radius() / f64::from(-alpha)).exp();
        return b.emit(Celu { alpha }, &[x.id], DType::F32, x.shape, Span::new(-low, x.span.high.max(0.0)));
    }
    let alpha = *b.dna.pick(&[1.0f32, 0.5, 2.0]);
    on(b, Celu { alpha }, gate(2.0))
}

pub(super) fn selu(b: &mut Builder<'_>) -> Option<Item> {
    on(b, Selu::default(), gate(2.0))
}

pub(super) fn hard_sigmoid(b: &mut Builder<'_>) -> Option<Item> {
    let (alpha, beta) = *b.dna.pick(&[(0.2f32, 0.5f32), (1.0 / 6.0, 0.5), (0.25, 0.25), (-0.5, 0.75)]);
    on(b, HardSigmoid { alpha, beta }, |_| Span::new(0.0, 1.0))
}

pub(super) fn hard_swish(b: &mut Builder<'_>) -> Option<Item> {
    on(b, Op::HardSwish, gate(0.4))
}

pub(super) fn thresholded_relu(b: &mut Builder<'_>) -> Option<Item> {
    let alpha = *b.dna.pick(&[1.0f32, 0.5, 2.0, 0.0, -1.0]);
    on(b, ThresholdedRelu { alpha }, gate(1.0))
}

pub(super) fn gelu(b: &mut Builder<'_>) -> Option<Item> {
    let approximate = *b.dna.pick(GeluMode::ALL);
    on(b, Gelu { approximate }, gate(0.2))
}

pub(super) fn mish(b: &mut Builder<'_>) -> Option<Item> {
    on(b, Op::Mish, gate(0.4))
}

pub(super) fn softplus(b: &mut Builder<'_>) -> Option<Item> {
    on(b, Op::Softplus, |s| s.map(|x| x.max(0.0) + (-x.abs()).exp().ln_1p()))
}

pub(super) fn softsign(b: &mut Builder<'_>) -> Option<Item> {
    on(b, Op::Softsign, |_| Span::around_zero(1.0))
}

pub(super) fn shrink(b: &mut Builder<'_>) -> Option<Item> {
    let (bias, lambd) = *b.dna.pick(&[(0.0f32, 0.5f32), (1.5, 1.5), (0.5, 1.0)]);
    on(b, Shrink { bias, lambd }, move |s| Span::around_zero(s.radius() + f64::from(bias)))
}

pub(super) fn swish(b: &mut Builder<'_>) -> Option<Item> {
    let alpha = *b.dna.pick(&[1.0f32, 1.0, 1.702, 0.5]);
    on(b, Swish { alpha }, gate(0.6))
}

pub(super) fn clip(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.float(|i| count(&i.shape) > 0)?;
    let (low, high) = *b.dna.pick(&[
        (Some(0.0f32), Some(6.0f32)),
        (Some(-1.0), Some(1.0)),
        (Some(0.0), Some(1.0)),
        (Some(-2.5), Some(3.3)),
        (Some(-0.7), None),
        (None, Some(1.9)),
    ]);
    let min = low.map(|v| b.scalar(v));
    let max = high.map(|v| b.scalar(v));
    let span = Span::new(
        low.map_or(x.span.low, |v| x.span.low.max(v.into())),
        high.map_or(x.span.high, |v| x.span.high.min(v.into())),
    );
    let mut inputs = vec![Some(x.id), min];
    if max.is_some() {
        inputs.push(max);
    }
    b.emit_optional(Op::Clip, inputs, DType::F32, x.shape, span)
}
