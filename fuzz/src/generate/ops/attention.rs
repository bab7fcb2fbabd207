//! Attention over tensors of three and four axes, with and without shared heads, masks and caches; RotaryEmbedding.

use super::super::graph::{Builder, Item, Span};
use super::super::shapes::count;
use halfproof_ir::DType;
use halfproof_ir::ops::{Attention, RotaryEmbedding};

pub(super) fn attention(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.float(|i| matches!(i.rank(), 3 | 4) && i.span.radius() < 30.0 && count(&i.shape) <= 512)?;
    let flat = x.rank() == 3;
    let (batch, heads, queries, size) = if flat {
        let divisors: Vec<usize> = (1..=x.shape[2]).filter(|h| x.shape[2].is_multiple_of(*h)).collect();
        let heads = *b.dna.pick(&divisors);
        (x.shape[0], heads, x.shape[1], x.shape[2] / heads)
    } else {
        (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
    };
    let sharing: Vec<usize> = (1..=heads).filter(|h| heads.is_multiple_of(*h)).collect();
    let kv_heads = *b.dna.pick(&sharing);
    let keys = b.dna.between(1, 5);
    let value_size = *b.dna.pick(&[size, size, 3]);
    let by_head = |b: &mut Builder<'_>, size: usize, length: usize| {
        let shape =
            if flat { vec![batch, length, kv_heads * size] } else { vec![batch, kv_heads, length, size] };
        b.weights(&shape, 1.0)
    };
    let ((k, _), (v, span)) = (by_head(b, size, keys), by_head(b, value_size, keys));
    let past = if b.dna.chance(1, 4) { b.dna.between(1, 3) } else { 0 };
    let total = keys + past;
    let mask = match b.dna.below(4) {
        0 => Some(b.mask(&[queries, total])),
        1 => Some(b.weights(&[batch, 1, queries, total], 1.0).0),
        _ => None,
    };
    let mut inputs = vec![Some(x.id), Some(k), Some(v), mask];
    if past > 0 {
        let cache = |b: &mut Builder<'_>, size: usize| b.weights(&[batch, kv_heads, past, size], 1.0).0;
        let (k, v) = (cache(b, size), cache(b, value_size));
        inputs.extend([Some(k), Some(v)]);
    }
    while inputs.last() == Some(&None) {
        inputs.pop();
    }
    let op = Attention {
        is_causal: b.dna.chance(1, 3),
        kv_num_heads: if flat { kv_heads as i64 } else { 0 },
        q_num_heads: if flat { heads as i64 } else { 0 },
        qk_matmul_output_mode: 0,
        scale: if b.dna.chance(1, 4) { Some(0.25) } else { None },
        softcap: if b.dna.chance(1, 4) { 5.0 } else { 0.0 },
        ..Attention::default()
    };
    let shape =
        if flat { vec![batch, queries, heads * value_size] } else { vec![batch, heads, queries, value_size] };
    b.emit_optional(op, inputs, DType::F32, shape, span.hull(Span::new(0.0, 0.0)))
}

pub(super) fn rotary(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.float(|i| matches!(i.rank(), 3 | 4) && i.span.radius() < 1e3)?;
    let (batch, length, num_heads, size) = if x.rank() == 3 {
        let divisors: Vec<usize> = (1..=x.shape[2]).filter(|h| x.shape[2].is_multiple_of(*h)).collect();
        let heads = *b.dna.pick(&divisors);
        (x.shape[0], x.shape[1], heads as i64, x.shape[2] / heads)
    } else {
        (x.shape[0], x.shape[2], 0, x.shape[3])
    };
    let even = size / 2 * 2;
    if even == 0 {
        return None;
    }
    let turned = if even != size || b.dna.chance(1, 3) { 2 * b.dna.between(1, even / 2) } else { 0 };
    let half = if turned == 0 { size / 2 } else { turned / 2 };
    let mut inputs = vec![x.id];
    if b.dna.chance(1, 2) {
        let rows = length + 2;
        for _ in 0..2 {
            inputs.push(b.weights(&[rows, half], 0.7).0);
        }
        let list: Vec<i64> = (0..batch * length).map(|_| b.dna.below(rows) as i64).collect();
        inputs.push(b.constant(halfproof_ir::Tensor::i64([batch, length], list)));
    } else {
        for _ in 0..2 {
            inputs.push(b.weights(&[batch, length, half], 0.7).0);
        }
    }
    let op =
        RotaryEmbedding { interleaved: b.dna.chance(1, 2), num_heads, rotary_embedding_dim: turned as i64 };
    b.emit(op, &inputs, DType::F32, x.shape, Span::around_zero(x.span.radius() * 4.0))
}
