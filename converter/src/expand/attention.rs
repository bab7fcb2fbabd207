//! Attention and RotaryEmbedding in matrix products and element-wise operators.
//!
//! What only attributes and shapes say about the bias is a constant; masks that are computed are added at run time. The guard
//! for queries that may attend to nothing is left out where the bias is constant and forbids no whole row.

use super::Builder;
use super::scatter::signed;
use halfproof_ir::ops::{self, Cast, Concat, Gather, ReduceMax, Softmax};
use halfproof_ir::{DType, Node, Op, ValueId};

/// [batch, heads, positions, size], from that or from [batch, positions, heads * size].
fn by_head(b: &mut Builder, x: ValueId, heads: i64) -> Result<ValueId, String> {
    match b.shape(x)?[..] {
        [_, _, _, _] => Ok(x),
        [batch, length, hidden] => {
            let heads = usize::try_from(heads).ok().filter(|&h| h > 0 && hidden % h == 0);
            let heads = heads.ok_or_else(|| format!("{hidden} elements do not fit the number of heads"))?;
            let split = b.reshape(x, &[batch, length, heads, hidden / heads])?;
            b.transpose(split, &[0, 2, 1, 3])
        }
        _ => Err("its operands have neither 3 nor 4 axes".into()),
    }
}

/// Repeats every head of keys or values for the queries that share it.
fn repeated(b: &mut Builder, x: ValueId, times: usize) -> Result<ValueId, String> {
    if times == 1 {
        return Ok(x);
    }
    let &[n, heads, length, size] = &b.shape(x)?[..] else { return Err("there are no heads".into()) };
    let apart = b.reshape(x, &[n, heads, 1, length, size])?;
    let extents = b.ints(&[n, heads, times, length, size]);
    let wide = b.emit(Op::Expand, &[apart, extents])?;
    b.reshape(wide, &[n, heads * times, length, size])
}

pub(super) fn attention(b: &mut Builder, node: &Node) -> Result<Vec<ValueId>, String> {
    let Op::Attention(op) = &node.op else { return Err("it is no Attention".into()) };
    let q = b.need(node, 0)?;
    let ty = b.ty(q)?;
    let optional = |i: usize| node.inputs.get(i).copied().flatten();
    let q = by_head(b, q, op.q_num_heads)?;
    let cached = |b: &mut Builder, i: usize, past: usize| {
        let new = b.need(node, i)?;
        let new = by_head(b, new, op.kv_num_heads)?;
        match optional(past) {
            Some(past) => b.emit(Concat { axis: 2 }, &[past, new]),
            None => Ok(new),
        }
    };
    let (keys, values) = (cached(b, 1, 4)?, cached(b, 2, 5)?);
    let past = optional(4).map(|p| b.shape(p)).transpose()?.map_or(0, |s| s[2]);
    let (&[batch, heads, queries, size], &[_, kv_heads, total, _]) = (&b.shape(q)?[..], &b.shape(keys)?[..])
    else {
        return Err("its operands have neither 3 nor 4 axes".into());
    };
    if kv_heads == 0 || heads % kv_heads != 0 {
        return Err(format!("{heads} heads cannot share {kv_heads}"));
    }
    let times = heads / kv_heads;
    #[expect(clippy::cast_precision_loss, reason = "the extent of a head")]
    let scale = op.scale.map_or(1.0 / (size as f64).sqrt(), f64::from);
    if scale < 0.0 {
        return Err("the scale is negative, and has no root".into());
    }
    let root = b.float(ty.dtype, scale.sqrt());
    let (k, v) = (repeated(b, keys, times)?, repeated(b, values, times)?);
    let (q, k) = (b.emit(Op::Mul, &[q, root])?, b.emit(Op::Mul, &[k, root])?);
    let k = b.transpose(k, &[0, 1, 3, 2])?;
    let product = b.emit(Op::MatMul, &[q, k])?;
    let capped = if op.softcap > 0.0 {
        let cap = b.float(ty.dtype, op.softcap.into());
        let ratio = b.emit(Op::Div, &[product, cap])?;
        let t = b.emit(Op::Tanh, &[ratio])?;
        b.emit(Op::Mul, &[t, cap])?
    } else {
        product
    };
    let bias = bias(b, node, op, [batch, heads, queries, total], past, ty.dtype)?;
    let biased = match bias {
        Some((bias, _)) => b.emit(Op::Add, &[capped, bias])?,
        None => capped,
    };
    let mut weights = b.emit(Softmax { axis: -1, coerce_2d: false }, &[biased])?;
    if let Some((bias, true)) = bias {
        let last = b.wholes(&[1], vec![-1]);
        let most = b.emit(ReduceMax { keepdims: true, noop_with_empty_axes: false }, &[bias, last])?;
        let lowest = b.float(ty.dtype, f64::NEG_INFINITY);
        let empty = b.emit(Op::Equal, &[most, lowest])?;
        let zero = b.float(ty.dtype, 0.0);
        weights = b.emit(Op::Where, &[empty, zero, weights])?;
    }
    let mut y = b.emit(Op::MatMul, &[weights, v])?;
    if ty.rank() == 3 {
        let width = b.shape(y)?[3];
        y = b.transpose(y, &[0, 2, 1, 3])?;
        y = b.reshape(y, &[batch, queries, heads * width])?;
    }
    let shown = match op.qk_matmul_output_mode {
        0 => product,
        1 => capped,
        2 => biased,
        3 => weights,
        mode => return Err(format!("qk_matmul_output_mode {mode} is not defined")),
    };
    Ok(vec![y, keys, values, shown])
}

