//! Signals: DFT, and the windows HannWindow HammingWindow BlackmanWindow.
//!
//! # Definition
//! DFT-20: along `axis` (the last but one unless given), `sum over n of x[n] exp(∓2πi k n / N)`; the last axis holds the real
//! numbers or the real and imaginary parts, the result always both. `dft_length` cuts the signal or continues it with zeros.
//! `inverse` has the other sign and divides by N; `onesided` keeps the first `N / 2 + 1` frequencies of a real signal.
//! The windows (opset 17): with `t = 2πn / N`, N the size, or the size less one where not `periodic`: Hann `(1 - cos t) / 2`,
//! Hamming `25/46 - 21/46 cos t`, Blackman `0.42 - 0.5 cos t + 0.08 cos 2t`.
//! # Edge cases
//! An inverse one-sided transform, whose result is real, is not computed here. A window of one element that is not periodic
//! divides by 0 and is not defined.
//! # Numerics
//! One `dot` per part of the result with the exact angles. Windows are numbers that nothing is computed from: constants of
//! their type, so in every arithmetic the nearest number of that type; the middle of a BlackmanWindow is 1, not just below.

use super::error::{OpError, attribute, shape};
use super::operands::Operands;
use super::strided::{axis as index_of, elements, extent, map};
use crate::arith::Arith;
use crate::half;
use crate::value::{Array, Value};
use halfproof_ir::DType;
use halfproof_ir::ops::DFT;
use std::f64::consts::TAU;

/// DFT.
pub(super) fn dft<A: Arith>(op: &DFT, x: &Operands<A::E>, arith: &A) -> Result<Value<A::E>, OpError> {
    let (d, a) = x.floats(0)?;
    let rank = a.shape.len();
    let axis = match x.optional_ints(2)?.as_deref() {
        None => -2,
        Some(&[axis]) => axis,
        Some(_) => return Err(shape("axis is not one number")),
    };
    let at = index_of(axis, rank)?;
    let parts = a.shape.last().copied().unwrap_or(0);
    if at + 1 == rank || !matches!(parts, 1 | 2) {
        return Err(shape(format!("a signal of shape {:?} along axis {at}", a.shape)));
    }
    if op.inverse && op.onesided {
        return Err(OpError::Unsupported("an inverse one-sided transform".into()));
    }
    if op.onesided && parts == 2 {
        return Err(attribute("a one-sided transform of complex numbers"));
    }
    let held = a.shape[at];
    let length = match x.optional_ints(1)?.as_deref() {
        None => held,
        Some(&[n]) => extent(n)?,
        Some(_) => return Err(shape("dft_length is not one number")),
    };
    if length == 0 {
        return Err(shape("a transform of no elements"));
    }
    let kept = if op.onesided { length / 2 + 1 } else { length };
    // Pairs of (element, part) become pairs of (frequency, part): the axis and the last one are one row.
    let steps = super::strided::strides(&a.shape);
    let order: Vec<usize> = (0..rank).filter(|&i| i != at && i + 1 != rank).chain([at, rank - 1]).collect();
    let dims: Vec<usize> = order.iter().map(|&i| a.shape[i]).collect();
    let turned: Vec<isize> = order.iter().map(|&i| steps[i]).collect();
    let rows = super::strided::copy(&a.data, 0, &dims, &turned);
    let outer: usize = dims[..rank - 2].iter().product();
    let seen = held.min(length);
    let sign = if op.inverse { 1.0 } else { -1.0 };
    let mut columns = Vec::with_capacity(kept * 2);
    for k in 0..kept {
        for part in 0..2 {
            let mut column = Vec::with_capacity(seen * parts);
            for n in 0..seen {
                let (cos, sin) = turn(k * n % length, length);
                let sin = sign * sin;
                // (re + i im)(cos + i sin)
                let pair = if part == 0 { [cos, -sin] } else { [sin, cos] };
                column.extend(pair[..parts].iter().map(|&w| arith.exact(w)));
            }
            columns.push(column);
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "an extent")]
    let count = arith.exact(length as f64);
    let mut flat = Vec::with_capacity(outer * columns.len());
    for row in rows.chunks_exact(held * parts) {
        for column in &columns {
            let sum = arith.dot(&row[..seen * parts], column, None);
            flat.push(arith.store(if op.inverse { arith.div(sum, count) } else { sum }, d));
        }
    }
    let made: Vec<usize> = dims[..rank - 2].iter().copied().chain([kept, 2]).collect();
    elements(&made)?;
    let made_steps = super::strided::strides(&made);
    let mut out = a.shape.clone();
    (out[at], out[rank - 1]) = (kept, 2);
    let back: Vec<isize> =
        (0..rank).map(|i| made_steps[order.iter().position(|&o| o == i).unwrap_or(0)]).collect();
    Ok(Value::Float(d, Array { shape: out.clone(), data: super::strided::copy(&flat, 0, &out, &back) }))
}

