//! DFT of real and complex signals, and windows that a signal is multiplied by.

use super::super::graph::{Builder, Item, Span};
use halfproof_ir::ops::{BlackmanWindow, DFT, HammingWindow, HannWindow};
use halfproof_ir::{DType, Op, Tensor};

pub(super) fn dft(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.float(|i| i.rank() >= 2 && i.span.radius() < 500.0)?;
    let (signal, mut shape) = match x.shape.last() {
        Some(1 | 2) => (x.id, x.shape.clone()),
        _ if x.rank() < 6 => {
            // A real signal: a last axis of one part.
            let axes = b.ints([-1]);
            let shape = [x.shape.clone(), vec![1]].concat();
            (b.emit(Op::Unsqueeze, &[x.id, axes], DType::F32, shape.clone(), x.span)?.id, shape)
        }
        _ => return None,
    };
    let rank = shape.len();
    let at = b.dna.below(rank - 1);
    let n = shape[at];
    let parts = shape[rank - 1];
    let length = if b.dna.chance(1, 3) { Some(b.dna.between(1, n + 2)) } else { None };
    let onesided = parts == 1 && b.dna.chance(1, 2);
    let inverse = !onesided && b.dna.chance(1, 3);
    let seen = length.unwrap_or(n);
    shape[at] = if onesided { seen / 2 + 1 } else { seen };
    shape[rank - 1] = 2;
    let mut inputs = vec![Some(signal), length.map(|l| b.constant(Tensor::i64(vec![], vec![l as i64])))];
    if at + 2 != rank || b.dna.chance(1, 2) {
        inputs.push(Some(b.constant(Tensor::i64(vec![], vec![at as i64]))));
    } else if inputs[1].is_none() {
        inputs.pop();
    }
    let span = Span::around_zero(x.span.radius() * (n as f64).sqrt() * 2.0);
    b.emit_optional(DFT { inverse, onesided }, inputs, DType::F32, shape, span)
}

fn window(b: &mut Builder<'_>, make: impl Fn(bool) -> Op) -> Option<Item> {
    let x = b.float(|i| i.shape.last().is_some_and(|&d| d >= 2))?;
    let n = x.shape[x.rank() - 1];
    let size = b.constant(Tensor::i64(vec![], vec![n as i64]));
    let periodic = b.dna.chance(1, 2);
    let w = b.emit(make(periodic), &[size], DType::F32, vec![n], Span::new(0.0, 1.0))?;
    b.emit(Op::Mul, &[x.id, w.id], DType::F32, x.shape, x.span.hull(Span::new(0.0, 0.0)))
}

pub(super) fn hann(b: &mut Builder<'_>) -> Option<Item> {
    window(b, |periodic| HannWindow { output_datatype: DType::F32, periodic }.into())
}

pub(super) fn hamming(b: &mut Builder<'_>) -> Option<Item> {
    window(b, |periodic| HammingWindow { output_datatype: DType::F32, periodic }.into())
}

pub(super) fn blackman(b: &mut Builder<'_>) -> Option<Item> {
    window(b, |periodic| BlackmanWindow { output_datatype: DType::F32, periodic }.into())
}
