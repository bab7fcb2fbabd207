//! From a graph to the bytes of a model. What each operator looks like at an opset is in `downgrade`.

use super::downgrade::{self, Lowered, Operand};
use super::error::WriteError;
use super::opset::Opset;
use super::proto::{
    Dimension, GraphProto, Model, NodeProto, OperatorSetId, TensorProto, TensorShapeProto, TensorTypeProto,
    TypeProto, ValueInfo,
};
use super::{attribute, tensor};
use halfproof_ir::{Dim, Graph, Node, Value, ValueId};
use prost::Message;

/// Writes a graph at an operator set between 9 and 23. Constants that nothing reads are left out.
///
/// Only the form of the operators is brought to that opset: an element type that an operator learned later is
/// written as it is.
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
    let mut proto = GraphProto {
        node: Vec::with_capacity(graph.nodes.len()),
        name: if graph.name.is_empty() { "graph".to_string() } else { graph.name.clone() },
        ..GraphProto::default()
    };
    // Attributes take constants away: only what is still read afterwards is written.
    let mut read = vec![false; graph.values.len()];
    for node in &graph.nodes {
        let fail =
            |reason| WriteError { op: node.op.name().to_string(), node: node.name.clone(), opset, reason };
        let lowered = downgrade::node(graph, node, opset).map_err(fail)?;
        proto.node.push(node_proto(graph, node, lowered, &mut read, &mut proto.initializer));
    }
    graph.outputs.iter().for_each(|id| read[id.index()] = true);
    for (value, read) in graph.values.iter().zip(&read) {
        if let (Some(constant), true) = (&value.constant, read) {
            proto.initializer.push(tensor::write(constant, &value.name));
        }
    }
    let is_interface = |i: usize| {
        let id = ValueId(i as u32);
        graph.inputs.contains(&id) || graph.outputs.contains(&id)
    };
    let info = |id: &ValueId| value_info(graph.value(*id));
    proto.input = graph.inputs.iter().map(info).collect();
    proto.output = graph.outputs.iter().map(info).collect();
    for (i, value) in graph.values.iter().enumerate() {
        let declared = value.dtype.is_some() || value.shape.is_some();
        if declared && value.constant.is_none() && !is_interface(i) {
            proto.value_info.push(value_info(value));
        }
    }
    let model = Model {
        ir_version: opset.ir_version(),
        producer_name: "halfproof".to_string(),
        producer_version: env!("CARGO_PKG_VERSION").to_string(),
        graph: Some(proto),
        opset_import: vec![OperatorSetId { domain: String::new(), version: opset.0.into() }],
    };
    Ok(model.encode_to_vec())
}

fn node_proto(
    graph: &Graph,
    node: &Node,
    lowered: Lowered<'_>,
    read: &mut [bool],
    initializers: &mut Vec<TensorProto>,
) -> NodeProto {
    let name = |id: Option<ValueId>| id.map_or(String::new(), |id| graph.value(id).name.clone());
    let mut input: Vec<String> = Vec::with_capacity(lowered.inputs.len());
    for operand in lowered.inputs {
        input.push(match operand {
            Operand::Value(id) => {
                if let Some(id) = id {
                    read[id.index()] = true;
                }
                name(id)
            }
            Operand::Made(operand, constant) => {
                let name = free_name(graph, node, operand, initializers);
                initializers.push(tensor::write(&constant, &name));
                name
            }
        });
    }
    let mut output: Vec<String> = node.outputs.iter().map(|&id| name(id)).collect();
    for list in [&mut input, &mut output] {
        while list.last().is_some_and(String::is_empty) {
            list.pop();
        }
    }
    NodeProto {
        input,
        output,
        name: node.name.clone(),
        op_type: lowered.op.to_string(),
        attribute: lowered.attributes.iter().map(|(name, value)| attribute::write(name, value)).collect(),
        domain: String::new(),
    }
}

/// A name for a constant that only the file has.
fn free_name(graph: &Graph, node: &Node, operand: &str, initializers: &[TensorProto]) -> String {
    let output = node.outputs.iter().flatten().next().map_or("", |&id| graph.value(id).name.as_str());
    let base = format!("{output}.{operand}");
    let taken = |name: &str| {
        graph.values.iter().any(|v| v.name == name) || initializers.iter().any(|t| t.name == name)
    };
    let mut name = base.clone();
    let mut i = 2;
    while taken(&name) {
        name = format!("{base}_{i}");
        i += 1;
    }
    name
}

fn value_info(value: &Value) -> ValueInfo {
    let dim = |d: &Dim| match d {
        Dim::Fixed(n) => Dimension { dim_value: Some(*n as i64), dim_param: None },
        Dim::Named(name) if name.is_empty() => Dimension::default(),
        Dim::Named(name) => Dimension { dim_value: None, dim_param: Some(name.clone()) },
    };
    let tensor_type = TensorTypeProto {
        elem_type: value.dtype.map_or(0, |d| d.onnx_code() as i32),
        shape: value.shape.as_ref().map(|s| TensorShapeProto { dim: s.iter().map(dim).collect() }),
    };
    let r#type = TypeProto { tensor_type: Some(tensor_type), ..TypeProto::default() };
    ValueInfo { name: value.name.clone(), r#type: Some(r#type) }
}
