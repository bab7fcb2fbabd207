//! Sums, products, quotients, powers, extrema and comparisons of two enclosures, before any rounding of the kernel.

use super::enclosure::{Enclosure, Nan, is_single};
use crate::arith::Comparison;

/// -x.
#[inline]
pub(super) fn negated(x: Enclosure) -> Enclosure {
    Enclosure { v: -x.v, lo: -x.hi, hi: -x.lo, nan: x.nan }
}

/// The state of a result that has no NaN of its own.
#[inline]
fn joined(a: Nan, b: Nan) -> Nan {
    a.max(b)
}

/// a + b.
#[inline]
pub(super) fn add(a: Enclosure, b: Enclosure) -> Enclosure {
    let v = a.v + b.v;
    let (lo, hi) = (a.lo + b.lo, a.hi + b.hi);
    if (hi - lo).is_finite() && lo.is_finite() {
        let nan = joined(a.nan, b.nan);
        if lo == hi && remainder_of_sum(a.lo, b.lo, lo) == 0.0 {
            return Enclosure { v, lo, hi, nan };
        }
        return Enclosure { v, lo, hi, nan }.nudged_finite();
    }
    irregular_sum(a, b)
}

/// a + b where an end is not finite.
#[cold]
#[inline(never)]
fn irregular_sum(a: Enclosure, b: Enclosure) -> Enclosure {
    let v = a.v + b.v;
    let (lo, hi) = (a.lo + b.lo, a.hi + b.hi);
    if joined(a.nan, b.nan) == Nan::Certain {
        return Enclosure::certain_nan(v);
    }
    let inf = f64::INFINITY;
    let own = (a.hi == inf && b.lo == -inf) || (a.lo == -inf && b.hi == inf);
    if own && a.lo == a.hi && b.lo == b.hi {
        return Enclosure::certain_nan(v);
    }
    let nan = if own { Nan::Possible } else { joined(a.nan, b.nan) };
    let lo = if lo.is_nan() { -inf } else { lo };
    let hi = if hi.is_nan() { inf } else { hi };
    Enclosure { v, lo, hi, nan }.nudged()
}

/// What rounding a + b to `sum` lost (Knuth's TwoSum).
#[inline]
fn remainder_of_sum(a: f64, b: f64, sum: f64) -> f64 {
    let b_part = sum - a;
    (a - (sum - b_part)) + (b - b_part)
}

/// a * b.
#[inline]
pub(super) fn mul(a: Enclosure, b: Enclosure) -> Enclosure {
    let v = a.v * b.v;
    let nan = joined(a.nan, b.nan);
    if a.lo == a.hi && b.lo == b.hi {
        let p = a.lo * b.lo;
        if p.is_finite() {
            let point = Enclosure { v, lo: p, hi: p, nan };
            return if is_single(a.lo) && is_single(b.lo) { point } else { point.nudged_finite() };
        }
    }
    // Finite products have finite factors: nothing below can happen.
    let [p, q, r, s] = [a.lo * b.lo, a.lo * b.hi, a.hi * b.lo, a.hi * b.hi];
    if ((p + q) + (r + s)).is_finite() {
        return Enclosure { v, lo: p.min(q).min(r.min(s)), hi: p.max(q).max(r.max(s)), nan }.nudged_finite();
    }
    irregular_product(a, b)
}

/// a * b where a product of ends is not finite.
#[cold]
#[inline(never)]
fn irregular_product(a: Enclosure, b: Enclosure) -> Enclosure {
    let v = a.v * b.v;
    let nan = joined(a.nan, b.nan);
    let is_zero = |e: &Enclosure| e.lo == 0.0 && e.hi == 0.0;
    let never = |x: &Enclosure, y: &Enclosure| is_zero(x) && y.is_certainly_infinite();
    if never(&a, &b) || never(&b, &a) {
        return Enclosure::certain_nan(v);
    }
    let product = corners(v, nan, [a.lo * b.lo, a.lo * b.hi, a.hi * b.lo, a.hi * b.hi]);
    // Zero times infinity, also where zero is inside the interval.
    let meets = a.straddles_zero() && b.may_be_infinite() || b.straddles_zero() && a.may_be_infinite();
    if meets && product.nan == Nan::Impossible {
        Enclosure { nan: Nan::Possible, ..product }
    } else {
        product
    }
}

