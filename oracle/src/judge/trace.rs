//! One model on one set of inputs, operator by operator, in memory that holds only what is still read: for triage of
//! models whose tensors would not all fit.
//!
//! Source and converted program are walked side by side. Of every operator the trace says whether its result means what
//! the source says (f64, unrounded constants), whether the execution is within the operator's own bound, how far it is
//! from the exact result of the whole program, and where something first goes wrong and why.

mod anchor;
mod cause;
mod constants;
mod row;
mod source;

pub use cause::{Cause, Fault, Flushed, LOSS};
pub use row::{Meaning, Row, Sample, State};
pub use source::{Source, values};

use super::compare::Tally;
use super::kernels::{self, Check, Kernels, either};
use super::layout::permuted_shape;
use super::recognise::largest_constant;
use super::semantics;
use super::subject::{Subject, narrowed};
use crate::arith::half::Half;
use crate::arith::{Arith, Bound, Enclosure};
use crate::contract::Runtime;
use crate::record::Execution;
use crate::tflite::{self as dialect, Operation};
use crate::value::{Array, Value};
use crate::verdict::{Strength, Verdict};
use anchor::Anchors;
use constants::Folding;
use halfproof_ir::{Tensor, TensorOrigin};
use halfproof_wire::tflite::Builtin;
use source::Walk;
use std::collections::{BTreeMap, BTreeSet};

/// Where the numbers of an execution come from.
#[derive(Clone, Copy, Debug)]
pub enum Run<'e> {
    /// Our own execution, computed while walking and forgotten behind it.
    Live {
        /// The name of the execution, which decides its contract.
        system: &'e str,
        /// Its arithmetic.
        arith: Half,
    },
    /// A recorded one; operators whose tensors it does not show are not judged.
    Recorded(&'e Execution),
}

/// What a trace is made of.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'p> {
    /// The source; `None` leaves out whether operators mean what they should.
    pub source: Option<Source<'p>>,
    /// The inputs of the source.
    pub inputs: &'p [Tensor],
    /// The execution.
    pub run: Run<'p>,
}

/// What was seen, operator by operator.
#[derive(Clone, Debug)]
pub struct Trace {
    /// The system that ran.
    pub system: String,
    /// One per float or integer result of every operator, in execution order.
    pub rows: Vec<Row>,
    /// Outputs of the execution.
    pub outputs: Vec<Tensor>,
    /// Why the meaning was not compared, or not to the end.
    pub unsure: Vec<String>,
    /// What the verdicts about kernels rest on, at their weakest.
    pub strength: Strength,
    /// What the verdicts about meaning rest on: a tensor that is recognised by an interval and not by its values may
    /// carry something else, as a sum before a small bias is added.
    pub meaning: Strength,
    /// What else explains a wrong meaning.
    pub doubt: Option<&'static str>,
}

/// The tensors of the converted model that are alive.
struct Live {
    /// With unrounded constants, in f64.
    exact: Option<Value<Enclosure>>,
    /// With stored constants: exact centre, and what the contract allows.
    bound: Option<Value<Enclosure>>,
    /// What the execution holds.
    actual: Option<Tensor>,
    /// Bits lost so far.
    lost: f64,
    /// True for a constant behind a DEQUANTIZE.
    widened: bool,
}

