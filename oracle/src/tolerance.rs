//! The only table of slack that is not derived: how far kernels of transcendental functions may be off.
//!
//! An allowance is what a kernel may add before its result is stored. Correctly rounded operations (sums, products,
//! quotients, roots) have none. The figures for LiteRT come from running every finite binary16 argument through the
//! kernel; the others are declared by their libraries.

use crate::arith::Function;
use crate::contract::{Format, HalfUnit};
use crate::half::{MIN_NORMAL, MIN_SUBNORMAL};

/// Error that a kernel may add to the exact value y.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Allowance {
    /// In unit roundoffs of [`Library::unit`], times |y|.
    pub relative: f64,
    /// In the same units, times |x| |y|: for functions whose relative error follows the argument (powers).
    pub growth: f64,
    /// Times |x|, in the same units: for functions whose error follows the argument (x times a gate).
    pub by_argument: f64,
    /// Absolute.
    pub floor: f64,
    /// True when results below 2^-14 may become zero.
    pub flush: bool,
}

impl Allowance {
    /// Nothing.
    pub const NONE: Allowance =
        Allowance { relative: 0.0, growth: 0.0, by_argument: 0.0, floor: 0.0, flush: false };

    const fn relative(relative: f64) -> Allowance {
        Allowance { relative, ..Allowance::NONE }
    }
}

/// The allowances of a library of kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Library {
    /// Every function correctly rounded: our own interpreter.
    Exact,
    /// f64 functions of `libm`, for comparing two f64 evaluations.
    Double,
    /// binary32 functions of a C library or of XNNPACK's and Eigen's polynomials.
    Single,
    /// tract's binary32 functions: rational approximations, and compositions where it has no kernel.
    Tract,
    /// Functions of a shader in that format, as WGSL promises them.
    Wgsl(Format),
    /// Any sane binary16 kernel: three units, results near the subnormal range flushed or not.
    Half,
    /// XNNPACK's binary16 kernels on x86, LiteRT 2.3.0.
    XnnpackHalf(HalfUnit),
    /// Simulated kernels of that format with that noise, in hundredths of a unit.
    Noise(Format, u32),
}

impl Library {
    /// The unit roundoff that the library's relative allowances count in.
    pub fn unit(self) -> f64 {
        match self {
            Library::Exact | Library::Double => Format::Double.unit(),
            Library::Single | Library::Tract => Format::Single.unit(),
            Library::Half | Library::XnnpackHalf(_) => Format::Half.unit(),
            Library::Wgsl(format) | Library::Noise(format, _) => format.unit(),
        }
    }

    /// What the library's power function may add, which IEEE 754 does not define.
    ///
    /// `exponent` is the magnitude of the exponent, `logarithm` that of its product with the base's binary logarithm.
    pub fn power(self, exponent: f64, logarithm: f64) -> Allowance {
        let exp = self.allowance(Function::Exp);
        let Library::Wgsl(format) = self else { return exp };
        // WGSL derives it from exp2(y log2(x)): both errors of the logarithm are in the argument.
        let log = self.allowance(Function::Log);
        let widest = f64::from(format.precision()) - format.min_normal().log2();
        let argument =
            logarithm.min(widest) * (exp.growth + log.relative) + exponent * log.floor / format.unit();
        Allowance { relative: exp.relative + argument, growth: 0.0, ..exp }
    }

    /// What the library's kernel of f may add.
    pub fn allowance(self, f: Function) -> Allowance {
        use Function::*;
        if crate::function::is_exact(f) {
            return Allowance::NONE;
        }
        match self {
            Library::Exact => Allowance::NONE,
            Library::Noise(..) if crate::function::is_basic(f) => Allowance::NONE,
            Library::Noise(_, hundredths) => Allowance::relative(f64::from(hundredths) / 100.0),
            // Results in the subnormal range of binary64 lose relative accuracy, too.
            Library::Double => {
                Allowance { relative: 16.0, floor: 4.0 * f64::from_bits(1), ..Allowance::NONE }
            }
            Library::Single => single(f),
            Library::Tract => tract(f),
            Library::Wgsl(format) => wgsl(f, format),
            Library::Half => match f {
                Sqrt | Reciprocal | Square | LeakyRelu { .. } => Allowance { flush: true, ..Allowance::NONE },
                Gelu | GeluTanh | Mish | HardSwish => Allowance {
                    relative: 3.0,
                    by_argument: 3.0,
                    floor: MIN_NORMAL,
                    flush: true,
                    ..Allowance::NONE
                },
                Sin | Cos => Allowance {
                    relative: 3.0,
                    by_argument: 1.0,
                    floor: MIN_NORMAL,
                    flush: true,
                    ..Allowance::NONE
                },
                _ => Allowance { relative: 6.0, floor: MIN_NORMAL, flush: true, ..Allowance::NONE },
            },
            Library::XnnpackHalf(HalfUnit::Converting) => xnnpack_half(f),
            Library::XnnpackHalf(HalfUnit::Computing) => xnnpack_native(f),
        }
    }
}

/// binary32 kernels: XNNPACK's polynomials and Eigen's vectorised functions stay within a few units where results are
/// normal numbers. The absolute terms are cut-offs that libraries document: LiteRT takes exp(x) for logistic(x) below
/// -9 (off by e^-18) and 1 above 16.6, tract clamps its argument at ±18; rational tanh and erf are good to about 2e-7.
fn single(f: Function) -> Allowance {
    use Function::*;
    let within = |relative: f64, by_argument: f64, floor: f64| Allowance {
        relative,
        by_argument,
        floor,
        ..Allowance::NONE
    };
    match f {
        Square | LeakyRelu { .. } => Allowance::NONE,
        // XNNPACK's square root is a reciprocal root with a Newton step: the last bit may be off.
        Sqrt | Reciprocal => Allowance::relative(4.0),
        Rsqrt => Allowance::relative(4.0),
        // Reduction of large arguments in binary32; the error follows the argument.
        Sin | Cos => within(4.0, 2.0, 4e-7),
        Gelu | GeluTanh | Mish | HardSwish => within(8.0, 8.0, 1e-37),
        Logistic => within(8.0, 0.0, 3e-7),
        Tanh | Erf => within(8.0, 0.0, 2e-7),
        // Near 1 the result is small and the polynomial's error is not.
        Log => within(8.0, 0.0, 1.2e-7),
        _ => within(8.0, 0.0, 1e-37),
    }
}

