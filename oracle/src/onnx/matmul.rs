//! Matrix products: MatMul and Gemm.
//!
//! # Definition
//! MatMul as `numpy.matmul` (ONNX MatMul-13): matrices on the last two axes, the others broadcast; an operand of rank 1 is a row
//! (left) or a column (right) and its axis of extent 1 vanishes from the result.
//! Gemm-13: `Y = alpha * A' * B' + beta * C`, A' and B' optionally transposed, C broadcast unidirectionally.
//! # Edge cases
//! An inner extent of 0 gives zeros (plus C). Rank 0 is an error. Integers wrap.
//! # Numerics
//! One `dot` per element. In Gemm, with `alpha = 1` the accumulation starts at `beta * C`; otherwise the product is scaled
//! first and `beta * C` added after, as the formula reads. A factor of 1 is not multiplied.

use super::error::{OpError, shape};
use super::operands::Operands;
use super::strided::{broadcast, copy, elements, expand, strides};
use super::whole::wrap;
use crate::arith::Arith;
use crate::value::{Array, Value, Whole};
use halfproof_ir::DType;
use halfproof_ir::ops::Gemm;
use std::borrow::Cow;

/// MatMul.
pub(super) fn matmul<A: Arith>(x: &Operands<A::E>, arith: &A) -> Result<Value<A::E>, OpError> {
    match (x.need(0)?, x.need(1)?) {
        (Value::Float(d, a), Value::Float(e, b)) if d == e => {
            Ok(Value::Float(*d, product(a, b, |r, c| arith.store(arith.dot(r, c, None), *d))?))
        }
        (Value::Whole(d, a), Value::Whole(e, b)) if d == e && *d != DType::Bool => {
            Ok(Value::Whole(*d, product(a, b, |r, c| whole_dot(r, c, *d))?))
        }
        (_, b) => Err(OpError::Type { operand: 1, dtype: b.dtype() }),
    }
}

fn whole_dot(row: &[Whole], column: &[Whole], dtype: DType) -> Whole {
    let mut sum = Whole::known(0);
    for (a, b) in row.iter().zip(column) {
        sum.value = sum.value.wrapping_add(a.value.wrapping_mul(b.value));
        sum.decided &= a.decided && b.decided;
    }
    Whole { value: wrap(sum.value, dtype), ..sum }
}

fn product<T: Copy>(a: &Array<T>, b: &Array<T>, dot: impl Fn(&[T], &[T]) -> T) -> Result<Array<T>, OpError> {
    if a.shape.is_empty() || b.shape.is_empty() {
        return Err(shape("MatMul of a scalar"));
    }
    let (row, column) = (a.shape.len() == 1, b.shape.len() == 1);
    let (batch_a, m, k) = match *a.shape {
        [k] => (&[][..], 1, k),
        [ref batch @ .., m, k] => (batch, m, k),
        [] => (&[][..], 1, 1),
    };
    let (batch_b, inner, n) = match *b.shape {
        [k] => (&[][..], k, 1),
        [ref batch @ .., k, n] => (batch, k, n),
        [] => (&[][..], 1, 1),
    };
    if inner != k {
        return Err(shape(format!("shapes {:?} and {:?} do not multiply", a.shape, b.shape)));
    }
    let batch = broadcast(&[batch_a, batch_b])?;
    let mut dims = batch.clone();
    if !row {
        dims.push(m);
    }
    if !column {
        dims.push(n);
    }
    let total = elements(&dims)?;
    let (from_a, from_b) = (matrices(batch_a, &batch)?, matrices(batch_b, &batch)?);
    let mut data = Vec::with_capacity(total);
    let mut columns: Cow<[T]> = Cow::Borrowed(&[]);
    let mut current = None;
    for (&i, &j) in from_a.iter().zip(&from_b) {
        let left = &a.data[i * m * k..][..m * k];
        if current != Some(j) {
            let right = &b.data[j * k * n..][..k * n];
            columns = if n == 1 || k == 1 {
                Cow::Borrowed(right)
            } else {
                Cow::Owned(copy(right, 0, &[n, k], &[1, n.cast_signed()]))
            };
            current = Some(j);
        }
        rows_by_columns(left, &columns, m, n, k, &mut data, &dot);
    }
    Ok(Array { shape: dims, data })
}

