//! The passes. Each is a function of the current best and a position: `None` when there are no more positions,
//! `Some(None)` when this position proposes nothing.

use super::Specimen;
use super::surgery::values;
use halfproof_ir::ops::Attrs;
use halfproof_ir::{Data, Op, Tensor, ValueId};
use std::sync::Arc;

/// One pass.
pub(crate) type Pass = fn(&Specimen, usize) -> Option<Option<Specimen>>;

/// In the order in which they pay: large cuts first.
pub(crate) const ALL: &[Pass] = &[
    single_output,
    keep_window,
    output_at_node,
    cut_above,
    bypass,
    shrink_extent,
    shrink_axis,
    plain_attribute,
    drop_optional_input,
    plain_constant,
    plain_input,
    round_constant,
    round_input,
];

/// Keeps one output only.
fn single_output(s: &Specimen, position: usize) -> Option<Option<Specimen>> {
    if s.graph.outputs.len() < 2 {
        return None;
    }
    let &id = s.graph.outputs.get(position)?;
    let mut c = s.clone();
    c.graph.outputs = vec![id];
    Some(Some(c))
}

/// Delta debugging by sub-graph: keeps a contiguous window of nodes; halves first, then quarters, and so on.
fn keep_window(s: &Specimen, position: usize) -> Option<Option<Specimen>> {
    let n = s.graph.nodes.len();
    let mut left = position;
    let mut parts = 2;
    while parts <= n {
        if left < parts {
            let from = left * n / parts;
            let to = (left + 1) * n / parts;
            return Some(window(s, from, to));
        }
        left -= parts;
        parts *= 2;
    }
    None
}

/// The sub-graph of nodes `from..to`: what it reads from before becomes an input with its exact value, what is read
/// after it becomes an output.
fn window(s: &Specimen, from: usize, to: usize) -> Option<Specimen> {
    let values = values(s)?;
    let mut c = s.clone();
    let inside = &s.graph.nodes[from..to];
    let defined: Vec<ValueId> = inside.iter().flat_map(|n| n.outputs.iter().flatten().copied()).collect();
    let reads = |nodes: &[halfproof_ir::Node]| -> Vec<ValueId> {
        nodes.iter().flat_map(|n| n.inputs.iter().flatten().copied()).collect()
    };
    let later = reads(&s.graph.nodes[to..]);
    c.graph.outputs =
        defined.iter().copied().filter(|id| later.contains(id) || s.graph.outputs.contains(id)).collect();
    c.graph.nodes = inside.to_vec();
    for id in reads(inside) {
        let outside = !defined.contains(&id) && s.graph.constant(id).is_none();
        if outside && !c.graph.inputs.contains(&id) {
            c.graph.inputs.push(id);
            c.inputs.push(values[id.index()].clone()?);
        }
    }
    Some(c)
}

/// Makes the result of an earlier node the only output.
fn output_at_node(s: &Specimen, position: usize) -> Option<Option<Specimen>> {
    let node = s.graph.nodes.get(position)?;
    let Some(id) = node.outputs.iter().flatten().next() else { return Some(None) };
    let mut c = s.clone();
    c.graph.outputs = vec![*id];
    Some(Some(c))
}

/// Replaces a computed tensor by an input with its exact value.
fn cut_above(s: &Specimen, position: usize) -> Option<Option<Specimen>> {
    let node = s.graph.nodes.get(position)?;
    let Some(values) = values(s) else { return Some(None) };
    let mut c = s.clone();
    c.graph.nodes.remove(position);
    for id in node.outputs.iter().flatten() {
        c.graph.outputs.retain(|o| o != id);
        let Some(tensor) = values[id.index()].clone() else { return Some(None) };
        c.graph.inputs.push(*id);
        c.inputs.push(tensor);
    }
    Some(Some(c))
}

/// Lets readers of a node's result read one of its operands of the same shape and type instead.
fn bypass(s: &Specimen, position: usize) -> Option<Option<Specimen>> {
    let node = s.graph.nodes.get(position)?;
    let [Some(result)] = node.outputs.as_slice() else { return Some(None) };
    let looks = |id: ValueId| (s.graph.value(id).dtype, s.graph.value(id).static_shape());
    let Some(&operand) = node.inputs.iter().flatten().find(|&&i| looks(i) == looks(*result)) else {
        return Some(None);
    };
    let mut c = s.clone();
    c.graph.nodes.remove(position);
    for n in &mut c.graph.nodes {
        for id in n.inputs.iter_mut().flatten().filter(|id| **id == *result) {
            *id = operand;
        }
    }
    for id in c.graph.outputs.iter_mut().filter(|id| **id == *result) {
        *id = operand;
    }
    Some(Some(c))
}

