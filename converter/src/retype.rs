//! Converts a float32 .tflite to float16 by the same strategies: the same operators, with other element types.
//!
//! Every subgraph becomes a [`Target`](crate::target::Target), goes through `precision`, and gets back what a target
//! does not hold: custom operators, quantization, dynamic axes, variables, types that are not ours. Interface order,
//! names, signatures and metadata stay. What cannot be narrowed safely stays float32 between CASTs; under `full`,
//! which promises that no float32 is left, it is refused.
//!
//! Subgraphs that control flow calls have the types of the operators that call them: float16 under `full`; under
//! `mixed` control flow computes in float32 and what it calls is treated as under `weights`.

mod import;
mod restore;

use crate::emit::{self, Buffers};
use crate::precision::{self, Budget, Pin};
use crate::target::TargetOperator;
use halfproof_ir::{Conversion, Io, Note, Precision, Provenance, Refusal, RefusedNode, Request};
use halfproof_wire::tflite::{Model, Operator, Options, Signature, SubGraph, write};
use import::Imported;
use std::collections::BTreeMap;

/// Retypes a model.
///
/// # Errors
/// Every operator that `full` could not make float16, or what `precision::apply` refuses.
pub fn convert_tflite(model: &Model, request: &Request) -> Result<Conversion, Refusal> {
    retype(model, &parts(model, request)?, &[])
}

/// As [`convert_tflite`], with as little float32 more in the first subgraph as an error budget needs.
///
/// # Errors
/// As [`convert_tflite`], and when the budget is not kept with every operator in float32.
pub fn convert_tflite_within(
    model: &Model,
    request: &Request,
    budget: &mut Budget<'_>,
) -> Result<Conversion, Refusal> {
    let parts = parts(model, request)?;
    let free = parts.first().map_or_else(Vec::new, |p| precision::free(&p.imported.target));
    precision::fit(&free, budget, &mut |marked| retype(model, &parts, marked))
}

/// A subgraph that is ready to be retyped.
struct Part {
    imported: Imported,
    request: Request,
    pins: Vec<Pin>,
    notes: Vec<Note>,
}

/// Imports all subgraphs and rewrites what `mixed` computes otherwise.
fn parts(model: &Model, request: &Request) -> Result<Vec<Part>, Refusal> {
    let mut nodes: Vec<RefusedNode> = model.subgraphs.iter().flat_map(backwards).collect();
    if let Some(main) = model.subgraphs.first().filter(|main| main.outputs.is_empty()) {
        let (op, node) = ("graph".to_string(), main.name.clone());
        nodes.push(RefusedNode { op, node, dtype: None, reason: "the graph has no output".to_string() });
    }
    if !nodes.is_empty() {
        return Err(Refusal { nodes });
    }
    let called = called(model);
    let imported: Vec<Imported> = model.subgraphs.iter().map(|g| import::subgraph(model, g)).collect();
    if request.precision == Precision::Full {
        let nodes: Vec<RefusedNode> = imported.iter().flat_map(|i| refused(i, request)).collect();
        if !nodes.is_empty() {
            return Err(Refusal { nodes });
        }
    }
    let part = |(mut imported, called): (Imported, bool)| {
        let request = if called { inner(request) } else { request.clone() };
        let mut pins = pins(&imported, &request);
        let mut notes = Vec::new();
        if let Some(rewritten) = precision::rewrite(&imported.target, &request, &pins)? {
            imported = imported.rewritten(rewritten, &mut pins, &mut notes);
        }
        Ok(Part { imported, request, pins, notes })
    };
    imported.into_iter().zip(called).map(part).collect()
}

/// Gives every subgraph its types; the marked operators of the first one are float32.
fn retype(model: &Model, parts: &[Part], marked: &[bool]) -> Result<Conversion, Refusal> {
    let mut buffers = Buffers::default();
    let mut subgraphs = Vec::with_capacity(parts.len());
    let mut provenance = Provenance::default();
    let mut notes = Vec::new();
    for (i, Part { imported: part, request, pins, notes: rewritten }) in parts.iter().enumerate() {
        notes.extend(rewritten.iter().cloned());
        let mut pins = pins.clone();
        for (pin, _) in pins.iter_mut().zip(marked).filter(|(pin, m)| i == 0 && **m && **pin == Pin::No) {
            *pin = precision::BUDGETED;
        }
        let plan = precision::decide(&part.target, request, &pins)?;
        let mut program = emit::program(&part.target, &plan, &mut buffers)?;
        restore::subgraph(model, &model.subgraphs[i], part, &mut program, &mut buffers);
        notes.extend(plan.notes);
        if i == 0 {
            provenance = program.take_provenance();
        } else {
            provenance.rewrites.append(&mut program.rewrites);
        }
        subgraphs.push(program.subgraph);
    }
    let metadata = model
        .metadata
        .iter()
        .map(|m| {
            let mut m = m.clone();
            m.buffer = model.buffers.get(m.buffer as usize).map_or(0, |b| buffers.add(b.clone()));
            m
        })
        .collect();
    let out = Model {
        version: model.version,
        description: model.description.clone(),
        signatures: model.signatures.iter().map(|s| signature(s, model, &subgraphs)).collect(),
        subgraphs,
        buffers: buffers.into_vec(),
        metadata,
    };
    Ok(Conversion { model: write(&out), provenance, notes })
}

