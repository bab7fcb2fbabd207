//! Bound arithmetic: an enclosure of every execution that a [`Contract`] allows, beside the exact value.
//!
//! Each operation widens by the rounding of the f64 reference itself (an ulp of f64) and by what the contract allows;
//! storing rounds both ends of the interval, which is exact because rounding is monotone. Single numbers whose result is
//! representable stay single numbers, so an execution on a lattice of small integers is judged bit for bit.

mod dot;
mod elementwise;
mod enclosure;
mod softmax;
mod unary;

pub use enclosure::{Enclosure, Nan};

use crate::arith::{Arith, Comparison, Function};
use crate::contract::{Contract, Format, Runtime};
use crate::half;
use crate::tolerance::Library;
use crate::value::Whole;
use halfproof_ir::DType;
use halfproof_wire::tflite::Builtin;

/// The bound arithmetic of a contract.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    /// What the current kernel promises.
    pub contract: Contract,
    /// Where [`Arith::kernel`] takes the contract of the next operator from; `None` keeps the current one.
    pub runtime: Option<Runtime>,
    /// True for formats without a largest number: what lies outside such a bound and inside the real one is there
    /// because something overflowed.
    pub unbounded: bool,
    /// True for formats without a smallest number: nothing is flushed, and rounding near 0 is as relative as elsewhere.
    pub bottomless: bool,
}

impl Bound {
    /// The bound for a runtime, with the contract of each of its kernels.
    pub fn new(runtime: Runtime) -> Bound {
        Bound { contract: runtime.base(), runtime: Some(runtime), unbounded: false, bottomless: false }
    }

    /// The bound under one contract for every operator. Operators on FLOAT32 tensors are held to binary32 sums and
    /// registers unless the contract forces binary16.
    pub fn under(contract: Contract) -> Bound {
        Bound { contract, runtime: None, unbounded: false, bottomless: false }
    }

    /// The same contracts with formats that have no largest number.
    pub fn without_overflow(self) -> Bound {
        Bound { unbounded: true, ..self }
    }

    /// The same contracts with formats that hold every magnitude: neither overflow nor underflow.
    pub fn without_range(self) -> Bound {
        Bound { unbounded: true, bottomless: true, ..self }
    }

    /// Both ends rounded to a format. Without a largest or smallest number, what would overflow or become subnormal is
    /// off by at most a unit roundoff.
    #[inline]
    fn rounded(&self, e: Enclosure, format: Format) -> Enclosure {
        let (lo, hi) = match self.contract.directed {
            false => (format.round(e.lo), format.round(e.hi)),
            true => (format.round_down(e.lo), format.round_up(e.hi)),
        };
        if !self.unbounded {
            return Enclosure { lo, hi, ..e };
        }
        let unit = self.contract.unit(format) * (1.0 + format.unit());
        let least = if self.bottomless { format.min_normal() } else { 0.0 };
        let kept = |x: f64, rounded: f64, sign: f64| {
            let outside = rounded.is_infinite() && x.is_finite() || x.abs() < least;
            if outside { x + sign * unit * x.abs() } else { rounded }
        };
        Enclosure { lo: kept(e.lo, lo, -1.0), hi: kept(e.hi, hi, 1.0), ..e }
    }

    /// True when subnormal numbers of the format may become zero.
    #[inline]
    fn flushes(&self, format: Format) -> bool {
        match format {
            _ if self.bottomless => false,
            Format::Half => self.contract.flush,
            Format::Single => self.contract.flush_single,
            Format::Double => false,
        }
    }

    /// Both ends rounded to `format`, or not: rounding may be skipped, be wider, or go through binary32 first.
    #[inline(always)]
    fn in_register(&self, e: Enclosure, format: Format) -> Enclosure {
        match format {
            Format::Double => e,
            Format::Single => {
                let r = self.rounded(e, Format::Single);
                let narrow = Enclosure { lo: e.lo.min(r.lo), hi: e.hi.max(r.hi), ..e };
                if self.flushes(Format::Single) { flushed_single(narrow) } else { narrow }
            }
            Format::Half => {
                let single = self.rounded(e, Format::Single);
                let wide = Enclosure { lo: e.lo.min(single.lo), hi: e.hi.max(single.hi), ..e };
                let r = self.rounded(wide, Format::Half);
                let narrow = Enclosure { lo: wide.lo.min(r.lo), hi: wide.hi.max(r.hi), ..e };
                if self.flushes(Format::Half) { flushed(narrow) } else { narrow }
            }
        }
    }

