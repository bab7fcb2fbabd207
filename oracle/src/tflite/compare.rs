//! Comparisons: LESS, LESS_EQUAL, GREATER, GREATER_EQUAL, EQUAL, NOT_EQUAL.
//!
//! # Definition
//! Elementwise, with broadcasting; operands have one type and the result is BOOL.
//!
//! # Edge cases
//! With NaN only NOT_EQUAL is true.
//!
//! # Numerics
//! Undecided where rounding could turn the comparison.

use super::broadcast::Broadcast;
use super::error::{Fault, ensure};
use super::operands::{Done, Exec};
use super::plan::{Call, Planned};
use crate::arith::{Arith, Comparison};
use crate::value::{Value, Whole};
use halfproof_ir::DType;
use halfproof_wire::tflite::Builtin;
use std::cmp::Ordering;

/// A planned comparison.
#[derive(Clone, Debug)]
pub(super) struct Compare {
    less: bool,
    equal: bool,
    greater: bool,
    unordered: bool,
    pairs: Broadcast,
}

/// Plans a comparison.
pub(super) fn plan(call: &Call<'_>) -> Result<Planned, Fault> {
    call.arity(2, 2, 1)?;
    call.result_is(0, DType::Bool)?;
    let (a, b) = (call.operand(0)?, call.operand(1)?);
    ensure!(a.dtype == b.dtype, "operands are {} and {}", a.dtype, b.dtype);
    let (pairs, shape) = Broadcast::new(a.shape, b.shape)?;
    let [less, equal, greater, unordered] = match call.builtin {
        Builtin::Less => [true, false, false, false],
        Builtin::LessEqual => [true, true, false, false],
        Builtin::Equal => [false, true, false, false],
        Builtin::GreaterEqual => [false, true, true, false],
        Builtin::Greater => [false, false, true, false],
        _ => [true, false, true, true],
    };
    Planned::one(Compare { less, equal, greater, unordered, pairs }, shape)
}

impl Compare {
    pub(super) fn run<A: Arith>(&self, exec: &Exec<'_, A>) -> Done<A::E> {
        let truth = |holds: bool, decided| Whole { value: i64::from(holds), decided };
        match exec.value(0)? {
            Value::Float(_, a) => exec.wholes_done(self.pairs.zip(&a.data, &exec.floats(1)?.data, |a, b| {
                let (order, decided) = exec.arith.compare(a, b);
                let holds = match order {
                    Comparison::Less => self.less,
                    Comparison::Equal => self.equal,
                    Comparison::Greater => self.greater,
                    Comparison::Unordered => self.unordered,
                };
                truth(holds, decided)
            })),
            Value::Whole(_, a) => exec.wholes_done(self.pairs.zip(&a.data, &exec.wholes(1)?.data, |a, b| {
                let holds = match a.value.cmp(&b.value) {
                    Ordering::Less => self.less,
                    Ordering::Equal => self.equal,
                    Ordering::Greater => self.greater,
                };
                truth(holds, a.decided && b.decided)
            })),
        }
    }
}
