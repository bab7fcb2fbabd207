//! One model and its conversion, whoever made it: what is wrong first, and why. Inputs are found where none are given;
//! models are walked operator by operator, so that memory does not grow with their depth.
//!
//! Not here: how a campaign judges (`pipeline`), what is printed (`xtask`).

mod bisect;
mod counts;
mod cut;
pub mod kept;
mod sets;
mod words;

pub use bisect::{Bisection, On, bisect};
pub use counts::FILE;
pub use cut::{Piece, source_piece, target_piece};
pub use sets::{Set, sets};
pub use words::{Advice, advice, pattern, project};

use crate::campaign::Tally;
use halfproof_ir::{Conversion, DType, Graph, Precision, Request};
use halfproof_oracle::arith::half::{ExecutionModel, Half};
use halfproof_oracle::judge::diagnosis::{Diagnosis, diagnose, quantized, widened};
use halfproof_oracle::judge::trace::{Plan, Run, Source, Trace};
use halfproof_oracle::judge::{Subject, ended, recognise};
use halfproof_oracle::record::{Execution, Status};
use halfproof_oracle::tflite::Program;
use halfproof_oracle::verdict::{Blame, Class, Strength, Verdict};
use halfproof_systems::{Runtime, Taps};
use halfproof_wire::tflite::{Model, TensorType};
use kept::Kept;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

/// A source model of either format.
#[derive(Clone, Debug)]
pub struct SourceModel {
    /// The graph; of a .tflite source only its interface.
    pub graph: Graph,
    /// The program and the model of a .tflite source.
    pub tflite: Option<(Program, Model)>,
}

impl SourceModel {
    /// An ONNX source.
    pub fn onnx(graph: Graph) -> SourceModel {
        SourceModel { graph, tflite: None }
    }

    /// A float32 .tflite source.
    ///
    /// # Errors
    /// When our interpreter does not know the model.
    pub fn tflite(model: Model) -> Result<SourceModel, String> {
        let program = Program::new(&model).map_err(|e| e.to_string())?;
        let mut graph = Graph::new("tflite");
        let name = |t: u32| model.main().tensors.get(t as usize).map_or_else(String::new, |t| t.name.clone());
        for &t in program.inputs() {
            let (dtype, shape) = program.form(t).unwrap_or((DType::F32, &[]));
            graph.add_input(name(t), dtype, shape);
        }
        for &t in program.outputs() {
            let (dtype, shape) = program.form(t).unwrap_or((DType::F32, &[]));
            let known = graph.values.iter().position(|v| v.name == name(t));
            let id = match known {
                Some(i) => halfproof_ir::ValueId(i as u32),
                None => graph.add_typed(name(t), dtype, shape),
            };
            graph.outputs.push(id);
        }
        Ok(SourceModel { graph, tflite: Some((program, model)) })
    }

    /// Operators.
    pub fn operators(&self) -> usize {
        self.tflite.as_ref().map_or(self.graph.nodes.len(), |(p, _)| p.operators().len())
    }

    /// As the judge takes it.
    pub fn source(&self) -> Source<'_> {
        match &self.tflite {
            Some((program, model)) => Source::Tflite(program, model),
            None => Source::Onnx(&self.graph),
        }
    }

    /// The ONNX operator of a node; for a .tflite source the operator that makes the tensor.
    pub fn operator_of(&self, name: &str) -> Option<String> {
        match &self.tflite {
            None => crate::pipeline::operator_of(&self.graph, name).map(str::to_string),
            Some((program, model)) => {
                let tensor = model.main().tensors.iter().position(|t| t.name == name)?;
                let op = program.operators().find(|op| op.results.iter().any(|&t| t as usize == tensor))?;
                Some(op.builtin.name().to_string())
            }
        }
    }
}

