//! Facts about IEEE 754 binary16 (and binary32): rounding in one step, spacing, neighbors, classes.
//!
//! Numbers are f64 that hold a binary16 value exactly; widening is exact, so nothing is lost. Rounding is to nearest,
//! ties to even, from f64 in a single step: going through binary32 first would round twice.

use ::half::f16;
use halfproof_ir::DType;

/// Unit roundoff of binary16, 2^-11.
pub const UNIT: f64 = 1.0 / 2048.0;
/// Unit roundoff of binary32, 2^-24.
pub const UNIT_SINGLE: f64 = 1.0 / 16_777_216.0;
/// Smallest normal number, 2^-14.
pub const MIN_NORMAL: f64 = 1.0 / 16_384.0;
/// Smallest positive number, 2^-24.
pub const MIN_SUBNORMAL: f64 = 1.0 / 16_777_216.0;
/// Largest finite number.
pub const MAX: f64 = 65_504.0;
/// The least magnitude that rounds to infinity: halfway between [`MAX`] and 2^16.
pub const OVERFLOW: f64 = 65_520.0;
/// Smallest normal number of binary32, 2^-126.
pub const MIN_NORMAL_SINGLE: f64 = 1.175_494_350_822_287_5e-38;
/// The least magnitude that rounds to infinity in binary32: (2 - 2^-24) * 2^127.
pub const OVERFLOW_SINGLE: f64 = 3.402_823_567_797_336_6e38;

/// Bits of an f64 significand below the last bit of a normal binary16 significand.
const DROPPED: u32 = 42;
/// Added to and taken from a number below 2^-14 it rounds at 2^-24, the spacing of subnormals: 1.5 * 2^(52 - 24).
const SUBNORMAL_SHIFT: f64 = 402_653_184.0;

/// The binary16 number nearest to `x`, ties to even; ±inf from ±65520 on. NaN stays NaN, zeros keep their sign.
///
/// All cases are worked out and one is chosen, so that a loop over a tensor has no branches.
#[inline]
pub fn round(x: f64) -> f64 {
    let magnitude = x.abs();
    let subnormal = (magnitude + SUBNORMAL_SHIFT) - SUBNORMAL_SHIFT;
    let normal = significand_rounded(magnitude.to_bits());
    let rounded = if magnitude < MIN_NORMAL { subnormal } else { f64::from_bits(normal) };
    let rounded = if magnitude >= OVERFLOW { f64::INFINITY } else { rounded };
    (if x.is_nan() { magnitude } else { rounded }).copysign(x)
}

/// True when a binary16 number `x` is `e` with its significand rounded to 11 bits: then [`round`] makes `x` of it. That may
/// hold where this does not: a subnormal number has fewer bits, an infinity none, and zeros have signs.
#[inline]
pub(crate) fn is_rounded_significand(e: f64, x: f64) -> bool {
    (significand_rounded(e.to_bits()) == x.to_bits()) & !e.is_nan()
}

/// The encoding of a number, of any sign, with its significand rounded to 11 bits.
#[inline]
fn significand_rounded(bits: u64) -> u64 {
    let odd = (bits >> DROPPED) & 1;
    bits.wrapping_add((1 << (DROPPED - 1)) - 1).wrapping_add(odd) & !((1 << DROPPED) - 1)
}

/// [`round`] for a binary32 number, itself representable in binary32.
#[inline]
pub fn round_f32(x: f32) -> f32 {
    const DROPPED: u32 = 13;
    /// 1.5 * 2^(23 - 24): rounds at 2^-24.
    const SHIFT: f32 = 0.75;
    let magnitude = x.abs();
    if magnitude < 1.0 / 16_384.0 {
        return ((magnitude + SHIFT) - SHIFT).copysign(x);
    }
    if magnitude >= 65_520.0 {
        return f32::INFINITY.copysign(x);
    }
    if x.is_nan() {
        return x;
    }
    let bits = x.to_bits();
    let odd = (bits >> DROPPED) & 1;
    f32::from_bits((bits + ((1 << (DROPPED - 1)) - 1) + odd) & !((1 << DROPPED) - 1))
}

/// The binary32 number nearest to `x`, ties to even.
#[inline]
pub fn round_single(x: f64) -> f64 {
    #[expect(clippy::cast_possible_truncation, reason = "rounding to binary32 is the purpose")]
    f64::from(x as f32)
}

/// The number of a float type nearest to `x`; itself in binary64.
pub fn nearest(x: f64, dtype: DType) -> f64 {
    match dtype {
        DType::F16 => round(x),
        DType::F32 => round_single(x),
        _ => x,
    }
}

/// Zero for a number that is subnormal in binary16 (the sign stays), else the number.
#[inline]
pub fn flush(x: f64) -> f64 {
    if x.abs() < MIN_NORMAL { 0.0f64.copysign(x) } else { x }
}

/// True when `x` is a binary16 value: finite and unchanged by rounding, or not finite.
#[inline]
pub fn is_representable(x: f64) -> bool {
    round(x) == x || x.is_nan()
}

