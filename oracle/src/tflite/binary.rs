//! Elementwise arithmetic of two operands that broadcast against each other, and ADD_N.
//!
//! # Definition
//! ADD, SUB, MUL, DIV (with a fused activation), MAXIMUM, MINIMUM, SQUARED_DIFFERENCE (a - b)^2, POW, FLOOR_DIV
//! floor(a / b), FLOOR_MOD a - b floor(a / b) (the sign of b), ATAN2 (the angle of the point (b, a)), LOGICAL_AND, LOGICAL_OR; ADD_N adds any number of
//! operands of one shape. Operands and result have one type.
//!
//! # Edge cases
//! MAXIMUM and MINIMUM give NaN if either operand is NaN (kernels differ: some give the other operand). Integers wrap;
//! integer DIV truncates towards zero; an integer division by zero stops the run, as it does in TFLite.
//!
//! # Numerics
//! One operation of the arithmetic and one store. FLOOR_MOD is computed as written and corrected by one divisor when
//! the rounding of the quotient crossed an integer.

use super::activation::Fused;
use super::broadcast::Broadcast;
use super::error::{Fault, ensure};
use super::operands::{Done, Exec};
use super::plan::{Call, Planned, table};
use crate::arith::{Arith, Comparison, Function};
use crate::value::Whole;
use halfproof_ir::DType;
use halfproof_wire::tflite::{Activation, Builtin};

/// What to do with a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Add,
    Sub,
    Mul,
    Div,
    Maximum,
    Minimum,
    SquaredDifference,
    Pow,
    FloorDiv,
    FloorMod,
    Atan2,
    And,
    Or,
}

/// A planned elementwise operator.
#[derive(Clone, Debug)]
pub(super) struct Binary {
    operation: Operation,
    pairs: Broadcast,
    fused: Fused,
}

/// A planned ADD_N.
#[derive(Clone, Copy, Debug)]
pub(super) struct AddN;

fn options(call: &Call<'_>) -> Result<(Operation, Activation), Fault> {
    Ok(match call.builtin {
        Builtin::Add => (Operation::Add, table!(call, Add)?.fused_activation_function),
        Builtin::Sub => (Operation::Sub, table!(call, Sub)?.fused_activation_function),
        Builtin::Mul => (Operation::Mul, table!(call, Mul)?.fused_activation_function),
        Builtin::Div => (Operation::Div, table!(call, Div)?.fused_activation_function),
        Builtin::Maximum => (Operation::Maximum, Activation::None),
        Builtin::Minimum => (Operation::Minimum, Activation::None),
        Builtin::SquaredDifference => (Operation::SquaredDifference, Activation::None),
        Builtin::Pow => (Operation::Pow, Activation::None),
        Builtin::FloorDiv => (Operation::FloorDiv, Activation::None),
        Builtin::FloorMod => (Operation::FloorMod, Activation::None),
        Builtin::Atan2 => (Operation::Atan2, Activation::None),
        Builtin::LogicalAnd => (Operation::And, Activation::None),
        Builtin::LogicalOr => (Operation::Or, Activation::None),
        other => return Err(Fault::unsupported(format!("{other} is no elementwise arithmetic"))),
    })
}

/// Plans an elementwise operator of two operands.
pub(super) fn plan(call: &Call<'_>) -> Result<Planned, Fault> {
    call.arity(2, 2, 1)?;
    let (operation, activation) = options(call)?;
    let (a, b) = (call.alike(0)?, call.alike(1)?);
    let logical = matches!(operation, Operation::And | Operation::Or);
    ensure!((a.dtype == DType::Bool) == logical, "operands are {}", a.dtype);
    ensure!(operation != Operation::Atan2 || a.dtype.is_float(), "operands are {}", a.dtype);
    // LiteRT 2.3.0: `atan2.cc` compares the shapes.
    ensure!(
        operation != Operation::Atan2 || a.shape == b.shape,
        "ATAN2 does not broadcast {:?} and {:?}",
        a.shape,
        b.shape
    );
    let fused = Fused::new(activation)?;
    let (pairs, shape) = Broadcast::new(a.shape, b.shape)?;
    Planned::one(Binary { operation, pairs, fused }, shape)
}