impl Subject<'_> {
    /// Walks the program; `progress` hears of every operator done.
    ///
    /// # Errors
    /// A verdict when the interfaces do not fit, or the program cannot be run on these inputs.
    pub fn trace(&self, plan: &Plan<'_>, progress: &mut dyn FnMut(usize)) -> Result<Trace, Box<Verdict>> {
        let mut trace = self.walked(plan, Folding::Exact, progress)?;
        // Accused of what its constants say: whoever folds them in float32 or float16 is not exact either.
        if self.provenance.tensors.is_empty() && trace.rows.iter().any(Row::is_meant_otherwise) {
            let folding = Folding::Rounded { source: plan.source.map_or(0.0, largest_constant) };
            let loose = self.walked(plan, folding, &mut |_| ())?;
            if !loose.rows.iter().any(Row::is_meant_otherwise) {
                trace.meaning = Strength::Unknown;
                trace.doubt = Some(
                    "constants that are computed in float32 or float16 before they are stored would explain it",
                );
            }
        }
        Ok(trace)
    }

    /// One walk.
    fn walked(
        &self,
        plan: &Plan<'_>,
        folding: Folding,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Trace, Box<Verdict>> {
        let inputs = self.model_inputs(plan.inputs)?;
        let system = match plan.run {
            Run::Live { system, .. } => system,
            Run::Recorded(execution) => &execution.system,
        };
        let runtime = Runtime::of_system(system).unwrap_or(Runtime::AnyHalf);
        // A stretch in float32 of a graph that is forced to float16: where it is cut out is not certain.
        let unrounded = self.unrounded(runtime).contains(&true);
        let stretch = unrounded && runtime.base().force_f16;
        let strength = if stretch { Strength::Unknown } else { Strength::Certified };
        let mut tracer = Tracer {
            subject: self,
            runtime,
            kernels: Kernels::new(self, runtime),
            bound: Bound::new(runtime.leaving(unrounded)),
            stretch,
            double: Bound::new(Runtime::Double),
            live: BTreeMap::new(),
            last_use: last_uses(self),
            pairs: BTreeMap::new(),
            walk: None,
            anchors: None,
            folding,
            fixed: BTreeSet::new(),
            run: plan.run,
            taps: BTreeMap::new(),
            trace: Trace {
                system: system.to_string(),
                rows: vec![],
                outputs: vec![],
                unsure: vec![],
                strength,
                meaning: Strength::Certified,
                doubt: None,
            },
            last_written: self
                .program
                .operators()
                .enumerate()
                .flat_map(|(at, op)| op.results.iter().map(move |&t| (t, at)))
                .collect(),
            flushed: BTreeMap::new(),
        };
        if let Run::Recorded(execution) = plan.run {
            let outputs = self.program.outputs().iter().copied().zip(&execution.outputs);
            tracer.taps = outputs.chain(execution.taps.iter().map(|(t, tap)| (*t, tap))).collect();
        }
        tracer.open(plan, &inputs);
        let count = self.program.operators().len();
        for index in 0..count {
            tracer.operator(index)?;
            progress(index + 1);
        }
        tracer.outputs();
        if let (Some(anchors), Some(walk)) = (&tracer.anchors, &tracer.walk) {
            anchors.accuse(&self.program, &tracer.fixed, &mut tracer.trace.rows, walk);
        }
        Ok(tracer.trace)
    }
}

impl Subject<'_> {
    /// What an operator reads in an execution, by tensor, constants left out: recorded, or computed again.
    ///
    /// # Errors
    /// A verdict when the program cannot be run on these inputs.
    pub fn operands(
        &self,
        operator: usize,
        inputs: &[Tensor],
        run: Run<'_>,
    ) -> Result<Vec<(u32, Tensor)>, Box<Verdict>> {
        let given = self.model_inputs(inputs)?;
        let mut live: BTreeMap<u32, Tensor> = self.program.inputs().iter().copied().zip(given).collect();
        match run {
            Run::Recorded(execution) => live.extend(execution.taps.iter().cloned()),
            Run::Live { arith, .. } => {
                let last = last_uses(self);
                for (index, op) in self.program.operators().enumerate().take(operator) {
                    let own: Vec<Option<Value<f32>>> =
                        op.operands.iter().map(|t| Some(dialect::value(live.get(&(*t)?)?, &arith))).collect();
                    let operands: Vec<Option<&Value<f32>>> = own.iter().map(Option::as_ref).collect();
                    let values = self.subject_step(index, &operands, &arith)?;
                    live.extend(
                        op.results.iter().copied().zip(values.iter().map(|v| dialect::tensor(v, &arith))),
                    );
                    live.retain(|t, _| last.get(t).is_some_and(|&l| l > index));
                }
            }
        }
        let Some(op) = self.program.operators().nth(operator) else { return Ok(vec![]) };
        Ok(op.operands.iter().flatten().filter_map(|t| Some((*t, live.get(t)?.clone()))).collect())
    }

    fn subject_step(
        &self,
        index: usize,
        operands: &[Option<&Value<f32>>],
        arith: &Half,
    ) -> Result<Vec<Value<f32>>, Box<Verdict>> {
        self.program.step(index, operands, arith).map_err(|e| {
            super::subject::undecidable("the interpreter cannot run the converted model", e.to_string())
        })
    }
}

