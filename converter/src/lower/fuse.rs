//! Decides which source nodes are absorbed into an earlier one: activations, per-channel scales and shifts, batch
//! normalisations, and the operators that make up a GELU.
//!
//! A node is absorbed only when its operand has no other reader, so that no value anybody sees is lost. Affine steps
//! are composed in f64; nothing is approximated.

use crate::infer::Type;
use halfproof_ir::{Graph, Node, Op, Rewrite, Tensor, ValueId};
use halfproof_wire::tflite::Activation;

/// `y * scale + shift` per output channel.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Affine {
    /// Factors, one per channel.
    pub(crate) scale: Vec<f64>,
    /// Summands, one per channel.
    pub(crate) shift: Vec<f64>,
}

/// What a node absorbs.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Tail {
    /// The absorbed nodes, in order.
    pub(crate) absorbed: Vec<usize>,
    /// The affine step, if any.
    pub(crate) affine: Option<Affine>,
    /// The activation after it.
    pub(crate) activation: Activation,
    /// The value that the node now makes; its own first result when nothing is absorbed.
    pub(crate) output: Option<ValueId>,
}

/// An operator that stands for several source nodes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fused {
    /// GELU of a value.
    Gelu(ValueId),
}

/// The whole plan.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    skip: Vec<bool>,
    tails: Vec<Tail>,
    fused: Vec<Option<Fused>>,
    alias: Vec<ValueId>,
    /// Deliberate changes of source constants.
    pub(crate) rewrites: Vec<Rewrite>,
}

impl Plan {
    /// Whether a node needs no operators of its own.
    pub(crate) fn skips(&self, node: usize) -> bool {
        self.skip[node]
    }

    /// What a node absorbs.
    pub(crate) fn tail(&self, node: usize) -> &Tail {
        &self.tails[node]
    }

    /// What stands in a node's place.
    pub(crate) fn fused(&self, node: usize) -> Option<&Fused> {
        self.fused[node].as_ref()
    }

    /// The value that a copy copies.
    pub(crate) fn resolve(&self, value: ValueId) -> ValueId {
        self.alias[value.index()]
    }
}

/// Who reads a value.
struct Uses {
    readers: Vec<Vec<usize>>,
    public: Vec<bool>,
}

impl Uses {
    /// The only reader of a value that nobody outside sees.
    fn only(&self, value: ValueId) -> Option<usize> {
        match self.readers[value.index()].as_slice() {
            [one] if !self.public[value.index()] => Some(*one),
            _ => None,
        }
    }
}

/// Plans the fusions of a graph. Dead nodes are skipped.
pub(crate) fn plan(graph: &Graph, types: &[Option<Type>]) -> Plan {
    let n = graph.nodes.len();
    let mut plan = Plan {
        skip: vec![false; n],
        tails: vec![Tail::default(); n],
        fused: vec![None; n],
        alias: (0..graph.values.len()).map(|i| ValueId(u32::try_from(i).unwrap_or(u32::MAX))).collect(),
        rewrites: Vec::new(),
    };
    skip_dead(graph, &mut plan);
    let mut uses =
        Uses { readers: vec![Vec::new(); graph.values.len()], public: vec![false; graph.values.len()] };
    for id in &graph.outputs {
        uses.public[id.index()] = true;
    }
    for (i, node) in graph.nodes.iter().enumerate() {
        if plan.skip[i] {
            continue;
        }
        if let (Some(from), Some(to)) = (copied(node, types), node.outputs.first().copied().flatten())
            && !uses.public[to.index()]
        {
            plan.alias[to.index()] = plan.resolve(from);
            plan.skip[i] = true;
            continue;
        }
        for id in node.inputs.iter().flatten() {
            uses.readers[plan.resolve(*id).index()].push(i);
        }
    }
    for i in 0..n {
        if matches!(graph.nodes[i].op, Op::Erf) && !plan.skip[i] {
            gelu(graph, types, &uses, i, &mut plan);
        }
    }
    for i in 0..n {
        if !plan.skip[i] && plan.fused[i].is_none() {
            absorb(graph, types, &uses, i, &mut plan);
        }
    }
    plan
}

