//! Precision: an execution's outputs are inside the bound around the exact result with rounded constants.
//!
//! Inside is *explained by rounding*: not a fault, but measured in bits lost. An infinity or NaN is a fault of the
//! runtime only where the bound excludes it; where the bound admits it and the source's result is a float16 number, the
//! choice of float16 is to blame.

use super::compare::{Tally, numbers, whole_numbers};
use super::kernels::Proof;
use super::overflow::{Fate, Fates, admits_overflow, inherent, not_representable, unbounded};
use super::plain;
use super::region::is_cut;
use super::subject::{Point, Reference, undecidable};
use crate::arith::{Bound, Enclosure};
use crate::contract::{Contract, Format, Runtime};
use crate::half;
use crate::onnx;
use crate::record::Execution;
use crate::tflite::Constants;
use crate::value::Value;
use crate::verdict::{Blame, Class, Numbers, Place, Strength, Verdict};
use halfproof_ir::{DType, Graph, Tensor};
use std::cell::OnceCell;

/// Share of the judged elements that may be more than half a unit off in a `pass`.
const ALMOST: f64 = 0.01;

/// What one output gave.
#[derive(Default)]
struct Seen {
    tally: Tally,
    /// Largest error in half units in the last place.
    half_units: f64,
    /// Elements more than half a unit off.
    off: u64,
    /// What became of elements that are not finite.
    fates: Fates,
    /// The first of them that is avoidable.
    avoidable: Option<(u64, Numbers)>,
    /// The judged element whose bound is widest beside the rounding of the result alone.
    widest: Option<Widest>,
}

/// An element, its bound, and how many times a rounding of the result alone goes into that.
#[derive(Clone, Copy)]
struct Widest {
    exact: f64,
    low: f64,
    high: f64,
    times: f64,
}

impl Widest {
    /// The bound over u |v| is what the program makes of a relative error of u: no less than its condition number.
    fn note(self) -> String {
        let Widest { exact, low, high, times } = self;
        let many = if times.is_finite() { format!("{times:.3e}") } else { "infinite".to_string() };
        format!("condition number at most {many}: exact result {exact:.6e}, bound [{low:.6e}, {high:.6e}]")
    }
}

