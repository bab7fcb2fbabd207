//! MeanVarianceNormalization, step by step.

use super::Builder;
use crate::infer::axis;
use halfproof_ir::ops::ReduceMean;
use halfproof_ir::{Node, Op, ValueId};

pub(super) fn mean_variance(b: &mut Builder, node: &Node) -> Result<Vec<ValueId>, String> {
    let Op::MeanVarianceNormalization(op) = &node.op else {
        return Err("it is no MeanVarianceNormalization".into());
    };
    let x = b.need(node, 0)?;
    let ty = b.ty(x)?;
    let axes = op.axes.iter().map(|&a| axis(a, ty.rank())).collect::<Result<Vec<_>, _>>()?;
    if axes.is_empty() {
        return Err("no axes are given".into());
    }
    let axes = b.ints(&axes);
    let mean =
        |b: &mut Builder, x| b.emit(ReduceMean { keepdims: true, noop_with_empty_axes: false }, &[x, axes]);
    let middle = mean(b, x)?;
    let centred = b.emit(Op::Sub, &[x, middle])?;
    let square = b.emit(Op::Mul, &[centred, centred])?;
    let variance = mean(b, square)?;
    let deviation = b.emit(Op::Sqrt, &[variance])?;
    let least = b.float(ty.dtype, 1e-9);
    let divisor = b.emit(Op::Add, &[deviation, least])?;
    Ok(vec![b.emit(Op::Div, &[centred, divisor])?])
}
