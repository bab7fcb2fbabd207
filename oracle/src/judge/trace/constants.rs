//! What a stored constant was before it was stored, and what a runtime makes of it.

use super::Tracer;
use super::cause::Flushed;
use crate::arith::{Arith, Enclosure};
use crate::half as binary16;
use crate::judge::kernels::either;
use crate::tflite::Operation;
use crate::value::{Array, Value};
use halfproof_ir::{DType, Precision};

/// How a constant that is not recognised was computed before it was stored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Folding {
    /// As if in unlimited precision: it is off by half a unit.
    Exact,
    /// In the type that it is stored in, by a few operators: off by some units of its largest element.
    Rounded {
        /// The largest finite magnitude among the source's float constants: what folding may have cancelled.
        source: f64,
    },
}

impl Folding {
    /// How far a folded constant may be off, beyond half a unit; `unit` is that of its largest element. `narrow` where the source's
    /// own constants were rounded to float16 first, and folding is done in it.
    fn radius(self, dtype: DType, unit: f64, narrow: bool) -> f64 {
        let Folding::Rounded { source } = self else { return 0.0 };
        let units = if dtype == DType::F16 { 2.0 } else { 16.0 };
        // A bias less a mean times a scale is small where it cancels; what was rounded is not.
        let cancelled =
            if narrow { 2.0 * binary16::ulp(source) } else { 16.0 * binary16::ulp_single(source) };
        (units * unit).max(cancelled)
    }
}

impl Tracer<'_> {
    /// A constant that float16 made 0 or infinite, of this operator or of one before it whose result is still carried.
    /// A small element among large ones that becomes 0 is ordinary rounding.
    pub(super) fn ruined_constant(&self, index: usize, op: &Operation<'_>) -> Option<Flushed> {
        let own = op.operands.iter().flatten().find_map(|&t| {
            let exact = self.subject.exact.get(&t)?;
            let stored = self.subject.program.is_constant(t).then(|| self.subject.constant_elements(t))?;
            let gone = stored.iter().all(|&s| s == 0.0);
            let (exact, &stored) = exact
                .iter()
                .zip(&stored)
                .find(|(e, s)| e.is_finite() && (s.is_infinite() || gone && *e != 0.0))?;
            let name =
                self.subject.source_name(t).or_else(|| self.subject.tensor_name(t)).unwrap_or_default();
            Some(Flushed { operator: index, name, exact, stored })
        });
        own.or_else(|| op.operands.iter().flatten().find_map(|t| self.flushed.get(t).cloned()))
    }

    /// Everything that a stored float constant may have been before it was rounded.
    pub(super) fn before_rounding(&self, tensor: u32, dtype: DType) -> Option<Vec<Enclosure>> {
        if !dtype.is_float() || !self.subject.program.is_constant(tensor) {
            return None;
        }
        let elements = self.subject.constant_elements(tensor);
        let was_half = self.may_have_been_half(dtype, &elements);
        let unit = |x: f64| {
            let is_half = was_half && (self.folding != Folding::Exact || !is_round(x));
            if is_half { binary16::ulp(x) } else { binary16::ulp_of(x, dtype) }
        };
        let largest = elements.iter().filter(|x| x.is_finite()).fold(0.0, |m: f64, x| m.max(x.abs()));
        let narrow = was_half || dtype == DType::F16 && self.subject.request.precision == Precision::Full;
        let folded = self.folding.radius(dtype, unit(largest), narrow);
        let interval = |x: f64| {
            let radius = 0.5 * unit(x) + folded;
            if x.is_finite() { Enclosure::of(x, x - radius, x + radius) } else { Enclosure::point(x) }
        };
        Some(elements.into_iter().map(interval).collect())
    }

    /// True for a FLOAT32 constant of a program that was to be float16 throughout, all of whose elements are float16 numbers:
    /// `module.half()` rounds weights before a converter widens what it computes in float32.
    fn may_have_been_half(&self, dtype: DType, elements: &[f64]) -> bool {
        let full = self.subject.request.precision == Precision::Full;
        full && dtype == DType::F32 && elements.iter().all(|&x| x.is_nan() || binary16::is_representable(x))
    }

    /// A FLOAT32 constant as a runtime holds it that computes everything in float16.
    pub(super) fn narrowed_constant(&self, tensor: u32) -> Option<Value<Enclosure>> {
        let (dtype, shape) = self.subject.program.form(tensor)?;
        if dtype != DType::F32 || !self.subject.program.is_constant(tensor) {
            return None;
        }
        let elements = self.subject.constant_elements(tensor);
        let data = elements.into_iter().map(|x| self.bound.exact(binary16::round(x))).collect();
        let rounded = Value::Float(dtype, Array { shape: shape.to_vec(), data });
        let stored = if self.stretch { self.subject.program.stored(tensor, &self.bound) } else { None };
        Some(match stored {
            Some(stored) => either(rounded, stored),
            None => rounded,
        })
    }
}

/// True for a number of few binary digits, as people and definitions write them: taken for one that was rounded, an exponent of 2
/// would tell nothing about powers. One weight in a hundred is such a number by chance; the walk in which folding may have rounded
/// takes it for any other.
fn is_round(x: f64) -> bool {
    let digits = x.abs() / binary16::power_of_two(binary16::exponent(x));
    x == 0.0 || (digits * 8.0).fract() == 0.0
}
