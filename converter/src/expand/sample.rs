//! GridSample and AffineGrid. Coordinates are floats and computed at run time; the elements that they name are read by a Gather of
//! rows of channels, one for each neighbour, and weighted.

use super::Builder;
use super::scatter::{signed, strides};
use halfproof_ir::ops::{self, Cast, Gather};
use halfproof_ir::{DType, Node, Op, ValueId};

/// One neighbour along one axis: its index as a float, its weight, and where it is outside.
struct Tap {
    index: ValueId,
    weight: Option<ValueId>,
    inside: Option<ValueId>,
}

pub(super) fn grid_sample(b: &mut Builder, node: &Node) -> Result<Vec<ValueId>, String> {
    let Op::GridSample(op) = &node.op else { return Err("it is no GridSample".into()) };
    let (x, grid) = (b.need(node, 0)?, b.need(node, 1)?);
    let (from, places) = (b.ty(x)?, b.shape(grid)?);
    let &[batch, channels, ref input @ ..] = &from.shape[..] else { return Err("it has no channels".into()) };
    let axes = input.len();
    if op.mode == "cubic" && op.padding_mode != "zeros" {
        return Err("cubic sampling beyond the border is defined differently by every implementation".into());
    }
    let out: Vec<usize> = places[..places.len() - 1].to_vec();
    let mut taps = Vec::with_capacity(axes);
    for axis in 0..axes {
        let last = b.wholes(&[], vec![signed(axes - 1 - axis)]);
        let v = b.emit(Gather { axis: -1 }, &[grid, last])?;
        let coordinate = coordinate(b, op, v, input[axis])?;
        taps.push(neighbours(b, op, coordinate, input[axis])?);
    }
    // Rows of channels, one for each place of each batch.
    let order: Vec<usize> = std::iter::once(0).chain(2..from.rank()).chain([1]).collect();
    let size: usize = input.iter().product();
    let rows = b.transpose(x, &order)?;
    let rows = b.reshape(rows, &[batch * size, channels])?;
    let base = (0..batch).map(|n| signed(n * size)).collect();
    let base_shape: Vec<usize> = std::iter::once(batch).chain(out[1..].iter().map(|_| 1)).collect();
    let base = b.numbers(DType::I32, &base_shape, base)?;
    let steps = strides(input);
    let mut sum: Option<ValueId> = None;
    let combinations: usize = taps.iter().map(Vec::len).product();
    for n in 0..combinations {
        let mut rest = n;
        let (mut flat, mut weight, mut inside) = (base, None, None);
        for (axis, list) in taps.iter().enumerate() {
            let tap = &list[rest % list.len()];
            rest /= list.len();
            let index = b.emit(Cast { to: DType::I32, ..Cast::default() }, &[tap.index])?;
            let step = b.numbers(DType::I32, &[], vec![signed(steps[axis])])?;
            let index = b.emit(Op::Mul, &[index, step])?;
            flat = b.emit(Op::Add, &[flat, index])?;
            weight = both(b, weight, tap.weight, Op::Mul)?;
            inside = both(b, inside, tap.inside, Op::And)?;
        }
        let mut term = b.emit(Gather { axis: 0 }, &[rows, flat])?;
        let column: Vec<usize> = out.iter().copied().chain([1]).collect();
        if let Some(inside) = inside {
            let inside = b.reshape(inside, &column)?;
            let zero = b.float(from.dtype, 0.0);
            term = b.emit(Op::Where, &[inside, term, zero])?;
        }
        if let Some(weight) = weight {
            let weight = b.reshape(weight, &column)?;
            term = b.emit(Op::Mul, &[term, weight])?;
        }
        sum = both(b, sum, Some(term), Op::Add)?;
    }
    let y = sum.ok_or("it has no neighbours")?;
    let back: Vec<usize> = [0, axes + 1].into_iter().chain(1..=axes).collect();
    Ok(vec![b.transpose(y, &back)?])
}

/// Two optional values combined.
fn both(b: &mut Builder, p: Option<ValueId>, q: Option<ValueId>, op: Op) -> Result<Option<ValueId>, String> {
    Ok(match (p, q) {
        (Some(p), Some(q)) => Some(b.emit(op, &[p, q])?),
        (one, other) => one.or(other),
    })
}

/// min(max(x, 0), last).
fn clamped(b: &mut Builder, x: ValueId, extent: usize) -> Result<ValueId, String> {
    let dtype = b.ty(x)?.dtype;
    #[expect(clippy::cast_precision_loss, reason = "an extent")]
    let (low, high) = (b.float(dtype, 0.0), b.float(dtype, extent as f64 - 1.0));
    b.emit(Op::Clip, &[x, low, high])
}

