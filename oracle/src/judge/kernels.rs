//! Kernels: each operator recomputed in f64 from the execution's own operands, held to a one-operator bound.
//!
//! Errors do not propagate, so this is the sharpest test of a runtime, and it names the first bad operator.

use super::compare::{Tally, whole_numbers};
use super::plain::{self, Runs};
use super::precision::on_grid;
use super::region::has_unrounded;
use super::subject::{Depth, Point, Subject, narrowed};
use crate::arith::{Arith, Bound, Enclosure, Ideal, flushed_single};
use crate::contract::Runtime;
use crate::contract::runtime::is_fused_square;
use crate::half as binary16;
use crate::record::Execution;
use crate::tflite::{Operation, Program, value};
use crate::value::Value;
use crate::verdict::{Blame, Class, Strength, Verdict};
use halfproof_ir::{DType, Elements, Tensor};
use halfproof_wire::tflite::Builtin;
use std::collections::BTreeMap;

impl Point<'_> {
    /// Is every operator of an execution within its own bound? Needs taps.
    pub fn kernels(&self, execution: &Execution) -> Verdict {
        self.operators(execution).0
    }

    /// The same, and a proof when every operator was seen and is within its bound: with [`Depth::Verdicts`] only, since nobody
    /// else asks.
    pub(super) fn operators(&self, execution: &Execution) -> (Verdict, Option<Proof>) {
        let runtime = Runtime::of_system(&execution.system).unwrap_or(Runtime::AnyHalf);
        let known = Runtime::of_system(&execution.system).is_some();
        let kernels = Kernels::new(self.subject, runtime);
        let program = &self.subject.program;
        let tensors = self.visible(execution);
        // Where bounds are wanted anyway, nothing is evaluated to do without them.
        let is_quick = self.depth == Depth::Verdicts && !has_unrounded(runtime, &kernels.region);
        let quick = if is_quick { self.runs() } else { None };
        let mut same = quick.map(|runs| Same::new(runs, &tensors));
        let mut total = Tally::default();
        let (mut checked, mut skipped) = (0usize, 0usize);
        let mut proven = quick.is_some_and(|runs| {
            (0u32..).zip(&tensors).all(|(t, actual)| actual.is_none() || runs.exact(t).is_some())
        });
        let mut notes = Vec::new();
        for (index, op) in program.operators().enumerate() {
            let seen = |t: u32| tensors[t as usize];
            if let Some(judged) = same.as_mut().and_then(|same| same.rounded(self.subject, index, &op)) {
                checked += 1;
                total.judged += judged;
                continue;
            }
            let widened = |t: u32| self.subject.widened(t, &Bound::new(Runtime::Single));
            let check = match kernels.check(index, &seen, &widened) {
                Check::NotVisible => {
                    skipped += 1;
                    proven &= op.results.iter().all(|t| self.subject.widened.contains_key(t));
                    continue;
                }
                Check::Failed(why) => {
                    skipped += 1;
                    proven = false;
                    notes.push(format!("operator {index} {}: {why}", op.builtin.name()));
                    continue;
                }
                Check::Done(check) => check,
            };
            checked += 1;
            if check.single {
                notes.push(format!("operator {index} {} ran in float32", op.builtin.name()));
            }
            proven &= !check.single;
            for (&tensor, expected) in op.results.iter().zip(&check.expected) {
                let Some(actual) = seen(tensor) else {
                    proven = false;
                    continue;
                };
                let tally = hold(expected, actual);
                let bad = tally.outside > 0 || expected.shape() != actual.shape;
                total.add(&tally);
                if bad {
                    let dtype = expected.dtype();
                    // How a stretch in float32 is cut out of a forced float16 graph is not certain.
                    let strength = if known && !check.single {
                        runtime.kernel(op.builtin, dtype).strength()
                    } else {
                        Strength::Unknown
                    };
                    let text = format!("{} is outside its one-operator bound", op.builtin.name());
                    let mut verdict = Verdict::new(Class::Kernel, Blame::Kernel, strength, text);
                    verdict.place = self.place(tensor, tally.worst.map(|(e, _)| e));
                    verdict.numbers = tally.worst.map(|(_, n)| n);
                    (verdict.judged, verdict.excluded) = (total.judged, total.excluded);
                    verdict.notes = notes;
                    verdict.notes.push(format!("{} of {} elements outside", tally.outside, tally.judged));
                    return (verdict, None);
                }
            }
        }
        let mut verdict = if total.judged == 0 {
            let text =
                if checked == 0 { "no operator is visible" } else { "no result of an operator is decidable" };
            Verdict::new(Class::Undecidable, Blame::Nobody, Strength::Unknown, text)
        } else {
            let strength = if known { Strength::Certified } else { Strength::Unknown };
            Verdict::new(Class::Pass, Blame::Nobody, strength, "every operator is within its own bound")
        };
        (verdict.judged, verdict.excluded) = (total.judged, total.excluded);
        verdict.numbers = total.worst.map(|(_, n)| n);
        verdict.notes = notes;
        verdict.notes.push(format!("{checked} operators checked, {skipped} not visible"));
        let proof = quick.filter(|_| proven && total.excluded == 0).map(|runs| {
            let kept = (0u32..).zip(&tensors).all(|(t, actual)| match (actual, runs.exact(t)) {
                (Some(actual), Some(exact)) => plain::is_as_finite(exact, actual),
                _ => true,
            });
            if kept { Proof::AsFinite } else { Proof::Overflowed }
        });
        (verdict, proof)
    }

    /// Tensors by index: inputs, taps and outputs.
    pub(super) fn visible<'t>(&'t self, execution: &'t Execution) -> Vec<Option<&'t Tensor>> {
        let program = &self.subject.program;
        let mut tensors: Vec<Option<&Tensor>> = vec![None; self.subject.tensor_count()];
        let outputs = program.outputs().iter().copied().zip(&execution.outputs);
        let taps = execution.taps.iter().map(|(t, tap)| (*t, tap));
        let inputs = program.inputs().iter().copied().zip(&self.inputs);
        // An output is what the caller got, whatever a tap of it says.
        for (index, tensor) in taps.chain(outputs).chain(inputs) {
            let fits = program.form(index).is_some_and(|(d, s)| d == tensor.dtype() && s == tensor.shape);
            if let (true, Some(slot)) = (fits, tensors.get_mut(index as usize)) {
                *slot = Some(tensor);
            }
        }
        tensors
    }
}