/// By tensor: the last operator that reads or writes it; outputs live to the end.
fn last_uses(subject: &Subject<'_>) -> BTreeMap<u32, usize> {
    let mut last = BTreeMap::new();
    for (at, op) in subject.program.operators().enumerate() {
        for t in op.operands.iter().flatten().chain(op.results) {
            last.insert(*t, at);
        }
    }
    for t in subject.program.outputs() {
        last.insert(*t, usize::MAX);
    }
    last
}

struct Tracer<'a> {
    subject: &'a Subject<'a>,
    runtime: Runtime,
    kernels: Kernels<'a>,
    bound: Bound,
    /// True when float16 is forced and some of the graph is not rounded: inputs and constants may be read as they are.
    stretch: bool,
    double: Bound,
    live: BTreeMap<u32, Live>,
    last_use: BTreeMap<u32, usize>,
    /// Source values by the tensor that carries them: number in the walk, and how.
    pairs: BTreeMap<u32, (usize, &'a TensorOrigin)>,
    walk: Option<Walk<'a>>,
    /// What is recognised, where the converter does not say what its tensors are.
    anchors: Option<Anchors>,
    /// How constants that are not recognised were computed.
    folding: Folding,
    /// Tensors that depend on constants alone. Where the converter does not say what they carry they are not matched:
    /// a number that is near 1 may be meant as 1 or as anything near it.
    fixed: BTreeSet<u32>,
    run: Run<'a>,
    taps: BTreeMap<u32, &'a Tensor>,
    trace: Trace,
    /// Every result of an operator.
    last_written: BTreeMap<u32, usize>,
    /// Constants that float16 ruined, by the live tensors that depend on them.
    flushed: BTreeMap<u32, Flushed>,
}

impl<'a> Tracer<'a> {
    /// Starts both walks.
    fn open(&mut self, plan: &Plan<'a>, inputs: &[Tensor]) {
        let subject = self.subject;
        for (&t, input) in subject.program.inputs().iter().zip(inputs) {
            let mut held = dialect::value(input, &self.bound);
            if self.bound.contract.force_f16 {
                let rounded = dialect::value(&narrowed(input), &self.bound);
                held = if self.stretch { either(rounded, held) } else { rounded };
            }
            let live = Live {
                exact: Some(dialect::value(input, &self.double)),
                bound: Some(held),
                actual: Some(input.clone()),
                lost: 0.0,
                widened: false,
            };
            self.live.insert(t, live);
        }
        let Some(source) = plan.source else { return };
        let seen = subject.seen(plan.inputs);
        match Walk::new(source, &seen) {
            Ok(mut walk) => {
                let origins = &subject.provenance.tensors;
                for origin in origins {
                    let Some(id) = walk.value_named(&origin.source) else { continue };
                    if self.last_written.contains_key(&origin.tensor) && walk.computes(id) {
                        self.pairs.insert(origin.tensor, (id, origin));
                        walk.pin(id);
                    }
                }
                if origins.is_empty() {
                    walk.keep();
                    self.anchors = Some(Anchors::default());
                }
                self.walk = Some(walk);
            }
            Err(why) => self.trace.unsure.push(why),
        }
    }

