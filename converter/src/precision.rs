//! Decides which floats of a lowered program become FLOAT16, by the requested strategy, and makes the file.
//!
//! The unit of decision is the operator: it computes in float16 or in float32, and every float tensor has the type
//! of its producer. Where a reader needs the other type there is one CAST per tensor, shared by all such readers.
//! Constants are rounded once, from their exact elements, to the type their reader needs.

mod cut;
#[cfg(test)]
pub(crate) mod fixture;
mod islands;
mod kernels;
mod masks;
mod mixed;
mod plan;
pub mod ranges;
#[cfg(test)]
mod tests;

pub(crate) use plan::{ConstantPlan, Pin, Plan, SingleForm, decide, is_narrowable};

use crate::{emit, target::Target};
use halfproof_ir::{Conversion, Note, Provenance, Refusal, Request};
use halfproof_wire::tflite::Model;

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
    let plan = decide(target, request, &[])?;
    let mut buffers = emit::Buffers::default();
    let program = emit::program(target, &plan, &mut buffers)?;
    let (model, provenance) = emit::model(program, &plan, buffers);
    Ok((model, provenance, plan.notes))
}
