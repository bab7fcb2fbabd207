//! RESIZE_BILINEAR and RESIZE_NEAREST_NEIGHBOR.
//!
//! # Definition
//! Result coordinate i of an axis lies at i * in / out of the operand, with `align_corners` (and more than one result
//! coordinate) at i * (in - 1) / (out - 1), with `half_pixel_centers` half a pixel further, counted in both: bilinear
//! (i + 1/2) in / out - 1/2, nearest (i + 1/2) in / out. Bilinear blends the up to four elements around; nearest takes
//! the element at the coordinate rounded down, or rounded to the nearest (half away from zero) with `align_corners`.
//! Coordinates outside are clamped to the edge.
//!
//! # Edge cases
//! Coordinates are exact fractions here; kernels compute them in float32. So where the scale is no float32 number, a
//! nearest coordinate within a float32 rounding of the border between two elements may give either of the two, and a
//! bilinear one lies anywhere within a few float32 roundings. Bilinear with both options is refused, as in TFLite.
//!
//! # Numerics
//! [`Arith::blend`] over the elements with a weight other than 0, at the coordinate and at the ends of where float32 may
//! put it: between them the result is linear. An element beyond the edge is blended with itself, as kernels do.

use super::error::{Fault, ensure};
use super::movement::{Movement, line};
use super::operands::{Done, Exec};
use super::plan::{self, Call, Planned, strides, table, whole};
use crate::arith::Arith;
use crate::value::{Value, Whole};

/// A planned RESIZE_BILINEAR.
#[derive(Clone, Debug)]
pub(super) struct Bilinear {
    batch: usize,
    channels: usize,
    /// Elements between neighbours of the operand along batch, height and width.
    strides: [usize; 3],
    rows: Vec<Spot>,
    columns: Vec<Spot>,
}

/// Where a coordinate lies: the definition's place first, then those where float32 may put it.
type Spot = Vec<Between>;

/// A coordinate between two elements of an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Between {
    below: usize,
    above: usize,
    /// Weight of `above`, below 1.
    weight: f64,
}

/// A planned RESIZE_NEAREST_NEIGHBOR: the definition's elements, and those that a kernel may take instead.
#[derive(Clone, Debug)]
pub(super) struct Nearest {
    movements: Vec<Movement>,
}

/// Options of both operators.
#[derive(Clone, Copy)]
struct Mode {
    align_corners: bool,
    half_pixel: bool,
}

/// One axis, with the fraction (numerator, denominator) where a coordinate lies, before any half pixel is taken off.
fn fraction(mode: Mode, i: usize, input: usize, output: usize) -> (i64, i64) {
    let (i, input, output) = (whole(i), whole(input), whole(output));
    let (scale, of) =
        if mode.align_corners && output > 1 { (input - 1, output - 1) } else { (input, output) };
    let halves = if mode.half_pixel { 2 * i + 1 } else { 2 * i };
    (halves * scale, 2 * of)
}

/// True when every coordinate of an axis is a float32 number, and so is every step towards it.
fn is_exact(mode: Mode, input: usize, output: usize) -> bool {
    let (scale, of) = fraction(Mode { half_pixel: true, ..mode }, 0, input, output);
    let divisor = gcd(scale, of);
    (of / divisor).count_ones() == 1 && (scale / divisor).saturating_mul(2 * whole(output) + 1) < 1 << 24
}

fn between(mode: Mode, i: usize, input: usize, output: usize) -> Between {
    let (numerator, denominator) = fraction(mode, i, input, output);
    let shifted = if mode.half_pixel { 2 * numerator - denominator } else { 2 * numerator };
    let denominator = 2 * denominator;
    let floor = shifted.div_euclid(denominator);
    let rest = shifted.rem_euclid(denominator);
    #[expect(clippy::cast_precision_loss, reason = "extents are at most 2^24")]
    clamped(floor, rest as f64 / denominator as f64, input)
}

/// A coordinate by its integer part and fraction, brought inside the axis.
fn clamped(floor: i64, fraction: f64, input: usize) -> Between {
    let inside = |x: i64| usize::try_from(x.clamp(0, whole(input) - 1)).unwrap_or(0);
    let (below, above) = (inside(floor), inside(floor + 1));
    let weight = if below == above && fraction != 0.0 { 0.5 } else { fraction };
    Between { below, above, weight }
}

