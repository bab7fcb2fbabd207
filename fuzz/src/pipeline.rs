//! One test from its index to its verdicts: generate, write ONNX, convert, read back, execute, judge.

mod foreign;
mod interface;
mod scout;
mod trial;

pub use scout::Scouting;
pub use trial::{Plan, Trial, operator_of};

use crate::campaign::{KEPT, Seen, Tally};
use crate::generate::InputKind;
use crate::localise::kept;
use crate::triage::Signature;
use halfproof_converter::precision::ranges::INPUT_BOUND;
use halfproof_ir::{Conversion, DType, Graph, Precision, Tensor};
use halfproof_oracle::contract;
use halfproof_oracle::judge::{
    Answer, Depth, OUT_OF_DOMAIN, Point, Question, Subject, ended, second_opinion,
};
use halfproof_oracle::record::{Execution, Status};
use halfproof_oracle::tflite::Program;
use halfproof_oracle::verdict::{Blame, Class, Strength, Verdict};
use halfproof_systems::runtimes::interp::Interpreter;
use halfproof_systems::{Converter, Outcome, Runtime, Source, Taps};
use halfproof_wire::onnx;
use sha2::{Digest, Sha256};
use std::time::{Duration, Instant};

/// Converts and executes with the chosen systems, and judges.
pub struct Pipeline {
    /// The converter under test.
    pub converter: Box<dyn Converter>,
    /// Our interpreters: they run every test.
    pub interpreters: Vec<Interpreter>,
    /// Runtimes in workers: they run a share of the tests.
    pub runtimes: Vec<Box<dyn Runtime>>,
    /// One test in so many goes to `runtimes`.
    pub share: u64,
}

/// Which of the runtimes in workers a test goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn(Option<u64>);

impl Turn {
    /// None of them.
    pub const NONE: Turn = Turn(None);
    /// All of them: 0 is every runtime's turn.
    pub const ALL: Turn = Turn(Some(0));

    /// True when one that takes one in so many of these tests takes this one.
    pub fn includes(self, rarity: u64) -> bool {
        self.0.is_some_and(|round| round.is_multiple_of(rarity))
    }
}

/// Everything that one test said.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Answers by system; the converter's for questions about the file.
    pub answers: Vec<(String, Answer)>,
    /// Verdicts that are findings.
    pub findings: Vec<Seen>,
    /// The converted model, when there is one.
    pub conversion: Option<Conversion>,
    /// The bytes of the source model.
    pub onnx: Vec<u8>,
    /// Why the test was not judged, if it was not.
    pub discarded: Option<String>,
    times: Vec<(String, Duration)>,
    /// How the executions ended, ours and those of the runtimes in workers.
    pub executions: Vec<Execution>,
    refusals: Vec<(String, String)>,
}

impl Report {
    /// What a system did.
    pub(crate) fn execution(&self, system: &str) -> Option<&halfproof_oracle::record::Execution> {
        self.executions.iter().find(|e| e.system == system)
    }
}

impl Pipeline {
    /// Runs the test of an index and counts it.
    pub fn test(&mut self, plan: &Plan, index: u64, tally: &mut Tally) -> Vec<Seen> {
        let begin = Instant::now();
        let trial = plan.trial(index);
        let generated = begin.elapsed();
        let report = self.examine(&trial, self.turn(index));
        tally.stage("generate", generated);
        tally.cover(&trial.graph, trial.kind.name());
        self.count(&trial, index, &report, tally);
        if let Some(operator) = plan.scouted(index) {
            scout::count(operator, &trial, &report, &mut tally.scouted);
        }
        report.findings
    }

    /// Which runtimes in workers take the test of that index, in a campaign.
    pub fn turn(&self, index: u64) -> Turn {
        let Some(round) = index.checked_div(self.share).filter(|_| index.is_multiple_of(self.share)) else {
            return Turn::NONE;
        };
        Turn(Some(round))
    }