fn skip_dead(graph: &Graph, plan: &mut Plan) {
    let mut live = vec![false; graph.values.len()];
    for id in &graph.outputs {
        live[id.index()] = true;
    }
    for (i, node) in graph.nodes.iter().enumerate().rev() {
        if node.outputs.iter().flatten().any(|id| live[id.index()]) {
            for id in node.inputs.iter().flatten() {
                live[id.index()] = true;
            }
        } else {
            plan.skip[i] = true;
        }
    }
}

/// The operand of a node that changes nothing: Identity, or a Cast between floats (all floats are one type here).
fn copied(node: &Node, types: &[Option<Type>]) -> Option<ValueId> {
    let from = node.inputs.first().copied().flatten()?;
    match &node.op {
        Op::Identity => Some(from),
        Op::Cast(c) => {
            let dtype = types[from.index()].as_ref()?.dtype;
            (dtype == c.to || dtype.is_float() && c.to.is_float()).then_some(from)
        }
        _ => None,
    }
}

/// What a node can absorb.
struct Head {
    /// Per-channel steps: the channel axis of the result, and its extent.
    channel: Option<(usize, usize)>,
    activation: bool,
}

fn head(graph: &Graph, types: &[Option<Type>], node: &Node) -> Option<Head> {
    let ty = types[node.outputs.first().copied().flatten()?.index()].as_ref()?;
    if !ty.dtype.is_float() {
        return None;
    }
    let constant =
        |i: usize| node.inputs.get(i).copied().flatten().is_some_and(|v| graph.constant(v).is_some());
    let absent_or_constant = |i: usize| node.inputs.get(i).copied().flatten().is_none() || constant(i);
    let at = |axis: usize| ty.shape.get(axis).map(|&d| (axis, d));
    Some(match &node.op {
        Op::Conv(_) => Head {
            channel: at(1).filter(|_| constant(1) && absent_or_constant(2)),
            activation: ty.rank() <= 5,
        },
        Op::ConvTranspose(_) => {
            Head { channel: at(1).filter(|_| constant(1) && absent_or_constant(2)), activation: false }
        }
        Op::Gemm(_) => Head {
            channel: at(1).filter(|_| constant(1) && absent_or_constant(2)),
            activation: constant(1) && absent_or_constant(2),
        },
        Op::MatMul if constant(1) => {
            let rhs = types[node.inputs.get(1).copied().flatten()?.index()].as_ref()?;
            if rhs.rank() != 2 || ty.rank() == 0 {
                return None;
            }
            Head { channel: at(ty.rank() - 1), activation: true }
        }
        Op::Add | Op::Sub | Op::Mul | Op::Div | Op::AveragePool(_) | Op::BatchNormalization(_) => {
            Head { channel: None, activation: true }
        }
        Op::MaxPool(_) => {
            Head { channel: None, activation: node.outputs.get(1).copied().flatten().is_none() }
        }
        _ => return None,
    })
}

fn absorb(graph: &Graph, types: &[Option<Type>], uses: &Uses, i: usize, plan: &mut Plan) {
    let node = &graph.nodes[i];
    let Some(mut output) = node.outputs.first().copied().flatten() else { return };
    let mut tail = Tail::default();
    if let Some(head) = head(graph, types, node) {
        while let Some(next) = uses.only(output) {
            if plan.skip[next] || plan.fused[next].is_some() {
                break;
            }
            let reader = &graph.nodes[next];
            let Some(result) = reader.outputs.first().copied().flatten() else { break };
            let resolve = |k: usize| reader.inputs.get(k).copied().flatten().map(|v| plan.resolve(v));
            if let Some(channel) = head.channel
                && let Some(step) = affine(graph, types, reader, output, channel, &resolve)
            {
                let before = tail.affine.take();
                tail.affine = Some(match before {
                    None => step,
                    Some(b) => Affine {
                        shift: (0..channel.1).map(|c| b.shift[c] * step.scale[c] + step.shift[c]).collect(),
                        scale: (0..channel.1).map(|c| b.scale[c] * step.scale[c]).collect(),
                    },
                });
                tail.absorbed.push(next);
                output = result;
                continue;
            }
            if head.activation
                && let Some(activation) = activation(graph, reader)
            {
                tail.activation = activation;
                tail.absorbed.push(next);
                output = result;
            }
            break;
        }
    }
    for &n in &tail.absorbed {
        plan.skip[n] = true;
    }
    tail.output = Some(output);
    plan.tails[i] = tail;
}

