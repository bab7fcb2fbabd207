//! Counts, coverage, bits lost and times.

use super::{Figure, words};
use halfproof_ir::Precision;
use halfproof_oracle::verdict::Class;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Counts of everything.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Totals {
    /// Tests: one graph with its inputs, converter and strategy.
    pub tests: u64,
    /// Cases that were generated and not judged, by reason.
    pub discarded: BTreeMap<String, u64>,
    /// How executions ended, by system.
    pub executions: BTreeMap<String, Executions>,
    /// Verdicts by system (a converter's for what needs no runtime) and class.
    #[schemars(schema_with = "words::system_classes_counted")]
    pub verdicts: BTreeMap<String, BTreeMap<Class, u64>>,
    /// Elements that were compared.
    pub judged: u64,
    /// Elements left out because they are undecidable or possibly not finite.
    pub excluded: u64,
}

impl Totals {
    /// Verdicts by class over all systems.
    pub fn by_class(&self) -> BTreeMap<Class, u64> {
        let mut sum = BTreeMap::new();
        for (class, count) in self.verdicts.values().flatten() {
            *sum.entry(*class).or_default() += count;
        }
        sum
    }

    /// The share of elements left out, 0 to 1.
    pub fn excluded_share(&self) -> f64 {
        match self.judged + self.excluded {
            0 => 0.0,
            all => self.excluded as f64 / all as f64,
        }
    }
}

/// How the executions of one system ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Executions {
    /// To the end.
    pub ok: u64,
    /// The system refused the model or an operator.
    pub refused: u64,
    /// The process died.
    pub crashed: u64,
    /// No answer in time.
    pub timed_out: u64,
    /// Reported as a success, while the runtime's log says that the work was not done.
    #[serde(default)]
    pub undone: u64,
    /// Known not to be supported.
    pub cannot: u64,
}

/// What the tests reached; names are those of ONNX.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Coverage {
    /// Nodes by operator.
    pub operators: BTreeMap<String, u64>,
    /// Operators that the generator has and no test used.
    pub missing: Vec<String>,
    /// Edges by producer and consumer: `Conv>Relu`.
    pub pairs: BTreeMap<String, u64>,
    /// How many pairs the generator can make.
    pub possible_pairs: u64,
    /// Values by rank.
    pub ranks: BTreeMap<u32, u64>,
    /// Values by element type.
    pub dtypes: BTreeMap<String, u64>,
    /// Graphs by number of nodes.
    pub sizes: BTreeMap<u32, u64>,
    /// Input sets by kind: `lattice`, `gaussian`, `edges`…
    pub inputs: BTreeMap<String, u64>,
}

/// One field of the heat map: tests in which an operator took part, by strategy and system.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cell {
    /// ONNX operator.
    pub operator: String,
    /// The float16 strategy.
    #[schemars(schema_with = "words::precision")]
    pub precision: Precision,
    /// The runtime, or the converter for verdicts that need none.
    pub system: String,
    /// Verdicts by class, of graphs that contain the operator; faults are counted for the operator to blame only.
    #[schemars(schema_with = "words::classes_counted")]
    pub verdicts: BTreeMap<Class, u64>,
}

impl Cell {
    pub(super) fn key(&self) -> (&str, Precision, &str) {
        (&self.operator, self.precision, &self.system)
    }

    /// Tests and faults.
    pub fn counts(&self) -> (u64, u64) {
        let all = self.verdicts.values().sum();
        let faults = self.verdicts.iter().filter(|(class, _)| !class.is_fine()).map(|(_, n)| n).sum();
        (all, faults)
    }
}

/// Bits lost to rounding: log2 of the largest error of a tensor in units of half an ulp, 0 for none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Losses {
    /// Distributions by operator, strategy and system.
    pub operators: Vec<Loss>,
    /// Single outputs, so that two runs compare case by case; a sample in long campaigns.
    pub outputs: Vec<OutputLoss>,
}

impl Losses {
    pub(super) fn sort(&mut self) {
        self.operators.sort_by(|a, b| {
            (&a.operator, a.precision, &a.system).cmp(&(&b.operator, b.precision, &b.system))
        });
        self.outputs.sort_by(|a, b| a.key().cmp(&b.key()));
    }
}

/// A distribution of bits lost. Made by [`LossTally`](crate::LossTally).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Loss {
    /// ONNX operator.
    pub operator: String,
    /// The float16 strategy.
    #[schemars(schema_with = "words::precision")]
    pub precision: Precision,
    /// The runtime.
    pub system: String,
    /// Tensors measured.
    pub count: u64,
    /// Half of the tensors lose at most this, to an eighth of a bit.
    pub median: Figure,
    /// Nine in ten lose at most this, to an eighth of a bit.
    pub p90: Figure,
    /// The most that was lost.
    pub max: Figure,
    /// Tensors by whole bits lost: none, up to 1, up to 2, … up to 11, more.
    pub histogram: Vec<u64>,
}

/// The bits that one output of one case lost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OutputLoss {
    /// The case: its number in the plan of the run, or its name in the corpus; with the name of the input set.
    pub case: String,
    /// Digest of the source program and of the inputs, by which two runs know the same case; empty where it was not recorded.
    #[serde(default)]
    pub digest: String,
    /// Index of the output.
    pub output: u32,
    /// The float16 strategy.
    #[schemars(schema_with = "words::precision")]
    pub precision: Precision,
    /// The converter.
    pub converter: String,
    /// The runtime.
    pub system: String,
    /// Bits lost.
    pub bits: Figure,
}

impl OutputLoss {
    pub(crate) fn key(&self) -> (&str, u32, Precision, &str, &str) {
        (&self.case, self.output, self.precision, &self.converter, &self.system)
    }
}

/// Time and speed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Timings {
    /// When it began, as RFC 3339; empty when not recorded.
    pub started: String,
    /// How long it took.
    pub seconds: f64,
    /// Processes or threads at work.
    pub jobs: u32,
    /// Tests per second of wall time.
    pub tests_per_second: f64,
    /// Where the time went.
    pub stages: Vec<Stage>,
}

/// One stage of the pipeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stage {
    /// `generate`, `convert`, `reference`, a runtime's name…
    pub name: String,
    /// Microseconds of one core per test that went through it.
    pub us_per_test: f64,
    /// Tests that went through it.
    pub tests: u64,
}
