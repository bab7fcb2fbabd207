//! Rounds the elements of a constant to binary16, once, and says which of them do not survive it.
//!
//! The rounding is IEEE 754-2019 roundTiesToEven straight from f64. `half::f16::from_f64` is not used: depending on
//! the processor it goes through f32 (double rounding) or drops the low 32 bits of the significand, and both are
//! wrong for some values next to a tie. Folded constants do have such values.

use half::f16;
use halfproof_ir::{DType, Elements};
use std::sync::Arc;

/// Largest finite binary16 value.
pub const MAX_FINITE: f64 = 65504.0;
/// From here on, round-to-nearest gives infinity.
pub const OVERFLOW: f64 = 65520.0;
/// Smallest normal binary16 value, 2^-14.
pub const MIN_NORMAL: f64 = 1.0 / 16384.0;
/// Smallest subnormal binary16 value, 2^-24.
pub const MIN_SUBNORMAL: f64 = 1.0 / 16_777_216.0;

/// The binary16 value nearest to `x`, ties to even; infinity from ±65520 on; NaN stays NaN.
pub fn round(x: f64) -> f16 {
    f16::from_bits(round_bits(x))
}

/// A float as it is in its declared type, for what is computed from it in the source: whole numbers, or a window's elements.
///
/// Exporters compute extents in float32 and rely on its rounding: 13 * 2.3076923 is 30 there, and 29.9999997 exactly.
pub(crate) fn settled(x: f64, dtype: DType) -> f64 {
    match dtype {
        DType::F16 => round(x).to_f64(),
        DType::F32 => f64::from(x as f32),
        _ => x,
    }
}

#[inline]
fn round_bits(x: f64) -> u16 {
    let bits = x.to_bits();
    let sign = ((bits >> 48) & 0x8000) as u16;
    let magnitude = bits & (u64::MAX >> 1);
    if magnitude < MIN_NORMAL.to_bits() {
        // One unit in the last place of 2^28 is 2^-24, so the addition rounds to a multiple of the smallest subnormal.
        const ANCHOR: f64 = 268_435_456.0;
        let units = (f64::from_bits(magnitude) + ANCHOR).to_bits() - ANCHOR.to_bits();
        sign | units as u16
    } else if magnitude < OVERFLOW.to_bits() {
        // 42 bits of the significand go; add just under half of their unit, or just half when the last kept bit is odd.
        sign | round_normal(magnitude)
    } else if magnitude <= f64::INFINITY.to_bits() {
        sign | 0x7C00
    } else {
        sign | 0x7E00
    }
}

/// Rounds the bits of a positive f64 that is a normal number in binary16, or becomes the smallest one beyond.
#[inline]
fn round_normal(magnitude: u64) -> u16 {
    let odd = (magnitude >> 42) & 1;
    let rounded = magnitude.wrapping_add((1 << 41) - 1).wrapping_add(odd) >> 42;
    rounded.wrapping_sub((1023 - 15) << 10) as u16
}

/// How the elements of a constant fare in binary16.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// Number of elements.
    pub elements: usize,
    /// Elements that are not zero.
    pub nonzero: usize,
    /// Finite elements that become infinite. Elements that are infinite to begin with are not counted.
    pub overflowed: usize,
    /// Elements that are not zero and become zero.
    pub flushed: usize,
    /// Elements that become subnormal (not zero): up to half of their value may be lost.
    pub subnormal: usize,
}

impl Survey {
    /// True when some element becomes infinite, or when all that is not zero becomes zero.
    pub fn is_ruined(&self) -> bool {
        self.overflowed > 0 || (self.nonzero > 0 && self.flushed == self.nonzero)
    }

    #[inline]
    fn count(&mut self, x: f64, half: u16) {
        let magnitude = half & 0x7FFF;
        self.nonzero += usize::from(x != 0.0);
        self.overflowed += usize::from(magnitude == 0x7C00 && x.is_finite());
        self.flushed += usize::from(magnitude == 0 && x != 0.0);
        self.subnormal += usize::from(magnitude.wrapping_sub(1) < 0x03FF);
    }
}

/// A constant in binary16.
#[derive(Clone, Debug, PartialEq)]
pub struct Narrowed {
    /// Little-endian binary16 elements.
    pub bytes: Arc<Vec<u8>>,
    /// What the rounding did.
    pub survey: Survey,
}

