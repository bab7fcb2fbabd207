//! Folds matrix products of floats, in f64.

use super::{MOST_PRODUCTS, strided::View};
use crate::infer::Type;
use halfproof_ir::ops::Gemm;
use halfproof_ir::{Data, Tensor};

/// numpy.matmul.
pub(super) fn matmul(a: &Tensor, b: &Tensor, result: &Type) -> Option<Data> {
    let a_shape = if a.shape.len() == 1 { vec![1, a.shape[0]] } else { a.shape.clone() };
    let b_shape = if b.shape.len() == 1 { vec![b.shape[0], 1] } else { b.shape.clone() };
    let (a_batch, a_matrix) = a_shape.split_at(a_shape.len() - 2);
    let (b_batch, b_matrix) = b_shape.split_at(b_shape.len() - 2);
    let (m, k, n) = (a_matrix[0], a_matrix[1], b_matrix[1]);
    if result.len().checked_mul(k)? > MOST_PRODUCTS {
        return None;
    }
    let batch = &result.shape[..a_batch.len().max(b_batch.len())];
    // Which matrix of each operand belongs to each matrix of the result.
    let pick = |own: &[usize]| {
        let all: Vec<usize> = (0..own.iter().product()).collect();
        View::broadcast(own, batch).read(&all)
    };
    let (a, b) = (a.floats()?, b.floats()?);
    let mut out = Vec::with_capacity(result.len());
    for (i, j) in pick(a_batch).into_iter().zip(pick(b_batch)) {
        product(&a[i * m * k..(i + 1) * m * k], &b[j * k * n..(j + 1) * k * n], (m, k, n), &mut out);
    }
    Some(Data::F64(out))
}

/// Appends the product of an m × k and a k × n matrix.
fn product(a: &[f64], b: &[f64], (m, k, n): (usize, usize, usize), out: &mut Vec<f64>) {
    for i in 0..m {
        let start = out.len();
        out.resize(start + n, 0.0);
        let row = &mut out[start..];
        for l in 0..k {
            let x = a[i * k + l];
            for (y, &w) in row.iter_mut().zip(&b[l * n..(l + 1) * n]) {
                *y += x * w;
            }
        }
    }
}

/// `alpha * A * B + beta * C`, A and B possibly transposed, C broadcast.
pub(super) fn gemm(op: &Gemm, a: &Tensor, b: &Tensor, c: Option<&Tensor>, result: &Type) -> Option<Data> {
    let &[m, n] = &result.shape[..] else { return None };
    let k = *if op.transA { a.shape.first() } else { a.shape.last() }?;
    if result.len().checked_mul(k)? > MOST_PRODUCTS {
        return None;
    }
    let read = |t: &Tensor, transposed: bool| {
        let floats = t.floats()?;
        Some(if transposed { View::transpose(&t.shape, &[1, 0]).read(&floats) } else { floats })
    };
    let mut out = Vec::with_capacity(m * n);
    product(&read(a, op.transA)?, &read(b, op.transB)?, (m, k, n), &mut out);
    let alpha = f64::from(op.alpha);
    out.iter_mut().for_each(|y| *y *= alpha);
    if let Some(c) = c {
        let beta = f64::from(op.beta);
        let c = View::broadcast(&c.shape, &result.shape).read(&c.floats()?);
        out.iter_mut().zip(c).for_each(|(y, c)| *y += beta * c);
    }
    Some(Data::F64(out))
}
