//! Estimates how large and how small the values of every tensor get, to find where float16 would not hold them.
//!
//! No data is seen, so inputs are assumed: within ±[`INPUT_BOUND`], with mean 0 and standard deviation
//! [`INPUT_DEVIATION`], as normalized images, embeddings and features are; integer inputs that become floats are taken
//! for flags, 0 or 1, as attention masks are. From there on every operator has a rule.
//! Bounded operators (softmax, logistic, tanh, clips) give hard bounds. Weighted sums would give useless ones after
//! a few layers, so theirs are cut at [`DEVIATIONS`] standard deviations of a sum of independent terms, or of terms that are all alike
//! where the weights have one sign. Plain sums and means are taken at their worst, all terms alike, because that is how they overflow in practice. The result is
//! an estimate that decides where float32 is kept, not a proof.
//!
//! Sources: Moore, Kearfott, Cloud, *Introduction to Interval Analysis* (2009) for the intervals.

mod linear;
mod pattern;
mod rules;
#[cfg(test)]
mod tests;

use crate::constants::{MAX_FINITE, MIN_NORMAL};
use crate::target::{Constant, Target, TensorId};
use halfproof_ir::{DType, Data, Elements, Observation};
use std::collections::BTreeMap;

/// Graph inputs are assumed to lie within plus and minus this.
pub const INPUT_BOUND: f64 = 16.0;
/// Graph inputs are assumed to have this standard deviation.
pub const INPUT_DEVIATION: f64 = 4.0;
/// What samples showed may be exceeded by this factor.
pub const HEADROOM: f64 = 2.0;
/// Weighted sums are assumed to stay within this many standard deviations of their mean.
pub const DEVIATIONS: f64 = 8.0;

/// Between what the elements of a tensor lie, and how they are spread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bounds {
    /// Lower bound.
    pub(super) low: f64,
    /// Upper bound.
    pub(super) high: f64,
    /// Mean.
    pub(super) mean: f64,
    /// Standard deviation.
    pub(super) deviation: f64,
}

impl Bounds {
    /// What is assumed of an input, and of results that no rule bounds.
    pub(super) const ASSUMED: Bounds =
        Bounds { low: -INPUT_BOUND, high: INPUT_BOUND, mean: 0.0, deviation: INPUT_DEVIATION };

    /// Bounds with nothing known about the distribution inside: uniform.
    pub(super) fn within(low: f64, high: f64) -> Bounds {
        let (low, high) = (low.min(high), low.max(high));
        Bounds { low, high, mean: (low + high) / 2.0, deviation: (high - low) / 12f64.sqrt() }
    }

    fn exactly(value: f64) -> Bounds {
        Bounds { low: value, high: value, mean: value, deviation: 0.0 }
    }

    /// What samples showed, with room for what they did not, but not beyond what is estimated without them.
    fn observed(seen: &Observation, estimate: Bounds) -> Bounds {
        let room = |x: f64, outwards: bool| if outwards { x * HEADROOM } else { x / HEADROOM };
        let low = room(seen.low, seen.low < 0.0).max(estimate.low).min(seen.low);
        let high = room(seen.high, seen.high > 0.0).min(estimate.high).max(seen.high);
        Bounds { low, high, mean: seen.mean, deviation: seen.deviation }
    }

    /// The range of a constant's elements. Infinite ones are legal as masks and bounds and are left out.
    fn of(elements: impl Iterator<Item = f64> + Clone) -> Bounds {
        let finite = elements.filter(|x| x.is_finite());
        let (mut low, mut high, mut sum, mut squares, mut n) =
            (f64::INFINITY, f64::NEG_INFINITY, 0.0, 0.0, 0.0);
        for x in finite {
            low = low.min(x);
            high = high.max(x);
            sum += x;
            squares += x * x;
            n += 1.0;
        }
        if n == 0.0 {
            return Bounds::exactly(0.0);
        }
        let mean = sum / n;
        Bounds { low, high, mean, deviation: (squares / n - mean * mean).max(0.0).sqrt() }
    }

    /// Largest magnitude.
    pub(super) fn reach(&self) -> f64 {
        self.low.abs().max(self.high.abs())
    }

    /// True when elements may exceed the largest finite float16.
    pub(super) fn is_wide(&self) -> bool {
        self.reach() > MAX_FINITE
    }

    /// True when elements are known to be nonzero only by so little that float16 may lose it.
    pub(super) fn is_fragile(&self) -> bool {
        (self.low > 0.0 && self.low < MIN_NORMAL) || (self.high < 0.0 && self.high > -MIN_NORMAL)
    }

    /// The same with 0 inside.
    fn touching_zero(self) -> Bounds {
        Bounds { low: self.low.min(0.0), high: self.high.max(0.0), ..self }
    }

