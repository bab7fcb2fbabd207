//! Lowers Transpose (which adds no operator until somebody asks for the new order) and the moves between channels and
//! space.
//!
//! ONNX DepthToSpace in DCR mode and SpaceToDepth are TFLite's, channels last: both put the block offset (row, then
//! column) in front of the depth. CRD puts it behind; that is the same operator after the channels are reordered.

use super::context::Context;
use super::perm::Perm;
use crate::infer::permutation;
use halfproof_ir::Op;
use halfproof_ir::ops::D2sMode;
use halfproof_wire::tflite::{Builtin, options};

pub(super) fn lower(cx: &mut Context<'_>, index: usize) -> Result<(), String> {
    let node = &cx.graph.nodes[index];
    let (x, y) = (cx.input(node, 0)?, cx.output(node)?);
    let shape = cx.shape(x)?;
    match &node.op {
        Op::Transpose(t) => {
            let perm = Perm::new(permutation(&t.perm, shape.len())?);
            cx.alias_transposed(y, x, &perm)
        }
        Op::DepthToSpace(d) => {
            let b = usize::try_from(d.blocksize).map_err(|_| "blocksize is negative")?;
            if b == 1 {
                return cx.alias_transposed(y, x, &Perm::identity(4));
            }
            let last = Perm::channels_last(4);
            let mut tensor = cx.ordered(x, &last)?;
            if d.mode == D2sMode::Crd {
                let &[n, c, h, w] = shape.as_slice() else { return Err("it is no image".into()) };
                let split = cx.reshape(tensor, &[n * h * w, c / (b * b), b * b]);
                let moved = cx.transpose(split, &Perm::new([0, 2, 1]));
                tensor = cx.reshape(moved, &[n, h, w, c]);
            }
            let block_size = i32::try_from(d.blocksize).map_err(|_| "blocksize is too large")?;
            let out_shape = last.apply(&cx.shape(y)?);
            let out =
                cx.emit(Builtin::DepthToSpace, &[tensor], options::DepthToSpace { block_size }, out_shape);
            cx.bind(y, out, last);
            Ok(())
        }
        Op::SpaceToDepth(d) => {
            if d.blocksize == 1 {
                return cx.alias_transposed(y, x, &Perm::identity(4));
            }
            let last = Perm::channels_last(4);
            let tensor = cx.ordered(x, &last)?;
            let block_size = i32::try_from(d.blocksize).map_err(|_| "blocksize is too large")?;
            let out_shape = last.apply(&cx.shape(y)?);
            let out =
                cx.emit(Builtin::SpaceToDepth, &[tensor], options::SpaceToDepth { block_size }, out_shape);
            cx.bind(y, out, last);
            Ok(())
        }
        other => Err(format!("{} is no layout operator", other.name())),
    }
}
