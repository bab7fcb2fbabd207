//! Constants: every stored element is the round-to-nearest-even of its exact value, bit for bit.
//!
//! A recorded rewrite (a mask clamped, an epsilon raised) excuses the elements that it names and no others, and only what
//! its rule allows. Only
//! constants whose exact elements the converter hands over can be judged; the others are counted as excluded.

use super::compare::Tally;
use super::subject::Subject;
use crate::half;
use crate::verdict::{Blame, Class, Numbers, Place, Strength, Verdict};
use halfproof_ir::{DType, Data, Rewrite};

impl Subject<'_> {
    /// Is every stored constant the nearest number of its type to the exact one?
    pub fn constants(&self) -> Verdict {
        let mut total = Tally::default();
        let mut first_bad = None;
        let (mut overflowed, mut flushed) = (0u64, 0u64);
        let Some(graph) = self.model.subgraphs.first() else {
            return Verdict::new(Class::Pass, Blame::Nobody, Strength::Certified, "there is no constant");
        };
        for (index, tensor) in (0u32..).zip(&graph.tensors) {
            let Some((dtype, _)) = self.program.form(index) else { continue };
            let Some(data) = self.program.float_constant(index) else { continue };
            let Some(exact) = self.exact.get(&index) else {
                total.excluded += data.len() as u64;
                continue;
            };
            let mut tally = Tally::default();
            for (element, (exact, (stored, bits))) in exact.iter().zip(elements(data)).enumerate() {
                let wanted = half::nearest(exact, dtype);
                let same = bits == encoding(wanted, dtype) || stored.is_nan() && wanted.is_nan();
                let same = same || self.is_rewritten(&tensor.name, index, exact, stored, dtype);
                overflowed += u64::from(exact.is_finite() && stored.is_infinite());
                flushed += u64::from(exact != 0.0 && stored == 0.0);
                let ratio = if same { 0.0 } else { f64::INFINITY };
                tally.judge(
                    element,
                    same,
                    Numbers { expected: wanted, actual: stored, low: wanted, high: wanted, ratio },
                );
            }
            if tally.outside > 0 && first_bad.is_none() {
                first_bad = tally.worst.map(|(element, numbers)| (index, element, numbers));
            }
            total.add(&tally);
        }
        let mut verdict = match first_bad {
            Some((index, element, numbers)) => {
                let text = "a constant is not the nearest number to its exact value";
                let mut verdict = Verdict::new(Class::Constant, Blame::Converter, Strength::Certified, text);
                verdict.place = Place {
                    source: self.source_name(index),
                    tensor: self.tensor_name(index),
                    tensor_index: Some(index),
                    element: Some(element),
                    ..Place::default()
                };
                verdict.numbers = Some(numbers);
                verdict.notes.push(format!("{} of {} elements differ", total.outside, total.judged));
                verdict
            }
            None if total.judged == 0 && total.excluded > 0 => {
                let text = "the converter does not say what its constants should be";
                Verdict::new(Class::Undecidable, Blame::Nobody, Strength::Unknown, text)
            }
            None => {
                let text = "every constant is the nearest number to its exact value";
                Verdict::new(Class::Pass, Blame::Nobody, Strength::Certified, text)
            }
        };
        verdict.judged = total.judged;
        verdict.excluded = total.excluded;
        for (count, what) in [(overflowed, "became infinite"), (flushed, "became zero")] {
            if count > 0 {
                verdict.notes.push(format!("{count} finite elements {what}"));
            }
        }
        verdict
    }

    /// True when a recorded rewrite puts `stored` in the place of `exact`.
    fn is_rewritten(&self, name: &str, index: u32, exact: f64, stored: f64, dtype: DType) -> bool {
        self.provenance.rewrites.iter().any(|r| {
            let here = r.at == name || self.source_name(index).is_some_and(|s| s == r.at);
            here && r.from == exact && half::nearest(r.to, dtype) == stored && is_allowed(r)
        })
    }

    /// The elements of a float constant; empty for anything else.
    pub(super) fn constant_elements(&self, index: u32) -> Vec<f64> {
        match self.program.float_constant(index) {
            Some(Data::F16(v)) => v.iter().map(|x| x.to_f64()).collect(),
            Some(Data::F32(v)) => v.iter().map(|&x| f64::from(x)).collect(),
            Some(Data::F64(v)) => v.clone(),
            _ => vec![],
        }
    }
}

/// True when a rewrite does what its rule is for, so that recording a wrong constant excuses nothing.
///
/// - `clamp-constant`: what float16 does not hold becomes something of the same sign that it does and that still excludes
///   a score from a softmax;
/// - `raise-epsilon`: what is below the smallest normal number becomes that number at most.
fn is_allowed(rewrite: &Rewrite) -> bool {
    let (from, to) = (rewrite.from, rewrite.to);
    match rewrite.rule.as_str() {
        "clamp-constant" => {
            from.abs() >= half::OVERFLOW
                && to.is_finite()
                && (1024.0..half::OVERFLOW).contains(&to.abs())
                && from.is_sign_negative() == to.is_sign_negative()
        }
        "raise-epsilon" => from > 0.0 && from < to && to <= half::power_of_two(-14),
        _ => false,
    }
}

/// Values and encodings.
fn elements(data: &Data) -> Vec<(f64, u64)> {
    match data {
        Data::F16(v) => v.iter().map(|x| (x.to_f64(), x.to_bits().into())).collect(),
        Data::F32(v) => v.iter().map(|&x| (f64::from(x), x.to_bits().into())).collect(),
        Data::F64(v) => v.iter().map(|&x| (x, x.to_bits())).collect(),
        _ => vec![],
    }
}

/// The bits of a number that the type holds.
fn encoding(x: f64, dtype: DType) -> u64 {
    match dtype {
        DType::F16 => half::to_bits(x).into(),
        DType::F32 => (x as f32).to_bits().into(),
        _ => x.to_bits(),
    }
}
