//! Loads one case of the `onnx` package and judges one conversion of it.

use super::Fate;
use crate::exit::Failure;
use halfproof_ir::{Graph, Precision, Request, Tensor, ValueId};
use halfproof_oracle::judge::Subject;
use halfproof_oracle::onnx::ideal;
use halfproof_oracle::record::Execution;
use halfproof_oracle::value::Value;
use halfproof_oracle::verdict::{Class, Verdict};
use halfproof_systems::runtimes::interp::Interpreter;
use halfproof_systems::{Converter, Outcome, Source, Taps};
use halfproof_wire::{npz, onnx};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Allowed distance of the reference from the expected output, relative to the largest element: that of the package's own
/// test runner.
const REFERENCE: f64 = 1e-3;
/// The same for the converted model under `weights`, whose constants are float16.
const CONVERTED: f64 = 1e-2;

/// Behind the name of the set for cases with floats at one side of the interface only.
pub(super) const ONE_SIDED: &str = ", floats on one side";

/// A line of the index.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) set: String,
    why: String,
}

/// Why a case is not judged.
pub(super) enum Unfit {
    /// It is not about float tensors with static shapes.
    Outside(String),
    /// The reader refuses it.
    Unread { operator: String, set: String, why: String },
}

/// A case.
pub(super) struct Case {
    pub(super) set: String,
    pub(super) operator: String,
    pub(super) graph: Graph,
    pub(super) inputs: Vec<Tensor>,
    expected: Vec<Tensor>,
    bytes: Vec<u8>,
}

/// The index of a folder of cases.
pub(super) fn list(folder: &Path) -> Result<Vec<Entry>, Failure> {
    let path = folder.join("index.tsv");
    let text = std::fs::read_to_string(&path).map_err(|e| {
        Failure::harness(format!("{}: {e}; run `cargo xtask setup conformance`", path.display()))
    })?;
    text.lines()
        .map(|line| {
            let mut fields = line.split('\t').map(str::to_string);
            match (fields.next(), fields.next(), fields.next()) {
                (Some(name), Some(set), Some(why)) => Ok(Entry { name, set, why }),
                _ => Err(Failure::harness(format!("{}: \"{line}\" is no line of an index", path.display()))),
            }
        })
        .collect()
}

impl Case {
    /// Loads a case.
    pub(super) fn load(folder: &Path, entry: &Entry) -> Result<Case, Unfit> {
        if !entry.why.is_empty() {
            return Err(Unfit::Outside(entry.why.clone()));
        }
        let outside = |e: String| Unfit::Outside(e);
        let read =
            |name: String| std::fs::read(folder.join(&name)).map_err(|e| outside(format!("{name}: {e}")));
        let bytes = read(format!("{}.onnx", entry.name))?;
        let data: BTreeMap<String, Tensor> = npz::read(&read(format!("{}.npz", entry.name))?)
            .map_err(|e| outside(e.to_string()))?
            .into_iter()
            .collect();
        let floats = |prefix: &str| data.iter().any(|(n, t)| n.starts_with(prefix) && t.dtype().is_float());
        let set = match (floats("given/"), floats("expected/")) {
            (true, true) => entry.set.clone(),
            (false, false) => return Err(Unfit::Outside("no float tensor at the interface".into())),
            _ => format!("{}{ONE_SIDED}", entry.set),
        };
        let graph = onnx::read(&bytes).map_err(|e| Unfit::Unread {
            operator: named(&entry.name),
            set: set.clone(),
            why: e.to_string(),
        })?;
        let operator = match &graph.nodes[..] {
            [one] => match &one.op {
                halfproof_ir::Op::Unknown { domain, .. } if !domain.is_empty() => {
                    return Err(Unfit::Outside(format!("an operator of the domain {domain}")));
                }
                op => op.name().split('(').next().unwrap_or_default().to_string(),
            },
            _ if entry.set == "node" => "several".to_string(),
            _ => entry.set.clone(),
        };
        let one = |prefix: &str, id: &ValueId| {
            let name = format!("{prefix}/{}", graph.value(*id).name);
            data.get(&name).cloned().ok_or_else(|| Unfit::Outside(format!("the case has no data for {name}")))
        };
        let inputs = graph.inputs.iter().map(|id| one("given", id)).collect::<Result<Vec<_>, _>>()?;
        let expected = graph.outputs.iter().map(|id| one("expected", id)).collect::<Result<Vec<_>, _>>()?;
        if inputs.iter().chain(&expected).any(Tensor::is_empty) {
            return Err(Unfit::Outside("a tensor without elements at the interface".into()));
        }
        if inputs.iter().chain(&expected).any(beyond_single) {
            return Err(Unfit::Outside("float64 elements that no float32 holds".into()));
        }
        let graph = with_shapes(graph, &inputs);
        let inputs = inputs.into_iter().map(single).collect();
        Ok(Case { set, operator, graph, inputs, expected, bytes })
    }