    #[inline]
    fn register(&self, e: Enclosure) -> Enclosure {
        self.in_register(e, self.contract.registers)
    }
}

/// Zero joins an interval that reaches into the subnormal numbers.
#[inline]
fn flushed(e: Enclosure) -> Enclosure {
    flushed_below(e, half::MIN_NORMAL)
}

/// The same for binary32. A number just below the normal ones may be flushed before it is rounded to one of them.
#[inline]
pub(crate) fn flushed_single(e: Enclosure) -> Enclosure {
    flushed_below(e, f64::from(f32::MIN_POSITIVE).next_up())
}

#[inline]
fn flushed_below(mut e: Enclosure, least: f64) -> Enclosure {
    if e.lo > 0.0 && e.lo < least {
        e.lo = 0.0;
    }
    if e.hi < 0.0 && e.hi > -least {
        e.hi = 0.0;
    }
    e
}

impl Arith for Bound {
    type E = Enclosure;

    fn kernel(&self, builtin: Builtin, dtype: DType) -> Bound {
        let contract = match self.runtime {
            Some(runtime) => runtime.kernel(builtin, dtype),
            None if dtype == DType::F16 || self.contract.force_f16 || !self.contract.rounds_storage => {
                self.contract
            }
            None => {
                let c = self.contract;
                Contract {
                    registers: c.registers.max(Format::Single),
                    intermediates: c.intermediates.max(Format::Single),
                    accumulator: c.accumulator.max(Format::Single),
                    ..c
                }
            }
        };
        Bound { contract, ..*self }
    }

    fn exact(&self, x: f64) -> Enclosure {
        Enclosure::point(x)
    }

    fn option(&self, x: f32) -> Enclosure {
        let x = f64::from(x);
        // A runtime computes with what is stored; meaning is a question of what was meant.
        let off = if self.contract.rounds_storage { 0.0 } else { 0.5 * half::ulp_single(x) };
        Enclosure { lo: x - off, hi: x + off, ..Enclosure::point(x) }
    }

    fn tabulated(&self, x: f64) -> Enclosure {
        let point = Enclosure::point(x);
        // A sum of cosines that cancels, as at the ends of a Blackman window, is what f64 makes of it.
        if !self.contract.rounds_storage {
            let off = 4.0 * f64::EPSILON;
            return Enclosure { lo: x - off, hi: x + off, ..point };
        }
        match self.contract.library {
            // A sum of cosines of numbers up to 2π, in binary32.
            Library::Tract => {
                let off = 16.0 * self.contract.library.unit();
                Enclosure { lo: x - off, hi: x + off, ..point }
            }
            _ => point,
        }
    }

    fn folded(&self, x: Enclosure, dtype: DType) -> Enclosure {
        Enclosure::hull(x, Enclosure::point(half::nearest(x.v, dtype)))
    }

    fn centre(&self, x: Enclosure) -> f64 {
        x.v
    }

    #[inline]
    fn store(&self, x: Enclosure, dtype: DType) -> Enclosure {
        if !self.contract.rounds_storage {
            return x;
        }
        match dtype {
            DType::F32 if !self.contract.force_f16 => {
                let rounded = self.rounded(x, Format::Single);
                if self.flushes(Format::Single) { flushed_single(rounded) } else { rounded }
            }
            DType::F16 | DType::F32 => {
                let mut rounded = self.rounded(x, Format::Half);
                if self.contract.excess {
                    (rounded.lo, rounded.hi) = (rounded.lo.min(x.lo), rounded.hi.max(x.hi));
                }
                // Flushing may look at the number before it is rounded.
                if self.flushes(Format::Half) {
                    let lo = if flushed(x).lo == 0.0 { rounded.lo.min(0.0) } else { rounded.lo };
                    let hi = if flushed(x).hi == 0.0 { rounded.hi.max(0.0) } else { rounded.hi };
                    return flushed(Enclosure { lo, hi, ..rounded });
                }
                rounded
            }
            _ => x,
        }
    }

    #[inline]
    fn intermediate(&self, x: Enclosure) -> Enclosure {
        self.in_register(x, self.contract.intermediates)
    }

