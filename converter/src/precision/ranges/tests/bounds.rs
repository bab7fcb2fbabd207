//! Bounds themselves, and where those of inputs and constants come from.

use super::super::{Observed, analyze};
use super::{Bounds, assert_bounds, assert_ends, bounds, even, fixed};
use crate::constants::{MAX_FINITE, MIN_NORMAL};
use crate::target::{Constant, Target, TensorId};
use halfproof_ir::{DType, Elements, Observation, Role};
use halfproof_wire::tflite::{Builtin, options};

#[test]
fn between_two_ends_nothing_is_more_likely() {
    assert_bounds(Bounds::within(1.0, 4.0), bounds(1.0, 4.0, 2.5, 3.0 / 12f64.sqrt()));
    assert_eq!(Bounds::within(4.0, 1.0), Bounds::within(1.0, 4.0));
}

fn of(elements: &[f64]) -> Bounds {
    Bounds::of(elements.iter().copied())
}

#[test]
fn a_constant_has_the_range_of_its_finite_elements() {
    // A mean of 3, and squares of 50 / 4.
    let expected = bounds(1.0, 6.0, 3.0, 3.5f64.sqrt());
    assert_bounds(of(&[1.0, 6.0, 2.0, 3.0]), expected);
    assert_bounds(of(&[f64::NEG_INFINITY, 1.0, 6.0, 2.0, f64::INFINITY, 3.0, f64::NAN]), expected);
    assert_eq!(of(&[-2.0, -2.0]), fixed(-2.0));
    assert_eq!(of(&[]), fixed(0.0));
    assert_eq!(of(&[f64::NEG_INFINITY]), fixed(0.0));
}

#[test]
fn what_samples_showed_may_double() {
    let seen = |low, high| Observation { tensor: "x".into(), low, high, mean: 0.25, deviation: 0.5 };
    let wide = fixed_ends(f64::NEG_INFINITY, f64::INFINITY);
    let observed = |low, high, estimate| Bounds::observed(&seen(low, high), estimate);
    assert_eq!(observed(-3.0, 4.0, wide), bounds(-6.0, 8.0, 0.25, 0.5));
    // Away from zero it may also come nearer.
    assert_ends(observed(2.0, 6.0, wide), 1.0, 12.0);
    assert_ends(observed(-6.0, -2.0, wide), -12.0, -1.0);
    assert_ends(observed(0.0, 0.0, wide), 0.0, 0.0);
    // An estimate without samples bounds the room, not what was seen.
    assert_ends(observed(-3.0, 4.0, fixed_ends(-4.0, 5.0)), -4.0, 5.0);
    assert_ends(observed(-3.0, 4.0, fixed_ends(-1.0, 1.0)), -3.0, 4.0);
}

fn fixed_ends(low: f64, high: f64) -> Bounds {
    bounds(low, high, 0.0, 1.0)
}

#[test]
fn wide_is_beyond_float16_and_fragile_is_below_its_normal_numbers() {
    let ends = |low, high| fixed_ends(low, high);
    assert!(!ends(-MAX_FINITE, MAX_FINITE).is_wide());
    assert!(ends(0.0, MAX_FINITE + 1.0).is_wide());
    assert!(ends(-MAX_FINITE - 1.0, 0.0).is_wide());

    let half = MIN_NORMAL / 2.0;
    assert!(ends(half, 1.0).is_fragile());
    assert!(ends(-1.0, -half).is_fragile());
    for (low, high) in [(MIN_NORMAL, 1.0), (-1.0, -MIN_NORMAL), (0.0, 1.0), (-1.0, 0.0), (-half, half)] {
        assert!(!ends(low, high).is_fragile(), "{low} to {high}");
    }
    assert_ends(ends(half, 1.0).touching_zero(), 0.0, 1.0);
    assert_ends(ends(-1.0, -half).touching_zero(), -1.0, 0.0);
}

#[test]
fn either_of_two_spreads_as_their_mixture() {
    // Means of 2 and 5 lie 1.5 from 3.5; the variance is the mean of 1 and 9, and 2.25.
    let (a, b) = (bounds(0.0, 3.0, 2.0, 1.0), bounds(-4.0, 2.0, 5.0, 3.0));
    assert_bounds(a.or(b), bounds(-4.0, 3.0, 3.5, 7.25f64.sqrt()));
    assert_bounds(b.or(a), a.or(b));
}