impl Subject<'_> {
    /// The value of a constant behind a DEQUANTIZE.
    pub(super) fn widened<A: Arith>(&self, tensor: u32, arith: &A) -> Option<Value<A::E>> {
        let operator = *self.widened.get(&tensor)?;
        self.program.step(operator, &[None], arith).ok()?.pop()
    }
}

/// Constants behind a DEQUANTIZE, by its result, and the operator: runtimes do not show them, and there is only one value
/// that they can have, for every float16 is a float32.
pub(super) fn widened_constants(program: &Program) -> BTreeMap<u32, usize> {
    let mut widened = BTreeMap::new();
    for (index, op) in program.operators().enumerate() {
        let (&[Some(stored)], &[result]) = (op.operands, op.results) else { continue };
        if op.builtin == Builtin::Dequantize
            && program.form(stored).is_some_and(|(dtype, _)| dtype == DType::F16)
            && program.is_constant(stored)
        {
            widened.insert(result, index);
        }
    }
    widened
}

/// An execution whose every operator was seen and is within its own bound, so that it is one that its contract allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// None of its numbers is an infinity or NaN but where the exact one is.
    AsFinite,
    /// Some are.
    Overflowed,
}

/// An execution beside the exact results: which of its tensors hold the very same numbers.
struct Same<'p> {
    runs: &'p Runs<'p>,
    /// The tensors that the execution shows, in f64.
    shown: Vec<Option<Value<f64>>>,
    /// By tensor: it is what it is in the exact computation with stored constants; `None` until somebody asks.
    known: Vec<Option<bool>>,
}

