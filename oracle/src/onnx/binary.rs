//! Elementwise arithmetic of two or more operands: Add Sub Mul Div Mod Pow Min Max Sum Mean.
//!
//! # Definition
//! Elementwise under multidirectional broadcasting (ONNX Add-14, Sub-14, Mul-14, Div-14, Pow-15, Min-13, Max-13, Sum-13,
//! Mean-13). The operands have one type, except in Pow, whose exponent may have another; the result of Pow has the type
//! of the base. Mod-13 leaves the rest of a division: with the sign of the divisor, or with that of the dividend where `fmod` is
//! set.
//! # Edge cases
//! Integer division truncates towards zero; by zero it is undefined, so the element is undecided. Integers wrap. An integer
//! base with a float exponent is raised in float and truncated. Min and Max with a NaN operand are NaN.
//! Sum, Mean, Min and Max of one operand are that operand.
//! # Numerics
//! Sum of three and more operands is the `sum` rule, Mean divides that by the count.

use super::error::OpError;
use super::operands::Operands;
use super::strided::{broadcast, expand, map, zip};
use super::whole::{change, combine, wrap};
use crate::arith::{Arith, Comparison, Function};
use crate::value::{Array, Value, Whole};
use halfproof_ir::DType;
use halfproof_ir::ops::Mod;

/// Add.
pub(super) fn add<A: Arith>(x: &Operands<A::E>, arith: &A) -> Result<Value<A::E>, OpError> {
    elementwise(x, arith, |a, b| arith.add(a, b), |a, b| combine(a, b, i64::wrapping_add))
}

/// Sub.
pub(super) fn sub<A: Arith>(x: &Operands<A::E>, arith: &A) -> Result<Value<A::E>, OpError> {
    elementwise(x, arith, |a, b| arith.sub(a, b), |a, b| combine(a, b, i64::wrapping_sub))
}

/// Mul.
pub(super) fn mul<A: Arith>(x: &Operands<A::E>, arith: &A) -> Result<Value<A::E>, OpError> {
    elementwise(x, arith, |a, b| arith.mul(a, b), |a, b| combine(a, b, i64::wrapping_mul))
}

/// Div.
pub(super) fn div<A: Arith>(x: &Operands<A::E>, arith: &A) -> Result<Value<A::E>, OpError> {
    elementwise(
        x,
        arith,
        |a, b| arith.div(a, b),
        |a, b| match b.value {
            0 => Whole { value: 0, decided: false },
            _ => combine(a, b, i64::wrapping_div),
        },
    )
}

fn elementwise<A: Arith>(
    x: &Operands<A::E>,
    arith: &A,
    float: impl Fn(A::E, A::E) -> A::E,
    whole: impl Fn(Whole, Whole) -> Whole,
) -> Result<Value<A::E>, OpError> {
    match (x.need(0)?, x.need(1)?) {
        (Value::Float(d, a), Value::Float(e, b)) if d == e => {
            Ok(Value::Float(*d, zip(a, b, |p, q| arith.store(float(p, q), *d))?))
        }
        (Value::Whole(d, a), Value::Whole(e, b)) if d == e && *d != DType::Bool => {
            Ok(Value::Whole(*d, zip(a, b, |p, q| change(whole(p, q), |v| wrap(v, *d)))?))
        }
        (Value::Whole(DType::Bool, _), _) => Err(OpError::Type { operand: 0, dtype: DType::Bool }),
        (_, b) => Err(OpError::Type { operand: 1, dtype: b.dtype() }),
    }
}

/// Mod.
pub(super) fn modulo<A: Arith>(op: &Mod, x: &Operands<A::E>, arith: &A) -> Result<Value<A::E>, OpError> {
    elementwise(
        x,
        arith,
        |a, b| if op.fmod { remainder(arith, a, b) } else { floored(arith, a, b) },
        |a, b| match b.value {
            0 => Whole { value: 0, decided: false },
            _ if op.fmod => combine(a, b, i64::wrapping_rem),
            // The rest in [0, |b|), then on the divisor's side of 0.
            _ => combine(a, b, |p, q| match p.wrapping_rem_euclid(q) {
                rest if rest != 0 && q < 0 => rest.wrapping_add(q),
                rest => rest,
            }),
        },
    )
}

/// The rest of a division, with the sign of the divisor.
fn floored<A: Arith>(arith: &A, a: A::E, b: A::E) -> A::E {
    let zero = arith.exact(0.0);
    let rest = remainder(arith, a, b);
    let ((r, first), (d, second)) = (arith.compare(rest, zero), arith.compare(b, zero));
    let opposite =
        matches!((r, d), (Comparison::Less, Comparison::Greater) | (Comparison::Greater, Comparison::Less));
    match (opposite, first && second) {
        (true, true) => arith.add(rest, b),
        (true, false) => arith.either(arith.add(rest, b), rest),
        (false, true) => rest,
        (false, false) => arith.either(rest, arith.add(rest, b)),
    }
}

/// The rest of |a| / |b|, with the sign of a.
fn remainder<A: Arith>(arith: &A, a: A::E, b: A::E) -> A::E {
    let (p, q) = (arith.apply(Function::Abs, a), arith.apply(Function::Abs, b));
    // Any number divided by an infinity leaves itself.
    let size = |e| arith.compare(e, arith.exact(f64::INFINITY));
    if size(q) == (Comparison::Equal, true) && size(p) == (Comparison::Less, true) {
        return a;
    }
    let whole = arith.apply(Function::Floor, arith.div(p, q));
    let rest = arith.sub(p, arith.mul(q, whole));
    let (order, decided) = arith.compare(rest, arith.exact(0.0));
    // The quotient was rounded up to the next integer.
    let rest = match (order == Comparison::Less, decided) {
        (false, _) => rest,
        (true, true) => arith.add(rest, q),
        (true, false) => arith.either(arith.add(rest, q), rest),
    };
    arith.mul(arith.apply(Function::Sign, a), rest)
}

