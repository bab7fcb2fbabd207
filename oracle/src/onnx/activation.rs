//! Activations with a parameter or a formula of their own: PRelu Softsign Clip ThresholdedRelu Celu Selu HardSigmoid Gelu
//! Shrink Swish.
//!
//! # Definition
//! Elementwise (ONNX PRelu-16, Softsign-1, Clip-13, ThresholdedRelu-10, Celu-12, Selu-6, HardSigmoid-6, Gelu-20, Shrink-9, Swish-24):
//! Softsign `x / (1 + |x|)`; ThresholdedRelu `x > alpha ? x : 0`; Celu `max(0, x) + min(0, alpha * (exp(x / alpha) - 1))`;
//! Selu `gamma * (x > 0 ? x : alpha * (exp(x) - 1))`; HardSigmoid `max(0, min(1, alpha * x + beta))`;
//! Shrink `x < -lambd ? x + bias : x > lambd ? x - bias : 0`; Swish `x * sigmoid(alpha * x)`.
//! The slope of PRelu broadcasts unidirectionally to X.
//! # Edge cases
//! Clip is `Min(max, Max(x, min))`: with `min > max` everything becomes `max`. An absent bound does not bound, so infinities
//! stay infinite (the specification speaks of the largest finite number; its reference keeps infinities).
//! PRelu takes x itself for NaN.
//! # Numerics
//! Selu and Celu use the Elu rule, which keeps `exp(x) - 1` accurate near 0. PRelu and ThresholdedRelu choose by a
//! comparison; where rounding could turn it, the element is either of the two branches.

use super::error::OpError;
use super::operands::Operands;
use super::strided::{expand, map};
use super::unary;
use super::whole::combine;
use crate::arith::{Arith, Comparison, Function};
use crate::value::{Array, Value, Whole};
use halfproof_ir::DType;
use halfproof_ir::ops::{Celu, Gelu, GeluMode, HardSigmoid, Selu, Shrink, Swish, ThresholdedRelu};

/// PRelu.
pub(super) fn prelu<A: Arith>(x: &Operands<A::E>, arith: &A) -> Result<Value<A::E>, OpError> {
    match (x.need(0)?, x.need(1)?) {
        (Value::Float(d, a), Value::Float(e, slope)) if d == e => {
            let slopes = expand(slope, &a.shape)?;
            let zero = arith.exact(0.0);
            let f = |(&v, &s): (&A::E, &A::E)| {
                let (order, decided) = arith.compare(v, zero);
                let chosen = match (order == Comparison::Less, decided) {
                    (true, true) => arith.mul(s, v),
                    (false, true) => v,
                    (true, false) => arith.either(arith.mul(s, v), v),
                    (false, false) => arith.either(v, arith.mul(s, v)),
                };
                arith.store(chosen, *d)
            };
            let data = a.data.iter().zip(slopes.iter()).map(f).collect();
            Ok(Value::Float(*d, Array { shape: a.shape.clone(), data }))
        }
        (Value::Whole(d, a), Value::Whole(e, slope)) if d == e && *d != DType::Bool => {
            let slopes = expand(slope, &a.shape)?;
            let f = |(&v, &s): (&Whole, &Whole)| {
                combine(v, s, |v, s| if v < 0 { super::whole::wrap(v.wrapping_mul(s), *d) } else { v })
            };
            let data = a.data.iter().zip(slopes.iter()).map(f).collect();
            Ok(Value::Whole(*d, Array { shape: a.shape.clone(), data }))
        }
        (_, slope) => Err(OpError::Type { operand: 1, dtype: slope.dtype() }),
    }
}

/// Softsign.
pub(super) fn softsign<A: Arith>(x: &Operands<A::E>, arith: &A) -> Result<Value<A::E>, OpError> {
    floats(x, arith, |e| softsign_of(arith, e))
}

/// x / (1 + |x|).
pub(super) fn softsign_of<A: Arith>(arith: &A, e: A::E) -> A::E {
    let below = arith.intermediate(arith.add(arith.exact(1.0), arith.apply(Function::Abs, e)));
    arith.div(e, below)
}

/// Clip.
pub(super) fn clip<A: Arith>(x: &Operands<A::E>, arith: &A) -> Result<Value<A::E>, OpError> {
    match x.need(0)? {
        Value::Float(d, a) => {
            let (low, high) = (bound(x, 1, *d)?, bound(x, 2, *d)?);
            Ok(Value::Float(
                *d,
                map(a, |e| {
                    let e = low.map_or(e, |m| arith.max(e, m));
                    high.map_or(e, |m| arith.min(e, m))
                }),
            ))
        }
        Value::Whole(d, a) => {
            let bound = |i: usize| match x.get(i) {
                None => Ok(None),
                Some(Value::Whole(e, b)) if e == d && b.data.len() == 1 => Ok(Some(b.data[0])),
                Some(Value::Whole(e, b)) if e == d => Err(not_scalar(i, &b.shape)),
                Some(other) => Err(OpError::Type { operand: i, dtype: other.dtype() }),
            };
            let (low, high) = (bound(1)?, bound(2)?);
            Ok(Value::Whole(
                *d,
                map(a, |e| {
                    let e = low.map_or(e, |m| combine(e, m, i64::max));
                    high.map_or(e, |m| combine(e, m, i64::min))
                }),
            ))
        }
    }
}

