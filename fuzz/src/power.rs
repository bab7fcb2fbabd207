//! The oracle's own score: how many faults it sees, and how often it accuses the innocent.
//!
//! Faults of every class of the table in `faults` are injected into converted models (the flatbuffer is read,
//! changed and written; the converter's claim about it stays) and into executions (the results of one operator are
//! changed and everything after it is executed again). The judge sees each as a campaign would: one conversion, one
//! input set of every kind. What nobody could see is excluded by computation (see `equivalent`), never by hand; what
//! somebody could see and the judge does not is a miss, listed with the command that replays it.
//!
//! Beside that, correct executions in every variant that the contracts allow: each accusation is a false alarm.
//!
//! Injection *i* of seed *s* is the same whatever the threads.

mod case;
mod correct;
mod cost;
mod draft;
mod equivalent;
mod faults;
mod inject;
mod model;
mod planted;
mod runtime;
pub mod score;
mod shrink;
mod tolerance;

pub use score::Score;
pub use shrink::{Large, Shrinking, Shrunk, Small, large, shrinking};

use case::Draws;
use score::{Counts, Interrupted};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What is measured.
#[derive(Clone, Debug)]
pub struct Options {
    /// Injections.
    pub runs: u64,
    /// Correct executions, at least (rounded up to whole cases).
    pub executions: u64,
    /// The seed from which everything follows.
    pub seed: u64,
    /// Threads.
    pub jobs: usize,
    /// What graphs are wanted.
    pub generator: crate::generate::Options,
}

/// How many classes of faults there are; injection i is of class i modulo that.
pub const CLASSES: usize = faults::FAULTS.len();

/// Most nodes of a graph.
pub const MAX_NODES: usize = 12;

impl Options {
    /// Graphs of 2 to 12 nodes of any operator.
    pub fn new(runs: u64, executions: u64, seed: u64) -> Options {
        let generator =
            crate::generate::Options { max_nodes: MAX_NODES, ..crate::generate::Options::default() };
        Options { runs, executions, seed, jobs: 1, generator }
    }

    /// The command that repeats the run, or one part of it.
    pub fn command(&self, what: Replay) -> String {
        let mut words = "cargo xtask power".to_string();
        match what {
            Replay::Injection(index) => words += &format!(" --only {index}"),
            Replay::Case(index) => words += &format!(" --case {index}"),
            Replay::All => words += &format!(" --runs {} --executions {}", self.runs, self.executions),
        }
        words += &format!(" --seed {}", self.seed);
        if !self.generator.ops.is_empty() {
            words += &format!(" --ops {}", self.generator.ops.join(","));
        }
        words
    }
}

/// What a command repeats.
#[derive(Clone, Copy, Debug)]
pub enum Replay {
    /// The whole run.
    All,
    /// One injection.
    Injection(u64),
    /// One case of correct executions.
    Case(u64),
}

/// Measures. `progress` hears how many of how many steps are done.
pub fn run(options: &Options, cancel: &AtomicBool, progress: impl Fn(u64, u64) + Sync) -> Score {
    let draws = Draws { seed: options.seed, generator: options.generator.clone() };
    let cases = options.executions.div_ceil(correct::PER_CASE);
    let total = options.runs + cases;
    let counts = Mutex::new(Counts::new());
    let step = |step: u64| {
        if let Some(index) = step.checked_sub(options.runs) {
            let correct = correct::correct(&draws, index);
            if let Ok(mut counts) = counts.lock() {
                counts.correct.push((index, correct));
            }
        } else {
            let injection = inject::injection(&draws, step);
            if let Ok(mut counts) = counts.lock() {
                counts.injection(step, injection);
            }
        }
    };
    let done = steps(options.jobs, total, &|| cancel.load(Ordering::Relaxed), &step, &progress);
    let counts = counts.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    // The steps that were taken are the first ones: fewer injections and executions repeat them.
    let runs = done.min(options.runs);
    let executions = if done < total { (done - runs) * correct::PER_CASE } else { options.executions };
    let taken = Options { runs, executions, ..options.clone() };
    let mut score = counts.score(|what| taken.command(what), options.seed);
    score.interrupted =
        (done < total).then_some(Interrupted { runs: options.runs, executions: options.executions });
    score
}

/// Takes the steps 0 to `total` on so many threads, in any order, until it is stopped; says how many of them were taken, which
/// are the first.
fn steps(
    jobs: usize,
    total: u64,
    stopped: &(impl Fn() -> bool + Sync),
    step: &(impl Fn(u64) + Sync),
    progress: &(impl Fn(u64, u64) + Sync),
) -> u64 {
    let (next, done) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                while !stopped() {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= total {
                        break;
                    }
                    step(at);
                    progress(done.fetch_add(1, Ordering::Relaxed) + 1, total);
                }
            });
        }
    });
    done.into_inner()
}

/// One injection again, in words: its class, what was changed, how it ended.
pub fn replay(options: &Options, index: u64) -> String {
    let draws = Draws { seed: options.seed, generator: options.generator.clone() };
    let injection = inject::injection(&draws, index);
    let fault = &faults::FAULTS[injection.class];
    let by: Vec<String> = inject::QUESTIONS
        .iter()
        .zip(injection.by)
        .filter(|(_, by)| *by)
        .map(|(question, _)| format!("{question:?}").to_lowercase())
        .collect();
    let by = if by.is_empty() { String::new() } else { format!(" by {}", by.join(", ")) };
    format!("{} ({})\n{}\n{}{by}", fault.name, fault.what, injection.words, injection.ending.words())
}

/// One case of correct executions again: the graph, and what is accused there.
pub fn replay_case(options: &Options, index: u64) -> String {
    let draws = Draws { seed: options.seed, generator: options.generator.clone() };
    let (graph, correct) = correct::replayed(&draws, index);
    let alarms = if correct.alarms.is_empty() { "no alarm".to_string() } else { correct.alarms.join("\n") };
    format!("{graph}{} executions, {} verdicts\n{alarms}", correct.executions, correct.verdicts)
}

/// What judging costs on so many cases, on one thread.
pub fn cost(options: &Options, cases: u64) -> score::Cost {
    cost::cost(&Draws { seed: options.seed, generator: options.generator.clone() }, cases)
}