impl Point<'_> {
    /// Are an execution's outputs within what rounding explains, under the contract of its runtime?
    pub fn precision(&mut self, execution: &Execution) -> Verdict {
        let runtime = Runtime::of_system(&execution.system);
        let region = self.subject.unrounded(runtime.unwrap_or(Runtime::AnyHalf));
        let is_cut = runtime.is_some_and(|runtime| is_cut(&self.subject.program, runtime));
        let stretches = is_cut || region.contains(&true);
        let runtime = runtime.map(|r| r.leaving(stretches));
        let known = runtime.unwrap_or(Runtime::AnyHalf);
        let run = match self.bound(known) {
            Ok(run) => run,
            Err(verdict) => return *verdict,
        };
        let strength = match runtime {
            // Where a forced float16 graph has stretches in float32, how they are cut is not certain.
            Some(runtime) if known.base().force_f16 && stretches => {
                self.weakest(runtime).max(Strength::Unknown)
            }
            Some(runtime) => self.weakest(runtime),
            None => Strength::Unknown,
        };
        let outputs = self.subject.program.outputs().to_vec();
        if outputs.len() != execution.outputs.len() {
            let mut verdict =
                fault(Class::Precision, strength, "the runtime gives another number of outputs");
            verdict.notes.push(format!("{} instead of {}", execution.outputs.len(), outputs.len()));
            return verdict;
        }
        let mut total = Seen::default();
        let mut bits_lost = Vec::with_capacity(outputs.len());
        let mut worst_output = None;
        let mut avoidable_output = 0;
        let mut fallback = false;
        let mut suspect = vec![false; outputs.len()];
        for (position, (&tensor, actual)) in outputs.iter().zip(&execution.outputs).enumerate() {
            let Some(expected) = run.tensors[tensor as usize].as_ref() else { continue };
            if expected.shape() != actual.shape || expected.dtype() != actual.dtype() {
                let mut verdict = fault(
                    Class::Precision,
                    strength,
                    "an output has another shape or type than the model says",
                );
                verdict.place = self.place(tensor, None);
                verdict.notes.push(format!("{}{:?}", actual.dtype(), actual.shape));
                return verdict;
            }
            fallback |= known.base().force_f16 && !on_grid(actual) && !region[tensor as usize];
            let source = OnceCell::new();
            let seen = observe(expected, actual, |i| self.source_element(&source, position, tensor, i));
            bits_lost.push(lost(seen.half_units));
            // What is the exact result, rounded, nothing has ruined.
            suspect[position] = seen.off + seen.fates.inherent + seen.tally.excluded > 0;
            if seen.tally.outside > 0 && worst_output.is_none() {
                worst_output = seen.tally.worst.map(|(e, n)| (tensor, e, n));
            }
            if let (None, Some((e, n))) = (&total.avoidable, seen.avoidable) {
                total.avoidable = Some((e, n));
                avoidable_output = tensor;
            }
            total.fates.add(&seen.fates);
            total.off += seen.off;
            total.widest =
                [total.widest, seen.widest].into_iter().flatten().max_by(|a, b| a.times.total_cmp(&b.times));
            total.tally.add(&seen.tally);
        }
        let mut out_of_domain = false;
        if worst_output.is_none() && total.avoidable.is_none() {
            if suspect.contains(&true) && run.tensors.iter().flatten().any(admits_overflow) {
                (total.avoidable, total.fates.avoidable) = self.ruined(known, execution, &suspect);
            }
        } else if let Some((element, numbers)) = &total.avoidable {
            let at = (avoidable_output, *element, numbers.actual);
            out_of_domain = self.is_out_of_domain(known, execution, at);
        }
        let mut verdict = if let Some((tensor, element, numbers)) = worst_output {
            if fallback {
                Verdict::new(
                    Class::Undecidable,
                    Blame::Nobody,
                    Strength::Unknown,
                    "an output is not on the float16 grid: the runtime did not compute it in float16",
                )
            } else {
                let mut verdict = outside(strength, numbers);
                verdict.place = self.place(tensor, Some(element));
                verdict
            }
        } else if let Some((element, numbers)) = total.avoidable {
            not_representable(strength, element, numbers, total.fates.avoidable, out_of_domain)
        } else if total.tally.judged == 0 && total.fates.inherent == 0 {
            let text = if total.tally.excluded == 0 {
                "there is nothing to compare"
            } else {
                "no output is decidable"
            };
            Verdict::new(Class::Undecidable, Blame::Nobody, Strength::Unknown, text)
        } else if total.fates.inherent > 0 {
            inherent(strength)
        } else {
            inside(total.off, total.tally.judged, strength)
        };
        total.fates.remark(&mut verdict);
        if fallback {
            verdict.notes.push("an output is not on the float16 grid".to_string());
        }
        verdict.numbers = verdict.numbers.or(total.tally.worst.map(|(_, n)| n));
        verdict.bits_lost = bits_lost;
        (verdict.judged, verdict.excluded) = (total.tally.judged, total.tally.excluded);
        if verdict.class == Class::Explained && self.needs_narrow_sums(known, execution) {
            verdict.notes.push("accumulator: part of the error needs a float16 accumulator".to_string());
        }
        if verdict.class == Class::Explained {
            verdict.notes.extend(total.widest.map(Widest::note));
        }
        verdict
    }

    /// The verdict about an execution that is proven to be allowed: its outputs need no bound of the whole program, only their
    /// distance from the exact ones, and what is not finite its source. An integer that is another one is undecided: that
    /// its operator may give it is proven too. `None` where nothing is decided.
    pub(super) fn measured(&self, execution: &Execution, proof: Proof) -> Option<Verdict> {
        let known = Runtime::of_system(&execution.system);
        let runtime = known.unwrap_or(Runtime::AnyHalf);
        debug_assert!(!runtime.base().force_f16, "operators of forced kernels are not proven");
        let runs = self.runs()?;
        let outputs = self.subject.program.outputs();
        if outputs.len() != execution.outputs.len() {
            return None;
        }
        let mut bits_lost = Vec::with_capacity(outputs.len());
        let (mut off, mut judged, mut undecided) = (0, 0, 0);
        let mut suspect = Vec::with_capacity(outputs.len());
        let (mut fates, mut first) = (Fates::default(), None);
        for (position, (&tensor, actual)) in outputs.iter().zip(&execution.outputs).enumerate() {
            let exact = runs.stored(tensor)?;
            let distance = plain::distance(exact, actual)?;
            bits_lost.push(lost(distance.half_units));
            off += distance.off;
            undecided += distance.undecided;
            judged += actual.len() as u64 - distance.undecided;
            // What is the exact result, rounded, nothing has ruined.
            suspect.push(distance.off + distance.undecided > 0);
            if proof == Proof::AsFinite || distance.not_finite.is_empty() {
                continue;
            }
            let Value::Float(dtype, exact) = exact else { continue };
            let values = actual.floats()?;
            let source = OnceCell::new();
            for element in distance.not_finite {
                let (e, x) = (exact.data[element], values[element]);
                let wanted = self.source_element(&source, position, tensor, element).unwrap_or(e);
                if fates.note(wanted, *dtype) == Some(Fate::Avoidable) {
                    first.get_or_insert((tensor, element as u64, unbounded(e, x)));
                }
            }
        }
        if judged == 0 {
            return None;
        }
        let strength = known.map_or(Strength::Unknown, |runtime| self.weakest(runtime));
        let (fault, out_of_domain) = match first {
            Some((tensor, element, numbers)) => {
                let at = (tensor, element, numbers.actual);
                (Some((element, numbers)), self.is_out_of_domain(runtime, execution, at))
            }
            None if proof == Proof::Overflowed => {
                let ruined;
                (ruined, fates.avoidable) = self.ruined(runtime, execution, &suspect);
                (ruined, false)
            }
            None => (None, false),
        };
        let mut verdict = match fault {
            Some((element, numbers)) => {
                not_representable(strength, element, numbers, fates.avoidable, out_of_domain)
            }
            None if fates.inherent > 0 => inherent(strength),
            None => inside(off, judged, strength),
        };
        fates.remark(&mut verdict);
        (verdict.judged, verdict.excluded, verdict.bits_lost) = (judged, undecided, bits_lost);
        Some(verdict)
    }

    /// The weakest contract that any operator of the program is held to.
    fn weakest(&self, runtime: Runtime) -> Strength {
        let contracts = self.subject.program.operators().map(|op| {
            let float = op.results.iter().find_map(|&t| self.subject.program.form(t).map(|(d, _)| d));
            runtime.kernel(op.builtin, float.unwrap_or(DType::F32)).strength()
        });
        contracts.max().unwrap_or(Strength::Certified)
    }

    /// True when the outputs are explained by binary16 sums only: with binary32 sums they would be outside.
    fn needs_narrow_sums(&self, runtime: Runtime, execution: &Execution) -> bool {
        let base = runtime.base();
        if base.accumulator != Format::Half {
            return false;
        }
        let bound = Bound::under(Contract { accumulator: Format::Single, ..base });
        let Ok(run) = self.subject.program.run(&self.inputs, Constants::Stored, &bound) else { return false };
        self.subject.program.outputs().iter().zip(&execution.outputs).any(|(&tensor, actual)| {
            run.tensors[tensor as usize]
                .as_ref()
                .is_some_and(|e| observe(e, actual, |_| None).tally.outside > 0)
        })
    }

    pub(super) fn place(&self, tensor: u32, element: Option<u64>) -> Place {
        let operator = self.subject.producer(tensor);
        Place {
            source: operator
                .and_then(|o| self.subject.source_of_operator(o))
                .or_else(|| self.subject.source_name(tensor)),
            operator: self.operator_name(tensor),
            operator_index: operator.and_then(|o| u32::try_from(o).ok()),
            tensor: self.subject.tensor_name(tensor),
            tensor_index: Some(tensor),
            element,
        }
    }
}

