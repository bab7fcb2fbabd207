//! Cast and CastLike.
//!
//! # Definition
//! Elementwise conversion to the type `to` (ONNX Cast-13), or to that of the second operand (CastLike-15).
//! # Edge cases
//! Float to integer is towards zero; a value that the integer type cannot hold is undefined, so the element is undecided. Float to BOOL is
//! "not zero" (NaN is true). Between integers the high bits are discarded. BOOL gives 0 and 1. Overflow to a float
//! type gives an infinity.
//! # Numerics
//! Float to float is one store.

use super::error::OpError;
use super::operands::Operands;
use super::strided::map;
use super::whole::{change, range, truth, wrap};
use crate::arith::{Arith, Comparison};
use crate::value::Value;
use halfproof_ir::DType;
use halfproof_ir::ops::{Cast, CastLike};

/// Cast.
pub(super) fn evaluate<A: Arith>(op: &Cast, x: &Operands<A::E>, arith: &A) -> Result<Value<A::E>, OpError> {
    let to = op.to;
    Ok(match x.need(0)? {
        Value::Float(_, a) if to.is_float() => Value::Float(to, map(a, |e| arith.store(e, to))),
        Value::Float(_, a) if to == DType::Bool => {
            let zero = arith.exact(0.0);
            Value::Whole(
                to,
                map(a, |e| {
                    let (order, decided) = arith.compare(e, zero);
                    truth(order != Comparison::Equal, decided)
                }),
            )
        }
        Value::Float(_, a) => {
            let (smallest, largest) = range(to);
            Value::Whole(
                to,
                map(a, |e| {
                    let mut w = arith.truncate(e);
                    w.decided &= (smallest..=largest).contains(&w.value);
                    change(w, |v| wrap(v, to))
                }),
            )
        }
        Value::Whole(_, a) if to.is_float() => {
            Value::Float(to, map(a, |w| arith.store(arith.from_whole(w), to)))
        }
        Value::Whole(_, a) => Value::Whole(to, map(a, |w| change(w, |v| wrap(v, to)))),
    })
}

/// CastLike.
pub(super) fn like<A: Arith>(op: &CastLike, x: &Operands<A::E>, arith: &A) -> Result<Value<A::E>, OpError> {
    evaluate(&Cast { to: x.need(1)?.dtype(), saturate: op.saturate }, x, arith)
}
