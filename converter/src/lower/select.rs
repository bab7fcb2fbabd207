//! Lowers Where to SELECT_V2, which broadcasts all three operands.

use super::binary::{aligned, combine};
use super::context::Context;
use crate::layout::choose;
use halfproof_ir::{DType, Role};
use halfproof_wire::tflite::{Builtin, options};

pub(super) fn lower(cx: &mut Context<'_>, index: usize) -> Result<(), String> {
    let node = &cx.graph.nodes[index];
    let (c, a, b) = (cx.input(node, 0)?, cx.input(node, 1)?, cx.input(node, 2)?);
    let y = cx.output(node)?;
    let dtype = cx.ty(a)?.dtype;
    if matches!(dtype, DType::U16 | DType::U64) {
        return Err(format!("TFLite SELECT_V2 has no {dtype} kernel"));
    }
    let order = choose(cx, &[c, a, b], y, cx.ty(y)?.rank());
    let tensors = aligned(cx, &[c, a, b], &order, Role::Plain)?;
    let out = combine(cx, Builtin::SelectV2, &tensors, options::SelectV2 {}, None)?;
    cx.bind(y, out, order);
    Ok(())
}
