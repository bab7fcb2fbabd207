//! Access to a node's operands by position, with the errors for absent or unsuitable ones.

use super::error::OpError;
use crate::value::{Array, Value};
use halfproof_ir::DType;

/// The operands of one node in ONNX order; `None` for an absent optional one.
pub(super) struct Operands<'a, E>(pub(super) &'a [Option<&'a Value<E>>]);

impl<'a, E: Copy> Operands<'a, E> {
    /// The operand, when present.
    pub(super) fn get(&self, i: usize) -> Option<&'a Value<E>> {
        self.0.get(i).copied().flatten()
    }

    /// The operand, which must be present.
    pub(super) fn need(&self, i: usize) -> Result<&'a Value<E>, OpError> {
        self.get(i).ok_or(OpError::Missing(i))
    }

    /// The operand, which must be present and of a float type.
    pub(super) fn floats(&self, i: usize) -> Result<(DType, &'a Array<E>), OpError> {
        match self.need(i)? {
            Value::Float(d, a) => Ok((*d, a)),
            Value::Whole(d, _) => Err(OpError::Type { operand: i, dtype: *d }),
        }
    }

    /// The operand, which must be of a float type when present.
    pub(super) fn optional_floats(&self, i: usize) -> Result<Option<&'a Array<E>>, OpError> {
        match self.get(i) {
            None => Ok(None),
            Some(_) => self.floats(i).map(|(_, a)| Some(a)),
        }
    }

    /// Integers that shape the result (axes, pads, sizes…), when present: decided ones only.
    pub(super) fn optional_ints(&self, i: usize) -> Result<Option<Vec<i64>>, OpError> {
        match self.get(i) {
            None => Ok(None),
            Some(Value::Whole(d, a)) if *d != DType::Bool => {
                if a.data.iter().any(|x| !x.decided) {
                    return Err(OpError::Undecided(i));
                }
                Ok(Some(a.data.iter().map(|x| x.value).collect()))
            }
            Some(v) => Err(OpError::Type { operand: i, dtype: v.dtype() }),
        }
    }

    /// Integers that shape the result; the operand must be present.
    pub(super) fn ints(&self, i: usize) -> Result<Vec<i64>, OpError> {
        self.optional_ints(i)?.ok_or(OpError::Missing(i))
    }
}
