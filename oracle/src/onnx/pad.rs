//! Pad and CenterCropPad.
//!
//! # Definition
//! Adds cells before and after each axis (ONNX Pad-19 to 25): a constant, the mirror image without the edge cell (`reflect`), the edge cell
//! (`edge`), or the tensor again from its other end (`wrap`). `pads` lists all beginnings, then all ends.
//! CenterCropPad-18 brings the axes given to the extents given by cutting or adding zeros on both sides, half of them, rounded
//! down, before.
//! # Edge cases
//! Negative pads remove cells. Mirroring and wrapping continue for pads longer than the tensor; an axis of extent 1 mirrors its only cell. Only a
//! constant can pad an axis of extent 0.
//! # Numerics
//! Copies.

use super::error::{OpError, shape};
use super::operands::Operands;
use super::strided::{axes, elements, strides};
use crate::arith::Arith;
use crate::value::{Array, Value, Whole};
use halfproof_ir::ops::{CenterCropPad, Pad, PadMode};

/// Pad.
pub(super) fn evaluate<A: Arith>(op: &Pad, x: &Operands<A::E>, arith: &A) -> Result<Value<A::E>, OpError> {
    let value = x.need(0)?;
    let from = value.shape();
    let pads = x.ints(1)?;
    let list = match x.optional_ints(3)? {
        Some(list) => axes(&list, from.len())?,
        None => (0..from.len()).collect(),
    };
    if pads.len() != 2 * list.len() {
        return Err(shape(format!("{} pads for {} axes", pads.len(), list.len())));
    }
    let (mut before, mut dims) = (vec![0i64; from.len()], from.to_vec());
    for (i, &at) in list.iter().enumerate() {
        let (first, last) = (pads[i], pads[list.len() + i]);
        let extent = i128::from(first) + i128::from(last) + from[at] as i128;
        let valid = usize::try_from(extent).ok().filter(|&n| n <= 1 << 28 && first.unsigned_abs() <= 1 << 28);
        dims[at] =
            valid.ok_or_else(|| shape(format!("pads {first} and {last} of an extent of {}", from[at])))?;
        before[at] = first;
    }
    let total = elements(&dims)?;
    let sources: Vec<Vec<Option<usize>>> = (0..dims.len())
        .map(|i| {
            let index = |o: usize| source(op.mode, o as i64 - before[i], from[i]);
            (0..dims[i]).map(index).collect()
        })
        .collect();
    if op.mode != PadMode::Constant && total > 0 && value.is_empty() {
        return Err(shape(format!("shape {from:?} has no cell to pad with")));
    }
    match (value, x.get(2)) {
        (Value::Float(d, a), None) => Ok(Value::Float(*d, gather(a, &dims, &sources, arith.exact(0.0)))),
        (Value::Float(d, a), Some(Value::Float(e, c))) if d == e && c.data.len() == 1 => {
            Ok(Value::Float(*d, gather(a, &dims, &sources, c.data[0])))
        }
        (Value::Whole(d, a), None) => Ok(Value::Whole(*d, gather(a, &dims, &sources, Whole::known(0)))),
        (Value::Whole(d, a), Some(Value::Whole(e, c))) if d == e && c.data.len() == 1 => {
            Ok(Value::Whole(*d, gather(a, &dims, &sources, c.data[0])))
        }
        (_, Some(c)) if c.dtype() != value.dtype() => Err(OpError::Type { operand: 2, dtype: c.dtype() }),
        _ => Err(shape("the constant of Pad is not a scalar")),
    }
}

/// Which cell of an axis of extent `n` stands at `at`, which may lie outside; `None` for the constant.
fn source(mode: PadMode, at: i64, n: usize) -> Option<usize> {
    let extent = n.cast_signed() as i64;
    if (0..extent).contains(&at) {
        return Some(at.cast_unsigned() as usize);
    }
    if extent == 0 {
        return None;
    }
    let inside = match mode {
        PadMode::Constant => return None,
        PadMode::Edge => at.clamp(0, extent - 1),
        PadMode::Wrap => at.rem_euclid(extent),
        PadMode::Reflect => {
            let period = (2 * (extent - 1)).max(1);
            let at = at.rem_euclid(period);
            at.min(period - at).min(extent - 1)
        }
    };
    Some(inside.cast_unsigned() as usize)
}

fn gather<T: Copy>(a: &Array<T>, dims: &[usize], sources: &[Vec<Option<usize>>], constant: T) -> Array<T> {
    let steps = strides(&a.shape);
    let mut cells: Vec<Option<usize>> = vec![Some(0)];
    for (axis, step) in sources.iter().zip(steps) {
        let step = step.cast_unsigned();
        cells = cells.iter().flat_map(|&c| axis.iter().map(move |&s| Some(c? + s? * step))).collect();
    }
    let data = cells.into_iter().map(|c| c.map_or(constant, |c| a.data[c])).collect();
    Array { shape: dims.to_vec(), data }
}

/// CenterCropPad.
pub(super) fn center_crop<A: Arith>(
    op: &CenterCropPad,
    x: &Operands<A::E>,
    arith: &A,
) -> Result<Value<A::E>, OpError> {
    let value = x.need(0)?;
    let from = value.shape();
    let list = match op.axes.is_empty() {
        true => (0..from.len()).collect(),
        false => axes(&op.axes, from.len())?,
    };
    let wanted = x.ints(1)?;
    if wanted.len() != list.len() {
        return Err(shape(format!("{} extents for {} axes", wanted.len(), list.len())));
    }
    let mut dims = from.to_vec();
    for (&at, &n) in list.iter().zip(&wanted) {
        dims[at] = super::strided::extent(n)?;
    }
    elements(&dims)?;
    let sources: Vec<Vec<Option<usize>>> = dims
        .iter()
        .zip(from)
        .map(|(&to, &held)| {
            let source = |o: usize| match to >= held {
                true => o.checked_sub((to - held) / 2).filter(|&i| i < held),
                false => Some(o + (held - to) / 2),
            };
            (0..to).map(source).collect()
        })
        .collect();
    Ok(match value {
        Value::Float(d, a) => Value::Float(*d, gather(a, &dims, &sources, arith.exact(0.0))),
        Value::Whole(d, a) => Value::Whole(*d, gather(a, &dims, &sources, Whole::known(0))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around(mode: PadMode, n: usize) -> Vec<usize> {
        (-4..4).map(|at| source(mode, at, n).unwrap()).collect()
    }

    #[test]
    fn modes_continue_beyond_the_length_of_the_axis() {
        assert_eq!(around(PadMode::Edge, 2), [0, 0, 0, 0, 0, 1, 1, 1]);
        assert_eq!(around(PadMode::Wrap, 3), [2, 0, 1, 2, 0, 1, 2, 0]);
        assert_eq!(around(PadMode::Reflect, 3), [0, 1, 2, 1, 0, 1, 2, 1]);
        assert_eq!(around(PadMode::Reflect, 1), [0; 8]);
    }
}
