//! What each [`Function`] is worth in f64, to within a few units in the last place, tails included.
//!
//! Transcendental functions come from `libm` (never from `std`, whose results differ between platforms), so a verdict
//! is the same everywhere. No form here subtracts nearly equal numbers.

use crate::arith::Function;
use std::f64::consts::FRAC_1_SQRT_2;

/// sqrt(2 / pi), of the tanh approximation of Gelu.
const SQRT_2_OVER_PI: f64 = 0.797_884_560_802_865_4;
/// The cubic coefficient of the tanh approximation of Gelu.
const GELU_CUBIC: f64 = 0.044_715;

/// f(x) in f64. NaN for a NaN and outside the domain.
pub fn value(f: Function, x: f64) -> f64 {
    match f {
        Function::Exp => libm::exp(x),
        Function::Log => libm::log(x),
        Function::Sqrt => x.sqrt(),
        Function::Rsqrt => 1.0 / x.sqrt(),
        Function::Reciprocal => 1.0 / x,
        Function::Sin => libm::sin(x),
        Function::Cos => libm::cos(x),
        Function::Tan => libm::tan(x),
        Function::Asin => libm::asin(x),
        Function::Acos => libm::acos(x),
        Function::Atan => libm::atan(x),
        Function::Sinh => libm::sinh(x),
        Function::Cosh => libm::cosh(x),
        Function::Tanh => libm::tanh(x),
        Function::Asinh => libm::asinh(x),
        Function::Acosh => acosh(x),
        Function::Atanh => atanh(x),
        Function::Logistic => logistic(x),
        Function::Erf => libm::erf(x),
        Function::Floor => x.floor(),
        Function::Ceil => x.ceil(),
        Function::Round => x.round_ties_even(),
        Function::Sign => sign(x),
        Function::Abs => x.abs(),
        Function::Neg => -x,
        Function::Square => x * x,
        Function::Relu => relu(x),
        Function::LeakyRelu { alpha } => leaky(x, alpha),
        Function::Elu { alpha } => elu(x, alpha),
        Function::Gelu => gelu(x),
        Function::GeluTanh => gelu_tanh(x),
        Function::HardSwish => hard_swish(x),
        Function::Softplus => softplus(x),
        Function::Mish => mish(x),
    }
}

/// log(x + sqrt(x^2 - 1)), as log1p of what exceeds 1, which keeps its relative accuracy next to 1.
fn acosh(x: f64) -> f64 {
    if x < 1.0 {
        f64::NAN
    } else if x > 2.0 {
        libm::acosh(x)
    } else {
        let t = x - 1.0;
        libm::log1p(t + (2.0 * t + t * t).sqrt())
    }
}

/// log((1 + x) / (1 - x)) / 2, as log1p(2 x / (1 - x)) / 2 of |x|.
fn atanh(x: f64) -> f64 {
    let a = x.abs();
    let y = 0.5 * libm::log1p(2.0 * a / (1.0 - a));
    if x < 0.0 { -y } else { y }
}

fn relu(x: f64) -> f64 {
    if x < 0.0 { 0.0 } else { x }
}

fn leaky(x: f64, alpha: f64) -> f64 {
    if x < 0.0 { alpha * x } else { x }
}

fn elu(x: f64, alpha: f64) -> f64 {
    if x < 0.0 { alpha * libm::expm1(x) } else { x }
}

fn sign(x: f64) -> f64 {
    if x > 0.0 {
        1.0
    } else if x < 0.0 {
        -1.0
    } else {
        x
    }
}

/// 1 / (1 + exp(-x)), with exp of a negative number on both sides.
pub(crate) fn logistic(x: f64) -> f64 {
    if x >= 0.0 {
        1.0 / (1.0 + libm::exp(-x))
    } else {
        let e = libm::exp(x);
        e / (1.0 + e)
    }
}

/// log(1 + exp(x)) = max(x, 0) + log1p(exp(-|x|)).
fn softplus(x: f64) -> f64 {
    relu(x) + libm::log1p(libm::exp(-x.abs()))
}

/// x Phi(x) with Phi(x) = erfc(-x / sqrt 2) / 2, which keeps its relative accuracy in the lower tail.
fn gelu(x: f64) -> f64 {
    scaled(x, 0.5 * libm::erfc(-x * FRAC_1_SQRT_2))
}

/// 0.5 (1 + tanh(z)) = logistic(2 z), which keeps its relative accuracy in the lower tail.
fn gelu_tanh(x: f64) -> f64 {
    scaled(x, logistic(2.0 * SQRT_2_OVER_PI * (x + GELU_CUBIC * x * x * x)))
}

