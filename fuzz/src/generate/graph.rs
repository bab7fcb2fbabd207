//! The builder: a growing graph and the pool of tensors that the next operator may read.

use super::dna::{Dna, Stream};
use super::ops::{DRAWS, Draw};
use super::shapes::count;
use super::weights::{ElementKind, elements, positive_elements};
use halfproof_ir::{DType, Data, Graph, Node, Op, Tensor, ValueId};

/// What graphs are wanted.
#[derive(Clone, Debug)]
pub struct Options {
    /// Most nodes a graph has (helper nodes included).
    pub max_nodes: usize,
    /// Most elements a tensor has.
    pub max_elements: usize,
    /// Only these operators (ONNX names); empty for all.
    pub ops: Vec<String>,
    /// Two operators (ONNX names), the second to read a result of the first where their types allow it.
    pub pair: Option<(&'static str, &'static str)>,
}

impl Options {
    /// The rows of the operators that are asked for: all where none is named.
    fn draws(&self) -> impl Iterator<Item = &'static Draw> {
        DRAWS.iter().filter(|d| self.ops.is_empty() || self.ops.iter().any(|o| o == d.name))
    }

    /// The ONNX names of the operators that are asked for.
    pub fn names(&self) -> Vec<&'static str> {
        self.draws().map(|d| d.name).collect()
    }
}

impl Default for Options {
    fn default() -> Options {
        Options { max_nodes: 8, max_elements: 2048, ops: vec![], pair: None }
    }
}

/// A tensor that the next operator may read.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) id: ValueId,
    pub(super) dtype: DType,
    pub(super) shape: Vec<usize>,
    /// Where its elements lie for ordinary inputs, roughly: keeps exponentials and logarithms alive.
    pub(super) span: Span,
    uses: u32,
}

impl Item {
    pub(super) fn rank(&self) -> usize {
        self.shape.len()
    }
}

/// An estimated range. Estimated, not proved: it steers, it never judges.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Span {
    pub(super) fn new(low: f64, high: f64) -> Span {
        Span { low, high }
    }

    pub(super) fn around_zero(radius: f64) -> Span {
        Span { low: -radius, high: radius }
    }

    /// The largest magnitude.
    pub(super) fn radius(self) -> f64 {
        self.low.abs().max(self.high.abs())
    }

    pub(super) fn hull(self, other: Span) -> Span {
        Span { low: self.low.min(other.low), high: self.high.max(other.high) }
    }

    /// The image under a monotone (rising or falling) function.
    pub(super) fn map(self, f: impl Fn(f64) -> f64) -> Span {
        let (a, b) = (f(self.low), f(self.high));
        Span { low: a.min(b), high: a.max(b) }
    }

    /// All products of an element of each.
    pub(super) fn times(self, other: Span) -> Span {
        let p = [self.low * other.low, self.low * other.high, self.high * other.low, self.high * other.high];
        Span {
            low: p.iter().copied().fold(f64::MAX, f64::min),
            high: p.iter().copied().fold(f64::MIN, f64::max),
        }
    }
}

/// The graph so far.
pub(super) struct Builder<'d> {
    pub(super) dna: Dna<'d>,
    pub(super) kind: ElementKind,
    pub(super) max_elements: usize,
    graph: Graph,
    pool: Vec<Item>,
    constants: Vec<(ValueId, Vec<usize>, Span)>,
    /// The tensor that the next operator is to read, if it can.
    wanted: Option<ValueId>,
}

/// How often a graph is drawn until it has the pair that was asked for: what stands before the pair decides the ranks that
/// its first operator can give.
const ATTEMPTS_FOR_PAIR: usize = 4;

/// Inputs drawn for an operator alone: some operators take one shape in a hundred.
const TRIES_ALONE: usize = 400;

