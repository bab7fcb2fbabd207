//! Functions of one enclosure: their range over the interval, then what the kernel may add.

use super::Bound;
use super::enclosure::{Enclosure, Nan, above, below};
use crate::arith::Function;
use crate::arith::bound::elementwise;
use crate::function;
use crate::tolerance::Allowance;

impl Bound {
    /// f(x).
    pub(super) fn function(&self, f: Function, x: Enclosure) -> Enclosure {
        let v = function::value(f, x.v);
        if x.nan == Nan::Certain {
            // max(x, 0) of a NaN is 0 in some kernels.
            let relu = Enclosure { v, lo: 0.0, hi: 0.0, nan: Nan::Possible };
            return if f == Function::Relu { relu } else { Enclosure::certain_nan(v) };
        }
        match f {
            // The linear side of Elu is a copy.
            Function::Elu { .. } if x.lo >= 0.0 && x.nan == Nan::Impossible => return Enclosure { v, ..x },
            Function::Square => return self.register(square(x)),
            Function::LeakyRelu { alpha } => return self.leaky(x, alpha),
            Function::Reciprocal => {
                let exact = elementwise::div(Enclosure::point(1.0), x);
                return self.register(self.allowed(exact, x, self.contract.library.allowance(f)));
            }
            Function::Sqrt if x.is_point() && x.lo >= 0.0 => return self.root(x),
            _ => {}
        }
        let range = function::range_with(f, x.lo, x.hi, (x.v, v));
        if range.lo.is_nan() {
            return Enclosure::certain_nan(v);
        }
        let mut exact = Enclosure { v, lo: range.lo, hi: range.hi, nan: x.nan };
        if range.leaves_domain || function::is_gated(f) && x.lo == f64::NEG_INFINITY {
            exact.nan = Nan::Possible;
        }
        // An exponential beyond f64 is a number all the same, and its logarithm is an ordinary one.
        if matches!(f, Function::Exp | Function::Sinh | Function::Cosh) {
            if x.lo.is_finite() && exact.lo == f64::INFINITY {
                exact.lo = f64::MAX;
            }
            if x.hi.is_finite() && exact.hi == f64::NEG_INFINITY {
                exact.hi = f64::MIN;
            }
        }
        if x.nan == Nan::Possible && f == Function::Relu {
            exact.lo = 0.0;
        }
        if function::is_exact(f) {
            return exact;
        }
        let allowed = self.allowed(exact, x, self.contract.library.allowance(f));
        let (least, greatest) = function::codomain(f);
        self.register(Enclosure { lo: allowed.lo.max(least), hi: allowed.hi.min(greatest), ..allowed })
    }

    /// The exact interval widened by a kernel's allowance.
    pub(super) fn allowed(&self, exact: Enclosure, x: Enclosure, allowance: Allowance) -> Enclosure {
        let unit = self.contract.library.unit();
        let argument = allowance.by_argument * unit * x.magnitude();
        let argument = if argument.is_finite() { argument } else { 0.0 };
        let growth =
            if allowance.growth > 0.0 { allowance.growth * x.magnitude().min(f64::MAX) } else { 0.0 };
        let reach = |y: f64| (allowance.relative + growth) * unit * y.abs() + argument + allowance.floor;
        let mut e = exact;
        if e.lo.is_finite() {
            e.lo = below(e.lo - reach(e.lo));
        }
        if e.hi.is_finite() {
            e.hi = above(e.hi + reach(e.hi));
        }
        if allowance.flush { super::flushed(e) } else { e }
    }

    /// The square root of a single number is a single number when it is exact.
    fn root(&self, x: Enclosure) -> Enclosure {
        let r = x.lo.sqrt();
        let root = Enclosure::of(x.v.sqrt(), r, r);
        let exact = super::enclosure::is_single(r) && r * r == x.lo;
        let allowance = self.contract.library.allowance(Function::Sqrt);
        if allowance == Allowance::NONE {
            return self.register(if exact { root } else { root.nudged() });
        }
        self.register(self.allowed(root, x, allowance))
    }

    /// x for x >= 0, alpha * x below; the slope itself may have been rounded to binary16.
    fn leaky(&self, x: Enclosure, alpha: f64) -> Enclosure {
        let v = function::value(Function::LeakyRelu { alpha }, x.v);
        let positive = Enclosure { v, lo: x.lo.max(0.0), hi: x.hi, nan: x.nan };
        if x.lo >= 0.0 && x.nan == Nan::Impossible {
            return Enclosure { v, ..x };
        }
        // XNNPACK's float16 kernels round the slope, exactly: 0 of 63,488 results differ for each of five slopes.
        let xnnpack = matches!(self.contract.library, crate::tolerance::Library::XnnpackHalf(_));
        let narrow = xnnpack || self.contract.registers == crate::contract::Format::Half;
        let held = if self.contract.rounds_storage { crate::half::round_single(alpha) } else { alpha };
        let rounded = if narrow { crate::half::round(alpha) } else { held };
        let slope = Enclosure::of(alpha, held.min(rounded), held.max(rounded));
        let negative = Enclosure { v, lo: x.lo, hi: x.hi.min(0.0), nan: x.nan };
        let scaled = self.register(Enclosure { v, ..elementwise::mul(negative, slope) });
        if x.hi >= 0.0 { Enclosure { v, ..Enclosure::hull(positive, scaled) } } else { scaled }
    }
}

/// x * x, without the negative corner that a product of independent factors would have.
fn square(x: Enclosure) -> Enclosure {
    let product = elementwise::mul(x, x);
    if x.is_point() {
        return product;
    }
    let (p, q) = (x.lo * x.lo, x.hi * x.hi);
    let least = if x.straddles_zero() { 0.0 } else { p.min(q) };
    Enclosure { lo: below(least), hi: above(p.max(q)), ..product }
}