/// tract's kernels as measured by `fuzz/systems/tests/tract.rs`: logistic, tanh and erf are rational functions with an
/// absolute error, and what is composed of them inherits it times its argument.
fn tract(f: Function) -> Allowance {
    use Function::*;
    let within = |relative: f64, by_argument: f64, floor: f64| Allowance {
        relative,
        by_argument,
        floor,
        ..Allowance::NONE
    };
    match f {
        Erf => within(8.0, 0.0, 2e-6),
        Gelu => within(8.0, 32.0, 1e-37),
        Elu { .. } | Softplus => within(8.0, 0.0, 2e-7),
        // 4.5e-7 for every argument below -18 with AVX-512, 1.2e-7 without.
        Logistic => within(8.0, 0.0, 6e-7),
        _ => single(f),
    }
}

/// The WGSL specification's section "Floating point accuracy", counted in units (two to an ULP). The functions that it derives
/// from others are what those allow; the ones that it does not name are LiteRT's own formulas, whose steps round.
fn wgsl(f: Function, format: Format) -> Allowance {
    use Function::*;
    let half = format == Format::Half;
    // exp: 3 + 2 |x| ULP, or 1 + 2 |x|.
    let exp = if half { 2.0 } else { 6.0 };
    let none = Allowance { floor: format.min_normal(), flush: true, ..Allowance::NONE };
    match f {
        Exp => Allowance { relative: exp, growth: 4.0, ..none },
        // Of 1 and a power, which are divided.
        Logistic => Allowance { relative: exp + 8.0, growth: 4.0, ..none },
        // sinh(x) / cosh(x), where the difference of two powers near 1 cancels.
        Tanh => Allowance { relative: exp + 8.0, growth: 4.0, floor: (exp + 4.0) * format.unit(), ..none },
        Sinh => Allowance { relative: exp + 4.0, growth: 4.0, floor: (exp + 4.0) * format.unit(), ..none },
        Cosh => Allowance { relative: exp + 4.0, growth: 4.0, ..none },
        // 4096 ULP, or 5.
        Atan | Asin | Acos => Allowance { relative: if half { 10.0 } else { 8192.0 }, ..none },
        // 2^-11, or 2^-7, for arguments up to pi; beyond it is the reduction's error, too.
        Sin | Cos => Allowance { by_argument: 1.0, floor: if half { 7.9e-3 } else { 4.9e-4 }, ..none },
        // 3 ULP; in [0.5, 2] 2^-21, or 2^-7.
        Log => Allowance { relative: 6.0, floor: if half { 7.9e-3 } else { 4.8e-7 }, ..none },
        // 2 ULP; 2.5 ULP; 1 / inverseSqrt(x).
        Rsqrt => Allowance { relative: 4.0, ..none },
        Reciprocal => Allowance { relative: 5.0, ..none },
        Sqrt => Allowance { relative: 10.0, ..none },
        _ if half => Library::Half.allowance(f),
        _ => single(f),
    }
}

/// Measured over all 63,488 finite binary16 arguments on AVX2 with F16C: excess over half an ulp in units of u |y|,
/// rounded up. EXP never returns less than 2^-15; LOGISTIC turns every subnormal result into zero.
fn xnnpack_half(f: Function) -> Allowance {
    use Function::*;
    match f {
        Exp => Allowance { relative: 5.2, floor: 1.0 / 32_768.0, flush: true, ..Allowance::NONE },
        Logistic => Allowance { relative: 4.2, flush: true, ..Allowance::NONE },
        Tanh | Elu { .. } | Log | Sin | Cos => {
            Allowance { relative: 1.0, floor: MIN_SUBNORMAL, ..Allowance::NONE }
        }
        Sqrt | Rsqrt => Allowance::relative(0.5),
        Square | Reciprocal | LeakyRelu { .. } => Allowance::NONE,
        HardSwish => Allowance { relative: 2.2, floor: 1.0e-7, ..Allowance::NONE },
        Gelu | GeluTanh => Allowance { relative: 1.0, by_argument: 2.4, floor: 1.0e-7, ..Allowance::NONE },
        _ => Library::Half.allowance(f),
    }
}

/// The same on AVX512-FP16. What is wilder than this is a fault: EXP is infinite from 10.75 on, LOG takes subnormal arguments
/// for others, SIN and COS explode beyond 512, TANH leaves its range by a unit.
fn xnnpack_native(f: Function) -> Allowance {
    use Function::*;
    match f {
        Exp => Allowance { relative: 9.8, floor: 1.0 / 32_768.0, flush: true, ..Allowance::NONE },
        Tanh => Allowance::relative(3.0),
        // No relative accuracy next to 1.
        Log => Allowance { relative: 0.9, floor: 1.2e-3, ..Allowance::NONE },
        // Of a reduced argument, whose error grows with the argument.
        Sin | Cos => Allowance { relative: 1.7, by_argument: 0.1, floor: MIN_SUBNORMAL, ..Allowance::NONE },
        Sqrt | Rsqrt => Allowance::relative(0.65),
        _ => xnnpack_half(f),
    }
}
