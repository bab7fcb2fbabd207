//! What an operator's kernel sees in a run: the values of its operands, its arithmetic, and the form of its results.

use super::Slot;
use crate::arith::Arith;
use crate::value::{Array, Value, Whole};
use halfproof_ir::DType;

/// One evaluation of one operator. The values have the types and shapes that the operator was planned for.
pub(super) struct Exec<'a, A: Arith> {
    pub(super) arith: &'a A,
    pub(super) operands: &'a [Option<&'a Value<A::E>>],
    pub(super) slots: &'a [Slot],
    pub(super) results: &'a [u32],
}

/// Results, or what the elements of the operands make impossible.
pub(super) type Done<E> = Result<Vec<Value<E>>, String>;

impl<'a, A: Arith> Exec<'a, A> {
    pub(super) fn value(&self, i: usize) -> Result<&'a Value<A::E>, String> {
        self.operands.get(i).copied().flatten().ok_or_else(|| format!("operand {i} is missing"))
    }

    pub(super) fn floats(&self, i: usize) -> Result<&'a Array<A::E>, String> {
        match self.value(i)? {
            Value::Float(_, a) => Ok(a),
            Value::Whole(dtype, _) => Err(format!("operand {i} is {dtype}, needs floats")),
        }
    }

    pub(super) fn wholes(&self, i: usize) -> Result<&'a Array<Whole>, String> {
        match self.value(i)? {
            Value::Whole(_, a) => Ok(a),
            Value::Float(dtype, _) => Err(format!("operand {i} is {dtype}, needs integers")),
        }
    }

    /// Operand `i` if it is there.
    pub(super) fn optional_floats(&self, i: usize) -> Result<Option<&'a Array<A::E>>, String> {
        match self.operands.get(i).copied().flatten() {
            Some(_) => self.floats(i).map(Some),
            None => Ok(None),
        }
    }

    #[inline]
    fn slot(&self, i: usize) -> &'a Slot {
        &self.slots[self.results[i] as usize]
    }

    /// Storage type of result `i`.
    #[inline]
    pub(super) fn dtype(&self, i: usize) -> DType {
        self.slot(i).dtype
    }

    /// Shape of result `i`.
    pub(super) fn shape(&self, i: usize) -> &'a [usize] {
        &self.slot(i).shape
    }

    /// Writes one element of result 0.
    #[inline]
    pub(super) fn store(&self, x: A::E) -> A::E {
        self.arith.store(x, self.dtype(0))
    }

    /// Result `i` from float elements that are already stored.
    pub(super) fn float_result(&self, i: usize, data: Vec<A::E>) -> Value<A::E> {
        Value::Float(self.dtype(i), Array::new(self.shape(i), data))
    }

    /// Result `i` from integers, wrapped to its type.
    pub(super) fn whole_result(&self, i: usize, mut data: Vec<Whole>) -> Value<A::E> {
        let dtype = self.dtype(i);
        for x in &mut data {
            x.value = wrap(x.value, dtype);
        }
        Value::Whole(dtype, Array::new(self.shape(i), data))
    }

    /// The only result, from float elements that are already stored.
    pub(super) fn floats_done(&self, data: Vec<A::E>) -> Done<A::E> {
        Ok(vec![self.float_result(0, data)])
    }

    /// The only result, from integers.
    pub(super) fn wholes_done(&self, data: Vec<Whole>) -> Done<A::E> {
        Ok(vec![self.whole_result(0, data)])
    }
}

/// The value that an integer type holds after two's complement arithmetic.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_lossless,
    reason = "truncation is what the storage type does"
)]
pub(super) fn wrap(value: i64, dtype: DType) -> i64 {
    match dtype {
        DType::I8 => value as i8 as i64,
        DType::I16 => value as i16 as i64,
        DType::I32 => value as i32 as i64,
        DType::U8 => value as u8 as i64,
        DType::U16 => value as u16 as i64,
        DType::U32 => value as u32 as i64,
        DType::Bool => i64::from(value != 0),
        DType::I64 | DType::U64 | DType::F16 | DType::F32 | DType::F64 => value,
    }
}
