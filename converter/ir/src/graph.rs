//! The source program: an ONNX graph in canonical form.
//!
//! Canonical means: the operators and their inputs are those of the newest opset that halfproof knows, whatever
//! opset the file had. Axes, pads, shapes and the like are inputs (usually constants), as in opset 18 and later.

use crate::{DType, Op, Tensor};
use std::sync::Arc;

/// Names a [`Value`] of one [`Graph`]: an index into [`Graph::values`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ValueId(pub u32);

impl ValueId {
    /// As an index into [`Graph::values`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// One axis of a declared shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dim {
    /// A static extent.
    Fixed(usize),
    /// A symbolic extent (`batch`), or the empty name where the file gives none.
    Named(String),
}

/// A tensor of the graph: an input, a constant (initializer) or the result of a node.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// Unique in its graph.
    pub name: String,
    /// Declared element type, where the file or the generator says so.
    pub dtype: Option<DType>,
    /// Declared shape, where known.
    pub shape: Option<Vec<Dim>>,
    /// The elements, when this is a constant. In a graph that the converter has folded, a float constant may have
    /// `Data::F64` elements under a `dtype` of F32 or F16: computed in f64 and not rounded yet. Only the converter
    /// sees such graphs.
    pub constant: Option<Arc<Tensor>>,
}

/// One operation.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The node's name in the file, or one made from its operator and first output.
    pub name: String,
    /// Operator and attributes.
    pub op: Op,
    /// Operands in ONNX order; `None` for an optional one that is absent.
    pub inputs: Vec<Option<ValueId>>,
    /// Results in ONNX order; `None` for an optional one that nobody asked for.
    pub outputs: Vec<Option<ValueId>>,
}

/// A source program. Nodes are in topological order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Graph {
    /// The graph's name in the file.
    pub name: String,
    /// All tensors.
    pub values: Vec<Value>,
    /// All operations, every operand defined before its use.
    pub nodes: Vec<Node>,
    /// Run-time inputs, in interface order. Never constants.
    pub inputs: Vec<ValueId>,
    /// Outputs, in interface order. May name an input or a constant.
    pub outputs: Vec<ValueId>,
}

impl Graph {
    /// An empty graph of that name.
    pub fn new(name: impl Into<String>) -> Graph {
        Graph { name: name.into(), ..Graph::default() }
    }

    /// The value behind an id.
    pub fn value(&self, id: ValueId) -> &Value {
        &self.values[id.index()]
    }

    /// The constant behind an id, if it is one.
    pub fn constant(&self, id: ValueId) -> Option<&Tensor> {
        self.value(id).constant.as_deref()
    }

    /// Adds a tensor whose type and shape are not declared.
    pub fn add_value(&mut self, name: impl Into<String>) -> ValueId {
        self.push(Value { name: name.into(), dtype: None, shape: None, constant: None })
    }

    /// Adds a tensor with a declared type and static shape.
    pub fn add_typed(&mut self, name: impl Into<String>, dtype: DType, shape: &[usize]) -> ValueId {
        let shape = Some(shape.iter().map(|&d| Dim::Fixed(d)).collect());
        self.push(Value { name: name.into(), dtype: Some(dtype), shape, constant: None })
    }

    /// Adds a run-time input.
    pub fn add_input(&mut self, name: impl Into<String>, dtype: DType, shape: &[usize]) -> ValueId {
        let id = self.add_typed(name, dtype, shape);
        self.inputs.push(id);
        id
    }

    /// Adds a constant.
    pub fn add_constant(&mut self, name: impl Into<String>, tensor: impl Into<Arc<Tensor>>) -> ValueId {
        let tensor = tensor.into();
        let id = self.add_typed(name, tensor.dtype(), &tensor.shape);
        self.values[id.index()].constant = Some(tensor);
        id
    }

    /// Adds an operation with one result and returns that result.
    pub fn add_node(&mut self, op: impl Into<Op>, inputs: &[ValueId], output: impl Into<String>) -> ValueId {
        let output = output.into();
        let result = self.add_value(output.clone());
        let inputs = inputs.iter().map(|&i| Some(i)).collect();
        self.nodes.push(Node { name: output, op: op.into(), inputs, outputs: vec![Some(result)] });
        result
    }

    fn push(&mut self, value: Value) -> ValueId {
        let id = ValueId(u32::try_from(self.values.len()).expect("fewer than 2^32 values"));
        self.values.push(value);
        id
    }
}

impl Value {
    /// The declared shape, when every axis is static.
    pub fn static_shape(&self) -> Option<Vec<usize>> {
        self.shape
            .as_ref()?
            .iter()
            .map(|d| match d {
                Dim::Fixed(n) => Some(*n),
                Dim::Named(_) => None,
            })
            .collect()
    }
}
