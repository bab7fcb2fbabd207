//! Reading and writing by tensors of indices: computed ones where an operator only reads by them, constant ones otherwise.

use super::super::graph::{Builder, Item, Span};
use super::super::shapes::count;
use halfproof_ir::ops::{
    Compress, Gather, GatherElements, GatherND, ReverseSequence, ScatterElements, ScatterND, TensorScatter,
};
use halfproof_ir::{DType, Data, Op, Tensor, ValueId};

/// An index below an extent, now and then counted from the end.
fn index(b: &mut Builder<'_>, extent: usize) -> i64 {
    let i = b.dna.below(extent) as i64;
    if b.dna.chance(1, 5) { i - extent as i64 } else { i }
}

pub(super) fn gather_elements(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.float(|i| (1..=5).contains(&i.rank()))?;
    let axis = b.dna.below(x.rank());
    let mut shape: Vec<usize> =
        x.shape.iter().map(|&d| if b.dna.chance(1, 4) { d.div_ceil(2) } else { d }).collect();
    shape[axis] = b.dna.between(1, 4);
    let computed = b.dna.chance(1, 3);
    let rank = shape.len();
    let found = if computed {
        let limit = x.shape.clone();
        b.any(|i| {
            matches!(i.dtype, DType::I64 | DType::I32)
                && i.rank() == rank
                && i.span.low >= 0.0
                && i.span.high < limit[axis] as f64
                && (0..rank).all(|a| a == axis || i.shape[a] <= limit[a])
        })
    } else {
        None
    };
    let (indices, shape) = match found {
        Some(i) => (i.id, i.shape),
        None => {
            let list: Vec<i64> = (0..count(&shape)).map(|_| index(b, x.shape[axis])).collect();
            (b.constant(Tensor::i64(shape.clone(), list)), shape)
        }
    };
    let at = if b.dna.chance(1, 2) { axis as i64 } else { axis as i64 - rank as i64 };
    b.emit(GatherElements { axis: at }, &[x.id, indices], DType::F32, shape, x.span)
}

pub(super) fn gather_nd(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.float(|i| (1..=5).contains(&i.rank()))?;
    let batch = if x.rank() > 1 && b.dna.chance(1, 3) { 1 } else { 0 };
    let width = b.dna.between(1, x.rank() - batch);
    let mut outer = x.shape[..batch].to_vec();
    outer.extend((0..b.dna.between(1, 2)).map(|_| 2));
    let mut list = Vec::new();
    for _ in 0..count(&outer) {
        for axis in 0..width {
            list.push(index(b, x.shape[batch + axis]));
        }
    }
    let indices = b.constant(Tensor::i64([outer.clone(), vec![width]].concat(), list));
    let shape = [outer, x.shape[batch + width..].to_vec()].concat();
    b.emit(GatherND { batch_dims: batch as i64 }, &[x.id, indices], DType::F32, shape, x.span)
}

/// Float updates of a shape: a tensor of the pool that has it, or a constant.
fn updates(b: &mut Builder<'_>, shape: &[usize]) -> (ValueId, Span) {
    if b.dna.chance(1, 2)
        && let Some(i) = b.float(|i| i.shape == shape && i.span.radius() < 1e3)
    {
        return (i.id, i.span);
    }
    b.weights(shape, 1.0)
}

fn reduction(b: &mut Builder<'_>) -> String {
    (*b.dna.pick(&["none", "none", "add", "mul", "max", "min"])).to_string()
}

fn combined(x: Span, u: Span, reduction: &str, times: f64) -> Span {
    match reduction {
        "add" => Span::new(x.low + u.low * times, x.high + u.high * times).hull(x),
        "mul" => Span::around_zero(x.radius() * u.radius().max(1.0).powf(times)),
        _ => x.hull(u),
    }
}

pub(super) fn scatter_elements(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.float(|i| (1..=4).contains(&i.rank()) && i.span.radius() < 1e3)?;
    let axis = b.dna.below(x.rank());
    let reduction = reduction(b);
    let mut shape: Vec<usize> =
        x.shape.iter().map(|&d| if b.dna.chance(1, 4) { d.div_ceil(2) } else { d }).collect();
    shape[axis] = b.dna.between(1, x.shape[axis].min(3));
    let stride: usize = shape[axis + 1..].iter().product();
    let start = b.dna.below(x.shape[axis]);
    // Without a reduction no place may be written twice: neighbouring places, from a random one on.
    let list: Vec<i64> = (0..count(&shape))
        .map(|n| match reduction.as_str() {
            "none" => ((start + n / stride % shape[axis]) % x.shape[axis]) as i64,
            _ => index(b, x.shape[axis]),
        })
        .collect();
    let (u, span) = updates(b, &shape);
    let span = combined(x.span, span, &reduction, shape[axis] as f64);
    let indices = b.constant(Tensor::i64(shape, list));
    let op = ScatterElements { axis: axis as i64, reduction };
    b.emit(op, &[x.id, indices, u], DType::F32, x.shape, span)
}