fn bound<E: Copy>(x: &Operands<E>, i: usize, dtype: DType) -> Result<Option<E>, OpError> {
    if x.get(i).is_none() {
        return Ok(None);
    }
    let (d, b) = x.floats(i)?;
    if d != dtype {
        return Err(OpError::Type { operand: i, dtype: d });
    }
    match *b.data {
        [only] => Ok(Some(only)),
        _ => Err(not_scalar(i, &b.shape)),
    }
}

fn not_scalar(operand: usize, dims: &[usize]) -> OpError {
    OpError::Shape(format!("operand {operand} has shape {dims:?}, a scalar is needed"))
}

/// ThresholdedRelu.
pub(super) fn thresholded_relu<A: Arith>(
    op: &ThresholdedRelu,
    x: &Operands<A::E>,
    arith: &A,
) -> Result<Value<A::E>, OpError> {
    let (alpha, zero) = (arith.exact(op.alpha.into()), arith.exact(0.0));
    floats(x, arith, |e| {
        let (order, decided) = arith.compare(e, alpha);
        match (order == Comparison::Greater, decided) {
            (true, true) => e,
            (false, true) => zero,
            (true, false) => arith.either(e, zero),
            (false, false) => arith.either(zero, e),
        }
    })
}

/// Celu.
pub(super) fn celu<A: Arith>(op: &Celu, x: &Operands<A::E>, arith: &A) -> Result<Value<A::E>, OpError> {
    let (alpha, zero) = (arith.exact(op.alpha.into()), arith.exact(0.0));
    floats(x, arith, |e| {
        let ratio = arith.intermediate(arith.div(e, alpha));
        // Where alpha is negative the exponential counts for ratios above 0 too, which the Elu rule leaves alone.
        let less_one = if op.alpha > 0.0 {
            arith.apply(Function::Elu { alpha: 1.0 }, ratio)
        } else {
            let power = arith.intermediate(arith.apply(Function::Exp, ratio));
            arith.intermediate(arith.sub(power, arith.exact(1.0)))
        };
        let falling = arith.mul(alpha, less_one);
        arith.add(arith.apply(Function::Relu, e), arith.min(zero, arith.intermediate(falling)))
    })
}

/// Selu.
pub(super) fn selu<A: Arith>(op: &Selu, x: &Operands<A::E>, arith: &A) -> Result<Value<A::E>, OpError> {
    let gamma = arith.exact(op.gamma.into());
    let elu = Function::Elu { alpha: op.alpha.into() };
    floats(x, arith, |e| arith.mul(gamma, arith.intermediate(arith.apply(elu, e))))
}

/// HardSigmoid.
pub(super) fn hard_sigmoid<A: Arith>(
    op: &HardSigmoid,
    x: &Operands<A::E>,
    arith: &A,
) -> Result<Value<A::E>, OpError> {
    floats(x, arith, |e| hard_sigmoid_of(arith, e, op.alpha, op.beta))
}

/// max(0, min(1, alpha * x + beta)).
pub(super) fn hard_sigmoid_of<A: Arith>(arith: &A, e: A::E, alpha: f32, beta: f32) -> A::E {
    let (alpha, beta) = (arith.exact(alpha.into()), arith.exact(beta.into()));
    let line = arith.intermediate(arith.add(arith.intermediate(arith.mul(alpha, e)), beta));
    arith.max(arith.exact(0.0), arith.min(arith.exact(1.0), line))
}

/// Gelu.
pub(super) fn gelu<A: Arith>(op: &Gelu, x: &Operands<A::E>, arith: &A) -> Result<Value<A::E>, OpError> {
    x.floats(0)?;
    let f = match op.approximate {
        GeluMode::None => Function::Gelu,
        GeluMode::Tanh => Function::GeluTanh,
    };
    unary::evaluate(f, x, arith)
}

/// Shrink.
pub(super) fn shrink<A: Arith>(op: &Shrink, x: &Operands<A::E>, arith: &A) -> Result<Value<A::E>, OpError> {
    let (lambd, bias, zero) = (f64::from(op.lambd), arith.exact(op.bias.into()), arith.exact(0.0));
    let (above, below) = (arith.exact(lambd), arith.exact(-lambd));
    let choose = |(holds, decided): (bool, bool), yes: A::E, no: A::E| match (holds, decided) {
        (true, true) => yes,
        (false, true) => no,
        (true, false) => arith.either(yes, no),
        (false, false) => arith.either(no, yes),
    };
    floats(x, arith, |e| {
        let (order, decided) = arith.compare(e, above);
        let outer = choose((order == Comparison::Greater, decided), arith.sub(e, bias), zero);
        let (order, decided) = arith.compare(e, below);
        choose((order == Comparison::Less, decided), arith.add(e, bias), outer)
    })
}

/// Swish.
pub(super) fn swish<A: Arith>(op: &Swish, x: &Operands<A::E>, arith: &A) -> Result<Value<A::E>, OpError> {
    let alpha = arith.exact(op.alpha.into());
    floats(x, arith, |e| {
        let scaled = if op.alpha == 1.0 { e } else { arith.intermediate(arith.mul(alpha, e)) };
        arith.mul(e, arith.intermediate(arith.apply(Function::Logistic, scaled)))
    })
}

fn floats<A: Arith>(x: &Operands<A::E>, arith: &A, f: impl Fn(A::E) -> A::E) -> Result<Value<A::E>, OpError> {
    let (d, a) = x.floats(0)?;
    Ok(Value::Float(d, map(a, |e| arith.store(f(e), d))))
}