/// Elements that are rounded together when all of them are normal numbers, which nearly all weights are.
const BLOCK: usize = 16;

/// Rounds all elements of a constant.
pub fn narrow(exact: &Elements) -> Narrowed {
    match exact {
        Elements::Single(v) => narrow_all(v, f64::from),
        Elements::Double(v) => narrow_all(v, |x| x),
        Elements::Bytes(b) => narrow_all(b.as_chunks().0, Elements::number),
    }
}

fn narrow_all<T: Copy>(exact: &[T], wide: impl Fn(T) -> f64) -> Narrowed {
    let mut survey = Survey { elements: exact.len(), ..Survey::default() };
    let mut bytes = vec![0; exact.len() * 2];
    let (blocks, rest) = exact.as_chunks::<BLOCK>();
    let (out_blocks, out_rest) = bytes.as_chunks_mut::<2>().0.as_chunks_mut::<BLOCK>();
    for (block, out) in blocks.iter().zip(out_blocks) {
        let block = &block.map(&wide);
        if all_normal(block) {
            for (x, out) in block.iter().zip(out) {
                let bits = x.to_bits();
                *out = (((bits >> 48) as u16 & 0x8000) | round_normal(bits & (u64::MAX >> 1))).to_le_bytes();
            }
            survey.nonzero += BLOCK;
        } else {
            for (&x, out) in block.iter().zip(out) {
                let half = round_bits(x);
                survey.count(x, half);
                *out = half.to_le_bytes();
            }
        }
    }
    for (&x, out) in rest.iter().zip(out_rest) {
        let x = wide(x);
        let half = round_bits(x);
        survey.count(x, half);
        *out = half.to_le_bytes();
    }
    Narrowed { bytes: Arc::new(bytes), survey }
}

#[inline]
fn all_normal(block: &[f64; BLOCK]) -> bool {
    let span = OVERFLOW.to_bits() - MIN_NORMAL.to_bits();
    let outside = |x: &f64| (x.to_bits() & (u64::MAX >> 1)).wrapping_sub(MIN_NORMAL.to_bits()) >= span;
    !block.iter().fold(false, |any, x| any | outside(x))
}

/// Counts what rounding would do, without keeping the result.
pub fn survey(exact: &Elements) -> Survey {
    match exact {
        Elements::Single(v) => survey_all(v, f64::from),
        Elements::Double(v) => survey_all(v, |x| x),
        Elements::Bytes(b) => survey_all(b.as_chunks().0, Elements::number),
    }
}

fn survey_all<T: Copy>(exact: &[T], wide: impl Fn(T) -> f64) -> Survey {
    let mut survey = Survey { elements: exact.len(), ..Survey::default() };
    let (blocks, rest) = exact.as_chunks::<BLOCK>();
    for block in blocks {
        let block = &block.map(&wide);
        if all_normal(block) {
            survey.nonzero += BLOCK;
        } else {
            block.iter().for_each(|&x| survey.count(x, round_bits(x)));
        }
    }
    rest.iter().map(|&x| wide(x)).for_each(|x| survey.count(x, round_bits(x)));
    survey
}

