//! Cuts one operator out of a model, with the values that go in: a case that needs nothing of the rest.

use super::SourceModel;
use crate::minimise::Specimen;
use halfproof_ir::{Dim, Graph, Tensor, ValueId};
use halfproof_oracle::judge::trace::values;
use halfproof_wire::tflite::{Model, Operator, SubGraph};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A piece of a converted model with its inputs by tensor name.
#[derive(Clone, Debug)]
pub struct Piece {
    /// The model.
    pub model: Model,
    /// Names and values of its inputs, in interface order.
    pub inputs: Vec<(String, Tensor)>,
}

/// The named source nodes and `before` nodes above them as a graph of its own, fed with the exact values of what they
/// read. `None` for a .tflite source, and when no node has such a name.
///
/// # Errors
/// When the source cannot be evaluated as far as that.
pub fn source_piece(
    source: &SourceModel,
    inputs: &[Tensor],
    names: &str,
    before: usize,
) -> Result<Option<Specimen>, String> {
    if source.tflite.is_some() {
        return Ok(None);
    }
    let graph = &source.graph;
    let is_meant = |name: &str| names.split(", ").any(|n| n == name);
    let mut chosen: BTreeSet<usize> = graph
        .nodes
        .iter()
        .enumerate()
        .filter(|(_, n)| {
            is_meant(&n.name) || n.outputs.iter().flatten().any(|&id| is_meant(&graph.value(id).name))
        })
        .map(|(i, _)| i)
        .collect();
    let Some(&last) = chosen.last() else { return Ok(None) };
    let outputs: Vec<ValueId> = graph.nodes[last].outputs.iter().flatten().copied().collect();
    grow(graph, &mut chosen, before);
    let made: BTreeSet<ValueId> =
        chosen.iter().flat_map(|&i| graph.nodes[i].outputs.iter().flatten().copied()).collect();
    let mut read: Vec<ValueId> = vec![];
    for id in chosen.iter().flat_map(|&i| graph.nodes[i].inputs.iter().flatten().copied()) {
        if !made.contains(&id) && graph.constant(id).is_none() && !read.contains(&id) {
            read.push(id);
        }
    }
    let wanted: Vec<usize> = read.iter().map(|id| id.index()).collect();
    let found = values(source.source(), inputs, &wanted)?;
    let mut piece = Graph { name: graph.name.clone(), ..Graph::default() };
    let mut ids: BTreeMap<ValueId, ValueId> = BTreeMap::new();
    let mut fed = vec![];
    let mut copy = |piece: &mut Graph, id: ValueId| {
        *ids.entry(id).or_insert_with(|| {
            let at = ValueId(u32::try_from(piece.values.len()).unwrap_or(u32::MAX));
            piece.values.push(graph.value(id).clone());
            at
        })
    };
    for &id in &read {
        let Some(tensor) = found.get(&id.index()) else { return Ok(None) };
        let at = copy(&mut piece, id);
        let value = &mut piece.values[at.index()];
        value.dtype = Some(tensor.dtype());
        value.shape = Some(tensor.shape.iter().map(|&d| Dim::Fixed(d)).collect());
        piece.inputs.push(at);
        fed.push(tensor.clone());
    }
    for &i in &chosen {
        let mut node = graph.nodes[i].clone();
        for id in node.inputs.iter_mut().chain(&mut node.outputs).flatten() {
            *id = copy(&mut piece, *id);
        }
        piece.nodes.push(node);
    }
    piece.outputs = outputs.into_iter().map(|id| copy(&mut piece, id)).collect();
    Ok(Some(Specimen { graph: piece, inputs: fed }))
}

/// Adds nodes above, nearest first.
fn grow(graph: &Graph, chosen: &mut BTreeSet<usize>, before: usize) {
    let maker: BTreeMap<ValueId, usize> = graph
        .nodes
        .iter()
        .enumerate()
        .flat_map(|(i, n)| n.outputs.iter().flatten().map(move |&id| (id, i)))
        .collect();
    for _ in 0..before {
        let above = chosen
            .iter()
            .flat_map(|&i| graph.nodes[i].inputs.iter().flatten())
            .filter_map(|id| maker.get(id).copied())
            .filter(|i| !chosen.contains(i))
            .max();
        let Some(i) = above else { break };
        chosen.insert(i);
    }
}

/// Operators of a converted model, in its order, as a model of their own, with the operators that widen their constants;
/// `operands` are the values that they read. The results of the last one are the outputs.
pub fn target_piece(model: &Model, chosen: &[usize], operands: &[(u32, Tensor)]) -> Option<Piece> {
    let graph = model.subgraphs.first()?;
    let chosen: Vec<_> = chosen.iter().map(|&i| graph.operators.get(i)).collect::<Option<_>>()?;
    let last = *chosen.last()?;
    let known: BTreeSet<i32> = operands.iter().filter_map(|(t, _)| i32::try_from(*t).ok()).collect();
    let mut operators: Vec<Operator> = vec![];
    for &t in chosen.iter().flat_map(|op| &op.inputs).filter(|&&t| t >= 0) {
        let constant = model.data(graph.tensors.get(t as usize)?).is_some();
        if let Some(producer) = graph.operators.iter().find(|op| op.outputs.contains(&t))
            && !constant
            && !operators.contains(producer)
            && producer
                .inputs
                .iter()
                .all(|&i| i < 0 || graph.tensors.get(i as usize).is_some_and(|t| model.data(t).is_some()))
        {
            operators.push(producer.clone());
        }
    }
    operators.extend(chosen.iter().map(|&op| op.clone()));
    let computed: Vec<i32> = operators.iter().flat_map(|op| op.outputs.clone()).collect();
    let mut tensors: BTreeMap<i32, i32> = BTreeMap::new();
    let mut buffers = vec![Arc::new(vec![])];
    let mut piece = SubGraph { name: graph.name.clone(), ..SubGraph::default() };
    let mut inputs = vec![];
    for op in &mut operators {
        for t in op.inputs.iter_mut().chain(&mut op.outputs).filter(|t| **t >= 0) {
            let old = *t;
            if let Some(&new) = tensors.get(&old) {
                *t = new;
                continue;
            }
            let mut tensor = graph.tensors.get(old as usize)?.clone();
            match model.data(&tensor) {
                Some(_) => {
                    let data = Arc::clone(model.buffers.get(tensor.buffer as usize)?);
                    tensor.buffer = u32::try_from(buffers.len()).ok()?;
                    buffers.push(data);
                }
                None => tensor.buffer = 0,
            }
            let new = i32::try_from(piece.tensors.len()).ok()?;
            if known.contains(&old) && !computed.contains(&old) && tensor.buffer == 0 {
                let (_, value) = operands.iter().find(|(t, _)| i32::try_from(*t) == Ok(old))?;
                piece.inputs.push(new);
                inputs.push((tensor.name.clone(), value.clone()));
            }
            piece.tensors.push(tensor);
            tensors.insert(old, new);
            *t = new;
        }
    }
    piece.outputs = last.outputs.iter().filter_map(|t| tensors.get(t).copied()).collect();
    piece.operators = operators;
    let model = Model {
        version: model.version,
        description: "cut out by halfproof".to_string(),
        subgraphs: vec![piece],
        buffers,
        metadata: vec![],
        signatures: vec![],
    };
    Some(Piece { model, inputs })
}