/// The strategy that a converted file follows, read from its types: for files that somebody else made.
pub fn strategy(model: &Model) -> Precision {
    let Some(graph) = model.subgraphs.first() else { return Precision::Mixed };
    let activations = || graph.tensors.iter().filter(|t| model.data(t).is_none());
    let half = activations().any(|t| t.dtype == TensorType::Float16);
    let single = activations().any(|t| t.dtype == TensorType::Float32);
    let half_constants =
        graph.tensors.iter().any(|t| t.dtype == TensorType::Float16 && model.data(t).is_some());
    match (half, single) {
        (true, false) => Precision::Full,
        (false, true) if half_constants => Precision::Weights,
        // Nothing is float16: what was asked for cannot be seen, and float32 is no impurity of `mixed`.
        _ => Precision::Mixed,
    }
}

/// A conversion without a map of where things come from gets one of its constants, as far as they are recognised.
pub fn recognised(source: &SourceModel, mut conversion: Conversion) -> Conversion {
    if conversion.provenance.tensors.is_empty()
        && let Ok(model) = halfproof_wire::tflite::read(&conversion.model)
        && let Ok(program) = Program::new(&model)
    {
        conversion.provenance = recognise::constants(source.source(), &model, &program);
    }
    conversion
}

/// What runs a converted model.
pub struct Systems<'r> {
    /// Execution models of our interpreter, by system name.
    pub ours: Vec<(&'static str, Half)>,
    /// Runtimes in workers.
    pub outside: &'r mut [Box<dyn Runtime>],
}

/// The execution model of our interpreter behind a system's name.
pub fn interpreter(name: &str) -> Option<(&'static str, Half)> {
    match name {
        "interp-f16" => Some(("interp-f16", Half::new(ExecutionModel::HALF))),
        "interp-f32" => Some(("interp-f32", Half::new(ExecutionModel::SINGLE))),
        _ => None,
    }
}

/// What one input set showed.
#[derive(Clone, Debug)]
pub struct Examination {
    /// The first thing that is wrong.
    pub diagnosis: Diagnosis,
    /// By system.
    pub traces: Vec<Trace>,
    /// Executions of runtimes in workers.
    pub executions: Vec<Execution>,
    /// What was said about the file and about runtimes that gave no outputs: system, verdict.
    pub verdicts: Vec<(String, Verdict)>,
    /// The input set.
    pub set: Option<Set>,
    /// Two operators that are wrong together only, where that is the fault.
    pub kept: Option<Kept>,
    /// Counts of everything that was tried.
    pub tally: Tally,
}

/// Most bytes of tensors that a runtime is asked to show.
const TAPPED: u64 = 256 << 20;

/// What a runtime is asked to show.
fn taps(program: &Program) -> Taps {
    let tapped: u64 = program
        .operators()
        .flat_map(|op| op.results)
        .filter_map(|&t| program.form(t))
        .map(|(_, shape)| 4 * shape.iter().product::<usize>() as u64)
        .sum();
    if tapped > TAPPED { Taps::None } else { Taps::Checked }
}

