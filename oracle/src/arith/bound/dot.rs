//! Sums and dot products: rounding in any order is at most n u sum |a b|.
//!
//! The a-priori bound |error| <= n u sum |a_i b_i| holds for every order of summation and every n, without the
//! denominator of gamma_n (Jeannerod and Rump, *Improved error bounds for inner products in floating-point arithmetic*,
//! SIAM J. Matrix Anal. Appl. 34, 2013); fused multiply-adds only remove roundings. A start value counts as one more
//! term. binary16 partial sums add an absolute term for products in the subnormal range and can overflow on the way.

use super::Bound;
use super::elementwise;
use super::enclosure::{Enclosure, Nan};
use crate::contract::{Format, Growth};
use crate::half;
use crate::tolerance::Library;

/// What one pass over the terms collects.
#[derive(Clone, Copy, Default)]
struct Totals {
    /// Sum of the exact values.
    exact: f64,
    /// Sum of the products of the interval middles.
    middle: f64,
    /// Sum of the magnitudes of those.
    middles: f64,
    /// Sum of the largest magnitudes of the terms.
    largest: f64,
    /// Zero while every element is a single number.
    widths: u64,
    /// The worst NaN state.
    nan: u8,
}

impl Totals {
    #[inline]
    fn take(&mut self, a: &Enclosure, b: &Enclosure) {
        self.exact += a.v * b.v;
        let (p, q) = (a.lo + a.hi, b.lo + b.hi);
        let term = p * q;
        self.middle += term;
        self.middles += term.abs();
        self.largest += reach(a) * reach(b);
        self.widths |= (a.lo.to_bits() ^ a.hi.to_bits()) | (b.lo.to_bits() ^ b.hi.to_bits());
        self.nan |= a.nan as u8 | b.nan as u8;
    }

    #[inline]
    fn take_term(&mut self, a: &Enclosure) {
        self.exact += a.v;
        let p = a.lo + a.hi;
        self.middle += p;
        self.middles += p.abs();
        self.largest += reach(a);
        self.widths |= a.lo.to_bits() ^ a.hi.to_bits();
        self.nan |= a.nan as u8;
    }
}

/// [`Enclosure::magnitude`] of an element that is no NaN; those of NaN do not count, for `irregular` looks at such terms again.
#[inline]
fn reach(e: &Enclosure) -> f64 {
    let (lo, hi) = (e.lo.abs(), e.hi.abs());
    if lo > hi { lo } else { hi }
}

/// Two passes interleaved, so that the additions of one do not wait for those of the other.
fn totals(a: &[Enclosure], b: &[Enclosure]) -> Totals {
    let (mut even, mut odd) = (Totals::default(), Totals::default());
    let (a2, a_rest) = a.as_chunks::<2>();
    let (b2, b_rest) = b.as_chunks::<2>();
    for (x, y) in a2.iter().zip(b2) {
        even.take(&x[0], &y[0]);
        odd.take(&x[1], &y[1]);
    }
    for (x, y) in a_rest.iter().zip(b_rest) {
        even.take(x, y);
    }
    Totals {
        exact: even.exact + odd.exact,
        middle: (even.middle + odd.middle) * 0.25,
        middles: (even.middles + odd.middles) * 0.25,
        largest: even.largest + odd.largest,
        widths: even.widths | odd.widths,
        nan: even.nan | odd.nan,
    }
}

impl Bound {
    /// start + sum of a[i] b[i].
    pub(super) fn dot_product(
        &self,
        a: &[Enclosure],
        b: &[Enclosure],
        start: Option<Enclosure>,
    ) -> Enclosure {
        debug_assert_eq!(a.len(), b.len());
        let mut t = totals(a, b);
        if let Some(s) = start {
            t.exact += s.v;
            let middle = s.lo.midpoint(s.hi);
            t.middle += middle;
            t.middles += middle.abs();
            t.largest += s.magnitude();
            t.widths |= s.lo.to_bits() ^ s.hi.to_bits();
            t.nan |= s.nan as u8;
        }
        let terms = a.len() + usize::from(start.is_some());
        if t.nan != 0 || !t.largest.is_finite() {
            let products = a.iter().zip(b).map(|(&x, &y)| elementwise::mul(x, y));
            return self.irregular(products.chain(start), t.exact, terms);
        }
        if t.widths == 0 {
            let granules = a.iter().zip(b).map(|(x, y)| granule(x.lo) + granule(y.lo));
            if self.is_exact_sum(granules.chain(start.map(|s| granule(s.lo))), t.largest) {
                return Enclosure::of(t.exact, t.middle, t.middle);
            }
        }
        self.rounded_sum(t, terms, true)
    }

