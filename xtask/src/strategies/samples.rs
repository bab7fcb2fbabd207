//! Sample inputs of a model, and what its tensors hold on them.

use crate::cmd::convert::Source;
use crate::exit::Failure;
use halfproof_ir::{DType, Data, Graph, Observation, Tensor};
use halfproof_oracle::arith::Ideal;
use halfproof_oracle::onnx;
use halfproof_oracle::tflite::{Constants, Program};
use halfproof_oracle::value::Value;
use halfproof_wire::{file, npz, tflite::Model};
use std::collections::BTreeMap;
use std::path::Path;

/// An input as its model declares it.
struct Declared {
    name: String,
    dtype: Option<DType>,
    shape: Option<Vec<usize>>,
}

/// Reads an .npz with one array per input. An array with the input's own shape is one sample; with one more axis in
/// front, or with a longer first axis where the input has extent 1, it holds several.
pub(crate) fn read(path: &Path, source: &Source) -> Result<Vec<Vec<Tensor>>, Failure> {
    let named = |e: String| Failure::bad_input(format!("{}: {e}", path.display()));
    let bytes = file::read(path).map_err(Failure::bad_input)?;
    let arrays = npz::read(&bytes).map_err(|e| named(e.to_string()))?;
    let mut columns = Vec::new();
    for input in declared(source) {
        let found = arrays.iter().find(|(name, _)| *name == input.name);
        let (_, array) = found.ok_or_else(|| {
            let names: Vec<&str> = arrays.iter().map(|(n, _)| n.as_str()).collect();
            named(format!("has no array \"{}\" (it has: {})", input.name, names.join(", ")))
        })?;
        columns.push(samples(array, &input).map_err(named)?);
    }
    let count = columns.iter().map(Vec::len).max().unwrap_or(0);
    if columns.iter().any(|c| c.len() != count && c.len() != 1) {
        return Err(named("its arrays hold different numbers of samples".to_string()));
    }
    let pick = |i: usize| columns.iter().map(|c| c[i.min(c.len() - 1)].clone()).collect();
    Ok((0..count).map(pick).collect())
}

fn declared(source: &Source) -> Vec<Declared> {
    match source {
        Source::Onnx(graph) => {
            let declared = |&id| {
                let value = graph.value(id);
                Declared { name: value.name.clone(), dtype: value.dtype, shape: value.static_shape() }
            };
            graph.inputs.iter().map(declared).collect()
        }
        Source::Tflite(model) => tflite_inputs(model),
    }
}

fn tflite_inputs(model: &Model) -> Vec<Declared> {
    let Some(g) = model.subgraphs.first() else { return vec![] };
    let declared = |&i: &i32| {
        let t = g.tensors.get(i.unsigned_abs() as usize)?;
        let shape = t.shape.iter().map(|&d| usize::try_from(d).unwrap_or(0)).collect();
        Some(Declared { name: t.name.clone(), dtype: t.dtype.dtype(), shape: Some(shape) })
    };
    g.inputs.iter().filter_map(declared).collect()
}

fn samples(array: &Tensor, input: &Declared) -> Result<Vec<Tensor>, String> {
    let Declared { name, dtype, shape } = input;
    if dtype.is_some_and(|d| d != array.dtype()) {
        let wanted = dtype.map(|d| d.to_string()).unwrap_or_default();
        return Err(format!("\"{name}\" is {}, the model needs {wanted}", array.dtype()));
    }
    let Some(shape) = shape.as_ref().filter(|s| **s != array.shape) else { return Ok(vec![array.clone()]) };
    let stacked = array.shape.get(1..) == Some(&shape[..]);
    let batched = shape.first() == Some(&1) && array.shape.get(1..) == shape.get(1..);
    if !(stacked || batched) || array.shape[0] == 0 {
        return Err(format!(
            "\"{name}\" has shape {:?}, the model needs {shape:?}, once or several times",
            array.shape
        ));
    }
    let bytes = array.data.to_le_bytes();
    let parts = bytes.chunks((bytes.len() / array.shape[0]).max(1));
    let part = |bytes: &[u8]| Some(Tensor::new(shape.clone(), Data::from_le_bytes(array.dtype(), bytes)?));
    parts.map(|bytes| part(bytes).ok_or_else(|| format!("\"{name}\" cannot be cut into samples"))).collect()
}