/// What is added to the products, and whether it may forbid a whole row; `None` when nothing is.
fn bias(
    b: &mut Builder,
    node: &Node,
    op: &ops::Attention,
    dims: [usize; 4],
    past: usize,
    dtype: DType,
) -> Result<Option<(ValueId, bool)>, String> {
    let [batch, _, queries, total] = dims;
    let lengths = b.integers(node, 6, "nonpad_kv_seqlen")?;
    if lengths.as_ref().is_some_and(|l| l.len() != batch) {
        return Err("nonpad_kv_seqlen is not one number per batch".into());
    }
    let lowest = f64::NEG_INFINITY;
    let shaped = op.is_causal || op.left_window_size >= 0 || op.right_window_size >= 0 || lengths.is_some();
    let constant = shaped.then(|| {
        let batches = if lengths.is_some() { batch } else { 1 };
        let mut data = Vec::with_capacity(batches * queries * total);
        for n in 0..batches {
            let offset = match &lengths {
                Some(l) if past == 0 => l[n] - signed(queries),
                _ => signed(past),
            };
            for i in (0..signed(queries)).map(|i| i + offset) {
                data.extend((0..signed(total)).map(|j| {
                    let forbidden = (op.is_causal && j > i)
                        || (op.left_window_size >= 0 && i - j > op.left_window_size)
                        || (op.right_window_size >= 0 && j - i > op.right_window_size)
                        || lengths.as_ref().is_some_and(|l| j >= l[n]);
                    if forbidden { lowest } else { 0.0 }
                }));
            }
        }
        (batches, data)
    });
    let mut sum: Option<(ValueId, bool)> = constant.map(|(batches, data)| {
        let empty = data.chunks(total.max(1)).any(|row| row.iter().all(|&x| x == lowest));
        let shape = if batches == 1 { vec![queries, total] } else { vec![batches, 1, queries, total] };
        (b.floats(dtype, &shape, data), empty)
    });
    if let Some(mask) = node.inputs.get(3).copied().flatten() {
        let ty = b.ty(mask)?;
        let mut mask = match ty.dtype {
            DType::Bool => {
                let (zero, lowest) = (b.float(dtype, 0.0), b.float(dtype, lowest));
                b.emit(Op::Where, &[mask, zero, lowest])?
            }
            _ if ty.dtype == dtype => mask,
            _ => b.emit(Cast { to: dtype, ..Cast::default() }, &[mask])?,
        };
        let held = ty.shape.last().copied().ok_or("the mask is a scalar")?;
        if held < total && held != 1 {
            let mut rest = ty.shape.clone();
            if let Some(last) = rest.last_mut() {
                *last = total - held;
            }
            let n = rest.iter().product();
            let rest = b.floats(dtype, &rest, vec![lowest; n]);
            mask = b.emit(Concat { axis: -1 }, &[mask, rest])?;
        }
        sum = Some(match sum {
            Some((constant, _)) => (b.emit(Op::Add, &[mask, constant])?, true),
            None => (mask, true),
        });
    }
    Ok(sum)
}

