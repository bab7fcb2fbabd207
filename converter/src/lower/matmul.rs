//! Lowers matrix products: FULLY_CONNECTED where the right operand is a constant matrix, BATCH_MATMUL otherwise.
//!
//! FULLY_CONNECTED holds its weights as output by input. When the left operand is a flattened image that is held
//! channels last, the weights are reordered instead of the image.

use super::binary::{add, combine, mul};
use super::context::Context;
use super::conv::scaled;
use super::fuse::Tail;
use super::perm::{self, Perm, pieces};
use crate::target::TensorId;
use halfproof_ir::ops::Gemm;
use halfproof_ir::{Op, Role, Tensor, ValueId};
use halfproof_wire::tflite::{Activation, Builtin, options};

pub(super) fn lower(cx: &mut Context<'_>, index: usize) -> Result<(), String> {
    let node = &cx.graph.nodes[index];
    let tail = cx.tail(index);
    let y = tail.output.unwrap_or(cx.output(node)?);
    let (a, b) = (cx.input(node, 0)?, cx.input(node, 1)?);
    if !cx.ty(a)?.dtype.is_float() {
        return Err(format!("TFLite multiplies no matrices of {}", cx.ty(a)?.dtype));
    }
    match &node.op {
        Op::Gemm(g) => gemm(cx, g, a, b, cx.optional(node, 2), &tail, y),
        Op::MatMul => match cx.constant(b) {
            Some(t) if t.shape.len() <= 2 => by_constant(cx, a, t, &tail, y),
            _ => batched(cx, a, b, y),
        },
        other => Err(format!("{} is no matrix product", other.name())),
    }
}

/// `a @ b` with a constant vector or matrix `b`.
fn by_constant(cx: &mut Context<'_>, a: ValueId, b: &Tensor, tail: &Tail, y: ValueId) -> Result<(), String> {
    let (inner, outputs) = match b.shape[..] {
        [k] => (k, 1),
        [k, n] => (k, n),
        _ => return Err("the right operand has the wrong rank".into()),
    };
    let (tensor, order) = rows(cx, a)?;
    let elements = match &tail.affine {
        Some(affine) => scaled(b, b.shape.len() - 1, &affine.scale)?,
        None => b.floats().ok_or("weights are not floats")?,
    };
    let weights = perm::transpose(&elements, &[inner, outputs], &Perm::new([1, 0]));
    let bias = tail.affine.as_ref().map(|a| a.shift.clone());
    let out = fully_connected(
        cx,
        tensor,
        reordered(weights, inner, order.as_deref()),
        outputs,
        bias,
        tail.activation,
    );
    cx.bind_plain(y, out)
}

/// The left operand as rows, and how its inner axis was reordered.
fn rows(cx: &mut Context<'_>, a: ValueId) -> Result<(TensorId, Option<Vec<usize>>), String> {
    let shape = cx.shape(a)?;
    let held = match shape[..] {
        [k] => vec![1, k],
        _ => shape.clone(),
    };
    if let Some((tensor, order)) = flattened(cx, a, &shape) {
        return Ok((cx.reshape(tensor, &held), Some(order)));
    }
    Ok((cx.shaped(a, &Perm::identity(shape.len()), &held)?, None))
}

/// A waiting reshape whose last axis joins axes that are held last in another order: the tensor, and for each of its
/// inner elements the place that the source gives it.
fn flattened(cx: &Context<'_>, a: ValueId, shape: &[usize]) -> Option<(TensorId, Vec<usize>)> {
    let of = cx.deferred(a)?;
    let from = cx.shape(of).ok()?;
    let pieces = pieces(&from, shape);
    let (last, to) = pieces.last()?;
    // The last axis alone, or with others of extent 1.
    if shape[to.clone()].iter().filter(|&&d| d != 1).count() > 1
        || shape.last() != Some(&from[last.clone()].iter().product())
    {
        return None;
    }
    let carrier = cx.carriers(of).iter().find(|c| {
        let long: Vec<usize> = c.perm.axes().filter(|&i| from[i] != 1).collect();
        let front = long.iter().take_while(|i| !last.contains(i)).count();
        long[..front].is_sorted() && long[front..].iter().all(|i| last.contains(i))
    })?;
    let inner: Vec<usize> =
        carrier.perm.axes().filter(|i| last.contains(i)).map(|i| i - last.start).collect();
    let places: Vec<usize> = (0..from[last.clone()].iter().product()).collect();
    Some((carrier.tensor, perm::transpose(&places, &from[last.clone()], &Perm::new(inner))))
}