/// The hull of four corner values. NaN corners (0 times inf, inf over inf) make NaN possible; where they occur, the
/// numbers next to them are the other corners and zero.
#[inline]
fn corners(v: f64, nan: Nan, values: [f64; 4]) -> Enclosure {
    let [p, q, r, s] = values;
    let total = (p + q) + (r + s);
    if total.is_finite() {
        return Enclosure { v, lo: p.min(q).min(r.min(s)), hi: p.max(q).max(r.max(s)), nan }.nudged();
    }
    if nan == Nan::Certain {
        return Enclosure::certain_nan(v);
    }
    let mut found = Enclosure { v, lo: f64::INFINITY, hi: f64::NEG_INFINITY, nan };
    for c in values {
        let c = if c.is_nan() {
            found.nan = Nan::Possible;
            0.0
        } else {
            c
        };
        found.lo = found.lo.min(c);
        found.hi = found.hi.max(c);
    }
    found.nudged()
}

/// a / b. Undecidable when b may be zero and is not known to be.
#[inline]
pub(super) fn div(a: Enclosure, b: Enclosure) -> Enclosure {
    let v = a.v / b.v;
    let nan = joined(a.nan, b.nan);
    if nan == Nan::Certain {
        return Enclosure::certain_nan(v);
    }
    if b.straddles_zero() {
        if a.is_point() && a.lo == 0.0 && b.lo == 0.0 && b.hi == 0.0 {
            return Enclosure::certain_nan(v);
        }
        // The sign of a zero is not tracked (a maximum of two zeros may have either), so neither is that of the result.
        let own = if a.straddles_zero() || a.may_be_infinite() { Nan::Possible } else { Nan::Impossible };
        return Enclosure { nan: nan.max(own), ..Enclosure::anything(v) };
    }
    if a.is_point() && b.is_point() && a.lo.is_finite() && b.lo.is_finite() {
        let q = a.lo / b.lo;
        let point = Enclosure { v, lo: q, hi: q, nan };
        // The product of two binary32 numbers is exact, so this tells whether the quotient is.
        let exact = is_single(q) && is_single(b.lo) && q * b.lo == a.lo;
        return if exact { point } else { point.nudged() };
    }
    if a.is_certainly_infinite() && b.is_certainly_infinite() {
        return Enclosure::certain_nan(v);
    }
    corners(v, nan, [a.lo / b.lo, a.lo / b.hi, a.hi / b.lo, a.hi / b.hi])
}

/// The angle of the point (x, y). Over a rectangle that holds neither the origin nor a part of the cut along the
/// negative x axis, it is extreme at corners.
pub(super) fn angle(y: Enclosure, x: Enclosure) -> Enclosure {
    let v = libm::atan2(y.v, x.v);
    if y.nan == Nan::Certain || x.nan == Nan::Certain {
        return Enclosure::certain_nan(v);
    }
    let nan =
        if y.nan == Nan::Impossible && x.nan == Nan::Impossible { Nan::Impossible } else { Nan::Possible };
    let pi = std::f64::consts::PI.next_up();
    if y.straddles_zero() && x.lo <= 0.0 {
        // The sign of a zero, which is not tracked, chooses between pi and -pi.
        return Enclosure { nan, ..Enclosure::of(v, -pi, pi) };
    }
    let values =
        [libm::atan2(y.lo, x.lo), libm::atan2(y.lo, x.hi), libm::atan2(y.hi, x.lo), libm::atan2(y.hi, x.hi)];
    // libm's own error is below an ulp.
    Enclosure { nan, ..corners(v, Nan::Impossible, values) }.nudged().nudged()
}

