//! Slice.
//!
//! # Definition
//! `data[start:end:step]` along the given axes, as in numpy (ONNX Slice-13).
//! # Edge cases
//! Negative starts and ends count from the end, once; then starts are clamped to `[0, n]` (`[0, n-1]` for negative steps) and ends to
//! `[0, n]` (`[-1, n-1]`). INT64_MIN and INT64_MAX mean "to the end". A step of 0 is an error. An empty range gives extent 0.
//! # Numerics
//! Copies.

use super::either_kind;
use super::error::{OpError, shape};
use super::operands::Operands;
use super::strided::{axes, copy, strides};
use crate::value::{Array, Value};

/// Slice.
pub(super) fn evaluate<E: Copy>(x: &Operands<E>) -> Result<Value<E>, OpError> {
    let value = x.need(0)?;
    let from = value.shape();
    let (starts, ends) = (x.ints(1)?, x.ints(2)?);
    let list = x.optional_ints(3)?.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let by = x.optional_ints(4)?.unwrap_or_else(|| vec![1; starts.len()]);
    if [ends.len(), list.len(), by.len()] != [starts.len(); 3] {
        return Err(shape("starts, ends, axes and steps differ in length"));
    }
    let mut dims = from.to_vec();
    let mut steps = strides(from);
    let mut origin = 0;
    for (i, at) in axes(&list, from.len())?.into_iter().enumerate() {
        let (first, count) = bounds(starts[i], ends[i], by[i], from[at])?;
        origin += first * steps[at].cast_unsigned();
        dims[at] = count;
        // With at most one element the step is never taken, and it may be too large to multiply.
        steps[at] = if count > 1 { steps[at] * by[i] as isize } else { 0 };
    }
    Ok(either_kind!(value, a => Array { shape: dims.clone(), data: copy(&a.data, origin, &dims, &steps) }))
}

/// First index and number of elements along an axis of extent `n`.
fn bounds(start: i64, end: i64, step: i64, n: usize) -> Result<(usize, usize), OpError> {
    let n = n.cast_signed() as i64;
    let from_end = |i: i64| if i < 0 { i.saturating_add(n) } else { i };
    let (start, end) = (from_end(start), from_end(end));
    let (first, distance) = match step {
        0 => return Err(shape("a step of Slice is 0")),
        1.. => {
            let first = start.clamp(0, n);
            (first, end.clamp(0, n) - first)
        }
        _ => {
            let first = start.clamp(0, (n - 1).max(0));
            (first, first.min(n - 1) - end.clamp(-1, n - 1))
        }
    };
    let count = distance.max(0).cast_unsigned().div_ceil(step.unsigned_abs());
    Ok((first.cast_unsigned() as usize, count as usize))
}

#[cfg(test)]
mod tests {
    use super::bounds;

    #[test]
    fn starts_and_ends_are_clamped_as_the_specification_says() {
        assert_eq!(bounds(0, i64::MAX, 1, 5).unwrap(), (0, 5));
        assert_eq!(bounds(-3, -1, 1, 5).unwrap(), (2, 2));
        assert_eq!(bounds(7, 9, 1, 5).unwrap(), (5, 0));
        assert_eq!(bounds(0, 5, 2, 5).unwrap(), (0, 3));
        assert_eq!(bounds(i64::MAX, i64::MIN, -1, 5).unwrap(), (4, 5));
        assert_eq!(bounds(3, 0, -2, 5).unwrap(), (3, 2));
        assert_eq!(bounds(0, 3, -1, 5).unwrap(), (0, 0));
        assert_eq!(bounds(0, 5, i64::MAX, 5).unwrap(), (0, 1));
        assert_eq!(bounds(-1, i64::MIN, i64::MIN, 5).unwrap(), (4, 1));
        assert_eq!(bounds(i64::MAX, i64::MIN, -1, 0).unwrap(), (0, 0));
        assert!(bounds(0, 5, 0, 5).is_err());
    }
}