    fn count(&self, trial: &Trial, index: u64, report: &Report, tally: &mut Tally) {
        let precision = trial.request.precision;
        let operators: Vec<&str> = {
            let mut names: Vec<&str> = trial.graph.nodes.iter().map(|n| n.op.name()).collect();
            names.sort_unstable();
            names.dedup();
            names
        };
        for (name, time) in &report.times {
            tally.stage(name, *time);
        }
        if let Some(why) = &report.discarded {
            *tally.totals.discarded.entry(why.clone()).or_default() += 1;
        }
        for refusal in &report.refusals {
            *tally.refusals.entry(refusal.clone()).or_default() += 1;
        }
        for execution in &report.executions {
            tally.execution(execution);
        }
        // Only the first tests are kept one by one.
        let digest = if index < KEPT { digest(trial, &report.onnx) } else { String::new() };
        for (system, answer) in &report.answers {
            let blamed = answer.verdict.place.source.as_deref().and_then(|s| operator_of(&trial.graph, s));
            tally.verdict(system, precision, &operators, blamed, &answer.verdict);
            if answer.question == Question::Precision {
                for (output, bits) in answer.verdict.bits_lost.iter().enumerate() {
                    let id = trial.graph.outputs[output];
                    let maker = trial.graph.nodes.iter().find(|n| n.outputs.contains(&Some(id)));
                    let name = maker.map_or("input", |n| n.op.name());
                    tally.loss(
                        (index, &digest),
                        output,
                        name,
                        precision,
                        self.converter.name(),
                        system,
                        *bits,
                    );
                }
            }
        }
    }

    /// Runs one trial; `turn` brings in the runtimes in workers.
    pub fn examine(&mut self, trial: &Trial, turn: Turn) -> Report {
        let mut report = Report::default();
        let mut clock = Clock(Instant::now());
        report.onnx = match onnx::write(&trial.graph, trial.opset) {
            Ok(bytes) => bytes,
            Err(_) => match onnx::write(&trial.graph, onnx::Opset::of(&trial.graph)) {
                Ok(bytes) => bytes,
                Err(e) => {
                    report.discarded = Some(format!("no ONNX form: {e}"));
                    return report;
                }
            },
        };
        report.times.push(("write ONNX".into(), clock.lap()));
        let read = onnx::read(&report.onnx);
        report.times.push(("read ONNX".into(), clock.lap()));
        let source = match &read {
            Ok(graph) => graph,
            Err(e) => {
                // Our own writer and reader disagree: a fault of ours, whoever converts.
                self.file_fault(
                    trial,
                    &mut report,
                    Class::InvalidModel,
                    "our ONNX file does not read back",
                    e.to_string(),
                );
                return report;
            }
        };
        let outcome = self.converter.convert(Source { graph: source, onnx: &report.onnx }, &trial.request);
        report.times.push(("convert".into(), clock.lap()));
        let Some(conversion) = self.converted(trial, outcome, &mut report) else { return report };
        let conversion =
            if self.converter.is_outside() { foreign::recognised(trial, conversion) } else { conversion };
        self.judge(trial, &conversion, turn, &mut report, &mut clock);
        report.conversion = Some(conversion);
        report
    }

    /// The conversion, or what its absence means.
    fn converted(&self, trial: &Trial, outcome: Outcome, report: &mut Report) -> Option<Conversion> {
        let system = self.converter.name().to_string();
        match outcome {
            Outcome::Converted(conversion) => return Some(conversion),
            Outcome::Refused(refusal) => {
                for node in &refusal.nodes {
                    let reason = crate::triage::shown(&node.reason);
                    report.refusals.push((system.clone(), format!("{}: {reason}", node.op)));
                }
                let mut verdict = Verdict::new(
                    Class::Legalization,
                    Blame::Converter,
                    Strength::Certified,
                    refusal.to_string(),
                );
                verdict.place.source = refusal.nodes.first().map(|n| n.node.clone());
                verdict.place.operator = refusal.nodes.first().map(|n| n.op.clone());
                // Our converter's refusals are documented limits; those of others are what their users ask about.
                if system != "in-tree" {
                    let signature = Signature::of(&system, &verdict, trial.request.precision.name());
                    report.findings.push(Seen { signature, verdict: verdict.clone() });
                }
                report.answers.push((system, Answer { question: Question::Legality, system: None, verdict }));
            }
            Outcome::Failed(text) => {
                self.file_fault(trial, report, Class::Legalization, &text, String::new())
            }
            Outcome::Crashed { how } => {
                self.file_fault(trial, report, Class::Crash, "the converter died", how)
            }
            Outcome::TimedOut => {
                self.file_fault(
                    trial,
                    report,
                    Class::Timeout,
                    "the converter gave no answer in time",
                    String::new(),
                );
            }
            Outcome::Cannot { why } => report.discarded = Some(why),
        }
        None
    }