#[test]
fn a_cut_changes_only_what_reaches_beyond_it() {
    let wide = |low, high| bounds(low, high, 1.0, 9.0);
    assert_eq!(wide(0.0, 3.0).clamp(0.0, 3.0), wide(0.0, 3.0));
    assert_eq!(wide(1.0, 2.0).clamp(0.0, 3.0), wide(1.0, 2.0));
    // Nothing deviates by more than half of where it lies.
    assert_eq!(wide(-1.0, 5.0).clamp(0.0, 3.0), bounds(0.0, 3.0, 1.0, 1.5));
    assert_eq!(wide(-1.0, 2.0).clamp(0.5, 3.0), bounds(0.5, 2.0, 1.0, 0.75));
    assert_eq!(wide(1.0, 5.0).clamp(0.0, 3.0), bounds(1.0, 3.0, 1.0, 1.0));
    assert_eq!(wide(-9.0, -5.0).clamp(0.0, 3.0), bounds(0.0, 0.0, 1.0, 0.0));
}

#[test]
fn a_sum_of_many_terms_stays_within_eight_deviations() {
    assert_ends(bounds(-100.0, 100.0, 10.0, 2.0).tightened(), -6.0, 26.0);
    assert_ends(bounds(0.0, 20.0, 10.0, 2.0).tightened(), 0.0, 20.0);
}

fn exact<'a>(target: &'a Target) -> impl Fn(TensorId) -> Option<&'a Elements> {
    |id| match &target.tensor(id).constant {
        Some(Constant::Exact(e)) => Some(e),
        _ => None,
    }
}

#[test]
fn inputs_are_assumed_observed_or_flags() {
    let mut t = Target::default();
    let (x, seen) = (t.input("x", &[4]), t.input("seen", &[4]));
    let mask = t.typed("mask", &[4], DType::I32);
    t.inputs.push(("mask".into(), mask));
    let flag = t.typed("flag", &[4], DType::Bool);
    t.inputs.push(("flag".into(), flag));
    let shown = Observation { tensor: "seen".into(), low: -100.0, high: 300.0, mean: 5.0, deviation: 7.0 };
    let observed: Observed<'_> = [("seen", &shown)].into();
    let ranges = analyze(&t, &observed, exact(&t));
    assert_eq!(ranges.of(x), Bounds::ASSUMED);
    assert_eq!(ranges.of(seen), bounds(-200.0, 600.0, 5.0, 7.0));
    assert_bounds(ranges.of(mask), even(0.0, 1.0));
    assert_bounds(ranges.of(flag), even(0.0, 1.0));
}

#[test]
fn constants_have_their_own_range_unless_they_are_weights() {
    let mut t = Target::default();
    let x = t.input("x", &[1, 2]);
    let w = t.exact("w", &[1, 2], Role::Weight, vec![100.0, 200.0]);
    let b = t.exact("b", &[1], Role::Bias, vec![300.0]);
    let dense = options::FullyConnected::default();
    let y = t.op(Builtin::FullyConnected, &[x, w, b], "y", &[1, 1], dense.clone());
    let left = t.exact("left", &[1, 2], Role::Plain, vec![1.0, 3.0]);
    let z = t.op(Builtin::FullyConnected, &[left, w], "z", &[1, 1], dense);
    let k = t.exact("k", &[2], Role::Plain, vec![-1.0, 1.0]);
    t.plain(Builtin::Mul, &[x, k], "m", &[1, 2]);
    let places = t.ints("places", vec![3, 7]);
    let floats = t.plain(Builtin::Cast, &[places], "floats", &[2]);
    let ranges = analyze(&t, &Observed::new(), exact(&t));
    // Their operator takes weights and bias one by one.
    assert_eq!((ranges.of(w), ranges.of(b)), (Bounds::ASSUMED, Bounds::ASSUMED));
    assert_ends(ranges.of(y), 300.0 - 4800.0, 300.0 + 4800.0);
    // What is weighted is read as it is: 2 with a deviation of 1, by weights of one sign.
    assert_eq!(ranges.of(left), bounds(1.0, 3.0, 2.0, 1.0));
    assert_ends(ranges.of(z), 300.0, 900.0);
    assert_eq!(ranges.of(k), bounds(-1.0, 1.0, 0.0, 1.0));
    assert_eq!(ranges.of(places), bounds(3.0, 7.0, 5.0, 2.0));
    assert_eq!(ranges.of(floats), bounds(3.0, 7.0, 5.0, 2.0));
}
