//! Lowers LSTM, GRU and RNN by unrolling them over their static time axis.
//!
//! The input products of all steps are one FULLY_CONNECTED; each step adds the product of the state. A state that starts
//! as zeros takes no product in the first step. Gates stand in ONNX's order: i, o, f, c for LSTM and z, r, h for GRU.

use super::activation::apply;
use super::binary::{add, mul, sub};
use super::concat::slice_axis;
use super::context::Context;
use super::conv::short;
use super::perm::Perm;
use crate::target::TensorId;
use halfproof_ir::ops::{Celu, Direction, Elu, HardSigmoid, LeakyRelu, ThresholdedRelu};
use halfproof_ir::{Node, Op, Role, ValueId};
use halfproof_wire::tflite::{Activation, Builtin, options};

const NONE: Activation = Activation::None;

/// The attributes that the three operators share.
struct Cell<'a> {
    gates: usize,
    activations: &'a [String],
    alpha: &'a [f32],
    beta: &'a [f32],
    clip: Option<f32>,
    direction: Direction,
    batch_first: bool,
    /// Activations of one direction when none are named.
    default: &'static [&'static str],
}

/// One direction's constants, in f64.
struct Weights {
    input: Vec<f64>,
    state: Vec<f64>,
    /// Input bias and state bias.
    bias: (Vec<f64>, Vec<f64>),
    peephole: Option<Vec<f64>>,
    functions: Vec<Op>,
}

/// Extents.
#[derive(Clone, Copy)]
struct Size {
    steps: usize,
    batch: usize,
    input: usize,
    hidden: usize,
}

pub(super) fn lower(cx: &mut Context<'_>, index: usize) -> Result<(), String> {
    let graph = cx.graph;
    let node = &graph.nodes[index];
    let cell = match &node.op {
        Op::LSTM(r) => Cell {
            gates: 4,
            activations: &r.activations,
            alpha: &r.activation_alpha,
            beta: &r.activation_beta,
            clip: r.clip,
            direction: r.direction,
            batch_first: r.layout == 1,
            default: &["Sigmoid", "Tanh", "Tanh"],
        },
        Op::GRU(r) => Cell {
            gates: 3,
            activations: &r.activations,
            alpha: &r.activation_alpha,
            beta: &r.activation_beta,
            clip: r.clip,
            direction: r.direction,
            batch_first: r.layout == 1,
            default: &["Sigmoid", "Tanh"],
        },
        Op::RNN(r) => Cell {
            gates: 1,
            activations: &r.activations,
            alpha: &r.activation_alpha,
            beta: &r.activation_beta,
            clip: r.clip,
            direction: r.direction,
            batch_first: r.layout == 1,
            default: &["Tanh"],
        },
        other => return Err(format!("{} is not recurrent", other.name())),
    };
    let x = cx.input(node, 0)?;
    let shape = cx.shape(x)?;
    if !cx.ty(x)?.dtype.is_float() {
        return Err(format!("{} is not a float", cx.ty(x)?.dtype));
    }
    let hidden = cx.shape(cx.input(node, 2)?)?[2];
    let size = match cell.batch_first {
        true => Size { steps: shape[1], batch: shape[0], input: shape[2], hidden },
        false => Size { steps: shape[0], batch: shape[1], input: shape[2], hidden },
    };
    const LONGEST: usize = 4096;
    if size.steps > LONGEST {
        return Err(format!("{} steps are too many to unroll", size.steps));
    }
    if let Some(lengths) = cx.optional(node, 4) {
        let all = cx.constant(lengths).and_then(|t| t.integers()).ok_or("sequence_lens is not constant")?;
        if all.iter().any(|&n| n != size.steps.cast_signed() as i64) {
            return Err("sequence_lens shortens some sequences".into());
        }
    }
    let time_first =
        Perm::new([if cell.batch_first { 1 } else { 0 }, if cell.batch_first { 0 } else { 1 }, 2]);
    let rows = cx.shaped(x, &time_first, &[size.steps * size.batch, size.input])?;
    let directions = if cell.direction == Direction::Bidirectional { 2 } else { 1 };
    let mut all = Vec::with_capacity(directions);
    let mut last_states = Vec::with_capacity(directions);
    let mut last_cells = Vec::with_capacity(directions);
    for d in 0..directions {
        let weights = weights(cx, node, &cell, size, d, directions)?;
        let state = initial(cx, node, 5, d, directions, size, cell.batch_first)?;
        let inner = match cell.gates {
            4 => initial(cx, node, 6, d, directions, size, cell.batch_first)?,
            _ => None,
        };
        let backward = cell.direction == Direction::Reverse || d == 1;
        let (states, last_cell) = unroll(cx, &node.op, &cell, &weights, rows, size, state, inner, backward);
        last_states.push(if backward { states[0] } else { states[size.steps - 1] });
        last_cells.push(last_cell);
        all.push(states);
    }
    bind(cx, node, &cell, size, &all, &last_states, &last_cells)
}

