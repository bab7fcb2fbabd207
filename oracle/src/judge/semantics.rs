//! Semantics: source and converted graph mean the same, both in f64 and both with unrounded constants.
//!
//! The tolerance is what the roundings of the two f64 evaluations can explain, times a small factor for constants that
//! the converter folded in f64. Elements for which that is more than 1e-9 of the tensor's magnitude are excluded, never
//! passed: float16 excuses nothing here.

use super::compare::{Tally, whole_numbers};
use super::layout::{permuted_shape, source_order};
use super::subject::{Depth, Point, undecidable};
use crate::arith::{Bound, Enclosure};
use crate::contract::Runtime;
use crate::onnx::Evaluation;
use crate::tflite::{Constants, Run, RunError};
use crate::value::Value;
use crate::verdict::{Blame, Class, Numbers, Place, Strength, Verdict};
use halfproof_ir::{Node, Op, ValueId};

/// The bounds of both evaluations are taken this many times: folding a constant rounds a few times more.
pub(super) const FOLDING: f64 = 16.0;
/// Least tolerance, relative to the values compared.
pub(super) const LEAST: f64 = 1e-13;
/// Greatest tolerance, relative to the largest element of the tensor, or of what it is a sum or difference of; beyond it
/// an element is undecidable.
const GREATEST: f64 = 1e-9;

