//! Index arithmetic of the ONNX side: strides, axes, broadcasting, strided copies. Knows nothing of elements.
//!
//! Sources: ONNX `docs/Broadcasting.md` (multidirectional and unidirectional broadcasting); axis ranges as every
//! operator gives them, [-r, r-1].

use super::error::{OpError, shape};
use crate::value::Array;
use std::borrow::Cow;

/// More elements than any tensor of a graph under test has; a Tile or Expand beyond it is an error, not an allocation.
const MOST_ELEMENTS: usize = 1 << 28;

/// The number of elements of a tensor about to be made.
pub(super) fn elements(dims: &[usize]) -> Result<usize, OpError> {
    if dims.contains(&0) {
        return Ok(0);
    }
    dims.iter()
        .try_fold(1usize, |n, &d| n.checked_mul(d))
        .filter(|&n| n <= MOST_ELEMENTS)
        .ok_or_else(|| OpError::TooLarge(dims.to_vec()))
}

/// Distance in elements between neighbours along each axis of a row-major tensor.
pub(super) fn strides(dims: &[usize]) -> Vec<isize> {
    let mut strides = vec![1isize; dims.len()];
    for i in (1..dims.len()).rev() {
        strides[i - 1] = strides[i] * dims[i].max(1).cast_signed();
    }
    strides
}

/// An axis counted from either end, as an index below `rank`.
pub(super) fn axis(axis: i64, rank: usize) -> Result<usize, OpError> {
    let r = rank.cast_signed() as i64;
    let from_front = if axis < 0 { axis.checked_add(r) } else { Some(axis) };
    match from_front {
        Some(a) if (0..r).contains(&a) => Ok(a.cast_unsigned() as usize),
        _ => Err(shape(format!("axis {axis} is outside a tensor of rank {rank}"))),
    }
}

/// Distinct axes, in the order given.
pub(super) fn axes(list: &[i64], rank: usize) -> Result<Vec<usize>, OpError> {
    let mut found = Vec::with_capacity(list.len());
    for &a in list {
        let a = axis(a, rank)?;
        if found.contains(&a) {
            return Err(shape(format!("axis {a} is given twice")));
        }
        found.push(a);
    }
    Ok(found)
}

/// An extent read from a shape operand.
pub(super) fn extent(n: i64) -> Result<usize, OpError> {
    usize::try_from(n).map_err(|_| shape(format!("extent {n} is negative")))
}

/// The common shape of operands under multidirectional broadcasting.
pub(super) fn broadcast(shapes: &[&[usize]]) -> Result<Vec<usize>, OpError> {
    let rank = shapes.iter().map(|s| s.len()).max().unwrap_or(0);
    let mut common = vec![1; rank];
    for s in shapes {
        for (c, &d) in common[rank - s.len()..].iter_mut().zip(s.iter()) {
            if d != 1 {
                if *c != 1 && *c != d {
                    let all: Vec<String> = shapes.iter().map(|s| format!("{s:?}")).collect();
                    return Err(shape(format!("shapes {} do not broadcast", all.join(", "))));
                }
                *c = d;
            }
        }
    }
    elements(&common)?;
    Ok(common)
}

/// The elements of `array` repeated to `dims` (unidirectional broadcasting).
pub(super) fn expand<'a, T: Copy>(array: &'a Array<T>, dims: &[usize]) -> Result<Cow<'a, [T]>, OpError> {
    if array.shape == dims {
        return Ok(Cow::Borrowed(&array.data));
    }
    let misfit = || shape(format!("shape {:?} does not broadcast to {dims:?}", array.shape));
    let lead = dims.len().checked_sub(array.shape.len()).ok_or_else(misfit)?;
    let total = elements(dims)?;
    if array.data.len() == 1 {
        return Ok(Cow::Owned(vec![array.data[0]; total]));
    }
    let mut steps = vec![0isize; dims.len()];
    for (i, s) in strides(&array.shape).into_iter().enumerate() {
        if array.shape[i] == dims[lead + i] {
            steps[lead + i] = s;
        } else if array.shape[i] != 1 {
            return Err(misfit());
        }
    }
    Ok(Cow::Owned(copy(&array.data, 0, dims, &steps)))
}

/// Row-major copy of the elements at `start + sum(index[i] * steps[i])` for every index below `dims`.
/// A step may be 0 (repeat) or negative (backwards).
pub(super) fn copy<T: Copy>(data: &[T], start: usize, dims: &[usize], steps: &[isize]) -> Vec<T> {
    let total: usize = dims.iter().product();
    let mut out = Vec::with_capacity(total);
    if total == 0 {
        return out;
    }
    // Axes of extent 1 vanish; neighbours that lie behind one another in memory merge into one.
    let mut loops: Vec<(usize, isize)> = Vec::with_capacity(dims.len());
    for (&n, &step) in dims.iter().zip(steps) {
        if n == 1 {
            continue;
        }
        match loops.last_mut() {
            Some((m, outer)) if *outer == step * n.cast_signed() => {
                *m *= n;
                *outer = step;
            }
            _ => loops.push((n, step)),
        }
    }
    let Some((run, step)) = loops.pop() else {
        out.push(data[start]);
        return out;
    };
    let mut index = vec![0usize; loops.len()];
    let mut at = start.cast_signed();
    loop {
        let from = at.cast_unsigned();
        match step {
            1 => out.extend_from_slice(&data[from..from + run]),
            0 => out.resize(out.len() + run, data[from]),
            _ => out.extend((0..run.cast_signed()).map(|i| data[(at + i * step).cast_unsigned()])),
        }
        let mut axis = loops.len();
        loop {
            if axis == 0 {
                return out;
            }
            axis -= 1;
            let (n, outer) = loops[axis];
            index[axis] += 1;
            at += outer;
            if index[axis] < n {
                break;
            }
            index[axis] = 0;
            at -= outer * n.cast_signed();
        }
    }
}

