//! A model as short text, for errors, findings and tests: one line per tensor and per operator.

use super::model::{Model, Operator, SubGraph};
use super::options::Options;
use std::fmt::Write;

/// The model as text.
///
/// ```text
/// main(0 x) -> (3 y)
///   tensor 0 x: FLOAT32 [1, 4]
///   tensor 1 w: FLOAT16 [8, 4] = buffer 1, 64 bytes
///   op 0 DEQUANTIZE(1 w) -> (2 w_f32)
///   op 1 FULLY_CONNECTED(0 x, 2 w_f32, -) -> (3 y) fused_activation_function=Relu
/// ```
pub fn dump(model: &Model) -> String {
    let mut text = String::new();
    for (i, graph) in model.subgraphs.iter().enumerate() {
        if model.subgraphs.len() > 1 {
            text += &format!("subgraph {i} ");
        }
        subgraph(&mut text, model, graph);
    }
    for s in &model.signatures {
        let names = |list: &[(String, u32)]| {
            list.iter().map(|(name, tensor)| format!("{name} = {tensor}")).collect::<Vec<_>>().join(", ")
        };
        let (inputs, outputs) = (names(&s.inputs), names(&s.outputs));
        text += &format!("signature {} of subgraph {}: ({inputs}) -> ({outputs})\n", s.key, s.subgraph);
    }
    text
}

/// One operator as text: `FULLY_CONNECTED(0 x, 2 w_f32, -) -> (3 y) fused_activation_function=Relu`.
fn operator(text: &mut String, graph: &SubGraph, operator: &Operator) {
    *text += &format!(
        "{}({}) -> ({})",
        operator.name(),
        list(graph, &operator.inputs),
        list(graph, &operator.outputs)
    );
    let plain = Options::from_tag(operator.options.tag()).unwrap_or_default();
    for ((name, value), (_, default)) in operator.options.fields().iter().zip(plain.fields()) {
        let value = format!("{value:?}");
        if value != format!("{default:?}") {
            *text += &format!(" {name}={value}");
        }
    }
    if operator.version != 1 {
        *text += &format!(" version={}", operator.version);
    }
    if !operator.custom_options.is_empty() {
        *text += &format!(" custom_options={} bytes", operator.custom_options.len());
    }
}

fn subgraph(text: &mut String, model: &Model, graph: &SubGraph) {
    let (inputs, outputs) = (list(graph, &graph.inputs), list(graph, &graph.outputs));
    *text += &format!("{}({inputs}) -> ({outputs})\n", graph.name);
    for (i, tensor) in graph.tensors.iter().enumerate() {
        let shape = if tensor.shape_signature.is_empty() { &tensor.shape } else { &tensor.shape_signature };
        let _ = write!(text, "  tensor {i} {}: {} {shape:?}", tensor.name, tensor.dtype);
        if let Some(data) = model.data(tensor) {
            *text += &format!(" = buffer {}, {} bytes", tensor.buffer, data.len());
        }
        if tensor.is_variable {
            *text += " variable";
        }
        if let Some(q) = tensor.quantization.as_ref().filter(|q| !q.scale.is_empty()) {
            *text += &format!(" scale={:?} zero_point={:?}", q.scale, q.zero_point);
        }
        text.push('\n');
    }
    for (i, one) in graph.operators.iter().enumerate() {
        *text += &format!("  op {i} ");
        operator(text, graph, one);
        text.push('\n');
    }
}

/// `0 x, 2 w, -`.
fn list(graph: &SubGraph, indices: &[i32]) -> String {
    let one = |i: &i32| match usize::try_from(*i) {
        Ok(at) => format!("{i} {}", graph.tensors.get(at).map_or("?", |t| t.name.as_str())),
        Err(_) => "-".to_string(),
    };
    indices.iter().map(one).collect::<Vec<_>>().join(", ")
}