/// Judges a conversion on one set of inputs after the other, until one shows a fault. `say` hears of the progress: what
/// is done, operators done, operators in all.
pub fn examine(
    source: &SourceModel,
    request: &Request,
    conversion: &Conversion,
    sets: &[Set],
    systems: &mut Systems<'_>,
    say: &mut dyn FnMut(&str, usize, usize),
) -> Examination {
    let about_file = |verdict: Verdict| Examination {
        diagnosis: Diagnosis { verdict: verdict.clone(), system: None, cause: None },
        traces: vec![],
        executions: vec![],
        verdicts: vec![(FILE.to_string(), verdict.clone())],
        set: None,
        kept: None,
        tally: counts::of_file(source, request.precision, &verdict),
    };
    if let Ok(model) = halfproof_wire::tflite::read(&conversion.model)
        && let Some(mut verdict) = quantized(&model)
    {
        verdict.place.source = name_quantized(source, request, &model, sets, &verdict);
        return about_file(verdict);
    }
    let subject = match Subject::new(&source.graph, request, conversion) {
        Ok(subject) => subject,
        Err(verdict) => return about_file(*verdict),
    };
    let file = [subject.legality(), subject.constants()];
    let mut best: Option<Examination> = None;
    let mut tally = Tally::default();
    for set in sets {
        let mut found = one_set(source, &subject, conversion, set, &file, systems, say);
        tally.merge(std::mem::take(&mut found.tally));
        counts::count(&mut tally, source, &subject.program, request.precision, &set.name, &found);
        found.set = Some(set.clone());
        let fault = !found.diagnosis.verdict.class.is_fine();
        let reachable = set.reachable || found.diagnosis.verdict.class != Class::Nonfinite;
        if fault && !reachable {
            // An overflow that only inputs cause which nobody promised is a remark, not an alarm.
            found.diagnosis = unreachable(found.diagnosis, set);
        }
        let rank = |e: &Examination| rank(e.diagnosis.verdict.class);
        if best.as_ref().is_none_or(|b| rank(&found) < rank(b)) {
            best = Some(found);
        }
        if fault && reachable {
            break;
        }
    }
    let best = best.map(|found| Examination { tally, ..found });
    best.unwrap_or_else(|| {
        about_file(Verdict::new(Class::Undecidable, Blame::Nobody, Strength::Unknown, "there are no inputs"))
    })
}

/// The source node that a quantized constant ends in, found by following the model with the constant widened.
fn name_quantized(
    source: &SourceModel,
    request: &Request,
    model: &Model,
    sets: &[Set],
    verdict: &Verdict,
) -> Option<String> {
    let number = i32::try_from(verdict.place.tensor_index?).ok()?;
    let carried = model.main().operators.iter().find(|op| op.inputs.contains(&number))?.outputs.first()?;
    let wide = widened(model)?;
    let reader = wide.main().operators.iter().position(|op| op.inputs.contains(carried))?;
    let conversion = Conversion {
        model: halfproof_wire::tflite::write(&wide),
        provenance: halfproof_ir::Provenance::default(),
        notes: vec![],
    };
    let conversion = recognised(source, conversion);
    let subject = Subject::new(&source.graph, request, &conversion).ok()?;
    let (system, arith) = interpreter("interp-f16")?;
    let of_source = match &source.tflite {
        Some(_) => source.source(),
        None => Source::Onnx(subject.source()),
    };
    let inputs = &sets.first()?.tensors;
    let plan = Plan { source: Some(of_source), inputs, run: Run::Live { system, arith } };
    let trace = subject.trace(&plan, &mut |_| ()).ok()?;
    trace.rows.iter().find(|r| r.operator == reader)?.source.clone()
}

fn unreachable(found: Diagnosis, set: &Set) -> Diagnosis {
    let mut verdict = Verdict::new(
        Class::Explained,
        Blame::Explained,
        Strength::Certified,
        "only inputs far outside of the usual range overflow",
    );
    verdict.place = found.verdict.place;
    verdict.numbers = found.verdict.numbers;
    verdict.notes.push(format!("inputs up to {:.4e} ({})", set.largest(), set.name));
    Diagnosis { verdict, ..found }
}

fn rank(class: Class) -> u8 {
    match class {
        Class::Explained => 1,
        Class::Pass => 2,
        Class::Undecidable => 3,
        _ => 0,
    }
}

/// Traces side by side, as many as there are cores, in the order of their plans.
fn side_by_side(
    subject: &Subject<'_>,
    plans: &[(&str, Plan<'_>)],
    count: usize,
    say: &mut dyn FnMut(&str, usize, usize),
) -> Vec<Result<Trace, Box<Verdict>>> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let (done, heard) = mpsc::channel();
    let (told, progress) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..cores.min(plans.len()) {
            let (done, told, next) = (done.clone(), told.clone(), &next);
            scope.spawn(move || {
                while let Some((at, (_, plan))) =
                    Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|i| Some((i, plans.get(i)?)))
                {
                    // Sending fails only when the receiver is gone, which outlives this scope.
                    let traced = subject.trace(plan, &mut |operator| _ = told.send((at, operator)));
                    _ = done.send((at, traced));
                }
            });
        }
        drop((done, told));
        for (at, operator) in progress {
            say(plans[at].0, operator, count);
        }
    });
    let mut traced: Vec<_> = heard.into_iter().collect();
    traced.sort_by_key(|(at, _)| *at);
    traced.into_iter().map(|(_, result)| result).collect()
}