    fn file_fault(&self, trial: &Trial, report: &mut Report, class: Class, text: &str, note: String) {
        let mut verdict = Verdict::new(class, Blame::Converter, Strength::Certified, text);
        if !note.is_empty() {
            verdict.text = format!("{text}: {}", note.lines().next().unwrap_or_default());
            verdict.notes.push(note);
        }
        let signature = Signature::of(self.converter.name(), &verdict, trial.request.precision.name());
        report.findings.push(Seen { signature, verdict: verdict.clone() });
        let answer = Answer { question: Question::Legality, system: None, verdict };
        report.answers.push((self.converter.name().to_string(), answer));
    }

    fn judge(
        &mut self,
        trial: &Trial,
        conversion: &Conversion,
        turn: Turn,
        report: &mut Report,
        clock: &mut Clock,
    ) {
        let mut answers: Vec<Answer> = vec![];
        let about_file = |question, verdict| Answer { question, system: None, verdict };
        let subject = match Subject::new(&trial.graph, &trial.request, conversion) {
            Ok(subject) => subject,
            Err(verdict) => {
                self.conclude(trial, vec![about_file(Question::Legality, *verdict)], &|_| None, report);
                return;
            }
        };
        let dtype = |tensor| subject.program.form(tensor).map(|(dtype, _)| dtype);
        report.times.push(("read back".into(), clock.lap()));
        answers.push(about_file(Question::Legality, subject.legality()));
        answers.push(about_file(Question::Constants, subject.constants()));
        report.times.push(("judge the file".into(), clock.lap()));
        let mut point = match subject.at(&trial.inputs, None) {
            Ok(point) => point.with(Depth::Verdicts),
            Err(verdict) => {
                answers.push(about_file(Question::Semantics, *verdict));
                self.conclude(trial, answers, &dtype, report);
                return;
            }
        };
        report.times.push(("reference".into(), clock.lap()));
        let semantics =
            if self.converter.is_outside() { foreign::meaning(trial, conversion) } else { point.semantics() };
        answers.push(about_file(Question::Semantics, semantics));
        report.times.push(("judge semantics".into(), clock.lap()));
        for interpreter in &self.interpreters {
            let execution = interpreter.execute(&subject.program, &point.inputs, Taps::All);
            report.times.push((execution.system.clone(), clock.lap()));
            answers.extend(point.execution(&execution));
            report.times.push(("judge executions".into(), clock.lap()));
            report.executions.push(execution);
        }
        if turn != Turn::NONE {
            // Slow runtimes wait for their turn only beside quicker ones.
            let least = self.runtimes.iter().map(|r| r.rarity()).min().unwrap_or(1);
            for runtime in self.runtimes.iter_mut().filter(|r| turn.includes(r.rarity() / least)) {
                let execution = if runtime.runs_source() {
                    let (execution, vote) = vote(runtime.as_mut(), &report.onnx, &point, &trial.graph);
                    answers.extend(vote);
                    if let Status::Refused { stage, text } = &execution.status {
                        let reason = crate::triage::shown(text.lines().next().unwrap_or_default());
                        report.refusals.push((execution.system.clone(), format!("{stage}: {reason}")));
                    }
                    execution
                } else {
                    let execution = runtime.run(&conversion.model, &point.inputs, Taps::Checked);
                    let file = (conversion.model.as_slice(), &subject.program);
                    answers.extend(about_execution(file, runtime.as_mut(), &mut point, &execution));
                    execution
                };
                report.times.push((execution.system.clone(), clock.lap()));
                report.executions.push(execution);
            }
        }
        self.conclude(trial, answers, &dtype, report);
    }