/// Plans ADD_N.
pub(super) fn plan_add_n(call: &Call<'_>) -> Result<Planned, Fault> {
    call.arity(2, usize::MAX, 1)?;
    let first = call.alike(0)?;
    ensure!(first.dtype != DType::Bool, "operands are BOOL");
    for i in 1..call.operands.len() {
        let other = call.alike(i)?;
        ensure!(
            other.shape == first.shape,
            "operand {i} has shape {:?}, operand 0 {:?}",
            other.shape,
            first.shape
        );
    }
    Planned::one(AddN, first.shape)
}

impl Binary {
    pub(super) fn run<A: Arith>(&self, exec: &Exec<'_, A>) -> Done<A::E> {
        if !exec.dtype(0).is_float() {
            return self.wholes(exec);
        }
        let (a, b) = (&exec.floats(0)?.data, &exec.floats(1)?.data);
        let arith = exec.arith;
        let finish = |x| exec.store(self.fused.apply(arith, x));
        exec.floats_done(match self.operation {
            Operation::Add => self.pairs.zip(a, b, |a, b| finish(arith.add(a, b))),
            Operation::Sub => self.pairs.zip(a, b, |a, b| finish(arith.sub(a, b))),
            Operation::Mul => self.pairs.zip(a, b, |a, b| finish(arith.mul(a, b))),
            Operation::Div => self.pairs.zip(a, b, |a, b| finish(arith.div(a, b))),
            Operation::Maximum => self.pairs.zip(a, b, |a, b| finish(arith.max(a, b))),
            Operation::Minimum => self.pairs.zip(a, b, |a, b| finish(arith.min(a, b))),
            Operation::SquaredDifference => {
                self.pairs.zip(a, b, |a, b| finish(arith.apply(Function::Square, arith.sub(a, b))))
            }
            Operation::Pow => self.pairs.zip(a, b, |a, b| finish(arith.pow(a, b))),
            Operation::FloorDiv => {
                self.pairs.zip(a, b, |a, b| finish(arith.apply(Function::Floor, arith.div(a, b))))
            }
            Operation::FloorMod => self.pairs.zip(a, b, |a, b| finish(floor_mod(arith, a, b))),
            Operation::Atan2 => self.pairs.zip(a, b, |a, b| finish(arith.angle(a, b))),
            Operation::And | Operation::Or => return Err("logical operators take no floats".into()),
        })
    }

    fn wholes<A: Arith>(&self, exec: &Exec<'_, A>) -> Done<A::E> {
        let (a, b) = (&exec.wholes(0)?.data, &exec.wholes(1)?.data);
        let mut fault = None;
        let data = self.pairs.zip(a, b, |a, b| {
            let value = whole(self.operation, a.value, b.value).unwrap_or_else(|text| {
                fault = Some(text);
                0
            });
            let value = match self.fused {
                Fused::None => value,
                Fused::Relu => value.max(0),
                #[expect(clippy::cast_possible_truncation, reason = "the bounds are small integers")]
                Fused::Clamp(low, high) => value.clamp(low as i64, high as i64),
            };
            let settles = |x: Whole| {
                x.decided
                    && match self.operation {
                        Operation::And | Operation::Mul => x.value == 0,
                        Operation::Or => x.value != 0,
                        _ => false,
                    }
            };
            Whole { value, decided: (a.decided && b.decided) || settles(a) || settles(b) }
        });
        match fault {
            Some(text) => Err(text.into()),
            None => exec.wholes_done(data),
        }
    }
}

impl AddN {
    pub(super) fn run<A: Arith>(self, exec: &Exec<'_, A>) -> Done<A::E> {
        let operands = 0..exec.operands.len();
        if !exec.dtype(0).is_float() {
            let mut sum = exec.wholes(0)?.data.clone();
            for i in operands.skip(1) {
                for (s, x) in sum.iter_mut().zip(&exec.wholes(i)?.data) {
                    *s = Whole { value: s.value.wrapping_add(x.value), decided: s.decided && x.decided };
                }
            }
            return exec.wholes_done(sum);
        }
        let all = operands.map(|i| exec.floats(i)).collect::<Result<Vec<_>, _>>()?;
        let mut terms = Vec::with_capacity(all.len());
        let element = |i: usize| {
            terms.clear();
            terms.extend(all.iter().map(|a| a.data[i]));
            exec.store(exec.arith.sum(&terms))
        };
        exec.floats_done((0..all[0].data.len()).map(element).collect())
    }
}

