//! One bounded element: the exact value, the interval of every allowed execution, and whether NaN can occur.

use crate::half;

/// Whether an element can be NaN. Kept beside the interval: an operation that shrinks an infinite interval to a finite
/// one (a clip) does not make a NaN impossible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Nan {
    /// No allowed execution gives NaN.
    Impossible,
    /// Some may.
    Possible,
    /// All do.
    Certain,
}

/// An element of the bound arithmetic.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Enclosure {
    /// The value of the exact computation, in f64. Usually inside the interval, not always: rounding a single number is
    /// deterministic, so the interval may be one point beside it.
    pub v: f64,
    /// Least value of any allowed execution; -inf when one may overflow that way. Meaningless when NaN is certain.
    pub lo: f64,
    /// Greatest value of any allowed execution; +inf when one may overflow that way. Meaningless when NaN is certain.
    pub hi: f64,
    /// Whether NaN can occur.
    pub nan: Nan,
}

impl Enclosure {
    /// A number that every execution holds exactly.
    #[inline]
    pub fn point(x: f64) -> Enclosure {
        let nan = if x.is_nan() { Nan::Certain } else { Nan::Impossible };
        Enclosure { v: x, lo: x, hi: x, nan }
    }

    /// An enclosure without NaN.
    #[inline]
    pub(crate) fn of(v: f64, lo: f64, hi: f64) -> Enclosure {
        Enclosure { v, lo, hi, nan: Nan::Impossible }
    }

    /// Nothing is known but the exact value.
    pub fn anything(v: f64) -> Enclosure {
        Enclosure { v, lo: f64::NEG_INFINITY, hi: f64::INFINITY, nan: Nan::Possible }
    }

    /// Every execution gives NaN.
    pub(crate) fn certain_nan(v: f64) -> Enclosure {
        Enclosure { v, lo: f64::NAN, hi: f64::NAN, nan: Nan::Certain }
    }

    /// True when every execution gives the same number.
    #[inline]
    pub fn is_point(&self) -> bool {
        self.lo == self.hi && self.nan == Nan::Impossible
    }

    /// True when every execution gives a finite number.
    #[inline]
    pub fn is_finite(&self) -> bool {
        self.nan == Nan::Impossible && (self.hi - self.lo).is_finite() && self.lo.is_finite()
    }

    /// True when an execution may give +inf or -inf.
    pub fn may_be_infinite(&self) -> bool {
        self.nan != Nan::Certain && (self.lo == f64::NEG_INFINITY || self.hi == f64::INFINITY)
    }

    /// True when every execution gives an infinity of one sign.
    pub fn is_certainly_infinite(&self) -> bool {
        self.nan == Nan::Impossible && self.lo == self.hi && self.lo.is_infinite()
    }

    /// True when an allowed execution may give `actual`. Zeros of both signs are the same.
    #[inline]
    pub fn contains(&self, actual: f64) -> bool {
        if actual.is_nan() {
            return self.nan != Nan::Impossible;
        }
        self.nan != Nan::Certain && self.lo <= actual && actual <= self.hi
    }

    /// True when zero is possible.
    #[inline]
    pub(crate) fn straddles_zero(&self) -> bool {
        self.lo <= 0.0 && self.hi >= 0.0
    }

    /// Largest magnitude.
    #[inline]
    pub(crate) fn magnitude(&self) -> f64 {
        self.lo.abs().max(self.hi.abs())
    }

    /// The larger distance from the exact value to an end: the error bound of the element. Infinite where an execution
    /// may overflow or be NaN.
    pub fn radius(&self) -> f64 {
        let radius = (self.hi - self.v).max(self.v - self.lo);
        if self.nan == Nan::Impossible && !radius.is_nan() { radius.max(0.0) } else { f64::INFINITY }
    }