/// Samples where there is no data: normally distributed, in the way of the generator.
pub(crate) fn random(source: &Source, count: u64) -> Vec<Vec<Tensor>> {
    use halfproof_fuzz::generate::{InputKind, inputs};
    let graph = match source {
        Source::Onnx(graph) => Graph::clone(graph),
        Source::Tflite(model) => interface(model),
    };
    (0..count).map(|seed| inputs(&graph, InputKind::Gaussian, seed)).collect()
}

/// A graph that has only the inputs of a model.
fn interface(model: &Model) -> Graph {
    let mut graph = Graph::default();
    for input in tflite_inputs(model) {
        graph.add_input(input.name, input.dtype.unwrap_or(DType::F32), &input.shape.unwrap_or_default());
    }
    graph
}

/// The exact outputs of the source, by sample; elements of whole numbers as such.
pub(crate) fn exact(source: &Source, samples: &[Vec<Tensor>]) -> Result<Vec<Vec<Vec<f64>>>, String> {
    let of = |set: &Vec<Tensor>| match source {
        Source::Onnx(graph) => {
            let run = onnx::ideal(graph, set).map_err(|e| e.to_string())?;
            Ok(run.outputs().map(elements).collect())
        }
        Source::Tflite(model) => {
            let program = Program::new(model).map_err(|e| e.to_string())?;
            let run = program.results(set, Constants::Stored, &Ideal).map_err(|e| e.to_string())?;
            Ok(run.iter().map(elements).collect())
        }
    };
    samples.iter().map(of).collect()
}

/// The elements of a value; those of whole numbers as such.
pub(crate) fn elements(value: &Value<f64>) -> Vec<f64> {
    match value {
        Value::Float(_, a) => a.data.clone(),
        Value::Whole(_, a) => a.data.iter().map(|w| w.value as f64).collect(),
    }
}

/// Evaluates the source on samples and says between what its float tensors lie.
pub(crate) fn observe(source: &Source, samples: &[Vec<Tensor>]) -> Result<Vec<Observation>, String> {
    let mut seen = BTreeMap::new();
    for set in samples {
        match source {
            Source::Onnx(graph) => {
                let run = onnx::ideal(graph, set).map_err(|e| e.to_string())?;
                for (value, declared) in run.values.iter().zip(&graph.values) {
                    if declared.constant.is_none() {
                        count(&mut seen, &declared.name, value.as_ref());
                    }
                }
            }
            Source::Tflite(model) => {
                let program = Program::new(model).map_err(|e| e.to_string())?;
                let run = program.run(set, Constants::Stored, &Ideal).map_err(|e| e.to_string())?;
                for (value, tensor) in run.tensors.iter().zip(&model.subgraphs[0].tensors) {
                    count(&mut seen, &tensor.name, value.as_ref());
                }
            }
        }
    }
    let observation = |(tensor, s): (String, Seen)| {
        let mean = s.sum / s.count;
        let deviation = (s.squares / s.count - mean * mean).max(0.0).sqrt();
        Observation { tensor, low: s.low, high: s.high, mean, deviation }
    };
    Ok(seen.into_iter().map(observation).collect())
}

/// Of the finite elements of one tensor.
struct Seen {
    low: f64,
    high: f64,
    sum: f64,
    squares: f64,
    count: f64,
}

fn count(seen: &mut BTreeMap<String, Seen>, name: &str, value: Option<&Value<f64>>) {
    let Some(Value::Float(_, array)) = value else { return };
    for &x in array.data.iter().filter(|x| x.is_finite()) {
        let first = Seen { low: x, high: x, sum: 0.0, squares: 0.0, count: 0.0 };
        let s = match seen.get_mut(name) {
            Some(s) => s,
            None => seen.entry(name.to_string()).or_insert(first),
        };
        s.low = s.low.min(x);
        s.high = s.high.max(x);
        s.sum += x;
        s.squares += x * x;
        s.count += 1.0;
    }
}
