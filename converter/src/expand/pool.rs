//! LpPool and GlobalLpPool: sums of powers, and the root of each.

use super::Builder;
use crate::infer::window;
use halfproof_ir::ops::{Conv, ReduceL1, ReduceL2, ReduceSum};
use halfproof_ir::{DType, Node, Op, ValueId};

/// |x|^p.
fn power(b: &mut Builder, x: ValueId, p: i64) -> Result<ValueId, String> {
    match p {
        1 => b.emit(Op::Abs, &[x]),
        2 => b.emit(Op::Mul, &[x, x]),
        3.. => {
            let size = b.emit(Op::Abs, &[x])?;
            #[expect(clippy::cast_precision_loss, reason = "an exponent")]
            let exponent = b.float(DType::F32, p as f64);
            b.emit(Op::Pow, &[size, exponent])
        }
        _ => Err(format!("p is {p}")),
    }
}

/// x^(1/p).
fn root(b: &mut Builder, x: ValueId, p: i64) -> Result<ValueId, String> {
    match p {
        1 => Ok(x),
        2 => b.emit(Op::Sqrt, &[x]),
        _ => {
            #[expect(clippy::cast_precision_loss, reason = "an exponent")]
            let exponent = b.float(DType::F32, 1.0 / p as f64);
            b.emit(Op::Pow, &[x, exponent])
        }
    }
}

pub(super) fn global_lp(b: &mut Builder, node: &Node) -> Result<Vec<ValueId>, String> {
    let Op::GlobalLpPool(op) = &node.op else { return Err("it is no GlobalLpPool".into()) };
    let x = b.need(node, 0)?;
    let spatial: Vec<usize> = (2..b.ty(x)?.rank()).collect();
    let axes = b.ints(&spatial);
    let (keepdims, noop_with_empty_axes) = (true, false);
    let y = match op.p {
        1 => b.emit(ReduceL1 { keepdims, noop_with_empty_axes }, &[x, axes])?,
        2 => b.emit(ReduceL2 { keepdims, noop_with_empty_axes }, &[x, axes])?,
        p => {
            let powers = power(b, x, p)?;
            let sum = b.emit(ReduceSum { keepdims, noop_with_empty_axes }, &[powers, axes])?;
            root(b, sum, p)?
        }
    };
    Ok(vec![y])
}

/// The sums are a depthwise convolution with a kernel of ones. Windows that only `ceil_mode` adds reach into padding.
pub(super) fn lp(b: &mut Builder, node: &Node) -> Result<Vec<ValueId>, String> {
    let Op::LpPool(op) = &node.op else { return Err("it is no LpPool".into()) };
    let x = b.need(node, 0)?;
    let ty = b.ty(x)?;
    let &[_, channels, ref spatial @ ..] = &ty.shape[..] else {
        return Err("there is no channel axis".into());
    };
    let kernel: Vec<usize> = op.kernel_shape.iter().map(|&k| usize::try_from(k).unwrap_or(0)).collect();
    let axes = window::axes(spatial, &kernel, &crate::infer::lp_pool_attributes(op))?;
    let signed = |n: usize| n.cast_signed() as i64;
    let begins = axes.iter().map(|a| signed(a.begin));
    let ends = axes.iter().map(|a| a.end_read().max(0) as i64);
    let convolution = Conv {
        group: signed(channels),
        kernel_shape: op.kernel_shape.clone(),
        pads: begins.chain(ends).collect(),
        strides: axes.iter().map(|a| signed(a.stride)).collect(),
        dilations: axes.iter().map(|a| signed(a.dilation)).collect(),
        ..Conv::default()
    };
    let shape: Vec<usize> = [channels, 1].into_iter().chain(kernel).collect();
    let ones = b.floats(ty.dtype, &shape, vec![1.0; shape.iter().product()]);
    let powers = power(b, x, op.p)?;
    let sums = b.emit(convolution, &[powers, ones])?;
    Ok(vec![root(b, sums, op.p)?])
}
