//! One injection: a case, a fault in it, and what the judge says.

use super::case::{Case, Draws};
use super::draft::Draft;
use super::equivalent::{attainable, same_function, same_results};
use super::faults::{Excuse, FAULTS, Fault, Inject};
use super::runtime::{self, Scene};
use super::tolerance;
use crate::generate::{InputKind, Stream};
use halfproof_ir::{Conversion, Tensor};
use halfproof_oracle::arith::{ExecutionModel, Half};
use halfproof_oracle::judge::{Depth, Question, Subject};
use halfproof_oracle::onnx;
use halfproof_oracle::tflite::Program;
use halfproof_oracle::value::Value;
use halfproof_oracle::verdict::Verdict;
use halfproof_systems::Taps;
use halfproof_systems::runtimes::interp::Interpreter;

/// Cases that are drawn before a class is given up.
const ATTEMPTS: u64 = 2000;

/// How an injection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The judge accuses.
    Detected,
    /// Nobody could.
    Equivalent,
    /// The judge does not accuse, though somebody could.
    Missed,
    /// No case was found that the class applies to.
    Nowhere,
    /// The judge accuses the right model too: a false alarm, or a fault of our converter.
    Unclean,
}

impl Ending {
    pub(super) fn words(self) -> &'static str {
        match self {
            Ending::Detected => "detected",
            Ending::Equivalent => "equivalent: nobody could see it",
            Ending::Missed => "missed",
            Ending::Nowhere => "no case was found that it applies to",
            Ending::Unclean => "the model is accused without it",
        }
    }
}

/// What one injection showed.
#[derive(Clone, Debug)]
pub(super) struct Injection {
    pub(super) class: usize,
    pub(super) ending: Ending,
    /// Which questions accused, in the order of [`QUESTIONS`].
    pub(super) by: [bool; 5],
    /// Which fixed tolerances did.
    pub(super) tolerances: [bool; 2],
    /// Spoilt files that contradict themselves and were drawn again.
    pub(super) redrawn: u64,
    /// What was changed, and what was said about it.
    pub(super) words: String,
}

/// The questions that may accuse, in the order of tables.
pub(super) const QUESTIONS: [Question; 5] =
    [Question::Legality, Question::Constants, Question::Semantics, Question::Kernels, Question::Precision];

fn position(question: Question) -> usize {
    QUESTIONS.iter().position(|q| *q == question).unwrap_or(0)
}

/// What the correct part of the injection draws from.
pub(super) const PURPOSE: u64 = 1;

/// Runs the injection of an index.
pub(super) fn injection(draws: &Draws, index: u64) -> Injection {
    let class = (index % FAULTS.len() as u64) as usize;
    let fault = &FAULTS[class];
    let mut redrawn = 0;
    for attempt in 0..ATTEMPTS {
        let Some(case) = draws.case(PURPOSE, index, attempt) else { continue };
        let mut stream = case.stream.clone();
        let seed = stream.next_u64();
        let outcome = match fault.inject {
            Inject::Model(inject) => in_model(&case, fault, inject, seed, &mut redrawn),
            Inject::Execution(inject) => in_execution(&case, inject, seed),
        };
        if let Some(mut injection) = outcome {
            (injection.class, injection.redrawn) = (class, redrawn);
            let nodes: Vec<&str> = case.graph.nodes.iter().map(|n| n.op.name()).collect();
            injection.words =
                format!("{} ({}; {})", injection.words, case.request.precision, nodes.join(" "));
            return injection;
        }
    }
    Injection { class, ending: Ending::Nowhere, redrawn, ..Injection::blank() }
}

impl Injection {
    fn blank() -> Injection {
        Injection {
            class: 0,
            ending: Ending::Missed,
            by: [false; 5],
            tolerances: [false; 2],
            redrawn: 0,
            words: String::new(),
        }
    }

    fn note(&mut self, question: Question, verdict: &Verdict) {
        if verdict.accuses() {
            self.by[position(question)] = true;
        }
    }

    fn accused(&self) -> bool {
        self.by.contains(&true)
    }
}