/// One direction's part of the constant operands.
fn weights(
    cx: &Context<'_>,
    node: &Node,
    cell: &Cell<'_>,
    size: Size,
    d: usize,
    directions: usize,
) -> Result<Weights, String> {
    let part = |i: usize, what: &str| -> Result<Option<Vec<f64>>, String> {
        let Some(v) = cx.optional(node, i) else { return Ok(None) };
        let all = cx.constant(v).and_then(|t| t.floats()).ok_or_else(|| format!("{what} is not constant"))?;
        let each = all.len() / directions;
        Ok(Some(all[d * each..(d + 1) * each].to_vec()))
    };
    let rows = cell.gates * size.hidden;
    let bias = part(3, "B")?.unwrap_or_else(|| vec![0.0; 2 * rows]);
    let input = part(1, "W")?.ok_or("W is missing")?;
    let state = part(2, "R")?.ok_or("R is missing")?;
    if input.len() != rows * size.input || state.len() != rows * size.hidden || bias.len() != 2 * rows {
        return Err("weights do not fit the sizes".into());
    }
    let peephole = if cell.gates == 4 { part(7, "P")? } else { None };
    let count = cell.default.len();
    let (names, first): (Vec<&str>, usize) = match cell.activations.len() {
        0 => (cell.default.to_vec(), 0),
        n if n == count * directions => (cell.activations.iter().map(String::as_str).collect(), d * count),
        n => return Err(format!("{n} activations are named for {} places", count * directions)),
    };
    // Parameters are listed for the activations that take them, in order, those of the other direction too.
    let mut taken = (0, 0);
    let all: Vec<Op> =
        names.iter().map(|n| function(n, cell.alpha, cell.beta, &mut taken)).collect::<Result<_, _>>()?;
    let functions = all[first..first + count].to_vec();
    Ok(Weights { input, state, bias: (bias[..rows].to_vec(), bias[rows..].to_vec()), peephole, functions })
}

/// A named activation with its parameters.
pub(super) fn function(
    name: &str,
    alpha: &[f32],
    beta: &[f32],
    taken: &mut (usize, usize),
) -> Result<Op, String> {
    let mut next_alpha = |default: f32| {
        taken.0 += 1;
        alpha.get(taken.0 - 1).copied().unwrap_or(default)
    };
    let lower = name.to_ascii_lowercase();
    Ok(match lower.as_str() {
        "sigmoid" => Op::Sigmoid,
        "tanh" => Op::Tanh,
        "relu" => Op::Relu,
        "softsign" => Op::Softsign,
        "softplus" => Op::Softplus,
        "leakyrelu" => LeakyRelu { alpha: next_alpha(0.01) }.into(),
        "thresholdedrelu" => ThresholdedRelu { alpha: next_alpha(1.0) }.into(),
        "elu" => Elu { alpha: next_alpha(1.0) }.into(),
        "celu" => Celu { alpha: next_alpha(1.0) }.into(),
        "hardsigmoid" => {
            let alpha = next_alpha(0.2);
            taken.1 += 1;
            HardSigmoid { alpha, beta: beta.get(taken.1 - 1).copied().unwrap_or(0.5) }.into()
        }
        _ => return Err(format!("activation {name} is not supported")),
    })
}

