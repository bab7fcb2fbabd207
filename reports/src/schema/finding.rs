//! One fault: what, whose, where, how it shows, and how to see it again.

use super::{Figure, words};
use halfproof_ir::{DType, Precision};
use halfproof_oracle::verdict::{Blame, Class, Numbers, Place, Strength};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::cmp::Reverse;

/// One distinct fault, with its smallest case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// Short name, stable for the same signature: two letters of the operator and six digits, `SO-3f2a91`.
    pub id: String,
    /// What happened.
    #[schemars(schema_with = "words::class")]
    pub class: Class,
    /// Whose fault it is.
    #[schemars(schema_with = "words::blame")]
    pub blame: Blame,
    /// What the verdict rests on; only `certified` turns CI red.
    #[schemars(schema_with = "words::strength")]
    pub strength: Strength,
    /// The runtime that showed it; null where none ran.
    pub system: Option<String>,
    /// The converter that made the model.
    pub converter: String,
    /// The float16 strategy.
    #[schemars(schema_with = "words::optional_precision")]
    pub precision: Option<Precision>,
    /// The source operator, by its ONNX name.
    pub operator: Option<String>,
    /// One line that stands alone.
    pub title: String,
    /// Why that is wrong (or why rounding cannot explain it), one line; empty when the title says it all.
    pub because: String,
    /// Where.
    pub place: Spot,
    /// The numbers of the worst element.
    pub evidence: Option<Evidence>,
    /// Elements around the worst one, for a plot of the error against its bound; at most 48.
    pub points: Vec<Point>,
    /// What happens when one thing is changed: float32, no delegate, float16 weights only…
    pub controls: Vec<Control>,
    /// Fine distinctions: `result not representable`, `accumulator`…
    pub notes: Vec<String>,
    /// Everything that makes two faults the same: class, blame, system, operator and shape of its attributes.
    pub signature: String,
    /// Ids of findings with the same class and operator on other systems.
    pub related: Vec<String>,
    /// How many tests showed it.
    pub occurrences: u64,
    /// The first test that showed it, by its number in the plan of the run.
    pub first_test: u64,
    /// The command that shows it again, from the project's root.
    pub replay: String,
    /// Its files, relative to the folder of the run.
    pub files: Files,
    /// The smallest graph that shows it, as text of the IR.
    pub graph: String,
    /// The same graph, to be drawn.
    pub drawing: Drawing,
    /// The known issue that covers it; null for a new finding.
    pub known_issue: Option<KnownIssue>,
}

/// A place in a case; every part is null where it means nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Spot {
    /// The source node or value, by name.
    pub source: Option<String>,
    /// Operator of the converted model, as TFLite prints it.
    pub operator: Option<String>,
    /// Its index in subgraph 0.
    pub operator_index: Option<u32>,
    /// Tensor of the converted model, by name.
    pub tensor: Option<String>,
    /// Its index in subgraph 0.
    pub tensor_index: Option<u32>,
    /// Row-major index of the worst element.
    pub element: Option<u64>,
    /// The same as one index per axis.
    pub coordinates: Option<Vec<u64>>,
}

impl Spot {
    /// A place of the judge, with the worst element's coordinates in a tensor of that shape.
    pub fn new(place: &Place, shape: Option<&[usize]>) -> Spot {
        let coordinates = place.element.zip(shape).map(|(element, shape)| {
            let mut rest = element;
            let mut at: Vec<u64> = shape
                .iter()
                .rev()
                .map(|extent| {
                    let extent = (*extent as u64).max(1);
                    let index = rest % extent;
                    rest /= extent;
                    index
                })
                .collect();
            at.reverse();
            at
        });
        Spot {
            source: place.source.clone(),
            operator: place.operator.clone(),
            operator_index: place.operator_index,
            tensor: place.tensor.clone(),
            tensor_index: place.tensor_index,
            element: place.element,
            coordinates,
        }
    }
}

/// The numbers of one element.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// Element type of the tensor: how `actual` is stored, and to what `expected` is rounded where bits are shown.
    #[schemars(schema_with = "words::dtype")]
    pub dtype: DType,
    /// The exact result.
    pub expected: Figure,
    /// What the system gave.
    pub actual: Figure,
    /// Least value that rounding can explain.
    pub low: Figure,
    /// Greatest value that rounding can explain.
    pub high: Figure,
    /// The error in units of the bound on that side; above 1 is outside.
    pub ratio: Figure,
}

