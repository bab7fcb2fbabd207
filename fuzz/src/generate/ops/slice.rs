//! Slice with negative bounds, out-of-range bounds and negative steps.

use super::super::graph::{Builder, Item};
use halfproof_ir::{DType, Op};

pub(super) fn slice(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.float(|i| i.rank() >= 1)?;
    let (mut starts, mut ends, mut axes, mut steps) = (vec![], vec![], vec![], vec![]);
    let mut shape = x.shape.clone();
    for axis in 0..x.rank() {
        if !(b.dna.chance(1, 2) || axis + 1 == x.rank() && axes.is_empty()) {
            continue;
        }
        let extent = shape[axis];
        let step: i64 = *b.dna.pick(&[1, 1, 2, -1, 3, -2]);
        let length = b.dna.between(1, extent);
        let first = b.dna.between(0, extent - length);
        // Elements first..first+length, walked by |step| from one end.
        let (mut start, mut end) = if step > 0 {
            (first as i64, (first + length) as i64)
        } else {
            ((first + length) as i64 - 1, first as i64 - 1)
        };
        if end < 0 {
            end = -(extent as i64) - 1;
        } else if end == extent as i64 && b.dna.chance(1, 2) {
            end = i64::MAX;
        } else if end > 0 && end < extent as i64 && b.dna.chance(1, 3) {
            end -= extent as i64;
        }
        if b.dna.chance(1, 3) {
            start -= extent as i64;
        }
        shape[axis] = length.div_ceil(step.unsigned_abs() as usize);
        starts.push(start);
        ends.push(end);
        axes.push(axis as i64);
        steps.push(step);
    }
    let mut inputs = vec![x.id, b.ints(starts), b.ints(ends), b.ints(axes)];
    if steps.iter().any(|&s| s != 1) {
        inputs.push(b.ints(steps));
    }
    b.emit(Op::Slice, &inputs, DType::F32, shape, x.span)
}
