//! Correct executions in many variants, judged under their own contracts and under the one that admits any: each
//! accusation is a false alarm.

use super::case::{Case, Draws};
use super::tolerance;
use crate::generate::InputKind;
use halfproof_oracle::arith::{ExecutionModel, Order};
use halfproof_oracle::judge::{Answer, Point, Question, Subject};
use halfproof_oracle::onnx;
use halfproof_oracle::record::Execution;
use halfproof_systems::Taps;
use halfproof_systems::runtimes::interp::Interpreter;

/// Executions per input set.
pub(super) const VARIANTS: u64 = 24;
/// Executions per case.
pub(super) const PER_CASE: u64 = VARIANTS * InputKind::ALL.len() as u64;
/// A name that no contract is known for: judged as any float16 execution.
const STRANGER: &str = "any-half";

/// What the bound is tight against: bound over error, of the worst element of an execution.
#[derive(Clone, Debug, Default)]
pub(super) struct Ratios {
    pub(super) operator_own: Vec<f32>,
    pub(super) operator_any: Vec<f32>,
    pub(super) program_own: Vec<f32>,
    pub(super) program_any: Vec<f32>,
}

/// Counts of one kind of inputs.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ByKind {
    pub(super) executions: u64,
    /// Elements of outputs and of operators' results that were compared under the execution's own contract.
    pub(super) judged: u64,
    pub(super) excluded: u64,
    /// The same under the contract that admits any execution.
    pub(super) judged_any: u64,
    pub(super) excluded_any: u64,
    /// Of the semantics question.
    pub(super) judged_semantics: u64,
    pub(super) excluded_semantics: u64,
    /// Executions that a fixed tolerance accuses.
    pub(super) tolerances: [u64; 2],
}

/// What the executions of one case gave.
#[derive(Clone, Debug, Default)]
pub(super) struct Correct {
    pub(super) cases: u64,
    pub(super) executions: u64,
    /// Verdicts about executions.
    pub(super) verdicts: u64,
    pub(super) kinds: [ByKind; 4],
    pub(super) ratios: Ratios,
    /// Accusations in words.
    pub(super) alarms: Vec<String>,
}

