//! GridSample at constant and computed places, and AffineGrid.

use super::super::graph::{Builder, Item, Span};
use super::super::shapes::count;
use halfproof_ir::DType;
use halfproof_ir::ops::{AffineGrid, GridSample};

pub(super) fn grid_sample(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.float(|i| i.rank() == 4 && i.span.radius() < 1e3)?;
    let (mode, padding) = *b.dna.pick(&[
        ("linear", "zeros"),
        ("linear", "border"),
        ("linear", "reflection"),
        ("nearest", "zeros"),
        ("nearest", "border"),
        ("cubic", "zeros"),
    ]);
    let batch = x.shape[0];
    let computed = b.float(|i| i.rank() == 4 && i.shape[0] == batch && i.shape[3] == 2 && i.id != x.id);
    let (grid, places) = match computed {
        Some(i) if b.dna.chance(2, 3) => (i.id, i.shape[1..3].to_vec()),
        _ => {
            let places = vec![b.dna.between(1, 4), b.dna.between(1, 4)];
            (b.weights(&[batch, places[0], places[1], 2], 0.6).0, places)
        }
    };
    let shape = [vec![batch, x.shape[1]], places].concat();
    let op = GridSample {
        align_corners: b.dna.chance(1, 2),
        mode: mode.to_string(),
        padding_mode: padding.to_string(),
    };
    b.emit(op, &[x.id, grid], DType::F32, shape, Span::around_zero(x.span.radius() * 2.0))
}

pub(super) fn affine_grid(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.float(|i| i.rank() == 3 && i.shape[2] == i.shape[1] + 1 && matches!(i.shape[1], 2 | 3));
    let (theta, batch, axes, radius) = match x {
        Some(i) => (i.id, i.shape[0], i.shape[1], i.span.radius()),
        None => {
            let axes = *b.dna.pick(&[2, 2, 3]);
            // A constant theta makes a constant grid: add it to something that is computed.
            let y = b.float(|i| i.rank() == 4 && i.shape[3] == 2 && count(&i.shape) > 0);
            if let Some(y) = y {
                let (theta, span) = b.weights(&[y.shape[0], 2, 3], 0.5);
                let size = b.ints([y.shape[0] as i64, 1, y.shape[1] as i64, y.shape[2] as i64]);
                let op = AffineGrid { align_corners: b.dna.chance(1, 2) };
                let span = Span::around_zero(span.radius() * 3.0);
                let grid = b.emit(op, &[theta, size], DType::F32, y.shape.clone(), span)?;
                let sum = Span::around_zero(span.radius() + y.span.radius());
                return b.emit(halfproof_ir::Op::Add, &[y.id, grid.id], DType::F32, y.shape, sum);
            }
            let (theta, span) = b.weights(&[1, axes, axes + 1], 0.5);
            (theta, 1, axes, span.radius())
        }
    };
    let extents: Vec<usize> = (0..axes).map(|_| b.dna.between(2, 4)).collect();
    let mut size = vec![batch as i64, 1];
    size.extend(extents.iter().map(|&d| d as i64));
    let size = b.ints(size);
    let shape = [vec![batch], extents, vec![axes]].concat();
    let op = AffineGrid { align_corners: b.dna.chance(1, 2) };
    b.emit(op, &[theta, size], DType::F32, shape, Span::around_zero(radius * 3.0))
}