/// Cosine and sine of `part / whole` turns (`part < whole`): from the first eighth of a turn by the symmetries of the circle, so that
/// quarter turns are exactly 0 and ±1, and what is equal by symmetry is the same number. `sin(π as f64)` is 1.2e-16, which times a
/// large signal is no rounding of 0.
fn turn(part: usize, whole: usize) -> (f64, f64) {
    if 2 * part > whole {
        let (cos, sin) = turn(whole - part, whole);
        return (cos, -sin);
    }
    if 4 * part > whole {
        // Half a turn less `part`, over the same whole.
        let (cos, sin) = turn(whole - 2 * part, 2 * whole);
        return (-cos, sin);
    }
    if 8 * part > whole {
        let (cos, sin) = turn(whole - 4 * part, 4 * whole);
        return (sin, cos);
    }
    #[expect(clippy::cast_precision_loss, reason = "indices below an extent")]
    let angle = TAU * part as f64 / whole as f64;
    (libm::cos(angle), libm::sin(angle))
}

/// A window: `constant + first * cos t + second * cos 2t`.
pub(super) fn window<A: Arith>(
    terms: [f64; 3],
    periodic: bool,
    dtype: DType,
    x: &Operands<A::E>,
    arith: &A,
) -> Result<Value<A::E>, OpError> {
    let &[size] = &x.ints(0)?[..] else { return Err(shape("size is not one number")) };
    let size = extent(size)?;
    elements(&[size])?;
    let divisor = if periodic { size } else { size.saturating_sub(1) };
    if divisor == 0 && size > 0 {
        return Err(shape("a window of one element that is not periodic"));
    }
    #[expect(clippy::cast_precision_loss, reason = "indices below an extent")]
    let value = |n: usize| {
        let t = TAU * n as f64 / divisor as f64;
        terms[0] + terms[1] * libm::cos(t) + terms[2] * libm::cos(2.0 * t)
    };
    let numbers = Array { shape: vec![size], data: (0..size).map(value).collect::<Vec<f64>>() };
    if dtype.is_float() {
        let stored = |v| arith.store(arith.tabulated(half::nearest(v, dtype)), dtype);
        return Ok(Value::Float(dtype, map(&numbers, stored)));
    }
    Err(OpError::Unsupported(format!("a window of {dtype} elements")))
}

#[cfg(test)]
mod tests {
    use super::turn;

    /// Every turn of a whole is libm's cosine and sine to the last places, and the quarters are exact.
    #[test]
    fn turns() {
        for whole in 1..40usize {
            for part in 0..whole {
                let angle = std::f64::consts::TAU * part as f64 / whole as f64;
                let (cos, sin) = turn(part, whole);
                assert!((cos - libm::cos(angle)).abs() < 1e-14, "cos of {part}/{whole}");
                assert!((sin - libm::sin(angle)).abs() < 1e-14, "sin of {part}/{whole}");
            }
        }
        assert_eq!(
            [turn(0, 4), turn(1, 4), turn(2, 4), turn(3, 4)],
            [(1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0)]
        );
        assert_eq!(turn(3, 6), (-1.0, 0.0));
        assert_eq!([turn(3, 8).0, turn(7, 8).0], [-turn(1, 8).0, turn(1, 8).0]);
    }
}