impl Evidence {
    /// The numbers of the judge for an element of that type.
    pub fn new(dtype: DType, numbers: &Numbers) -> Evidence {
        Evidence {
            dtype,
            expected: numbers.expected.into(),
            actual: numbers.actual.into(),
            low: numbers.low.into(),
            high: numbers.high.into(),
            ratio: numbers.ratio.into(),
        }
    }
}

/// One element of a plot.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Point {
    /// Row-major index of the element.
    pub element: u64,
    /// actual − expected.
    pub error: Figure,
    /// low − expected, 0 or less.
    pub low: Figure,
    /// high − expected, 0 or more.
    pub high: Figure,
}

/// One control experiment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Control {
    /// What was changed: `fp32`, `no delegate`, `fp16 weights`, `fp16 execution`.
    pub name: String,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a control experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The fault goes away.
    Ok,
    /// The fault stays.
    Fails,
    /// The experiment was not possible.
    Cannot,
}

/// The files of a finding, relative to the folder that holds `run.json`; null for those that do not exist.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Files {
    /// The smallest source model.
    pub model: Option<String>,
    /// What the converter made of it.
    pub converted: Option<String>,
    /// The inputs.
    pub inputs: Option<String>,
    /// A script that shows the fault with halfproof.
    pub repro: Option<String>,
    /// A script that shows it with the tested system alone.
    pub repro_alone: Option<String>,
    /// The nearest case that passes, and in what it differs.
    pub nearest_good: Option<String>,
}

/// A graph to be drawn.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Drawing {
    /// Nodes in execution order; graph inputs and outputs are nodes too.
    pub nodes: Vec<NodeBox>,
    /// Values between them.
    pub edges: Vec<Edge>,
}

/// A node of a drawing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NodeBox {
    /// First line: the operator, or the name of an input or output.
    pub label: String,
    /// Second line: attributes, or constants with their shapes; may be empty.
    pub detail: String,
    /// True for inputs and outputs of the graph.
    pub is_interface: bool,
    /// True for the operator to blame.
    pub is_bad: bool,
}

/// An edge of a drawing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Edge {
    /// Index of the node it leaves.
    pub from: u32,
    /// Index of the node it enters.
    pub to: u32,
    /// Element type and shape: `f16[1,8]`.
    pub label: String,
}

/// A recorded, accepted fault of another system.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct KnownIssue {
    /// Its file under `corpus/known-issues/`.
    pub file: String,
    /// Where it is reported upstream.
    pub link: Option<String>,
}

impl Finding {
    /// The id that belongs to a signature: the first two letters of the operator (`XX` without one) and six
    /// hexadecimal digits of the signature's SHA-256.
    pub fn id_of(operator: Option<&str>, signature: &str) -> String {
        let mut letters: String =
            operator.unwrap_or("").chars().filter(char::is_ascii_alphabetic).take(2).collect();
        while letters.len() < 2 {
            letters.push('X');
        }
        let digest = Sha256::digest(signature.as_bytes());
        format!("{}-{:02x}{:02x}{:02x}", letters.to_ascii_uppercase(), digest[0], digest[1], digest[2])
    }

    /// True when the verdict rests on a worst-case bound under a verified contract, or needs no bound.
    pub fn is_certified(&self) -> bool {
        self.strength == Strength::Certified
    }
}

/// Worst first: new before known, certified before the rest, by class, often before rare, then by id.
pub(super) fn sort(findings: &mut [Finding]) {
    findings.sort_by(|a, b| key(a).cmp(&key(b)));
}

fn key(f: &Finding) -> impl Ord + '_ {
    (
        f.known_issue.is_some(),
        f.strength,
        severity(f.class),
        Reverse(f.occurrences),
        &f.id,
        &f.signature,
        f.first_test,
    )
}

/// How bad a class is for a user, 0 the worst: wrong results before no result, and what dies before what refuses.
fn severity(class: Class) -> u8 {
    match class {
        Class::Semantics => 0,
        Class::Constant => 1,
        Class::Kernel => 2,
        Class::Nonfinite => 3,
        Class::Precision => 4,
        Class::Crash => 5,
        Class::Timeout => 6,
        Class::InvalidModel => 7,
        Class::Impure => 8,
        Class::Nondeterminism => 9,
        Class::Legalization => 10,
        Class::Undecidable => 11,
        Class::Explained => 12,
        Class::Pass => 13,
    }
}
