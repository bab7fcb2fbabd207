//! Where: elements of one of two tensors by a mask. Trilu: one triangle of a matrix.
//!
//! # Definition
//! `Y = condition ? X : Y` under multidirectional broadcasting of all three (ONNX Where-16).
//! Trilu-14 keeps the elements on and above the k-th diagonal (`upper`), or on and below it; the others become 0.
//! # Edge cases
//! The operand that is not chosen has no influence, even when it is NaN or infinite.
//! # Numerics
//! Nothing is computed, so nothing is rounded. Under an undecided mask the element is either of the two; equal integers
//! stay decided.

use super::error::OpError;
use super::error::shape;
use super::operands::Operands;
use super::strided::{broadcast, expand};
use crate::arith::Arith;
use crate::value::{Array, Value, Whole};
use halfproof_ir::DType;
use halfproof_ir::ops::Trilu;

/// Where.
pub(super) fn evaluate<A: Arith>(x: &Operands<A::E>, arith: &A) -> Result<Value<A::E>, OpError> {
    let mask = match x.need(0)? {
        Value::Whole(DType::Bool, a) => a,
        other => return Err(OpError::Type { operand: 0, dtype: other.dtype() }),
    };
    Ok(match (x.need(1)?, x.need(2)?) {
        (Value::Float(d, a), Value::Float(e, b)) if d == e => {
            Value::Float(*d, choose(mask, a, b, |likely, other| arith.either(likely, other))?)
        }
        (Value::Whole(d, a), Value::Whole(e, b)) if d == e => Value::Whole(
            *d,
            choose(mask, a, b, |likely: Whole, other: Whole| Whole {
                value: likely.value,
                decided: likely.decided && other.decided && likely.value == other.value,
            })?,
        ),
        (_, b) => return Err(OpError::Type { operand: 2, dtype: b.dtype() }),
    })
}

fn choose<T: Copy>(
    mask: &Array<Whole>,
    a: &Array<T>,
    b: &Array<T>,
    undecided: impl Fn(T, T) -> T,
) -> Result<Array<T>, OpError> {
    let dims = broadcast(&[&mask.shape, &a.shape, &b.shape])?;
    let (mask, a, b) = (expand(mask, &dims)?, expand(a, &dims)?, expand(b, &dims)?);
    let data = mask
        .iter()
        .zip(a.iter().zip(b.iter()))
        .map(|(m, (&a, &b))| {
            let (likely, other) = if m.value != 0 { (a, b) } else { (b, a) };
            if m.decided { likely } else { undecided(likely, other) }
        })
        .collect();
    Ok(Array { shape: dims, data })
}

/// Trilu.
pub(super) fn trilu<A: Arith>(op: &Trilu, x: &Operands<A::E>, arith: &A) -> Result<Value<A::E>, OpError> {
    let k = match x.optional_ints(1)?.as_deref() {
        None => 0,
        Some(&[k]) => k,
        Some(_) => return Err(shape("k is not one number")),
    };
    let value = x.need(0)?;
    let &[.., rows, columns] = value.shape() else {
        return Err(shape(format!("a tensor of shape {:?} holds no matrices", value.shape())));
    };
    let keeps = |i: usize| {
        let (row, column) = ((i / columns % rows).cast_signed() as i64, (i % columns).cast_signed() as i64);
        let diagonal = column - row;
        if op.upper { diagonal >= k } else { diagonal <= k }
    };
    let kept = |len: usize| (0..len).map(keeps);
    Ok(match value {
        Value::Float(d, a) => {
            let zero = arith.exact(0.0);
            let data = a.data.iter().zip(kept(a.data.len())).map(|(&e, keep)| if keep { e } else { zero });
            Value::Float(*d, Array { shape: a.shape.clone(), data: data.collect() })
        }
        Value::Whole(d, a) => {
            let zero = Whole::known(0);
            let data = a.data.iter().zip(kept(a.data.len())).map(|(&e, keep)| if keep { e } else { zero });
            Value::Whole(*d, Array { shape: a.shape.clone(), data: data.collect() })
        }
    })
}
