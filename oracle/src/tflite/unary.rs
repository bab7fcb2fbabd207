//! Elementwise operators of one operand.
//!
//! # Definition
//! ABS, NEG, EXP, LOG, SQRT, RSQRT, SQUARE, SIN, COS, TANH, LOGISTIC, FLOOR, CEIL, ROUND (ties to even), SIGN and
//! LOGICAL_NOT by their names; ZEROS_LIKE gives zeros of the operand's shape. The result has the operand's type.
//!
//! # Edge cases
//! Outside a function's domain the result is NaN. ABS, NEG, SIGN, SQUARE and ZEROS_LIKE also take integers, which wrap.
//!
//! # Numerics
//! One rule per [`Function`] in the arithmetic; selections (ABS, NEG, SIGN, FLOOR…) are exact there.

use super::error::{Fault, ensure};
use super::operands::{Done, Exec};
use super::plan::{Call, Planned};
use crate::arith::{Arith, Function};
use crate::value::{Value, Whole};
use halfproof_ir::DType;
use halfproof_wire::tflite::Builtin;

/// A planned elementwise operator.
#[derive(Clone, Copy, Debug)]
pub(super) enum Unary {
    Float(Function),
    Integer(Function),
    Zeros,
    Not,
}

fn function(builtin: Builtin) -> Option<Function> {
    Some(match builtin {
        Builtin::Abs => Function::Abs,
        Builtin::Neg => Function::Neg,
        Builtin::Exp => Function::Exp,
        Builtin::Log => Function::Log,
        Builtin::Sqrt => Function::Sqrt,
        Builtin::Rsqrt => Function::Rsqrt,
        Builtin::Square => Function::Square,
        Builtin::Sin => Function::Sin,
        Builtin::Cos => Function::Cos,
        Builtin::Tanh => Function::Tanh,
        Builtin::Logistic => Function::Logistic,
        Builtin::Floor => Function::Floor,
        Builtin::Ceil => Function::Ceil,
        Builtin::Round => Function::Round,
        Builtin::Sign => Function::Sign,
        _ => return None,
    })
}

/// Plans an elementwise operator.
pub(super) fn plan(call: &Call<'_>) -> Result<Planned, Fault> {
    call.arity(1, 1, 1)?;
    let x = call.alike(0)?;
    let kernel = match (call.builtin, function(call.builtin)) {
        (Builtin::ZerosLike, _) => Unary::Zeros,
        (Builtin::LogicalNot, _) => {
            ensure!(x.dtype == DType::Bool, "operand 0 is {}, needs BOOL", x.dtype);
            Unary::Not
        }
        (_, Some(f)) if x.dtype.is_float() => Unary::Float(f),
        (_, Some(f @ (Function::Abs | Function::Neg | Function::Sign | Function::Square)))
            if x.dtype.is_integer() =>
        {
            Unary::Integer(f)
        }
        _ => return Err(Fault::unsupported(format!("operand 0 is {}", x.dtype))),
    };
    Planned::one(kernel, x.shape)
}

impl Unary {
    pub(super) fn run<A: Arith>(self, exec: &Exec<'_, A>) -> Done<A::E> {
        let arith = exec.arith;
        match self {
            Unary::Float(f) => {
                let x = exec.floats(0)?;
                exec.floats_done(x.data.iter().map(|&x| exec.store(arith.apply(f, x))).collect())
            }
            Unary::Integer(f) => {
                let x = exec.wholes(0)?;
                let one = |x: &Whole| Whole {
                    value: match f {
                        Function::Abs => x.value.wrapping_abs(),
                        Function::Neg => x.value.wrapping_neg(),
                        Function::Square => x.value.wrapping_mul(x.value),
                        _ => x.value.signum(),
                    },
                    decided: x.decided,
                };
                exec.wholes_done(x.data.iter().map(one).collect())
            }
            Unary::Zeros => match exec.value(0)? {
                Value::Float(_, x) => exec.floats_done(vec![arith.exact(0.0); x.data.len()]),
                Value::Whole(_, x) => exec.wholes_done(vec![Whole::known(0); x.data.len()]),
            },
            Unary::Not => {
                let x = exec.wholes(0)?;
                let one = |x: &Whole| Whole { value: i64::from(x.value == 0), decided: x.decided };
                exec.wholes_done(x.data.iter().map(one).collect())
            }
        }
    }
}