    fn operator(&mut self, index: usize) -> Result<(), Box<Verdict>> {
        let subject = self.subject;
        let Some(op) = subject.program.operators().nth(index) else { return Ok(()) };
        let program = &subject.program;
        if op.operands.iter().flatten().all(|t| program.is_constant(*t) || self.fixed.contains(t)) {
            self.fixed.extend(op.results);
        }
        let mut exact = self.exact(index, &op);
        let bound = self.bounded(index, &op)?;
        let actual = self.actual(index, &op)?;
        // Executions are checked from their own operands, so that errors do not add up.
        let check = {
            let (live, taps, results) = (&self.live, &self.taps, &actual);
            let seen = |t: u32| {
                let own = op.results.iter().position(|&r| r == t).and_then(|i| results[i].as_ref());
                own.or_else(|| live.get(&t)?.actual.as_ref()).or_else(|| taps.get(&t).copied())
            };
            let widened = |t: u32| live.get(&t).filter(|l| l.widened && l.actual.is_none())?.bound.clone();
            self.kernels.check(index, &seen, &widened)
        };
        let carried = self.carried(&op);
        let flushed = self.ruined_constant(index, &op);
        let mut lost = vec![];
        for (i, &tensor) in op.results.iter().enumerate() {
            let meaning = match exact.as_mut().and_then(|e| e.get_mut(i)) {
                Some(value) => self.meaning(tensor, value),
                None => Meaning::Unknown,
            };
            let exact = exact.as_ref().and_then(|e| e.get(i));
            let expected = match &check {
                Check::Done(checked) => checked.expected.get(i),
                _ => None,
            };
            let mut row = Row::new(subject, index, tensor);
            row.carried = carried;
            row.meaning = meaning;
            if let Some(id) = self.anchors.as_ref().and_then(|a| a.matched.get(&tensor)) {
                row.source = self.walk.as_ref().and_then(|w| w.maker_name(*id)).or(row.source);
            }
            row.observe(exact, &bound[i], actual[i].as_ref(), self.bound.contract.force_f16);
            if let (Some(expected), Some(actual)) = (expected, &actual[i]) {
                row.hold(expected, actual, &kernels::hold(expected, actual));
                row.strength = self.runtime.kernel(op.builtin, row.dtype).strength();
                self.trace.strength = self.trace.strength.max(row.strength);
            }
            if (row.ruined > 0 || row.jump() >= cause::LOSS) && row.points.is_empty() {
                let worst = row.first_ruined.or(row.worst).map_or(0, |(e, _)| e);
                if let Some(actual) = &actual[i] {
                    row.sample(&bound[i], actual, worst);
                }
            }
            if row.ruined > 0 || row.jump() >= cause::LOSS {
                row.cause = Some(self.cause(&op, &row, flushed.as_ref()));
            }
            lost.push(row.lost);
            if let Some(flushed) = &flushed {
                self.flushed.insert(tensor, flushed.clone());
            }
            self.trace.rows.push(row);
        }
        let constant = |t: &Option<u32>| t.is_some_and(|t| subject.program.is_constant(t));
        let widened = op.builtin == Builtin::Dequantize && op.operands.iter().all(constant);
        let mut exact = exact.map(Vec::into_iter);
        for (&tensor, ((bound, actual), lost)) in
            op.results.iter().zip(bound.into_iter().zip(actual).zip(lost))
        {
            let exact = exact.as_mut().and_then(Iterator::next);
            self.live.insert(tensor, Live { exact, bound: Some(bound), actual, lost, widened });
        }
        for t in op.operands.iter().flatten().chain(op.results) {
            if self.last_use.get(t).is_none_or(|&last| last <= index) {
                self.live.remove(t);
                self.flushed.remove(t);
            }
        }
        Ok(())
    }

