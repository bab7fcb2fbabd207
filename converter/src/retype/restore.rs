//! Gives a retyped subgraph back what a target does not hold.

use super::import::Imported;
use crate::emit::{Buffers, Program};
use halfproof_wire::tflite::{Model, OpCode, Options, SubGraph, TensorType};

/// Restores one subgraph from its original.
pub(super) fn subgraph(
    model: &Model,
    old: &SubGraph,
    part: &Imported,
    program: &mut Program,
    buffers: &mut Buffers,
) {
    let g = &mut program.subgraph;
    g.name.clone_from(&old.name);
    for (tensor, id) in g.tensors.iter_mut().zip(&program.held) {
        // What rewriting brought in is in no file.
        let Some(original) = old.tensors.get(id.index()) else { continue };
        tensor.shape_signature.clone_from(&original.shape_signature);
        tensor.has_rank = original.has_rank;
        tensor.is_variable = original.is_variable;
        tensor.quantization.clone_from(&original.quantization);
        // Only what was float32 may have become something else, and then `precision` knew its type.
        let narrowed = original.dtype == TensorType::Float32
            && !original.is_variable
            && tensor.dtype != TensorType::Int8;
        if !narrowed {
            tensor.dtype = original.dtype;
            tensor.buffer = match model.data(original) {
                Some(_) => buffers.add(model.buffers[original.buffer as usize].clone()),
                None => 0,
            };
        }
    }
    for (&new, &number) in program.operators.iter().zip(&part.operators) {
        let Some(original) = number.map(|number| &old.operators[number]) else { continue };
        let mut intermediates = Vec::with_capacity(original.intermediates.len());
        for &i in &original.intermediates {
            intermediates.push(intermediate(old, i, &program.tensors, g));
        }
        let op = &mut g.operators[new as usize];
        op.code.clone_from(&original.code);
        op.custom_options.clone_from(&original.custom_options);
        op.intermediates = intermediates;
        if matches!(op.code, OpCode::Custom(_)) {
            op.version = original.version;
        }
    }
    let types: Vec<TensorType> = g.tensors.iter().map(|t| t.dtype).collect();
    let dtype = |i: Option<&i32>| i.and_then(|&i| types.get(usize::try_from(i).ok()?)).copied();
    for op in &mut g.operators {
        if let Options::Cast(o) = &mut op.options
            && let (Some(from), Some(to)) = (dtype(op.inputs.first()), dtype(op.outputs.first()))
        {
            (o.in_data_type, o.out_data_type) = (from, to);
        }
    }
}

/// A scratch tensor that only `intermediates` names has no place yet.
fn intermediate(old: &SubGraph, index: i32, places: &[i32], g: &mut SubGraph) -> i32 {
    let Some(original) = usize::try_from(index).ok().and_then(|i| old.tensors.get(i)) else { return -1 };
    match places.get(index.unsigned_abs() as usize) {
        Some(&place) if place >= 0 => place,
        _ => {
            let mut tensor = original.clone();
            tensor.buffer = 0;
            g.tensors.push(tensor);
            i32::try_from(g.tensors.len() - 1).unwrap_or(-1)
        }
    }
}
