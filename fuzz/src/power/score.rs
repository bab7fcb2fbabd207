//! The score: what `power.json` holds. Every field is a count or follows from counts, so two runs of one seed give the
//! same file, whatever the threads; times are in `cost` and are the only exception.

use super::Replay;
use super::correct::Correct;
use super::faults::{FAULTS, Inject};
use super::inject::{Ending, Injection};
use super::tolerance::TOLERANCES;
use crate::generate::InputKind;
use serde::{Deserialize, Serialize};

/// The version of `power.json`.
pub const SCHEMA: u32 = 1;

/// The whole score.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Score {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The command that repeats it; of an interrupted run, as far as it came.
    pub command: String,
    /// What was asked for, where the run was stopped before it was done.
    #[serde(default)]
    pub interrupted: Option<Interrupted>,
    /// The seed.
    pub seed: u64,
    /// One row per fault class, in the order of the table.
    pub classes: Vec<ClassScore>,
    /// All classes together.
    pub total: ClassScore,
    /// Faults that were not seen, though somebody could.
    pub misses: Vec<Miss>,
    /// Correct executions.
    pub correct: CorrectScore,
    /// What judging costs; of this machine and this run.
    pub cost: Option<Cost>,
}

/// What an interrupted run should have done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interrupted {
    /// Injections.
    pub runs: u64,
    /// Correct executions.
    pub executions: u64,
}

/// One class of faults.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ClassScore {
    /// The class.
    pub name: String,
    /// `model` or `execution`.
    pub level: String,
    /// What goes wrong.
    pub what: String,
    /// Injections, equivalent ones included.
    pub injected: u64,
    /// Those that nobody could see, by computation.
    pub equivalent: u64,
    /// Those that the judge accuses.
    pub detected: u64,
    /// Those that it does not.
    pub missed: u64,
    /// Injections for which no case was found.
    pub nowhere: u64,
    /// Spoilt files that contradict themselves, so that any loader refuses them; drawn again and not counted.
    pub redrawn: u64,
    /// Injections into models that are accused without a fault.
    pub unclean: u64,
    /// Detected by each question: legality, constants, semantics, kernels, precision. One fault may be in several.
    pub by: [u64; 5],
    /// Not equivalent and accused by fixed tolerances of 1e-3 and 1e-2.
    pub tolerances: [u64; 2],
}

impl ClassScore {
    /// Injections that somebody could see.
    pub fn visible(&self) -> u64 {
        self.detected + self.missed
    }

    /// Detected share of those; 1 when there are none.
    pub fn detection(&self) -> f64 {
        if self.visible() == 0 { 1.0 } else { self.detected as f64 / self.visible() as f64 }
    }

    /// The same for a fixed tolerance.
    pub fn tolerance(&self, which: usize) -> f64 {
        if self.visible() == 0 { 1.0 } else { self.tolerances[which] as f64 / self.visible() as f64 }
    }

    fn add(&mut self, injection: &Injection) {
        self.redrawn += injection.redrawn;
        match injection.ending {
            Ending::Nowhere => self.nowhere += 1,
            Ending::Unclean => self.unclean += 1,
            Ending::Equivalent => {
                self.injected += 1;
                self.equivalent += 1;
            }
            Ending::Detected | Ending::Missed => {
                self.injected += 1;
                let detected = injection.ending == Ending::Detected;
                self.detected += u64::from(detected);
                self.missed += u64::from(!detected);
                for (n, by) in self.by.iter_mut().zip(injection.by) {
                    *n += u64::from(by);
                }
                for (n, by) in self.tolerances.iter_mut().zip(injection.tolerances) {
                    *n += u64::from(by);
                }
            }
        }
    }
}

/// A fault that was not seen.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Miss {
    /// Its index.
    pub index: u64,
    /// Its class.
    pub class: String,
    /// What was changed, the strategy, the operators of the graph.
    pub words: String,
    /// The command that replays it.
    pub command: String,
}

/// Correct executions.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct CorrectScore {
    /// Converted models.
    pub cases: u64,
    /// Executions of them.
    pub executions: u64,
    /// Verdicts about executions: operators and outputs, under the own contract and under any.
    pub verdicts: u64,
    /// Accusations, of executions and of files.
    pub false_alarms: u64,
    /// The first of them, in words.
    pub alarms: Vec<String>,
    /// By kind of inputs.
    pub kinds: Vec<KindScore>,
    /// Bound over error of the worst element of an execution.
    pub tightness: Vec<Tightness>,
}

/// Correct executions on one kind of inputs.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct KindScore {
    /// The kind.
    pub kind: String,
    /// Executions.
    pub executions: u64,
    /// Elements that are undecidable or possibly not finite, share of all, under the execution's own contract.
    pub excluded: f64,
    /// The same under the contract that admits any float16 execution.
    pub excluded_any: f64,
    /// Elements that the semantics question excludes.
    pub excluded_semantics: f64,
    /// Share of executions that fixed tolerances of 1e-3 and 1e-2 accuse.
    pub tolerance_alarms: [f64; 2],
}

/// How far the bound is from the error.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Tightness {
    /// Which bound.
    pub bound: String,
    /// Executions with an error.
    pub n: u64,
    /// Median.
    pub median: f64,
    /// 90 of 100 are at most this.
    pub p90: f64,
}

/// Times relative to the plain evaluation in f64, measured on the same cases.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Cost {
    /// Input sets measured.
    pub sets: u64,
    /// Microseconds per input set of plain f64: source graph and converted model.
    pub plain_us: f64,
    /// The bound of a float16 runtime over the plain evaluation of the same model.
    pub bound: f64,
    /// Every operator judged from its own operands, over the same.
    pub kernels: f64,
    /// Semantics: both graphs in bound arithmetic and the comparison, over both graphs in plain f64.
    pub semantics: f64,
    /// Everything about a model and an execution with every bound, over the same.
    pub bounds: f64,
    /// The same verdicts as a campaign asks for them, with bounds only where they decide something, over the same.
    pub verdicts: f64,
}