/// The activation that TFLite can fuse, if the node is one.
fn activation(graph: &Graph, node: &Node) -> Option<Activation> {
    match node.op {
        Op::Relu => Some(Activation::Relu),
        Op::Clip => {
            let bound = |i: usize| match node.inputs.get(i).copied().flatten() {
                None => Some(None),
                Some(v) => super::context::scalar(graph.constant(v)?).map(Some),
            };
            clip_activation(bound(1)?, bound(2)?)
        }
        _ => None,
    }
}

/// The TFLite activation that equals a Clip.
pub(crate) fn clip_activation(low: Option<f64>, high: Option<f64>) -> Option<Activation> {
    match (low, high) {
        (Some(0.0), None) => Some(Activation::Relu),
        (Some(0.0), Some(6.0)) => Some(Activation::Relu6),
        (Some(-1.0), Some(1.0)) => Some(Activation::ReluN1To1),
        (Some(0.0), Some(h)) if h == f64::INFINITY => Some(Activation::Relu),
        _ => None,
    }
}

/// A node as one per-channel affine step on `value`, if it is one and keeps the shape.
fn affine(
    graph: &Graph,
    types: &[Option<Type>],
    node: &Node,
    value: ValueId,
    (axis, channels): (usize, usize),
    resolve: &dyn Fn(usize) -> Option<ValueId>,
) -> Option<Affine> {
    let ty = types[value.index()].as_ref()?;
    if types[node.outputs.first().copied().flatten()?.index()].as_ref()?.shape != ty.shape {
        return None;
    }
    let constant = |k: usize| graph.constant(resolve(k)?);
    if let Op::BatchNormalization(_) = node.op {
        if axis != 1 || resolve(0) != Some(value) {
            return None;
        }
        return batch_normalization(node, channels, &constant);
    }
    let side = usize::from(resolve(0) == Some(value));
    if resolve(1 - side) != Some(value) {
        return None;
    }
    let c = per_channel(constant(side)?, ty.rank(), axis, channels)?;
    let ones = || vec![1.0; channels];
    let (scale, shift) = match (&node.op, side) {
        (Op::Mul, _) => (c, vec![0.0; channels]),
        (Op::Div, 1) => (c.iter().map(|x| 1.0 / x).collect(), vec![0.0; channels]),
        (Op::Add, _) => (ones(), c),
        (Op::Sub, 1) => (ones(), c.iter().map(|x| -x).collect()),
        (Op::Sub, 0) => (vec![-1.0; channels], c),
        _ => return None,
    };
    scale.iter().chain(&shift).all(|x| x.is_finite()).then_some(Affine { scale, shift })
}

/// Scale and shift of a BatchNormalization with constant statistics:
/// `(x - mean) / sqrt(var + epsilon) * gamma + beta`.
pub(crate) fn batch_normalization<'a>(
    node: &Node,
    channels: usize,
    constant: &dyn Fn(usize) -> Option<&'a Tensor>,
) -> Option<Affine> {
    let Op::BatchNormalization(op) = &node.op else { return None };
    let vector = |k: usize| constant(k).and_then(Tensor::floats).filter(|v| v.len() == channels);
    let (gamma, beta, mean, variance) = (vector(1)?, vector(2)?, vector(3)?, vector(4)?);
    let epsilon = f64::from(op.epsilon);
    let scale: Vec<f64> = (0..channels).map(|c| gamma[c] / (variance[c] + epsilon).sqrt()).collect();
    let shift: Vec<f64> = (0..channels).map(|c| beta[c] - mean[c] * scale[c]).collect();
    scale.iter().chain(&shift).all(|x| x.is_finite()).then_some(Affine { scale, shift })
}

/// The elements of a constant, one per channel, when it varies along the channel axis only.
fn per_channel(tensor: &Tensor, rank: usize, axis: usize, channels: usize) -> Option<Vec<f64>> {
    let values = tensor.floats()?;
    if values.len() == 1 && tensor.shape.len() <= rank {
        return Some(vec![values[0]; channels]);
    }
    let missing = rank.checked_sub(tensor.shape.len())?;
    let fits = tensor
        .shape
        .iter()
        .enumerate()
        .all(|(i, &d)| if i + missing == axis { d == channels } else { d == 1 });
    (fits && axis >= missing).then_some(values)
}