    /// Bits that the operands have lost, at most.
    fn carried(&self, op: &Operation<'_>) -> f64 {
        let lost = |t: &u32| self.live.get(t).map_or(0.0, |l| l.lost);
        op.operands.iter().flatten().map(lost).fold(0.0, f64::max)
    }

    /// The results in f64 with unrounded constants; `None` from where the meaning is not followed.
    fn exact(&mut self, index: usize, op: &Operation<'_>) -> Option<Vec<Value<Enclosure>>> {
        self.walk.as_ref()?;
        let own: Vec<Option<Value<Enclosure>>> = op
            .operands
            .iter()
            .map(|t| {
                let (dtype, shape) = self.subject.program.form((*t)?)?;
                let data = match self.subject.exact.get(&(*t)?) {
                    Some(elements) => elements.map(|x| self.double.exact(x)),
                    None if self.anchors.is_some() => self.before_rounding((*t)?, dtype)?,
                    None => return None,
                };
                Some(Value::Float(dtype, Array { shape: shape.to_vec(), data }))
            })
            .collect();
        let operands: Vec<Option<&Value<Enclosure>>> = op
            .operands
            .iter()
            .zip(&own)
            .map(|(t, own)| own.as_ref().or_else(|| self.live.get(&(*t)?)?.exact.as_ref()))
            .collect();
        let known = |(t, v): (&Option<u32>, &Option<&Value<Enclosure>>)| {
            v.is_some() || t.is_none_or(|t| self.subject.program.is_constant(t))
        };
        if !op.operands.iter().zip(&operands).all(known) {
            return None;
        }
        self.subject.program.step(index, &operands, &self.double).ok()
    }

    /// The results under the contract, with stored constants.
    fn bounded(&mut self, index: usize, op: &Operation<'_>) -> Result<Vec<Value<Enclosure>>, Box<Verdict>> {
        let force = self.bound.contract.force_f16;
        let own: Vec<Option<Value<Enclosure>>> =
            op.operands.iter().map(|t| if force { self.narrowed_constant((*t)?) } else { None }).collect();
        let operands: Vec<Option<&Value<Enclosure>>> = op
            .operands
            .iter()
            .zip(&own)
            .map(|(t, own)| own.as_ref().or_else(|| self.live.get(&(*t)?)?.bound.as_ref()))
            .collect();
        self.subject.program.step(index, &operands, &self.bound).map_err(|e| {
            super::subject::undecidable("the interpreter cannot run the converted model", e.to_string())
        })
    }

    /// What the execution holds of the results.
    fn actual(&mut self, index: usize, op: &Operation<'_>) -> Result<Vec<Option<Tensor>>, Box<Verdict>> {
        match self.run {
            Run::Recorded(_) => {
                Ok(op.results.iter().map(|t| self.taps.get(t).map(|t| (*t).clone())).collect())
            }
            Run::Live { arith, .. } => {
                let own: Vec<Option<Value<f32>>> = op
                    .operands
                    .iter()
                    .map(|t| Some(dialect::value(self.live.get(&(*t)?)?.actual.as_ref()?, &arith)))
                    .collect();
                let operands: Vec<Option<&Value<f32>>> = own.iter().map(Option::as_ref).collect();
                let values = self.subject.subject_step(index, &operands, &arith)?;
                Ok(values.iter().map(|v| Some(dialect::tensor(v, &arith))).collect())
            }
        }
    }

    /// Does a tensor carry what its source says?
    fn meaning(&mut self, tensor: u32, target: &mut Value<Enclosure>) -> Meaning {
        if let (Some(anchors), Some(walk), false) =
            (&mut self.anchors, &mut self.walk, self.fixed.contains(&tensor))
        {
            match anchors.find(walk, tensor, target) {
                Ok(Some((carried, how))) => {
                    self.trace.meaning = self.trace.meaning.max(how);
                    *target = carried;
                    return Meaning::Agrees;
                }
                Ok(None) => return self.interface_meaning(tensor, target),
                Err(why) => {
                    self.trace.unsure.push(why);
                    (self.anchors, self.walk) = (None, None);
                    return Meaning::Unknown;
                }
            }
        }
        let Some(&(id, origin)) = self.pairs.get(&tensor) else {
            return self.interface_meaning(tensor, target);
        };
        let permutation = origin.permutation.clone();
        self.compared(id, target, permutation.as_deref(), false)
    }