/// Extents that occur, largest first, each with the smaller ones to try.
fn extents(s: &Specimen) -> Vec<(usize, usize)> {
    let mut all: Vec<usize> = tensors(s).iter().flat_map(|t| t.shape.clone()).collect();
    all.sort_unstable();
    all.dedup();
    all.iter()
        .rev()
        .flat_map(|&n| {
            let mut smaller = vec![1, 2, n / 2, n.saturating_sub(1)];
            smaller.retain(|&m| m > 0 && m < n);
            smaller.dedup();
            smaller.into_iter().map(move |m| (n, m))
        })
        .collect()
}

/// Inputs and float constants.
fn tensors(s: &Specimen) -> Vec<&Tensor> {
    let constants =
        s.graph.values.iter().filter_map(|v| v.constant.as_deref()).filter(|t| t.floats().is_some());
    s.inputs.iter().chain(constants).collect()
}

/// Shrinks every axis of one extent, in all inputs and float constants at once, and the same number in shape constants.
fn shrink_extent(s: &Specimen, position: usize) -> Option<Option<Specimen>> {
    let &(from, to) = extents(s).get(position)?;
    let mut c = s.clone();
    for t in &mut c.inputs {
        *t = crop(t, |extent| if extent == from { to } else { extent });
    }
    for value in &mut c.graph.values {
        let Some(t) = value.constant.as_deref() else { continue };
        let smaller = match &t.data {
            Data::I64(v) => Tensor::i64(
                t.shape.clone(),
                v.iter().map(|&x| if x == from as i64 { to as i64 } else { x }).collect(),
            ),
            _ => crop(t, |extent| if extent == from { to } else { extent }),
        };
        value.constant = Some(Arc::new(smaller));
    }
    Some(Some(c))
}

/// Shrinks one axis of one input or constant to 1 or by half.
fn shrink_axis(s: &Specimen, position: usize) -> Option<Option<Specimen>> {
    let mut left = position;
    let constants =
        s.graph.values.iter().enumerate().filter_map(|(i, v)| Some((Some(i), v.constant.as_deref()?)));
    let all =
        s.inputs.iter().enumerate().map(|(i, t)| ((None, i), t)).chain(constants.map(|(i, t)| ((i, 0), t)));
    for ((constant, input), t) in all {
        for axis in 0..t.shape.len() {
            for to in [1, t.shape[axis] / 2] {
                if to == 0 || to >= t.shape[axis] {
                    continue;
                }
                if left > 0 {
                    left -= 1;
                    continue;
                }
                let mut at = 0;
                let smaller = crop(t, |extent| {
                    at += 1;
                    if at - 1 == axis { to } else { extent }
                });
                let mut c = s.clone();
                match constant {
                    Some(i) => c.graph.values[i].constant = Some(Arc::new(smaller)),
                    None => c.inputs[input] = smaller,
                }
                return Some(Some(c));
            }
        }
    }
    None
}