/// A random valid graph: a function of the decisions and the options alone.
pub fn generate(mut dna: Dna<'_>, options: &Options) -> Graph {
    for _ in 1..ATTEMPTS_FOR_PAIR {
        let (graph, has_pair, rest) = attempt(dna, options);
        if has_pair {
            return graph;
        }
        dna = rest;
    }
    attempt(dna, options).0
}

/// A graph of one operator, with the few that keep its operands in range; where no input that was drawn fits it, some other
/// graph.
pub fn alone(name: &'static str, seed: u64) -> Graph {
    let nodes = DRAWS.iter().find(|d| d.name == name).map_or(1, |d| d.nodes);
    let options = Options { max_nodes: nodes, ops: vec![name.to_string()], ..Options::default() };
    let holds = |g: &Graph| g.nodes.iter().any(|n| n.op.name() == name);
    let mut seeds = Stream::new(seed);
    let mut graphs = (0..TRIES_ALONE).map(|_| generate(Dna::from_seed(seeds.next_u64()), &options));
    graphs.find(holds).unwrap_or_else(|| generate(Dna::from_seed(seed), &Options::default()))
}

/// One graph, whether it has the pair (true when none was asked for), and the decisions that are left.
fn attempt<'d>(dna: Dna<'d>, options: &Options) -> (Graph, bool, Dna<'d>) {
    let mut b = Builder::new(dna, options);
    let draws: Vec<&Draw> = options.draws().collect();
    let total: usize = draws.iter().map(|d| d.weight).sum();
    // The pair has its room at the end; what stands before it makes its operands.
    let room_for_pair = if options.pair.is_some() { 2 } else { 0 };
    let most = options.max_nodes.saturating_sub(room_for_pair);
    let wanted = b.dna.between(1, most.max(1));
    let mut misses = 0;
    while b.graph.nodes.len() < wanted && misses < 12 && !draws.is_empty() {
        let mut ticket = b.dna.below(total);
        let draw = draws
            .iter()
            .find(|d| {
                let hit = ticket < d.weight;
                ticket = ticket.saturating_sub(d.weight);
                hit
            })
            .expect("a ticket below the total weight hits");
        let room = wanted - b.graph.nodes.len();
        if draw.nodes > room || (draw.draw)(&mut b).is_none() {
            misses += 1;
        }
    }
    let has_pair = options.pair.is_none_or(|(first, second)| b.pair(first, second));
    if b.graph.nodes.is_empty() {
        // Nothing fitted (a narrow `ops`, or no bytes left): the smallest graph that is still one.
        let id = b.pool[0].id;
        let item = b.pool[0].clone();
        b.emit(Op::Identity, &[id], item.dtype, item.shape, item.span);
    }
    let graph = b.finish();
    (graph, has_pair, b.dna)
}

/// A valid graph with one operator more (and its helpers), reading what the graph computes; `None` when the operator that
/// was drawn fits nowhere. The tensors of `graph` need declared types and static shapes.
pub fn extend(mut graph: Graph, mut dna: Dna<'_>, options: &Options) -> Option<Graph> {
    // Names of the builder's own kind would meet those of an earlier extension.
    for (i, value) in graph.values.iter_mut().enumerate() {
        value.name = format!("t{i}");
    }
    for (i, node) in graph.nodes.iter_mut().enumerate() {
        node.name = format!("m{i}");
    }
    let pool = graph.values.iter().enumerate().filter(|(_, v)| v.constant.is_none()).map(|(i, v)| {
        let id = ValueId(u32::try_from(i).ok()?);
        let (dtype, shape) = (v.dtype?, v.static_shape()?);
        Some(Item { id, dtype, shape, span: Span::around_zero(5.0), uses: 0 })
    });
    let pool: Vec<Item> = pool.collect::<Option<_>>()?;
    if pool.is_empty() {
        return None;
    }
    let kind = *dna.pick(&[ElementKind::Gaussian, ElementKind::Lattice, ElementKind::Rounded]);
    let before = std::mem::take(&mut graph.outputs);
    let draw = dna.pick(DRAWS);
    let max_elements = options.max_elements;
    let mut b = Builder { dna, kind, max_elements, graph, pool, constants: vec![], wanted: None };
    (draw.draw)(&mut b)?;
    let mut graph = b.finish();
    let new: Vec<ValueId> = before.into_iter().filter(|id| !graph.outputs.contains(id)).collect();
    graph.outputs.extend(new);
    Some(graph)
}