    /// Either of two.
    pub(super) fn or(self, other: Bounds) -> Bounds {
        let mean = (self.mean + other.mean) / 2.0;
        let spread = (self.mean - other.mean) / 2.0;
        let variance = (self.deviation.powi(2) + other.deviation.powi(2)) / 2.0 + spread * spread;
        Bounds {
            low: self.low.min(other.low),
            high: self.high.max(other.high),
            mean,
            deviation: variance.sqrt(),
        }
    }

    /// Cut to bounds.
    pub(super) fn clamp(self, low: f64, high: f64) -> Bounds {
        if self.low >= low && self.high <= high {
            return self;
        }
        let cut = |x: f64| x.max(low).min(high);
        Bounds {
            low: cut(self.low),
            high: cut(self.high),
            mean: cut(self.mean),
            deviation: self.deviation.min((cut(self.high) - cut(self.low)) / 2.0),
        }
    }

    /// Cut where a sum of independent terms is not expected to go.
    fn tightened(self) -> Bounds {
        let reach = DEVIATIONS * self.deviation;
        Bounds { low: self.low.max(self.mean - reach), high: self.high.min(self.mean + reach), ..self }
    }
}

/// What the analysis found.
#[derive(Debug)]
pub(super) struct Ranges {
    /// By tensor; [`Bounds::ASSUMED`] for those that are not float.
    pub(super) tensors: Vec<Bounds>,
    /// By operator: why it must not compute in float16 even where its operands and results fit.
    pub(super) inside: Vec<Option<String>>,
}

impl Ranges {
    fn of(&self, id: TensorId) -> Bounds {
        self.tensors[id.index()]
    }
}

/// What was seen of source tensors, by name.
pub(super) type Observed<'a> = BTreeMap<&'a str, &'a Observation>;

/// Analyzes a program. `constants` gives the elements that a constant will have after any rewrite.
pub(super) fn analyze<'a>(
    target: &'a Target,
    observed: &Observed<'_>,
    constants: impl Fn(TensorId) -> Option<&'a Elements>,
) -> Ranges {
    let seen = |id: TensorId| {
        let tensor = target.tensor(id);
        let origin = tensor.origin.as_ref().filter(|_| tensor.dtype == DType::F32)?;
        observed.get(origin.source.as_str()).copied()
    };
    let mut ranges = Ranges {
        tensors: vec![Bounds::ASSUMED; target.tensors.len()],
        inside: vec![None; target.operators.len()],
    };
    let direct = direct(target);
    for (i, tensor) in target.tensors.iter().enumerate() {
        let id = TensorId(u32::try_from(i).unwrap_or(u32::MAX));
        if let Some(held) = constants(id) {
            if !direct[i] {
                continue;
            }
            ranges.tensors[i] = match held {
                Elements::Single(v) => Bounds::of(v.iter().map(|&x| f64::from(x))),
                Elements::Double(v) => Bounds::of(v.iter().copied()),
                Elements::Bytes(b) => Bounds::of(b.as_chunks().0.iter().copied().map(Elements::number)),
            };
        } else if tensor.dtype == DType::Bool {
            ranges.tensors[i] = Bounds::within(0.0, 1.0);
        } else if let Some(Constant::Stored(data)) = &tensor.constant
            && let Some(elements) = integers(data)
        {
            ranges.tensors[i] = Bounds::of(elements.iter().map(|&x| f64::from(x)));
        }
    }
    for &(_, id) in &target.inputs {
        if target.tensor(id).dtype.is_integer() {
            ranges.tensors[id.index()] = Bounds::within(0.0, 1.0);
        } else if let Some(seen) = seen(id) {
            let anything = Bounds { low: f64::NEG_INFINITY, high: f64::INFINITY, ..Bounds::ASSUMED };
            ranges.tensors[id.index()] = Bounds::observed(seen, anything);
        }
    }
    let origins = pattern::Producers::new(target);
    for (i, op) in target.operators.iter().enumerate() {
        let context = rules::Context { target, ranges: &ranges, origins: &origins, constants: &constants };
        let (results, inside) = rules::apply(&context, op);
        ranges.inside[i] = inside;
        for (&id, range) in op.outputs.iter().zip(results) {
            ranges.tensors[id.index()] = match seen(id) {
                Some(seen) => Bounds::observed(seen, range),
                None => range,
            };
        }
    }
    ranges
}

/// By tensor: some operator reads it otherwise than as weights or bias, whose own bounds nobody asks for.
fn direct(target: &Target) -> Vec<bool> {
    use halfproof_wire::tflite::Builtin::{BatchMatmul, Conv2d, DepthwiseConv2d, FullyConnected};
    let mut direct = vec![false; target.tensors.len()];
    for op in &target.operators {
        let weighted = matches!(op.builtin, BatchMatmul | Conv2d | DepthwiseConv2d | FullyConnected);
        for (slot, id) in op.inputs.iter().enumerate() {
            if let Some(id) = id {
                direct[id.index()] |= !(weighted && slot > 0);
            }
        }
    }
    direct
}

fn integers(data: &Data) -> Option<&[i32]> {
    match data {
        Data::I32(v) => Some(v),
        _ => None,
    }
}
