//! Reductions: ReduceSum Mean Max Min Prod L1 L2 SumSquare LogSum LogSumExp, ArgMax and ArgMin; CumSum.
//!
//! # Definition
//! ONNX ReduceSum-13, the others -18 to 20, ArgMax-13, ArgMin-13: over the given axes; over all axes when none are given, or over
//! none with `noop_with_empty_axes` (then only the elementwise part of the operator remains).
//! CumSum-14: the sums of the elements up to and with each one along an axis; `exclusive` leaves the element itself out, `reverse`
//! starts at the end.
//! # Edge cases
//! Over no elements: sums and norms are 0, the product 1, ReduceMax -inf (the smallest integer), ReduceMin +inf (the largest), the mean NaN,
//! the logarithms -inf. ArgMax and ArgMin of no elements are an error. On a tie the first index wins, with
//! `select_last_index` the last.
//! # Numerics
//! `sum` and `dot` rules. LogSumExp is `x_m - logsoftmax(x)_m` with m the largest element, so that the shift-invariant rule
//! bounds it. An index is undecided where rounding could let another element win.

use super::error::{OpError, shape};
use super::operands::Operands;
use super::strided::{along, axes, axis as index_of, copy, strides};
use super::whole::{range, wrap};
use crate::arith::{Arith, Comparison, Function};
use crate::value::{Array, Value, Whole};
use halfproof_ir::DType;
use halfproof_ir::ops::{ArgMax, ArgMin, CumSum};
use std::borrow::Cow;

/// Which reduction.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reduction {
    Sum,
    Mean,
    Max,
    Min,
    Prod,
    L1,
    L2,
    SumSquare,
    LogSum,
    LogSumExp,
}

/// The elements with the reduced axes last, the extent of a row of them, and the shape of the result.
struct Rows<'a, T: Copy> {
    data: Cow<'a, [T]>,
    width: usize,
    count: usize,
    dims: Vec<usize>,
}