    /// The graph with inputs bound to the test's values, as exporters write them: first those that are not floats (shapes,
    /// axes, indices), then also all floats but one (weights, scales): the first, else the one behind it, and so on.
    pub(super) fn bound(&self) -> Vec<(Graph, Vec<Tensor>)> {
        let floats = (0..self.inputs.len()).filter(|&i| self.inputs[i].dtype().is_float());
        [None].into_iter().chain(floats.map(Some)).filter_map(|left| self.bind(left)).collect()
    }

    /// Leaves one input, or all floats, as they are.
    fn bind(&self, only: Option<usize>) -> Option<(Graph, Vec<Tensor>)> {
        let mut graph = self.graph.clone();
        let mut left = Vec::new();
        graph.inputs.clear();
        for (i, (&id, tensor)) in self.graph.inputs.iter().zip(&self.inputs).enumerate() {
            if only.map_or(tensor.dtype().is_float(), |only| only == i) {
                graph.inputs.push(id);
                left.push(tensor.clone());
            } else {
                graph.values[id.index()].constant = Some(Arc::new(tensor.clone()));
            }
        }
        (left.len() < self.inputs.len() && !left.is_empty()).then_some((graph, left))
    }
}

/// Whether an element is finite and beyond the largest float32.
fn beyond_single(tensor: &Tensor) -> bool {
    let elements = tensor.floats().unwrap_or_default();
    elements.iter().any(|x| x.is_finite() && x.abs() > f64::from(f32::MAX))
}

/// A float64 input as the numbers that a .tflite model can be given.
fn single(tensor: Tensor) -> Tensor {
    match tensor.data {
        halfproof_ir::Data::F64(v) => {
            #[expect(clippy::cast_possible_truncation, reason = "rounding is the point")]
            let rounded = v.into_iter().map(|x| f64::from(x as f32)).collect();
            Tensor::new(tensor.shape, halfproof_ir::Data::F64(rounded))
        }
        data => Tensor::new(tensor.shape, data),
    }
}

/// Named extents take those of the test's tensors: `--dim NAME=VALUE`.
fn with_shapes(mut graph: Graph, inputs: &[Tensor]) -> Graph {
    let mut dims = BTreeMap::new();
    for (id, tensor) in graph.inputs.iter().zip(inputs) {
        for (dim, &extent) in graph.value(*id).shape.iter().flatten().zip(&tensor.shape) {
            if let halfproof_ir::Dim::Named(name) = dim {
                dims.insert(name.clone(), extent);
            }
        }
    }
    if !dims.is_empty() {
        graph = halfproof_converter::bind_dims(&graph, &dims);
    }
    graph
}

/// The operator that a test's name speaks of.
fn named(test: &str) -> String {
    let word = test.trim_start_matches("test_").split('_').next().unwrap_or_default();
    let row = halfproof_ir::ops::OPS.iter().find(|row| row.name.eq_ignore_ascii_case(word));
    row.map_or_else(|| word.to_string(), |row| row.name.to_string())
}