/// One way to execute correctly, with the name whose contract it honors.
fn variants() -> Vec<(&'static str, ExecutionModel)> {
    let mut all: Vec<(&'static str, ExecutionModel)> = ExecutionModel::catalog()
        .into_iter()
        .map(|m| {
            let narrow = m.accumulator == halfproof_oracle::arith::Accumulator::F16;
            let name = match (narrow, m.flush) {
                (false, false) => "interp-f16",
                (true, false) => "interp-f16+acc16",
                (false, true) => "interp-f16+ftz",
                (true, true) => "interp-f16+acc16+ftz",
            };
            (name, m)
        })
        .collect();
    for order in [Order::Sequential, Order::Reverse, Order::Pairwise, Order::Lanes(8), Order::Permuted(9)] {
        for fma in [false, true] {
            all.push(("interp-f32", ExecutionModel { order, fma, ..ExecutionModel::SINGLE }));
        }
    }
    for noise in [1.0, 2.0, 3.0] {
        for base in [ExecutionModel::HALF, ExecutionModel::HALF_ACCUMULATOR] {
            all.push((STRANGER, ExecutionModel { kernel_noise_ulp: noise, ..base }));
        }
    }
    all
}

/// What correct executions draw from.
const PURPOSE: u64 = 2;

/// A case again, with its graph in words.
pub(super) fn replayed(draws: &Draws, index: u64) -> (String, Correct) {
    let graph = drawn(draws, index).map_or(String::new(), |case| halfproof_ir::text::print(&case.graph));
    (graph, correct(draws, index))
}

fn drawn(draws: &Draws, index: u64) -> Option<Case> {
    (0..16).find_map(|attempt| draws.case(PURPOSE, index, attempt))
}

/// Executes the case of an index in many ways and judges all of them. Nothing when the converter refuses the graph.
pub(super) fn correct(draws: &Draws, index: u64) -> Correct {
    let mut result = Correct::default();
    let Some(case) = drawn(draws, index) else { return result };
    let subject = match Subject::new(&case.graph, &case.request, &case.conversion) {
        Ok(subject) => subject,
        Err(verdict) => {
            result.alarms.push(verdict.text.clone());
            return result;
        }
    };
    result.cases = 1;
    for verdict in [subject.legality(), subject.constants()] {
        if verdict.accuses() {
            result.alarms.push(format!("{}: {:?}", verdict.text, verdict.place));
        }
    }
    let variants = variants();
    let mut stream = case.stream.clone();
    for (k, (kind, set)) in case.sets.iter().enumerate() {
        let mut point = match subject.at(set, None) {
            Ok(point) => point,
            Err(verdict) => {
                if verdict.accuses() {
                    result.alarms.push(verdict.text.clone());
                }
                continue;
            }
        };
        let semantics = point.semantics();
        result.kinds[k].judged_semantics += semantics.judged;
        result.kinds[k].excluded_semantics += semantics.excluded;
        if semantics.accuses() {
            result.alarms.push(format!("{} inputs: {}: {:?}", kind.name(), semantics.text, semantics.place));
        }
        let ideal = onnx::ideal(&case.graph, set).ok();
        let start = stream.below(variants.len() as u64);
        for i in 0..VARIANTS {
            // A step that shares no factor with their number visits different ones.
            let (name, model) = variants[((start + 13 * i) % variants.len() as u64) as usize];
            let execution = Interpreter::new(name, model).execute(&subject.program, &point.inputs, Taps::All);
            result.executions += 1;
            result.kinds[k].executions += 1;
            if let Some(ideal) = &ideal {
                let expected: Vec<_> = ideal.outputs().collect();
                let alarms = tolerance::alarms(&expected, &execution.outputs);
                for (n, alarm) in result.kinds[k].tolerances.iter_mut().zip(alarms) {
                    *n += u64::from(alarm);
                }
            }
            judge(&mut result, k, &mut point, execution, &model, &case);
        }
    }
    result
}

fn judge(
    result: &mut Correct,
    k: usize,
    point: &mut Point<'_>,
    mut execution: Execution,
    model: &ExecutionModel,
    case: &Case,
) {
    let answers = point.execution(&execution);
    note(result, k, &answers, &execution, model, case, false);
    if execution.system != STRANGER {
        execution.system = STRANGER.to_string();
        let answers = point.execution(&execution);
        note(result, k, &answers, &execution, model, case, true);
    }
}

fn note(
    result: &mut Correct,
    k: usize,
    answers: &[Answer],
    execution: &Execution,
    model: &ExecutionModel,
    case: &Case,
    any: bool,
) {
    let any = any || execution.system == STRANGER;
    for Answer { question, verdict, .. } in answers {
        result.verdicts += 1;
        let kind = &mut result.kinds[k];
        if any {
            kind.judged_any += verdict.judged;
            kind.excluded_any += verdict.excluded;
        } else {
            kind.judged += verdict.judged;
            kind.excluded += verdict.excluded;
        }
        if verdict.accuses() {
            let nodes: Vec<&str> = case.graph.nodes.iter().map(|n| n.op.name()).collect();
            result.alarms.push(format!(
                "{} under {model:?}, {} inputs, {} ({}): {} {:?} {:?}",
                execution.system,
                InputKind::ALL[k].name(),
                case.request.precision,
                nodes.join(" "),
                verdict.text,
                verdict.place,
                verdict.numbers
            ));
        }
        let ratio = verdict.numbers.map_or(0.0, |n| n.ratio);
        if ratio > 0.0 && ratio.is_finite() {
            let list = match (question, any) {
                (Question::Kernels, false) => &mut result.ratios.operator_own,
                (Question::Kernels, true) => &mut result.ratios.operator_any,
                (_, false) => &mut result.ratios.program_own,
                (_, true) => &mut result.ratios.program_any,
            };
            list.push((1.0 / ratio) as f32);
        }
    }
}