    /// Sum of a[i].
    pub(super) fn total(&self, a: &[Enclosure]) -> Enclosure {
        let mut t = Totals::default();
        a.iter().for_each(|x| t.take_term(x));
        t.middle *= 0.5;
        t.middles *= 0.5;
        if t.nan != 0 || !t.largest.is_finite() {
            return self.irregular(a.iter().copied(), t.exact, a.len());
        }
        if a.is_empty() {
            return Enclosure::point(0.0);
        }
        if let [only] = a {
            return self.in_register(*only, self.contract.accumulator);
        }
        if t.widths == 0 && self.is_exact_sum(a.iter().map(|x| granule(x.lo)), t.largest) {
            return Enclosure::of(t.exact, t.middle, t.middle);
        }
        // A term that the accumulator cannot hold is rounded when it enters, like a product.
        let held = t.widths == 0 && a.iter().all(|x| self.contract.accumulator.round(x.lo) == x.lo);
        if self.contract.accumulator != Format::Half || held {
            return self.rounded_sum(t, a.len() - 1, false);
        }
        self.rounded_sum(t, a.len(), true)
    }

    /// The interval around the middle that holds the terms' own intervals and every rounding.
    fn rounded_sum(&self, t: Totals, roundings: usize, products: bool) -> Enclosure {
        let accumulator = self.contract.accumulator;
        let n = roundings as f64;
        // The reference: n additions and as many multiplications in f64, each of the three sums.
        let reference = 3.0 * (n + 2.0) * f64::EPSILON * t.largest;
        let spread = (t.largest - t.middles).max(0.0);
        let rounding = self.growth(n) * self.contract.unit(accumulator) * t.largest;
        let underflow = if products { n * self.loss_of_a_product() } else { self.loss_of_a_sum(n) };
        let reach = (spread + rounding + underflow + reference) * (1.0 + 4.0 * f64::EPSILON);
        if t.largest + reach >= accumulator.largest() && !self.unbounded {
            return Enclosure::anything(t.exact);
        }
        let least = if t.middle == t.largest { 0.0 } else { f64::NEG_INFINITY };
        Enclosure::of(t.exact, (t.middle - reach).max(least), t.middle + reach)
    }

    /// n, or the statistical factor times its root.
    fn growth(&self, n: f64) -> f64 {
        match self.contract.growth {
            Growth::WorstCase => n,
            Growth::Statistical { factor } => n.min(factor * n.sqrt()),
        }
    }

    /// What a product (and the sum that takes it) can lose in the subnormal range of the accumulator.
    fn loss_of_a_product(&self) -> f64 {
        if self.bottomless {
            return 0.0;
        }
        let format = self.contract.accumulator;
        let flush = if self.flushes(format) { 2.0 * format.min_normal() } else { 0.0 };
        format.underflow() + flush
    }

    /// Sums in the subnormal range are exact unless they are flushed.
    fn loss_of_a_sum(&self, n: f64) -> f64 {
        let format = self.contract.accumulator;
        if self.flushes(format) { n * format.min_normal() } else { 0.0 }
    }

    /// True when every partial sum, in any order, is representable in the accumulator: all terms are multiples of one
    /// power of two and their magnitudes sum to at most 2^precision times it. `largest` is that sum.
    fn is_exact_sum(&self, granules: impl Iterator<Item = i32>, largest: f64) -> bool {
        let accumulator = self.contract.accumulator;
        if accumulator == Format::Double {
            return false;
        }
        if largest == 0.0 {
            return true;
        }
        // Least exponent of a granule that makes the sum exact.
        let limit = (half::exponent(largest) + 1 - accumulator.precision()).max(match accumulator {
            Format::Half if self.contract.flush => -14,
            Format::Half => -24,
            _ => -126,
        });
        largest <= accumulator.largest() && granules.into_iter().all(|g| g >= limit)
    }

