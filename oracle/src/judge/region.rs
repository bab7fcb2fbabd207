//! Where a float16 runtime leaves results unrounded, by the tensors of one program.
//!
//! XNNPACK makes one float32 operator of a square and the sum or mean that reads it, keeps RESIZE_BILINEAR in float32 where
//! float16 is forced, and computes in float32 whatever reads such a result. Everywhere else each result is rounded to
//! float16 before it is read: of 3,582 tensors of 600 random graphs outside such regions (300 on FLOAT16 tensors, 300 with
//! float16 forced, every tensor visible or only the outputs), none differed in a bit from its operator run alone.

use crate::contract::Runtime;
use crate::contract::runtime::is_fused_square;
use crate::tflite::Program;
use halfproof_ir::DType;
use halfproof_wire::tflite::Builtin;

/// By tensor: true when it may be read without having been rounded to float16.
pub(super) fn unrounded(program: &Program, runtime: Runtime, tensors: usize) -> Vec<bool> {
    let mut wide = vec![false; tensors];
    if !matches!(runtime, Runtime::XnnpackX86 { .. } | Runtime::XnnpackHalfX86 { .. }) {
        return wide;
    }
    let forced = runtime.base().force_f16;
    for op in program.operators() {
        let squares = op.operands.first().copied().flatten().is_some_and(|t| {
            let square = program.operators().find(|p| p.results.contains(&t));
            square.is_some_and(|p| {
                let itself = p.builtin == Builtin::Square || p.operands.first() == p.operands.get(1);
                itself && is_fused_square(p.builtin, op.builtin)
            })
        });
        let resized = forced && op.builtin == Builtin::ResizeBilinear;
        let read = op.operands.iter().flatten().any(|&t| wide.get(t as usize) == Some(&true));
        if squares || resized || read {
            for &t in op.results {
                if let Some(w) = wide.get_mut(t as usize) {
                    *w = true;
                }
            }
        }
    }
    wide
}

/// True when tensors may be read without having been rounded, as [`unrounded`] says, or the runtime computes everything in
/// float16: results that are the exact ones, rounded, then say nothing.
pub(super) fn has_unrounded(runtime: Runtime, unrounded: &[bool]) -> bool {
    runtime.base().force_f16 || unrounded.contains(&true)
}

/// True when float16 is forced and an operator stays in float32 all the same: it may read what is not rounded.
pub(super) fn is_cut(program: &Program, runtime: Runtime) -> bool {
    let is_single = |t: &u32| program.form(*t).is_some_and(|(dtype, _)| dtype == DType::F32);
    runtime.base().force_f16
        && program
            .operators()
            .any(|op| !runtime.forces(op.builtin) && op.operands.iter().flatten().any(is_single))
}