impl Point<'_> {
    /// Do source and converted graph mean the same?
    pub fn semantics(&self) -> Verdict {
        if let (Depth::Verdicts, Some(verdict)) = (self.depth, self.agreement()) {
            return verdict;
        }
        let subject = self.subject;
        let enclosed = match self.reference.enclosed(subject.source()) {
            Ok(enclosed) => enclosed,
            Err(verdict) => return *verdict,
        };
        let bound = Bound::new(Runtime::Double);
        let run = match subject.program.run(&self.inputs, Constants::Exact(&subject.exact), &bound) {
            Ok(run) => run,
            Err(e) => return self.fails(&e),
        };
        let mut total = Tally::default();
        let scales = self.scales();
        for (&tensor, &id) in subject.program.outputs().iter().zip(&subject.graph.outputs) {
            let (Some(source), Some(target)) = (enclosed.value(id), run.tensors[tensor as usize].as_ref())
            else {
                return *undecidable("an output has no value", format!("output tensor {tensor}"));
            };
            let permutation = subject.interface_permutation(id, tensor, source.shape());
            let wanted = permuted_shape(source.shape(), permutation.as_deref());
            if wanted != target.shape() {
                let mut verdict = differs("an output has another shape than the source's", tensor, self);
                verdict.place.source = Some(subject.graph.value(id).name.clone());
                verdict.notes.push(format!("{:?} instead of {wanted:?}", target.shape()));
                return verdict;
            }
            match compare(source, target, permutation.as_deref(), scales[id.index()]) {
                Some(tally) => total.add(&tally),
                None => {
                    return differs("an output has another kind of elements than the source's", tensor, self);
                }
            }
        }
        // Tensors inside say where, and see what a later operator hides.
        let (inside, first_bad) = self.inside(enclosed, &run, &scales);
        if let Some((tensor, tally)) = first_bad {
            let reaches = total.outside > 0;
            let text = match self.operator_name(tensor) {
                Some(operator) => format!("{operator} does not compute what its source says"),
                None => "a tensor does not carry the values of its source".to_string(),
            };
            let mut verdict = differs(&text, tensor, self);
            verdict.place.element = tally.worst.map(|(e, _)| e);
            verdict.numbers = tally.worst.map(|(_, n)| n);
            verdict.judged = total.judged + inside.judged;
            verdict.excluded = total.excluded;
            let seen = if reaches { "the outputs differ" } else { "the outputs hide it on these inputs" };
            verdict
                .notes
                .push(format!("{} of {} elements of the tensor; {seen}", tally.outside, tally.judged));
            return verdict;
        }
        if total.outside > 0 {
            let tensor = subject.program.outputs().first().copied().unwrap_or(0);
            let mut verdict = differs("the outputs are not those of the source graph", tensor, self);
            verdict.place.element = total.worst.map(|(e, _)| e);
            verdict.numbers = total.worst.map(|(_, n)| n);
            (verdict.judged, verdict.excluded) = (total.judged, total.excluded);
            return verdict;
        }
        let mut verdict = if total.judged == 0 {
            Verdict::new(
                Class::Undecidable,
                Blame::Nobody,
                Strength::Unknown,
                "no element of the outputs is decidable in f64",
            )
        } else {
            Verdict::new(Class::Pass, Blame::Nobody, Strength::Certified, "source and converted graph agree")
        };
        (verdict.judged, verdict.excluded) = (total.judged, total.excluded);
        verdict.numbers = total.worst.map(|(_, n)| n);
        verdict
    }

    /// The converted graph cannot be computed on inputs that the source graph takes: an index out of range is as wrong as
    /// a wrong result. Anything else that goes wrong is the interpreter's.
    fn fails(&self, error: &RunError) -> Verdict {
        let RunError::Operator { operator, builtin, .. } = error else {
            return *undecidable("the interpreter cannot run the converted model", error.to_string());
        };
        let text = format!("{} fails on inputs that the source graph takes", builtin.name());
        let result = self.subject.program.operators().nth(*operator).and_then(|o| o.results.first().copied());
        let mut verdict = differs(&text, result.unwrap_or(0), self);
        verdict.notes.push(error.to_string());
        verdict
    }

    /// Tensors that carry a source value: what all of them give, and the first (in execution order) that differs.
    fn inside(
        &self,
        enclosed: &Evaluation<Enclosure>,
        run: &Run<Enclosure>,
        scales: &[f64],
    ) -> (Tally, Option<(u32, Tally)>) {
        let mut total = Tally::default();
        let mut first: Option<(usize, u32, Tally)> = None;
        for (id, origin) in &self.subject.origins {
            let Some(operator) = self.subject.producer(origin.tensor) else { continue };
            let target = run.tensors.get(origin.tensor as usize).and_then(Option::as_ref);
            let Some((source, target)) = enclosed.value(*id).zip(target) else { continue };
            if source.len() != target.len() {
                continue;
            }
            let scale = scales[id.index()];
            let Some(tally) = compare(source, target, origin.permutation.as_deref(), scale) else { continue };
            total.add(&tally);
            if tally.outside > 0 && first.as_ref().is_none_or(|(o, _, _)| operator < *o) {
                first = Some((operator, origin.tensor, tally));
            }
        }
        (total, first.map(|(_, tensor, tally)| (tensor, tally)))
    }

    /// By source value, the magnitude that differences are measured against: its largest element, or where cancellation
    /// made it small, that of the terms it is a sum of. The difference of two equal numbers is judged like the numbers.
    pub(super) fn scales(&self) -> Vec<f64> {
        let graph = self.subject.graph;
        let plain = &self.reference.plain;
        let largest = |id: ValueId| plain.value(id).map_or(0.0, |v| largest_of(v, |x| *x));
        // The root of an operand's last extent, or of the elements that one output channel of a filter has.
        let depth = |node: &Node, slot: usize, filter: bool| {
            let value = node.inputs.get(slot).copied().flatten().and_then(|id| plain.value(id));
            let shape = value.map_or(&[][..], |v| v.shape());
            let n: usize =
                if filter { shape.iter().skip(1).product() } else { shape.last().copied().unwrap_or(1) };
            (n as f64).sqrt()
        };
        let mut scales: Vec<f64> = (0u32..).zip(&graph.values).map(|(i, _)| largest(ValueId(i))).collect();
        for node in &graph.nodes {
            let operands: Vec<f64> = node.inputs.iter().flatten().map(|id| scales[id.index()]).collect();
            let terms = match &node.op {
                Op::Add | Op::Sub | Op::Sum | Op::Mean | Op::Neg | Op::Identity => {
                    operands.iter().copied().fold(0.0, f64::max)
                }
                Op::Transpose(_) | Op::Reshape(_) | Op::Flatten(_) | Op::ReduceMean(_) | Op::ReduceSum(_) => {
                    operands.first().copied().unwrap_or(0.0)
                }
                Op::Mul => operands.iter().product(),
                // A sum of n products without cancellation, of either sign at random.
                Op::MatMul | Op::Gemm(_) => operands.iter().take(2).product::<f64>() * depth(node, 0, false),
                Op::Conv(_) => operands.iter().take(2).product::<f64>() * depth(node, 1, true),
                _ => 0.0,
            };
            for id in node.outputs.iter().flatten() {
                let own = &mut scales[id.index()];
                *own = own.max(terms).min(f64::MAX);
            }
        }
        scales
    }

    pub(super) fn operator_name(&self, tensor: u32) -> Option<String> {
        let index = self.subject.producer(tensor)?;
        self.subject.program.operators().nth(index).map(|op| op.builtin.name().to_string())
    }
}