fn hard_swish(x: f64) -> f64 {
    scaled(x, (x + 3.0).clamp(0.0, 6.0) / 6.0)
}

/// tanh(log(1 + e)) = ((1 + e)^2 - 1) / ((1 + e)^2 + 1), expanded so that nothing cancels.
fn mish(x: f64) -> f64 {
    let gate = if x >= 0.0 {
        let n = libm::exp(-x);
        (1.0 + 2.0 * n) / (1.0 + 2.0 * n + 2.0 * n * n)
    } else {
        let e = libm::exp(x);
        (e * e + 2.0 * e) / (e * e + 2.0 * e + 2.0)
    };
    scaled(x, gate)
}

/// x times a gate in [0, 1]; the limit 0 where x is -inf and the gate 0.
fn scaled(x: f64, gate: f64) -> f64 {
    if x == f64::NEG_INFINITY { -0.0 } else { x * gate }
}

/// The values that f takes on an interval, in f64 and outwards.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// At most the least value; NaN when there is none.
    pub lo: f64,
    /// At least the greatest value; NaN when there is none.
    pub hi: f64,
    /// True when part of the interval is outside the domain.
    pub leaves_domain: bool,
}

/// True for the functions whose value is exact in any format that holds the argument (no kernel rounds them).
pub fn is_exact(f: Function) -> bool {
    use Function::*;
    matches!(f, Floor | Ceil | Round | Sign | Abs | Neg | Relu)
}

/// True for the functions that IEEE 754 wants correctly rounded, or that are one multiplication.
pub fn is_basic(f: Function) -> bool {
    matches!(f, Function::Sqrt | Function::Reciprocal | Function::Square | Function::LeakyRelu { .. })
}

/// Where f turns: the points that can hold an extremum inside an interval.
fn turning_points(f: Function) -> &'static [f64] {
    match f {
        Function::Abs
        | Function::Square
        | Function::Cosh
        | Function::LeakyRelu { .. }
        | Function::Elu { .. } => &[0.0],
        Function::Gelu => &[-0.751_791_524_693_564_4],
        Function::GeluTanh => &[-0.752_461_422_071_016_3],
        Function::HardSwish => &[-3.0, -1.5],
        Function::Mish => &[-1.192_431_214_515_495_2],
        _ => &[],
    }
}

/// True for x times a gate: a kernel may multiply -inf by the gate's 0, which is NaN and not the limit 0.
pub fn is_gated(f: Function) -> bool {
    matches!(f, Function::Gelu | Function::GeluTanh | Function::HardSwish | Function::Mish)
}

/// Bounds that no correct value of f passes, whatever the argument.
pub fn codomain(f: Function) -> (f64, f64) {
    use Function::*;
    match f {
        Exp | Sqrt | Abs | Square | Relu | Softplus | Acosh => (0.0, f64::INFINITY),
        Cosh => (1.0, f64::INFINITY),
        Sin | Cos | Tanh | Erf | Sign => (-1.0, 1.0),
        Logistic => (0.0, 1.0),
        _ => (f64::NEG_INFINITY, f64::INFINITY),
    }
}

/// Relative error that [`value`] may have, generously: the libm functions are within an ulp, and what surrounds them
/// adds a few; the tail of Gelu amplifies the rounding of its argument by x^2.
fn relative_slack(f: Function, x: f64) -> f64 {
    const ULP: f64 = f64::EPSILON;
    match f {
        _ if is_exact(f) => 0.0,
        Function::Gelu | Function::GeluTanh => {
            ULP * (8.0 + 2.0 * x * x + if x < 0.0 { x.abs().powi(3) } else { 0.0 })
        }
        _ => 8.0 * ULP,
    }
}

/// Where f is defined.
fn domain(f: Function) -> (f64, f64) {
    use Function::*;
    match f {
        Log | Sqrt | Rsqrt => (0.0, f64::INFINITY),
        Asin | Acos | Atanh => (-1.0, 1.0),
        Acosh => (1.0, f64::INFINITY),
        _ => (f64::NEG_INFINITY, f64::INFINITY),
    }
}

/// An enclosure of f over [lo, hi], `lo <= hi`, either end possibly infinite.
pub fn range(f: Function, lo: f64, hi: f64) -> Range {
    range_with(f, lo, hi, (f64::NAN, f64::NAN))
}