pub(super) fn scatter_nd(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.float(|i| (1..=4).contains(&i.rank()) && i.span.radius() < 1e3)?;
    let width = b.dna.between(1, x.rank());
    let reduction = reduction(b);
    let rows = count(&x.shape[..width]);
    let n = b.dna.between(1, rows.min(4));
    let start = b.dna.below(rows);
    let mut list = Vec::new();
    for u in 0..n {
        let mut row = if reduction == "none" { (start + u) % rows } else { b.dna.below(rows) };
        let mut tuple = vec![0i64; width];
        for axis in (0..width).rev() {
            tuple[axis] = (row % x.shape[axis]) as i64;
            row /= x.shape[axis];
        }
        list.extend(tuple);
    }
    let shape = [vec![n], x.shape[width..].to_vec()].concat();
    let (u, span) = updates(b, &shape);
    let span = combined(x.span, span, &reduction, n as f64);
    let indices = b.constant(Tensor::i64([n, width], list));
    b.emit(ScatterND { reduction }, &[x.id, indices, u], DType::F32, x.shape, span)
}

pub(super) fn tensor_scatter(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.float(|i| (2..=5).contains(&i.rank()))?;
    let axis = b.dna.between(1, x.rank() - 1);
    let mut shape = x.shape.clone();
    shape[axis] = b.dna.between(1, x.shape[axis]);
    let circular = b.dna.chance(1, 2);
    let room = if circular { x.shape[axis] - 1 } else { x.shape[axis] - shape[axis] };
    let starts: Vec<i64> = (0..x.shape[0]).map(|_| b.dna.between(0, room) as i64).collect();
    let (u, span) = updates(b, &shape);
    let starts = b.ints(starts);
    let mode = if circular { "circular" } else { "linear" }.to_string();
    b.emit(
        TensorScatter { axis: axis as i64, mode },
        &[x.id, u, starts],
        DType::F32,
        x.shape,
        x.span.hull(span),
    )
}

/// A condition with at least one true.
fn condition(b: &mut Builder<'_>, n: usize) -> Vec<bool> {
    let sure = b.dna.below(n);
    (0..n).map(|i| i == sure || b.dna.chance(1, 2)).collect()
}

pub(super) fn compress(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.float(|i| i.rank() >= 1)?;
    let axis = if b.dna.chance(1, 4) { None } else { Some(b.dna.below(x.rank())) };
    let n = axis.map_or(count(&x.shape), |a| x.shape[a]);
    let held = condition(b, n);
    let kept = held.iter().filter(|&&k| k).count();
    let shape = match axis {
        None => vec![kept],
        Some(a) => x.shape.iter().enumerate().map(|(i, &d)| if i == a { kept } else { d }).collect(),
    };
    let held = b.constant(Tensor::new(vec![n], Data::Bool(held)));
    b.emit(Compress { axis: axis.map(|a| a as i64) }, &[x.id, held], DType::F32, shape, x.span)
}

/// Where a constant is not zero, and the slices there.
pub(super) fn non_zero(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.float(|i| i.rank() >= 1)?;
    let held = condition(b, x.shape[0]);
    let kept = held.iter().filter(|&&k| k).count();
    let held = b.constant(Tensor::new(vec![x.shape[0]], Data::Bool(held)));
    let span = Span::new(0.0, x.shape[0] as f64 - 1.0);
    let places = b.emit(Op::NonZero, &[held], DType::I64, vec![1, kept], span)?;
    let axes = b.ints([0]);
    let places = b.emit(Op::Squeeze, &[places.id, axes], DType::I64, vec![kept], span)?;
    let shape = [vec![kept], x.shape[1..].to_vec()].concat();
    b.emit(Gather { axis: 0 }, &[x.id, places.id], DType::F32, shape, x.span)
}

pub(super) fn reverse_sequence(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.float(|i| i.rank() >= 2)?;
    let time = b.dna.below(2);
    let batch = 1 - time;
    let steps = x.shape[time];
    let (extent, most) = (x.shape[batch], steps as f64);
    let computed =
        b.any(|i| i.dtype == DType::I64 && i.shape == [extent] && i.span.low >= 0.0 && i.span.high <= most);
    let lengths = match computed {
        Some(i) if b.dna.chance(1, 2) => i.id,
        _ => {
            let list: Vec<i64> = (0..extent).map(|_| b.dna.between(1, steps) as i64).collect();
            b.ints(list)
        }
    };
    let op = ReverseSequence { batch_axis: batch as i64, time_axis: time as i64 };
    b.emit(op, &[x.id, lengths], DType::F32, x.shape, x.span)
}
