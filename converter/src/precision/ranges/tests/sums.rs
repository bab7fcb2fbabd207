//! Sums, differences, products and quotients of two, and reductions of many.

use super::{Bounds, Program, assert_bounds, assert_ends, bounds, even, fixed, judged, made};
use halfproof_wire::tflite::options::{Pool2D, Reducer};
use halfproof_wire::tflite::{Builtin, Options};

const A: Bounds = Bounds { low: 1.0, high: 3.0, mean: 2.0, deviation: 0.5 };
const B: Bounds = Bounds { low: -2.0, high: 4.0, mean: 3.0, deviation: 1.2 };

#[test]
fn a_sum_adds_means_and_variances() {
    // 0.5 and 1.2 are the legs of 1.3; eight of that reach beyond the ends.
    assert_bounds(made(Builtin::Add, &[A, B]), bounds(-1.0, 7.0, 5.0, 1.3));
    assert_bounds(made(Builtin::Sub, &[A, B]), bounds(-3.0, 5.0, -1.0, 1.3));
    let c = bounds(-1.0, 1.0, 0.5, 0.0);
    assert_bounds(made(Builtin::AddN, &[A, B, c]), bounds(-2.0, 8.0, 5.5, 1.3));
    assert_bounds(made(Builtin::AddN, &[A]), A);
}

#[test]
fn independent_terms_stay_within_eight_deviations_of_their_sum() {
    let wide = |deviation| bounds(-100.0, 100.0, 1.0, deviation);
    // 3 and 4 are the legs of 5: 2 plus and minus 40.
    assert_bounds(made(Builtin::Add, &[wide(3.0), wide(4.0)]), bounds(-38.0, 42.0, 2.0, 5.0));
    // A fixed term moves the others, and nothing is independent that was not before.
    for operands in [[wide(3.0), fixed(1.0)], [fixed(1.0), wide(3.0)]] {
        assert_bounds(made(Builtin::Add, &operands), bounds(-99.0, 101.0, 2.0, 3.0));
    }
}

/// Two pairs of ranges around zero: each corner is an extreme of one of them.
const CORNERS: [(Bounds, Bounds, f64, f64); 2] = [
    (around(-5.0, 3.0), around(-7.0, 2.0), -21.0, 35.0),
    (around(-5.0, 3.0), around(-2.0, 7.0), -35.0, 21.0),
];

const fn around(low: f64, high: f64) -> Bounds {
    Bounds { low, high, mean: 0.0, deviation: 100.0 }
}

#[test]
fn a_product_lies_between_the_products_of_the_ends() {
    // Variances: (0.5 * 1.2)^2 + (0.5 * 3)^2 + (2 * 1.2)^2 = 0.36 + 2.25 + 5.76.
    assert_bounds(made(Builtin::Mul, &[A, B]), bounds(-6.0, 12.0, 6.0, 8.37_f64.sqrt()));
    for (a, b, low, high) in CORNERS {
        assert_ends(made(Builtin::Mul, &[a, b]), low, high);
    }
}

#[test]
fn a_product_of_matrices_is_a_sum_of_products() {
    let product = |a: Bounds, b: Bounds, n: usize| {
        let mut p = Program::default();
        let (x, y) = (p.tensor(&[1, n], a), p.tensor(&[n, 1], b));
        p.with(Builtin::BatchMatmul, Options::None, &[x, y], &[1, 1]).1
    };
    let wide = |b: Bounds, deviation| Bounds { deviation, ..b };
    // Variances: 3 * (20^2 + (4 * 3)^2 + (2 * 5)^2).
    let deviation = (3.0 * (400.0 + 144.0 + 100.0_f64)).sqrt();
    assert_bounds(product(wide(A, 4.0), wide(B, 5.0), 3), bounds(-18.0, 36.0, 18.0, deviation));
    for (a, b, low, high) in CORNERS {
        assert_ends(product(a, b, 2), 2.0 * low, 2.0 * high);
    }
    // The terms are independent: 600 and eight times the root of 837, not 1200.
    let reach = 8.0 * 837_f64.sqrt();
    assert_ends(product(A, B, 100), 600.0 - reach, 600.0 + reach);
}

#[test]
fn the_terms_of_a_product_of_matrices_are_counted_along_the_inner_axis() {
    use halfproof_wire::tflite::options::BatchMatMul;
    let product = |x: &[usize], y: &[usize], adj_x| {
        let mut p = Program::default();
        let (x, y) = (p.tensor(x, fixed(1.0)), p.tensor(y, fixed(1.0)));
        let options = BatchMatMul { adj_x, ..BatchMatMul::default() };
        p.with(Builtin::BatchMatmul, options, &[x, y], &[3, 2, 4]).1
    };
    assert_eq!(product(&[3, 2, 5], &[3, 5, 4], false), fixed(5.0));
    assert_eq!(product(&[3, 5, 2], &[3, 5, 4], true), fixed(5.0));
}

