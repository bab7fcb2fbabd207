//! MatMul (vectors, matrices, batches, broadcast batches) and Gemm.

use super::super::graph::{Builder, Item};
use super::super::shapes::broadcast;
use super::conv::mixed;
use halfproof_ir::ops::Gemm;
use halfproof_ir::{DType, Op};

pub(super) fn matmul(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.float(|i| (1..=5).contains(&i.rank()) && i.span.radius() < 2e3)?;
    let k = *x.shape.last()?;
    if b.dna.chance(1, 3) {
        // Another computed tensor as the right operand, as attention does.
        let fits = |i: &Item| {
            i.rank() >= 2
                && i.rank() <= 5
                && x.rank() >= 2
                && i.shape[i.rank() - 2] == k
                && broadcast(&i.shape[..i.rank() - 2], &x.shape[..x.rank() - 2]).is_some()
                && i.span.radius() < 2e3
        };
        if let Some(y) = b.float(fits) {
            let mut shape = broadcast(&y.shape[..y.rank() - 2], &x.shape[..x.rank() - 2])?;
            shape.extend([x.shape[x.rank() - 2], y.shape[y.rank() - 1]]);
            let span =
                super::super::graph::Span::around_zero(x.span.radius() * y.span.radius() * (k as f64).sqrt());
            return b.emit(Op::MatMul, &[x.id, y.id], DType::F32, shape, span);
        }
    }
    let n = *b.dna.pick(&[4, 3, 1, 8, 2, 5]);
    let scale = 1.0 / (k as f64).sqrt();
    let mut lead = x.shape[..x.rank() - 1].to_vec();
    match b.dna.below(6) {
        // A vector on the right.
        0 => {
            let (w, _) = b.weights(&[k], scale);
            b.emit(Op::MatMul, &[x.id, w], DType::F32, lead, mixed(x.span))
        }
        // A batch of matrices on the right, broadcast against the left one.
        1 if x.rank() >= 3 => {
            let batch: Vec<usize> =
                x.shape[..x.rank() - 2].iter().map(|&d| if b.dna.chance(1, 2) { 1 } else { d }).collect();
            let (w, _) = b.weights(&[batch.as_slice(), &[k, n]].concat(), scale);
            lead.push(n);
            b.emit(Op::MatMul, &[x.id, w], DType::F32, lead, mixed(x.span))
        }
        // A constant on the left.
        2 if x.rank() >= 2 => {
            let rows = x.shape[x.rank() - 2];
            let (w, _) = b.weights(&[n, rows], 1.0 / (rows as f64).sqrt());
            let mut shape = x.shape[..x.rank() - 2].to_vec();
            shape.extend([n, k]);
            b.emit(Op::MatMul, &[w, x.id], DType::F32, shape, mixed(x.span))
        }
        _ => {
            let (w, _) = b.weights(&[k, n], scale);
            lead.push(n);
            b.emit(Op::MatMul, &[x.id, w], DType::F32, lead, mixed(x.span))
        }
    }
}

pub(super) fn gemm(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.float(|i| i.rank() == 2 && i.span.radius() < 2e3)?;
    let (trans_a, trans_b) = (b.dna.chance(1, 4), b.dna.chance(1, 2));
    let (m, k) = if trans_a { (x.shape[1], x.shape[0]) } else { (x.shape[0], x.shape[1]) };
    let n = *b.dna.pick(&[4, 3, 1, 8, 2, 5]);
    let w_shape = if trans_b { [n, k] } else { [k, n] };
    let (w, _) = b.weights(&w_shape, 1.0 / (k as f64).sqrt());
    let mut inputs = vec![x.id, w];
    match b.dna.below(5) {
        0 => {}
        1 => inputs.push(b.weights(&[m, n], 0.5).0),
        2 => inputs.push(b.weights(&[m, 1], 0.5).0),
        3 => inputs.push(b.weights(&[], 0.5).0),
        _ => inputs.push(b.weights(&[n], 0.5).0),
    }
    let (alpha, beta) = *b.dna.pick(&[(1.0, 1.0), (1.0, 1.0), (0.5, 1.0), (1.0, 2.0), (0.75, 0.25)]);
    let op = Gemm { alpha, beta, transA: trans_a, transB: trans_b };
    b.emit(op, &inputs, DType::F32, vec![m, n], mixed(x.span))
}