/// The encoding of the binary16 number nearest to `x`. Every NaN becomes the quiet NaN of its sign.
pub fn to_bits(x: f64) -> u16 {
    let sign = if x.is_sign_negative() { 0x8000 } else { 0 };
    let rounded = round(x.abs());
    let magnitude = if rounded.is_nan() {
        0x7e00
    } else if rounded == f64::INFINITY {
        0x7c00
    } else if rounded < MIN_NORMAL {
        // An integer from 0 to 1023.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an integer below 1024")]
        let units = (rounded / MIN_SUBNORMAL) as u16;
        units
    } else {
        let bits = rounded.to_bits();
        let exponent = (bits >> 52) - (1023 - 15);
        #[expect(clippy::cast_possible_truncation, reason = "at most 0x7bff")]
        let encoded = ((exponent << 10) | ((bits >> DROPPED) & 0x3ff)) as u16;
        encoded
    };
    sign | magnitude
}

/// The value of an encoding.
#[inline]
pub fn from_bits(bits: u16) -> f64 {
    /// 2^1008: the biases of the exponents are 15 and 1023.
    const REBIAS: f64 = f64::from_bits((1023 + 1023 - 15) << 52);
    let sign = u64::from(bits >> 15) << 63;
    let magnitude = u64::from(bits & 0x7fff) << DROPPED;
    let is_finite = bits & 0x7c00 != 0x7c00;
    // Exact, below the normal numbers too.
    let finite = (f64::from_bits(magnitude) * REBIAS).to_bits();
    let value = if is_finite { finite } else { magnitude | f64::INFINITY.to_bits() };
    f64::from_bits(value | sign)
}

/// The value of a number: [`half::f16::to_f64`] asks on each call what the processor can do.
#[inline]
pub fn value(x: f16) -> f64 {
    from_bits(x.to_bits())
}

/// Distance between the two binary16 numbers around `x` (the spacing of its binade): 2^-24 below 2^-14, 32 from 2^15
/// on. NaN for a NaN or infinite `x`.
pub fn ulp(x: f64) -> f64 {
    spacing(x, 10, MIN_NORMAL, 15)
}

/// [`ulp`] for binary32.
pub fn ulp_single(x: f64) -> f64 {
    spacing(x, 23, MIN_NORMAL_SINGLE, 127)
}

/// [`ulp`] for a float type: that of binary16, or of binary32 for every wider type.
pub fn ulp_of(x: f64, dtype: DType) -> f64 {
    if dtype == DType::F16 { ulp(x) } else { ulp_single(x) }
}

/// 2^(exponent of x - precision), the exponent clamped to the range of normal numbers.
fn spacing(x: f64, precision: i32, min_normal: f64, max_exponent: i32) -> f64 {
    if !x.is_finite() {
        return f64::NAN;
    }
    let exponent = exponent(x.abs().max(min_normal)).min(max_exponent);
    power_of_two(exponent - precision)
}

/// The exponent e of a normal f64: 2^e <= |x| < 2^(e+1).
#[inline]
pub fn exponent(x: f64) -> i32 {
    let biased = ((x.to_bits() >> 52) & 0x7ff) as i32;
    biased - 1023
}

/// 2^e for e in the range of normal f64 numbers (-1022 to 1023), clamped to it.
#[inline]
pub fn power_of_two(e: i32) -> f64 {
    f64::from_bits(u64::from((e.clamp(-1022, 1023) + 1023).cast_unsigned()) << 52)
}

/// The next binary16 number above the number `x`; inf after [`MAX`]. `x` must be representable.
pub fn next_up(x: f64) -> f64 {
    if x.is_nan() || x == f64::INFINITY {
        return x;
    }
    let bits = to_bits(x);
    from_bits(match bits {
        0x8000 => 1,
        b if b & 0x8000 == 0 => b + 1,
        b => b - 1,
    })
}

/// The next binary16 number below the number `x`; -inf after -[`MAX`]. `x` must be representable.
pub fn next_down(x: f64) -> f64 {
    -next_up(-x)
}

/// How many binary16 numbers lie between two of them, one end included: 0 for equal numbers (also of zeros), 1 for
/// neighbors. `None` if either is NaN.
pub fn steps_between(a: f64, b: f64) -> Option<u32> {
    if a.is_nan() || b.is_nan() {
        return None;
    }
    let rank = |x: f64| {
        let bits = i32::from(to_bits(x));
        if bits & 0x8000 == 0 { bits } else { 0x8000 - bits }
    };
    Some(rank(a).abs_diff(rank(b)))
}

/// The kinds of binary16 numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// +0 or -0.
    Zero,
    /// Below 2^-14 in magnitude, with fewer significant bits.
    Subnormal,
    /// From 2^-14 to 65504 in magnitude.
    Normal,
    /// ±inf.
    Infinite,
    /// Not a number.
    Nan,
}

/// What `x` becomes in binary16.
pub fn kind(x: f64) -> Kind {
    let rounded = round(x).abs();
    if rounded.is_nan() {
        Kind::Nan
    } else if rounded == 0.0 {
        Kind::Zero
    } else if rounded < MIN_NORMAL {
        Kind::Subnormal
    } else if rounded.is_finite() {
        Kind::Normal
    } else {
        Kind::Infinite
    }
}

#[cfg(test)]
mod tests;
