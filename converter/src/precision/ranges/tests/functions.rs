//! Functions of single elements.

use super::{Bounds, Program, SHAPE, assert_bounds, assert_ends, bounds, even, fixed, judged, made};
use crate::constants::MIN_NORMAL;
use halfproof_wire::tflite::options::{Add, LeakyRelu};
use halfproof_wire::tflite::{Activation, Builtin, Options};

/// A range with a mean that is not in its middle.
const SMALL: Bounds = Bounds { low: 1.0, high: 3.0, mean: 1.5, deviation: 0.5 };

#[test]
fn a_monotone_function_maps_ends_and_mean() {
    // A third of the way from the image of the mean to the farther end.
    let x = bounds(4.0, 16.0, 6.25, 1.0);
    assert_bounds(made(Builtin::Sqrt, &[x]), bounds(2.0, 4.0, 2.5, 0.5));
    assert_bounds(made(Builtin::Sqrt, &[bounds(4.0, 16.0, 12.25, 1.0)]), bounds(2.0, 4.0, 3.5, 0.5));
    assert_bounds(made(Builtin::Sqrt, &[bounds(-4.0, 16.0, 4.0, 1.0)]), bounds(0.0, 4.0, 2.0, 2.0 / 3.0));
    assert_bounds(made(Builtin::Rsqrt, &[x]), bounds(0.25, 0.5, 0.4, 0.05));
    let e = std::f64::consts::E;
    assert_ends(made(Builtin::Exp, &[bounds(-1.0, 1.0, 0.0, 1.0)]), 1.0 / e, e);
    assert_ends(made(Builtin::Log, &[bounds(1.0, e, 1.0, 1.0)]), 0.0, 1.0);
    assert_ends(made(Builtin::Tanh, &[bounds(0.0, 0.5, 0.0, 1.0)]), 0.0, 0.46211715726000975);
    // The logistic function of ln 3 is 3/4.
    let l = 3f64.ln();
    assert_ends(made(Builtin::Logistic, &[bounds(0.0, l, 0.0, 1.0)]), 0.5, 0.75);
}

#[test]
fn the_logarithm_of_what_may_be_zero_is_that_of_the_least_float32() {
    assert_ends(made(Builtin::Log, &[bounds(0.0, 1.0, 0.5, 0.1)]), -104.0, 0.0);
}

#[test]
fn one_over_a_root_that_may_be_zero_is_not_for_float16() {
    for low in [0.0, -1.0] {
        let (range, inside) = judged(Builtin::Rsqrt, Options::None, &[bounds(low, 4.0, 1.0, 1.0)]);
        assert_eq!(range, Bounds::ASSUMED);
        assert_eq!(inside.as_deref(), Some("the root it divides by may be 0"));
    }
}

#[test]
fn a_power_has_a_rule_where_it_is_a_square_or_grows() {
    let power = |x: Bounds, exponent: &[f64]| {
        let mut p = Program::default();
        let x = p.tensor(&SHAPE, x);
        let e = p.constant(&[exponent.len()], exponent);
        p.with(Builtin::Pow, Options::None, &[x, e], &SHAPE).1
    };
    let x = bounds(-3.0, 1.0, 0.0, 1.0);
    assert_eq!(power(x, &[2.0]), made(Builtin::Square, &[x]));
    // 1, 8 and 27; 19 to the far end.
    assert_bounds(power(bounds(1.0, 3.0, 2.0, 0.5), &[3.0]), bounds(1.0, 27.0, 8.0, 19.0 / 3.0));
    assert_ends(power(bounds(0.0, 4.0, 1.0, 0.5), &[0.5]), 0.0, 2.0);
    assert_ends(power(SMALL, &[0.0]), 1.0, 1.0);
    assert_eq!(power(SMALL, &[-1.0]), Bounds::ASSUMED);
    assert_eq!(power(x, &[3.0]), Bounds::ASSUMED);
    assert_eq!(power(SMALL, &[3.0, 3.0, 3.0, 3.0]), Bounds::ASSUMED, "it has more than one exponent");
    assert_eq!(made(Builtin::Pow, &[SMALL, SMALL]), Bounds::ASSUMED, "nobody knows the exponent");
}

