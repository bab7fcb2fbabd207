//! Attention and RotaryEmbedding.
//!
//! # Definition
//! ONNX Attention-25 (with the versions 23 and 24 as special cases): `softmax(Q K^T scale + bias) V` per head, the keys and values
//! behind those of the cache. Heads of Q share those of K and V in runs of equal length. The product may be squeezed,
//! `softcap * tanh(x / softcap)`, before the bias. The bias is 0 or -inf: -inf where the mask forbids (or the mask itself where it is of
//! floats), at keys behind `i + offset` for query i when causal, outside a window around `i + offset`, and behind the keys in use.
//! The offset is the length of the cache, or the keys in use less the queries where those are given.
//! RotaryEmbedding-23: pairs of elements (neighbours when `interleaved`, else those half a head apart) turned by the angles
//! whose cosines and sines are given; elements behind `rotary_embedding_dim` stay.
//! # Edge cases
//! A query whose bias is -inf throughout attends to nothing: its probabilities and its result are 0. A mask with fewer keys
//! than there are forbids the rest. The fourth result is the product (mode 0), squeezed (1), with the bias (2), or the probabilities (3).
//! # Numerics
//! Q and K are each multiplied by the root of the scale, as the specification's function does; one `dot` per product, the
//! softmax rule per row.

use super::error::{OpError, attribute, shape};
use super::operands::Operands;
use super::strided::{broadcast, copy, expand, strides};
use crate::arith::{Arith, Comparison, Function};
use crate::value::{Array, Value};
use halfproof_ir::DType;
use halfproof_ir::ops::{Attention, RotaryEmbedding};

/// Heads before positions: [batch, heads, positions, size], from that or from [batch, positions, heads * size].
fn by_head<E: Copy>(a: &Array<E>, heads: i64) -> Result<Array<E>, OpError> {
    match a.shape[..] {
        [_, _, _, _] => Ok(a.clone()),
        [batch, length, hidden] => {
            let heads = usize::try_from(heads).ok().filter(|&h| h > 0 && hidden % h == 0);
            let heads = heads
                .ok_or_else(|| attribute(format!("{hidden} elements in an unsuitable number of heads")))?;
            let size = hidden / heads;
            let steps = [length * hidden, size, hidden, 1].map(usize::cast_signed);
            let dims = [batch, heads, length, size];
            Ok(Array { shape: dims.to_vec(), data: copy(&a.data, 0, &dims, &steps) })
        }
        _ => Err(shape(format!("a tensor of shape {:?} where heads are needed", a.shape))),
    }
}

/// The second array behind the first, along the positions.
fn behind<E: Copy>(past: Option<&Array<E>>, new: Array<E>) -> Result<Array<E>, OpError> {
    let Some(past) = past else { return Ok(new) };
    let (&[b, h, p, s], &[b2, h2, n, s2]) = (&past.shape[..], &new.shape[..]) else {
        return Err(shape(format!("a cache of shape {:?}", past.shape)));
    };
    if (b, h, s) != (b2, h2, s2) {
        return Err(shape(format!("a cache of shape {:?} for {:?}", past.shape, new.shape)));
    }
    let mut data = Vec::with_capacity(past.data.len() + new.data.len());
    for i in 0..b * h {
        data.extend_from_slice(&past.data[i * p * s..][..p * s]);
        data.extend_from_slice(&new.data[i * n * s..][..n * s]);
    }
    Ok(Array { shape: vec![b, h, p + n, s], data })
}

