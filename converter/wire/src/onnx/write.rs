//! From a graph to the bytes of a model. What each operator looks like at an opset is in `downgrade`.

use super::downgrade::{self, Operand};
use super::encode::Encoder;
use super::error::WriteError;
use super::opset::Opset;
use super::{attribute, tensor};
use halfproof_ir::{Dim, Graph, Node, Tensor, Value, ValueId};

/// Writes a graph at an operator set between 9 and 23. Constants that nothing reads are left out.
///
/// Element types that an operator learned later are refused only where the graph declares them.
///
/// # Errors
/// When a node says something that the opset cannot: the node and the reason. When the opset is not one of those.
pub fn write(graph: &Graph, opset: Opset) -> Result<Vec<u8>, WriteError> {
    let (oldest, newest) = (Opset::OLDEST_WRITTEN, Opset::NEWEST_WRITTEN);
    if !(oldest..=newest).contains(&opset) {
        return Err(WriteError {
            op: "graph".to_string(),
            node: graph.name.clone(),
            opset,
            reason: format!("only opsets {oldest} to {newest} are written"),
        });
    }
    let mut e = Encoder::with_capacity(size_estimate(graph));
    e.int(1, opset.ir_version());
    e.text(2, "halfproof");
    e.text(3, env!("CARGO_PKG_VERSION"));
    e.message(7, |e| write_graph(e, graph, opset))?;
    e.message(8, |e| e.int(2, opset.0.into()));
    Ok(e.finish())
}

/// Roughly the size of the file.
fn size_estimate(graph: &Graph) -> usize {
    let elements: usize =
        graph.values.iter().filter_map(|v| v.constant.as_ref()).map(|t| t.len() * t.dtype().size()).sum();
    elements + 256 + 96 * (graph.nodes.len() + graph.values.len())
}

fn write_graph(e: &mut Encoder, graph: &Graph, opset: Opset) -> Result<(), WriteError> {
    // Attributes take constants away: only what is still read afterwards is written.
    let mut read = vec![false; graph.values.len()];
    let mut made = vec![];
    for node in &graph.nodes {
        let lowered = downgrade::node(graph, node, opset).map_err(|reason| WriteError {
            op: node.op.name().to_string(),
            node: node.name.clone(),
            opset,
            reason,
        })?;
        e.message(1, |e| {
            let last = lowered.inputs.iter().rposition(|i| !matches!(i, Operand::Value(None)));
            for operand in lowered.inputs.into_iter().take(last.map_or(0, |i| i + 1)) {
                match operand {
                    Operand::Value(id) => {
                        if let Some(id) = id {
                            read[id.index()] = true;
                        }
                        e.bytes(1, name(graph, id).as_bytes());
                    }
                    Operand::Made(operand, constant) => {
                        let name = free_name(graph, node, operand, &made);
                        e.bytes(1, name.as_bytes());
                        made.push((name, constant));
                    }
                }
            }
            let last = node.outputs.iter().rposition(Option::is_some);
            for &id in &node.outputs[..last.map_or(0, |i| i + 1)] {
                e.bytes(2, name(graph, id).as_bytes());
            }
            e.text(3, &node.name);
            e.text(4, lowered.op);
            for (name, value) in &lowered.attributes {
                e.message(5, |e| attribute::write(e, name, value));
            }
        });
    }
    e.text(2, if graph.name.is_empty() { "graph" } else { &graph.name });
    graph.outputs.iter().for_each(|id| read[id.index()] = true);
    for (value, read) in graph.values.iter().zip(&read) {
        if let (Some(constant), true) = (&value.constant, read) {
            e.message(5, |e| tensor::write(e, constant, &value.name));
        }
    }
    for (name, constant) in &made {
        e.message(5, |e| tensor::write(e, constant, name));
    }
    graph.inputs.iter().for_each(|&id| e.message(11, |e| write_info(e, graph.value(id))));
    graph.outputs.iter().for_each(|&id| e.message(12, |e| write_info(e, graph.value(id))));
    for (i, value) in graph.values.iter().enumerate() {
        let declared = value.dtype.is_some() || value.shape.is_some();
        let id = ValueId(i as u32);
        if declared && value.constant.is_none() && !graph.inputs.contains(&id) && !graph.outputs.contains(&id)
        {
            e.message(13, |e| write_info(e, value));
        }
    }
    Ok(())
}

/// A tensor's name, empty for one that is absent.
fn name(graph: &Graph, id: Option<ValueId>) -> &str {
    id.map_or("", |id| graph.value(id).name.as_str())
}

/// A name for a constant that only the file has.
fn free_name(graph: &Graph, node: &Node, operand: &str, made: &[(String, Tensor)]) -> String {
    let base = format!("{}.{operand}", name(graph, node.outputs.iter().flatten().next().copied()));
    let taken =
        |name: &str| graph.values.iter().any(|v| v.name == name) || made.iter().any(|(n, _)| n == name);
    let mut name = base.clone();
    let mut i = 2;
    while taken(&name) {
        name = format!("{base}_{i}");
        i += 1;
    }
    name
}

/// Writes the fields of a declared type.
fn write_info(e: &mut Encoder, value: &Value) {
    e.text(1, &value.name);
    e.message(2, |e| {
        e.message(1, |e| {
            e.int(1, value.dtype.map_or(0, halfproof_ir::DType::onnx_code));
            if let Some(shape) = &value.shape {
                e.message(2, |e| {
                    for dim in shape {
                        e.message(1, |e| match dim {
                            Dim::Fixed(n) => e.int(1, *n as i64),
                            Dim::Named(name) => e.text(2, name),
                        });
                    }
                });
            }
        });
    });
}