/// Operators that read what they, or later ones, write: the file has no order, and who follows tensors back to where they come
/// from would never arrive.
fn backwards(graph: &SubGraph) -> Vec<RefusedNode> {
    let last: BTreeMap<i32, usize> = graph
        .operators
        .iter()
        .enumerate()
        .flat_map(|(i, op)| op.outputs.iter().map(move |&t| (t, i)))
        .collect();
    let tensor = |t: i32| graph.tensors.get(usize::try_from(t).ok()?);
    let refused = |(i, op): (usize, &Operator)| {
        let read = *op.inputs.iter().find(|t| last.get(t).is_some_and(|&writer| writer >= i))?;
        let name = |t: i32| tensor(t).map_or("", |t| &t.name);
        Some(RefusedNode {
            op: op.name().to_string(),
            node: op.outputs.first().map_or("", |&t| name(t)).to_string(),
            dtype: tensor(read).and_then(|t| t.dtype.dtype()),
            reason: format!("it reads \"{}\", which it or a later operator writes", name(read)),
        })
    };
    graph.operators.iter().enumerate().filter_map(refused).collect()
}

/// By subgraph: some operator calls it.
fn called(model: &Model) -> Vec<bool> {
    let mut called = vec![false; model.subgraphs.len()];
    let mut mark = |index: i32| {
        if let Some(c) = usize::try_from(index).ok().and_then(|i| called.get_mut(i)) {
            *c = true;
        }
    };
    for op in model.subgraphs.iter().flat_map(|g| &g.operators) {
        match &op.options {
            Options::If(o) => {
                mark(o.then_subgraph_index);
                mark(o.else_subgraph_index);
            }
            Options::While(o) => {
                mark(o.cond_subgraph_index);
                mark(o.body_subgraph_index);
            }
            Options::CallOnce(o) => mark(o.init_subgraph_index),
            Options::Call(o) => mark(i32::try_from(o.subgraph).unwrap_or(-1)),
            _ => {}
        }
    }
    called
}

/// How a called subgraph is converted: its interface is that of its caller.
fn inner(request: &Request) -> Request {
    let precision = match request.precision {
        Precision::Full => Precision::Full,
        Precision::Weights | Precision::Mixed => Precision::Weights,
    };
    Request { precision, io: Io::Strategy, ..request.clone() }
}

/// The pins of a subgraph; under `mixed` also what calls others, because those are converted as under `weights`.
fn pins(part: &Imported, request: &Request) -> Vec<Pin> {
    let calls = |options: &Options| matches!(options, Options::If(_) | Options::While(_));
    let pin = |(&pin, op): (&Pin, &TargetOperator)| match pin {
        Pin::No if request.precision == Precision::Mixed && calls(&op.options) => {
            Pin::Single("what it calls computes in float32")
        }
        pin => pin,
    };
    part.pins.iter().zip(&part.target.operators).map(pin).collect()
}

/// The pinned operators that the user has not asked to keep.
fn refused(part: &Imported, request: &Request) -> Vec<RefusedNode> {
    let pattern = request.keep_fp32.as_ref().and_then(|p| regex::Regex::new(p).ok());
    let pinned = part.target.operators.iter().zip(&part.pins).zip(&part.names);
    pinned
        .filter_map(|((op, pin), name)| {
            let (Pin::Single(reason) | Pin::Untouched(reason)) = pin else { return None };
            let node = op.nodes.first().cloned().unwrap_or_default();
            if pattern.as_ref().is_some_and(|p| p.is_match(&node)) {
                return None;
            }
            let first = op.inputs.iter().flatten().next();
            Some(RefusedNode {
                op: name.clone(),
                reason: format!("{reason}, so it stays float32; use --precision mixed, or --keep-fp32"),
                dtype: first.map(|&id| part.target.tensor(id).dtype),
                node,
            })
        })
        .collect()
}

/// A signature names tensors; those of the interface keep their position.
fn signature(old: &Signature, model: &Model, subgraphs: &[SubGraph]) -> Signature {
    let (from, to) = (&model.subgraphs[old.subgraph as usize], &subgraphs[old.subgraph as usize]);
    let map = |names: &[(String, u32)], from: &[i32], to: &[i32]| {
        names
            .iter()
            .filter_map(|(name, tensor)| {
                let position = from.iter().position(|&i| i.unsigned_abs() == *tensor)?;
                Some((name.clone(), to.get(position)?.unsigned_abs()))
            })
            .collect()
    };
    Signature {
        key: old.key.clone(),
        subgraph: old.subgraph,
        inputs: map(&old.inputs, &from.inputs, &to.inputs),
        outputs: map(&old.outputs, &from.outputs, &to.outputs),
    }
}

#[cfg(test)]
mod tests;
