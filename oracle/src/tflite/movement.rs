//! Copies whose source index is a sum of one term per axis: transpose, slice, pad, tile, reverse, block rearrangements.
//!
//! A [`Movement`] lists, for every axis of the result, where each coordinate reads. The axes may be finer than those
//! of the tensor's shape.

use super::operands::{Done, Exec};
use crate::arith::Arith;
use crate::value::{Value, Whole};

/// A coordinate that reads no element but the filling.
pub(super) const FILL: usize = usize::MAX;

/// Where every element of a result comes from.
#[derive(Clone, Debug)]
pub(super) struct Movement {
    /// Offsets into the source by axis and coordinate, outermost first.
    axes: Vec<Vec<usize>>,
    /// Elements that lie side by side in source and result.
    run: usize,
}

impl Movement {
    /// A movement from the offsets of every axis.
    pub(super) fn new(mut axes: Vec<Vec<usize>>) -> Movement {
        let mut run = 1;
        while let Some(last) = axes.last() {
            if last.is_empty() || !last.iter().enumerate().all(|(i, &offset)| offset == i * run) {
                break;
            }
            run *= last.len();
            axes.pop();
        }
        Movement { axes, run }
    }

    /// The elements of the result.
    pub(super) fn apply<T: Copy>(&self, source: &[T], fill: T) -> Vec<T> {
        if self.axes.is_empty() {
            return source.get(..self.run).unwrap_or_default().to_vec();
        }
        let total = self.axes.iter().map(Vec::len).product::<usize>() * self.run;
        let mut result = Vec::with_capacity(total);
        if total > 0 {
            self.walk(0, 0, source, fill, &mut result);
        }
        result
    }

    fn walk<T: Copy>(&self, axis: usize, base: usize, source: &[T], fill: T, result: &mut Vec<T>) {
        let offsets = &self.axes[axis];
        if axis + 1 < self.axes.len() {
            for &offset in offsets {
                let inner = if offset == FILL || base == FILL { FILL } else { base + offset };
                self.walk(axis + 1, inner, source, fill, result);
            }
        } else if base == FILL {
            result.extend(std::iter::repeat_n(fill, offsets.len() * self.run));
        } else if self.run == 1 {
            result.extend(offsets.iter().map(|&o| if o == FILL { fill } else { source[base + o] }));
        } else {
            for &offset in offsets {
                if offset == FILL {
                    result.extend(std::iter::repeat_n(fill, self.run));
                } else {
                    result.extend_from_slice(&source[base + offset..][..self.run]);
                }
            }
        }
    }
}

/// Coordinates `start, start + step, …` of an axis whose neighbours are `stride` elements apart.
pub(super) fn line(start: usize, step: i64, count: usize, stride: usize) -> Vec<usize> {
    let mut at = i64::try_from(start).unwrap_or(i64::MAX);
    (0..count)
        .map(|_| {
            let here = usize::try_from(at).unwrap_or(0) * stride;
            at = at.saturating_add(step);
            here
        })
        .collect()
}

/// One movement after another, from operand `operand` to the only result, filling with zeros or with the one element
/// of operand `fill`.
#[derive(Clone, Debug)]
pub(super) struct Moves {
    pub(super) operand: usize,
    pub(super) steps: Vec<Movement>,
    pub(super) fill: Option<usize>,
}

impl Moves {
    /// One movement of operand 0.
    pub(super) fn new(axes: Vec<Vec<usize>>) -> Moves {
        Moves { operand: 0, steps: vec![Movement::new(axes)], fill: None }
    }

    pub(super) fn run<A: Arith>(&self, exec: &Exec<'_, A>) -> Done<A::E> {
        let value = match exec.value(self.operand)? {
            Value::Float(_, a) => {
                let fill = match self.fill {
                    None => exec.arith.exact(0.0),
                    Some(i) => *exec.floats(i)?.data.first().ok_or("the padding value is empty")?,
                };
                exec.float_result(0, moved(&self.steps, &a.data, fill))
            }
            Value::Whole(_, a) => {
                let fill = match self.fill {
                    None => Whole::known(0),
                    Some(i) => *exec.wholes(i)?.data.first().ok_or("the padding value is empty")?,
                };
                exec.whole_result(0, moved(&self.steps, &a.data, fill))
            }
        };
        Ok(vec![value])
    }
}

/// One movement of operand `operand` per result.
#[derive(Clone, Debug)]
pub(super) struct Shares {
    pub(super) operand: usize,
    pub(super) movements: Vec<Movement>,
}

impl Shares {
    pub(super) fn run<A: Arith>(&self, exec: &Exec<'_, A>) -> Done<A::E> {
        let value = exec.value(self.operand)?;
        let share = |(i, movement): (usize, &Movement)| match value {
            Value::Float(_, a) => exec.float_result(i, movement.apply(&a.data, exec.arith.exact(0.0))),
            Value::Whole(_, a) => exec.whole_result(i, movement.apply(&a.data, Whole::known(0))),
        };
        Ok(self.movements.iter().enumerate().map(share).collect())
    }
}

/// The offsets that walk a whole tensor in order.
pub(super) fn identity(shape: &[usize]) -> Vec<Vec<usize>> {
    let strides = super::plan::strides(shape);
    shape.iter().zip(strides).map(|(&extent, stride)| line(0, 1, extent, stride)).collect()
}

fn moved<T: Copy>(steps: &[Movement], source: &[T], fill: T) -> Vec<T> {
    match steps.split_first() {
        None => source.to_vec(),
        Some((first, rest)) => {
            rest.iter().fold(first.apply(source, fill), |data, step| step.apply(&data, fill))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contiguous_trailing_axes_become_one_run() {
        let m = Movement::new(vec![vec![0, 12], vec![0, 4], vec![0, 1, 2, 3]]);
        assert_eq!((m.run, m.axes.len()), (8, 1));
        let source: Vec<i32> = (0..24).collect();
        assert_eq!(m.apply(&source, -1), [&source[..8], &source[12..20]].concat());
    }

    #[test]
    fn filled_coordinates_read_nothing() {
        let m = Movement::new(vec![vec![FILL, 0], vec![1, FILL, 0]]);
        assert_eq!(m.apply(&[7, 8], 0), [0, 0, 0, 8, 0, 7]);
    }

    #[test]
    fn an_empty_axis_gives_an_empty_result() {
        assert!(Movement::new(vec![vec![], vec![0, 1]]).apply(&[1, 2], 0).is_empty());
        assert!(Movement::new(vec![vec![0], vec![]]).apply(&[1, 2], 0).is_empty());
    }
}
