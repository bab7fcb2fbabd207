//! TopK: the largest or smallest elements of every row, and where they are.
//!
//! # Definition
//! ONNX TopK-11: along `axis`, the k largest elements in descending order (the k smallest in ascending order), and their indices,
//! INT64. Of equal elements the one with the lower index is first.
//! # Edge cases
//! Without `sorted` the order is not specified; this reference sorts. NaN has no place in the order: every element of its row
//! is then undecided.
//! # Numerics
//! Nothing is computed. An element is one of all those that rounding could bring to its place: the neighbours in the order of
//! the exact values from which no decided comparison separates it. Its index is then undecided.

use super::error::{OpError, shape};
use super::operands::Operands;
use super::strided::{along, axis as index_of, extent};
use crate::arith::{Arith, Comparison};
use crate::value::{Value, Whole};
use halfproof_ir::DType;
use halfproof_ir::ops::TopK;
use std::cmp::Ordering;

/// TopK.
pub(super) fn top_k<A: Arith>(op: &TopK, x: &Operands<A::E>, arith: &A) -> Result<Vec<Value<A::E>>, OpError> {
    let value = x.need(0)?;
    let &[k] = &x.ints(1)?[..] else { return Err(shape("k is not one number")) };
    let (k, at) = (extent(k)?, index_of(op.axis, value.shape().len())?);
    if k > value.shape()[at] {
        return Err(shape(format!("k is {k} for an axis of extent {}", value.shape()[at])));
    }
    let (values, indices) = match value {
        Value::Float(d, a) => {
            let compare = |p, q| arith.compare(p, q);
            let either = |p, q| arith.either(p, q);
            let nan = |e| arith.is_nan(e) != (false, true);
            let row = |row: &[A::E]| first(row, k, op.largest, row.iter().any(|&e| nan(e)), compare, either);
            let pairs = along(a, at, k, row)?;
            (Value::Float(*d, super::strided::map(&pairs, |p| p.0)), super::strided::map(&pairs, |p| p.1))
        }
        Value::Whole(d, a) => {
            let compare = |p: Whole, q: Whole| {
                let order = match p.value.cmp(&q.value) {
                    Ordering::Less => Comparison::Less,
                    Ordering::Equal => Comparison::Equal,
                    Ordering::Greater => Comparison::Greater,
                };
                (order, p.decided && q.decided)
            };
            let either = |p: Whole, q: Whole| Whole { decided: p == q && p.decided, ..p };
            let pairs = along(a, at, k, |row| first(row, k, op.largest, false, compare, either))?;
            (Value::Whole(*d, super::strided::map(&pairs, |p| p.0)), super::strided::map(&pairs, |p| p.1))
        }
    };
    Ok(vec![values, Value::Whole(DType::I64, indices)])
}

/// The first k of a row in order, each with its index. In `chaos` nothing about the order is certain.
fn first<T: Copy>(
    row: &[T],
    k: usize,
    largest: bool,
    chaos: bool,
    compare: impl Fn(T, T) -> (Comparison, bool),
    either: impl Fn(T, T) -> T,
) -> Vec<(T, Whole)> {
    let wanted = if largest { Comparison::Greater } else { Comparison::Less };
    // Insertion keeps equal elements in the order of their indices.
    let mut order: Vec<usize> = Vec::with_capacity(row.len());
    for i in 0..row.len() {
        let at = order.iter().position(|&o| compare(row[i], row[o]).0 == wanted).unwrap_or(order.len());
        order.insert(at, i);
    }
    let separate = |i: usize| {
        if chaos {
            return false;
        }
        let (order, decided) = compare(row[order[i - 1]], row[order[i]]);
        decided && order != Comparison::Unordered
    };
    let starts: Vec<usize> = (0..row.len()).filter(|&i| i == 0 || separate(i)).collect();
    let mut result = Vec::with_capacity(k);
    for (n, &start) in starts.iter().enumerate() {
        let end = starts.get(n + 1).copied().unwrap_or(row.len());
        for i in start..end.min(k) {
            let alone = end - start == 1;
            let value = (start..end).filter(|&j| j != i).fold(row[order[i]], |v, j| either(v, row[order[j]]));
            result.push((value, Whole { value: order[i].cast_signed() as i64, decided: alone }));
        }
    }
    result
}