impl<'d> Builder<'d> {
    fn new(mut dna: Dna<'d>, options: &Options) -> Builder<'d> {
        let kind = *dna.pick(&[
            ElementKind::Gaussian,
            ElementKind::Lattice,
            ElementKind::Gaussian,
            ElementKind::Rounded,
        ]);
        let mut b = Builder {
            dna,
            kind,
            max_elements: options.max_elements,
            graph: Graph::new("generated"),
            pool: vec![],
            constants: vec![],
            wanted: None,
        };
        let inputs = *b.dna.pick(&[1, 1, 1, 2, 2, 3]);
        for i in 0..inputs {
            let shape = b.input_shape();
            b.add_input(format!("x{i}"), DType::F32, shape);
        }
        b
    }

    /// Draws two operators, the second on a result of the first; false where that does not succeed.
    fn pair(&mut self, first: &str, second: &str) -> bool {
        let find = |name: &str| DRAWS.iter().find(|d| d.name == name);
        let (Some(first), Some(second)) = (find(first), find(second)) else { return false };
        let Some(result) = (0..4).find_map(|_| (first.draw)(self)) else { return false };
        for _ in 0..4 {
            self.wanted = Some(result.id);
            let drawn = (second.draw)(self).is_some();
            // Still wanted: the operator was drawn on other operands, or not at all.
            if drawn && self.wanted.take().is_none() {
                return true;
            }
        }
        self.wanted = None;
        false
    }

    fn add_input(&mut self, name: String, dtype: DType, shape: Vec<usize>) {
        let id = self.graph.add_input(name, dtype, &shape);
        let span = if dtype == DType::F32 { Span::around_zero(5.0) } else { Span::new(0.0, 2.0) };
        self.pool.push(Item { id, dtype, shape, span, uses: 0 });
    }

    /// Shapes that models have: NCHW images, sequences, matrices, vectors, scalars, and ranks 5 and 6. Inputs after
    /// the first often repeat or broadcast to an earlier one.
    fn input_shape(&mut self) -> Vec<usize> {
        if !self.pool.is_empty() && self.dna.chance(1, 2) {
            let base = self.dna.pick(&self.pool).shape.clone();
            return self.broadcastable(&base);
        }
        let rank = *self.dna.pick(&[4, 4, 4, 3, 2, 3, 4, 2, 1, 5, 0, 6]);
        let mut shape: Vec<usize> = (0..rank)
            .map(|axis| {
                let extents: &[usize] = match (rank, axis) {
                    (4, 0) => &[1, 1, 1, 2],
                    (4, 1) => &[3, 4, 1, 2, 8, 5, 6, 16],
                    (4, _) => &[5, 8, 4, 7, 1, 6, 9, 12],
                    (5 | 6, _) => &[2, 1, 3, 2, 4],
                    _ => &[4, 3, 8, 1, 5, 2, 7, 16],
                };
                *self.dna.pick(extents)
            })
            .collect();
        while count(&shape) > self.max_elements {
            let widest = (0..rank).max_by_key(|&i| shape[i]).expect("a large shape has an axis");
            shape[widest] = shape[widest].div_ceil(2);
        }
        shape
    }

    /// A shape that broadcasts with `base`: the same, some axes 1, or leading axes missing.
    pub(super) fn broadcastable(&mut self, base: &[usize]) -> Vec<usize> {
        match self.dna.below(4) {
            0 => base.to_vec(),
            1 => base.iter().map(|&d| if self.dna.chance(1, 2) { 1 } else { d }).collect(),
            2 => base[self.dna.between(0, base.len())..].to_vec(),
            _ => {
                // One axis only, as biases and scales have.
                let axis = self.dna.below(base.len().max(1));
                (0..base.len()).map(|i| if i == axis { base[i] } else { 1 }).collect()
            }
        }
    }

    /// A pool tensor with the property. Recent and unused ones are preferred, so that graphs grow deep; old ones are
    /// taken now and then, so that values are shared.
    pub(super) fn any(&mut self, fits: impl Fn(&Item) -> bool) -> Option<Item> {
        let candidates: Vec<usize> = (0..self.pool.len()).filter(|&i| fits(&self.pool[i])).collect();
        if candidates.is_empty() {
            return None;
        }
        if let Some(&at) = candidates.iter().find(|&&i| Some(self.pool[i].id) == self.wanted) {
            self.wanted = None;
            self.pool[at].uses += 1;
            return Some(self.pool[at].clone());
        }
        let last = candidates.len() - 1;
        let at = match self.dna.below(4) {
            0 | 1 => last,
            2 => *candidates
                .iter()
                .enumerate()
                .filter(|&(_, &i)| self.pool[i].uses == 0)
                .map(|(at, _)| at)
                .collect::<Vec<_>>()
                .first()
                .unwrap_or(&last),
            _ => self.dna.below(candidates.len()),
        };
        let item = &mut self.pool[candidates[at]];
        item.uses += 1;
        Some(item.clone())
    }

    /// A float tensor with the property.
    pub(super) fn float(&mut self, fits: impl Fn(&Item) -> bool) -> Option<Item> {
        self.any(|i| i.dtype == DType::F32 && fits(i))
    }

    /// The float tensor that is wanted, for an operator with a domain: a pair that was asked for is made even where it
    /// leaves the domain, since NaN is a result like others.
    pub(super) fn wanted_float(&mut self) -> Option<Item> {
        let wanted = self.wanted?;
        self.float(|i| i.id == wanted)
    }

    /// A float tensor whose elements are positive: one from the pool, or |x| + 1/2 of another.
    pub(super) fn positive(&mut self) -> Option<Item> {
        if let Some(item) = self.wanted_float() {
            return Some(item);
        }
        if let Some(item) = self.float(|i| i.span.low > 0.05 && i.span.high < 1e4) {
            return Some(item);
        }
        let item = self.float(|i| i.span.radius() < 1e4)?;
        let span = Span::new(0.0, item.span.radius());
        let abs = self.emit(Op::Abs, &[item.id], DType::F32, item.shape, span)?;
        let half = self.scalar(0.5);
        self.emit(Op::Add, &[abs.id, half], DType::F32, abs.shape, Span::new(0.5, span.high + 0.5))
    }

    /// A float constant with elements of about `scale`; sometimes one that the graph already has.
    pub(super) fn weights(&mut self, shape: &[usize], scale: f64) -> (ValueId, Span) {
        if self.dna.chance(1, 5)
            && let Some((id, _, span)) = self.constants.iter().find(|(_, s, _)| s == shape)
        {
            return (*id, *span);
        }
        let seed = self.dna.element_seed();
        let data = elements(self.kind, seed, count(shape), scale);
        let span = match self.kind {
            ElementKind::Lattice => Span::new(-2.0, 3.0),
            _ => Span::around_zero(4.0 * scale),
        };
        let id = self.constant(Tensor::f32(shape, data));
        self.constants.push((id, shape.to_vec(), span));
        (id, span)
    }

    /// A float constant with positive elements of about `scale`.
    pub(super) fn positive_weights(&mut self, shape: &[usize], scale: f64) -> (ValueId, Span) {
        let seed = self.dna.element_seed();
        let data = positive_elements(self.kind, seed, count(shape), scale);
        let span = if self.kind == ElementKind::Lattice {
            Span::new(0.25, 4.0)
        } else {
            Span::new(0.25 * scale, 1.75 * scale)
        };
        (self.constant(Tensor::f32(shape, data)), span)
    }

    /// A float scalar constant.
    pub(super) fn scalar(&mut self, value: f32) -> ValueId {
        self.constant(Tensor::f32([], vec![value]))
    }

    /// An INT64 vector constant.
    pub(super) fn ints(&mut self, values: impl Into<Vec<i64>>) -> ValueId {
        self.constant(Tensor::ints(values))
    }

    /// Any constant.
    pub(super) fn constant(&mut self, tensor: Tensor) -> ValueId {
        let name = format!("c{}", self.graph.values.len());
        self.graph.add_constant(name, tensor)
    }

    /// A boolean constant.
    pub(super) fn mask(&mut self, shape: &[usize]) -> ValueId {
        let mut stream = super::dna::Stream::new(self.dna.element_seed());
        let data = (0..count(shape)).map(|_| stream.below(2) == 1).collect();
        self.constant(Tensor::new(shape, Data::Bool(data)))
    }

    /// Adds an operation with one result; `None` when the result would be too large or too high in rank.
    pub(super) fn emit(
        &mut self,
        op: impl Into<Op>,
        inputs: &[ValueId],
        dtype: DType,
        shape: Vec<usize>,
        span: Span,
    ) -> Option<Item> {
        self.emit_optional(op, inputs.iter().map(|&i| Some(i)).collect(), dtype, shape, span)
    }

    /// As `emit`, with absent optional operands.
    pub(super) fn emit_optional(
        &mut self,
        op: impl Into<Op>,
        inputs: Vec<Option<ValueId>>,
        dtype: DType,
        shape: Vec<usize>,
        span: Span,
    ) -> Option<Item> {
        self.emit_many(op, inputs, vec![Some((dtype, shape, span))]).map(|mut items| items.remove(0))
    }

    /// Adds an operation with several results, some of which nobody asked for; gives those that were.
    pub(super) fn emit_many(
        &mut self,
        op: impl Into<Op>,
        inputs: Vec<Option<ValueId>>,
        results: Vec<Option<(DType, Vec<usize>, Span)>>,
    ) -> Option<Vec<Item>> {
        if results
            .iter()
            .flatten()
            .any(|(_, shape, _)| count(shape) > self.max_elements || count(shape) == 0 || shape.len() > 6)
        {
            return None;
        }
        let name = format!("n{}", self.graph.nodes.len());
        let mut items = vec![];
        let mut outputs: Vec<Option<ValueId>> = results
            .into_iter()
            .enumerate()
            .map(|(k, result)| {
                let (dtype, shape, span) = result?;
                let id = self.graph.add_typed(format!("v{}_{k}", self.graph.nodes.len()), dtype, &shape);
                items.push(Item { id, dtype, shape, span, uses: 0 });
                Some(id)
            })
            .collect();
        // ONNX files do not hold results at the end that nobody asked for.
        while outputs.last() == Some(&None) {
            outputs.pop();
        }
        self.graph.nodes.push(Node { name, op: op.into(), inputs, outputs });
        self.pool.extend(items.iter().cloned());
        Some(items)
    }

    /// Outputs are the results that nothing reads, and now and then one that is read as well.
    fn finish(&mut self) -> Graph {
        let mut read = vec![false; self.graph.values.len()];
        for node in &self.graph.nodes {
            for id in node.inputs.iter().flatten() {
                read[id.index()] = true;
            }
        }
        let results: Vec<ValueId> =
            self.graph.nodes.iter().flat_map(|n| n.outputs.iter().flatten().copied()).collect();
        for id in results {
            if !read[id.index()] || self.dna.chance(1, 16) {
                self.graph.outputs.push(id);
            }
        }
        // An input that nothing reads is legal, but every system then sees a dead tensor instead of a test.
        let mut graph = std::mem::replace(&mut self.graph, Graph::new(""));
        graph.inputs.retain(|id| read[id.index()]);
        graph
    }
}