/// Rounds all elements to binary32 (ties to even), as little-endian bytes.
pub fn single(exact: &Elements) -> Vec<u8> {
    let mut bytes = vec![0; exact.len() * 4];
    for (x, out) in exact.iter().zip(bytes.as_chunks_mut::<4>().0) {
        *out = (x as f32).to_le_bytes();
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Rounding by definition: the significand as an integer, divided by the unit of the result, remainder compared with half.
    fn by_definition(x: f64) -> u16 {
        let bits = x.to_bits();
        let sign = if bits >> 63 == 1 { 0x8000 } else { 0 };
        if x.is_nan() {
            return sign | 0x7E00;
        }
        if x.is_infinite() {
            return sign | 0x7C00;
        }
        let field = (bits >> 52) & 0x7FF;
        let fraction = u128::from(bits & ((1 << 52) - 1));
        // |x| = significand * 2^exponent
        let (significand, exponent) =
            if field == 0 { (fraction, -1074) } else { (fraction | (1 << 52), field as i32 - 1075) };
        if significand == 0 {
            return sign;
        }
        // Exponent of the leading bit, and of the unit in the last place of the result.
        let leading = exponent + significand.ilog2() as i32;
        let unit = leading.max(-14) - 10;
        let shift = unit - exponent;
        let quotient = if shift <= 0 {
            significand << -shift.max(-60)
        } else if shift > 100 {
            0
        } else {
            let (q, r) = (significand >> shift, significand & ((1 << shift) - 1));
            let half = 1u128 << (shift - 1);
            q + u128::from(r > half || (r == half && q & 1 == 1))
        };
        // quotient * 2^unit; a carry out of the significand moves on to the next binade by itself.
        let magnitude =
            if leading < -14 { quotient } else { quotient - 1024 + (((leading + 15) as u128) << 10) };
        sign | magnitude.min(0x7C00) as u16
    }

    #[test]
    fn every_binary16_value_and_both_sides_of_every_tie_round_by_definition() {
        for bits in 0..=0x7BFFu16 {
            let here = f16::from_bits(bits).to_f64();
            let next = if bits == 0x7BFF { 65536.0 } else { f16::from_bits(bits + 1).to_f64() };
            let tie = (here + next) / 2.0;
            let even = if bits % 2 == 0 { bits } else { bits + 1 };
            for (x, expected) in
                [(here, bits), (tie, even), (tie.next_down(), bits), (tie.next_up(), bits + 1)]
            {
                assert_eq!(round_bits(x), expected, "{x:e}");
                assert_eq!(round_bits(-x), expected | 0x8000, "{x:e}");
                assert_eq!(by_definition(x), expected, "{x:e}");
            }
        }
    }

    #[test]
    fn values_next_to_a_tie_are_not_rounded_twice() {
        // In f32 this is the tie 1 + 2^-11 itself, which would go to even, 1.0.
        let above_tie = 1.0 + 2f64.powi(-11) + 2f64.powi(-40);
        assert_eq!(round(above_tie).to_f64(), 1.0 + 2f64.powi(-10));
        assert_eq!(round(2049.0 + 1e-9).to_f64(), 2050.0);
    }

    proptest! {
        #[test]
        fn any_bit_pattern_rounds_by_definition(bits in any::<u64>()) {
            let x = f64::from_bits(bits);
            prop_assert_eq!(round_bits(x), by_definition(x));
        }

        #[test]
        fn any_value_in_range_rounds_by_definition(exponent in -30i32..18, fraction in 0u64..1 << 52, negative: bool) {
            let x = (1.0 + fraction as f64 / 2f64.powi(52)) * 2f64.powi(exponent);
            let x = if negative { -x } else { x };
            prop_assert_eq!(round_bits(x), by_definition(x));
        }
    }

    proptest! {
        #[test]
        fn whole_constants_round_element_by_element(
            elements in proptest::collection::vec(prop_oneof![8 => -70000.0f64..70000.0, 1 => any::<f64>()], 0..70)
        ) {
            let exact = Elements::from(elements.clone());
            let narrowed = narrow(&exact);
            let expected: Vec<u8> = elements.iter().flat_map(|&x| round_bits(x).to_le_bytes()).collect();
            prop_assert_eq!(&narrowed.bytes[..], &expected[..]);
            let mut counted = Survey { elements: elements.len(), ..Survey::default() };
            elements.iter().for_each(|&x| counted.count(x, round_bits(x)));
            prop_assert_eq!(narrowed.survey, counted);
            prop_assert_eq!(survey(&exact), counted);
        }
    }

    #[test]
    fn a_survey_tells_overflow_flush_and_subnormal_apart() {
        let n =
            narrow(&vec![1.0, 0.0, -0.0, 1e30, f64::INFINITY, f64::NAN, 1e-12, 1e-5, -1e-6, 65519.9].into());
        assert_eq!(n.survey, Survey { elements: 10, nonzero: 8, overflowed: 1, flushed: 1, subnormal: 2 });
        assert!(n.survey.is_ruined());
        assert!(survey(&vec![1e-12, 0.0].into()).is_ruined());
        assert!(!survey(&vec![1e-12, 1.0].into()).is_ruined());
        assert!(!survey(&vec![f64::NEG_INFINITY, 0.0].into()).is_ruined());
        assert_eq!(n.bytes.len(), 20);
        assert_eq!(
            n.survey,
            survey(&vec![1.0, 0.0, -0.0, 1e30, f64::INFINITY, f64::NAN, 1e-12, 1e-5, -1e-6, 65519.9].into())
        );
    }

    #[test]
    fn binary32_is_rounded_once_too() {
        assert_eq!(single(&vec![0.1].into()), 0.1f32.to_le_bytes());
    }
}
