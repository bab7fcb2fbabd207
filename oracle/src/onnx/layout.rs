//! Permutations of elements: Transpose DepthToSpace SpaceToDepth; Col2Im puts blocks back together.
//!
//! # Definition
//! Transpose (ONNX Transpose-13): axis i of the result is axis `perm[i]` of the operand; all axes reversed where `perm` is absent.
//! DepthToSpace-13 on NCHW: the channel is (block row, block column, depth) in DCR mode and (depth, block row, block column) in CRD mode;
//! the block becomes space. SpaceToDepth-13 is the inverse of the DCR mode.
//! Col2Im-18: column l of the operand holds the elements of the l-th block of every channel, blocks being placed as the windows of a
//! convolution; elements that blocks share are added.
//! # Edge cases
//! A channel (or height or width) that the block does not divide is an error.
//! # Numerics
//! Copies; one `sum` per element in Col2Im.

use super::either_kind;
use super::error::{OpError, attribute, shape};
use super::operands::Operands;
use super::strided::{axes, copy, elements, extent, strides};
use crate::arith::Arith;
use crate::value::{Array, Value};
use halfproof_ir::ops::{Col2Im, D2sMode, DepthToSpace, SpaceToDepth, Transpose};

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

/// Col2Im.
pub(super) fn col2im<A: Arith>(op: &Col2Im, x: &Operands<A::E>, arith: &A) -> Result<Value<A::E>, OpError> {
    let (d, a) = x.floats(0)?;
    let extents = |i: usize| x.ints(i)?.into_iter().map(extent).collect::<Result<Vec<usize>, OpError>>();
    let (image, block) = (extents(1)?, extents(2)?);
    let rank = image.len();
    let given = |list: &[i64], each: usize, n: usize| -> Result<Vec<usize>, OpError> {
        if list.is_empty() { Ok(vec![each; n]) } else { list.iter().map(|&v| extent(v)).collect() }
    };
    let (steps, dilations) = (given(&op.strides, 1, rank)?, given(&op.dilations, 1, rank)?);
    let pads = given(&op.pads, 0, 2 * rank)?;
    let misfit = || shape(format!("columns {:?} for blocks {block:?} of an image {image:?}", a.shape));
    let &[batch, rows, columns] = &a.shape[..] else { return Err(misfit()) };
    let cells: usize = block.iter().product();
    let fits =
        block.len() == rank && steps.len() == rank && dilations.len() == rank && pads.len() == 2 * rank;
    if !fits || cells == 0 || rows % cells != 0 || steps.contains(&0) {
        return Err(misfit());
    }
    let channels = rows / cells;
    let counts = (0..rank)
        .map(|i| {
            let room = image[i] + pads[i] + pads[rank + i];
            let reach = (block[i] - 1) * dilations[i] + 1;
            room.checked_sub(reach).map(|r| r / steps[i] + 1).ok_or_else(misfit)
        })
        .collect::<Result<Vec<usize>, _>>()?;
    if counts.iter().product::<usize>() != columns {
        return Err(misfit());
    }
    let size: usize = image.iter().product();
    let dims: Vec<usize> = [batch, channels].iter().chain(&image).copied().collect();
    let total = elements(&dims)?;
    let coordinates = |mut n: usize, dims: &[usize]| {
        let mut at = vec![0; dims.len()];
        for i in (0..dims.len()).rev() {
            at[i] = n % dims[i];
            n /= dims[i];
        }
        at
    };
    let mut terms: Vec<Vec<A::E>> = vec![Vec::new(); total];
    for cell in 0..cells {
        let inner = coordinates(cell, &block);
        for column in 0..columns {
            let outer = coordinates(column, &counts);
            let place = (0..rank).try_fold(0, |flat, i| {
                let at = (outer[i] * steps[i] + inner[i] * dilations[i]).checked_sub(pads[i])?;
                (at < image[i]).then_some(flat * image[i] + at)
            });
            let Some(place) = place else { continue };
            for plane in 0..batch * channels {
                terms[plane * size + place].push(a.data[(plane * cells + cell) * columns + column]);
            }
        }
    }
    let data = terms.iter().map(|t| arith.store(arith.sum(t), d)).collect();
    Ok(Value::Float(d, Array { shape: dims, data }))
}