fn differs(text: &str, tensor: u32, point: &Point<'_>) -> Verdict {
    let mut verdict = Verdict::new(Class::Semantics, Blame::Converter, Strength::Certified, text);
    let subject = point.subject;
    let operator = subject.producer(tensor);
    verdict.place = Place {
        source: operator.and_then(|o| subject.source_of_operator(o)).or_else(|| subject.source_name(tensor)),
        operator: point.operator_name(tensor),
        operator_index: operator.and_then(|o| u32::try_from(o).ok()),
        tensor: subject.tensor_name(tensor),
        tensor_index: Some(tensor),
        element: None,
    };
    verdict
}

/// The largest finite magnitude of a tensor; 0 for integers.
pub(super) fn largest(value: &Value<Enclosure>) -> f64 {
    largest_of(value, |e| e.v)
}

fn largest_of<E>(value: &Value<E>, number: impl Fn(&E) -> f64) -> f64 {
    let Value::Float(_, a) = value else { return 0.0 };
    a.data.iter().map(|e| number(e).abs()).filter(|m| m.is_finite()).fold(0.0, f64::max)
}

/// Compares two evaluations of one tensor, against differences of the magnitude `scale`; `None` when one has floats and the other integers.
pub(super) fn compare(
    source: &Value<Enclosure>,
    target: &Value<Enclosure>,
    permutation: Option<&[usize]>,
    scale: f64,
) -> Option<Tally> {
    let order = source_order(source.shape(), permutation);
    let at = |i: usize| order.as_ref().map_or(i, |o| o[i]);
    let mut tally = Tally::default();
    match (source, target) {
        (Value::Float(_, s), Value::Float(_, t)) => {
            for (i, t) in t.data.iter().enumerate() {
                element(&mut tally, i, &s.data[at(i)], t, scale);
            }
        }
        (Value::Whole(_, s), Value::Whole(_, t)) => {
            for (i, t) in t.data.iter().enumerate() {
                let s = &s.data[at(i)];
                if s.value == t.value || s.decided && t.decided {
                    tally.judge(i, s.value == t.value, whole_numbers(s.value, t.value));
                } else {
                    tally.excluded += 1;
                }
            }
        }
        _ => return None,
    }
    Some(tally)
}

fn element(tally: &mut Tally, index: usize, s: &Enclosure, t: &Enclosure, scale: f64) {
    let agreed = s.v == t.v || s.v.is_nan() && t.v.is_nan();
    let error = (s.v - t.v).abs();
    let tolerance = FOLDING * (s.radius() + t.radius()) + LEAST * s.v.abs().max(t.v.abs());
    let numbers = |ratio: f64| Numbers {
        expected: s.v,
        actual: t.v,
        low: s.v - tolerance,
        high: s.v + tolerance,
        ratio,
    };
    if agreed {
        tally.judge(index, true, numbers(0.0));
    } else if s.v.is_finite() && t.v.is_finite() {
        if error > tolerance {
            tally.judge(index, false, numbers(error / tolerance));
        } else if tolerance <= GREATEST * scale.max(t.v.abs()) {
            tally.judge(index, true, numbers(error / tolerance));
        } else {
            tally.excluded += 1;
        }
    } else if s.contains(t.v) || t.contains(s.v) {
        tally.excluded += 1;
    } else {
        tally.judge(index, false, numbers(f64::INFINITY));
    }
}