    /// An output that no provenance names corresponds by its position.
    fn interface_meaning(&mut self, tensor: u32, target: &Value<Enclosure>) -> Meaning {
        let Some(position) = self.subject.program.outputs().iter().position(|&t| t == tensor) else {
            return Meaning::Unmapped;
        };
        let Some(&id) = self.subject.graph.outputs.get(position) else { return Meaning::Unmapped };
        let name = &self.subject.graph.value(id).name;
        let Some(number) = self.walk.as_ref().and_then(|w| w.value_named(name)) else {
            return Meaning::Unmapped;
        };
        let shape: Vec<usize> = target.shape().to_vec();
        let permutation = self.subject.interface_permutation(id, tensor, &shape);
        self.compared(number, target, permutation.as_deref(), true)
    }

    fn compared(
        &mut self,
        id: usize,
        target: &Value<Enclosure>,
        permutation: Option<&[usize]>,
        shapes: bool,
    ) -> Meaning {
        let Some(walk) = &mut self.walk else { return Meaning::Unknown };
        let source = match walk.value(id) {
            Ok(Some(value)) => value,
            Ok(None) => return Meaning::Unmapped,
            Err(why) => {
                self.trace.unsure.push(why);
                self.walk = None;
                return Meaning::Unknown;
            }
        };
        let same_shape = permuted_shape(source.shape(), permutation) == target.shape();
        if source.len() != target.len() || (shapes && !same_shape) {
            return Meaning::Shape(permuted_shape(source.shape(), permutation), target.shape().to_vec());
        }
        let tally = if self.anchors.is_some() {
            anchor::compare(source, target, permutation)
        } else {
            semantics::compare(source, target, permutation, semantics::largest(source))
        };
        let meaning = match tally {
            None => Meaning::Shape(source.shape().to_vec(), target.shape().to_vec()),
            Some(Tally { outside, judged, worst: Some((element, numbers)), .. }) if outside > 0 => {
                Meaning::Differs { element, numbers, outside, judged }
            }
            Some(tally) if tally.judged == 0 && tally.excluded > 0 => Meaning::Undecidable,
            Some(_) => Meaning::Agrees,
        };
        walk.unpin(id);
        meaning
    }

    /// Why something goes wrong here, from what the operands hold.
    fn cause(&self, op: &Operation<'_>, row: &Row, flushed: Option<&Flushed>) -> Cause {
        let operands: Vec<cause::Operand> = op
            .operands
            .iter()
            .flatten()
            .filter_map(|&t| {
                let name = self.subject.tensor_name(t).unwrap_or_default();
                if self.subject.program.is_constant(t) {
                    let stored = self.subject.constant_elements(t);
                    return (!stored.is_empty()).then_some(cause::Operand { name, stored, exact: None });
                }
                let live = self.live.get(&t)?;
                let stored = live.actual.as_ref()?.floats()?;
                let exact = live.exact.as_ref().or(live.bound.as_ref()).and_then(row::centres);
                Some(cause::Operand { name, stored, exact })
            })
            .collect();
        cause::find(op.builtin, row, &operands, flushed)
    }

    /// Collects the outputs of the execution.
    fn outputs(&mut self) {
        let subject = self.subject;
        self.trace.outputs = match self.run {
            Run::Recorded(execution) => execution.outputs.clone(),
            Run::Live { .. } => subject
                .program
                .outputs()
                .iter()
                .filter_map(|t| self.live.get(t).and_then(|l| l.actual.clone()))
                .collect(),
        };
    }
}