fn fault(class: Class, strength: Strength, text: &str) -> Verdict {
    Verdict::new(class, Blame::Kernel, strength, text)
}

/// The verdict about outputs inside the bound, of which `off` elements are more than half a unit off.
fn inside(off: u64, judged: u64, strength: Strength) -> Verdict {
    if off as f64 <= ALMOST * judged as f64 {
        return Verdict::new(Class::Pass, Blame::Nobody, strength, "the outputs are the exact ones, rounded");
    }
    let text = "the outputs differ from the exact ones by what rounding explains";
    Verdict::new(Class::Explained, Blame::Explained, strength, text)
}

/// Bits that a largest error of so many half units in the last place costs.
fn lost(half_units: f64) -> f64 {
    if half_units > 1.0 { half_units.log2() } else { 0.0 }
}

/// The verdict about a value outside the bound.
fn outside(strength: Strength, numbers: Numbers) -> Verdict {
    let mut verdict = if numbers.actual.is_finite() {
        fault(Class::Precision, strength, "an output is outside the bound of every allowed execution")
    } else {
        fault(Class::Nonfinite, strength, "an output is not finite where every allowed execution is")
    };
    verdict.numbers = Some(numbers);
    verdict
}

/// Holds an independent float32 runtime (tract) that ran the *source* graph to the reference: a second opinion about the
/// reference itself. A disagreement is a fault of one of the two, so its strength is `unknown`.
pub fn second_opinion(reference: &Reference, graph: &Graph, execution: &Execution) -> Verdict {
    let evaluation = match onnx::evaluate(graph, &reference.inputs, &Bound::new(Runtime::Tract)) {
        Ok(evaluation) => evaluation,
        Err(e) => return *undecidable("the reference cannot evaluate the source graph", e.to_string()),
    };
    let mut tally = Tally::default();
    if execution.outputs.len() != graph.outputs.len() {
        let text = "an independent float32 runtime gives another number of outputs";
        return fault(Class::Kernel, Strength::Unknown, text);
    }
    for ((expected, actual), id) in evaluation.outputs().zip(&execution.outputs).zip(&graph.outputs) {
        let mut seen = observe(expected, actual, |_| None).tally;
        if expected.shape() != actual.shape {
            seen.outside += 1;
        }
        if seen.outside > 0 {
            let text = "an independent float32 runtime disagrees with the reference";
            let mut verdict = fault(Class::Kernel, Strength::Unknown, text);
            verdict.place.source = Some(graph.value(*id).name.clone());
            verdict.place.element = seen.worst.map(|(e, _)| e);
            verdict.numbers = seen.worst.map(|(_, n)| n);
            return verdict;
        }
        tally.add(&seen);
    }
    let mut verdict = if tally.judged == 0 {
        Verdict::new(Class::Undecidable, Blame::Nobody, Strength::Unknown, "there is nothing to compare")
    } else {
        let text = "an independent float32 runtime agrees with the reference";
        Verdict::new(Class::Pass, Blame::Nobody, Strength::Certified, text)
    };
    (verdict.judged, verdict.excluded) = (tally.judged, tally.excluded);
    verdict
}