/// Weights (output by input) with their inputs in another order.
fn reordered(weights: Vec<f64>, inner: usize, order: Option<&[usize]>) -> Vec<f64> {
    match order {
        None => weights,
        Some(order) => weights.chunks(inner.max(1)).flat_map(|row| order.iter().map(|&i| row[i])).collect(),
    }
}

fn fully_connected(
    cx: &mut Context<'_>,
    rows: TensorId,
    weights: Vec<f64>,
    outputs: usize,
    bias: Option<Vec<f64>>,
    fused_activation_function: Activation,
) -> TensorId {
    let mut shape = cx.extents(rows);
    let inner = shape.pop().unwrap_or(1);
    shape.push(outputs);
    let weights = cx.floats([outputs, inner], weights, Role::Weight);
    let bias = cx.floats([outputs], bias.unwrap_or_else(|| vec![0.0; outputs]), Role::Bias);
    let options = options::FullyConnected {
        fused_activation_function,
        keep_num_dims: shape.len() > 2,
        ..options::FullyConnected::default()
    };
    cx.emit(Builtin::FullyConnected, &[rows, weights, bias], options, shape)
}

/// `alpha * a' @ b' + beta * c`.
fn gemm(
    cx: &mut Context<'_>,
    g: &Gemm,
    a: ValueId,
    b: ValueId,
    c: Option<ValueId>,
    tail: &Tail,
    y: ValueId,
) -> Result<(), String> {
    let (alpha, beta) = (f64::from(g.alpha), f64::from(g.beta));
    let out_shape = cx.shape(y)?;
    let (rows_count, outputs) = (out_shape[0], out_shape[1]);
    let swapped = Perm::new([1, 0]);
    let Some(t) = cx.constant(b) else {
        let left = cx.ordered(a, &if g.transA { swapped } else { Perm::identity(2) })?;
        let (right, adj_y) = (cx.plain(b)?, g.transB);
        let options = options::BatchMatMul { adj_y, ..options::BatchMatMul::default() };
        let out = cx.emit(Builtin::BatchMatmul, &[left, right], options, out_shape);
        let out = times(cx, out, alpha)?;
        let out = plus(cx, out, c, beta, Activation::None)?;
        return cx.bind_plain(y, out);
    };
    let inner = if g.transB { t.shape[1] } else { t.shape[0] };
    let mut weights = t.floats().ok_or("weights are not floats")?;
    if !g.transB {
        weights = perm::transpose(&weights, &t.shape, &swapped);
    }
    let scale = |o: usize| alpha * tail.affine.as_ref().map_or(1.0, |a| a.scale[o]);
    for (i, w) in weights.iter_mut().enumerate() {
        *w *= scale(i / inner.max(1));
    }
    let (tensor, order) = if g.transA { (cx.ordered(a, &swapped)?, None) } else { rows(cx, a)? };
    let weights = reordered(weights, inner, order.as_deref());
    // A constant addend that is the same in every row is the bias; anything else is added afterwards.
    let constant = c.and_then(|c| cx.constant(c));
    let row = constant.and_then(|t| {
        let v = t.floats()?;
        let wide = |n: usize| t.shape.iter().rev().skip(1).all(|&d| d == 1) && v.len() == n;
        match () {
            () if wide(outputs) => Some(v.iter().map(|x| x * beta).collect::<Vec<_>>()),
            () if v.len() == 1 => Some(vec![v[0] * beta; outputs]),
            () => None,
        }
    });
    if c.is_none() || row.is_some() {
        let mut bias = row;
        if let Some(affine) = &tail.affine {
            let before = bias.unwrap_or_else(|| vec![0.0; outputs]);
            bias = Some((0..outputs).map(|o| before[o] * affine.scale[o] + affine.shift[o]).collect());
        }
        let out = fully_connected(cx, tensor, weights, outputs, bias, tail.activation);
        return cx.bind_plain(y, out);
    }
    let out = fully_connected(cx, tensor, weights, outputs, None, Activation::None);
    let affine = tail.affine.as_ref();
    let out = match (constant, affine) {
        // The addend takes part in the per-channel step.
        (Some(t), Some(affine)) => {
            let v = t.floats().ok_or("the addend is not a float")?;
            let at = |r: usize, o: usize| {
                let (h, w) = match t.shape[..] {
                    [h, w] => (h, w),
                    _ => (1, v.len()),
                };
                v[(r % h) * w + o % w]
            };
            let addend = (0..rows_count)
                .flat_map(|r| (0..outputs).map(move |o| (r, o)))
                .map(|(r, o)| beta * at(r, o) * affine.scale[o] + affine.shift[o])
                .collect();
            let addend = cx.floats([rows_count, outputs], addend, Role::Bias);
            combine(cx, Builtin::Add, &[out, addend], add(tail.activation), None)?
        }
        _ => plus(cx, out, c, beta, tail.activation)?,
    };
    cx.bind_plain(y, out)
}