impl<'p> Same<'p> {
    fn new(runs: &'p Runs<'_>, tensors: &[Option<&Tensor>]) -> Same<'p> {
        let shown = tensors.iter().map(|t| t.map(|tensor| value(tensor, &Ideal))).collect();
        Same { runs, shown, known: vec![None; tensors.len()] }
    }

    /// True when a tensor is what it is in the exact computation with stored constants.
    fn is_exact(&mut self, tensor: u32) -> bool {
        let at = tensor as usize;
        *self.known[at].get_or_insert_with(|| match (&self.shown[at], self.runs.stored(tensor)) {
            (Some(shown), Some(exact)) => plain::is_same(exact, shown),
            // A constant, or one behind a DEQUANTIZE, which no execution shows.
            (None, _) => true,
            (Some(_), None) => false,
        })
    }

    /// The number of elements of an operator's results when each of them is the exact result of the operands that the
    /// execution shows, rounded. Such a result is within any bound, so none has to be worked out. `None` where one is not,
    /// or not everything is visible.
    fn rounded(&mut self, subject: &Subject<'_>, index: usize, op: &Operation<'_>) -> Option<u64> {
        let program = &subject.program;
        let visible = |&t: &u32| {
            self.shown[t as usize].is_some() || program.is_constant(t) || subject.widened.contains_key(&t)
        };
        if !op.operands.iter().flatten().all(visible) {
            return None;
        }
        let mut judged = 0;
        let all_exact = op.operands.iter().flatten().all(|&t| self.is_exact(t));
        let computed = if all_exact {
            None
        } else {
            // Constants, and those behind a DEQUANTIZE, no execution shows.
            let operand = |t: &Option<u32>| {
                let t = (*t)?;
                self.shown[t as usize].as_ref().or_else(|| self.runs.stored(t))
            };
            let operands: Vec<Option<&Value<f64>>> = op.operands.iter().map(operand).collect();
            Some(program.trusted(index, &operands, &Ideal).ok()?)
        };
        for (i, &t) in op.results.iter().enumerate() {
            let shown = self.shown[t as usize].as_ref()?;
            let exact = match &computed {
                Some(results) => results.get(i)?,
                None => self.runs.stored(t)?,
            };
            if !plain::is_rounded(exact, shown) {
                return None;
            }
            judged += shown.len() as u64;
        }
        Some(judged)
    }
}

/// What came of computing one operator again.
pub(super) enum Check {
    /// An operand or every result is not visible.
    NotVisible,
    /// The interpreter cannot compute it from these operands.
    Failed(String),
    /// Its results, enclosed.
    Done(Checked),
}

/// One operator computed again from an execution's own operands.
pub(super) struct Checked {
    /// Its results, in the operator's order.
    pub(super) expected: Vec<Value<Enclosure>>,
    /// True when a forced kernel left the float16 grid: it ran in float32 and is held to that.
    pub(super) single: bool,
}

/// The operators of one program as one runtime computes them.
pub(super) struct Kernels<'s> {
    subject: &'s Subject<'s>,
    runtime: Runtime,
    /// By tensor: true when it may be read without having been rounded to float16.
    region: Vec<bool>,
    /// FLOAT32 constants as a runtime holds them that computes everything in float16.
    constants: BTreeMap<u32, Elements>,
}

impl<'s> Kernels<'s> {
    pub(super) fn new(subject: &'s Subject<'s>, runtime: Runtime) -> Kernels<'s> {
        let force = Bound::new(runtime).contract.force_f16;
        let constants = if force { subject.narrowed_constants(runtime) } else { BTreeMap::new() };
        Kernels { subject, runtime, region: subject.unrounded(runtime), constants }
    }

    /// Computes one operator from what an execution shows of its operands; `widened` knows constants behind a
    /// DEQUANTIZE, which no execution shows.
    pub(super) fn check<'t>(
        &self,
        index: usize,
        seen: &impl Fn(u32) -> Option<&'t Tensor>,
        widened: &impl Fn(u32) -> Option<Value<Enclosure>>,
    ) -> Check {
        let program = &self.subject.program;
        let Some(op) = program.operators().nth(index) else { return Check::NotVisible };
        let force = Bound::new(self.runtime).contract.force_f16;
        let wide = |t: u32| self.region.get(t as usize) == Some(&true);
        let missing = |t: &u32| seen(*t).is_none() && !program.is_constant(*t) && widened(*t).is_none();
        if op.operands.iter().flatten().any(missing) || op.results.iter().all(|&t| seen(t).is_none()) {
            return Check::NotVisible;
        }
        // What is not forced ran in float32: other operators, integer results, and what leaves the float16 grid.
        let is_float = |&t: &u32| program.form(t).is_some_and(|(dtype, _)| dtype.is_float());
        let is_forced = self.runtime.forces(op.builtin) && op.results.iter().all(is_float);
        let off_grid = || op.results.iter().filter_map(|&t| seen(t)).any(|t| !on_grid(t));
        let single = force && (!is_forced || off_grid());
        let unrounded = op.results.iter().any(|&t| wide(t));
        let bound = match (single, unrounded) {
            (true, false) => Bound::new(Runtime::Single),
            (_, unrounded) => Bound::new(self.runtime.leaving(unrounded)),
        };
        let single = single || (force && unrounded);
        let values: Vec<Option<Value<Enclosure>>> = op
            .operands
            .iter()
            .map(|t| {
                let t = (*t)?;
                if let Some(elements) = self.constants.get(&t) {
                    let held = self.constant(t, elements.iter(), &bound);
                    let stored = self.constant(t, self.subject.constant_elements(t).into_iter(), &bound);
                    return if single { held.zip(stored).map(|(a, b)| either(a, b)) } else { held };
                }
                let Some(tensor) = seen(t) else { return widened(t) };
                let mut operand = held(tensor, force && !single, &bound);
                if force && single {
                    // Whether a float32 stretch reads it rounded depends on where the delegate cuts the graph.
                    operand = either(operand, held(tensor, true, &bound));
                }
                // The tap of a square that is fused away, or of a FLOAT16 tensor that was rounded to be shown. In a stretch that is
                // not rounded anyway a float32 tap says by its grid whether it was.
                let square = unrounded
                    && (!wide(t) || (force && on_grid(tensor)))
                    && is_square(program, t, op.builtin);
                let shown = wide(t) && tensor.dtype() == DType::F16;
                Some(if square || shown { before_rounding(operand) } else { operand })
            })
            .collect();
        let operands: Vec<Option<&Value<Enclosure>>> = values.iter().map(Option::as_ref).collect();
        match program.step(index, &operands, &bound) {
            Ok(expected) => Check::Done(Checked { expected, single }),
            Err(e) => Check::Failed(e.to_string()),
        }
    }

    /// A FLOAT32 constant with the elements that the runtime holds.
    fn constant(
        &self,
        tensor: u32,
        elements: impl Iterator<Item = f64>,
        bound: &Bound,
    ) -> Option<Value<Enclosure>> {
        let (_, shape) = self.subject.program.form(tensor)?;
        let held = Tensor::f32(shape.to_vec(), elements.map(|x| x as f32).collect());
        Some(value(&held, bound))
    }
}