    /// Turns answers into findings: one per system and cause. `dtype` gives the types of the converted model's tensors.
    fn conclude(
        &self,
        trial: &Trial,
        answers: Vec<Answer>,
        dtype: &dyn Fn(u32) -> Option<DType>,
        report: &mut Report,
    ) {
        let converter = self.converter.name();
        let mut broken: Vec<String> = vec![];
        for answer in answers {
            let system = answer.system.clone().unwrap_or_else(|| converter.to_string());
            // A bad operator also ruins the outputs, and a bad file what reads it: one cause, one finding.
            let of_file = matches!(answer.verdict.blame, Blame::Converter | Blame::Policy);
            let blames_file = of_file && answer.system.is_some();
            let consequence = answer.question == Question::Precision && broken.contains(&system)
                || blames_file && broken.iter().any(|b| b == converter)
                || is_said(&answer.verdict, &report.findings);
            let keeps_types =
                !contract::Runtime::of_system(&system).is_some_and(|runtime| runtime.base().force_f16);
            if is_fault(&answer.verdict, trial, keeps_types) && !consequence {
                broken.push(system.clone());
                // What runs the source knows nothing of the converted model's types.
                let votes = self.runtimes.iter().any(|r| r.runs_source() && r.name() == system);
                let pattern = if votes { "source".to_string() } else { pattern(trial, &answer, dtype) };
                let mut signature = Signature::of(&system, &answer.verdict, &pattern);
                if answer.question == Question::Semantics && !pattern.is_empty() {
                    signature = signature.of_lowering();
                }
                let named = answer.verdict.place.tensor_index.and_then(dtype);
                if answer.verdict.class == Class::Impure && named == Some(DType::F32) {
                    signature = signature.of_single();
                }
                report.findings.push(Seen { signature, verdict: answer.verdict.clone() });
            }
            report.answers.push((system, answer));
        }
    }
}

/// True when a strategy that overflows was already seen in another system's execution: whoever executes it shows it.
fn is_said(verdict: &Verdict, findings: &[Seen]) -> bool {
    verdict.is_of_policy()
        && findings.iter().any(|f| f.verdict.is_of_policy() && f.verdict.text == verdict.text)
}

