//! A DFT is a matrix product with the cosines and sines of its angles; windows are constants.

use super::Builder;
use super::scatter::signed;
use crate::constants;
use crate::infer::axis;
use halfproof_ir::ops::Gather;
use halfproof_ir::{Node, Op, ValueId};
use std::f64::consts::TAU;

pub(super) fn dft(b: &mut Builder, node: &Node) -> Result<Vec<ValueId>, String> {
    let Op::DFT(op) = &node.op else { return Err("it is no DFT".into()) };
    let (x, y) = (b.need(node, 0)?, b.need_output(node)?);
    let (ty, shape) = (b.ty(x)?, b.shape(y)?);
    let rank = ty.rank();
    let place = b.integers(node, 2, "axis")?.and_then(|a| a.first().copied()).unwrap_or(-2);
    let at = axis(place, rank)?;
    let (given, parts) = (ty.shape[at], ty.shape[rank - 1]);
    let length = match b.integers(node, 1, "dft_length")?.and_then(|n| n.first().copied()) {
        Some(n) => usize::try_from(n).map_err(|_| "dft_length is negative")?,
        None => given,
    };
    let kept = shape[at];
    if length == 0 {
        return Err("dft_length is 0".into());
    }
    // What is cut off must not be read: 0 times an infinity is no 0.
    let held = given.min(length);
    let x = if held < given {
        let first: Vec<usize> = (0..held).collect();
        let first = b.ints(&first);
        b.emit(Gather { axis: signed(at) }, &[x, first])?
    } else {
        x
    };
    // Rows (element, part), columns (frequency, part).
    let (sign, size) = if op.inverse { (1.0, length) } else { (-1.0, 1) };
    let mut matrix = Vec::with_capacity(held * parts * kept * 2);
    #[expect(clippy::cast_precision_loss, reason = "an extent")]
    for n in 0..held {
        for part in 0..parts {
            for k in 0..kept {
                let (cos, sin) = root(k * n % length, length);
                let sin = sign * sin;
                let pair = if part == 0 { [cos, sin] } else { [-sin, cos] };
                matrix.extend(pair.map(|w| w / size as f64));
            }
        }
    }
    let order: Vec<usize> = (0..rank).filter(|&i| i != at && i + 1 != rank).chain([at, rank - 1]).collect();
    let outer: usize = order[..rank - 2].iter().map(|&i| ty.shape[i]).product();
    let rows = b.transpose(x, &order)?;
    let rows = b.reshape(rows, &[outer, held * parts])?;
    let matrix = b.floats(ty.dtype, &[held * parts, kept * 2], matrix);
    let product = b.emit(Op::MatMul, &[rows, matrix])?;
    let made: Vec<usize> = order.iter().map(|&i| shape[i]).collect();
    let product = b.reshape(product, &made)?;
    let back: Vec<usize> = (0..rank)
        .map(|i| order.iter().position(|&o| o == i).ok_or("an axis is lost"))
        .collect::<Result<_, _>>()?;
    Ok(vec![b.transpose(product, &back)?])
}

/// The real and imaginary part of `exp(2πi r / n)`. Multiples of a quarter turn are read from a table: libm's sine of the f64
/// nearest to π is not 0, and a factor of 1e-16 in the matrix is a subnormal, or nothing, in float16.
fn root(r: usize, n: usize) -> (f64, f64) {
    const QUARTERS: [(f64, f64); 4] = [(1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0)];
    if (4 * r).is_multiple_of(n) {
        return QUARTERS[4 * r / n % 4];
    }
    #[expect(clippy::cast_precision_loss, reason = "extents and indices below them")]
    let angle = TAU * r as f64 / n as f64;
    (libm::cos(angle), libm::sin(angle))
}

pub(super) fn window(b: &mut Builder, node: &Node) -> Result<Vec<ValueId>, String> {
    let (terms, periodic, dtype) = match &node.op {
        Op::HannWindow(w) => ([0.5, -0.5, 0.0], w.periodic, w.output_datatype),
        Op::HammingWindow(w) => ([25.0 / 46.0, -21.0 / 46.0, 0.0], w.periodic, w.output_datatype),
        Op::BlackmanWindow(w) => ([0.42, -0.5, 0.08], w.periodic, w.output_datatype),
        _ => return Err("it is no window".into()),
    };
    if !dtype.is_float() {
        return Err(format!("a window of {dtype} elements is not supported"));
    }
    let y = b.need_output(node)?;
    let shape = b.shape(y)?;
    let divisor = if periodic { signed(shape[0]) } else { signed(shape[0]) - 1 };
    if divisor < 1 {
        return Err("a window of one element that is not periodic is not defined".into());
    }
    #[expect(clippy::cast_precision_loss, reason = "extents and indices below them")]
    let value = |n: usize| {
        let t = TAU * n as f64 / divisor as f64;
        terms[0] + terms[1] * libm::cos(t) + terms[2] * libm::cos(2.0 * t)
    };
    // A window is of the node's type, and so is what is folded from it: a Cast to integers sees the 1 in the middle.
    let data = (0..shape[0]).map(|n| constants::settled(value(n), dtype)).collect();
    Ok(vec![b.floats(dtype, &shape, data)])
}
