//! SELECT and SELECT_V2.
//!
//! # Definition
//! Where operand 0 is true the element of operand 1, elsewhere that of operand 2. SELECT_V2 broadcasts all three;
//! SELECT needs operands of one shape, and a condition of that shape, a scalar, or one element per first axis.
//!
//! # Edge cases
//! The operand that is not chosen does not matter, NaN or not.
//!
//! # Numerics
//! A copy; where the condition is undecided, an element that is one or the other.

use super::broadcast;
use super::error::{Fault, ensure};
use super::movement::Movement;
use super::operands::{Done, Exec};
use super::plan::{Call, Planned};
use crate::arith::Arith;
use crate::value::{Value, Whole};
use halfproof_ir::DType;
use halfproof_wire::tflite::Builtin;

/// A planned selection: how every operand spreads over the result, if it does not have its shape.
#[derive(Clone, Debug)]
pub(super) struct Select {
    spread: [Option<Movement>; 3],
}

/// Plans SELECT and SELECT_V2.
pub(super) fn plan(call: &Call<'_>) -> Result<Planned, Fault> {
    call.arity(3, 3, 1)?;
    let (condition, a, b) = (call.operand(0)?, call.alike(1)?, call.alike(2)?);
    ensure!(condition.dtype == DType::Bool, "the condition is {}", condition.dtype);
    let mut leading = condition.shape.to_vec();
    let shape = if call.builtin == Builtin::Select {
        ensure!(a.shape == b.shape, "operands of shapes {:?} and {:?}", a.shape, b.shape);
        if condition.rank() == 1 && a.rank() > 1 && condition.shape[0] == a.shape[0] {
            leading.resize(a.rank(), 1);
        }
        ensure!(
            leading.is_empty() || leading == a.shape || condition.rank() == 1 && leading.len() == a.rank(),
            "a condition of shape {:?} for shape {:?}",
            condition.shape,
            a.shape
        );
        a.shape.to_vec()
    } else {
        broadcast::shape(&[condition.shape, a.shape, b.shape])?
    };
    let spread = |from: &[usize]| {
        (from != shape).then(|| {
            let steps = broadcast::steps(from, &shape);
            Movement::new(steps.iter().zip(&shape).map(|(&s, &e)| (0..e).map(|i| i * s).collect()).collect())
        })
    };
    Planned::one(Select { spread: [spread(&leading), spread(a.shape), spread(b.shape)] }, shape)
}

impl Select {
    pub(super) fn run<A: Arith>(&self, exec: &Exec<'_, A>) -> Done<A::E> {
        let condition = self.spread_out(0, &exec.wholes(0)?.data);
        let condition = condition.as_deref().unwrap_or(&exec.wholes(0)?.data);
        match exec.value(1)? {
            Value::Float(_, a) => {
                let b = &exec.floats(2)?.data;
                let either = |a, b| exec.arith.either(a, b);
                exec.floats_done(self.choose(condition, &a.data, b, either))
            }
            Value::Whole(_, a) => {
                let b = &exec.wholes(2)?.data;
                let either = |a: Whole, b: Whole| if a == b { a } else { Whole { decided: false, ..a } };
                exec.wholes_done(self.choose(condition, &a.data, b, either))
            }
        }
    }

    fn spread_out<T: Copy>(&self, operand: usize, data: &[T]) -> Option<Vec<T>> {
        let movement = self.spread[operand].as_ref()?;
        Some(data.first().map_or(vec![], |&first| movement.apply(data, first)))
    }

    fn choose<T: Copy>(&self, condition: &[Whole], a: &[T], b: &[T], either: impl Fn(T, T) -> T) -> Vec<T> {
        let (wide_a, wide_b) = (self.spread_out(1, a), self.spread_out(2, b));
        let a = wide_a.as_deref().unwrap_or(a);
        let b = wide_b.as_deref().unwrap_or(b);
        let choice = |((c, &a), &b): ((&Whole, &T), &T)| match (c.value != 0, c.decided) {
            (true, true) => a,
            (false, true) => b,
            (true, false) => either(a, b),
            (false, false) => either(b, a),
        };
        condition.iter().zip(a).zip(b).map(choice).collect()
    }
}
