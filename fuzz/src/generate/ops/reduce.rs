//! Reductions over random axes, and arg-reductions.

use super::super::graph::{Builder, Item, Span};
use super::super::shapes::count;
use halfproof_ir::ops::{
    ArgMax, ArgMin, CumSum, ReduceL1, ReduceL2, ReduceLogSum, ReduceLogSumExp, ReduceMax, ReduceMean,
    ReduceMin, ReduceProd, ReduceSum, ReduceSumSquare, TopK,
};
use halfproof_ir::{DType, Op, Tensor};

/// Draws axes (absent for all) and keepdims, and emits; `image` gets the span and the number of elements reduced.
fn over(
    b: &mut Builder<'_>,
    x: Item,
    make: impl Fn(bool) -> Op,
    image: impl Fn(Span, f64) -> Span,
) -> Option<Item> {
    let keepdims = b.dna.chance(1, 2);
    let rank = x.rank();
    let axes: Option<Vec<usize>> = match b.dna.below(4) {
        0 => None,
        1 if rank >= 1 => Some(vec![rank - 1]),
        2 if rank >= 3 => Some((2..rank).collect()),
        _ if rank >= 1 => {
            Some((0..rank).filter(|_| b.dna.chance(1, 2)).collect::<Vec<_>>()).filter(|a| !a.is_empty())
        }
        _ => None,
    };
    let gone = |i: usize| axes.as_ref().is_none_or(|a| a.contains(&i));
    let n = count(&(0..rank).filter(|&i| gone(i)).map(|i| x.shape[i]).collect::<Vec<_>>());
    let shape =
        (0..rank).filter_map(|i| if !gone(i) { Some(x.shape[i]) } else { keepdims.then_some(1) }).collect();
    let mut inputs = vec![x.id];
    if let Some(axes) = axes {
        let negative = b.dna.chance(1, 2);
        let list: Vec<i64> =
            axes.iter().map(|&a| if negative { a as i64 - rank as i64 } else { a as i64 }).collect();
        inputs.push(b.ints(list));
    }
    b.emit(make(keepdims), &inputs, DType::F32, shape, image(x.span, n as f64))
}

fn small(b: &mut Builder<'_>) -> Option<Item> {
    b.float(|i| i.span.radius() < 2e3)
}

pub(super) fn sum(b: &mut Builder<'_>) -> Option<Item> {
    let x = small(b)?;
    let make = |keepdims| ReduceSum { keepdims, noop_with_empty_axes: false }.into();
    over(b, x, make, |s, n| s.map(|v| v * n.sqrt()))
}

pub(super) fn mean(b: &mut Builder<'_>) -> Option<Item> {
    let x = small(b)?;
    over(b, x, |keepdims| ReduceMean { keepdims, noop_with_empty_axes: false }.into(), |s, _| s)
}

pub(super) fn max(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.float(|_| true)?;
    over(b, x, |keepdims| ReduceMax { keepdims, noop_with_empty_axes: false }.into(), |s, _| s)
}

pub(super) fn min(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.float(|_| true)?;
    over(b, x, |keepdims| ReduceMin { keepdims, noop_with_empty_axes: false }.into(), |s, _| s)
}

pub(super) fn prod(b: &mut Builder<'_>) -> Option<Item> {
    // Products of many elements vanish or explode; those below stay in range.
    let x = b.float(|i| i.span.radius() <= 1.5 || (i.span.radius() < 6.0 && count(&i.shape) <= 8))?;
    let make = |keepdims| ReduceProd { keepdims, noop_with_empty_axes: false }.into();
    over(b, x, make, |s, n| Span::around_zero(s.radius().max(1.0).powf(n.min(12.0))))
}

pub(super) fn l1(b: &mut Builder<'_>) -> Option<Item> {
    let x = small(b)?;
    let make = |keepdims| ReduceL1 { keepdims, noop_with_empty_axes: false }.into();
    over(b, x, make, |s, n| Span::new(0.0, s.radius() * n))
}