/// [`range`] where the value at one argument is known already, as (argument, value): it is not worked out again.
pub fn range_with(f: Function, lo: f64, hi: f64, known: (f64, f64)) -> Range {
    let (first, last) = domain(f);
    if hi < first || lo > last {
        return Range { lo: f64::NAN, hi: f64::NAN, leaves_domain: true };
    }
    if lo < first || hi > last {
        return Range { leaves_domain: true, ..range_with(f, lo.max(first), hi.min(last), known) };
    }
    match f {
        // 1 / x of a zero is an infinity of either sign.
        Function::Reciprocal if lo <= 0.0 && hi >= 0.0 => {
            return Range { lo: f64::NEG_INFINITY, hi: f64::INFINITY, leaves_domain: false };
        }
        Function::Sin | Function::Cos if lo < hi => return oscillation(f, lo, hi),
        // Between two poles the tangent rises; next to one, or with one inside, it may be anything.
        Function::Tan if lo < hi => {
            let within = |x: f64| libm::cos(x) * libm::cos(lo) > 0.0 && libm::cos(x).abs() > 1e-9;
            let one_branch = hi - lo < std::f64::consts::PI && within(lo) && within(hi);
            if !one_branch {
                let leaves_domain = !(lo.is_finite() && hi.is_finite());
                return Range { lo: f64::NEG_INFINITY, hi: f64::INFINITY, leaves_domain };
            }
        }
        _ => {}
    }
    let mut found = Range { lo: f64::INFINITY, hi: f64::NEG_INFINITY, leaves_domain: false };
    let mut take = |x: f64| {
        let y = match f {
            _ if x.to_bits() == known.0.to_bits() => known.1,
            Function::Exp => exp_beside(x, known),
            _ => value(f, x),
        };
        if y.is_nan() {
            found.leaves_domain = true;
            return;
        }
        let slack = if y.is_finite() && x.is_finite() { y.abs() * relative_slack(f, x) } else { 0.0 };
        found.lo = found.lo.min(y - slack);
        found.hi = found.hi.max(y + slack);
    };
    take(lo);
    if lo < hi {
        take(hi);
        for &x in turning_points(f) {
            if lo < x && x < hi {
                take(x);
            }
        }
    }
    if found.lo > found.hi {
        return Range { lo: f64::NAN, hi: f64::NAN, leaves_domain: true };
    }
    if f == Function::Rsqrt && lo == 0.0 {
        // The root of -0 is -0.
        (found.lo, found.hi) = (f64::NEG_INFINITY, f64::INFINITY);
    }
    found
}

/// e^x where another power is known, as (exponent, power): beside that exponent by a series, at a relative error below
/// four ulps of f64.
pub(crate) fn exp_beside(x: f64, known: (f64, f64)) -> f64 {
    /// The sixth term of the series is below 2^-51 here.
    const NEAR: f64 = 1.0 / 128.0;
    let t = x - known.0;
    // A subnormal power has fewer digits.
    if t.abs() < NEAR && (f64::MIN_POSITIVE..f64::INFINITY).contains(&known.1) {
        return known.1 * (1.0 + t * (1.0 + t / 2.0 * (1.0 + t / 3.0 * (1.0 + t / 4.0 * (1.0 + t / 5.0)))));
    }
    libm::exp(x)
}

