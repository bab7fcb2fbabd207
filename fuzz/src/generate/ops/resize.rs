//! Resize of the spatial axes of [N, C, H, W], by scales or sizes.

use super::super::graph::{Builder, Item};
use halfproof_ir::ops::{CoordinateMode, NearestMode, Resize, ResizeMode};
use halfproof_ir::{DType, Tensor};

pub(super) fn resize(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.float(|i| i.rank() == 4 && i.span.radius() < 1e4)?;
    let mode = *b.dna.pick(&[ResizeMode::Nearest, ResizeMode::Linear, ResizeMode::Linear, ResizeMode::Cubic]);
    let coordinate_transformation_mode = *b.dna.pick(&[
        CoordinateMode::HalfPixel,
        CoordinateMode::Asymmetric,
        CoordinateMode::AlignCorners,
        CoordinateMode::PytorchHalfPixel,
    ]);
    let nearest_mode = *b.dna.pick(NearestMode::ALL);
    let op = Resize { mode, coordinate_transformation_mode, nearest_mode, ..Resize::default() };
    let mut shape = x.shape.clone();
    let inputs = if b.dna.chance(1, 2) {
        let mut scales = vec![1.0f32, 1.0];
        for axis in 2..4 {
            let s = *b.dna.pick(&[2.0f32, 1.0, 0.5, 1.5, 3.0]);
            let extent = (f64::from(s) * x.shape[axis] as f64).floor() as usize;
            let (s, extent) = if extent == 0 { (1.0, x.shape[axis]) } else { (s, extent) };
            scales.push(s);
            shape[axis] = extent;
        }
        let scales = b.constant(Tensor::f32([4], scales));
        vec![Some(x.id), None, Some(scales)]
    } else {
        for axis in 2..4 {
            shape[axis] = match b.dna.below(3) {
                0 => x.shape[axis] * 2,
                1 => b.dna.between(1, 9),
                _ => x.shape[axis],
            };
        }
        let sizes = b.ints(shape.iter().map(|&d| d as i64).collect::<Vec<_>>());
        vec![Some(x.id), None, None, Some(sizes)]
    };
    // Cubic weights are negative in places: the image may leave the span by a quarter.
    let span = if mode == ResizeMode::Cubic {
        super::super::graph::Span::around_zero(x.span.radius() * 2.0)
    } else {
        x.span
    };
    b.emit_optional(op, inputs, DType::F32, shape, span)
}
