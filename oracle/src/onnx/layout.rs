//! Permutations of elements: Transpose DepthToSpace SpaceToDepth.
//!
//! # Definition
//! Transpose (ONNX Transpose-13): axis i of the result is axis `perm[i]` of the operand; all axes reversed where `perm` is absent.
//! DepthToSpace-13 on NCHW: the channel is (block row, block column, depth) in DCR mode and (depth, block row, block column) in CRD mode;
//! the block becomes space. SpaceToDepth-13 is the inverse of the DCR mode.
//! # Edge cases
//! A channel (or height or width) that the block does not divide is an error.
//! # Numerics
//! Copies.

use super::either_kind;
use super::error::{OpError, attribute, shape};
use super::operands::Operands;
use super::strided::{axes, copy, strides};
use crate::value::{Array, Value};
use halfproof_ir::ops::{D2sMode, DepthToSpace, SpaceToDepth, Transpose};

/// Transpose.
pub(super) fn transpose<E: Copy>(op: &Transpose, x: &Operands<E>) -> Result<Value<E>, OpError> {
    let value = x.need(0)?;
    let rank = value.shape().len();
    let order: Vec<usize> = if op.perm.is_empty() {
        (0..rank).rev().collect()
    } else if op.perm.len() == rank && op.perm.iter().all(|&p| p >= 0) {
        axes(&op.perm, rank)?
    } else {
        return Err(attribute(format!("perm {:?} of a tensor of rank {rank}", op.perm)));
    };
    let dims = order.iter().map(|&i| value.shape()[i]).collect();
    Ok(permuted(value, value.shape(), &order, dims))
}

/// The elements viewed as `view`, its axes reordered, then seen as `dims`.
fn permuted<E: Copy>(value: &Value<E>, view: &[usize], order: &[usize], dims: Vec<usize>) -> Value<E> {
    let all = strides(view);
    let (extents, steps): (Vec<usize>, Vec<isize>) = order.iter().map(|&i| (view[i], all[i])).unzip();
    either_kind!(value, a => Array { shape: dims, data: copy(&a.data, 0, &extents, &steps) })
}

fn block(size: i64, dims: &[usize]) -> Result<([usize; 4], usize), OpError> {
    let b = usize::try_from(size).ok().filter(|b| (1..=1 << 14).contains(b));
    let b = b.ok_or_else(|| attribute(format!("blocksize {size}")))?;
    let dims = <[usize; 4]>::try_from(dims).map_err(|_| shape(format!("shape {dims:?}, NCHW is needed")))?;
    Ok((dims, b))
}

/// DepthToSpace.
pub(super) fn depth_to_space<E: Copy>(op: &DepthToSpace, x: &Operands<E>) -> Result<Value<E>, OpError> {
    let value = x.need(0)?;
    let ([n, c, h, w], b) = block(op.blocksize, value.shape())?;
    if c % (b * b) != 0 {
        return Err(shape(format!("{c} channels for blocks of {b} x {b}")));
    }
    let depth = c / (b * b);
    let dims = vec![n, depth, h * b, w * b];
    Ok(match op.mode {
        D2sMode::Dcr => permuted(value, &[n, b, b, depth, h, w], &[0, 3, 4, 1, 5, 2], dims),
        D2sMode::Crd => permuted(value, &[n, depth, b, b, h, w], &[0, 1, 4, 2, 5, 3], dims),
    })
}

/// SpaceToDepth.
pub(super) fn space_to_depth<E: Copy>(op: &SpaceToDepth, x: &Operands<E>) -> Result<Value<E>, OpError> {
    let value = x.need(0)?;
    let ([n, c, h, w], b) = block(op.blocksize, value.shape())?;
    if h % b != 0 || w % b != 0 {
        return Err(shape(format!("{h} x {w} cells for blocks of {b} x {b}")));
    }
    let dims = vec![n, c * b * b, h / b, w / b];
    Ok(permuted(value, &[n, c, h / b, b, w / b, b], &[0, 3, 5, 1, 2, 4], dims))
}
