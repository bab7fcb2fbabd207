//! Sampling at computed places: GridSample and AffineGrid.
//!
//! # Definition
//! GridSample-22: for every place of the grid, X at coordinates given in [-1, 1], the last axis first. -1 and 1 are the centres of the
//! outermost elements (`align_corners`) or their outer edges. `nearest` takes the element at the coordinate rounded to even;
//! `linear` and `cubic` (convolution with a = -0.75) blend 2 and 4 elements along each axis. Outside, `zeros` stands for
//! elements that are not there, `border` for the outermost one, `reflection` for the element at the coordinate mirrored at
//! the outermost centres or edges.
//! AffineGrid-20: the places of a regular grid of that size under the affine maps theta.
//! # Edge cases
//! Cubic with `border` or `reflection`: the specification does not say whether the coordinate or the elements are kept
//! inside, and implementations differ; not computed here. A mirror of extent 0 maps everything to 0.
//! # Numerics
//! Coordinates are rounded step by step. Where rounding could move a coordinate past an integer, nothing is known of
//! the element. One `dot` of elements and weights.

use super::error::{OpError, attribute, shape};
use super::operands::Operands;
use super::strided::{elements, strides};
use crate::arith::{Arith, Function};
use crate::value::{Array, Value};
use halfproof_ir::ops::{AffineGrid, GridSample};

/// The whole number that a rounded coordinate is, and whether it is certain.
fn settled<A: Arith>(arith: &A, f: Function, x: A::E) -> (i64, bool) {
    let whole = arith.truncate(arith.apply(f, x));
    (whole.value, whole.decided)
}

/// GridSample.
pub(super) fn grid_sample<A: Arith>(
    op: &GridSample,
    x: &Operands<A::E>,
    arith: &A,
) -> Result<Value<A::E>, OpError> {
    let (d, a) = x.floats(0)?;
    let (_, grid) = x.floats(1)?;
    let misfit = || shape(format!("a grid of shape {:?} for {:?}", grid.shape, a.shape));
    let &[batch, channels, ref input @ ..] = &a.shape[..] else { return Err(misfit()) };
    let &[grid_batch, ref places @ .., axes] = &grid.shape[..] else { return Err(misfit()) };
    if grid_batch != batch || axes != input.len() || places.len() != axes || input.contains(&0) {
        return Err(misfit());
    }
    let taps = match op.mode.as_str() {
        "nearest" => 1,
        "linear" => 2,
        "cubic" if op.padding_mode == "zeros" => 4,
        "cubic" => return Err(OpError::Unsupported("cubic sampling beyond the border".into())),
        mode => return Err(attribute(format!("mode {mode:?}"))),
    };
    let dims: Vec<usize> = [batch, channels].iter().chain(places).copied().collect();
    let total = elements(&dims)?;
    let (size, count) = (input.iter().product::<usize>(), places.iter().product::<usize>());
    let steps = strides(input);
    let mut data = vec![arith.exact(0.0); total];
    for n in 0..batch {
        for place in 0..count {
            let point = &grid.data[(n * count + place) * axes..][..axes];
            // Along each axis of X: the elements seen (none outside), and their weights.
            let mut seen: Vec<(Option<usize>, A::E)> = vec![(Some(0), arith.exact(1.0))];
            let mut certain = true;
            for axis in 0..axes {
                let coordinate = coordinate(op, point[axes - 1 - axis], input[axis], arith)?;
                let (first, decided, weights) = weights(taps, coordinate, arith);
                certain &= decided;
                let last = input[axis].cast_signed() as i64 - 1;
                let mut wider = Vec::with_capacity(seen.len() * weights.len());
                for &(at, weight) in &seen {
                    for (k, &w) in (0i64..).zip(&weights) {
                        let index = first.saturating_add(k);
                        let index = match op.padding_mode.as_str() {
                            "zeros" => (0..=last).contains(&index).then_some(index),
                            _ => Some(index.clamp(0, last)),
                        };
                        let flat = index.and_then(|i| {
                            Some(at? + i.cast_unsigned() as usize * steps[axis].cast_unsigned())
                        });
                        wider.push((flat, arith.intermediate(arith.mul(weight, w))));
                    }
                }
                seen = wider;
            }
            for c in 0..channels {
                let plane = &a.data[(n * channels + c) * size..][..size];
                let cells: Vec<A::E> =
                    seen.iter().map(|(at, _)| at.map_or_else(|| arith.exact(0.0), |i| plane[i])).collect();
                let factors: Vec<A::E> = seen.iter().map(|&(_, w)| w).collect();
                let y = if taps == 1 { cells[0] } else { arith.dot(&cells, &factors, None) };
                let y = if certain { y } else { arith.unknown(y) };
                data[(n * channels + c) * count + place] = arith.store(y, d);
            }
        }
    }
    Ok(Value::Float(d, Array { shape: dims, data }))
}