/// True when every element is a binary16 number.
pub(super) fn on_grid(tensor: &Tensor) -> bool {
    match &tensor.data {
        halfproof_ir::Data::F32(v) => v.iter().all(|&x| x.is_nan() || half::round_f32(x) == x),
        _ => true,
    }
}

/// What an output gives beside its bound; `source` knows exact results of the source graph.
fn observe(expected: &Value<Enclosure>, actual: &Tensor, source: impl Fn(usize) -> Option<f64>) -> Seen {
    let mut seen = Seen::default();
    match (expected, actual.floats()) {
        (Value::Float(dtype, e), Some(values)) => {
            for (i, (e, &x)) in e.data.iter().zip(&values).enumerate() {
                seen.element(i, e, x, &source, *dtype);
            }
        }
        (Value::Whole(_, e), None) => {
            let values = actual.integers().unwrap_or_default();
            for (i, (e, &x)) in e.data.iter().zip(&values).enumerate() {
                if e.decided || e.value == x {
                    seen.tally.judge(i, e.value == x, whole_numbers(e.value, x));
                } else {
                    seen.tally.excluded += 1;
                }
            }
        }
        _ => {}
    }
    seen
}

impl Seen {
    fn element(
        &mut self,
        index: usize,
        e: &Enclosure,
        actual: f64,
        source: &impl Fn(usize) -> Option<f64>,
        dtype: DType,
    ) {
        let good = self.tally.hold(index, e, actual);
        if good && actual == e.v && actual.is_finite() {
            return;
        }
        let inside = good || e.contains(actual);
        let is_avoidable = inside
            && !actual.is_finite()
            && self.fates.note(source(index).unwrap_or(e.v), dtype) == Some(Fate::Avoidable);
        if is_avoidable {
            self.avoidable.get_or_insert((index as u64, numbers(e, actual)));
        }
        if good && e.is_finite() && e.v.is_finite() && !e.is_point() {
            let unit = if dtype == DType::F16 { half::UNIT } else { half::UNIT_SINGLE };
            let times = e.radius() / (unit * e.v.abs());
            if self.widest.is_none_or(|w| times > w.times) {
                self.widest = Some(Widest { exact: e.v, low: e.lo, high: e.hi, times });
            }
        }
        if good && actual.is_finite() && e.v.is_finite() {
            let half_units = plain::half_units(e.v, actual, dtype);
            self.off += u64::from(half_units > 1.0);
            self.half_units = self.half_units.max(half_units);
        }
    }
}