/// An initial state as batch by hidden; `None` for zeros.
fn initial(
    cx: &mut Context<'_>,
    node: &Node,
    i: usize,
    d: usize,
    directions: usize,
    size: Size,
    batch_first: bool,
) -> Result<Option<TensorId>, String> {
    let Some(v) = cx.optional(node, i) else { return Ok(None) };
    if cx.constant(v).and_then(|t| t.floats()).is_some_and(|t| t.iter().all(|&x| x == 0.0)) {
        return Ok(None);
    }
    let order = Perm::new(if batch_first { [1, 0, 2] } else { [0, 1, 2] });
    if directions == 1 {
        return cx.shaped(v, &order, &[size.batch, size.hidden]).map(Some);
    }
    let flat = cx.shaped(v, &order, &[directions * size.batch, size.hidden])?;
    Ok(Some(slice_axis(cx, flat, 0, d * size.batch, size.batch)))
}

/// The operators of a step, on tensors of one shape.
struct Step<'a, 'g> {
    cx: &'a mut Context<'g>,
    shape: Vec<usize>,
}

impl Step<'_, '_> {
    fn add(&mut self, a: TensorId, b: TensorId) -> TensorId {
        self.cx.emit(Builtin::Add, &[a, b], add(NONE), self.shape.clone())
    }
    fn sub(&mut self, a: TensorId, b: TensorId) -> TensorId {
        self.cx.emit(Builtin::Sub, &[a, b], sub(NONE), self.shape.clone())
    }
    fn mul(&mut self, a: TensorId, b: TensorId) -> TensorId {
        self.cx.emit(Builtin::Mul, &[a, b], mul(NONE), self.shape.clone())
    }
    /// `1 - x`.
    fn rest(&mut self, x: TensorId) -> TensorId {
        let one = self.cx.float(1.0, Role::Plain);
        self.sub(one, x)
    }
    fn clipped(&mut self, x: TensorId, clip: Option<f32>) -> TensorId {
        let Some(limit) = clip else { return x };
        let (low, high) =
            (self.cx.float(-f64::from(limit), Role::Bound), self.cx.float(limit.into(), Role::Bound));
        let x = self.cx.emit(Builtin::Maximum, &[x, low], options::MaximumMinimum {}, self.shape.clone());
        self.cx.emit(Builtin::Minimum, &[x, high], options::MaximumMinimum {}, self.shape.clone())
    }
    /// Clips, then applies a gate's function.
    fn gate(&mut self, f: &Op, x: TensorId, clip: Option<f32>) -> TensorId {
        let x = self.clipped(x, clip);
        apply(self.cx, f, x)
    }
    /// `x + p * c` for one of the peepholes; `x` without peepholes or with `c` zero.
    fn peep(&mut self, x: TensorId, p: Option<&[f64]>, c: Option<TensorId>) -> TensorId {
        let (Some(p), Some(c)) = (p, c) else { return x };
        let p = self.cx.floats([p.len()], p.to_vec(), Role::Scale);
        let term = self.mul(c, p);
        self.add(x, term)
    }
}

/// `rows @ weights' + bias`.
fn product(cx: &mut Context<'_>, rows: TensorId, weights: &[f64], bias: Vec<f64>) -> TensorId {
    let shape = cx.extents(rows);
    let (n, outputs, inner) = (shape[0], bias.len(), shape[1]);
    let weights = cx.floats([outputs, inner], weights.to_vec(), Role::Weight);
    let bias = cx.floats([outputs], bias, Role::Bias);
    cx.emit(Builtin::FullyConnected, &[rows, weights, bias], options::FullyConnected::default(), [n, outputs])
}

/// All states of one direction in time order, and the last cell state.
fn unroll(
    cx: &mut Context<'_>,
    op: &Op,
    cell: &Cell<'_>,
    w: &Weights,
    rows: TensorId,
    size: Size,
    state: Option<TensorId>,
    inner: Option<TensorId>,
    backward: bool,
) -> (Vec<TensorId>, Option<TensorId>) {
    let wide = cell.gates * size.hidden;
    // GRU keeps the state's bias of the candidate gate inside its product; everything else adds both at once.
    let apart = matches!(op, Op::GRU(g) if g.linear_before_reset);
    let joint: Vec<f64> = (0..wide)
        .map(|r| w.bias.0[r] + if apart && r >= 2 * size.hidden { 0.0 } else { w.bias.1[r] })
        .collect();
    let inputs = product(cx, rows, &w.input, joint);
    let steps: Vec<TensorId> =
        (0..size.steps).map(|t| slice_axis(cx, inputs, 0, t * size.batch, size.batch)).collect();
    let shared = Shared::new(cx, op, w, size, apart);
    let mut states = vec![inputs; size.steps];
    let (mut h, mut c) = (state, inner);
    for i in 0..size.steps {
        let t = if backward { size.steps - 1 - i } else { i };
        let next = step(cx, op, cell, w, &shared, steps[t], size, h, &mut c);
        states[t] = next;
        h = Some(next);
    }
    (states, c)
}