/// a to the power b: monotone in each argument for a > 0; whole exponents for the rest.
pub(super) fn pow(a: Enclosure, b: Enclosure) -> Enclosure {
    let v = libm::pow(a.v, b.v);
    if a.nan != Nan::Impossible || b.nan != Nan::Impossible {
        // pow(NaN, 0) and pow(1, NaN) are 1, so nothing is certain.
        return Enclosure::anything(v);
    }
    // The power's own error is at most an ulp; three more cover it.
    let widened = |e: Enclosure| e.nudged().nudged().nudged().nudged();
    if a.straddles_zero() && b.lo < 0.0 {
        // An infinity whose sign is that of a zero, which is not tracked.
        return Enclosure::anything(v);
    }
    if a.is_point() && b.is_point() {
        let p = libm::pow(a.lo, b.lo);
        return if p.is_nan() { Enclosure::certain_nan(v) } else { widened(Enclosure::of(v, p, p)) };
    }
    if a.lo > 0.0 {
        let values =
            [libm::pow(a.lo, b.lo), libm::pow(a.lo, b.hi), libm::pow(a.hi, b.lo), libm::pow(a.hi, b.hi)];
        return widened(corners(v, Nan::Impossible, values));
    }
    if b.is_point() && b.lo == b.lo.trunc() && b.lo >= 0.0 {
        let (p, q) = (libm::pow(a.lo, b.lo), libm::pow(a.hi, b.lo));
        let even = b.lo % 2.0 == 0.0;
        let least = if even && a.straddles_zero() { 0.0f64.min(p.min(q)) } else { p.min(q) };
        let least = if b.lo == 0.0 { 1.0 } else { least };
        return widened(Enclosure::of(v, least, p.max(q)));
    }
    if a.lo >= 0.0 && b.lo > 0.0 {
        let values =
            [libm::pow(a.hi, b.lo), libm::pow(a.hi, b.hi), libm::pow(a.lo, b.lo), libm::pow(a.lo, b.hi)];
        return widened(corners(v, Nan::Impossible, values));
    }
    Enclosure::anything(v)
}

/// The larger. A NaN operand may or may not survive: kernels differ.
#[inline]
pub(super) fn max(a: Enclosure, b: Enclosure) -> Enclosure {
    let v = crate::arith::ideal::larger(a.v, b.v);
    if a.nan == Nan::Impossible && b.nan == Nan::Impossible {
        return Enclosure::of(v, a.lo.max(b.lo), a.hi.max(b.hi));
    }
    if a.nan == Nan::Certain && b.nan == Nan::Certain {
        return Enclosure::certain_nan(v);
    }
    // Where one is NaN, the result may be the other alone.
    let lo = match (a.nan, b.nan) {
        (Nan::Impossible, _) => a.lo,
        (_, Nan::Impossible) => b.lo,
        _ => a.lo.min(b.lo),
    };
    Enclosure { v, lo, hi: a.hi.max(b.hi), nan: Nan::Possible }
}

/// How two elements compare, and whether every execution agrees.
pub(super) fn compare(a: Enclosure, b: Enclosure) -> (Comparison, bool) {
    let exact = crate::arith::ideal::comparison(a.v, b.v);
    let numbers = a.nan == Nan::Impossible && b.nan == Nan::Impossible;
    let decided = match exact {
        Comparison::Less => numbers && a.hi < b.lo,
        Comparison::Greater => numbers && a.lo > b.hi,
        Comparison::Equal => numbers && a.lo == a.hi && b.lo == b.hi && a.lo == b.lo,
        Comparison::Unordered => a.nan == Nan::Certain || b.nan == Nan::Certain,
    };
    (exact, decided)
}