/// The coordinate in elements, brought inside where the padding mode says so.
fn coordinate(b: &mut Builder, op: &ops::GridSample, v: ValueId, extent: usize) -> Result<ValueId, String> {
    let dtype = b.ty(v)?.dtype;
    #[expect(clippy::cast_precision_loss, reason = "an extent")]
    let n = extent as f64;
    let with = |b: &mut Builder, op: Op, x: ValueId, c: f64| {
        let c = b.float(dtype, c);
        b.emit(op, &[x, c])
    };
    let raised = with(b, Op::Add, v, 1.0)?;
    let mut x = if op.align_corners {
        let half = with(b, Op::Mul, raised, 0.5)?;
        with(b, Op::Mul, half, n - 1.0)?
    } else {
        let wide = with(b, Op::Mul, raised, n)?;
        let edge = with(b, Op::Sub, wide, 1.0)?;
        with(b, Op::Mul, edge, 0.5)?
    };
    if op.mode == "nearest" {
        x = b.emit(Op::Round, &[x])?;
    }
    match op.padding_mode.as_str() {
        "zeros" => Ok(x),
        "border" => clamped(b, x, extent),
        "reflection" => {
            let (low, span) = if op.align_corners { (0.0, n - 1.0) } else { (-0.5, n) };
            if span == 0.0 {
                return with(b, Op::Mul, x, 0.0);
            }
            // A wave of period 2 * span.
            let from_low = with(b, Op::Sub, x, low)?;
            let turns = with(b, Op::Div, from_low, 2.0 * span)?;
            let turns = b.emit(Op::Floor, &[turns])?;
            let whole = with(b, Op::Mul, turns, 2.0 * span)?;
            let rest = b.emit(Op::Sub, &[from_low, whole])?;
            let away = with(b, Op::Sub, rest, span)?;
            let away = b.emit(Op::Abs, &[away])?;
            let top = b.float(dtype, low + span);
            let mirrored = b.emit(Op::Sub, &[top, away])?;
            clamped(b, mirrored, extent)
        }
        mode => Err(format!("padding_mode {mode:?} is not defined")),
    }
}

/// The neighbours of a coordinate along one axis.
fn neighbours(b: &mut Builder, op: &ops::GridSample, x: ValueId, extent: usize) -> Result<Vec<Tap>, String> {
    let dtype = b.ty(x)?.dtype;
    let zeros = op.padding_mode == "zeros";
    let tap = |b: &mut Builder, index: ValueId, weight: Option<ValueId>| -> Result<Tap, String> {
        let held = clamped(b, index, extent)?;
        let inside = if zeros { Some(b.emit(Op::Equal, &[held, index])?) } else { None };
        Ok(Tap { index: held, weight, inside })
    };
    if op.mode == "nearest" {
        return Ok(vec![tap(b, x, None)?]);
    }
    let first = b.emit(Op::Floor, &[x])?;
    let t = b.emit(Op::Sub, &[x, first])?;
    let one = b.float(dtype, 1.0);
    let back = b.emit(Op::Sub, &[one, t])?;
    let second = b.emit(Op::Add, &[first, one])?;
    match op.mode.as_str() {
        "linear" => Ok(vec![tap(b, first, Some(back))?, tap(b, second, Some(t))?]),
        "cubic" => {
            // Keys' kernel with a = -0.75: ((a s - 5 a) s + 8 a) s - 4 a beyond 1, ((a + 2) s - (a + 3)) s^2 + 1 within.
            let line = |b: &mut Builder, x: ValueId, s: ValueId, c: f64| -> Result<ValueId, String> {
                let product = b.emit(Op::Mul, &[x, s])?;
                let c = b.float(dtype, c);
                b.emit(Op::Add, &[product, c])
            };
            let far = |b: &mut Builder, s: ValueId| -> Result<ValueId, String> {
                let a = b.float(dtype, -0.75);
                let y = line(b, a, s, 3.75)?;
                let y = line(b, y, s, -6.0)?;
                line(b, y, s, 3.0)
            };
            let (beyond, before) = (b.emit(Op::Add, &[one, t])?, b.emit(Op::Add, &[one, back])?);
            let weights = [far(b, beyond)?, t, back, far(b, before)?];
            let near = |b: &mut Builder, s: ValueId| -> Result<ValueId, String> {
                let c = b.float(dtype, 1.25);
                let y = b.emit(Op::Mul, &[s, c])?;
                let c = b.float(dtype, 2.25);
                let y = b.emit(Op::Sub, &[y, c])?;
                let square = b.emit(Op::Mul, &[s, s])?;
                let y = b.emit(Op::Mul, &[y, square])?;
                b.emit(Op::Add, &[y, one])
            };
            let weights = [weights[0], near(b, t)?, near(b, back)?, weights[3]];
            let two = b.float(dtype, 2.0);
            let indices = [b.emit(Op::Sub, &[first, one])?, first, second, b.emit(Op::Add, &[first, two])?];
            indices.into_iter().zip(weights).map(|(i, w)| tap(b, i, Some(w))).collect()
        }
        mode => Err(format!("mode {mode:?} is not defined")),
    }
}

/// The places of the grid are constant: one matrix product with theta.
pub(super) fn affine_grid(b: &mut Builder, node: &Node) -> Result<Vec<ValueId>, String> {
    let Op::AffineGrid(op) = &node.op else { return Err("it is no AffineGrid".into()) };
    let (theta, y) = (b.need(node, 0)?, b.need_output(node)?);
    let (ty, shape) = (b.ty(theta)?, b.shape(y)?);
    let axes = ty.shape[1];
    let extents = &shape[1..=axes];
    #[expect(clippy::cast_precision_loss, reason = "extents and indices below them")]
    let centre = |i: usize, n: usize| match (op.align_corners, n) {
        (true, 1) => -1.0,
        (true, _) => -1.0 + 2.0 * i as f64 / (n - 1) as f64,
        (false, _) => (2.0 * i as f64 + 1.0) / n as f64 - 1.0,
    };
    let count: usize = extents.iter().product();
    let mut data = Vec::with_capacity(count * (axes + 1));
    for n in 0..count {
        let at = super::scatter::coordinates(n, extents);
        data.extend(at.iter().zip(extents).rev().map(|(&i, &d)| centre(i, d)));
        data.push(1.0);
    }
    let places = b.floats(ty.dtype, &[count, axes + 1], data);
    let maps = b.transpose(theta, &[0, 2, 1])?;
    let grid = b.emit(Op::MatMul, &[places, maps])?;
    Ok(vec![b.reshape(grid, &shape)?])
}
