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
        Function::Tanh => libm::tanh(x),
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