/// A coordinate with the places where float32 arithmetic may put it.
fn spot(mode: Mode, i: usize, input: usize, output: usize) -> Spot {
    let centre = between(mode, i, input, output);
    if is_exact(mode, input, output) {
        return vec![centre];
    }
    let (numerator, denominator) = fraction(mode, i, input, output);
    #[expect(clippy::cast_precision_loss, reason = "extents are at most 2^24")]
    let full = numerator as f64 / denominator as f64;
    // The scale, the product and the half pixel are rounded once each; the fourth rounding is for their products.
    let reach = 4.0 * 2f64.powi(-24) * full;
    let exact = if mode.half_pixel { full - 0.5 } else { full };
    let place = |x: f64| {
        #[expect(clippy::cast_possible_truncation, reason = "coordinates are at most 2^24")]
        clamped(x.floor() as i64, x - x.floor(), input)
    };
    vec![centre, place(exact - reach), place(exact + reach)]
}

/// The element of the definition and the one that float32 coordinates may give instead.
fn nearest(mode: Mode, i: usize, input: usize, output: usize) -> (usize, usize) {
    let (mut numerator, mut denominator) = fraction(mode, i, input, output);
    if mode.align_corners {
        (numerator, denominator) = (2 * numerator + denominator, 2 * denominator);
    }
    let clamp = |x: i64| usize::try_from(x.clamp(0, whole(input) - 1)).unwrap_or(0);
    let floor = numerator.div_euclid(denominator);
    let rest = numerator.rem_euclid(denominator);
    let border = if 2 * rest > denominator { floor + 1 } else { floor };
    let distance = (numerator - border * denominator).abs();
    let exact = is_exact(mode, input, output);
    let other = if border == floor { floor - 1 } else { floor + 1 };
    let near = !exact && distance.saturating_mul(1 << 21) <= numerator.abs();
    (clamp(floor), clamp(if near { other } else { floor }))
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a.max(1) } else { gcd(b, a % b) }
}

/// The extents of the result, from operand 1.
fn extents(call: &Call<'_>, shape: &[usize]) -> Result<Vec<usize>, Fault> {
    plan::rank("the operand", shape, 4)?;
    let size = call.ints(1, "the new size")?;
    ensure!(size.len() == 2 && size[0] > 0 && size[1] > 0, "new size {size:?}");
    ensure!(shape[1] > 0 && shape[2] > 0, "shape {shape:?} is empty");
    plan::shape(&[whole(shape[0]), size[0], size[1], whole(shape[3])])
}

/// Plans RESIZE_BILINEAR.
pub(super) fn plan_bilinear(call: &Call<'_>) -> Result<Planned, Fault> {
    call.arity(2, 2, 1)?;
    let o = table!(call, ResizeBilinear)?;
    ensure!(!(o.align_corners && o.half_pixel_centers), "align_corners with half_pixel_centers");
    let x = call.float(0)?;
    let shape = extents(call, x.shape)?;
    let mode = Mode { align_corners: o.align_corners, half_pixel: o.half_pixel_centers };
    let axis = |a: usize| (0..shape[a]).map(|i| spot(mode, i, x.shape[a], shape[a])).collect();
    let s = strides(x.shape);
    let bilinear = Bilinear {
        batch: x.shape[0],
        channels: x.shape[3],
        strides: [s[0], s[1], s[2]],
        rows: axis(1),
        columns: axis(2),
    };
    Planned::one(bilinear, shape)
}

/// Plans RESIZE_NEAREST_NEIGHBOR.
pub(super) fn plan_nearest(call: &Call<'_>) -> Result<Planned, Fault> {
    call.arity(2, 2, 1)?;
    let o = table!(call, ResizeNearestNeighbor)?;
    let x = call.alike(0)?;
    let shape = extents(call, x.shape)?;
    let mode = Mode { align_corners: o.align_corners, half_pixel: o.half_pixel_centers };
    let s = strides(x.shape);
    let axis = |a: usize| -> [Vec<usize>; 2] {
        let (sure, other) = (0..shape[a])
            .map(|i| nearest(mode, i, x.shape[a], shape[a]))
            .map(|(sure, other)| (sure * s[a], other * s[a]))
            .unzip();
        [sure, other]
    };
    let (rows, columns) = (axis(1), axis(2));
    let mut movements = vec![];
    for (r, row) in rows.iter().enumerate() {
        for (c, column) in columns.iter().enumerate() {
            if (r == 0 || rows[0] != rows[1]) && (c == 0 || columns[0] != columns[1]) {
                let outer = line(0, 1, x.shape[0], s[0]);
                let inner = line(0, 1, x.shape[3], 1);
                movements.push(Movement::new(vec![outer, row.clone(), column.clone(), inner]));
            }
        }
    }
    Planned::one(Nearest { movements }, shape)
}

