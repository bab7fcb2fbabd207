//! What is asked of a converter and what it answers. Filled by converters, read by the judge.

use crate::{DType, Provenance};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Where float16 starts and stops in the converted model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// float16 constants behind DEQUANTIZE, float32 activations and interface.
    Weights,
    /// Every float tensor float16, the interface included.
    Full,
    /// Like `Full`, with float32 islands between CASTs where float16 would not hold the values.
    Mixed,
}

impl Precision {
    /// All strategies, in the order of tables and reports.
    pub const ALL: [Precision; 3] = [Precision::Weights, Precision::Full, Precision::Mixed];

    /// `weights`, `full` or `mixed`.
    pub fn name(self) -> &'static str {
        match self {
            Precision::Weights => "weights",
            Precision::Full => "full",
            Precision::Mixed => "mixed",
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The element type of the model's inputs and outputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Io {
    /// What the strategy says: float16 for `full` and `mixed`.
    #[default]
    Strategy,
    /// float32, with a CAST at each edge.
    Float32,
}

/// The layout of the model's inputs and outputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IoLayout {
    /// As in the source: an NCHW model keeps NCHW at its edges.
    #[default]
    Source,
    /// Inputs and outputs of rank 4 become NHWC, without edge transposes.
    Nhwc,
}

/// What is asked of a converter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// The float16 strategy.
    pub precision: Precision,
    /// Element type of the interface.
    pub io: Io,
    /// Layout of the interface.
    pub io_layout: IoLayout,
    /// Regular expression over names of nodes and tensors; what matches stays float32.
    pub keep_fp32: Option<String>,
    /// What was seen of the source's tensors on sample inputs; `mixed` goes by it instead of by assumptions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub observed: Vec<Observation>,
}

/// Between what the finite elements of one source tensor lay on sample inputs, and how they were spread.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// Name of the source tensor.
    pub tensor: String,
    /// Smallest element.
    pub low: f64,
    /// Largest element.
    pub high: f64,
    /// Mean.
    pub mean: f64,
    /// Standard deviation.
    pub deviation: f64,
}

impl Request {
    /// A request with the default interface.
    pub fn new(precision: Precision) -> Request {
        Request {
            precision,
            io: Io::Strategy,
            io_layout: IoLayout::Source,
            keep_fp32: None,
            observed: Vec::new(),
        }
    }
}

/// What a converter answers when it can.
#[derive(Clone, Debug)]
pub struct Conversion {
    /// The .tflite file.
    pub model: Vec<u8>,
    /// Which source tensor each target tensor carries; empty for converters that don't say.
    pub provenance: Provenance,
    /// Warnings and explanations, in source order.
    pub notes: Vec<Note>,
}

/// How serious a [`Note`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Says what was done.
    Info,
    /// The computation was changed on purpose, so that float16 holds it: what, where and why.
    Rewrite,
    /// The float16 model may lose or ruin values here.
    Warning,
}

/// One remark of a converter about one place of the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Note {
    /// How serious it is.
    pub level: Level,
    /// The source node or constant it is about.
    pub at: String,
    /// What, why, and what to do; one line.
    pub text: String,
}

/// A deliberate change of the computation (an epsilon raised, a mask clamped), so that the judge can tell it from a bug.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rewrite {
    /// The source node or constant.
    pub at: String,
    /// A short name of the rule: `clamp-constant`, `raise-epsilon`…
    pub rule: String,
    /// What was there before, exactly.
    pub from: f64,
    /// What stands there now, exactly.
    pub to: f64,
}

/// Why one node cannot be converted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RefusedNode {
    /// The ONNX operator (with its domain when that is not the default one).
    pub op: String,
    /// The node's name.
    pub node: String,
    /// The element type of its first operand, where known.
    pub dtype: Option<DType>,
    /// The reason, as a fragment: `axis is not constant`.
    pub reason: String,
}

/// The answer of a converter that cannot: every node at once, never only the first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Refusal {
    /// All nodes that stand in the way; never empty.
    pub nodes: Vec<RefusedNode>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, n) in self.nodes.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            write!(f, "{} \"{}\"", n.op, n.node)?;
            match n.dtype {
                Some(dtype) => write!(f, " ({dtype})")?,
                // Of a node it is worth saying; the graph itself has none.
                None if n.op == "graph" => {}
                None => f.write_str(" (type unknown)")?,
            }
            write!(f, ": {}", n.reason)?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}