/// One axis of a tensor cut at `at`: what is before and what is behind.
fn cut(b: &mut Builder, x: ValueId, from: usize, to: usize, step: usize) -> Result<ValueId, String> {
    let places: Vec<i64> = (from..to).step_by(step).map(signed).collect();
    let places = b.wholes(&[places.len()], places);
    b.emit(Gather { axis: -1 }, &[x, places])
}

pub(super) fn rotary(b: &mut Builder, node: &Node) -> Result<Vec<ValueId>, String> {
    let Op::RotaryEmbedding(op) = &node.op else { return Err("it is no RotaryEmbedding".into()) };
    let x = b.need(node, 0)?;
    let ty = b.ty(x)?;
    let held = by_head(b, x, op.num_heads)?;
    let &[batch, heads, length, size] = &b.shape(held)?[..] else { return Err("there are no heads".into()) };
    let turned = match usize::try_from(op.rotary_embedding_dim) {
        Ok(0) => size,
        Ok(n) if n <= size && n.is_multiple_of(2) => n,
        _ => return Err(format!("rotary_embedding_dim {} does not fit", op.rotary_embedding_dim)),
    };
    let half = turned / 2;
    let angles = |b: &mut Builder, i: usize| -> Result<ValueId, String> {
        let cache = b.need(node, i)?;
        let rows = match node.inputs.get(3).copied().flatten() {
            Some(positions) => b.emit(Gather { axis: 0 }, &[cache, positions])?,
            None => cache,
        };
        let &[n, s, h] = &b.shape(rows)?[..] else { return Err("the caches do not fit".into()) };
        if h != half || s != length {
            return Err("the caches do not fit".into());
        }
        b.reshape(rows, &[n, 1, s, h])
    };
    let (cosines, sines) = (angles(b, 1)?, angles(b, 2)?);
    let (first, second) = if op.interleaved {
        (cut(b, held, 0, turned, 2)?, cut(b, held, 1, turned, 2)?)
    } else {
        (cut(b, held, 0, half, 1)?, cut(b, held, half, turned, 1)?)
    };
    let product = |b: &mut Builder, a, c| b.emit(Op::Mul, &[a, c]);
    let (p, q) = (product(b, cosines, first)?, product(b, sines, second)?);
    let (r, s) = (product(b, sines, first)?, product(b, cosines, second)?);
    let (real, imaginary) = (b.emit(Op::Sub, &[p, q])?, b.emit(Op::Add, &[r, s])?);
    let mut y = if op.interleaved {
        let apart = [batch, heads, length, half, 1];
        let (real, imaginary) = (b.reshape(real, &apart)?, b.reshape(imaginary, &apart)?);
        let pairs = b.emit(Concat { axis: -1 }, &[real, imaginary])?;
        b.reshape(pairs, &[batch, heads, length, turned])?
    } else {
        b.emit(Concat { axis: -1 }, &[real, imaginary])?
    };
    if turned < size {
        let rest = cut(b, held, turned, size, 1)?;
        y = b.emit(Concat { axis: -1 }, &[y, rest])?;
    }
    if ty.rank() == 3 {
        y = b.transpose(y, &[0, 2, 1, 3])?;
        y = b.reshape(y, &ty.shape)?;
    }
    Ok(vec![y])
}
