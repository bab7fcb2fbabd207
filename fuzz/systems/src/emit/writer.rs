//! What every text form of a graph needs: the names of its values, and its operands as names, constants or shapes.

use super::from_front;
use halfproof_ir::{DType, Graph, Node, Op, Tensor, ValueId, ops};
use std::collections::BTreeMap;

/// How a form spells a constant of that name: the line that makes it, and how it is referred to.
pub(super) type Spell = fn(&str, &Tensor) -> Result<(String, String), String>;

/// What a reduction says.
pub(super) struct Reduced {
    pub(super) keep: bool,
    /// `None` for all axes.
    pub(super) axes: Option<Vec<i64>>,
}

/// A program while it is written.
pub(super) struct Writer<'g> {
    pub(super) graph: &'g Graph,
    pub(super) names: BTreeMap<ValueId, String>,
    /// Lines that make the constants.
    pub(super) buffers: Vec<String>,
    /// Lines that compute.
    pub(super) lines: Vec<String>,
    /// The program casts to the type of its floats.
    pub(super) uses_float: bool,
    spell: Spell,
}

impl<'g> Writer<'g> {
    /// Nothing but the inputs, called `x0`, `x1`…
    pub(super) fn new(graph: &'g Graph, spell: Spell) -> Writer<'g> {
        let names = graph.inputs.iter().enumerate().map(|(i, &id)| (id, format!("x{i}"))).collect();
        Writer { graph, names, buffers: vec![], lines: vec![], uses_float: false, spell }
    }

    /// Gives an expression a name of its own.
    pub(super) fn bind(&mut self, expression: &str) -> String {
        let name = format!("v{}", self.lines.len());
        self.lines.push(format!("{name} = {expression}"));
        name
    }

    /// The shape of the first result.
    pub(super) fn result(&self, node: &Node) -> Result<Vec<usize>, String> {
        let shape = node.outputs.iter().flatten().next().and_then(|&id| self.graph.value(id).static_shape());
        shape.ok_or_else(|| "the shape of the result is not declared".to_string())
    }

    /// The name of a value; constants are written down when they are first named.
    pub(super) fn value(&mut self, id: ValueId) -> Result<String, String> {
        if let Some(name) = self.names.get(&id) {
            return Ok(name.clone());
        }
        let tensor = self.graph.constant(id).ok_or("a value is used before it is made")?;
        let name = format!("c{}", self.buffers.len());
        let (line, reference) = (self.spell)(&name, tensor)?;
        self.buffers.push(line);
        self.names.insert(id, reference.clone());
        Ok(reference)
    }

    pub(super) fn operand(&mut self, node: &Node, slot: usize) -> Result<String, String> {
        let id = self.id(node, slot).ok_or("an operand is missing")?;
        self.value(id)
    }

    pub(super) fn optional(&mut self, node: &Node, slot: usize) -> Result<String, String> {
        match self.id(node, slot) {
            Some(id) => self.value(id),
            None => Ok("None".to_string()),
        }
    }

    /// All operands, with commas between them.
    pub(super) fn operands(&mut self, node: &Node) -> Result<String, String> {
        let names: Vec<String> =
            (0..node.inputs.len()).map(|i| self.operand(node, i)).collect::<Result<_, _>>()?;
        Ok(names.join(", "))
    }

    pub(super) fn id(&self, node: &Node, slot: usize) -> Option<ValueId> {
        node.inputs.get(slot).copied().flatten()
    }

    /// Constant integers of an operand; `None` where it is absent.
    pub(super) fn integers(&self, node: &Node, slot: usize) -> Result<Option<Vec<i64>>, String> {
        let Some(id) = self.id(node, slot) else { return Ok(None) };
        let tensor = self.graph.constant(id).and_then(Tensor::integers);
        tensor.map(Some).ok_or_else(|| format!("operand {slot} is not constant"))
    }

    /// What an operator of the Reduce family says; `None` for other operators.
    pub(super) fn reduced(&self, node: &Node) -> Result<Option<Reduced>, String> {
        let (keep, noop) = match &node.op {
            Op::ReduceSum(ops::ReduceSum { keepdims, noop_with_empty_axes })
            | Op::ReduceMean(ops::ReduceMean { keepdims, noop_with_empty_axes })
            | Op::ReduceMax(ops::ReduceMax { keepdims, noop_with_empty_axes })
            | Op::ReduceMin(ops::ReduceMin { keepdims, noop_with_empty_axes })
            | Op::ReduceProd(ops::ReduceProd { keepdims, noop_with_empty_axes })
            | Op::ReduceL1(ops::ReduceL1 { keepdims, noop_with_empty_axes })
            | Op::ReduceL2(ops::ReduceL2 { keepdims, noop_with_empty_axes })
            | Op::ReduceSumSquare(ops::ReduceSumSquare { keepdims, noop_with_empty_axes })
            | Op::ReduceLogSum(ops::ReduceLogSum { keepdims, noop_with_empty_axes })
            | Op::ReduceLogSumExp(ops::ReduceLogSumExp { keepdims, noop_with_empty_axes }) => {
                (*keepdims, *noop_with_empty_axes)
            }
            _ => return Ok(None),
        };
        let axes = self.integers(node, 1)?.filter(|axes| !axes.is_empty());
        if axes.is_none() && noop {
            return Err("no axes and noop_with_empty_axes".into());
        }
        Ok(Some(Reduced { keep, axes }))
    }

    /// The axes that an Unsqueeze inserts, counted from the front of its result, in order.
    pub(super) fn inserted(&self, node: &Node) -> Result<Vec<i64>, String> {
        let mut axes = self.needed(node, 1)?;
        let rank = self.shape(node, 0)?.len() + axes.len();
        axes.iter_mut().for_each(|a| *a = from_front(*a, rank));
        axes.sort_unstable();
        Ok(axes)
    }

    pub(super) fn needed(&self, node: &Node, slot: usize) -> Result<Vec<i64>, String> {
        self.integers(node, slot)?.ok_or_else(|| format!("operand {slot} is missing"))
    }

    /// A constant float of one element; `None` where the operand is absent.
    pub(super) fn scalar(&self, node: &Node, slot: usize) -> Result<Option<f64>, String> {
        let Some(id) = self.id(node, slot) else { return Ok(None) };
        match self.graph.constant(id).and_then(Tensor::floats).as_deref() {
            Some([x]) => Ok(Some(*x)),
            _ => Err(format!("operand {slot} is no constant float")),
        }
    }

    pub(super) fn shape(&self, node: &Node, slot: usize) -> Result<Vec<usize>, String> {
        let shape = self.id(node, slot).and_then(|id| self.graph.value(id).static_shape());
        shape.ok_or_else(|| format!("the shape of operand {slot} is not declared"))
    }

    /// Elements of one axis of the first operand.
    pub(super) fn extent(&self, node: &Node, axis: i64) -> Result<i64, String> {
        let shape = self.shape(node, 0)?;
        let at = usize::try_from(from_front(axis, shape.len())).ok();
        at.and_then(|at| shape.get(at)).map(|&n| n as i64).ok_or_else(|| "no such axis".to_string())
    }

    pub(super) fn is_float(&self, node: &Node, slot: usize) -> bool {
        self.id(node, slot).is_none_or(|id| self.graph.value(id).dtype.is_none_or(DType::is_float))
    }
}
