//! Concat and Split.

use super::super::graph::{Builder, Item};
use halfproof_ir::ops::{Concat, Split};
use halfproof_ir::{DType, ValueId};

pub(super) fn concat(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.float(|i| i.rank() >= 1)?;
    let axis = b.dna.below(x.rank());
    let mut operands: Vec<ValueId> = vec![x.id];
    let (mut shape, mut span) = (x.shape.clone(), x.span);
    for _ in 0..*b.dna.pick(&[1, 1, 2, 3]) {
        let fits =
            |i: &Item| i.rank() == x.rank() && (0..x.rank()).all(|k| k == axis || i.shape[k] == x.shape[k]);
        let computed = if b.dna.chance(2, 3) { b.float(fits) } else { None };
        let (id, extent, y_span) = match computed {
            Some(i) => (i.id, i.shape[axis], i.span),
            None => {
                let mut s = x.shape.clone();
                s[axis] = b.dna.between(1, 3);
                let (id, y_span) = b.weights(&s, 1.0);
                (id, s[axis], y_span)
            }
        };
        operands.push(id);
        shape[axis] += extent;
        span = span.hull(y_span);
    }
    let axis = if b.dna.chance(1, 2) { axis as i64 - x.rank() as i64 } else { axis as i64 };
    b.emit(Concat { axis }, &operands, DType::F32, shape, span)
}

pub(super) fn split(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.float(|i| i.shape.iter().any(|&d| d >= 2))?;
    let axes: Vec<usize> = (0..x.rank()).filter(|&i| x.shape[i] >= 2).collect();
    let axis = *b.dna.pick(&axes);
    let extent = x.shape[axis];
    let parts = b.dna.between(2, extent.min(4));
    let mut inputs = vec![Some(x.id)];
    let (num_outputs, sizes): (Option<i64>, Vec<usize>) =
        if extent.is_multiple_of(parts) && b.dna.chance(1, 2) {
            (Some(parts as i64), vec![extent / parts; parts])
        } else {
            let mut sizes = vec![1; parts];
            for _ in parts..extent {
                sizes[b.dna.below(parts)] += 1;
            }
            inputs.push(Some(b.ints(sizes.iter().map(|&s| s as i64).collect::<Vec<_>>())));
            (None, sizes)
        };
    let results = sizes
        .into_iter()
        .map(|size| {
            let mut shape = x.shape.clone();
            shape[axis] = size;
            Some((DType::F32, shape, x.span))
        })
        .collect();
    b.emit_many(Split { axis: axis as i64, num_outputs }, inputs, results).map(|mut items| items.remove(0))
}