/// Finds `x * 0.5 * (1 + erf(x / sqrt 2))` around an Erf, in any order of its factors.
fn gelu(graph: &Graph, types: &[Option<Type>], uses: &Uses, erf: usize, plan: &mut Plan) -> Option<()> {
    let defines =
        |v: ValueId| graph.nodes.iter().position(|n| n.outputs.first().copied().flatten() == Some(v));
    let result = |i: usize| graph.nodes[i].outputs.first().copied().flatten();
    // A binary node as (other operand, constant), in either order; `Div` and `Sub` only with the constant second.
    let with_constant = |i: usize| -> Option<(ValueId, f64, ValueId)> {
        let node = &graph.nodes[i];
        let [Some(a), Some(b)] = node.inputs[..] else { return None };
        let (a, b) = (plan.resolve(a), plan.resolve(b));
        let read = |v: ValueId| super::context::scalar(graph.constant(v)?);
        let small = |v: ValueId| types[v.index()].as_ref().is_some_and(|t| t.len() == 1);
        if let (Some(c), true) = (read(b), small(b)) {
            Some((a, c, b))
        } else if matches!(node.op, Op::Mul | Op::Add) && small(a) {
            Some((b, read(a)?, a))
        } else {
            None
        }
    };
    let argument = plan.resolve(graph.nodes[erf].inputs.first().copied().flatten()?);
    let scaled = defines(argument)?;
    let (x, factor, factor_id) = with_constant(scaled)?;
    let (exact, root) = match graph.nodes[scaled].op {
        Op::Div => (std::f64::consts::SQRT_2, (factor - std::f64::consts::SQRT_2).abs()),
        Op::Mul => (std::f64::consts::FRAC_1_SQRT_2, (factor - std::f64::consts::FRAC_1_SQRT_2).abs()),
        _ => return None,
    };
    // The constant is the binary32 (or coarser) rounding of the root.
    if root > exact * 2f64.powi(-24)
        || types[x.index()].as_ref()?.shape != types[argument.index()].as_ref()?.shape
    {
        return None;
    }
    let plus = uses.only(result(erf)?)?;
    let (_, one, _) = with_constant(plus)?;
    if uses.only(argument)? != erf || one != 1.0 || !matches!(graph.nodes[plus].op, Op::Add) {
        return None;
    }
    let mul = |i: usize| matches!(graph.nodes[i].op, Op::Mul);
    let operands = |i: usize| {
        let node = &graph.nodes[i];
        let get = |k: usize| node.inputs.get(k).copied().flatten().map(|v| plan.resolve(v));
        get(0).zip(get(1))
    };
    let partner = |i: usize, v: ValueId| {
        operands(i).and_then(|(a, b)| if a == v { Some(b) } else { (b == v).then_some(a) })
    };
    let halves =
        |i: usize, of: ValueId| mul(i) && with_constant(i).is_some_and(|(v, c, _)| v == of && c == 0.5);
    let first = uses.only(result(plus)?)?;
    if !mul(first) {
        return None;
    }
    let (last, inner) = if halves(first, result(plus)?) {
        // (1 + erf) * 0.5, times x.
        let last = uses.only(result(first)?)?;
        (partner(last, result(first)?) == Some(x) && mul(last)).then_some((last, vec![first]))?
    } else {
        match partner(first, result(plus)?)? {
            // x * (1 + erf), times 0.5.
            v if v == x => {
                let last = uses.only(result(first)?)?;
                halves(last, result(first)?).then_some((last, vec![first]))?
            }
            // (x * 0.5) * (1 + erf).
            v => {
                let half = defines(v)?;
                (halves(half, x) && uses.only(v) == Some(first)).then_some((first, vec![half]))?
            }
        }
    };
    for i in [scaled, erf, plus].into_iter().chain(inner.iter().copied()) {
        plan.skip[i] = true;
    }
    if factor != exact {
        let at = graph.value(factor_id).name.clone();
        plan.rewrites.push(Rewrite { at, rule: "exact-gelu-root".into(), from: factor, to: exact });
    }
    plan.tails[last].absorbed = [scaled, erf, plus].into_iter().chain(inner).collect();
    plan.fused[last] = Some(Fused::Gelu(x));
    Some(())
}
