//! Shapes of computation whose results are far smaller than their operands suggest.

use super::{Bounds, Program, SHAPE, assert_bounds, bounds, even};
use crate::target::TensorId;
use halfproof_wire::tflite::{Builtin, Options};

/// One value for every row of [`SHAPE`].
const ROWS: [usize; 2] = [2, 1];
/// What is normalized; nothing below depends on it, but for what is no normalization.
const X: Bounds = Bounds { low: -8.0, high: 8.0, mean: 0.0, deviation: 2.0 };
/// At most the root of 4 squares.
const NORMAL: Bounds = Bounds { low: -2.0, high: 2.0, mean: 0.0, deviation: 1.0 };

/// x and 1 over the root (or the root) of a reduction of its squares and an epsilon.
fn normalization(
    p: &mut Program,
    square: Builtin,
    reduction: Builtin,
    root: Builtin,
) -> (TensorId, TensorId) {
    let x = p.tensor(&SHAPE, X);
    let two = p.constant(&[], &[2.0]);
    let squares = match square {
        Builtin::Square => p.op(square, &[x], &SHAPE),
        Builtin::Mul => p.op(square, &[x, x], &SHAPE),
        _ => p.op(square, &[x, two], &SHAPE),
    };
    let axes = p.constant(&[1], &[1.0]);
    let mean = p.op(reduction, &[squares, axes], &ROWS);
    let epsilon = p.constant(&[], &[1e-3]);
    let sum = p.op(Builtin::Add, &[mean, epsilon], &ROWS);
    (x, p.op(root, &[sum], &ROWS))
}

#[test]
fn a_value_over_the_root_of_the_mean_of_squares_is_bounded_by_their_number() {
    for square in [Builtin::Square, Builtin::Mul, Builtin::Pow, Builtin::SquaredDifference] {
        let mut p = Program::default();
        let (x, root) = normalization(&mut p, square, Builtin::Mean, Builtin::Rsqrt);
        let y = p.op(Builtin::Mul, &[x, root], &SHAPE);
        assert_eq!(p.range(y), NORMAL, "{square:?}");
        let y = p.op(Builtin::Mul, &[root, x], &SHAPE);
        assert_eq!(p.range(y), NORMAL, "{square:?}, the root first");

        let (x, root) = normalization(&mut p, square, Builtin::Mean, Builtin::Sqrt);
        let y = p.op(Builtin::Div, &[x, root], &SHAPE);
        assert_eq!(p.range(y), NORMAL, "{square:?}, divided");
        let (range, inside) = {
            let (_, range, inside) = p.with(Builtin::Div, Options::None, &[root, x], &SHAPE);
            (range, inside)
        };
        assert!(range == Bounds::ASSUMED && inside.is_some(), "the root over a value is not bounded");
    }
}

#[test]
fn a_value_over_the_root_of_the_sum_of_squares_is_at_most_1() {
    let mut p = Program::default();
    let (x, root) = normalization(&mut p, Builtin::Square, Builtin::Sum, Builtin::Sqrt);
    let y = p.op(Builtin::Div, &[x, root], &SHAPE);
    assert_eq!(p.range(y), bounds(-1.0, 1.0, 0.0, 1.0));
}

#[test]
fn the_greatest_square_or_the_mean_of_others_normalizes_nothing() {
    let mut p = Program::default();
    let (x, root) = normalization(&mut p, Builtin::Square, Builtin::ReduceMax, Builtin::Rsqrt);
    let y = p.op(Builtin::Mul, &[x, root], &SHAPE);
    assert_ne!(p.range(y), NORMAL);
    let (x, root) = normalization(&mut p, Builtin::Add, Builtin::Mean, Builtin::Rsqrt);
    let y = p.op(Builtin::Mul, &[x, root], &SHAPE);
    assert_ne!(p.range(y), NORMAL);
    // A root that is divided by, not its reciprocal.
    let (x, root) = normalization(&mut p, Builtin::Square, Builtin::Mean, Builtin::Sqrt);
    let y = p.op(Builtin::Mul, &[x, root], &SHAPE);
    assert_ne!(p.range(y), NORMAL);
}

/// x, what its maximum is taken of, and the maximum.
fn maximum(p: &mut Program, reduction: Builtin, other: bool) -> (TensorId, TensorId) {
    let x = p.tensor(&SHAPE, bounds(-2.0, 3.0, 0.0, 1.0));
    let of = if other { p.tensor(&SHAPE, bounds(-2.0, 3.0, 0.0, 1.0)) } else { x };
    let axes = p.constant(&[1], &[1.0]);
    let most = p.op(reduction, &[of, axes], &ROWS);
    (x, most)
}

#[test]
fn what_is_shifted_by_its_maximum_is_never_positive() {
    let mut p = Program::default();
    let (x, most) = maximum(&mut p, Builtin::ReduceMax, false);
    let y = p.op(Builtin::Sub, &[x, most], &SHAPE);
    assert_bounds(p.range(y), even(-5.0, 0.0));
    for (reduction, other) in [(Builtin::ReduceMin, false), (Builtin::ReduceMax, true)] {
        let (x, most) = maximum(&mut p, reduction, other);
        let y = p.op(Builtin::Sub, &[x, most], &SHAPE);
        assert_eq!(p.range(y).high, 5.0, "{reduction:?}");
    }
}

/// exp(x - max(x)), or exp(x) where nothing is shifted.
fn exponential(p: &mut Program, shifted: bool) -> TensorId {
    let (x, most) = maximum(p, Builtin::ReduceMax, false);
    let x = if shifted { p.op(Builtin::Sub, &[x, most], &SHAPE) } else { x };
    p.op(Builtin::Exp, &[x], &SHAPE)
}

#[test]
fn shares_of_shifted_exponentials_are_at_most_1() {
    let mut p = Program::default();
    let axes = p.constant(&[1], &[1.0]);
    let e = exponential(&mut p, true);
    let sum = p.op(Builtin::Sum, &[e, axes], &ROWS);
    // Every row has its maximum, which became exp(0).
    assert_eq!((p.range(sum).low, p.range(sum).high), (1.0, 4.0));
    let share = p.op(Builtin::Div, &[e, sum], &SHAPE);
    assert_bounds(p.range(share), even(0.0, 1.0));

    // A share of others' sum may be greater, and so may one of exponentials that are not shifted.
    let other = exponential(&mut p, true);
    let share = p.op(Builtin::Div, &[other, sum], &SHAPE);
    assert_ne!(p.range(share), Bounds::within(0.0, 1.0));
    let e = exponential(&mut p, false);
    let sum = p.op(Builtin::Sum, &[e, axes], &ROWS);
    assert_eq!(p.range(sum).low, 4.0 * libm::exp(-2.0));
    let share = p.op(Builtin::Div, &[e, sum], &SHAPE);
    assert_ne!(p.range(share), Bounds::within(0.0, 1.0));
}

#[test]
fn the_logarithm_of_a_softmax_is_not_for_float16() {
    let mut p = Program::default();
    let x = p.tensor(&SHAPE, X);
    let share = p.op(Builtin::Softmax, &[x], &SHAPE);
    let flat = p.op(Builtin::Reshape, &[share], &[8]);
    let (_, _, inside) = p.with(Builtin::Log, Options::None, &[flat], &[8]);
    assert_eq!(inside.as_deref(), Some("its operand, a share of a softmax, may be 0 in float16"));
    let other = p.op(Builtin::Logistic, &[x], &SHAPE);
    assert_eq!(p.with(Builtin::Log, Options::None, &[other], &SHAPE).2, None);
}