fn floor_mod<A: Arith>(arith: &A, a: A::E, b: A::E) -> A::E {
    let infinite = arith.exact(f64::INFINITY);
    let size = |e| arith.compare(arith.apply(Function::Abs, e), infinite);
    // A finite number divided by an infinite one leaves itself.
    let whole = size(b) == (Comparison::Equal, true) && size(a) == (Comparison::Less, true);
    let rest = if whole {
        a
    } else {
        let quotient = arith.apply(Function::Floor, arith.div(a, b));
        arith.sub(a, arith.mul(b, quotient))
    };
    let zero = arith.exact(0.0);
    let (sign, decided) = arith.compare(rest, zero);
    let wrong = matches!(
        (sign, arith.compare(b, zero).0),
        (Comparison::Less, Comparison::Greater) | (Comparison::Greater, Comparison::Less)
    );
    match (wrong, decided) {
        (false, _) => rest,
        (true, true) => arith.add(rest, b),
        (true, false) => arith.either(arith.add(rest, b), rest),
    }
}

fn whole(operation: Operation, a: i64, b: i64) -> Result<i64, &'static str> {
    let zero = "integer division by zero";
    Ok(match operation {
        Operation::Add => a.wrapping_add(b),
        Operation::Sub => a.wrapping_sub(b),
        Operation::Mul => a.wrapping_mul(b),
        Operation::Div if b == 0 => return Err(zero),
        Operation::Div => a.wrapping_div(b),
        Operation::Maximum => a.max(b),
        Operation::Minimum => a.min(b),
        Operation::SquaredDifference => a.wrapping_sub(b).wrapping_mul(a.wrapping_sub(b)),
        Operation::Pow => match u32::try_from(b) {
            Ok(exponent) => a.wrapping_pow(exponent),
            Err(_) => return Err("integer power with a negative or immense exponent"),
        },
        Operation::FloorDiv if b == 0 => return Err(zero),
        Operation::FloorDiv => {
            let quotient = a.wrapping_div(b);
            if a.wrapping_rem(b) != 0 && (a < 0) != (b < 0) { quotient - 1 } else { quotient }
        }
        Operation::FloorMod if b == 0 => return Err(zero),
        Operation::FloorMod => {
            let rest = a.wrapping_rem(b);
            if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest }
        }
        Operation::Atan2 => return Err("no arc tangent of integers"),
        Operation::And => i64::from(a != 0 && b != 0),
        Operation::Or => i64::from(a != 0 || b != 0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arith::Ideal;

    #[test]
    fn floor_mod_has_the_sign_of_the_divisor() {
        for (a, b, expected) in [(7.0, 3.0, 1.0), (-7.0, 3.0, 2.0), (7.0, -3.0, -2.0), (-7.0, -3.0, -1.0)] {
            assert_eq!(floor_mod(&Ideal, a, b), expected);
            #[expect(clippy::cast_possible_truncation, reason = "small integers")]
            let integer = whole(Operation::FloorMod, a as i64, b as i64);
            assert_eq!(integer, Ok(expected as i64));
        }
    }

    #[test]
    fn floor_mod_by_infinity_leaves_a_number_or_goes_to_the_divisor() {
        let inf = f64::INFINITY;
        for (a, b, expected) in [(1.5, inf, 1.5), (-1.5, inf, inf), (1.5, -inf, -inf), (-1.5, -inf, -1.5)] {
            assert_eq!(floor_mod(&Ideal, a, b), expected);
        }
    }

    #[test]
    fn floor_mod_survives_a_quotient_that_rounds_up_to_an_integer() {
        let (a, b) = (3.0f64.next_down(), 1.0 / 3.0);
        assert!((0.0..b).contains(&floor_mod(&Ideal, a, b)));
    }

    #[test]
    fn integer_division_by_zero_is_an_error() {
        for operation in [Operation::Div, Operation::FloorDiv, Operation::FloorMod] {
            assert!(whole(operation, 1, 0).is_err());
            assert!(whole(operation, i64::MIN, -1).is_ok());
        }
    }
}