#[test]
fn clips_are_hard_bounds() {
    let x = bounds(-16.0, 16.0, 0.5, 4.0);
    for (builtin, low, high) in
        [(Builtin::Relu6, 0.0, 6.0), (Builtin::ReluN1To1, -1.0, 1.0), (Builtin::Relu0To1, 0.0, 1.0)]
    {
        let deviation = 4f64.min((high - low) / 2.0);
        assert_eq!(made(builtin, &[x]), bounds(low, high, 0.5, deviation), "{builtin:?}");
    }
    for builtin in [Builtin::Sin, Builtin::Cos, Builtin::Sign, Builtin::L2Normalization] {
        assert_bounds(made(builtin, &[x]), even(-1.0, 1.0));
    }
}

#[test]
fn a_fused_activation_comes_last() {
    let x = bounds(-16.0, 16.0, 0.5, 4.0);
    let fused = |fused_activation_function| {
        let options = Add { fused_activation_function, ..Add::default() };
        judged(Builtin::Add, options, &[x, fixed(0.0)]).0
    };
    assert_eq!(fused(Activation::None), x);
    assert_eq!(fused(Activation::Relu6), bounds(0.0, 6.0, 0.5, 3.0));
    assert_eq!(fused(Activation::ReluN1To1), bounds(-1.0, 1.0, 0.5, 1.0));
    assert_eq!(fused(Activation::Relu), made(Builtin::Relu, &[x]));
    assert_eq!(fused(Activation::Tanh), made(Builtin::Tanh, &[x]));
}

/// Density and distribution of the standard normal distribution at 1/2.
const DENSITY: f64 = 0.352_065_326_764_299_5;
const BELOW: f64 = 0.691_462_461_274_013_1;

/// What is left of a normal distribution of deviation 2 where it is positive: its mean and deviation.
fn half_normal(mean: f64, below: f64) -> (f64, f64) {
    let first = mean * below + 2.0 * DENSITY;
    let second = (mean * mean + 4.0) * below + mean * 2.0 * DENSITY;
    (first, (second - first * first).sqrt())
}

#[test]
fn a_rectified_normal_distribution_has_a_known_mean_and_deviation() {
    let rules = [
        (Builtin::Relu, 0.0),
        (Builtin::Elu, -1.0),
        // Their least values are -0.17 and -3/8.
        (Builtin::Gelu, -0.5),
        (Builtin::HardSwish, -0.5),
    ];
    for (builtin, least) in rules {
        let (mean, deviation) = half_normal(1.0, BELOW);
        let x = bounds(-16.0, 16.0, 1.0, 2.0);
        assert_bounds(made(builtin, &[x]), bounds(least, 16.0, mean, deviation));
        let (mean, deviation) = half_normal(-1.0, 1.0 - BELOW);
        let x = bounds(-16.0, 16.0, -1.0, 2.0);
        assert_bounds(made(builtin, &[x]), bounds(least, 16.0, mean, deviation));
        assert_eq!(made(builtin, &[SMALL]), SMALL, "what is positive is not changed");
    }
    // At a mean of 0: 1 / sqrt(2 pi), and 1/2 minus its square.
    let density = 1.0 / (2.0 * std::f64::consts::PI).sqrt();
    let expected = bounds(0.0, 9.0, density, (0.5 - density * density).sqrt());
    assert_bounds(made(Builtin::Relu, &[bounds(-9.0, 9.0, 0.0, 1.0)]), expected);
    assert_ends(made(Builtin::Relu, &[bounds(-9.0, -4.0, -5.0, 1.0)]), 0.0, 0.0);
    assert_eq!(made(Builtin::Relu, &[fixed(-3.0)]), fixed(0.0));
}

#[test]
fn a_slope_is_for_what_is_negative() {
    let x = bounds(-3.0, 1.0, 0.0, 1.0);
    let leaky = |x, alpha| judged(Builtin::LeakyRelu, LeakyRelu { alpha }, &[x]).0;
    assert_eq!(leaky(x, 0.5), bounds(-1.5, 1.0, 0.0, 1.0));
    assert_ends(leaky(x, -2.0), 0.0, 6.0);
    assert_ends(leaky(SMALL, 0.5), 0.0, 3.0);
    assert_ends(made(Builtin::Prelu, &[x, even(-2.0, 0.5)]), -1.5, 6.0);
    assert_ends(made(Builtin::Prelu, &[x, even(0.25, 0.5)]), -1.5, 1.0);
}