    #[inline]
    fn add(&self, a: Enclosure, b: Enclosure) -> Enclosure {
        self.register(elementwise::add(a, b))
    }

    #[inline]
    fn sub(&self, a: Enclosure, b: Enclosure) -> Enclosure {
        self.register(elementwise::add(a, elementwise::negated(b)))
    }

    #[inline]
    fn mul(&self, a: Enclosure, b: Enclosure) -> Enclosure {
        self.register(elementwise::mul(a, b))
    }

    fn div(&self, a: Enclosure, b: Enclosure) -> Enclosure {
        let exact = elementwise::div(a, b);
        // IEEE 754 rounds a quotient correctly; a shader need not.
        match self.contract.library {
            library @ Library::Wgsl(_) => {
                self.register(self.allowed(exact, a, library.allowance(Function::Reciprocal)))
            }
            _ => self.register(exact),
        }
    }

    fn pow(&self, a: Enclosure, b: Enclosure) -> Enclosure {
        let exact = elementwise::pow(a, b);
        let exponent = b.magnitude();
        let logarithm = exponent * a.lo.abs().log2().abs().max(a.hi.abs().log2().abs());
        self.register(self.allowed(exact, a, self.contract.library.power(exponent, logarithm)))
    }

    fn angle(&self, y: Enclosure, x: Enclosure) -> Enclosure {
        let exact = elementwise::angle(y, x);
        self.register(self.allowed(exact, y, self.contract.library.allowance(Function::Atan)))
    }

    fn max(&self, a: Enclosure, b: Enclosure) -> Enclosure {
        let larger = elementwise::max(a, b);
        // Kernels differ in whether a NaN survives; our interpreter keeps it.
        let nan = larger.nan != Nan::Impossible && self.contract.library == Library::Exact;
        if nan && (a.nan == Nan::Certain || b.nan == Nan::Certain) {
            return Enclosure::certain_nan(larger.v);
        }
        larger
    }

    fn min(&self, a: Enclosure, b: Enclosure) -> Enclosure {
        elementwise::negated(self.max(elementwise::negated(a), elementwise::negated(b)))
    }

    fn apply(&self, f: Function, x: Enclosure) -> Enclosure {
        self.function(f, x)
    }

    fn dot(&self, a: &[Enclosure], b: &[Enclosure], start: Option<Enclosure>) -> Enclosure {
        self.dot_product(a, b, start)
    }

    fn sum(&self, a: &[Enclosure]) -> Enclosure {
        self.total(a)
    }

    fn mean(&self, a: &[Enclosure]) -> Enclosure {
        self.average(a)
    }

    fn blend(&self, a: &[Enclosure], weights: &[f64]) -> Enclosure {
        self.interpolation(a, weights)
    }

    fn softmax(&self, row: &[Enclosure], beta: f64, log: bool) -> Vec<Enclosure> {
        self.softmax_row(row, beta, log)
    }

    fn compare(&self, a: Enclosure, b: Enclosure) -> (Comparison, bool) {
        elementwise::compare(a, b)
    }

    fn is_nan(&self, x: Enclosure) -> (bool, bool) {
        let exact = x.v.is_nan();
        (exact, x.nan == if exact { Nan::Certain } else { Nan::Impossible })
    }

    fn either(&self, a: Enclosure, b: Enclosure) -> Enclosure {
        Enclosure::hull(a, b)
    }

    fn unknown(&self, likely: Enclosure) -> Enclosure {
        Enclosure::anything(likely.v)
    }

    fn extremum_among(&self, x: Enclosure, run: &[Enclosure]) -> Enclosure {
        let x = self.extremum(x);
        if x.nan != Nan::Possible {
            return x;
        }
        // Of NaN alone a kernel gives what it started from.
        if run.iter().all(|e| e.nan != Nan::Impossible) {
            return self.unknown(x);
        }
        // The ends of a NaN are NaN, which min and max pass over.
        run.iter().fold(x, |x, e| Enclosure { lo: x.lo.min(e.lo), hi: x.hi.max(e.hi), ..x })
    }

    fn truncate(&self, x: Enclosure) -> Whole {
        let value = x.v as i64;
        let decided = x.is_finite() && x.lo.trunc() == x.hi.trunc() && x.lo as i64 == value;
        Whole { value, decided }
    }
}

#[cfg(test)]
mod tests;
