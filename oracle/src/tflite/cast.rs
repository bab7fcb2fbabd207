//! Changes of the element type: CAST, DEQUANTIZE and QUANTIZE between float types.
//!
//! # Definition
//! Every element converted to the type of the result: floats round to the nearest (ties to even), floats to integers
//! truncate towards zero, integers wrap, BOOL is 0 or 1, and a number is true unless it is 0.
//!
//! # Edge cases
//! A float that its integer type cannot hold has no defined result; the value here is the saturated one, undecided.
//! DEQUANTIZE and QUANTIZE of integers belong to quantized models and are refused.
//!
//! # Numerics
//! The store of the result's type; nothing when it widens.

use super::error::{Fault, ensure};
use super::operands::{Done, Exec, wrap};
use super::plan::{Call, Planned};
use crate::arith::{Arith, Comparison};
use crate::value::{Value, Whole};
use halfproof_ir::DType;
use halfproof_wire::tflite::Builtin;

/// A planned CAST, DEQUANTIZE or QUANTIZE.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cast;

/// Plans CAST, DEQUANTIZE and QUANTIZE.
pub(super) fn plan(call: &Call<'_>) -> Result<Planned, Fault> {
    call.arity(1, 1, 1)?;
    let (x, to) = (call.operand(0)?, call.results[0]);
    let quantized = || Fault::unsupported(format!("{} to {to} needs quantized arithmetic", x.dtype));
    match call.builtin {
        Builtin::Dequantize => match (x.dtype, to) {
            (DType::F16, DType::F32) => {}
            (from, _) if from.is_float() => {
                ensure!(false, "operand 0 is {from} and the result {to}, needs FLOAT16 and FLOAT32");
            }
            _ => return Err(quantized()),
        },
        Builtin::Quantize if (x.dtype, to) != (DType::F32, DType::F16) => return Err(quantized()),
        _ => {}
    }
    Planned::one(Cast, x.shape)
}

impl Cast {
    pub(super) fn run<A: Arith>(self, exec: &Exec<'_, A>) -> Done<A::E> {
        let (arith, to) = (exec.arith, exec.dtype(0));
        match exec.value(0)? {
            Value::Float(_, x) if to.is_float() => {
                exec.floats_done(x.data.iter().map(|&x| exec.store(x)).collect())
            }
            Value::Whole(_, x) if to.is_float() => {
                exec.floats_done(x.data.iter().map(|&x| exec.store(arith.from_whole(x))).collect())
            }
            Value::Float(_, x) if to == DType::Bool => {
                let zero = arith.exact(0.0);
                let truth = |&x: &A::E| {
                    let (order, decided) = arith.compare(x, zero);
                    Whole { value: i64::from(order != Comparison::Equal), decided }
                };
                exec.wholes_done(x.data.iter().map(truth).collect())
            }
            Value::Float(_, x) => {
                let (low, high) = range(to);
                let integer = |&x: &A::E| {
                    let Whole { value, decided } = arith.truncate(x);
                    let held = value.clamp(low, high);
                    Whole { value: held, decided: decided && held == value }
                };
                exec.wholes_done(x.data.iter().map(integer).collect())
            }
            Value::Whole(_, x) => exec.wholes_done(x.data.clone()),
        }
    }
}

/// The integers that a type holds.
fn range(dtype: DType) -> (i64, i64) {
    match dtype {
        DType::I8 => (i8::MIN.into(), i8::MAX.into()),
        DType::I16 => (i16::MIN.into(), i16::MAX.into()),
        DType::I32 => (i32::MIN.into(), i32::MAX.into()),
        DType::U8 | DType::U16 | DType::U32 => (0, wrap(-1, dtype)),
        DType::U64 => (0, i64::MAX),
        DType::I64 | DType::Bool | DType::F16 | DType::F32 | DType::F64 => (i64::MIN, i64::MAX),
    }
}