#[test]
fn a_magnitude_loses_its_sign() {
    assert_bounds(made(Builtin::Abs, &[SMALL]), even(1.0, 3.0));
    assert_bounds(made(Builtin::Abs, &[bounds(-3.0, -1.0, -2.0, 0.5)]), even(1.0, 3.0));
    assert_bounds(made(Builtin::Abs, &[bounds(-3.0, 1.0, -1.0, 0.5)]), even(0.0, 3.0));
    assert_bounds(made(Builtin::Neg, &[SMALL]), bounds(-3.0, -1.0, -1.5, 0.5));
}

#[test]
fn rounding_reaches_the_next_whole_number() {
    for builtin in [Builtin::Floor, Builtin::Ceil, Builtin::Round] {
        let x = bounds(-1.5, 2.25, 0.5, 0.75);
        assert_eq!(made(builtin, &[x]), bounds(-2.0, 3.0, 0.5, 0.75), "{builtin:?}");
    }
}

#[test]
fn a_square_is_never_negative() {
    // Of a normal distribution: a mean of m^2 + s^2 and a variance of 2 s^4 + 4 m^2 s^2.
    let deviation = (2.0 * 0.0625 + 4.0 * 2.25 * 0.25_f64).sqrt();
    assert_bounds(made(Builtin::Square, &[SMALL]), bounds(1.0, 9.0, 2.5, deviation));
    let mut p = Program::default();
    let x = p.tensor(&SHAPE, SMALL);
    let (_, product, _) = p.with(Builtin::Mul, Options::None, &[x, x], &SHAPE);
    assert_bounds(product, bounds(1.0, 9.0, 2.5, deviation));
    assert_ends(made(Builtin::Square, &[bounds(-3.0, -2.0, -2.5, 0.1)]), 4.0, 9.0);
    assert_ends(made(Builtin::Square, &[bounds(-3.0, 1.0, -2.5, 0.1)]), 0.0, 9.0);
    // 3 - 1 at most, 1 - 1 at least; a mean of 1/2 and the same deviation.
    let deviation = (2.0 * 0.0625 + 4.0 * 0.25 * 0.25_f64).sqrt();
    let difference = made(Builtin::SquaredDifference, &[SMALL, fixed(1.0)]);
    assert_bounds(difference, bounds(0.0, 4.0, 0.5, deviation));
}

#[test]
fn a_softmax_shares_1_among_the_last_axis() {
    // Shares of 1 among 4: a mean of 1/4 and at most the variance of one that has all.
    let share = bounds(0.0, 1.0, 0.25, (0.25_f64 - 0.0625).sqrt());
    assert_bounds(made(Builtin::Softmax, &[Bounds::ASSUMED]), share);
    // All shares alike are 1/4; the least is lower by the distance of the operands.
    let logarithm = made(Builtin::LogSoftmax, &[bounds(-2.0, 3.0, 0.0, 1.0)]);
    assert_bounds(logarithm, even(-5.0 - 4f64.ln(), 0.0));
}

#[test]
fn only_what_is_kept_away_from_zero_on_purpose_is_fragile() {
    let tiny = MIN_NORMAL / 4.0;
    // A product comes close to zero by nature.
    assert_ends(made(Builtin::Mul, &[bounds(tiny, 1.0, 0.5, 0.1), fixed(1.0)]), 0.0, 1.0);
    assert_ends(made(Builtin::Mul, &[bounds(-1.0, -tiny, -0.5, 0.1), fixed(1.0)]), -1.0, 0.0);
    assert_ends(made(Builtin::Exp, &[bounds(-16.0, 0.0, -8.0, 0.1)]), 0.0, 1.0);
    // A lower bound is on purpose.
    assert_ends(made(Builtin::Maximum, &[bounds(0.0, 1.0, 0.5, 0.1), fixed(tiny)]), tiny, 1.0);
}