fn one_set(
    source: &SourceModel,
    subject: &Subject<'_>,
    conversion: &Conversion,
    set: &Set,
    file: &[Verdict; 2],
    systems: &mut Systems<'_>,
    say: &mut dyn FnMut(&str, usize, usize),
) -> Examination {
    let count = subject.program.operators().len();
    let mut verdicts: Vec<(String, Verdict)> = file.iter().map(|v| (FILE.to_string(), v.clone())).collect();
    let mut traces: Vec<Trace> = vec![];
    let mut executions = vec![];
    let mut tally = Tally::default();
    let of_source = match &source.tflite {
        Some(_) => source.source(),
        None => Source::Onnx(subject.source()),
    };
    let taps = taps(&subject.program);
    for runtime in systems.outside.iter_mut() {
        let inputs = match subject.model_inputs(&set.tensors) {
            Ok(inputs) => inputs,
            Err(verdict) => {
                verdicts.push((FILE.to_string(), *verdict));
                break;
            }
        };
        say(runtime.name(), 0, count);
        let execution = runtime.run(&conversion.model, &inputs, taps);
        tally.execution(&execution);
        if let Some(verdict) = ended(&execution) {
            if !matches!(execution.status, Status::Cannot { .. }) {
                verdicts.push((execution.system.clone(), verdict));
            }
            continue;
        }
        executions.push(execution);
    }
    let live = systems.ours.iter().map(|&(system, arith)| (system, Run::Live { system, arith }));
    let recorded = executions.iter().map(|e| (e.system.as_str(), Run::Recorded(e)));
    let plans: Vec<(&str, Plan<'_>)> = live
        .chain(recorded)
        .enumerate()
        .map(|(i, (system, run))| {
            // The meaning does not depend on who runs: it is compared once.
            let source = (i == 0).then_some(of_source);
            (system, Plan { source, inputs: &set.tensors, run })
        })
        .collect();
    for ((system, _), traced) in plans.iter().zip(side_by_side(subject, &plans, count, say)) {
        match traced {
            Ok(trace) => traces.push(trace),
            Err(verdict) => verdicts.push((system.to_string(), *verdict)),
        }
    }
    let all: Vec<Verdict> = verdicts.iter().map(|(_, v)| v.clone()).collect();
    let mut diagnosis = diagnose(&subject.program, &all, &traces);
    if diagnosis.system.is_none() {
        let about = verdicts.iter().find(|(s, v)| s != FILE && v.text == diagnosis.verdict.text);
        diagnosis.system = about.map(|(s, _)| s.clone());
    }
    // Where keeping tensors changes the outputs there are no taps, and the last operator looks like the first bad one.
    let untapped = |e: &&Execution| Some(&e.system) == diagnosis.system.as_ref() && e.taps.is_empty();
    let mut kept = None;
    if taps == Taps::Checked
        && !diagnosis.verdict.class.is_fine()
        && let Some(execution) = executions.iter().find(untapped)
        && let Some(runtime) = systems.outside.iter_mut().find(|r| r.name() == execution.system)
        && let Ok(inputs) = subject.model_inputs(&set.tensors)
    {
        let run = kept::Run { model: &conversion.model, program: &subject.program, inputs: &inputs };
        let fault = run.explain(runtime.as_mut(), &mut diagnosis.verdict);
        if fault.is_some() {
            diagnosis.cause = None;
        }
        if let Some(kept::Fault::Pair(pair)) = fault {
            kept = Some(pair);
        }
    }
    Examination { diagnosis, traces, executions, verdicts, set: None, kept, tally }
}
