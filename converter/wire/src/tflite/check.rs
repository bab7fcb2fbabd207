//! What a flatbuffer verifier cannot know: indices in range, sane extents, constants of the right length, no cycle
//! among subgraphs.

use super::model::{Model, Operator, SubGraph, Tensor};
use super::options::Options;
use super::{ReadError, TensorType};

/// Models where a tensor has more bytes than this are refused, whatever the file says.
const MAX_TENSOR_BYTES: u64 = 1 << 40;

/// The first contradiction in a model, if any.
pub(super) fn check(model: &Model) -> Result<(), ReadError> {
    if model.version != 3 {
        return Err(ReadError::unsupported("model", format!("schema version {}, not 3", model.version)));
    }
    if model.subgraphs.is_empty() {
        return Err(ReadError::invalid("model", "no subgraph"));
    }
    for (i, subgraph) in model.subgraphs.iter().enumerate() {
        check_subgraph(model, subgraph).map_err(|e| e.within(|| format!("subgraph {i}")))?;
    }
    check_calls(model)?;
    for metadata in &model.metadata {
        if metadata.buffer as usize >= model.buffers.len() {
            let at = format!("metadata \"{}\"", metadata.name);
            return Err(ReadError::invalid(at, out_of(metadata.buffer, "buffer", model.buffers.len())));
        }
    }
    for signature in &model.signatures {
        let at = || format!("signature \"{}\"", signature.key);
        let Some(subgraph) = model.subgraphs.get(signature.subgraph as usize) else {
            return Err(ReadError::invalid(
                at(),
                out_of(signature.subgraph, "subgraph", model.subgraphs.len()),
            ));
        };
        for (name, tensor) in signature.inputs.iter().chain(&signature.outputs) {
            if *tensor as usize >= subgraph.tensors.len() {
                let reason = format!("\"{name}\" is {}", out_of(tensor, "tensor", subgraph.tensors.len()));
                return Err(ReadError::invalid(at(), reason));
            }
        }
    }
    Ok(())
}

fn out_of(index: impl std::fmt::Display, what: &str, count: usize) -> String {
    format!("{what} {index}, where there are {count}")
}

fn check_subgraph(model: &Model, subgraph: &SubGraph) -> Result<(), ReadError> {
    for (i, tensor) in subgraph.tensors.iter().enumerate() {
        if let Err(reason) = check_tensor(model, tensor) {
            return Err(ReadError::invalid(format!("tensor {i} \"{}\"", tensor.name), reason));
        }
    }
    let count = subgraph.tensors.len();
    for (what, indices) in [("inputs", &subgraph.inputs), ("outputs", &subgraph.outputs)] {
        if let Some(bad) = stray(indices, 0, count) {
            return Err(ReadError::invalid(what, out_of(bad, "tensor", count)));
        }
    }
    for (i, operator) in subgraph.operators.iter().enumerate() {
        // -1 is an absent optional operand; results always exist.
        let lists = [(&operator.inputs, -1), (&operator.outputs, 0), (&operator.intermediates, -1)];
        if let Some(bad) = lists.iter().find_map(|(indices, least)| stray(indices, *least, count)) {
            let at = format!("operator {i} {}", operator.name());
            return Err(ReadError::invalid(at, out_of(bad, "tensor", count)));
        }
    }
    Ok(())
}

/// The first index below `least` or beyond `count`.
fn stray(indices: &[i32], least: i32, count: usize) -> Option<i32> {
    indices.iter().copied().find(|i| *i < least || usize::try_from(*i).is_ok_and(|i| i >= count))
}