/// Converts and judges.
pub(super) fn judge(
    case: &Case,
    graph: &Graph,
    inputs: &[Tensor],
    converter: &mut dyn Converter,
    request: &Request,
    interpreters: &[Interpreter],
) -> Fate {
    let conversion = match converter.convert(Source { graph, onnx: &case.bytes }, request) {
        Outcome::Converted(conversion) => conversion,
        Outcome::Refused(refusal) => {
            let node = refusal.nodes.first();
            return Fate::Refused(node.map_or_else(String::new, |n| format!("{}: {}", n.op, n.reason)));
        }
        Outcome::Cannot { why } => return Fate::Refused(why),
        Outcome::Failed(text) => return Fate::Wrong(format!("the converter failed: {text}")),
        Outcome::Crashed { how } => return Fate::Wrong(format!("the converter died: {how}")),
        Outcome::TimedOut => return Fate::Wrong("the converter gave no answer in time".into()),
    };
    let said = |verdict: &Verdict| Fate::Wrong(format!("{}: {}", verdict.class, verdict.text));
    let subject = match Subject::new(graph, request, &conversion) {
        Ok(subject) => subject,
        Err(verdict) => return said(&verdict),
    };
    for verdict in [subject.legality(), subject.constants()] {
        if verdict.accuses() {
            return said(&verdict);
        }
    }
    let mut point = match subject.at(inputs, None) {
        Ok(point) => point,
        Err(verdict) => return said(&verdict),
    };
    let semantics = point.semantics();
    if semantics.accuses() {
        return said(&semantics);
    }
    let mut overflows = false;
    for interpreter in interpreters {
        let execution = interpreter.execute(&subject.program, &point.inputs, Taps::All);
        for answer in point.execution(&execution) {
            if answer.verdict.accuses() {
                return Fate::Wrong(format!(
                    "{}: {}: {}",
                    execution.system, answer.verdict.class, answer.verdict.text
                ));
            }
            overflows |= answer.verdict.class == Class::Nonfinite;
        }
        if request.precision == Precision::Weights
            && execution.system == "interp-f32"
            && let Some(text) = differs(&outputs(&execution), &case.expected, CONVERTED)
        {
            return Fate::Wrong(format!("the converted model disagrees with the package: {text}"));
        }
    }
    match ideal(graph, inputs) {
        Err(e) => return Fate::Wrong(format!("the reference has no value: {e}")),
        Ok(run) => {
            let values: Vec<Vec<f64>> = run.outputs().map(numbers).collect();
            if let Some(text) = differs(&values, &case.expected, REFERENCE) {
                return Fate::Wrong(format!("the reference disagrees with the package: {text}"));
            }
        }
    }
    Fate::Right { bound: false, overflows }
}

#[expect(clippy::cast_precision_loss, reason = "compared to a relative tolerance")]
fn numbers(value: &Value<f64>) -> Vec<f64> {
    match value {
        Value::Float(_, a) => a.data.clone(),
        Value::Whole(_, a) => a.data.iter().map(|w| w.value as f64).collect(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "compared to a relative tolerance")]
fn elements(tensor: &Tensor) -> Vec<f64> {
    tensor
        .floats()
        .unwrap_or_else(|| tensor.integers().unwrap_or_default().into_iter().map(|i| i as f64).collect())
}

fn outputs(execution: &Execution) -> Vec<Vec<f64>> {
    execution.outputs.iter().map(elements).collect()
}

/// Where results differ from what is expected by more than a part of the largest expected element.
fn differs(results: &[Vec<f64>], expected: &[Tensor], relative: f64) -> Option<String> {
    for (i, (result, tensor)) in results.iter().zip(expected).enumerate() {
        let wanted = elements(tensor);
        if result.len() != wanted.len() {
            return Some(format!("output {i} has {} elements instead of {}", result.len(), wanted.len()));
        }
        let largest = wanted.iter().filter(|x| x.is_finite()).fold(0.0f64, |m, x| m.max(x.abs()));
        let slack = relative * largest + 1e-7;
        let same = |a: f64, b: f64| a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= slack;
        if let Some(at) = (0..wanted.len()).find(|&k| !same(result[k], wanted[k])) {
            return Some(format!("output {i}, element {at}: {} instead of {}", result[at], wanted[at]));
        }
    }
    None
}