/// The coordinate in elements, brought inside where the padding mode says so.
fn coordinate<A: Arith>(op: &GridSample, v: A::E, extent: usize, arith: &A) -> Result<A::E, OpError> {
    #[expect(clippy::cast_precision_loss, reason = "an extent")]
    let n = extent as f64;
    let number = |x| arith.exact(x);
    let raised = arith.intermediate(arith.add(v, number(1.0)));
    let x = if op.align_corners {
        arith.mul(arith.intermediate(arith.div(raised, number(2.0))), number(n - 1.0))
    } else {
        let edge =
            arith.intermediate(arith.sub(arith.intermediate(arith.mul(raised, number(n))), number(1.0)));
        arith.div(edge, number(2.0))
    };
    let mut x = arith.intermediate(x);
    if op.mode == "nearest" {
        x = arith.apply(Function::Round, x);
    }
    let inside = |x| arith.min(arith.max(x, number(0.0)), number(n - 1.0));
    Ok(match op.padding_mode.as_str() {
        "zeros" => x,
        "border" => inside(x),
        "reflection" => {
            let (low, span) = if op.align_corners { (0.0, n - 1.0) } else { (-0.5, n) };
            if span == 0.0 {
                return Ok(number(0.0));
            }
            // A wave of period 2 * span: low + span - |t - span|, t the rest of x - low.
            let from_low = arith.intermediate(arith.sub(x, number(low)));
            let turns = arith.apply(Function::Floor, arith.div(from_low, number(2.0 * span)));
            let rest = arith.intermediate(arith.sub(from_low, arith.mul(turns, number(2.0 * span))));
            let away = arith.apply(Function::Abs, arith.intermediate(arith.sub(rest, number(span))));
            inside(arith.intermediate(arith.sub(number(low + span), away)))
        }
        mode => return Err(attribute(format!("padding_mode {mode:?}"))),
    })
}

/// The first element that a coordinate sees along one axis, whether that is certain, and the weights from there on.
fn weights<A: Arith>(taps: usize, x: A::E, arith: &A) -> (i64, bool, Vec<A::E>) {
    let one = arith.exact(1.0);
    if taps == 1 {
        let (at, decided) = settled(arith, Function::Round, x);
        return (at, decided, vec![one]);
    }
    let (at, decided) = settled(arith, Function::Floor, x);
    let t = arith.intermediate(arith.sub(x, arith.apply(Function::Floor, x)));
    let back = arith.intermediate(arith.sub(one, t));
    if taps == 2 {
        return (at, decided, vec![back, t]);
    }
    // Keys' kernel with a = -0.75, at distances 1 + t, t, 1 - t and 2 - t.
    let near = |s: A::E| {
        let inner = arith.sub(arith.mul(arith.exact(1.25), s), arith.exact(2.25));
        let square = arith.apply(Function::Square, s);
        arith.intermediate(arith.add(arith.mul(arith.intermediate(inner), arith.intermediate(square)), one))
    };
    let far = |s: A::E| {
        let step = |x: A::E, c: f64| arith.intermediate(arith.add(arith.mul(x, s), arith.exact(c)));
        step(step(step(arith.exact(-0.75), 3.75), -6.0), 3.0)
    };
    let (beyond, before) = (arith.intermediate(arith.add(one, t)), arith.intermediate(arith.add(one, back)));
    (at.saturating_sub(1), decided, vec![far(beyond), near(t), near(back), far(before)])
}

/// AffineGrid.
pub(super) fn affine_grid<A: Arith>(
    op: &AffineGrid,
    x: &Operands<A::E>,
    arith: &A,
) -> Result<Value<A::E>, OpError> {
    let (d, theta) = x.floats(0)?;
    let size = x.ints(1)?;
    let &[batch, axes, columns] = &theta.shape[..] else { return Err(shape("theta holds no matrices")) };
    if columns != axes + 1 || size.len() != axes + 2 || usize::try_from(size[0]).ok() != Some(batch) {
        return Err(shape(format!("theta of shape {:?} for the size {size:?}", theta.shape)));
    }
    let extents = size[2..].iter().map(|&n| super::strided::extent(n)).collect::<Result<Vec<_>, _>>()?;
    let dims: Vec<usize> = std::iter::once(batch).chain(extents.iter().copied()).chain([axes]).collect();
    elements(&dims)?;
    let count: usize = extents.iter().product();
    #[expect(clippy::cast_precision_loss, reason = "extents and indices below them")]
    let centre = |i: usize, n: usize| match (op.align_corners, n) {
        (true, 1) => -1.0,
        (true, _) => -1.0 + 2.0 * i as f64 / (n - 1) as f64,
        (false, _) => (2.0 * i as f64 + 1.0) / n as f64 - 1.0,
    };
    let mut data = Vec::with_capacity(batch * count * axes);
    for n in 0..batch {
        for place in 0..count {
            // The last axis first, and a 1 for the shift.
            let (mut point, mut rest) = (Vec::with_capacity(columns), place);
            for &extent in extents.iter().rev() {
                point.push(arith.exact(centre(rest % extent, extent)));
                rest /= extent;
            }
            point.push(arith.exact(1.0));
            for row in theta.data[n * axes * columns..][..axes * columns].chunks_exact(columns) {
                data.push(arith.store(arith.dot(row, &point, None), d));
            }
        }
    }
    Ok(Value::Float(d, Array { shape: dims, data }))
}