/// Attention.
pub(super) fn attention<A: Arith>(
    op: &Attention,
    x: &Operands<A::E>,
    arith: &A,
) -> Result<Vec<Value<A::E>>, OpError> {
    let (d, q) = x.floats(0)?;
    let flat = q.shape.len() == 3;
    let q = by_head(q, op.q_num_heads)?;
    let past = x.optional_floats(4)?;
    let keys = behind(past, by_head(x.floats(1)?.1, op.kv_num_heads)?)?;
    let values = behind(x.optional_floats(5)?, by_head(x.floats(2)?.1, op.kv_num_heads)?)?;
    let (&[batch, heads, queries, size], &[kb, kv_heads, total, ks], &[vb, vh, vt, value_size]) =
        (&q.shape[..], &keys.shape[..], &values.shape[..])
    else {
        return Err(shape("the operands are not alike"));
    };
    let alike = kb == batch && vb == batch && ks == size && vh == kv_heads && vt == total;
    if !alike || kv_heads == 0 || heads % kv_heads != 0 {
        return Err(shape(format!("shapes {:?}, {:?}, {:?}", q.shape, keys.shape, values.shape)));
    }
    let in_use = x.optional_ints(6)?;
    let bias = bias(op, x, [batch, heads, queries, total], past.map_or(0, |p| p.shape[2]), in_use, arith)?;
    #[expect(clippy::cast_precision_loss, reason = "the extent of a head")]
    let scale = op.scale.map_or(1.0 / (size as f64).sqrt(), f64::from);
    let root = arith.intermediate(arith.apply(Function::Sqrt, arith.exact(scale)));
    let scaled = |a: &Array<A::E>| -> Vec<A::E> {
        a.data.iter().map(|&e| arith.intermediate(arith.mul(e, root))).collect()
    };
    let (q, k) = (scaled(&q), scaled(&keys));
    let softcap = arith.exact(op.softcap.into());
    let squeeze = |e: A::E| {
        let ratio = arith.intermediate(arith.div(e, softcap));
        arith.intermediate(arith.mul(arith.intermediate(arith.apply(Function::Tanh, ratio)), softcap))
    };
    let zero = arith.exact(0.0);
    let lowest = arith.exact(f64::NEG_INFINITY);
    let mut shown = Vec::with_capacity(batch * heads * queries * total);
    let mut y = Vec::with_capacity(batch * heads * queries * value_size);
    for n in 0..batch {
        for h in 0..heads {
            let shared = n * kv_heads + h / (heads / kv_heads);
            let head = &k[shared * total * size..][..total * size];
            let columns: Vec<A::E> = {
                let from = &values.data[shared * total * value_size..][..total * value_size];
                copy(from, 0, &[value_size, total], &[1, value_size.cast_signed()])
            };
            for i in 0..queries {
                let row = (n * heads + h) * queries + i;
                let query = &q[row * size..][..size];
                let products: Vec<A::E> = (0..total)
                    .map(|j| arith.intermediate(arith.dot(query, &head[j * size..][..size], None)))
                    .collect();
                let capped: Vec<A::E> = if op.softcap > 0.0 {
                    products.iter().map(|&e| squeeze(e)).collect()
                } else {
                    products.clone()
                };
                let (biased, empty) = match &bias {
                    None => (capped.clone(), (false, true)),
                    Some(bias) => {
                        let row_bias = &bias[row * total..][..total];
                        let sums =
                            capped.iter().zip(row_bias).map(|(&e, &b)| arith.intermediate(arith.add(e, b)));
                        let most = row_bias.iter().copied().reduce(|p, q| arith.max(p, q)).unwrap_or(lowest);
                        let (order, decided) = arith.compare(most, lowest);
                        (sums.collect(), (order == Comparison::Equal, decided))
                    }
                };
                let weights: Vec<A::E> = match empty {
                    (true, true) => vec![zero; total],
                    (held, decided) => arith
                        .softmax(&biased, 1.0, false)
                        .into_iter()
                        .map(|e| match (held, decided) {
                            (_, true) => arith.intermediate(e),
                            (true, false) => arith.either(zero, e),
                            (false, false) => arith.either(arith.intermediate(e), zero),
                        })
                        .collect(),
                };
                shown.extend_from_slice(match op.qk_matmul_output_mode {
                    0 => &products,
                    1 => &capped,
                    2 => &biased,
                    3 => &weights,
                    mode => return Err(attribute(format!("qk_matmul_output_mode {mode}"))),
                });
                y.extend((0..value_size).map(|c| arith.dot(&weights, &columns[c * total..][..total], None)));
            }
        }
    }
    let store = |data: Vec<A::E>| -> Vec<A::E> { data.into_iter().map(|e| arith.store(e, d)).collect() };
    let y = store(y);
    let y = if flat {
        let dims = [batch, queries, heads, value_size];
        let steps =
            [heads * queries * value_size, value_size, queries * value_size, 1].map(usize::cast_signed);
        Array { shape: vec![batch, queries, heads * value_size], data: copy(&y, 0, &dims, &steps) }
    } else {
        Array { shape: vec![batch, heads, queries, value_size], data: y }
    };
    let shown = Array { shape: vec![batch, heads, queries, total], data: store(shown) };
    Ok(vec![Value::Float(d, y), Value::Float(d, keys), Value::Float(d, values), Value::Float(d, shown)])
}