/// What either of two operands may be.
pub(super) fn either(a: Value<Enclosure>, b: Value<Enclosure>) -> Value<Enclosure> {
    match (a, b) {
        (Value::Float(dtype, mut a), Value::Float(_, b)) => {
            a.data.iter_mut().zip(&b.data).for_each(|(a, b)| *a = Enclosure::hull(*a, *b));
            Value::Float(dtype, a)
        }
        (a, _) => a,
    }
}

/// True when a tensor is a square that the operator reading it is computed with as one.
fn is_square(program: &Program, tensor: u32, reader: Builtin) -> bool {
    program
        .operators()
        .find(|p| p.results.contains(&tensor))
        .is_some_and(|p| is_fused_square(p.builtin, reader))
}

/// An operand as the kernel holds it: a float32 input of a forced kernel is rounded first, and a subnormal one may be zero.
fn held(tensor: &Tensor, round: bool, bound: &Bound) -> Value<Enclosure> {
    let mut operand =
        if round && !on_grid(tensor) { value(&narrowed(tensor), bound) } else { value(tensor, bound) };
    if bound.contract.flush_single
        && let Value::Float(DType::F32, array) = &mut operand
    {
        array.data.iter_mut().for_each(|e| *e = flushed_single(*e));
    }
    operand
}

/// What an operand may have been before it was rounded to binary16: everything that rounds to it.
fn before_rounding(operand: Value<Enclosure>) -> Value<Enclosure> {
    let Value::Float(dtype, mut array) = operand else { return operand };
    for e in &mut array.data {
        if !e.is_point() {
            continue;
        }
        let half_ulp = |x: f64| 0.5 * binary16::ulp(x);
        *e = if e.v == f64::INFINITY {
            Enclosure { lo: binary16::OVERFLOW, ..*e }
        } else if e.v == f64::NEG_INFINITY {
            Enclosure { hi: -binary16::OVERFLOW, ..*e }
        } else {
            Enclosure { lo: e.v - half_ulp(e.v), hi: e.v + half_ulp(e.v), ..*e }
        };
    }
    Value::Float(dtype, array)
}

/// Holds one result to its bound.
pub(super) fn hold(expected: &Value<Enclosure>, actual: &Tensor) -> Tally {
    let mut tally = Tally::default();
    match (expected, actual.floats()) {
        (Value::Float(_, e), Some(values)) => {
            for (i, (e, &x)) in e.data.iter().zip(&values).enumerate() {
                tally.hold(i, e, x);
            }
        }
        (Value::Whole(_, e), None) => {
            let values = actual.integers().unwrap_or_default();
            for (i, (e, &x)) in e.data.iter().zip(&values).enumerate() {
                if e.decided || e.value == x {
                    tally.judge(i, e.value == x, whole_numbers(e.value, x));
                } else {
                    tally.excluded += 1;
                }
            }
        }
        _ => tally.outside += 1,
    }
    tally
}