/// The state's weights and bias, one pair of constants for all steps: of all gates, or of the gates and of the candidate
/// for GRU, whose candidate may see another state.
struct Shared {
    gates: (TensorId, TensorId),
    candidate: Option<(TensorId, TensorId)>,
}

impl Shared {
    fn new(cx: &mut Context<'_>, op: &Op, w: &Weights, size: Size, apart: bool) -> Shared {
        let matrix = |cx: &mut Context<'_>, from: usize, to: usize, bias: Vec<f64>| {
            let h = size.hidden;
            let weights = cx.floats([to - from, h], w.state[from * h..to * h].to_vec(), Role::Weight);
            (weights, cx.floats([to - from], bias, Role::Bias))
        };
        let rows = w.bias.0.len();
        if !matches!(op, Op::GRU(_)) {
            return Shared { gates: matrix(cx, 0, rows, vec![0.0; rows]), candidate: None };
        }
        let cut = 2 * size.hidden;
        let bias = if apart { w.bias.1[cut..].to_vec() } else { vec![0.0; size.hidden] };
        let gates = matrix(cx, 0, cut, vec![0.0; cut]);
        Shared { gates, candidate: Some(matrix(cx, cut, rows, bias)) }
    }
}

fn state_product(cx: &mut Context<'_>, h: TensorId, (weights, bias): (TensorId, TensorId)) -> TensorId {
    let out = [cx.extents(h)[0], cx.extents(weights)[0]];
    cx.emit(Builtin::FullyConnected, &[h, weights, bias], options::FullyConnected::default(), out)
}

/// One step: the next state; `c` is the LSTM's cell state.
fn step(
    cx: &mut Context<'_>,
    op: &Op,
    cell: &Cell<'_>,
    w: &Weights,
    shared: &Shared,
    x: TensorId,
    size: Size,
    h: Option<TensorId>,
    c: &mut Option<TensorId>,
) -> TensorId {
    let (n, clip, shape) = (size.hidden, cell.clip, vec![size.batch, size.hidden]);
    let sum = |cx: &mut Context<'_>, a: TensorId, b: TensorId| {
        let shape = cx.extents(a);
        cx.emit(Builtin::Add, &[a, b], add(NONE), shape)
    };
    match op {
        Op::GRU(g) => {
            let gates_x = slice_axis(cx, x, 1, 0, 2 * n);
            let candidate_x = slice_axis(cx, x, 1, 2 * n, n);
            let candidate_w = shared.candidate.unwrap_or(shared.gates);
            let gates = match h {
                Some(h) => {
                    let r = state_product(cx, h, shared.gates);
                    sum(cx, gates_x, r)
                }
                None => gates_x,
            };
            let (z, r) = halves(cx, gates, n);
            let mut s = Step { cx, shape };
            let z = s.gate(&w.functions[0], z, clip);
            let reset = |s: &mut Step<'_, '_>| s.gate(&w.functions[0], r, clip);
            let candidate = match (h, g.linear_before_reset) {
                (Some(h), true) => {
                    let r = reset(&mut s);
                    let product = state_product(s.cx, h, candidate_w);
                    let product = s.mul(r, product);
                    s.add(candidate_x, product)
                }
                (Some(h), false) => {
                    let r = reset(&mut s);
                    let held = s.mul(r, h);
                    let product = state_product(s.cx, held, candidate_w);
                    s.add(candidate_x, product)
                }
                // A zero state leaves the bias of its product.
                (None, true) => {
                    let bias = candidate_w.1;
                    let r = reset(&mut s);
                    let held = s.mul(r, bias);
                    s.add(candidate_x, held)
                }
                (None, false) => candidate_x,
            };
            let candidate = s.gate(&w.functions[1], candidate, clip);
            let rest = s.rest(z);
            let fresh = s.mul(rest, candidate);
            match h {
                Some(h) => {
                    let kept = s.mul(z, h);
                    s.add(fresh, kept)
                }
                None => fresh,
            }
        }
        _ => {
            let gates = match h {
                Some(h) => {
                    let r = state_product(cx, h, shared.gates);
                    sum(cx, x, r)
                }
                None => x,
            };
            let Op::LSTM(l) = op else {
                let mut s = Step { cx, shape };
                return s.gate(&w.functions[0], gates, clip);
            };
            let parts = quarters(cx, gates, n);
            let peephole = |k: usize| w.peephole.as_ref().map(|p| &p[k * n..(k + 1) * n]);
            let mut s = Step { cx, shape };
            let i = s.peep(parts[0], peephole(0), *c);
            let i = s.gate(&w.functions[0], i, clip);
            let candidate = s.gate(&w.functions[1], parts[3], clip);
            let fresh = s.mul(i, candidate);
            let next = match *c {
                Some(c) => {
                    let f = if l.input_forget {
                        s.rest(i)
                    } else {
                        let f = s.peep(parts[2], peephole(2), Some(c));
                        s.gate(&w.functions[0], f, clip)
                    };
                    let kept = s.mul(f, c);
                    s.add(kept, fresh)
                }
                None => fresh,
            };
            let o = s.peep(parts[1], peephole(1), Some(next));
            let o = s.gate(&w.functions[0], o, clip);
            *c = Some(next);
            let squashed = apply(s.cx, &w.functions[2], next);
            s.mul(o, squashed)
        }
    }
}

