//! Operations on graphs that passes share: dead code, renumbering, shapes from an exact evaluation.

use super::Specimen;
use halfproof_ir::validate::validate;
use halfproof_ir::{Data, Dim, Graph, Tensor, ValueId};
use halfproof_oracle::onnx::ideal;
use halfproof_oracle::value::Value;
use std::collections::BTreeMap;

/// Removes what is dead, declares the type and shape of every tensor from an exact evaluation, and gives `None` when the
/// case is not well-formed or cannot be evaluated (a shape that no longer fits).
pub(crate) fn settle(specimen: &Specimen) -> Option<Specimen> {
    let mut s = sweep(specimen)?;
    for id in s.graph.inputs.clone() {
        let at = s.graph.inputs.iter().position(|&i| i == id)?;
        let tensor = &s.inputs[at];
        declare(&mut s.graph, id, tensor.dtype(), &tensor.shape);
    }
    for index in 0..s.graph.values.len() {
        let value = &mut s.graph.values[index];
        if let Some(c) = &value.constant {
            value.dtype = Some(c.dtype());
            value.shape = Some(c.shape.iter().map(|&d| Dim::Fixed(d)).collect());
        }
    }
    validate(&s.graph).ok()?;
    // Shapes declared before a change may no longer hold: they are taken from the evaluation.
    let computed: Vec<ValueId> =
        s.graph.nodes.iter().flat_map(|n| n.outputs.iter().flatten().copied()).collect();
    for &id in &computed {
        s.graph.values[id.index()].shape = None;
    }
    let run = ideal(&s.graph, &s.inputs).ok()?;
    for &id in &computed {
        if let Some(value) = run.values.get(id.index()).and_then(Option::as_ref) {
            let (dtype, shape) = (value.dtype(), value.shape().to_vec());
            if shape.contains(&0) {
                return None;
            }
            declare(&mut s.graph, id, dtype, &shape);
        }
    }
    Some(s)
}

fn declare(graph: &mut Graph, id: ValueId, dtype: halfproof_ir::DType, shape: &[usize]) {
    let value = &mut graph.values[id.index()];
    value.dtype = Some(dtype);
    value.shape = Some(shape.iter().map(|&d| Dim::Fixed(d)).collect());
}

/// The exact values of every tensor as storable tensors (floats rounded to float16 and held as FLOAT32, so that a cut
/// leaves the same numbers for every system).
pub(super) fn values(specimen: &Specimen) -> Option<Vec<Option<Tensor>>> {
    let run = ideal(&specimen.graph, &specimen.inputs).ok()?;
    Some(run.values.iter().map(|v| v.as_ref().and_then(storable)).collect())
}

fn storable(value: &Value<f64>) -> Option<Tensor> {
    use halfproof_ir::DType;
    Some(match value {
        Value::Float(DType::F32, a) => {
            Tensor::f32(a.shape.clone(), a.data.iter().map(|&x| half::f16::from_f64(x).to_f32()).collect())
        }
        Value::Whole(dtype, a) => {
            let w = a.data.iter().map(|w| w.value);
            let data = match dtype {
                DType::Bool => Data::Bool(w.map(|x| x != 0).collect()),
                DType::I64 => Data::I64(w.collect()),
                DType::I32 => Data::I32(w.map(|x| i32::try_from(x).ok()).collect::<Option<_>>()?),
                _ => return None,
            };
            Tensor::new(a.shape.clone(), data)
        }
        Value::Float(..) => return None,
    })
}

/// Removes nodes whose results nothing needs, inputs that nothing reads, and values that nothing names.
fn sweep(specimen: &Specimen) -> Option<Specimen> {
    let graph = &specimen.graph;
    let mut needed = vec![false; graph.values.len()];
    for id in &graph.outputs {
        needed[id.index()] = true;
    }
    let mut keep = vec![false; graph.nodes.len()];
    for (i, node) in graph.nodes.iter().enumerate().rev() {
        if node.outputs.iter().flatten().any(|id| needed[id.index()]) {
            keep[i] = true;
            for id in node.inputs.iter().flatten() {
                needed[id.index()] = true;
            }
        }
    }
    if !keep.contains(&true) {
        return None;
    }
    let mut new = Graph::new(graph.name.clone());
    let mut map: BTreeMap<ValueId, ValueId> = BTreeMap::new();
    let mut copy = |new: &mut Graph, id: ValueId| {
        *map.entry(id).or_insert_with(|| {
            let at = ValueId(u32::try_from(new.values.len()).expect("no more values than before"));
            new.values.push(graph.value(id).clone());
            at
        })
    };
    let mut inputs = vec![];
    for (&id, tensor) in graph.inputs.iter().zip(&specimen.inputs) {
        if needed[id.index()] {
            let at = copy(&mut new, id);
            new.inputs.push(at);
            inputs.push(tensor.clone());
        }
    }
    for (node, _) in graph.nodes.iter().zip(&keep).filter(|(_, k)| **k) {
        let mut node = node.clone();
        for id in node.inputs.iter_mut().flatten() {
            *id = copy(&mut new, *id);
        }
        for slot in &mut node.outputs {
            // An optional result that nobody reads is not asked for; the first one always is.
            *slot = slot.map(|id| copy(&mut new, id));
        }
        new.nodes.push(node);
    }
    for &id in &graph.outputs {
        let at = copy(&mut new, id);
        new.outputs.push(at);
    }
    Some(Specimen { graph: new, inputs })
}