#[test]
fn computed_weights_are_shared_among_the_channels_of_the_result() {
    let mut p = Program::default();
    let (x, w) = (p.tensor(&[1, 8], fixed(1.0)), p.tensor(&[4, 8], fixed(1.0)));
    assert_eq!(p.with(Builtin::FullyConnected, Options::None, &[x, w], &[1, 4]).1, fixed(8.0));
}

#[test]
fn a_quotient_needs_a_divisor_that_is_never_zero() {
    // Times something between 1/4 and 1/2, or their negatives.
    let half = even(0.25, 0.5);
    assert_bounds(made(Builtin::Div, &[A, even(2.0, 4.0)]), made(Builtin::Mul, &[A, half]));
    assert_ends(made(Builtin::Div, &[A, even(2.0, 4.0)]), 0.25, 1.5);
    assert_ends(made(Builtin::Div, &[A, even(-4.0, -2.0)]), -1.5, -0.25);
    for (low, high) in [(0.0, 1.0), (-1.0, 0.0), (-1.0, 1.0)] {
        let (range, inside) = judged(Builtin::Div, Options::None, &[A, even(low, high)]);
        assert_eq!(range, Bounds::ASSUMED);
        assert_eq!(inside.as_deref(), Some("what it divides by may be 0 or close to it"));
    }
}

#[test]
fn an_extremum_of_two_has_the_extrema_of_their_ends() {
    let (a, b) = (bounds(-1.0, 5.0, 1.0, 1.0), bounds(0.0, 3.0, 3.0, 1.0));
    // A mean of 2, and the root of 1 + 1.
    for (x, y) in [(a, b), (b, a)] {
        assert_bounds(made(Builtin::Maximum, &[x, y]), bounds(0.0, 5.0, 2.0, 2f64.sqrt()));
        assert_bounds(made(Builtin::Minimum, &[x, y]), bounds(-1.0, 3.0, 2.0, 2f64.sqrt()));
    }
}

/// A reduction of the last axis of 2 × 8.
fn reduced(builtin: Builtin, x: Bounds) -> (Bounds, Option<String>) {
    let mut p = Program::default();
    let (x, axes) = (p.tensor(&[2, 8], x), p.tensor(&[1], fixed(1.0)));
    let (_, range, inside) = p.with(builtin, Reducer { keep_dims: true }, &[x, axes], &[2, 1]);
    (range, inside)
}

#[test]
fn a_plain_sum_is_taken_at_its_worst() {
    assert_eq!(reduced(Builtin::Sum, A), (bounds(8.0, 24.0, 16.0, 4.0), None));
}

#[test]
fn a_mean_keeps_the_range_but_adds_everything_up_first() {
    // 8 * 8188 is the greatest float16, 65504.
    let most = bounds(-8188.0, 8188.0, 0.0, 1.0);
    assert_eq!(reduced(Builtin::Mean, most), (most, None));
    let more = bounds(-8189.0, 0.0, 0.0, 1.0);
    let (range, inside) = reduced(Builtin::Mean, more);
    let why = "the sum behind a mean of 8 values up to 8189 may exceed 65504";
    assert_eq!((range, inside.as_deref()), (more, Some(why)));
}

#[test]
fn an_average_pool_adds_up_its_window() {
    let pool = |x| {
        let options = Pool2D { filter_width: 2, filter_height: 4, ..Pool2D::default() };
        judged(Builtin::AveragePool2d, options, &[x])
    };
    let most = bounds(-8188.0, 8188.0, 0.0, 1.0);
    assert_eq!(pool(most), (most, None));
    let more = bounds(0.0, 8189.0, 0.0, 1.0);
    let why = "the sum behind an average of 8 values up to 8189 may exceed 65504";
    assert_eq!((pool(more).0, pool(more).1.as_deref()), (more, Some(why)));
}

#[test]
fn a_running_sum_has_between_one_term_and_all() {
    let sum = |x| {
        let mut p = Program::default();
        let (x, axis) = (p.tensor(&[2, 4], x), p.tensor(&[1], fixed(1.0)));
        p.with(Builtin::Cumsum, Options::None, &[x, axis], &[2, 4]).1
    };
    assert_bounds(sum(even(-1.0, 2.0)), even(-4.0, 8.0));
    assert_bounds(sum(even(1.0, 2.0)), even(1.0, 8.0));
    assert_bounds(sum(even(-2.0, -1.0)), even(-8.0, -1.0));
}

#[test]
fn a_local_response_normalization_squares_what_it_normalizes() {
    let normal = |high| judged(Builtin::LocalResponseNormalization, Options::None, &[even(0.0, high)]);
    // 256 squared is 65536.
    assert_eq!(normal(255.0), (even(0.0, 255.0), None));
    assert_eq!(normal(256.0), (even(0.0, 256.0), Some("it squares its operand".to_string())));
}