impl<'a, T: Copy> Rows<'a, T> {
    fn new(a: &'a Array<T>, reduced: &[usize], keep: bool) -> Rows<'a, T> {
        let rank = a.shape.len();
        let kept: Vec<usize> = (0..rank).filter(|i| !reduced.contains(i)).collect();
        let mut last = reduced.to_vec();
        last.sort_unstable();
        let order: Vec<usize> = kept.iter().chain(&last).copied().collect();
        let data = if order.is_sorted() {
            Cow::Borrowed(&a.data[..])
        } else {
            let steps = strides(&a.shape);
            let (dims, steps): (Vec<usize>, Vec<isize>) =
                order.iter().map(|&i| (a.shape[i], steps[i])).unzip();
            Cow::Owned(copy(&a.data, 0, &dims, &steps))
        };
        let dims = if keep {
            (0..rank).map(|i| if reduced.contains(&i) { 1 } else { a.shape[i] }).collect()
        } else {
            kept.iter().map(|&i| a.shape[i]).collect()
        };
        Rows {
            data,
            width: last.iter().map(|&i| a.shape[i]).product(),
            count: kept.iter().map(|&i| a.shape[i]).product(),
            dims,
        }
    }

    fn map<R>(self, f: impl Fn(&[T]) -> R) -> Array<R> {
        let data = (0..self.count).map(|i| f(&self.data[i * self.width..][..self.width])).collect();
        Array { shape: self.dims, data }
    }
}

/// One of the ten reductions.
pub(super) fn evaluate<A: Arith>(
    which: Reduction,
    keep: bool,
    noop: bool,
    x: &Operands<A::E>,
    arith: &A,
) -> Result<Value<A::E>, OpError> {
    let value = x.need(0)?;
    let rank = value.shape().len();
    let given = x.optional_ints(1)?.unwrap_or_default();
    let reduced = match given.is_empty() {
        false => axes(&given, rank)?,
        true if noop => vec![],
        true => (0..rank).collect(),
    };
    Ok(match value {
        Value::Float(d, a) => {
            let rows = Rows::new(a, &reduced, keep);
            Value::Float(*d, rows.map(|row| arith.store(float(which, row, arith), *d)))
        }
        Value::Whole(d, a) => {
            let extremes = matches!(which, Reduction::Max | Reduction::Min);
            let defined = extremes
                || matches!(which, Reduction::Sum | Reduction::Prod | Reduction::L1 | Reduction::SumSquare)
                    && *d != DType::Bool;
            if !defined {
                return Err(OpError::Type { operand: 0, dtype: *d });
            }
            Value::Whole(*d, Rows::new(a, &reduced, keep).map(|row| whole(which, row, *d)))
        }
    })
}

fn float<A: Arith>(which: Reduction, row: &[A::E], arith: &A) -> A::E {
    match which {
        Reduction::Sum => arith.sum(row),
        Reduction::Mean => {
            #[expect(clippy::cast_precision_loss, reason = "a number of elements")]
            let n = arith.exact(row.len() as f64);
            arith.div(arith.sum(row), n)
        }
        Reduction::Max => row
            .iter()
            .copied()
            .reduce(|p, q| arith.max(p, q))
            .map_or_else(|| arith.exact(f64::NEG_INFINITY), |x| arith.extremum(x)),
        Reduction::Min => row
            .iter()
            .copied()
            .reduce(|p, q| arith.min(p, q))
            .map_or_else(|| arith.exact(f64::INFINITY), |x| arith.extremum(x)),
        Reduction::Prod => row
            .iter()
            .copied()
            .reduce(|p, q| arith.intermediate(arith.mul(p, q)))
            .unwrap_or_else(|| arith.exact(1.0)),
        Reduction::L1 => {
            let magnitudes: Vec<A::E> = row.iter().map(|&e| arith.apply(Function::Abs, e)).collect();
            arith.sum(&magnitudes)
        }
        Reduction::L2 => arith.apply(Function::Sqrt, arith.intermediate(arith.dot(row, row, None))),
        Reduction::SumSquare => arith.dot(row, row, None),
        Reduction::LogSum => arith.apply(Function::Log, arith.intermediate(arith.sum(row))),
        Reduction::LogSumExp => log_sum_exp(row, arith),
    }
}

fn log_sum_exp<A: Arith>(row: &[A::E], arith: &A) -> A::E {
    let Some(largest) = row.iter().copied().reduce(|p, q| arith.max(p, q)) else {
        return arith.exact(f64::NEG_INFINITY);
    };
    // With an infinite or NaN maximum the sum is that infinity or NaN, and the softmax rule has no finite shift.
    let centre = arith.centre(largest);
    if !centre.is_finite() {
        return largest;
    }
    let m = (0..row.len()).find(|&i| arith.centre(row[i]) == centre).unwrap_or(0);
    let logs = arith.softmax(row, 1.0, true);
    arith.sub(row[m], logs[m])
}

fn whole(which: Reduction, row: &[Whole], dtype: DType) -> Whole {
    let (smallest, largest) = range(dtype);
    let decided = row.iter().all(|w| w.decided);
    let values = row.iter().map(|w| w.value);
    let value = match which {
        Reduction::Max => values.max().unwrap_or(smallest),
        Reduction::Min => values.min().unwrap_or(largest),
        Reduction::Prod => values.fold(1, i64::wrapping_mul),
        Reduction::L1 => values.fold(0, |s: i64, v| s.wrapping_add(v.wrapping_abs())),
        Reduction::SumSquare => values.fold(0, |s: i64, v| s.wrapping_add(v.wrapping_mul(v))),
        _ => values.fold(0, i64::wrapping_add),
    };
    Whole { value: wrap(value, dtype), decided }
}

/// ArgMax.
pub(super) fn arg_max<A: Arith>(op: &ArgMax, x: &Operands<A::E>, arith: &A) -> Result<Value<A::E>, OpError> {
    winner(op.axis, op.keepdims, op.select_last_index, Comparison::Greater, x, arith)
}

/// ArgMin.
pub(super) fn arg_min<A: Arith>(op: &ArgMin, x: &Operands<A::E>, arith: &A) -> Result<Value<A::E>, OpError> {
    winner(op.axis, op.keepdims, op.select_last_index, Comparison::Less, x, arith)
}

fn winner<A: Arith>(
    axis: i64,
    keep: bool,
    last: bool,
    better: Comparison,
    x: &Operands<A::E>,
    arith: &A,
) -> Result<Value<A::E>, OpError> {
    let value = x.need(0)?;
    let at = index_of(axis, value.shape().len())?;
    if value.shape()[at] == 0 {
        return Err(shape(format!("no index along an empty axis of shape {:?}", value.shape())));
    }
    let result = match value {
        Value::Float(_, a) => {
            Rows::new(a, &[at], keep).map(|row| best(row, last, better, |p, q| arith.compare(p, q)))
        }
        Value::Whole(_, a) => Rows::new(a, &[at], keep).map(|row| {
            best(row, last, better, |p: Whole, q: Whole| {
                let order = match p.value.cmp(&q.value) {
                    std::cmp::Ordering::Less => Comparison::Less,
                    std::cmp::Ordering::Equal => Comparison::Equal,
                    std::cmp::Ordering::Greater => Comparison::Greater,
                };
                (order, p.decided && q.decided)
            })
        }),
    };
    Ok(Value::Whole(DType::I64, result))
}

fn best<T: Copy>(
    row: &[T],
    last: bool,
    better: Comparison,
    compare: impl Fn(T, T) -> (Comparison, bool),
) -> Whole {
    let mut best = 0;
    for i in 1..row.len() {
        let order = compare(row[i], row[best]).0;
        if order == better || (last && order == Comparison::Equal) {
            best = i;
        }
    }
    // A NaN is comparable with nothing: the specification does not say who wins.
    let certain = |i: usize| {
        let (order, decided) = compare(row[i], row[best]);
        decided && order != Comparison::Unordered
    };
    let decided = (0..row.len()).all(|i| i == best || certain(i));
    Whole { value: best.cast_signed() as i64, decided }
}

/// CumSum.
pub(super) fn cum_sum<A: Arith>(op: &CumSum, x: &Operands<A::E>, arith: &A) -> Result<Value<A::E>, OpError> {
    let value = x.need(0)?;
    let &[axis] = &x.ints(1)?[..] else { return Err(shape("the axis is not one number")) };
    let at = index_of(axis, value.shape().len())?;
    let extent = value.shape()[at];
    Ok(match value {
        Value::Float(d, a) => Value::Float(
            *d,
            along(a, at, extent, |row| prefixes(op, row, |part| arith.store(arith.sum(part), *d)))?,
        ),
        Value::Whole(d, a) => Value::Whole(
            *d,
            along(a, at, extent, |row| prefixes(op, row, |part| whole(Reduction::Sum, part, *d)))?,
        ),
    })
}

/// The part of the row that each element's sum is of.
fn prefixes<T: Copy>(op: &CumSum, row: &[T], sum: impl Fn(&[T]) -> T) -> Vec<T> {
    let n = row.len();
    let part = |i: usize| match (op.reverse, op.exclusive) {
        (false, false) => &row[..=i],
        (false, true) => &row[..i],
        (true, false) => &row[i..],
        (true, true) => &row[i + 1..],
    };
    (0..n).map(|i| sum(part(i))).collect()
}
