//! Elementwise functions of one operand: Abs Neg Exp Log Sqrt Reciprocal Sin Cos Tan Asin Acos Atan Sinh Cosh Tanh Asinh
//! Acosh Atanh Floor Ceil Round Sign Erf Sigmoid, and the activations that are one function of the table (Relu, LeakyRelu, Elu, HardSwish, Mish, Softplus).
//!
//! # Definition
//! `Y = f(X)` elementwise, same shape and type (ONNX Abs-13 … Tanh-13, Relu-14, LeakyRelu-16, Elu-6, HardSwish-14,
//! Mish-18, Softplus-1). Round takes halves to even. HardSwish is `x * max(0, min(1, x/6 + 1/2))`.
//! # Edge cases
//! Abs, Neg, Sign and Relu are defined for integers, with two's-complement wrapping (`-INT8_MIN` is itself); the others
//! are not. Asin and Acos outside [-1, 1], Acosh below 1 and Atanh beyond ±1 are NaN; Atanh of ±1 is ±inf. Sqrt and Log of a negative number are NaN, Log of 0 is -inf, Reciprocal of ±0 is ±inf.
//! # Numerics
//! One rule of the arithmetic per function, then one store.

use super::error::OpError;
use super::operands::Operands;
use super::strided::map;
use super::whole::{change, wrap};
use crate::arith::{Arith, Function};
use crate::value::Value;
use halfproof_ir::DType;

/// f elementwise.
pub(super) fn evaluate<A: Arith>(f: Function, x: &Operands<A::E>, arith: &A) -> Result<Value<A::E>, OpError> {
    match x.need(0)? {
        Value::Float(d, a) => Ok(Value::Float(*d, map(a, |e| arith.store(arith.apply(f, e), *d)))),
        Value::Whole(d, a) => {
            let misfit = OpError::Type { operand: 0, dtype: *d };
            if *d == DType::Bool {
                return Err(misfit);
            }
            let g: fn(i64) -> i64 = match f {
                Function::Abs => i64::wrapping_abs,
                Function::Neg => i64::wrapping_neg,
                Function::Sign => i64::signum,
                Function::Relu => |v| v.max(0),
                _ => return Err(misfit),
            };
            Ok(Value::Whole(*d, map(a, |w| change(w, |v| wrap(g(v), *d)))))
        }
    }
}
