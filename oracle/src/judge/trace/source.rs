//! The source program of either dialect, evaluated in f64 as far as somebody asks, and forgotten behind.

use crate::arith::{Bound, Enclosure};
use crate::contract::Runtime;
use crate::onnx;
use crate::tflite::Program;
use crate::value::Value;
use halfproof_ir::{DType, Graph, Tensor, ValueId};
use halfproof_wire::tflite::Model;
use std::collections::{BTreeMap, BTreeSet};

/// A source program.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// An ONNX graph.
    Onnx(&'a Graph),
    /// A float32 .tflite: the planned program, and the model for its names.
    Tflite(&'a Program, &'a Model),
}

impl<'a> Source<'a> {
    /// Operators.
    fn count(&self) -> usize {
        match self {
            Source::Onnx(graph) => graph.nodes.len(),
            Source::Tflite(program, _) => program.operators().len(),
        }
    }

    /// An operator's name: the node's, or in a .tflite that of its first result.
    fn operator_name(&self, at: usize) -> String {
        match self {
            Source::Onnx(graph) => graph.nodes.get(at).map(|n| n.name.clone()).unwrap_or_default(),
            Source::Tflite(program, model) => program
                .operators()
                .nth(at)
                .and_then(|op| op.results.first())
                .and_then(|&t| model.subgraphs.first()?.tensors.get(t as usize))
                .map(|t| t.name.clone())
                .unwrap_or_default(),
        }
    }

    /// What an operator reads and writes.
    fn uses(&self, at: usize) -> (Vec<usize>, Vec<usize>) {
        match self {
            Source::Onnx(graph) => {
                let node = &graph.nodes[at];
                let ids = |list: &[Option<ValueId>]| list.iter().flatten().map(|i| i.index()).collect();
                (ids(&node.inputs), ids(&node.outputs))
            }
            Source::Tflite(program, _) => match program.operators().nth(at) {
                Some(op) => {
                    let reads = op.operands.iter().flatten().map(|&t| t as usize).collect();
                    (reads, op.results.iter().map(|&t| t as usize).collect())
                }
                None => (vec![], vec![]),
            },
        }
    }
}

/// A lazy evaluation.
pub(super) struct Walk<'a> {
    source: Source<'a>,
    names: BTreeMap<String, usize>,
    bound: Bound,
    values: BTreeMap<usize, Value<Enclosure>>,
    last_use: BTreeMap<usize, usize>,
    /// Values that somebody still wants to compare.
    pinned: BTreeMap<usize, usize>,
    outputs: BTreeSet<usize>,
    /// Operators by what they make.
    made: BTreeMap<usize, usize>,
    /// Values stay until they are released.
    keeps: bool,
    next: usize,
}