/// Appends the m x n dot products of rows and columns of length k.
fn rows_by_columns<T>(
    rows: &[T],
    columns: &[T],
    m: usize,
    n: usize,
    k: usize,
    out: &mut Vec<T>,
    dot: impl Fn(&[T], &[T]) -> T,
) {
    for i in 0..m {
        let row = &rows[i * k..][..k];
        out.extend((0..n).map(|j| dot(row, &columns[j * k..][..k])));
    }
}

/// For every index of the common batch, the number of the operand's matrix.
fn matrices(batch: &[usize], common: &[usize]) -> Result<Vec<usize>, OpError> {
    let count: usize = batch.iter().product();
    let numbers = Array { shape: batch.to_vec(), data: (0..count).collect() };
    expand(&numbers, common).map(Cow::into_owned)
}

/// Gemm.
pub(super) fn gemm<A: Arith>(op: &Gemm, x: &Operands<A::E>, arith: &A) -> Result<Value<A::E>, OpError> {
    match (x.need(0)?, x.need(1)?) {
        (Value::Float(d, a), Value::Float(e, b)) if d == e => {
            let (alpha, beta) = (arith.exact(op.alpha.into()), arith.exact(op.beta.into()));
            let c = x.optional_floats(2)?;
            let scaled = |c: A::E| if op.beta == 1.0 { c } else { arith.mul(beta, c) };
            let result = affine(op, a, b, c, |row, column, c| {
                let c = c.map(scaled);
                let y = if op.alpha == 1.0 {
                    arith.dot(row, column, c)
                } else {
                    let product = arith.mul(alpha, arith.dot(row, column, None));
                    c.map_or(product, |c| arith.add(product, c))
                };
                arith.store(y, *d)
            })?;
            Ok(Value::Float(*d, result))
        }
        (Value::Whole(d, a), Value::Whole(e, b)) if d == e && *d != DType::Bool => {
            let c = match x.get(2) {
                None => None,
                Some(Value::Whole(f, c)) if f == d => Some(c),
                Some(other) => return Err(OpError::Type { operand: 2, dtype: other.dtype() }),
            };
            if op.alpha != 1.0 || op.beta != 1.0 {
                return Err(OpError::Unsupported("Gemm of integers with alpha or beta".to_string()));
            }
            let result = affine(op, a, b, c, |row, column, c| {
                let product = whole_dot(row, column, *d);
                let c = c.unwrap_or(Whole::known(0));
                super::whole::combine(product, c, |p, c| wrap(p.wrapping_add(c), *d))
            })?;
            Ok(Value::Whole(*d, result))
        }
        (_, b) => Err(OpError::Type { operand: 1, dtype: b.dtype() }),
    }
}

fn affine<T: Copy>(
    op: &Gemm,
    a: &Array<T>,
    b: &Array<T>,
    c: Option<&Array<T>>,
    element: impl Fn(&[T], &[T], Option<T>) -> T,
) -> Result<Array<T>, OpError> {
    let (&[a0, a1], &[b0, b1]) = (&a.shape[..], &b.shape[..]) else {
        return Err(shape(format!("Gemm of shapes {:?} and {:?}, matrices are needed", a.shape, b.shape)));
    };
    let (m, k) = if op.transA { (a1, a0) } else { (a0, a1) };
    let (inner, n) = if op.transB { (b1, b0) } else { (b0, b1) };
    if inner != k {
        return Err(shape(format!("Gemm of inner extents {k} and {inner}")));
    }
    let dims = vec![m, n];
    elements(&dims)?;
    let rows = if op.transA { transposed(a) } else { Cow::Borrowed(&a.data[..]) };
    let columns = if op.transB { Cow::Borrowed(&b.data[..]) } else { transposed(b) };
    let c = c.map(|c| expand(c, &dims)).transpose()?;
    let mut data = Vec::with_capacity(m * n);
    for i in 0..m {
        let row = &rows[i * k..][..k];
        for j in 0..n {
            data.push(element(row, &columns[j * k..][..k], c.as_ref().map(|c| c[i * n + j])));
        }
    }
    Ok(Array { shape: dims, data })
}

fn transposed<T: Copy>(a: &Array<T>) -> Cow<'_, [T]> {
    let steps = strides(&a.shape);
    Cow::Owned(copy(&a.data, 0, &[a.shape[1], a.shape[0]], &[steps[1], steps[0]]))
}