    /// How far `actual` is from the exact value in units of the bound: above 1 is outside. 0 for an exact hit, infinite
    /// for a value that the class of the bound (finite, NaN) excludes.
    pub fn ratio(&self, actual: f64) -> f64 {
        if actual == self.v {
            return 0.0;
        }
        let comparable = actual.is_finite() && self.is_finite();
        if !comparable && !self.contains(actual) {
            return f64::INFINITY;
        }
        if !actual.is_finite() || !self.radius().is_finite() {
            return 0.0;
        }
        let (error, side) = if actual > self.v {
            (actual - self.v, self.hi - self.v)
        } else {
            (self.v - actual, self.v - self.lo)
        };
        if side > 0.0 {
            error / side
        } else if self.contains(actual) {
            1.0
        } else {
            f64::INFINITY
        }
    }

    /// The join of two elements, with the exact value of the first.
    pub(crate) fn hull(a: Enclosure, b: Enclosure) -> Enclosure {
        let nan = match (a.nan, b.nan) {
            (Nan::Certain, Nan::Certain) => return a,
            (Nan::Impossible, Nan::Impossible) => Nan::Impossible,
            _ => Nan::Possible,
        };
        // f64::min and f64::max ignore the NaN ends of a certain NaN.
        Enclosure { v: a.v, lo: a.lo.min(b.lo), hi: a.hi.max(b.hi), nan }
    }

    /// One ulp of f64 outwards: covers the rounding of the reference itself.
    #[inline]
    pub(crate) fn nudged(self) -> Enclosure {
        Enclosure { lo: below(self.lo), hi: above(self.hi), ..self }
    }
}

impl Enclosure {
    /// [`Enclosure::nudged`] of finite ends.
    #[inline]
    pub(crate) fn nudged_finite(self) -> Enclosure {
        let (lo, hi) = (self.lo, self.hi);
        Enclosure { lo: lo - lo.abs() * f64::EPSILON, hi: hi + hi.abs() * f64::EPSILON, ..self }
    }
}

/// At most the real number that was rounded to `x`.
#[inline]
pub(crate) fn below(x: f64) -> f64 {
    if x.is_finite() { x - x.abs() * f64::EPSILON } else { x }
}

/// At least the real number that was rounded to `x`.
#[inline]
pub(crate) fn above(x: f64) -> f64 {
    if x.is_finite() { x + x.abs() * f64::EPSILON } else { x }
}

/// True when binary32 holds `x`: products of two such numbers are exact in f64.
#[inline]
pub(crate) fn is_single(x: f64) -> bool {
    half::round_single(x) == x
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_contains_what_it_says() {
        let e = Enclosure::of(1.0, 0.5, 1.5);
        assert!(e.contains(0.5) && e.contains(1.5) && !e.contains(1.6) && !e.contains(f64::NAN));
        assert!(!e.contains(f64::INFINITY));
        assert!(Enclosure::anything(0.0).contains(f64::NAN));
        assert!(Enclosure::certain_nan(f64::NAN).contains(f64::NAN));
        assert!(!Enclosure::certain_nan(f64::NAN).contains(0.0));
        assert!(Enclosure::point(0.0).contains(-0.0));
    }

    #[test]
    fn the_ratio_passes_one_exactly_where_the_bound_ends() {
        let e = Enclosure::of(1.0, 0.5, 2.0);
        assert_eq!(e.ratio(2.0), 1.0);
        assert_eq!(e.ratio(0.75), 0.5);
        assert_eq!(e.ratio(0.0), 2.0);
        assert_eq!(e.ratio(f64::NAN), f64::INFINITY);
        assert_eq!(Enclosure::point(3.0).ratio(3.0), 0.0);
        assert_eq!(Enclosure::point(3.0).ratio(3.5), f64::INFINITY);
        assert_eq!(Enclosure::of(1.0, 1.25, 1.25).ratio(1.25), 1.0);
    }

    #[test]
    fn a_hull_with_a_certain_nan_keeps_the_numbers_of_the_other() {
        let e = Enclosure::hull(Enclosure::of(1.0, 0.0, 2.0), Enclosure::certain_nan(f64::NAN));
        assert_eq!((e.lo, e.hi, e.nan), (0.0, 2.0, Nan::Possible));
    }
}
