//! Reads a subgraph of a file as a target, and decides which of its operators must be left alone.

use crate::precision::{Pin, Rewritten};
use crate::target::{Constant, Origin, Target, TargetOperator, TargetTensor, TensorId};
use halfproof_ir::{DType, Data, Elements, Note, Role};
use halfproof_wire::tflite::{Builtin, Model, OpCode, Operator, SubGraph, Tensor, TensorType};
use std::sync::Arc;

/// A subgraph as a target.
#[derive(Debug)]
pub(super) struct Imported {
    /// The target; its tensors have the numbers they have in the file.
    pub(super) target: Target,
    /// By operator of the target: what must be left alone.
    pub(super) pins: Vec<Pin>,
    /// By operator of the target: its name.
    pub(super) names: Vec<String>,
    /// By operator of the target: its number in the file (DEQUANTIZE of a constant is no operator of the target); `None`
    /// for those that are not in the file.
    pub(super) operators: Vec<Option<usize>>,
}

impl Imported {
    /// The same after rewriting; `pins` become those of its operators.
    pub(super) fn rewritten(&self, r: Rewritten, pins: &mut Vec<Pin>, notes: &mut Vec<Note>) -> Imported {
        notes.extend(r.notes);
        *pins = r.from.iter().map(|i| i.map_or(Pin::No, |i| pins[i])).collect();
        Imported {
            pins: r.from.iter().map(|i| i.map_or(Pin::No, |i| self.pins[i])).collect(),
            names: r.target.operators.iter().map(|op| op.builtin.name().to_string()).collect(),
            operators: r.from.iter().map(|i| self.operators[(*i)?]).collect(),
            target: r.target,
        }
    }
}

/// Imports one subgraph.
pub(super) fn subgraph(model: &Model, g: &SubGraph) -> Imported {
    let mut target =
        Target { tensors: g.tensors.iter().map(|t| tensor(model, t)).collect(), ..Target::default() };
    let mut out = Imported { target: Target::default(), pins: vec![], names: vec![], operators: vec![] };
    for (i, op) in g.operators.iter().enumerate() {
        if unpack(model, g, op, &mut target) {
            continue;
        }
        let name = op.outputs.first().and_then(|&i| at(g, i)).map_or(String::new(), |t| t.name.clone());
        out.pins.push(pin(model, g, op));
        out.names.push(op.name().to_string());
        out.operators.push(Some(i));
        target.operators.push(TargetOperator {
            builtin: if let OpCode::Builtin(b) = op.code { b } else { Builtin::Custom },
            version: op.version,
            inputs: op.inputs.iter().map(|&i| id(i)).collect(),
            outputs: op.outputs.iter().filter_map(|&i| id(i)).collect(),
            options: op.options.clone(),
            nodes: vec![name],
        });
    }
    let named = |list: &[i32]| {
        list.iter().filter_map(|&i| Some((at(g, i)?.name.clone(), id(i)?))).collect::<Vec<_>>()
    };
    target.inputs = named(&g.inputs);
    target.outputs = named(&g.outputs);
    roles(&mut target);
    out.target = target;
    out
}

fn at(g: &SubGraph, index: i32) -> Option<&Tensor> {
    g.tensors.get(usize::try_from(index).ok()?)
}

fn id(index: i32) -> Option<TensorId> {
    u32::try_from(index).ok().map(TensorId)
}

/// True when a tensor holds plain floats whose type may change.
fn is_plain(t: &Tensor) -> bool {
    t.dtype == TensorType::Float32 && !t.is_variable && !is_quantized(t)
}

fn is_quantized(t: &Tensor) -> bool {
    t.quantization.as_ref().is_some_and(|q| !q.scale.is_empty())
}

/// Tensors that are not ours to narrow get a type that `precision` leaves alone; `restore` gives them back their own.
fn tensor(model: &Model, t: &Tensor) -> TargetTensor {
    let dtype = match t.dtype.dtype() {
        Some(DType::F32) if !is_plain(t) => DType::I8,
        Some(dtype) => dtype,
        None => DType::I8,
    };
    let constant = match (t.dtype.dtype(), model.data(t)) {
        // Shared with the file: a large model is held once.
        (Some(DType::F32), Some(bytes)) if dtype == DType::F32 && bytes.len().is_multiple_of(4) => {
            Some(Constant::Exact(Elements::Bytes(Arc::clone(&model.buffers[t.buffer as usize]))))
        }
        (Some(own), Some(bytes)) if own == dtype => {
            Data::from_le_bytes(dtype, bytes).map(|data| Constant::Stored(Arc::new(data)))
        }
        _ => None,
    };
    TargetTensor {
        name: t.name.clone(),
        shape: t.shape.iter().map(|&d| usize::try_from(d).unwrap_or(0)).collect(),
        dtype,
        constant,
        role: Role::Plain,
        origin: Some(Origin { source: t.name.clone(), permutation: None }),
    }
}

