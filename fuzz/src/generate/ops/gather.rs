//! OneHot of computed indices. Gather with constant or computed indices, and from constant tables (embeddings).

use super::super::graph::{Builder, Item, Span};
use halfproof_ir::ops::{ArgMax, Gather, OneHot};
use halfproof_ir::{DType, Data, Tensor};

pub(super) fn gather(b: &mut Builder<'_>) -> Option<Item> {
    if b.dna.chance(1, 4)
        && let Some(index) = b.any(|i| i.dtype == DType::I64 && i.rank() <= 3 && i.span.low >= 0.0)
    {
        // An embedding table indexed by a computed tensor (an ArgMax).
        let rows = index.span.high as usize + 1;
        let (table, span) = b.weights(&[rows, 3], 1.0);
        let shape = [index.shape.as_slice(), &[3]].concat();
        return b.emit(Gather { axis: 0 }, &[table, index.id], DType::F32, shape, span);
    }
    let x = b.float(|i| i.rank() >= 1)?;
    let axis = b.dna.below(x.rank());
    let extent = x.shape[axis];
    let shape: Vec<usize> = match b.dna.below(4) {
        0 => vec![],
        1 => vec![2, 2],
        _ => vec![b.dna.between(1, 4)],
    };
    let list: Vec<i64> = (0..shape.iter().product::<usize>())
        .map(|_| {
            let i = b.dna.below(extent) as i64;
            if b.dna.chance(1, 4) { i - extent as i64 } else { i }
        })
        .collect();
    let indices = if b.dna.chance(1, 3) {
        Tensor::new(shape.clone(), Data::I32(list.iter().map(|&i| i as i32).collect()))
    } else {
        Tensor::i64(shape.clone(), list)
    };
    let indices = b.constant(indices);
    let out = [&x.shape[..axis], shape.as_slice(), &x.shape[axis + 1..]].concat();
    b.emit(Gather { axis: axis as i64 }, &[x.id, indices], DType::F32, out, x.span)
}

/// The checker of the `onnx` package takes no scalar for the indices.
pub(super) fn one_hot(b: &mut Builder<'_>) -> Option<Item> {
    let computed = b.any(|i| matches!(i.dtype, DType::I64 | DType::I32) && (1..=4).contains(&i.rank()));
    let indices = match computed {
        Some(i) => i,
        None => {
            let x = b.float(|i| (2..=5).contains(&i.rank()))?;
            let mut shape = x.shape.clone();
            let n = shape.remove(0);
            let span = Span::new(0.0, n as f64 - 1.0);
            b.emit(
                ArgMax { axis: 0, keepdims: false, select_last_index: false },
                &[x.id],
                DType::I64,
                shape,
                span,
            )?
        }
    };
    let depth = b.dna.between(1, 6);
    let axis = b.dna.between(0, indices.rank());
    let mut shape = indices.shape.clone();
    shape.insert(axis, depth);
    let given = if b.dna.chance(1, 2) { axis as i64 } else { axis as i64 - shape.len() as i64 };
    let depth = b.constant(Tensor::i64(vec![], vec![depth as i64]));
    let (off, on) = *b.dna.pick(&[(0.0f32, 1.0f32), (0.0, 2.0), (-1.0, 3.0)]);
    let values = b.constant(Tensor::f32([2], vec![off, on]));
    let span = Span::new(off.into(), on.into());
    b.emit(OneHot { axis: given }, &[indices.id, depth, values], DType::F32, shape, span)
}