/// What is added to the products, [batch, heads, queries, keys]; `None` when nothing is.
fn bias<A: Arith>(
    op: &Attention,
    x: &Operands<A::E>,
    dims: [usize; 4],
    past: usize,
    in_use: Option<Vec<i64>>,
    arith: &A,
) -> Result<Option<Vec<A::E>>, OpError> {
    let [batch, heads, queries, total] = dims;
    let windowed = op.left_window_size >= 0 || op.right_window_size >= 0;
    if x.get(3).is_none() && !op.is_causal && !windowed && in_use.is_none() {
        return Ok(None);
    }
    let (zero, lowest) = (arith.exact(0.0), arith.exact(f64::NEG_INFINITY));
    let mut bias = vec![zero; batch * heads * queries * total];
    if let Some(mask) = x.get(3) {
        let given = match mask {
            Value::Float(_, a) => a.clone(),
            Value::Whole(DType::Bool, a) => {
                let number = |w: crate::value::Whole| match (w.value != 0, w.decided) {
                    (true, true) => zero,
                    (false, true) => lowest,
                    (true, false) => arith.either(zero, lowest),
                    (false, false) => arith.either(lowest, zero),
                };
                super::strided::map(a, number)
            }
            other => return Err(OpError::Type { operand: 3, dtype: other.dtype() }),
        };
        let &keys = given.shape.last().ok_or_else(|| shape("the mask is a scalar"))?;
        let mut padded = given.clone();
        if keys < total && keys != 1 {
            let rows = given.data.len() / keys.max(1);
            padded.data = (0..rows)
                .flat_map(|r| (0..total).map(move |j| (r, j)))
                .map(|(r, j)| if j < keys { given.data[r * keys + j] } else { lowest })
                .collect();
            if let Some(last) = padded.shape.last_mut() {
                *last = total;
            }
        }
        if broadcast(&[&padded.shape, &dims])? != dims {
            return Err(shape(format!("a mask of shape {:?} for {dims:?}", given.shape)));
        }
        bias = expand(&padded, &dims)?.into_owned();
    }
    let offset = |n: usize| match &in_use {
        Some(lengths) if past == 0 => lengths[n] - queries.cast_signed() as i64,
        _ => past.cast_signed() as i64,
    };
    if in_use.as_ref().is_some_and(|l| l.len() != batch) {
        return Err(shape("nonpad_kv_seqlen is not one number per batch"));
    }
    for (at, b) in bias.iter_mut().enumerate() {
        let (j, i, n) = (at % total, at / total % queries, at / (total * queries * heads));
        let (j, i) = (j.cast_signed() as i64, i.cast_signed() as i64 + offset(n));
        let forbidden = (op.is_causal && j > i)
            || (op.left_window_size >= 0 && i - j > op.left_window_size)
            || (op.right_window_size >= 0 && j - i > op.right_window_size)
            || in_use.as_ref().is_some_and(|l| j >= l[n]);
        if forbidden {
            *b = lowest;
        }
    }
    Ok(Some(bias))
}

/// RotaryEmbedding.
pub(super) fn rotary<A: Arith>(
    op: &RotaryEmbedding,
    x: &Operands<A::E>,
    arith: &A,
) -> Result<Value<A::E>, OpError> {
    let (d, a) = x.floats(0)?;
    let flat = a.shape.len() == 3;
    let by_head = by_head(a, op.num_heads)?;
    let &[batch, heads, length, size] = &by_head.shape[..] else { return Err(shape("no heads")) };
    let turned = match usize::try_from(op.rotary_embedding_dim) {
        Ok(0) => size,
        Ok(n) if n <= size && n.is_multiple_of(2) => n,
        _ => return Err(attribute(format!("rotary_embedding_dim {}", op.rotary_embedding_dim))),
    };
    let half = turned / 2;
    // [batch, positions, half], by position where those are given.
    let angles = |i: usize| -> Result<Vec<A::E>, OpError> {
        let (_, cache) = x.floats(i)?;
        if cache.shape.last() != Some(&half) {
            return Err(shape(format!("a cache of shape {:?} for {half} pairs", cache.shape)));
        }
        let Some(positions) = x.optional_ints(3)? else {
            return Ok(expand(cache, &[batch, length, half])?.into_owned());
        };
        let mut rows = Vec::with_capacity(batch * length * half);
        for p in positions {
            let row = usize::try_from(p).ok().and_then(|p| cache.data.get(p * half..(p + 1) * half));
            rows.extend_from_slice(row.ok_or_else(|| shape(format!("position {p} is outside the cache")))?);
        }
        (rows.len() == batch * length * half).then_some(rows).ok_or_else(|| shape("positions do not fit"))
    };
    let (cosines, sines) = (angles(1)?, angles(2)?);
    let mut y = by_head.data.clone();
    for (row, out) in y.chunks_exact_mut(size.max(1)).enumerate() {
        let (n, s) = (row / (heads * length), row % length);
        let from = &by_head.data[row * size..][..size];
        for p in 0..half {
            let (i, j) = if op.interleaved { (2 * p, 2 * p + 1) } else { (p, p + half) };
            let at = (n * length + s) * half + p;
            let product = |a, b| arith.intermediate(arith.mul(a, b));
            let real = arith.sub(product(cosines[at], from[i]), product(sines[at], from[j]));
            let imaginary = arith.add(product(sines[at], from[i]), product(cosines[at], from[j]));
            (out[i], out[j]) = (arith.store(real, d), arith.store(imaginary, d));
        }
    }
    let data = if flat {
        let held = strides(&[batch, heads, length, size]);
        copy(&y, 0, &[batch, length, heads, size], &[held[0], held[2], held[1], held[3]])
    } else {
        y
    };
    Ok(Value::Float(d, Array { shape: a.shape.clone(), data }))
}