fn in_model(
    case: &Case,
    fault: &Fault,
    inject: fn(&mut Draft<'_>) -> Option<String>,
    seed: u64,
    redrawn: &mut u64,
) -> Option<Injection> {
    let mut draft = Draft {
        model: case.model.clone(),
        claim: &case.conversion.provenance,
        precision: case.request.precision,
        stream: Stream::new(seed),
        reach: None,
    };
    let words = inject(&mut draft)?;
    let Ok(bytes) = draft.finish() else {
        *redrawn += 1;
        return None;
    };
    if bytes == case.conversion.model {
        return None;
    }
    let spoilt = Conversion { model: bytes, ..case.conversion.clone() };
    let mut injection = Injection { words, ..Injection::blank() };
    let subject = match Subject::new(&case.graph, &case.request, &spoilt) {
        Ok(subject) => subject,
        Err(verdict) => {
            injection.note(Question::Legality, &verdict);
            injection.ending = if injection.accused() { Ending::Detected } else { Ending::Missed };
            injection.words = format!("{}: {}", injection.words, verdict.text);
            injection.tolerances = [true; 2];
            return Some(injection);
        }
    };
    injection.note(Question::Legality, &subject.legality());
    injection.note(Question::Constants, &subject.constants());
    let runtime = Interpreter::f16();
    let mut seen_on = None;
    let mut said = vec![];
    for (i, (kind, set)) in case.sets.iter().enumerate() {
        let point = match subject.at(set, None) {
            Ok(point) => point.with(Depth::Verdicts),
            Err(verdict) => {
                injection.note(Question::Semantics, &verdict);
                seen_on.get_or_insert(i);
                break;
            }
        };
        if seen_on.is_none() {
            let verdict = point.semantics();
            injection.note(Question::Semantics, &verdict);
            said.push(format!("{} inputs: {} ({} excluded)", kind.name(), verdict.text, verdict.excluded));
            if injection.by[position(Question::Semantics)] {
                seen_on = Some(i);
            }
        }
        if *kind != InputKind::Edges {
            let execution = runtime.execute(&subject.program, &point.inputs, Taps::None);
            compare(case, &mut injection, set, &execution.outputs);
        }
    }
    let by_semantics_alone = !injection.by[0] && !injection.by[1];
    if let Some(i) = seen_on.filter(|_| by_semantics_alone)
        && is_unclean(case, i)
    {
        injection.ending = Ending::Unclean;
        return Some(injection);
    }
    injection.ending = if injection.accused() {
        Ending::Detected
    } else if fault.excuse == Excuse::SameFunction && is_same(case, &subject) {
        Ending::Equivalent
    } else {
        injection.words += &format!(": {}", said.join("; "));
        Ending::Missed
    };
    Some(injection)
}

/// True when the right model is accused as well.
fn is_unclean(case: &Case, set: usize) -> bool {
    let Ok(subject) = Subject::new(&case.graph, &case.request, &case.conversion) else { return true };
    match subject.at(&case.sets[set].1, None) {
        Ok(point) => point.semantics().accuses(),
        Err(_) => true,
    }
}

fn is_same(case: &Case, spoilt: &Subject<'_>) -> bool {
    let Ok(right) = Program::new(&case.model) else { return false };
    let judged = case.sets.iter().map(|(_, set)| set.clone());
    judged.chain(case.more_sets()).all(|set| {
        let inputs = spoilt.model_inputs(&set);
        inputs.is_ok_and(|inputs| same_function(&right, &spoilt.program, &inputs))
    })
}

fn compare(case: &Case, injection: &mut Injection, set: &[Tensor], outputs: &[Tensor]) {
    let Ok(reference) = onnx::ideal(&case.graph, set) else { return };
    let expected: Vec<&Value<f64>> = reference.outputs().collect();
    let alarms = tolerance::alarms(&expected, outputs);
    for (seen, alarm) in injection.tolerances.iter_mut().zip(alarms) {
        *seen |= alarm;
    }
}

fn in_execution(
    case: &Case,
    inject: fn(&Scene<'_>, &mut Stream) -> Option<Vec<Value<f32>>>,
    seed: u64,
) -> Option<Injection> {
    let subject = Subject::new(&case.graph, &case.request, &case.conversion).ok()?;
    let program = &subject.program;
    let arith = Half::new(ExecutionModel::HALF);
    let sets: Vec<Vec<Tensor>> =
        case.sets.iter().map(|(_, set)| subject.model_inputs(set).ok()).collect::<Option<_>>()?;
    let right: Vec<runtime::Tensors> =
        sets.iter().map(|set| runtime::execute(program, set, &arith).ok()).collect::<Option<_>>()?;
    let scene = |set: usize, at: usize| Scene {
        model: &case.model,
        program,
        arith: &arith,
        at,
        tensors: &right[set],
        earlier: &right[(set + 1) % right.len()],
    };
    let spoil = |set: usize, at: usize| inject(&scene(set, at), &mut Stream::new(seed));
    // The first operator, from a random one on, whose results change. A case in which the fault changes nothing (an
    // infinity is clamped, and there is none) does not show the class.
    let n = program.operators().len();
    let start = (seed % n.max(1) as u64) as usize;
    let changes = |set: usize, at: usize| {
        let results = spoil(set, at);
        results.is_some_and(|r| scene(set, at).right().is_some_and(|right| !same_results(&right, &r)))
    };
    let at = (0..n).map(|i| (start + i) % n).find(|&at| (0..sets.len()).any(|set| changes(set, at)))?;
    let name = |at: usize| program.operators().nth(at).map_or("", |o| o.builtin.name());
    let mut injection = Injection { words: format!("operator {at} {}", name(at)), ..Injection::blank() };
    let mut explained = true;
    for (set, (kind, source)) in case.sets.iter().enumerate() {
        let Some(results) = spoil(set, at) else { continue };
        let scene = scene(set, at);
        if scene.right().is_some_and(|right| same_results(&right, &results)) {
            continue;
        }
        let tensors = runtime::continued(program, &right[set], at, results.clone(), &arith).ok()?;
        let execution = runtime::record("interp-f16", program, &tensors, &arith);
        if !injection.by[3] || !injection.by[4] {
            let mut point = subject.at(source, None).ok()?.with(Depth::Verdicts);
            for answer in point.execution(&execution) {
                injection.note(answer.question, &answer.verdict);
            }
        }
        if !injection.accused() {
            explained &= attainable(&scene, &results);
        }
        if *kind != InputKind::Edges {
            compare(case, &mut injection, source, &execution.outputs);
        }
    }
    injection.ending = if injection.accused() {
        Ending::Detected
    } else if explained {
        Ending::Equivalent
    } else {
        Ending::Missed
    };
    Some(injection)
}
