//! Operators that change or read shapes. Shape, Size, Range, EyeLike and ConstantOfShape end in a float tensor, as the shape
//! sub-graphs of exporters do.

use super::super::graph::{Builder, Item, Span};
use super::super::shapes::{broadcast, count};
use halfproof_ir::ops::{Cast, ConstantOfShape, EyeLike, Flatten, Reshape, Shape};
use halfproof_ir::{DType, Op, Tensor};
use std::sync::Arc;

pub(super) fn identity(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.any(|_| true)?;
    b.emit(Op::Identity, &[x.id], x.dtype, x.shape, x.span)
}

pub(super) fn reshape(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.float(|_| true)?;
    let mut rest = count(&x.shape);
    let mut shape = vec![];
    let rank = b.dna.between(1, 5);
    for _ in 1..rank {
        let divisors: Vec<usize> = (1..=rest).filter(|d| rest.is_multiple_of(*d)).collect();
        let d = *b.dna.pick(&divisors);
        shape.push(d);
        rest /= d;
    }
    shape.push(rest);
    let mut target: Vec<i64> = shape.iter().map(|&d| d as i64).collect();
    match b.dna.below(3) {
        0 => {
            let at = b.dna.below(target.len());
            target[at] = -1;
        }
        // A zero copies the extent of the same input axis.
        1 => {
            if let Some(at) = (0..shape.len().min(x.rank())).find(|&i| shape[i] == x.shape[i]) {
                target[at] = 0;
            }
        }
        _ => {}
    }
    let target = b.ints(target);
    b.emit(Reshape::default(), &[x.id, target], DType::F32, shape, x.span)
}

pub(super) fn flatten(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.float(|_| true)?;
    let axis = if b.dna.chance(1, 2) { 1.min(x.rank()) } else { b.dna.between(0, x.rank()) };
    let shape = vec![count(&x.shape[..axis]), count(&x.shape[axis..])];
    b.emit(Flatten { axis: axis as i64 }, &[x.id], DType::F32, shape, x.span)
}

pub(super) fn squeeze(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.float(|i| i.shape.contains(&1))?;
    let ones: Vec<usize> = (0..x.rank()).filter(|&i| x.shape[i] == 1).collect();
    let mut inputs = vec![x.id];
    let gone: Vec<usize> = if b.dna.chance(1, 4) {
        ones
    } else {
        let at = *b.dna.pick(&ones);
        let axis = if b.dna.chance(1, 2) { at as i64 - x.rank() as i64 } else { at as i64 };
        inputs.push(b.ints([axis]));
        vec![at]
    };
    let shape = (0..x.rank()).filter(|i| !gone.contains(i)).map(|i| x.shape[i]).collect();
    b.emit(Op::Squeeze, &inputs, DType::F32, shape, x.span)
}

pub(super) fn unsqueeze(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.float(|i| i.rank() <= 4)?;
    let at = b.dna.between(0, x.rank());
    let mut shape = x.shape.clone();
    shape.insert(at, 1);
    let axis = if b.dna.chance(1, 2) { at as i64 - shape.len() as i64 } else { at as i64 };
    let axes = b.ints([axis]);
    b.emit(Op::Unsqueeze, &[x.id, axes], DType::F32, shape, x.span)
}

pub(super) fn expand(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.float(|i| i.rank() <= 4)?;
    let mut target: Vec<usize> =
        x.shape.iter().map(|&d| if d == 1 { b.dna.between(1, 4) } else { d }).collect();
    if b.dna.chance(1, 3) {
        target.insert(0, b.dna.between(1, 3));
    }
    // A 1 in the target keeps the input's extent.
    let asked: Vec<i64> = target.iter().map(|&d| if b.dna.chance(1, 5) { 1 } else { d as i64 }).collect();
    let asked_shape: Vec<usize> = asked.iter().map(|&d| d as usize).collect();
    let shape = broadcast(&x.shape, &asked_shape)?;
    let asked = b.ints(asked);
    b.emit(Op::Expand, &[x.id, asked], DType::F32, shape, x.span)
}

pub(super) fn tile(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.float(|i| i.rank() >= 1)?;
    let repeats: Vec<usize> = x.shape.iter().map(|_| *b.dna.pick(&[1, 1, 2, 3])).collect();
    let shape = x.shape.iter().zip(&repeats).map(|(&d, &r)| d * r).collect();
    let repeats = b.ints(repeats.iter().map(|&r| r as i64).collect::<Vec<_>>());
    b.emit(Op::Tile, &[x.id, repeats], DType::F32, shape, x.span)
}

pub(super) fn shape(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.float(|i| i.rank() >= 1)?;
    let start = b.dna.below(x.rank());
    let end = if b.dna.chance(1, 2) { None } else { Some(b.dna.between(start + 1, x.rank()) as i64) };
    let n = end.map_or(x.rank(), |e| e as usize) - start;
    let span = Span::new(0.0, 64.0);
    let s = b.emit(Shape { start: start as i64, end }, &[x.id], DType::I64, vec![n], span)?;
    b.emit(Cast { to: DType::F32, saturate: true }, &[s.id], DType::F32, s.shape, span)
}

pub(super) fn size(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.float(|_| true)?;
    let span = Span::new(0.0, count(&x.shape) as f64);
    let s = b.emit(Op::Size, &[x.id], DType::I64, vec![], span)?;
    b.emit(Cast { to: DType::F32, saturate: true }, &[s.id], DType::F32, vec![], span)
}

pub(super) fn constant_of_shape(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.float(|i| i.rank() >= 1 && i.span.radius() < 1e4)?;
    let target = b.ints(x.shape.iter().map(|&d| d as i64).collect::<Vec<_>>());
    let fill = *b.dna.pick(&[1.0f32, -0.5, 2.0]);
    let value = Some(Arc::new(Tensor::f32([1], vec![fill])));
    let c = b.emit(
        ConstantOfShape { value },
        &[target],
        DType::F32,
        x.shape.clone(),
        Span::around_zero(fill.abs().into()),
    )?;
    b.emit(Op::Add, &[x.id, c.id], DType::F32, x.shape, Span::around_zero(x.span.radius() + 2.0))
}

pub(super) fn range(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.float(|i| i.rank() >= 1 && i.span.radius() < 1e4)?;
    let n = *x.shape.last()?;
    let (start, limit, delta) = (b.scalar(0.0), b.scalar(n as f32), b.scalar(1.0));
    let r = b.emit(Op::Range, &[start, limit, delta], DType::F32, vec![n], Span::new(0.0, n as f64))?;
    b.emit(Op::Add, &[x.id, r.id], DType::F32, x.shape, Span::around_zero(x.span.radius() + n as f64))
}

pub(super) fn eye_like(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.float(|i| i.rank() == 2 && i.span.radius() < 1e4)?;
    let k = *b.dna.pick(&[0, 1, -1, 2]);
    let dtype = b.dna.chance(1, 2).then_some(DType::F32);
    let eye = b.emit(EyeLike { dtype, k }, &[x.id], DType::F32, x.shape.clone(), Span::new(0.0, 1.0))?;
    b.emit(Op::Add, &[x.id, eye.id], DType::F32, x.shape, Span::around_zero(x.span.radius() + 1.0))
}
