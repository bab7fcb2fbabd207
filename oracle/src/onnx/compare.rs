//! Comparisons and boolean logic: Equal Greater GreaterOrEqual Less LessOrEqual And Or Xor Not IsNaN IsInf.
//!
//! # Definition
//! Elementwise under multidirectional broadcasting, BOOL result (ONNX Equal-13, Greater-13, GreaterOrEqual-12, Less-13,
//! LessOrEqual-12, And-7, Or-7, Xor-7, Not-1). IsNaN-13 and IsInf-10 to 20: is the element a NaN, an infinity of a sign that
//! is asked for.
//! # Edge cases
//! Every comparison with a NaN is false. Equal is also defined for booleans. -0 equals +0.
//! # Numerics
//! The arithmetic says whether rounding could turn a comparison; the result is then undecided. And with a certain false,
//! and Or with a certain true, are decided whatever the other operand is.

use super::error::OpError;
use super::operands::Operands;
use super::strided::{map, zip};
use super::whole::truth;
use crate::arith::{Arith, Comparison};
use crate::value::{Array, Value, Whole};
use halfproof_ir::DType;
use halfproof_ir::ops::IsInf;
use std::cmp::Ordering;

/// Which comparison.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparing {
    Equal,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Comparing {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Comparing::Equal => order.is_eq(),
            Comparing::Greater => order.is_gt(),
            Comparing::GreaterOrEqual => order.is_ge(),
            Comparing::Less => order.is_lt(),
            Comparing::LessOrEqual => order.is_le(),
        }
    }
}

/// One of the five comparisons.
pub(super) fn compare<A: Arith>(
    which: Comparing,
    x: &Operands<A::E>,
    arith: &A,
) -> Result<Value<A::E>, OpError> {
    let result = match (x.need(0)?, x.need(1)?) {
        (Value::Float(d, a), Value::Float(e, b)) if d == e => zip(a, b, |p, q| {
            let (order, decided) = arith.compare(p, q);
            let holds = match order {
                Comparison::Less => which.holds(Ordering::Less),
                Comparison::Equal => which.holds(Ordering::Equal),
                Comparison::Greater => which.holds(Ordering::Greater),
                Comparison::Unordered => false,
            };
            truth(holds, decided)
        })?,
        (Value::Whole(d, a), Value::Whole(e, b))
            if d == e && (*d != DType::Bool || which == Comparing::Equal) =>
        {
            zip(a, b, |p, q| truth(which.holds(p.value.cmp(&q.value)), p.decided && q.decided))?
        }
        (Value::Whole(DType::Bool, _), Value::Whole(DType::Bool, _)) => {
            return Err(OpError::Type { operand: 0, dtype: DType::Bool });
        }
        (_, b) => return Err(OpError::Type { operand: 1, dtype: b.dtype() }),
    };
    Ok(Value::Whole(DType::Bool, result))
}

/// Which connective.
#[derive(Clone, Copy)]
pub(super) enum Logic {
    And,
    Or,
    Xor,
}

/// And, Or or Xor.
pub(super) fn logic<E: Copy>(which: Logic, x: &Operands<E>) -> Result<Value<E>, OpError> {
    let (a, b) = (booleans(x, 0)?, booleans(x, 1)?);
    let result = zip(a, b, |p: Whole, q: Whole| {
        let (u, v) = (p.value != 0, q.value != 0);
        let both = p.decided && q.decided;
        match which {
            Logic::And => truth(u && v, both || (p.decided && !u) || (q.decided && !v)),
            Logic::Or => truth(u || v, both || (p.decided && u) || (q.decided && v)),
            Logic::Xor => truth(u != v, both),
        }
    })?;
    Ok(Value::Whole(DType::Bool, result))
}

/// Not.
pub(super) fn not<E: Copy>(x: &Operands<E>) -> Result<Value<E>, OpError> {
    Ok(Value::Whole(DType::Bool, map(booleans(x, 0)?, |p| truth(p.value == 0, p.decided))))
}

/// IsNaN.
pub(super) fn is_nan<A: Arith>(x: &Operands<A::E>, arith: &A) -> Result<Value<A::E>, OpError> {
    let (_, a) = x.floats(0)?;
    let result = map(a, |e| {
        let (nan, certain) = arith.is_nan(e);
        truth(nan, certain)
    });
    Ok(Value::Whole(DType::Bool, result))
}

/// IsInf.
pub(super) fn is_inf<A: Arith>(op: &IsInf, x: &Operands<A::E>, arith: &A) -> Result<Value<A::E>, OpError> {
    let (_, a) = x.floats(0)?;
    let wanted: Vec<A::E> = [(op.detect_positive, f64::INFINITY), (op.detect_negative, f64::NEG_INFINITY)]
        .into_iter()
        .filter(|(asked, _)| *asked)
        .map(|(_, limit)| arith.exact(limit))
        .collect();
    let result = map(a, |e| {
        let answers = wanted.iter().map(|&limit| arith.compare(e, limit));
        answers.fold(truth(false, true), |found, (order, decided)| {
            truth(found.value != 0 || order == Comparison::Equal, found.decided && decided)
        })
    });
    Ok(Value::Whole(DType::Bool, result))
}

fn booleans<'a, E: Copy>(x: &Operands<'a, E>, i: usize) -> Result<&'a Array<Whole>, OpError> {
    match x.need(i)? {
        Value::Whole(DType::Bool, a) => Ok(a),
        other => Err(OpError::Type { operand: i, dtype: other.dtype() }),
    }
}