/// Sine and cosine have slope at most 1.
fn oscillation(f: Function, lo: f64, hi: f64) -> Range {
    let (middle, radius) = (lo.midpoint(hi), (hi - lo) * 0.5);
    if !radius.is_finite() {
        return Range { lo: -1.0, hi: 1.0, leaves_domain: true };
    }
    let y = value(f, middle);
    let reach = (radius + middle.abs() * f64::EPSILON) * (1.0 + 4.0 * f64::EPSILON) + 4.0 * f64::EPSILON;
    Range { lo: (y - reach).max(-1.0), hi: (y + reach).min(1.0), leaves_domain: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(got: f64, want: f64) {
        let error = ((got - want) / want).abs();
        assert!(error < 1e-14, "{got:e} is not {want:e} (relative error {error:e})");
    }

    #[test]
    fn tails_keep_their_relative_accuracy() {
        // Values computed with 40 digits.
        close(value(Function::Gelu, -8.0), -4.976_768_459_417_427e-15);
        close(value(Function::Gelu, -3.0), -4.049_694_094_890_284e-3);
        close(value(Function::Logistic, -40.0), 4.248_354_255_291_589e-18);
        close(value(Function::Softplus, -40.0), 4.248_354_255_291_589e-18);
        close(value(Function::Mish, -20.0), -4.122_307_240_628_761e-8);
        close(value(Function::Elu { alpha: 1.0 }, -1e-9), -9.999_999_995_000_001e-10);
        // acosh(1 + t) = sqrt(2 t) (1 - t / 12 + ...), atanh(x) = x + x^3 / 3 + ...; t is exact here.
        let t = 2f64.powi(-40);
        close(value(Function::Acosh, 1.0 + t), (2.0 * t).sqrt() * (1.0 - t / 12.0));
        close(value(Function::Atanh, -1e-9), -1e-9);
        close(value(Function::Asinh, -1e-9), -1e-9);
        close(value(Function::Sinh, 1e-9), 1e-9);
    }

    #[test]
    fn a_power_beside_another_is_its_own() {
        for x in [-700.0, -31.25, -1.0, -1e-9, 0.0, 0.3, 88.0, 700.0] {
            for t in [0.0, 1e-16, 1e-9, -3e-5, 0.0078, -0.0078, 0.5, -40.0] {
                let (got, want) = (exp_beside(x + t, (x, libm::exp(x))), libm::exp(x + t));
                assert!((got - want).abs() <= 6.0 * f64::EPSILON * want, "exp({x} + {t}): {got:e}, {want:e}");
            }
        }
        let inf = f64::INFINITY;
        assert_eq!(exp_beside(709.0, (709.8, inf)), libm::exp(709.0), "an overflow tells nothing");
        assert_eq!(exp_beside(-745.0, (-745.1, 5e-324)), libm::exp(-745.0), "nor does a subnormal number");
        assert_eq!(exp_beside(1.0, (f64::NAN, f64::NAN)), libm::exp(1.0));
    }

    #[test]
    fn limits_at_infinity_are_those_of_the_functions() {
        let inf = f64::INFINITY;
        for f in [Function::Gelu, Function::GeluTanh, Function::HardSwish, Function::Mish] {
            assert_eq!(value(f, inf), inf, "{f:?}");
            assert_eq!(value(f, -inf), 0.0, "{f:?}");
        }
        assert_eq!(value(Function::Logistic, inf), 1.0);
        assert_eq!(value(Function::Logistic, -inf), 0.0);
        assert_eq!(value(Function::Softplus, inf), inf);
        assert_eq!(value(Function::Tanh, -inf), -1.0);
    }

    #[test]
    fn a_range_holds_the_values_of_its_inner_points() {
        let all = [
            Function::Exp,
            Function::Log,
            Function::Sqrt,
            Function::Rsqrt,
            Function::Reciprocal,
            Function::Sin,
            Function::Cos,
            Function::Tan,
            Function::Asin,
            Function::Acos,
            Function::Atan,
            Function::Sinh,
            Function::Cosh,
            Function::Asinh,
            Function::Acosh,
            Function::Atanh,
            Function::Tanh,
            Function::Logistic,
            Function::Erf,
            Function::Floor,
            Function::Ceil,
            Function::Round,
            Function::Sign,
            Function::Abs,
            Function::Neg,
            Function::Square,
            Function::Relu,
            Function::LeakyRelu { alpha: 0.2 },
            Function::LeakyRelu { alpha: -0.5 },
            Function::Elu { alpha: 1.5 },
            Function::Gelu,
            Function::GeluTanh,
            Function::HardSwish,
            Function::Softplus,
            Function::Mish,
        ];
        for f in all {
            for i in -60..60 {
                let lo = f64::from(i) * 0.173;
                for width in [0.0, 1e-9, 0.01, 0.7, 3.0, 9.0] {
                    let hi = lo + width;
                    let found = range(f, lo, hi);
                    for step in 0..=64 {
                        let x = (lo + width * f64::from(step) / 64.0).min(hi);
                        let y = value(f, x);
                        if y.is_nan() {
                            assert!(found.leaves_domain, "{f:?} [{lo}, {hi}] at {x}");
                        } else {
                            assert!(
                                found.lo <= y && y <= found.hi,
                                "{f:?} [{lo}, {hi}] at {x}: {y} {found:?}"
                            );
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn turning_points_are_where_the_slope_changes_sign() {
        for f in [Function::Gelu, Function::GeluTanh, Function::Mish] {
            let x = turning_points(f)[0];
            let h = 1e-5;
            assert!(value(f, x) < value(f, x - h) && value(f, x) < value(f, x + h), "{f:?}");
            let slope = (value(f, x + h) - value(f, x - h)) / (2.0 * h);
            assert!(slope.abs() < 1e-9, "{f:?} has slope {slope} there");
        }
    }

    #[test]
    fn nan_stays_nan() {
        for f in [
            Function::Relu,
            Function::Sign,
            Function::Gelu,
            Function::Mish,
            Function::Softplus,
            Function::HardSwish,
            Function::LeakyRelu { alpha: 0.1 },
            Function::Elu { alpha: 1.0 },
            Function::Round,
        ] {
            assert!(value(f, f64::NAN).is_nan(), "{f:?}");
        }
    }
}