/// Splits the last axis in two.
fn halves(cx: &mut Context<'_>, x: TensorId, n: usize) -> (TensorId, TensorId) {
    let parts = split(cx, x, n, 2);
    (parts[0], parts[1])
}

/// Splits the last axis in four.
fn quarters(cx: &mut Context<'_>, x: TensorId, n: usize) -> Vec<TensorId> {
    split(cx, x, n, 4)
}

fn split(cx: &mut Context<'_>, x: TensorId, n: usize, parts: usize) -> Vec<TensorId> {
    let batch = cx.extents(x)[0];
    let dtype = cx.dtype(x);
    let outputs: Vec<TensorId> = (0..parts).map(|_| cx.tensor([batch, n], dtype)).collect();
    let axis = cx.int(1);
    cx.add(
        Builtin::Split,
        vec![Some(axis), Some(x)],
        outputs.clone(),
        options::Split { num_splits: short(parts) },
    );
    outputs
}

/// Joins the states into the three results.
fn bind(
    cx: &mut Context<'_>,
    node: &Node,
    cell: &Cell<'_>,
    size: Size,
    all: &[Vec<TensorId>],
    last_states: &[TensorId],
    last_cells: &[Option<TensorId>],
) -> Result<(), String> {
    let directions = all.len();
    let (t, b, h) = (size.steps, size.batch, size.hidden);
    let result = |i: usize| node.outputs.get(i).copied().flatten();
    if let Some(y) = result(0) {
        let columns: Vec<TensorId> = all
            .iter()
            .map(|states| {
                let rows = join(cx, states, 0, vec![t * b, h]);
                cx.reshape(rows, &[t, b * h])
            })
            .collect();
        let out = join(cx, &columns, 1, vec![t, directions * b * h]);
        // Held as time, direction, batch, hidden.
        let order = if cell.batch_first { Perm::new([1, 2, 0, 3]) } else { Perm::identity(4) };
        bind_as(cx, y, out, order);
    }
    let order = if cell.batch_first { Perm::new([1, 0, 2]) } else { Perm::identity(3) };
    if let Some(y) = result(1) {
        let out = join(cx, last_states, 0, vec![directions * b, h]);
        bind_as(cx, y, out, order);
    }
    if let Some(y) = result(2) {
        let cells: Vec<TensorId> = last_cells.iter().copied().flatten().collect();
        if cells.len() != directions {
            return Err("there is no cell state".into());
        }
        let out = join(cx, &cells, 0, vec![directions * b, h]);
        bind_as(cx, y, out, order);
    }
    Ok(())
}

fn bind_as(cx: &mut Context<'_>, y: ValueId, tensor: TensorId, order: Perm) {
    cx.bind(y, tensor, order);
}

fn join(cx: &mut Context<'_>, parts: &[TensorId], axis: usize, shape: Vec<usize>) -> TensorId {
    if let [one] = parts {
        return *one;
    }
    let options = options::Concatenation { axis: short(axis), fused_activation_function: NONE };
    cx.emit(Builtin::Concatenation, parts, options, shape)
}