pub(super) fn l2(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.float(|i| i.span.radius() < 100.0)?;
    let make = |keepdims| ReduceL2 { keepdims, noop_with_empty_axes: false }.into();
    over(b, x, make, |s, n| Span::new(0.0, s.radius() * n.sqrt()))
}

pub(super) fn sum_square(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.float(|i| i.span.radius() < 100.0)?;
    let make = |keepdims| ReduceSumSquare { keepdims, noop_with_empty_axes: false }.into();
    over(b, x, make, |s, n| Span::new(0.0, s.radius() * s.radius() * n))
}

pub(super) fn log_sum(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.positive()?;
    let make = |keepdims| ReduceLogSum { keepdims, noop_with_empty_axes: false }.into();
    over(b, x, make, |s, n| Span::new(s.low.ln(), (s.high * n).ln()))
}

pub(super) fn log_sum_exp(b: &mut Builder<'_>) -> Option<Item> {
    let x = small(b)?;
    let make = |keepdims| ReduceLogSumExp { keepdims, noop_with_empty_axes: false }.into();
    over(b, x, make, |s, n| Span::new(s.low, s.high + n.ln()))
}

fn arg(b: &mut Builder<'_>, make: impl Fn(i64, bool, bool) -> Op) -> Option<Item> {
    let x = b.float(|i| i.rank() >= 1)?;
    let axis = b.dna.below(x.rank());
    let keepdims = b.dna.chance(1, 2);
    let last = b.dna.chance(1, 6);
    let mut shape = x.shape.clone();
    let extent = shape[axis];
    if keepdims {
        shape[axis] = 1;
    } else {
        shape.remove(axis);
    }
    let span = Span::new(0.0, extent as f64 - 1.0);
    b.emit(make(axis as i64, keepdims, last), &[x.id], DType::I64, shape, span)
}

pub(super) fn arg_max(b: &mut Builder<'_>) -> Option<Item> {
    arg(b, |axis, keepdims, select_last_index| ArgMax { axis, keepdims, select_last_index }.into())
}

pub(super) fn arg_min(b: &mut Builder<'_>) -> Option<Item> {
    arg(b, |axis, keepdims, select_last_index| ArgMin { axis, keepdims, select_last_index }.into())
}

pub(super) fn cum_sum(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.float(|i| i.rank() >= 1 && i.span.radius() < 1e3)?;
    let axis = b.dna.below(x.rank());
    let n = x.shape[axis] as f64;
    let at = if b.dna.chance(1, 2) { axis as i64 } else { axis as i64 - x.rank() as i64 };
    let at = b.constant(Tensor::i64(vec![], vec![at]));
    let op = CumSum { exclusive: b.dna.chance(1, 3), reverse: b.dna.chance(1, 3) };
    b.emit(op, &[x.id, at], DType::F32, x.shape, x.span.map(|v| v * n.sqrt()).hull(Span::new(0.0, 0.0)))
}

pub(super) fn top_k(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.float(|i| i.rank() >= 1)?;
    let axis = if b.dna.chance(2, 3) { x.rank() - 1 } else { b.dna.below(x.rank()) };
    let extent = x.shape[axis];
    let k = b.dna.between(1, extent);
    let mut shape = x.shape.clone();
    shape[axis] = k;
    let count = b.ints([k as i64]);
    let op = TopK { axis: axis as i64, largest: b.dna.chance(2, 3), sorted: true };
    // Both results are required, by the schema of the operator. What nobody reads becomes an output, which the judge then sees.
    let index = (DType::I64, shape.clone(), Span::new(0.0, extent as f64 - 1.0));
    let results = vec![Some((DType::F32, shape, x.span)), Some(index)];
    b.emit_many(op, vec![Some(x.id), Some(count)], results).map(|mut items| items.remove(0))
}