fn times(cx: &mut Context<'_>, x: TensorId, factor: f64) -> Result<TensorId, String> {
    if factor == 1.0 {
        return Ok(x);
    }
    let factor = cx.float(factor, Role::Scale);
    combine(cx, Builtin::Mul, &[x, factor], mul(Activation::None), None)
}

/// `x + beta * c`.
fn plus(
    cx: &mut Context<'_>,
    x: TensorId,
    c: Option<ValueId>,
    beta: f64,
    act: Activation,
) -> Result<TensorId, String> {
    let Some(c) = c else { return Ok(x) };
    let addend = match cx.constant(c) {
        Some(t) => {
            let v = t.floats().ok_or("the addend is not a float")?.iter().map(|x| x * beta).collect();
            cx.floats(t.shape.clone(), v, Role::Bias)
        }
        None => {
            let plain = cx.plain(c)?;
            times(cx, plain, beta)?
        }
    };
    combine(cx, Builtin::Add, &[x, addend], add(act), None)
}

/// `a @ b` with broadcast batch axes; vectors count as a row on the left and a column on the right.
fn batched(cx: &mut Context<'_>, a: ValueId, b: ValueId, y: ValueId) -> Result<(), String> {
    const MOST: usize = 4;
    let (left, right, out) = (cx.shape(a)?, cx.shape(b)?, cx.shape(y)?);
    let row = if left.len() == 1 { vec![1, left[0]] } else { left.clone() };
    let column = if right.len() == 1 { vec![right[0], 1] } else { right.clone() };
    let mut x = cx.shaped(a, &Perm::identity(left.len()), &row)?;
    let (mut z, adj_y) = turned(cx, b, &right, &column)?;
    let column_held = cx.extents(z);
    let batch = crate::infer::broadcast(&[&row[..row.len() - 2], &column[..column.len() - 2]])?;
    let mut shape: Vec<usize> =
        batch.iter().copied().chain([row[row.len() - 2], column[column.len() - 1]]).collect();
    if shape.len() > MOST {
        // Batch axes become one: all of them are equal, or one operand has none.
        let fold = |s: &[usize]| -> Option<Vec<usize>> {
            let (front, matrix) = s.split_at(s.len() - 2);
            let count: usize = front.iter().product();
            (count == 1 || front == batch).then(|| [count].iter().chain(matrix).copied().collect())
        };
        let (Some(l), Some(r)) = (fold(&row), fold(&column_held)) else {
            return Err("more than two batch axes broadcast against each other".into());
        };
        x = cx.reshape(x, &l);
        z = cx.reshape(z, &r);
        shape = vec![batch.iter().product(), shape[shape.len() - 2], shape[shape.len() - 1]];
    }
    let options = options::BatchMatMul { adj_y, ..options::BatchMatMul::default() };
    let product = cx.emit(Builtin::BatchMatmul, &[x, z], options, shape);
    let product = if out.is_empty() { cx.reshape(product, &out) } else { product };
    cx.bind_plain(y, product)
}

/// The right operand, transposed where it is held so and not otherwise.
fn turned(
    cx: &mut Context<'_>,
    b: ValueId,
    shape: &[usize],
    column: &[usize],
) -> Result<(TensorId, bool), String> {
    let rank = shape.len();
    let identity = Perm::identity(rank);
    if rank >= 2 && cx.constant(b).is_none() {
        let swapped = Perm::new((0..rank - 2).chain([rank - 1, rank - 2]));
        cx.settle(b)?;
        if !cx.holds(b, &identity) && cx.holds(b, &swapped) {
            return Ok((cx.ordered(b, &swapped)?, true));
        }
    }
    if cx.constant(b).is_some() {
        return Ok((cx.constant_as(b, &identity, column, Role::Weight)?, false));
    }
    Ok((cx.shaped(b, &identity, column)?, false))
}