/// The leading part of a tensor, with a new extent per axis.
fn crop(t: &Tensor, mut new: impl FnMut(usize) -> usize) -> Tensor {
    let shape: Vec<usize> = t.shape.iter().map(|&d| new(d)).collect();
    let mut keep = vec![];
    let mut index = vec![0; shape.len()];
    for _ in 0..shape.iter().product::<usize>() {
        keep.push(index.iter().zip(&t.shape).fold(0, |at, (&i, &d)| at * d + i));
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            if index[axis] < shape[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
    let data = match &t.data {
        Data::F32(v) => Data::F32(keep.iter().map(|&i| v[i]).collect()),
        Data::F16(v) => Data::F16(keep.iter().map(|&i| v[i]).collect()),
        Data::F64(v) => Data::F64(keep.iter().map(|&i| v[i]).collect()),
        Data::I64(v) => Data::I64(keep.iter().map(|&i| v[i]).collect()),
        Data::I32(v) => Data::I32(keep.iter().map(|&i| v[i]).collect()),
        Data::Bool(v) => Data::Bool(keep.iter().map(|&i| v[i]).collect()),
        _ => return t.clone(),
    };
    Tensor::new(shape, data)
}

/// Sets one attribute to its default.
fn plain_attribute(s: &Specimen, position: usize) -> Option<Option<Specimen>> {
    let (at, name) = s
        .graph
        .nodes
        .iter()
        .enumerate()
        .flat_map(|(i, n)| n.op.attributes().into_iter().map(move |(a, _)| (i, a)))
        .nth(position)?;
    let op = &s.graph.nodes[at].op;
    let attrs: Attrs =
        op.attributes().into_iter().filter(|(n, _)| *n != name).map(|(n, a)| (n.to_string(), a)).collect();
    let Ok(op) = Op::from_attributes(op.name(), &attrs) else { return Some(None) };
    let mut c = s.clone();
    c.graph.nodes[at].op = op;
    Some(Some(c))
}

/// Drops the last operand of a node (a bias, a bound), if the operator can do without.
fn drop_optional_input(s: &Specimen, position: usize) -> Option<Option<Specimen>> {
    let node = s.graph.nodes.get(position)?;
    let least = node.op.info().map_or(usize::MAX, |i| i.inputs.0);
    if node.inputs.len() <= least {
        return Some(None);
    }
    let mut c = s.clone();
    c.graph.nodes[position].inputs.pop();
    Some(Some(c))
}

/// Maps the float elements of a tensor; `None` for integers and when nothing changes.
fn mapped(t: &Tensor, f: impl Fn(usize, f64) -> f64) -> Option<Tensor> {
    let v = t.floats()?;
    let new: Vec<f64> = v.iter().enumerate().map(|(i, &x)| f(i, x)).collect();
    if new == v {
        return None;
    }
    let data = match &t.data {
        Data::F32(_) => Data::F32(new.iter().map(|&x| x as f32).collect()),
        Data::F16(_) => Data::F16(new.iter().map(|&x| half::f16::from_f64(x)).collect()),
        _ => Data::F64(new),
    };
    Some(Tensor::new(t.shape.clone(), data))
}

/// The `k`-th way of making elements plain: all 1, all 0, one half 1, the other half 1…
fn plain(t: &Tensor, k: usize) -> Option<Option<Tensor>> {
    let n = t.len();
    let half = |i: usize| i < n / 2;
    Some(match k {
        0 => mapped(t, |_, _| 1.0),
        1 => mapped(t, |_, _| 0.0),
        2 => mapped(t, |i, x| if half(i) { 1.0 } else { x }),
        3 => mapped(t, |i, x| if half(i) { x } else { 1.0 }),
        4 => mapped(t, |i, x| if half(i) { 0.0 } else { x }),
        5 => mapped(t, |i, x| if half(i) { x } else { 0.0 }),
        k if k < 6 + n.min(64) => mapped(t, |i, x| if i == k - 6 { 1.0 } else { x }),
        k if k < 6 + 2 * n.min(64) => mapped(t, |i, x| if i == k - 6 - n.min(64) { 0.0 } else { x }),
        _ => return None,
    })
}

/// Tries `way(tensor, k)` for every constant (or every input) and every k in turn.
fn over_tensors(
    s: &Specimen,
    position: usize,
    constants: bool,
    way: impl Fn(&Tensor, usize) -> Option<Option<Tensor>>,
) -> Option<Option<Specimen>> {
    let mut left = position;
    let count = if constants { s.graph.values.len() } else { s.inputs.len() };
    for i in 0..count {
        let t = match constants {
            true => s.graph.values[i].constant.as_deref(),
            false => Some(&s.inputs[i]),
        };
        let Some(t) = t.filter(|t| t.floats().is_some()) else { continue };
        let mut k = 0;
        while let Some(new) = way(t, k) {
            k += 1;
            if left > 0 {
                left -= 1;
                continue;
            }
            return Some(new.map(|new| {
                let mut c = s.clone();
                match constants {
                    true => c.graph.values[i].constant = Some(Arc::new(new)),
                    false => c.inputs[i] = new,
                }
                c
            }));
        }
    }
    None
}

fn plain_constant(s: &Specimen, position: usize) -> Option<Option<Specimen>> {
    over_tensors(s, position, true, plain)
}

fn plain_input(s: &Specimen, position: usize) -> Option<Option<Specimen>> {
    over_tensors(s, position, false, plain)
}

/// The `k`-th way of rounding all elements: to integers, halves, eighths, then to two, three digits.
fn rounded(t: &Tensor, k: usize) -> Option<Option<Tensor>> {
    let unit = *[1.0, 2.0, 8.0, 100.0, 1000.0].get(k)?;
    Some(mapped(t, |_, x| (x * unit).round() / unit))
}

fn round_constant(s: &Specimen, position: usize) -> Option<Option<Specimen>> {
    over_tensors(s, position, true, rounded)
}

fn round_input(s: &Specimen, position: usize) -> Option<Option<Specimen>> {
    over_tensors(s, position, false, rounded)
}
