//! Integer elements: two's-complement wrapping to the storage type, and undecidedness.

use crate::value::Whole;
use halfproof_ir::DType;

/// The value that the low bits of `x` have in an integer type: what storing an out-of-range result leaves.
/// UINT64 is held in the low half of its range only.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "discarding high bits is the operation"
)]
pub(super) fn wrap(x: i64, dtype: DType) -> i64 {
    match dtype {
        DType::I8 => i64::from(x as i8),
        DType::I16 => i64::from(x as i16),
        DType::I32 => i64::from(x as i32),
        DType::U8 => i64::from(x as u8),
        DType::U16 => i64::from(x as u16),
        DType::U32 => i64::from(x as u32),
        DType::Bool => i64::from(x != 0),
        DType::I64 | DType::U64 | DType::F16 | DType::F32 | DType::F64 => x,
    }
}

/// f(a, b), undecided if an operand is.
pub(super) fn combine(a: Whole, b: Whole, f: impl Fn(i64, i64) -> i64) -> Whole {
    Whole { value: f(a.value, b.value), decided: a.decided && b.decided }
}

/// f(a), undecided if `a` is.
pub(super) fn change(a: Whole, f: impl Fn(i64) -> i64) -> Whole {
    Whole { value: f(a.value), decided: a.decided }
}

/// A boolean.
pub(super) fn truth(value: bool, decided: bool) -> Whole {
    Whole { value: i64::from(value), decided }
}

/// The smallest and the largest value of an integer type.
pub(super) fn range(dtype: DType) -> (i64, i64) {
    match dtype {
        DType::I8 => (i8::MIN.into(), i8::MAX.into()),
        DType::I16 => (i16::MIN.into(), i16::MAX.into()),
        DType::I32 => (i32::MIN.into(), i32::MAX.into()),
        DType::U8 => (0, u8::MAX.into()),
        DType::U16 => (0, u16::MAX.into()),
        DType::U32 => (0, u32::MAX.into()),
        DType::Bool => (0, 1),
        DType::U64 => (0, i64::MAX),
        DType::I64 | DType::F16 | DType::F32 | DType::F64 => (i64::MIN, i64::MAX),
    }
}