/// `sum(index[i] * steps[i])` for every index below `dims`, in row-major order.
pub(super) fn offsets(dims: &[usize], steps: &[usize]) -> Vec<usize> {
    let mut all = vec![0];
    for (&n, &step) in dims.iter().zip(steps) {
        all = all.iter().flat_map(|&at| (0..n).map(move |i| at + i * step)).collect();
    }
    all
}

/// Applies a function to every row along an axis; it gives `width` elements for each, which take the row's place.
pub(super) fn along<T: Copy, R: Copy>(
    a: &Array<T>,
    at: usize,
    width: usize,
    mut f: impl FnMut(&[T]) -> Vec<R>,
) -> Result<Array<R>, OpError> {
    let mut dims = a.shape.clone();
    let extent = std::mem::replace(&mut dims[at], width);
    elements(&dims)?;
    let outer: usize = dims[..at].iter().product();
    let inner: usize = dims[at + 1..].iter().product();
    let steps = [(extent * inner).cast_signed(), 1, inner.cast_signed()];
    let turned = copy(&a.data, 0, &[outer, inner, extent], &steps);
    let rows: Vec<R> = (0..outer * inner).flat_map(|i| f(&turned[i * extent..][..extent])).collect();
    let back = strides(&[outer, inner, width]);
    Ok(Array { shape: dims, data: copy(&rows, 0, &[outer, width, inner], &[back[0], back[2], back[1]]) })
}

/// Applies a function to every element.
pub(super) fn map<T: Copy, R>(a: &Array<T>, f: impl FnMut(T) -> R) -> Array<R> {
    Array { shape: a.shape.clone(), data: a.data.iter().copied().map(f).collect() }
}

/// Applies a function to pairs of elements under multidirectional broadcasting.
pub(super) fn zip<T: Copy, U: Copy, R>(
    a: &Array<T>,
    b: &Array<U>,
    mut f: impl FnMut(T, U) -> R,
) -> Result<Array<R>, OpError> {
    if a.shape == b.shape {
        let data = a.data.iter().zip(&b.data).map(|(&x, &y)| f(x, y)).collect();
        return Ok(Array { shape: a.shape.clone(), data });
    }
    if b.data.len() == 1 && b.shape.len() <= a.shape.len() {
        let y = b.data[0];
        return Ok(map(a, |x| f(x, y)));
    }
    if a.data.len() == 1 && a.shape.len() <= b.shape.len() {
        let x = a.data[0];
        return Ok(map(b, |y| f(x, y)));
    }
    let dims = broadcast(&[&a.shape, &b.shape])?;
    let (xs, ys) = (expand(a, &dims)?, expand(b, &dims)?);
    let data = xs.iter().zip(ys.iter()).map(|(&x, &y)| f(x, y)).collect();
    Ok(Array { shape: dims, data })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn broadcasting_follows_the_examples_of_the_specification() {
        for (a, b, c) in [
            (&[2, 3, 4, 5][..], &[][..], &[2, 3, 4, 5][..]),
            (&[2, 3, 4, 5], &[5], &[2, 3, 4, 5]),
            (&[4, 5], &[2, 3, 4, 5], &[2, 3, 4, 5]),
            (&[1, 4, 5], &[2, 3, 1, 1], &[2, 3, 4, 5]),
            (&[3, 4, 5], &[2, 1, 1, 1], &[2, 3, 4, 5]),
            (&[0, 1], &[1, 3], &[0, 3]),
        ] {
            assert_eq!(broadcast(&[a, b]).unwrap(), c);
        }
        assert!(broadcast(&[&[2], &[3]]).is_err());
        assert!(broadcast(&[&[0], &[3]]).is_err());
    }

    #[test]
    fn axes_count_from_both_ends_and_are_distinct() {
        assert_eq!(axis(-1, 3), Ok(2));
        assert!(axis(3, 3).is_err());
        assert!(axis(-4, 3).is_err());
        assert!(axis(0, 0).is_err());
        assert!(axis(i64::MIN, 3).is_err());
        assert!(axes(&[0, -3], 3).is_err());
    }

    #[test]
    fn a_result_of_absurd_size_is_an_error_and_not_an_allocation() {
        assert!(elements(&[1 << 20, 1 << 20]).is_err());
        assert!(elements(&[usize::MAX, usize::MAX]).is_err());
        assert_eq!(elements(&[usize::MAX, usize::MAX, 0]), Ok(0));
    }

    proptest! {
        #[test]
        fn a_strided_copy_visits_the_indices_in_row_major_order(
            dims in proptest::collection::vec(0usize..4, 0..5),
            raw in proptest::collection::vec(-3isize..4, 5),
        ) {
            let steps = &raw[..dims.len()];
            let data: Vec<usize> = (0..100).collect();
            let mut expected = vec![50isize];
            for (&n, &s) in dims.iter().zip(steps) {
                expected = expected.iter().flat_map(|&at| (0..n.cast_signed()).map(move |i| at + i * s)).collect();
            }
            let expected: Vec<usize> = expected.into_iter().map(isize::cast_unsigned).collect();
            prop_assert_eq!(copy(&data, 50, &dims, steps), expected);
        }
    }
}