impl<'a> Walk<'a> {
    pub(super) fn new(source: Source<'a>, inputs: &[Tensor]) -> Result<Walk<'a>, String> {
        let bound = Bound::new(Runtime::Double);
        let (ids, outputs): (Vec<usize>, BTreeSet<usize>) = match source {
            Source::Onnx(g) => {
                (g.inputs.iter().map(|i| i.index()).collect(), g.outputs.iter().map(|i| i.index()).collect())
            }
            Source::Tflite(p, _) => (
                p.inputs().iter().map(|&t| t as usize).collect(),
                p.outputs().iter().map(|&t| t as usize).collect(),
            ),
        };
        if ids.len() != inputs.len() {
            return Err(format!("the source has {} inputs, {} were given", ids.len(), inputs.len()));
        }
        let mut values = BTreeMap::new();
        for (id, input) in ids.into_iter().zip(inputs) {
            let value = onnx::load(input, &bound).ok_or("an input does not fit into INT64")?;
            values.insert(id, value);
        }
        let (mut last_use, mut made) = (BTreeMap::new(), BTreeMap::new());
        for at in 0..source.count() {
            let (reads, writes) = source.uses(at);
            made.extend(writes.iter().map(|&id| (id, at)));
            for id in reads.into_iter().chain(writes) {
                last_use.insert(id, at);
            }
        }
        let names = match source {
            Source::Onnx(g) => g.values.iter().enumerate().map(|(i, v)| (v.name.clone(), i)).collect(),
            Source::Tflite(_, m) => m
                .subgraphs
                .first()
                .map(|g| g.tensors.iter().enumerate().map(|(i, t)| (t.name.clone(), i)).collect())
                .unwrap_or_default(),
        };
        Ok(Walk {
            source,
            names,
            bound,
            values,
            last_use,
            pinned: BTreeMap::new(),
            outputs,
            made,
            keeps: false,
            next: 0,
        })
    }

    pub(super) fn value_named(&self, name: &str) -> Option<usize> {
        self.names.get(name).copied()
    }

    /// True for results of operators.
    pub(super) fn computes(&self, id: usize) -> bool {
        self.made.contains_key(&id)
    }

    pub(super) fn pin(&mut self, id: usize) {
        *self.pinned.entry(id).or_default() += 1;
    }

    pub(super) fn unpin(&mut self, id: usize) {
        if let Some(count) = self.pinned.get_mut(&id) {
            *count -= 1;
            if *count == 0 {
                self.pinned.remove(&id);
                self.forget(id);
            }
        }
    }

    fn forget(&mut self, id: usize) {
        let read_later = self.last_use.get(&id).is_some_and(|&last| last >= self.next);
        if !read_later && !self.pinned.contains_key(&id) && !self.outputs.contains(&id) {
            self.values.remove(&id);
        }
    }

    /// Evaluates until a value is there; `None` when nothing makes it, or when it is forgotten.
    pub(super) fn value(&mut self, id: usize) -> Result<Option<&Value<Enclosure>>, String> {
        while !self.values.contains_key(&id) && self.next < self.source.count() {
            self.step()?;
        }
        Ok(self.values.get(&id))
    }

    /// Keeps what is computed from now on until it is released.
    pub(super) fn keep(&mut self) {
        self.keeps = true;
    }

    /// Evaluates that many operators.
    pub(super) fn advance(&mut self, count: usize) -> Result<(), String> {
        while self.next < count.min(self.source.count()) {
            self.step()?;
        }
        Ok(())
    }

    /// Forgets what operators before that one made and nobody reads any more.
    pub(super) fn release(&mut self, before: usize) {
        let old: Vec<usize> = self
            .values
            .keys()
            .copied()
            .filter(|id| self.made.get(id).is_some_and(|&at| at < before))
            .collect();
        for id in old {
            if self.last_use.get(&id).is_none_or(|&last| last < self.next) && !self.outputs.contains(&id) {
                self.values.remove(&id);
            }
        }
    }

    /// Everything that is there.
    pub(super) fn alive(&self) -> impl Iterator<Item = (usize, &Value<Enclosure>)> {
        self.values.iter().map(|(id, v)| (*id, v))
    }

    /// A value that is there.
    pub(super) fn get(&self, id: usize) -> Option<&Value<Enclosure>> {
        self.values.get(&id)
    }

    /// The operator that makes a value; `None` for inputs.
    pub(super) fn maker(&self, id: usize) -> Option<usize> {
        self.made.get(&id).copied()
    }

    /// Its name.
    pub(super) fn maker_name(&self, id: usize) -> Option<String> {
        self.maker(id).map(|at| self.source.operator_name(at))
    }

    /// The operators that make a value out of known ones, in execution order, by name; at most eight.
    pub(super) fn since(&self, id: usize, known: &BTreeSet<usize>) -> Vec<String> {
        let (mut found, mut open) = (BTreeSet::new(), vec![id]);
        while let Some(at) = open.pop().and_then(|id| self.maker(id)) {
            if found.len() >= 8 || !found.insert(at) {
                continue;
            }
            let (reads, _) = self.source.uses(at);
            open.extend(reads.into_iter().filter(|r| !known.contains(r) && self.maker(*r).is_some()));
        }
        found.into_iter().map(|at| self.source.operator_name(at)).collect()
    }

    /// The first operator that reads one of these values and makes none of those.
    pub(super) fn first_reader(&self, values: &[usize], known: &BTreeSet<usize>) -> Option<String> {
        let reads = |at: &usize| {
            let (reads, writes) = self.source.uses(*at);
            reads.iter().any(|r| values.contains(r)) && writes.iter().all(|w| !known.contains(w))
        };
        (0..self.source.count()).find(reads).map(|at| self.source.operator_name(at))
    }

    fn step(&mut self) -> Result<(), String> {
        let at = self.next;
        let results = match self.source {
            Source::Onnx(graph) => self.node(graph, at)?,
            Source::Tflite(program, _) => {
                let Some(op) = program.operators().nth(at) else { return Ok(()) };
                let operands: Vec<Option<&Value<Enclosure>>> =
                    op.operands.iter().map(|t| self.values.get(&((*t)? as usize))).collect();
                let results = program.step(at, &operands, &self.bound).map_err(|e| e.to_string())?;
                op.results.iter().map(|&t| t as usize).zip(results).collect()
            }
        };
        self.next = at + 1;
        let made: Vec<usize> = results.iter().map(|(id, _)| *id).collect();
        self.values.extend(results);
        if self.keeps {
            return Ok(());
        }
        let (reads, _) = self.source.uses(at);
        for id in reads.into_iter().chain(made) {
            self.forget(id);
        }
        Ok(())
    }

    fn node(&self, graph: &Graph, at: usize) -> Result<Vec<(usize, Value<Enclosure>)>, String> {
        let node = &graph.nodes[at];
        let own: Vec<Option<Value<Enclosure>>> = node
            .inputs
            .iter()
            .map(|id| {
                let id = (*id)?;
                let value = onnx::load(graph.constant(id)?, &self.bound)?;
                Some(match value {
                    // As `onnx::evaluate`: a constant may hold more exact elements than its declared type can.
                    Value::Float(DType::F64, a) if graph.value(id).dtype == Some(DType::F32) => {
                        Value::Float(DType::F32, a)
                    }
                    value => value,
                })
            })
            .collect();
        let operands: Vec<Option<&Value<Enclosure>>> = node
            .inputs
            .iter()
            .zip(&own)
            .map(|(id, own)| own.as_ref().or_else(|| self.values.get(&(*id)?.index())))
            .collect();
        let results = onnx::operator(&node.op, node.outputs.len(), &operands, &self.bound)
            .map_err(|e| format!("{} \"{}\": {e}", node.op.name(), node.name))?;
        Ok(node.outputs.iter().zip(results).filter_map(|(id, value)| Some(((*id)?.index(), value))).collect())
    }
}

/// Some values of a source program on these inputs, rounded to their own types; for cutting pieces out of it.
///
/// # Errors
/// When the source cannot be evaluated as far as that.
pub fn values(
    source: Source<'_>,
    inputs: &[Tensor],
    wanted: &[usize],
) -> Result<BTreeMap<usize, Tensor>, String> {
    let mut walk = Walk::new(source, inputs)?;
    for &id in wanted {
        walk.pin(id);
    }
    let bound = walk.bound;
    let mut found = BTreeMap::new();
    for &id in wanted {
        if let Some(value) = walk.value(id)? {
            found.insert(id, crate::tflite::tensor(value, &bound));
        }
    }
    Ok(found)
}
