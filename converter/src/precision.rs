//! Decides which floats of a lowered program become FLOAT16, by the requested strategy, and makes the file.
//!
//! The unit of decision is the operator: it computes in float16 or in float32, and every float tensor has the type
//! of its producer. Where a reader needs the other type there is one CAST per tensor, shared by all such readers.
//! Constants are rounded once, from their exact elements, to the type their reader needs.

mod budget;
mod cut;
mod epsilons;
#[cfg(test)]
pub(crate) mod fixture;
mod islands;
pub mod keep;
mod kernels;
mod logarithms;
mod masks;
mod mixed;
mod plan;
pub mod ranges;
mod rewrite;
#[cfg(test)]
mod tests;

pub(crate) use budget::fit;
pub use budget::{Budget, Measure};
pub(crate) use rewrite::Rewritten;

pub(crate) use plan::{ConstantPlan, Pin, Plan, SingleForm, decide, is_narrowable};

use crate::emit;
use crate::target::{Constant, Target, TargetOperator};
use halfproof_ir::{Conversion, Note, Precision, Provenance, Refusal, Request};
use halfproof_wire::tflite::{Builtin, Model};

/// Turns a lowered program into a float16 file.
///
/// - `weights`: constants FLOAT16, each behind one DEQUANTIZE; activations and interface FLOAT32.
/// - `full`: every float tensor FLOAT16; with [`Io::Float32`](halfproof_ir::Io) a CAST at each edge.
/// - `mixed`: like `full`, with float32 islands where float16 would not hold the values or has no kernel.
///
/// Nodes that match [`Request::keep_fp32`] stay float32 under every strategy, and so do their constants.
///
/// # Errors
/// When `keep_fp32` is not a regular expression, or a tensor is too large for the format.
pub fn apply(target: &Target, request: &Request) -> Result<Conversion, Refusal> {
    let (model, provenance, notes) = assemble(target, request)?;
    Ok(Conversion { model: halfproof_wire::tflite::write(&model), provenance, notes })
}

/// As [`apply`], before the model becomes bytes.
pub(crate) fn assemble(
    target: &Target,
    request: &Request,
) -> Result<(Model, Provenance, Vec<Note>), Refusal> {
    let rewritten = rewrite(target, request, &[])?;
    let notes = rewritten.as_ref().map_or(&[][..], |r| &r.notes);
    emitted(rewritten.as_ref().map_or(target, |r| &r.target), request, &[], notes)
}

/// As [`apply`], with as little float32 more as a budget needs; only `mixed` has that choice.
///
/// # Errors
/// As [`apply`], and when float32 everywhere does not keep the budget.
pub fn apply_within(
    target: &Target,
    request: &Request,
    budget: &mut Budget<'_>,
) -> Result<Conversion, Refusal> {
    let rewritten = rewrite(target, request, &[])?;
    let notes = rewritten.as_ref().map_or(&[][..], |r| &r.notes);
    let target = rewritten.as_ref().map_or(target, |r| &r.target);
    fit(&free(target), budget, &mut |marked| {
        let pins: Vec<Pin> = marked.iter().map(|&m| if m { BUDGETED } else { Pin::No }).collect();
        let (model, provenance, notes) = emitted(target, request, &pins, notes)?;
        Ok(Conversion { model: halfproof_wire::tflite::write(&model), provenance, notes })
    })
}

/// Kept in float32 by an error budget.
pub(crate) const BUDGETED: Pin = Pin::Single("the error budget needs it");

/// By operator: it has floats, so that its type matters.
pub(crate) fn free(target: &Target) -> Vec<bool> {
    let floats = |op: &TargetOperator| {
        let mut tensors = op.inputs.iter().flatten().chain(&op.outputs);
        tensors.any(|&id| is_narrowable(target.tensor(id)) && target.tensor(id).constant.is_none())
    };
    target.operators.iter().map(floats).collect()
}

/// Decides and lays out; `notes` come first.
fn emitted(
    target: &Target,
    request: &Request,
    pins: &[Pin],
    notes: &[Note],
) -> Result<(Model, Provenance, Vec<Note>), Refusal> {
    let mut plan = decide(target, request, pins)?;
    plan.notes.splice(0..0, notes.iter().cloned());
    let mut buffers = emit::Buffers::default();
    let program = emit::program(target, &plan, &mut buffers)?;
    let (model, provenance) = emit::model(program, buffers);
    Ok((model, provenance, plan.notes))
}

/// Under `mixed`, the program with what would overflow computed otherwise; `None` where nothing has to be. `pins` has
/// one entry per operator, or none at all.
pub(crate) fn rewrite(
    target: &Target,
    request: &Request,
    pins: &[Pin],
) -> Result<Option<Rewritten>, Refusal> {
    let worth = |op: &TargetOperator| matches!(op.builtin, Builtin::Exp | Builtin::Mean);
    if request.precision != Precision::Mixed || !target.operators.iter().any(worth) {
        return Ok(None);
    }
    let mut fixed = keep::kept_operators(target, request)?;
    for (fixed, pin) in fixed.iter_mut().zip(pins) {
        *fixed |= *pin != Pin::No;
    }
    let ranges = ranges::analyze(target, &plan::observed(request), |id| {
        match target.tensor(id).constant.as_ref()? {
            Constant::Exact(exact) if is_narrowable(target.tensor(id)) => Some(exact),
            _ => None,
        }
    });
    Ok(rewrite::apply(target, &ranges, &fixed))
}
