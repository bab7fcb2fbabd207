//! Gather with constant or computed indices, and from constant tables (embeddings).

use super::super::graph::{Builder, Item};
use halfproof_ir::ops::Gather;
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