/// Pow.
pub(super) fn pow<A: Arith>(x: &Operands<A::E>, arith: &A) -> Result<Value<A::E>, OpError> {
    let (base, exponent) = (x.need(0)?, x.need(1)?);
    for (operand, v) in [base, exponent].into_iter().enumerate() {
        if v.dtype() == DType::Bool {
            return Err(OpError::Type { operand, dtype: DType::Bool });
        }
    }
    Ok(match (base, exponent) {
        (Value::Float(d, a), Value::Float(_, b)) => {
            Value::Float(*d, zip(a, b, |p, q| arith.store(arith.pow(p, q), *d))?)
        }
        (Value::Float(d, a), Value::Whole(_, b)) => {
            Value::Float(*d, zip(a, b, |p, q| arith.store(arith.pow(p, arith.from_whole(q)), *d))?)
        }
        (Value::Whole(d, a), Value::Float(_, b)) => Value::Whole(
            *d,
            zip(a, b, |p, q| change(arith.truncate(arith.pow(arith.from_whole(p), q)), |v| wrap(v, *d)))?,
        ),
        (Value::Whole(d, a), Value::Whole(_, b)) => {
            Value::Whole(*d, zip(a, b, |p, q| combine(p, q, |p, q| wrap(whole_power(p, q), *d)))?)
        }
    })
}

/// A negative exponent truncates the reciprocal: 0 unless the base is 1 or -1.
fn whole_power(base: i64, exponent: i64) -> i64 {
    let magnitude = exponent.unsigned_abs();
    if exponent < 0 && base.unsigned_abs() != 1 {
        return 0;
    }
    let (mut power, mut square, mut left) = (1i64, base, magnitude);
    while left > 0 {
        if left & 1 == 1 {
            power = power.wrapping_mul(square);
        }
        square = square.wrapping_mul(square);
        left >>= 1;
    }
    power
}

/// Min.
pub(super) fn min<A: Arith>(x: &Operands<A::E>, arith: &A) -> Result<Value<A::E>, OpError> {
    extreme(x, |a, b| arith.min(a, b), i64::min)
}

/// Max.
pub(super) fn max<A: Arith>(x: &Operands<A::E>, arith: &A) -> Result<Value<A::E>, OpError> {
    extreme(x, |a, b| arith.max(a, b), i64::max)
}

fn extreme<E: Copy>(
    x: &Operands<E>,
    float: impl Fn(E, E) -> E,
    whole: impl Fn(i64, i64) -> i64,
) -> Result<Value<E>, OpError> {
    let mut result = x.need(0)?.clone();
    for i in 1..x.0.len() {
        result = match (&result, x.need(i)?) {
            (Value::Float(d, a), Value::Float(e, b)) if d == e => Value::Float(*d, zip(a, b, &float)?),
            (Value::Whole(d, a), Value::Whole(e, b)) if d == e => {
                Value::Whole(*d, zip(a, b, |p, q| combine(p, q, &whole))?)
            }
            (_, b) => return Err(OpError::Type { operand: i, dtype: b.dtype() }),
        };
    }
    Ok(result)
}

/// Sum.
pub(super) fn sum<A: Arith>(x: &Operands<A::E>, arith: &A) -> Result<Value<A::E>, OpError> {
    gathered(x, |row| match *row {
        [one] => one,
        [a, b] => arith.add(a, b),
        _ => arith.sum(row),
    })
    .map(|(d, a)| Value::Float(d, map(&a, |e| arith.store(e, d))))
}

/// Mean.
pub(super) fn mean<A: Arith>(x: &Operands<A::E>, arith: &A) -> Result<Value<A::E>, OpError> {
    #[expect(clippy::cast_precision_loss, reason = "a count of operands")]
    let count = arith.exact(x.0.len() as f64);
    gathered(x, |row| match *row {
        [one] => one,
        _ => arith.div(arith.sum(row), count),
    })
    .map(|(d, a)| Value::Float(d, map(&a, |e| arith.store(e, d))))
}

/// Combines corresponding elements of all operands.
fn gathered<E: Copy>(x: &Operands<E>, f: impl Fn(&[E]) -> E) -> Result<(DType, Array<E>), OpError> {
    let (dtype, _) = x.floats(0)?;
    let mut arrays = Vec::with_capacity(x.0.len());
    for i in 0..x.0.len() {
        let (d, a) = x.floats(i)?;
        if d != dtype {
            return Err(OpError::Type { operand: i, dtype: d });
        }
        arrays.push(a);
    }
    let shapes: Vec<&[usize]> = arrays.iter().map(|a| a.shape.as_slice()).collect();
    let dims = broadcast(&shapes)?;
    let columns = arrays.iter().map(|a| expand(a, &dims)).collect::<Result<Vec<_>, _>>()?;
    let mut row = Vec::with_capacity(columns.len());
    let data = (0..columns[0].len())
        .map(|i| {
            row.clear();
            row.extend(columns.iter().map(|c| c[i]));
            f(&row)
        })
        .collect();
    Ok((dtype, Array { shape: dims, data }))
}
