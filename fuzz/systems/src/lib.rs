//! Converters and runtimes under test, and the worker processes they live in.
//!
//! Everything here is driven through two traits, [`Converter`] and [`Runtime`]; what they answer are records, never
//! errors: a crash, a hang or a refusal of a system is data.

pub mod adapter;
pub mod capabilities;
pub mod converters;
pub mod emit;
pub mod exhaustive;
mod ffi;
pub mod protocol;
pub mod runtimes;
pub mod serve;
pub mod setup;
pub mod worker;

use adapter::Form;
use capabilities::Capabilities;
use halfproof_ir::{Conversion, Graph, Precision, Refusal, Request, Tensor};
use halfproof_oracle::record::Execution;

/// Which tensors of subgraph 0 an execution makes visible.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Taps {
    /// The outputs only.
    #[default]
    None,
    /// The result of every operator, in a copy of the model in which all of them are outputs.
    All,
    /// As `All`, but the outputs come from an untouched run, and there are no taps where the two runs differ in any
    /// bit of the outputs.
    Checked,
}

impl Taps {
    /// All of them.
    pub const ALL: [Taps; 3] = [Taps::None, Taps::All, Taps::Checked];
}

/// One model to load once and to run on several input sets.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    /// The model: .tflite bytes, or .onnx bytes for a runtime that reads those.
    pub model: &'a [u8],
    /// Input sets, each in interface order (the order of subgraph 0). Naming a set twice runs it twice.
    pub sets: &'a [Vec<Tensor>],
    /// Which tensors to make visible.
    pub taps: Taps,
}

/// Something that runs models.
pub trait Runtime: Send {
    /// The name in every report: `litert-xnnpack-fp16`.
    fn name(&self) -> &str;

    /// The version in every report.
    fn version(&self) -> &str;

    /// True when it runs the source program (.onnx), as a voter about what that means, and not a converted model.
    fn runs_source(&self) -> bool {
        false
    }

    /// In a campaign it takes one in so many of the tests that outside runtimes take: more than 1 for slow ones.
    fn rarity(&self) -> u64 {
        1
    }

    /// What it is known not to do.
    fn capabilities(&self) -> &Capabilities;

    /// Runs jobs; one record per input set of each job. Many jobs at once cost fewer round trips.
    fn run_all(&mut self, jobs: &[Job<'_>]) -> Vec<Vec<Execution>>;

    /// Runs one model on one input set.
    fn run(&mut self, model: &[u8], inputs: &[Tensor], taps: Taps) -> Execution {
        let sets = [inputs.to_vec()];
        let mut answers = self.run_all(&[Job { model, sets: &sets, taps }]);
        answers.remove(0).remove(0)
    }
}

/// What a converter did.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It converted.
    Converted(Conversion),
    /// It refused, and said what stands in the way.
    Refused(Refusal),
    /// It failed without saying which node, in its own words.
    Failed(String),
    /// Its process died.
    Crashed {
        /// Signal or exit code, and the last words.
        how: String,
    },
    /// No answer in time.
    TimedOut,
    /// It does not do this, or is not installed.
    Cannot {
        /// Why.
        why: String,
    },
}

/// A source program as converters take it: as bytes, or as the graph that those bytes hold.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The graph.
    pub graph: &'a Graph,
    /// The .onnx file of that graph.
    pub onnx: &'a [u8],
}

/// Something that converts models.
pub trait Converter: Send {
    /// The name in every report: `in-tree`.
    fn name(&self) -> &str;

    /// The version in every report.
    fn version(&self) -> &str;

    /// The strategies that it follows.
    fn precisions(&self) -> &[Precision] {
        &Precision::ALL
    }

    /// In which form it takes programs outside of this process; `None` for one that is inside.
    fn form(&self) -> Option<Form> {
        None
    }

    /// True for a converter in a process of its own, whose files come without a map of where their tensors are from.
    fn is_outside(&self) -> bool {
        self.form().is_some()
    }

    /// Converts one program.
    fn convert(&mut self, source: Source<'_>, request: &Request) -> Outcome;
}

/// The main function of a worker process; the first argument names the library it serves, the others follow.
///
/// # Errors
/// When the caller is gone in the middle of a message, or asks for a worker that does not exist.
pub fn worker_main(args: &[String]) -> std::io::Result<()> {
    match args.split_first() {
        Some((name, rest)) if name == "litert" => runtimes::litert::engine::main(rest),
        _ => Err(std::io::Error::other("usage: litert --library PATH [--memory BYTES] [--seconds N]")),
    }
}

/// A system that is not there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{system}: {why}")]
pub struct Unavailable {
    /// The system.
    pub system: String,
    /// Why, and what to do.
    pub why: String,
}
