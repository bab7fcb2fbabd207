//! One execution: float16 storage with float16 or float32 arithmetic, as an [`ExecutionModel`] says, bit for bit.
//!
//! Elements are f32, which holds every binary16 value; what is narrower is rounded where the model rounds it. Sums,
//! products and quotients of binary16 numbers that are rounded to binary32 first and to binary16 next are rounded
//! correctly (24 >= 2 * 11 + 2: Figueroa, *When is double rounding innocuous?*, 1995), so no wider register is needed.

pub mod model;
mod reduce;

pub use model::{Accumulator, ExecutionModel, Order};

use crate::arith::{Arith, Comparison, Function};
use crate::function;
use crate::half::{round_f32, round_single};
use crate::value::Whole;
use halfproof_ir::DType;
use halfproof_wire::tflite::Builtin;

/// The arithmetic of one execution model.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Half {
    /// How it rounds and accumulates.
    pub model: ExecutionModel,
}

/// The arithmetic of a binary32 execution: sequential binary32 sums, nothing narrower but what is stored as FLOAT16.
pub fn single() -> Half {
    Half { model: ExecutionModel::SINGLE }
}

impl Half {
    /// The arithmetic of that model.
    pub fn new(model: ExecutionModel) -> Half {
        Half { model }
    }

    /// Rounding to binary16 with the model's treatment of subnormals.
    #[inline]
    fn narrow(self, x: f32) -> f32 {
        let rounded = round_f32(x);
        if self.model.flush && rounded.abs() < 1.0 / 16_384.0 { 0.0f32.copysign(rounded) } else { rounded }
    }

    /// What holding a result in a register does.
    #[inline]
    fn register(self, x: f32) -> f32 {
        match self.model.intermediates {
            Accumulator::F16 => self.narrow(x),
            Accumulator::F32 => x,
        }
    }

    /// A function's value, off by the model's noise, in a register.
    fn transcendental(self, x: f32, exact: f64, (least, greatest): (f64, f64)) -> f32 {
        if self.model.kernel_noise_ulp > 0.0 {
            // No sane kernel leaves the codomain. f64::clamp keeps NaN.
            return self.register(self.model.noise(x, exact).clamp(least, greatest) as f32);
        }
        self.register(exact as f32)
    }
}

impl Arith for Half {
    type E = f32;

    fn kernel(&self, _: Builtin, dtype: DType) -> Half {
        if dtype == DType::F16 || self.model.force_f16 { *self } else { Half { model: self.model.widened() } }
    }

    #[inline]
    fn exact(&self, x: f64) -> f32 {
        x as f32
    }

    #[inline]
    fn centre(&self, x: f32) -> f64 {
        f64::from(x)
    }

    #[inline]
    fn store(&self, x: f32, dtype: DType) -> f32 {
        if dtype == DType::F16 || self.model.force_f16 { self.narrow(x) } else { x }
    }

    #[inline]
    fn intermediate(&self, x: f32) -> f32 {
        self.register(x)
    }

    #[inline]
    fn add(&self, a: f32, b: f32) -> f32 {
        self.register(a + b)
    }

    #[inline]
    fn sub(&self, a: f32, b: f32) -> f32 {
        self.register(a - b)
    }

    #[inline]
    fn mul(&self, a: f32, b: f32) -> f32 {
        self.register(a * b)
    }

    #[inline]
    fn div(&self, a: f32, b: f32) -> f32 {
        self.register(a / b)
    }

    fn pow(&self, a: f32, b: f32) -> f32 {
        self.transcendental(a, libm::pow(f64::from(a), f64::from(b)), (f64::NEG_INFINITY, f64::INFINITY))
    }

    fn angle(&self, y: f32, x: f32) -> f32 {
        let widest = std::f64::consts::PI;
        self.transcendental(y, libm::atan2(f64::from(y), f64::from(x)), (-widest, widest))
    }

    #[inline]
    fn max(&self, a: f32, b: f32) -> f32 {
        super::ideal::larger(f64::from(a), f64::from(b)) as f32
    }

    #[inline]
    fn min(&self, a: f32, b: f32) -> f32 {
        super::ideal::smaller(f64::from(a), f64::from(b)) as f32
    }

    fn apply(&self, f: Function, x: f32) -> f32 {
        match f {
            Function::Relu => {
                if x < 0.0 {
                    0.0
                } else {
                    x
                }
            }
            Function::Neg => -x,
            Function::Abs => x.abs(),
            Function::Square => self.register(x * x),
            Function::LeakyRelu { alpha } => {
                let alpha = self.register(alpha as f32);
                if x < 0.0 { self.register(x * alpha) } else { x }
            }
            Function::Elu { .. } if x >= 0.0 => x,
            Function::Sqrt => self.register(x.sqrt()),
            Function::Floor | Function::Ceil | Function::Round | Function::Sign => {
                function::value(f, f64::from(x)) as f32
            }
            Function::Reciprocal => self.register(1.0 / x),
            _ => self.transcendental(x, function::value(f, f64::from(x)), function::codomain(f)),
        }
    }

    fn dot(&self, a: &[f32], b: &[f32], start: Option<f32>) -> f32 {
        self.accumulate(a, Some(b), start)
    }

    fn sum(&self, a: &[f32]) -> f32 {
        self.accumulate(a, None, None)
    }

    fn softmax(&self, row: &[f32], beta: f64, log: bool) -> Vec<f32> {
        let beta = beta as f32;
        let max = row.iter().copied().fold(f32::NEG_INFINITY, |m, x| self.max(m, x));
        let shifted: Vec<f32> = row
            .iter()
            .map(|&x| {
                let d = self.register(x - max);
                if beta == 1.0 { d } else { self.register(d * beta) }
            })
            .collect();
        let powers: Vec<f32> = shifted.iter().map(|&d| self.apply(Function::Exp, d)).collect();
        let total = self.sum(&powers);
        if log {
            let total = self.apply(Function::Log, total);
            return shifted.into_iter().map(|d| self.register(d - total)).collect();
        }
        powers.into_iter().map(|p| self.register(p / total)).collect()
    }

    #[inline]
    fn compare(&self, a: f32, b: f32) -> (Comparison, bool) {
        (super::ideal::comparison(f64::from(a), f64::from(b)), true)
    }

    #[inline]
    fn is_nan(&self, x: f32) -> (bool, bool) {
        (x.is_nan(), true)
    }

    #[inline]
    fn either(&self, a: f32, _: f32) -> f32 {
        a
    }

    #[inline]
    fn unknown(&self, likely: f32) -> f32 {
        likely
    }

    #[inline]
    fn truncate(&self, x: f32) -> Whole {
        Whole::known(x as i64)
    }

    #[inline]
    fn from_whole(&self, x: Whole) -> f32 {
        round_single(x.value as f64) as f32
    }
}

#[cfg(test)]
mod tests;
