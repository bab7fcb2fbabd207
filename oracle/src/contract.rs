//! What a runtime promises about rounding, operator by operator: the contract that a bound is computed under.
//!
//! A bound is as good as its contract. A contract that is too narrow raises false alarms, one that is too wide hides
//! faults, so each entry says where it comes from and whether executions of the real binary have confirmed it.

mod machine;
pub mod runtime;

pub use machine::HalfUnit;
pub use runtime::Runtime;

use crate::half;
use crate::tolerance::Library;
use crate::verdict::Strength;

/// A binary floating-point format that results are rounded to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// binary16.
    Half,
    /// binary32.
    Single,
    /// binary64.
    Double,
}

impl Format {
    /// Unit roundoff: half the spacing at 1.
    pub const fn unit(self) -> f64 {
        match self {
            Format::Half => half::UNIT,
            Format::Single => half::UNIT_SINGLE,
            Format::Double => f64::EPSILON * 0.5,
        }
    }

    /// Largest absolute error of a result that rounds to a subnormal number or zero: half the smallest one.
    pub const fn underflow(self) -> f64 {
        match self {
            Format::Half => half::MIN_SUBNORMAL * 0.5,
            Format::Single => 7.1e-46,
            Format::Double => 2.5e-324,
        }
    }

    /// Smallest normal number: what flushing to zero can lose.
    pub const fn min_normal(self) -> f64 {
        match self {
            Format::Half => half::MIN_NORMAL,
            Format::Single => half::MIN_NORMAL_SINGLE,
            Format::Double => f64::MIN_POSITIVE,
        }
    }

    /// Magnitudes above it may round to infinity.
    pub const fn largest(self) -> f64 {
        match self {
            Format::Half => half::MAX,
            Format::Single => f32::MAX as f64,
            Format::Double => f64::MAX,
        }
    }

    /// Bits of the significand.
    pub const fn precision(self) -> i32 {
        match self {
            Format::Half => 11,
            Format::Single => 24,
            Format::Double => 53,
        }
    }

    /// The largest number of the format that is not above `x`.
    pub fn round_down(self, x: f64) -> f64 {
        let nearest = self.round(x);
        match self {
            _ if nearest <= x || nearest.is_nan() => nearest,
            Format::Half => half::next_down(nearest),
            Format::Single => f64::from((nearest as f32).next_down()),
            Format::Double => nearest,
        }
    }

    /// The smallest number of the format that is not below `x`.
    pub fn round_up(self, x: f64) -> f64 {
        -self.round_down(-x)
    }

    /// Rounds a number to the format.
    #[inline]
    pub fn round(self, x: f64) -> f64 {
        match self {
            Format::Half => half::round(x),
            Format::Single => half::round_single(x),
            Format::Double => x,
        }
    }
}

/// How the rounding errors of a long sum add up in the bound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Growth {
    /// All in the same direction: n u.
    WorstCase,
    /// As independent random errors: factor * sqrt(n) u. A verdict that rests on it is `statistical`.
    Statistical {
        /// Standard deviations.
        factor: f64,
    },
}

/// What one kernel promises about rounding.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Contract {
    /// The narrowest format that the result of an arithmetic operation may be rounded to; not rounding it, or rounding
    /// it to a wider format, is allowed too (fused multiply-add, registers).
    pub registers: Format,
    /// The narrowest format between the steps of a composite kernel (softmax, normalisation).
    pub intermediates: Format,
    /// The narrowest format of partial sums, in any order, with or without fused multiply-add.
    pub accumulator: Format,
    /// True when subnormal binary16 numbers may become zero.
    pub flush: bool,
    /// True when subnormal binary32 numbers may become zero, as operands and as results: LiteRT suppresses them while a
    /// compiled model runs.
    pub flush_single: bool,
    /// True when FLOAT32 tensors are held in binary16.
    pub force_f16: bool,
    /// True when a float16 result may be read by the next operator before it is rounded, because a runtime makes one
    /// operator of both or leaves one of them in binary32.
    pub excess: bool,
    /// True when a result may be rounded to either of its two neighbors, whichever is nearer.
    pub directed: bool,
    /// False when storing rounds nothing: two f64 evaluations.
    pub rounds_storage: bool,
    /// How errors of sums add up.
    pub growth: Growth,
    /// Transcendental functions.
    pub library: Library,
    /// True when executions of the real binary have confirmed the contract.
    pub verified: bool,
    /// Where it comes from.
    pub source: &'static str,
}

impl Contract {
    /// Two f64 evaluations of the same real function: nothing is stored narrower than f64.
    pub const fn double() -> Contract {
        Contract {
            registers: Format::Double,
            intermediates: Format::Double,
            accumulator: Format::Double,
            flush: false,
            flush_single: false,
            force_f16: false,
            excess: false,
            directed: false,
            rounds_storage: false,
            growth: Growth::WorstCase,
            library: Library::Double,
            verified: true,
            source: "IEEE 754 binary64; libm within an ulp",
        }
    }

    /// Any binary32 execution, subnormals kept or flushed; FLOAT16 tensors are rounded when stored.
    pub const fn single() -> Contract {
        Contract {
            registers: Format::Single,
            intermediates: Format::Single,
            accumulator: Format::Single,
            flush_single: true,
            rounds_storage: true,
            library: Library::Single,
            source: "IEEE 754 binary32 in any order of summation",
            ..Contract::double()
        }
    }

    /// binary16 results with binary32 sums and steps, subnormals kept, unknown functions of a sane kernel.
    pub const fn half() -> Contract {
        Contract {
            registers: Format::Half,
            intermediates: Format::Half,
            library: Library::Half,
            verified: false,
            source: "binary16 results, binary32 sums",
            ..Contract::single()
        }
    }

    /// Every execution that a float16 model may get anywhere: narrow sums, flushing.
    pub const fn any_half() -> Contract {
        Contract {
            accumulator: Format::Half,
            flush: true,
            source: "any binary16 execution: sums in binary16 or wider, subnormals kept or flushed",
            ..Contract::half()
        }
    }

    /// The largest relative error of one rounding to the format: its unit roundoff, or the whole spacing at 1.
    pub fn unit(&self, format: Format) -> f64 {
        if self.directed { 2.0 * format.unit() } else { format.unit() }
    }

    /// The strength of a verdict that rests on this contract.
    pub fn strength(&self) -> Strength {
        match self.growth {
            Growth::Statistical { .. } => Strength::Statistical,
            Growth::WorstCase if self.verified => Strength::Certified,
            Growth::WorstCase => Strength::Unknown,
        }
    }
}