/// Counts while a run goes on.
#[derive(Clone, Debug)]
pub(super) struct Counts {
    pub(super) classes: Vec<ClassScore>,
    pub(super) misses: Vec<(u64, usize, String)>,
    pub(super) correct: Vec<(u64, Correct)>,
}

impl Counts {
    pub(super) fn new() -> Counts {
        let row = |f: &super::faults::Fault| ClassScore {
            name: f.name.into(),
            what: f.what.into(),
            level: match f.inject {
                Inject::Model(_) => "model",
                Inject::Execution(_) => "execution",
            }
            .into(),
            ..ClassScore::default()
        };
        Counts { classes: FAULTS.iter().map(row).collect(), misses: vec![], correct: vec![] }
    }

    pub(super) fn injection(&mut self, index: u64, injection: Injection) {
        self.classes[injection.class].add(&injection);
        if matches!(injection.ending, Ending::Missed | Ending::Unclean) {
            self.misses.push((index, injection.class, injection.words));
        }
    }

    pub(super) fn score(mut self, command: impl Fn(Replay) -> String, seed: u64) -> Score {
        self.misses.sort_by_key(|m| m.0);
        let mut total = ClassScore { name: "all".into(), ..ClassScore::default() };
        self.classes.iter().for_each(|c| sum(&mut total, c));
        let miss = |(index, class, words): (u64, usize, String)| Miss {
            index,
            class: FAULTS[class].name.into(),
            words,
            command: command(Replay::Injection(index)),
        };
        Score {
            schema: SCHEMA,
            command: command(Replay::All),
            interrupted: None,
            seed,
            total,
            classes: self.classes,
            misses: self.misses.into_iter().map(miss).collect(),
            correct: correct(self.correct, &command),
            cost: None,
        }
    }
}

fn sum(a: &mut ClassScore, b: &ClassScore) {
    a.injected += b.injected;
    a.equivalent += b.equivalent;
    a.detected += b.detected;
    a.missed += b.missed;
    a.nowhere += b.nowhere;
    a.redrawn += b.redrawn;
    a.unclean += b.unclean;
    a.by.iter_mut().zip(b.by).for_each(|(x, y)| *x += y);
    a.tolerances.iter_mut().zip(b.tolerances).for_each(|(x, y)| *x += y);
}

/// Alarms that are kept in words.
const KEPT: usize = 100;

fn correct(mut parts: Vec<(u64, Correct)>, command: &impl Fn(Replay) -> String) -> CorrectScore {
    parts.sort_by_key(|p| p.0);
    let mut all = Correct::default();
    let mut score = CorrectScore::default();
    for (index, part) in parts {
        all.cases += part.cases;
        score.executions += part.executions;
        score.verdicts += part.verdicts;
        score.false_alarms += part.alarms.len() as u64;
        let room = KEPT.saturating_sub(score.alarms.len());
        let with_command = |alarm| format!("{alarm}\n    {}", command(Replay::Case(index)));
        score.alarms.extend(part.alarms.into_iter().map(with_command).take(room));
        for (a, b) in all.kinds.iter_mut().zip(part.kinds) {
            a.executions += b.executions;
            a.judged += b.judged;
            a.excluded += b.excluded;
            a.judged_any += b.judged_any;
            a.excluded_any += b.excluded_any;
            a.judged_semantics += b.judged_semantics;
            a.excluded_semantics += b.excluded_semantics;
            a.tolerances.iter_mut().zip(b.tolerances).for_each(|(x, y)| *x += y);
        }
        all.ratios.operator_own.extend(part.ratios.operator_own);
        all.ratios.operator_any.extend(part.ratios.operator_any);
        all.ratios.program_own.extend(part.ratios.program_own);
        all.ratios.program_any.extend(part.ratios.program_any);
    }
    score.cases = all.cases;
    let share =
        |part: u64, rest: u64| if part + rest == 0 { 0.0 } else { part as f64 / (part + rest) as f64 };
    score.kinds = InputKind::ALL
        .iter()
        .zip(all.kinds)
        .map(|(kind, k)| KindScore {
            kind: kind.name().into(),
            executions: k.executions,
            excluded: share(k.excluded, k.judged),
            excluded_any: share(k.excluded_any, k.judged_any),
            excluded_semantics: share(k.excluded_semantics, k.judged_semantics),
            tolerance_alarms: k.tolerances.map(|n| n as f64 / k.executions.max(1) as f64),
        })
        .collect();
    score.tightness = vec![
        tightness("one operator, own contract", all.ratios.operator_own),
        tightness("one operator, any execution", all.ratios.operator_any),
        tightness("whole program, own contract", all.ratios.program_own),
        tightness("whole program, any execution", all.ratios.program_any),
    ];
    score
}

fn tightness(bound: &str, mut ratios: Vec<f32>) -> Tightness {
    ratios.sort_by(f32::total_cmp);
    let at = |q: f64| {
        let i = (q * ratios.len() as f64) as usize;
        f64::from(ratios.get(i.min(ratios.len().saturating_sub(1))).copied().unwrap_or(0.0))
    };
    Tightness { bound: bound.into(), n: ratios.len() as u64, median: at(0.5), p90: at(0.9) }
}

/// The names of the fixed tolerances.
pub fn tolerance_names() -> [String; 2] {
    TOLERANCES.map(|t| format!("{t:e}"))
}
