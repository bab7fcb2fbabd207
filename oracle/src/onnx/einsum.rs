//! Einsum: sums of products over named axes.
//!
//! # Definition
//! ONNX Einsum-12: each term of the equation names the axes of one operand; the result has the axes named behind `->`, and every
//! other axis is summed over. Without `->` the result has, in alphabetical order, the names that occur once. `...` stands
//! for unnamed axes, which broadcast against each other and come first in an implied result.
//! # Edge cases
//! A name that occurs twice in a term is a diagonal. Blanks mean nothing. An extent of 1 under a name broadcasts only in `...`.
//! # Numerics
//! One `dot` per element of the result for two operands, one `sum` of products for any other number.

use super::error::{OpError, attribute, shape};
use super::operands::Operands;
use super::strided::{elements, strides};
use crate::arith::Arith;
use crate::value::{Array, Value};
use halfproof_ir::DType;
use halfproof_ir::ops::Einsum;
use std::collections::BTreeMap;

/// A named axis, or one that an ellipsis stands for, counted from its end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Axis {
    Unnamed(usize),
    Named(char),
}

/// The axes of a term of that rank; an ellipsis stands for what the names leave.
fn axes(term: &str, rank: usize) -> Result<Vec<Axis>, OpError> {
    let (before, after, dots) = match term.split_once("...") {
        Some((b, a)) => (b, a, true),
        None => (term, "", false),
    };
    let named = before.chars().count() + after.chars().count();
    let unnamed = rank.checked_sub(named).filter(|&n| dots || n == 0);
    let unnamed = unnamed.ok_or_else(|| shape(format!("term {term:?} for a tensor of rank {rank}")))?;
    if let Some(c) = before.chars().chain(after.chars()).find(|c| !c.is_ascii_alphabetic()) {
        return Err(attribute(format!("{c:?} in an equation")));
    }
    let middle = (0..unnamed).rev().map(Axis::Unnamed);
    Ok(before.chars().map(Axis::Named).chain(middle).chain(after.chars().map(Axis::Named)).collect())
}

/// Einsum.
pub(super) fn evaluate<A: Arith>(op: &Einsum, x: &Operands<A::E>, arith: &A) -> Result<Value<A::E>, OpError> {
    let equation: String = op.equation.chars().filter(|c| !c.is_whitespace()).collect();
    let (left, right) = match equation.split_once("->") {
        Some((l, r)) => (l, Some(r)),
        None => (equation.as_str(), None),
    };
    let terms: Vec<&str> = left.split(',').collect();
    let mut operands: Vec<&Array<A::E>> = Vec::new();
    let mut dtype = DType::F32;
    for i in 0..x.0.len() {
        let (d, a) = x.floats(i)?;
        dtype = d;
        operands.push(a);
    }
    if terms.len() != operands.len() {
        return Err(attribute(format!("{} terms for {} operands", terms.len(), operands.len())));
    }
    let named: Vec<Vec<Axis>> =
        terms.iter().zip(&operands).map(|(t, a)| axes(t, a.shape.len())).collect::<Result<_, _>>()?;
    let mut extents: BTreeMap<Axis, usize> = BTreeMap::new();
    let mut counts: BTreeMap<Axis, usize> = BTreeMap::new();
    for (list, a) in named.iter().zip(&operands) {
        for (&axis, &n) in list.iter().zip(&a.shape) {
            *counts.entry(axis).or_default() += 1;
            let held = extents.entry(axis).or_insert(n);
            if *held == 1 {
                *held = n;
            } else if n != *held && n != 1 {
                return Err(shape(format!("extents {held} and {n} under one name")));
            }
        }
    }
    let unnamed: Vec<Axis> =
        extents.keys().copied().filter(|a| matches!(a, Axis::Unnamed(_))).rev().collect();
    let output: Vec<Axis> = match right {
        None => {
            let once =
                counts.iter().filter(|(a, n)| matches!(a, Axis::Named(_)) && **n == 1).map(|(&a, _)| a);
            unnamed.iter().copied().chain(once).collect()
        }
        Some(r) => {
            let rank =
                r.replace("...", "").chars().count() + if r.contains("...") { unnamed.len() } else { 0 };
            axes(r, rank)?
        }
    };
    if output.iter().any(|a| !extents.contains_key(a)) {
        return Err(attribute("the result names an axis that no operand has"));
    }
    let inner: Vec<Axis> = extents.keys().copied().filter(|a| !output.contains(a)).collect();
    let dims: Vec<usize> = output.iter().map(|a| extents[a]).collect();
    let inner_dims: Vec<usize> = inner.iter().map(|a| extents[a]).collect();
    let (total, terms) = (elements(&dims)?, elements(&inner_dims)?);
    // How far each operand moves along each axis of the result and of the sum.
    let steps = |list: &[Axis], k: usize| -> Vec<usize> {
        let own = strides(&operands[k].shape);
        list.iter()
            .map(|axis| {
                let along = named[k].iter().zip(&own).zip(&operands[k].shape);
                along.filter(|((a, _), n)| *a == axis && **n != 1).map(|((_, s), _)| s.cast_unsigned()).sum()
            })
            .collect()
    };
    let starts: Vec<Vec<usize>> =
        (0..operands.len()).map(|k| super::strided::offsets(&dims, &steps(&output, k))).collect();
    let walks: Vec<Vec<usize>> =
        (0..operands.len()).map(|k| super::strided::offsets(&inner_dims, &steps(&inner, k))).collect();
    let mut rows: Vec<Vec<A::E>> = vec![Vec::with_capacity(terms); operands.len()];
    let data = (0..total)
        .map(|i| {
            for (k, row) in rows.iter_mut().enumerate() {
                row.clear();
                row.extend(walks[k].iter().map(|w| operands[k].data[starts[k][i] + w]));
            }
            let y = match &rows[..] {
                [a, b] => arith.dot(a, b, None),
                rows => {
                    let product = |j: usize| {
                        rows[1..].iter().fold(rows[0][j], |p, row| arith.intermediate(arith.mul(p, row[j])))
                    };
                    let products: Vec<A::E> = (0..terms).map(product).collect();
                    arith.sum(&products)
                }
            };
            arith.store(y, dtype)
        })
        .collect();
    Ok(Value::Float(dtype, Array { shape: dims, data }))
}