/// Takes a DEQUANTIZE of a float16 constant as the constant that it makes; false for every other operator.
fn unpack(model: &Model, g: &SubGraph, op: &Operator, target: &mut Target) -> bool {
    let (OpCode::Builtin(Builtin::Dequantize), [from], [to]) = (&op.code, &op.inputs[..], &op.outputs[..])
    else {
        return false;
    };
    let (Some(source), Some(result)) = (at(g, *from), at(g, *to)) else { return false };
    // A file may state another shape for the result; runtimes give it that of the constant.
    let is_constant = source.dtype == TensorType::Float16 && source.shape == result.shape;
    if !is_constant || !is_plain(result) || g.outputs.contains(to) {
        return false;
    }
    let Some(Data::F16(elements)) = model.data(source).and_then(|b| Data::from_le_bytes(DType::F16, b))
    else {
        return false;
    };
    let Some(to) = id(*to) else { return false };
    let exact: Vec<f32> = elements.iter().map(|x| x.to_f32()).collect();
    let result = &mut target.tensors[to.index()];
    result.constant = Some(Constant::Exact(exact.into()));
    result.name.clone_from(&source.name);
    result.origin = Some(Origin { source: source.name.clone(), permutation: None });
    true
}

/// Why an operator must be left alone, if it must.
fn pin(model: &Model, g: &SubGraph, op: &Operator) -> Pin {
    use Builtin::*;
    let tensors = || op.inputs.iter().chain(&op.outputs).filter_map(|&i| at(g, i));
    if !tensors().any(|t| t.dtype == TensorType::Float32) {
        return Pin::No;
    }
    let OpCode::Builtin(builtin) = op.code else {
        return Pin::Untouched("custom operators may take float32 only");
    };
    if tensors().any(|t| t.is_variable && t.dtype == TensorType::Float32) {
        return Pin::Single("it keeps float32 state between runs");
    }
    if tensors().any(is_quantized) {
        return Pin::Untouched("it is quantized");
    }
    let typed = [
        TensorType::Resource,
        TensorType::Variant,
        TensorType::Complex64,
        TensorType::Complex128,
        TensorType::String,
        TensorType::Bfloat16,
        TensorType::Float16,
        TensorType::Float64,
    ];
    // A cast may well have one of these on one side.
    if builtin != Cast && tensors().any(|t| typed.contains(&t.dtype)) {
        return Pin::Untouched("it ties float32 to another type");
    }
    match builtin {
        If | While | Call | CallOnce => {
            if model.subgraphs.len() > 1 && calls_plain(model, op) {
                Pin::No
            } else {
                Pin::Untouched("it calls a subgraph that must stay float32")
            }
        }
        Custom
        | Delegate
        | Lstm
        | UnidirectionalSequenceLstm
        | BidirectionalSequenceLstm
        | Rnn
        | UnidirectionalSequenceRnn
        | BidirectionalSequenceRnn
        | Svdf => Pin::Single("LiteRT computes it in float32 only"),
        RandomUniform | RandomStandardNormal | Multinomial | Bucketize | FakeQuant | Quantize
        | NonMaxSuppressionV4 | NonMaxSuppressionV5 | HashtableFind | HashtableImport | Densify | Range
        | SparseToDense => Pin::Single("its definition ties it to float32"),
        b if b.name().starts_with("STABLEHLO") => Pin::Untouched("StableHLO operators keep their types"),
        _ => Pin::No,
    }
}

/// True when no subgraph that an operator calls has an interface that must stay float32.
fn calls_plain(model: &Model, op: &Operator) -> bool {
    use halfproof_wire::tflite::Options;
    let indices = match &op.options {
        Options::If(o) => vec![o.then_subgraph_index, o.else_subgraph_index],
        Options::While(o) => vec![o.cond_subgraph_index, o.body_subgraph_index],
        _ => return false,
    };
    let plain = |g: &SubGraph| {
        g.inputs
            .iter()
            .chain(&g.outputs)
            .filter_map(|&i| at(g, i))
            .all(|t| t.dtype != TensorType::Float32 || is_plain(t))
    };
    indices.iter().all(|&i| usize::try_from(i).ok().and_then(|i| model.subgraphs.get(i)).is_some_and(plain))
}

/// What constants are for, as far as the operators that read them tell.
fn roles(target: &mut Target) {
    use Builtin::*;
    let mut roles = Vec::new();
    for op in &target.operators {
        for (slot, id) in op.inputs.iter().enumerate() {
            let Some(id) = id else { continue };
            let t = target.tensor(*id);
            let Some(Constant::Exact(elements)) = &t.constant else { continue };
            let tiny = elements.len() == 1 && elements.get(0) > 0.0 && elements.get(0) < 1e-2;
            let huge = elements.iter().any(|x| x.abs() >= 1e4);
            roles.push((
                *id,
                match (op.builtin, slot) {
                    (
                        Conv2d | DepthwiseConv2d | FullyConnected | BatchMatmul | TransposeConv | Conv3d,
                        0 | 1,
                    )
                    | (Gather | EmbeddingLookup, _) => Role::Weight,
                    (Conv2d | DepthwiseConv2d | FullyConnected, 2) | (TransposeConv, 3) => Role::Bias,
                    (Add | Maximum, _) if tiny => Role::Epsilon,
                    (Add | Sub | Select | SelectV2, _) if huge => Role::Mask,
                    (Add, _) => Role::Bias,
                    (Mul | Div, _) => Role::Scale,
                    (Maximum | Minimum, _) => Role::Bound,
                    _ => Role::Plain,
                },
            ));
        }
    }
    for (id, role) in roles {
        target.tensors[id.index()].role = role;
    }
}