    /// Terms with infinities or NaN: the finite ones bound the sum, the others decide what else can happen.
    fn irregular(&self, terms: impl Iterator<Item = Enclosure>, v: f64, count: usize) -> Enclosure {
        let (mut up, mut down) = (false, false);
        let (mut certain_up, mut certain_down) = (false, false);
        let mut nan = Nan::Impossible;
        let mut t = Totals::default();
        for term in terms {
            nan = nan.max(term.nan);
            if term.nan == Nan::Certain {
                return Enclosure::certain_nan(v);
            }
            up |= term.hi == f64::INFINITY;
            down |= term.lo == f64::NEG_INFINITY;
            certain_up |= term.lo == f64::INFINITY && term.nan == Nan::Impossible;
            certain_down |= term.hi == f64::NEG_INFINITY && term.nan == Nan::Impossible;
            let finite = |x: f64| if x.is_finite() { x } else { 0.0 };
            t.take_term(&Enclosure {
                v: finite(term.v),
                lo: finite(term.lo),
                hi: finite(term.hi),
                nan: term.nan,
            });
        }
        if certain_up && certain_down {
            return Enclosure::certain_nan(v);
        }
        if up && down {
            return Enclosure { nan: Nan::Possible, ..Enclosure::anything(v) };
        }
        t.middle *= 0.5;
        t.middles *= 0.5;
        let sum = self.rounded_sum(t, count, true);
        if sum.may_be_infinite() {
            return Enclosure::anything(v);
        }
        let lo = if down {
            f64::NEG_INFINITY
        } else if certain_up {
            f64::INFINITY
        } else {
            sum.lo
        };
        let hi = if up {
            f64::INFINITY
        } else if certain_down {
            f64::NEG_INFINITY
        } else {
            sum.hi
        };
        Enclosure { v, lo, hi, nan }
    }

    /// The sum divided by the count, or multiplied by its rounded reciprocal.
    pub(super) fn average(&self, a: &[Enclosure]) -> Enclosure {
        let count = a.len() as f64;
        if self.contract.library == Library::Exact {
            // Our interpreter divides the sum, as its accumulator holds it, once.
            return self.register(elementwise::div(self.total(a), Enclosure::point(count)));
        }
        // The sum is divided in the format it was accumulated in: only what a kernel sums in binary16 overflows there.
        let sum = self.total(a);
        let mean = elementwise::div(sum, Enclosure::point(count));
        // A kernel may multiply by the rounded reciprocal of the count, and that of a power of two is exact.
        if a.len().is_power_of_two() && self.contract.library == Library::Double {
            return self.register(mean);
        }
        // It may also scale the elements, or parts of their sum, before it adds them, so the error follows their size, not
        // that of the mean; and a sum that is exact by itself is then one of rounded terms.
        let size = a.iter().map(Enclosure::magnitude).sum::<f64>() / count;
        let is_exact = sum.lo == sum.hi;
        let c = &self.contract;
        let additions = if is_exact { count * c.unit(c.accumulator) } else { 0.0 };
        let reach = (additions + 4.0 * c.unit(c.registers)) * size;
        let reach = if size.is_finite() { reach } else { 0.0 };
        self.register(Enclosure { lo: mean.lo - reach, hi: mean.hi + reach, ..mean })
    }

    /// A weighted sum whose weights come from coordinates: each formula rounds a few times per element and weight.
    pub(super) fn interpolation(&self, a: &[Enclosure], weights: &[f64]) -> Enclosure {
        let points: Vec<Enclosure> = weights.iter().map(|&w| Enclosure::point(w)).collect();
        let exact = self.dot_product(a, &points, None);
        // A single weight of one copies; interpolation between equal numbers does not round either, but kernels differ.
        if weights.iter().filter(|&&w| w != 0.0).count() <= 1 && weights.contains(&1.0) {
            return exact;
        }
        let touched: f64 =
            a.iter().zip(weights).filter(|(_, w)| **w != 0.0).map(|(x, _)| x.magnitude()).sum();
        // Coordinates are computed in binary32; a step is a difference, a product and a sum in a register.
        let c = &self.contract;
        let reach = (4.0 * c.unit(c.registers) + 8.0 * c.unit(Format::Single)) * touched;
        if !reach.is_finite() || !exact.is_finite() {
            return exact;
        }
        self.register(Enclosure { lo: exact.lo - reach, hi: exact.hi + reach, ..exact })
    }
}

/// The exponent of the lowest set bit of x: x is an integer multiple of 2^granule. Large for zero, so that it never
/// limits.
#[inline]
fn granule(x: f64) -> i32 {
    if x == 0.0 {
        return 1 << 20;
    }
    let bits = x.to_bits();
    let significand = bits & ((1 << 52) - 1);
    half::exponent(x) - 52 + if significand == 0 { 52 } else { significand.trailing_zeros().cast_signed() }
}