fn check_tensor(model: &Model, tensor: &Tensor) -> Result<(), String> {
    if tensor.buffer != 0 && tensor.buffer as usize >= model.buffers.len() {
        return Err(out_of(tensor.buffer, "buffer", model.buffers.len()));
    }
    if let Some(extent) = tensor.shape.iter().find(|e| **e < 0) {
        return Err(format!("extent {extent} in its shape {:?}", tensor.shape));
    }
    if !tensor.shape_signature.is_empty() && tensor.shape_signature.len() != tensor.shape.len() {
        return Err(format!("shape_signature {:?} for shape {:?}", tensor.shape_signature, tensor.shape));
    }
    let too_large = || format!("too large: {} of shape {:?}", tensor.dtype, tensor.shape);
    // An extent of 0 excuses nothing: whoever multiplies the others must not overflow.
    let mut elements = 1u64;
    for extent in &tensor.shape {
        elements = elements.checked_mul(u64::from(extent.unsigned_abs()).max(1)).ok_or_else(too_large)?;
    }
    let bits = bits(tensor.dtype);
    let size = |elements: u64| elements.checked_mul(bits.unwrap_or(8)).map(|n| n.div_ceil(8));
    if size(elements).is_none_or(|bytes| bytes > MAX_TENSOR_BYTES) {
        return Err(too_large());
    }
    if tensor.shape.contains(&0) {
        elements = 0;
    }
    let bytes = size(elements).unwrap_or(u64::MAX);
    match model.data(tensor) {
        Some(data) if bits.is_some() && data.len() as u64 != bytes => Err(format!(
            "{} of shape {:?} needs {bytes} bytes, buffer {} has {}",
            tensor.dtype,
            tensor.shape,
            tensor.buffer,
            data.len()
        )),
        Some(data) if tensor.is_variable && !data.is_empty() => {
            Err("a variable tensor with constant data".into())
        }
        _ => Ok(()),
    }
}

/// Bits of one element; `None` for the types whose storage is not a plain array.
fn bits(dtype: TensorType) -> Option<u64> {
    use TensorType::*;
    Some(match dtype {
        Int2 => 2,
        Int4 | Uint4 => 4,
        Int8 | Uint8 | Bool | Float8E4m3fn | Float8E5m2 => 8,
        Float16 | Bfloat16 | Int16 | Uint16 => 16,
        Float32 | Int32 | Uint32 => 32,
        Float64 | Int64 | Uint64 | Complex64 => 64,
        Complex128 => 128,
        String | Resource | Variant => return None,
    })
}

/// The subgraphs that an operator runs.
fn callees(operator: &Operator) -> Vec<i64> {
    match &operator.options {
        Options::If(o) => vec![o.then_subgraph_index.into(), o.else_subgraph_index.into()],
        Options::While(o) => vec![o.cond_subgraph_index.into(), o.body_subgraph_index.into()],
        Options::Call(o) => vec![o.subgraph.into()],
        Options::CallOnce(o) => vec![o.init_subgraph_index.into()],
        _ => vec![],
    }
}

/// Subgraphs that are called exist, and none can reach itself.
fn check_calls(model: &Model) -> Result<(), ReadError> {
    let count = model.subgraphs.len();
    let mut calls = vec![vec![]; count];
    for (s, subgraph) in model.subgraphs.iter().enumerate() {
        for (i, operator) in subgraph.operators.iter().enumerate() {
            for callee in callees(operator) {
                match usize::try_from(callee) {
                    Ok(callee) if callee < count => calls[s].push(callee),
                    _ => {
                        let at = format!("subgraph {s}, operator {i} {}", operator.name());
                        return Err(ReadError::invalid(at, out_of(callee, "subgraph", count)));
                    }
                }
            }
        }
    }
    // Take away subgraphs that call none of those left, until nothing changes; what stays is on a cycle or leads to one.
    let mut left: Vec<usize> = (0..count).collect();
    loop {
        let before = left.len();
        let staying = left.clone();
        left.retain(|s| calls[*s].iter().any(|c| staying.binary_search(c).is_ok()));
        match left.first() {
            None => return Ok(()),
            Some(s) if left.len() == before => {
                return Err(ReadError::invalid(
                    format!("subgraph {s}"),
                    "its calls never end: subgraphs call each other in a circle",
                ));
            }
            _ => {}
        }
    }
}