impl Bilinear {
    pub(super) fn run<A: Arith>(&self, exec: &Exec<'_, A>) -> Done<A::E> {
        let x = &exec.floats(0)?.data;
        let arith = exec.arith;
        let mut result = Vec::with_capacity(exec.shape(0).iter().product());
        let (mut places, mut terms) = (vec![], vec![]);
        for batch in 0..self.batch {
            for row in &self.rows {
                for column in &self.columns {
                    places.clear();
                    for &h in row {
                        places.extend(column.iter().map(|&w| self.corners(batch, h, w)));
                    }
                    for channel in 0..self.channels {
                        let mut blended = places.iter().map(|(corners, weights)| {
                            terms.clear();
                            terms.extend(corners.iter().map(|&at| x[at + channel]));
                            arith.blend(&terms, weights)
                        });
                        let first = blended.next().ok_or("no coordinate")?;
                        result.push(exec.store(blended.fold(first, |a, b| arith.either(a, b))));
                    }
                }
            }
        }
        exec.floats_done(result)
    }

    /// The elements that a place touches, and their weights.
    fn corners(&self, batch: usize, h: Between, w: Between) -> (Vec<usize>, Vec<f64>) {
        let [sb, sh, sw] = self.strides;
        let mut corners = Vec::with_capacity(4);
        let mut weights = Vec::with_capacity(4);
        for (row, wh) in [(h.below, 1.0 - h.weight), (h.above, h.weight)] {
            for (column, ww) in [(w.below, 1.0 - w.weight), (w.above, w.weight)] {
                if wh != 0.0 && ww != 0.0 {
                    corners.push(batch * sb + row * sh + column * sw);
                    weights.push(wh * ww);
                }
            }
        }
        (corners, weights)
    }
}

impl Nearest {
    pub(super) fn run<A: Arith>(&self, exec: &Exec<'_, A>) -> Done<A::E> {
        match exec.value(0)? {
            Value::Float(_, x) => {
                let zero = exec.arith.exact(0.0);
                exec.floats_done(self.merge(&x.data, zero, |a, b| exec.arith.either(a, b)))
            }
            Value::Whole(_, x) => {
                let either = |a: Whole, b: Whole| if a == b { a } else { Whole { decided: false, ..a } };
                exec.wholes_done(self.merge(&x.data, Whole::known(0), either))
            }
        }
    }

    fn merge<T: Copy>(&self, x: &[T], fill: T, either: impl Fn(T, T) -> T) -> Vec<T> {
        let mut variants = self.movements.iter().map(|m| m.apply(x, fill));
        let mut data = variants.next().unwrap_or_default();
        for variant in variants {
            for (a, b) in data.iter_mut().zip(variant) {
                *a = either(*a, b);
            }
        }
        data
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Mode = Mode { align_corners: false, half_pixel: false };

    #[test]
    fn bilinear_coordinates_are_those_of_the_definition() {
        let half = Mode { half_pixel: true, ..PLAIN };
        assert_eq!(between(PLAIN, 1, 2, 4), Between { below: 0, above: 1, weight: 0.5 });
        assert_eq!(between(PLAIN, 3, 2, 4), Between { below: 1, above: 1, weight: 0.5 });
        assert_eq!(between(half, 0, 2, 4), Between { below: 0, above: 0, weight: 0.5 });
        assert_eq!(between(half, 1, 2, 4), Between { below: 0, above: 1, weight: 0.25 });
        let corners = Mode { align_corners: true, ..PLAIN };
        assert_eq!(between(corners, 2, 3, 5), Between { below: 1, above: 2, weight: 0.0 });
        assert_eq!(between(corners, 0, 3, 1), Between { below: 0, above: 1, weight: 0.0 });
    }

    #[test]
    fn a_nearest_coordinate_is_ambiguous_only_where_float32_cannot_tell() {
        assert_eq!(nearest(PLAIN, 2, 2, 4), (1, 1));
        // 3 * (5 / 15) is 1, but 5 / 15 is no float32 number.
        assert_eq!(nearest(PLAIN, 3, 5, 15), (1, 0));
        assert_eq!(nearest(PLAIN, 4, 5, 15), (1, 1));
    }
}
