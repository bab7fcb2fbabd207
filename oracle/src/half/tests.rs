//! Every binary16 pattern, every midpoint and its f64 neighbors, against a definition in integer arithmetic.

use super::*;
use proptest::prelude::*;

/// Value of a non-negative finite encoding in units of 2^-24: an integer below 2^41. 0x7c00 stands for 2^16, the
/// number that an overflowing significand would reach.
fn units(bits: u16) -> u64 {
    let (exponent, significand) = (bits >> 10, u64::from(bits & 0x3ff));
    if exponent == 0 { significand } else { (significand | 0x400) << (exponent - 1) }
}

/// The encoding nearest to `numerator / 2^shift` units of 2^-24, ties to even, found by bisection over integers.
fn nearest(numerator: u128, shift: u32) -> u16 {
    let scaled = |bits: u16| u128::from(units(bits)) << shift;
    let (mut low, mut high) = (0u16, 0x7c00u16);
    if numerator >= scaled(high) {
        return high;
    }
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if scaled(middle) <= numerator { low = middle } else { high = middle }
    }
    let (below, above) = (numerator - scaled(low), scaled(high) - numerator);
    match below.cmp(&above) {
        std::cmp::Ordering::Less => low,
        std::cmp::Ordering::Greater => high,
        std::cmp::Ordering::Equal => low + (low & 1),
    }
}

/// The definition applied to a non-negative finite f64 of at least 2^-50.
fn by_definition(x: f64) -> u16 {
    if x == 0.0 {
        return 0;
    }
    let bits = x.to_bits();
    let significand = u128::from((bits & ((1 << 52) - 1)) | (1 << 52));
    let exponent = exponent(x) - 52 + 24;
    if exponent > 20 {
        return 0x7c00;
    }
    if exponent >= 0 {
        nearest(significand << exponent, 0)
    } else {
        nearest(significand, (-exponent).cast_unsigned())
    }
}

#[test]
fn every_pattern_survives_a_round_trip_and_is_its_own_rounding() {
    for bits in 0..=u16::MAX {
        let x = from_bits(bits);
        if x.is_nan() {
            assert!(round(x).is_nan() && to_bits(x) & 0x7fff == 0x7e00);
            continue;
        }
        assert_eq!(round(x).to_bits(), x.to_bits());
        assert_eq!(to_bits(x), bits);
        assert!(is_representable(x));
    }
}

#[test]
fn every_midpoint_and_its_neighbors_round_as_the_definition_says() {
    for bits in 0..0x7c00u16 {
        let low = from_bits(bits);
        let high = if bits == 0x7bff { 65_536.0 } else { from_bits(bits + 1) };
        let middle = (low + high) / 2.0;
        for x in [low, low.next_up(), middle.next_down(), middle, middle.next_up(), high.next_down()] {
            let want = if x < 1e-12 { 0 } else { by_definition(x) };
            assert_eq!(to_bits(x), want, "{x:e}");
            assert_eq!(to_bits(-x), want | 0x8000, "{:e}", -x);
            assert_eq!(round(x).to_bits(), from_bits(want).to_bits(), "{x:e}");
            #[expect(clippy::cast_possible_truncation, reason = "only where it is exact")]
            let single = x as f32;
            if f64::from(single) == x {
                assert_eq!(f64::from(round_f32(single)).to_bits(), from_bits(want).to_bits(), "{x:e}");
                assert_eq!(f64::from(round_f32(-single)).to_bits(), (-from_bits(want)).to_bits(), "{x:e}");
            }
        }
    }
}

#[test]
fn rounding_twice_is_not_rounding_once() {
    let x = 1.0 + UNIT + 2f64.powi(-40);
    assert_eq!(round(x), 1.0 + 2.0 * UNIT);
    assert_eq!(round(round_single(x)), 1.0);
}

#[test]
fn overflow_starts_at_65520() {
    assert_eq!(round(65_520.0f64.next_down()), MAX);
    assert_eq!(round(65_520.0), f64::INFINITY);
    assert_eq!(round(-65_520.0), f64::NEG_INFINITY);
    assert_eq!(round(f64::MAX), f64::INFINITY);
    assert_eq!(round(f64::MIN_POSITIVE), 0.0);
    assert!(round(-1e-30).is_sign_negative());
    assert_eq!(round_single(OVERFLOW_SINGLE), f64::INFINITY);
    assert!(round_single(OVERFLOW_SINGLE.next_down()).is_finite());
}

#[test]
fn neighbors_are_one_step_and_at_most_one_ulp_away() {
    for bits in 0..0x7c00u16 {
        let x = from_bits(bits);
        let up = next_up(x);
        assert_eq!(steps_between(x, up), Some(1));
        assert_eq!(next_down(up), x);
        if up.is_finite() {
            assert_eq!(up - x, ulp(x));
        }
    }
    assert_eq!(next_up(MAX), f64::INFINITY);
    assert_eq!(steps_between(0.0, -0.0), Some(0));
    assert_eq!(steps_between(-MIN_SUBNORMAL, MIN_SUBNORMAL), Some(2));
    assert_eq!(steps_between(f64::NAN, 0.0), None);
}

#[test]
fn kinds_are_those_of_the_rounded_value() {
    assert_eq!(kind(1e-12), Kind::Zero);
    assert_eq!(kind(6e-8), Kind::Subnormal);
    assert_eq!(kind(MIN_NORMAL.next_down()), Kind::Normal);
    assert_eq!(kind(-1e30), Kind::Infinite);
    assert_eq!(kind(f64::NAN), Kind::Nan);
    assert_eq!(flush(-MIN_SUBNORMAL).to_bits(), (-0.0f64).to_bits());
}

proptest! {
    #[test]
    fn any_f64_rounds_as_the_definition_says(exponent in -50i32..20, fraction in 1.0f64..2.0) {
        let x = fraction * power_of_two(exponent);
        prop_assert_eq!(to_bits(x), by_definition(x));
    }

    #[test]
    fn an_ulp_of_binary32_is_the_gap_to_the_next_number(x in any::<f32>()) {
        prop_assume!(x.is_finite() && x.abs() < f32::MAX);
        let up = f64::from(x.abs().next_up()) - f64::from(x.abs());
        let ulp = ulp_single(f64::from(x));
        prop_assert!(up == ulp || x.abs() < f32::MIN_POSITIVE);
    }
}

proptest! {
    #[test]
    fn a_rounded_significand_is_the_rounded_number_and_of_normal_ones_the_only_test(
        bits in 0u16..0x7c00,
        negative: bool,
        steps in -3i64..=3,
        between: f64,
    ) {
        let x = if negative { -from_bits(bits) } else { from_bits(bits) };
        // Near x, near the middle between it and the next, and anywhere.
        let middle = x + 0.5 * ulp(x);
        for e in [x, middle, between] {
            let e = f64::from_bits(e.to_bits().wrapping_add_signed(steps));
            let rounded = round(e);
            prop_assert!(!is_rounded_significand(e, x) || rounded == x, "{e:e} is no {x:e} but {rounded:e}");
            if rounded.is_finite() && rounded.abs() >= MIN_NORMAL && e.abs() >= MIN_NORMAL {
                prop_assert!(is_rounded_significand(e, rounded), "{e:e} is {rounded:e}");
            }
        }
    }
}