/// By which two runs know the same test: its program and its inputs.
fn digest(trial: &Trial, onnx: &[u8]) -> String {
    let mut hash = Sha256::new_with_prefix(onnx);
    trial.inputs.iter().for_each(|t| hash.update(t.data.to_le_bytes()));
    hash.finalize().iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

/// What is to be said of a run of the converted model, which is given as bytes and read.
fn about_execution(
    (model, program): (&[u8], &Program),
    runtime: &mut dyn Runtime,
    point: &mut Point<'_>,
    execution: &Execution,
) -> Vec<Answer> {
    if matches!(execution.status, Status::Cannot { .. }) {
        return vec![];
    }
    let mut about = point.execution(execution);
    // `Checked` gives no taps where making tensors visible changes the outputs.
    if execution.taps.is_empty() && execution.status == Status::Ok {
        depends_on_taps(kept::Run { model, program, inputs: &point.inputs }, runtime, &mut about);
    }
    interface::names_shared(program, &mut about);
    clamps(&mut about);
    about
}

/// Runs the source in a runtime of another origin, which holds the reference to account. What it cannot run it says
/// nothing about.
pub fn vote(
    runtime: &mut dyn Runtime,
    onnx: &[u8],
    point: &Point<'_>,
    graph: &Graph,
) -> (Execution, Option<Answer>) {
    let reference = point.reference();
    let execution = runtime.run(onnx, &reference.inputs, Taps::None);
    let system = Some(execution.system.clone());
    let answer = match &execution.status {
        Status::Ok => {
            let mut verdict = second_opinion(reference, graph, &execution);
            if !verdict.class.is_fine() {
                verdict = first_difference(runtime, point, graph).unwrap_or(verdict);
            }
            Some(Answer { question: Question::Precision, system, verdict })
        }
        Status::Refused { .. } | Status::Cannot { .. } => None,
        Status::Undone { .. } | Status::Crashed { .. } | Status::TimedOut => {
            ended(&execution).map(|verdict| Answer { question: Question::Execution, system, verdict })
        }
    };
    (execution, answer)
}

/// The first operator of the source whose result a source runtime disputes: every result is made an output of the model. `None`
/// where that model does not run, or shows nothing.
fn first_difference(runtime: &mut dyn Runtime, point: &Point<'_>, graph: &Graph) -> Option<Verdict> {
    let mut open = graph.clone();
    open.outputs = graph.nodes.iter().flat_map(|n| n.outputs.iter().flatten().copied()).collect();
    let bytes = onnx::write(&open, onnx::Opset::of(&open)).ok()?;
    let reference = point.reference();
    let execution = runtime.run(&bytes, &reference.inputs, Taps::None);
    if execution.status != Status::Ok {
        return None;
    }
    let mut verdict = second_opinion(reference, &open, &execution);
    let name = verdict.place.source.as_deref().filter(|_| !verdict.class.is_fine())?;
    verdict.place.operator = Some(operator_of(graph, name)?.to_string());
    Some(verdict)
}

/// Says of a wrong output that it is another one when intermediate tensors are kept: operators that were fused, or memory
/// that is used twice.
fn depends_on_taps(run: kept::Run<'_>, runtime: &mut dyn Runtime, answers: &mut [Answer]) {
    for answer in
        answers.iter_mut().filter(|a| a.question == Question::Precision && !a.verdict.class.is_fine())
    {
        if run.explain(runtime, &mut answer.verdict).is_none() {
            kept::is_memory(&mut answer.verdict);
        }
    }
}

/// Says of a wrong element that it is the largest finite number where the result is infinite or NaN: the clamp of a fused
/// activation that is not there. One cause, whatever the operator.
fn clamps(answers: &mut [Answer]) {
    for answer in answers.iter_mut().filter(|a| !a.verdict.class.is_fine()) {
        let clamped = answer.verdict.numbers.is_some_and(|n| {
            let largest = [f64::from(f32::MAX), 65504.0].contains(&n.actual.abs());
            largest && (!n.expected.is_finite() || n.expected.abs() > 65504.0)
        });
        if clamped && matches!(answer.question, Question::Kernels | Question::Precision) {
            answer.verdict.class = Class::Kernel;
            answer.verdict.text = "an infinite result is clamped to the largest finite number".to_string();
            answer.verdict.place.operator = None;
        }
    }
}

/// What else separates two causes: the element type, since kernels are written for one; the source operator, since that is
/// what is lowered. Not the strategy: one lowering and one kernel serve several.
fn pattern(trial: &Trial, answer: &Answer, dtype: &dyn Fn(u32) -> Option<DType>) -> String {
    match answer.question {
        Question::Legality | Question::Constants | Question::Execution => String::new(),
        Question::Kernels | Question::Precision => {
            answer.verdict.place.tensor_index.and_then(dtype).map_or(String::new(), |d| d.short().to_string())
        }
        Question::Semantics => {
            let source = answer.verdict.place.source.as_deref().unwrap_or_default();
            source.split(", ").filter_map(|s| operator_of(&trial.graph, s)).collect::<Vec<_>>().join("+")
        }
    }
}

/// Which verdicts are findings. Overflow in a strategy that was asked to use float16 everywhere is the policy's doing and
/// is counted, not reported; `mixed` promises to avoid it for inputs as large as it assumes. It promises nothing about
/// cancellation: a root of a small difference may be NaN in any strategy that rounds the difference. Nor anything about a
/// runtime that does not keep a tensor's type, but computes what is FLOAT32 in float16.
fn is_fault(verdict: &Verdict, trial: &Trial, keeps_types: bool) -> bool {
    match verdict.class {
        class if class.is_fine() => false,
        _ if verdict.is_of_policy() => {
            let assumed = |t: &Tensor| t.floats().is_none_or(|v| v.iter().all(|x| x.abs() <= INPUT_BOUND));
            let ordinary = trial.kind != InputKind::Edges && trial.inputs.iter().all(assumed);
            let promised = trial.request.precision == Precision::Mixed && keeps_types;
            promised && ordinary && verdict.text != OUT_OF_DOMAIN
        }
        _ => true,
    }
}

/// Laps of time.
struct Clock(Instant);

impl Clock {
    fn lap(&mut self) -> Duration {
        let now = Instant::now();
        let lap = now - self.0;
        self.0 = now;
        lap
    }
}

#[cfg(test)]
mod tests;
