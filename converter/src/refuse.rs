//! Collects every node that stands in the way of a conversion, with its reason.

use crate::infer::Type;
use halfproof_ir::{DType, Graph, Node, Op, Refusal, RefusedNode};

/// The reasons met so far, in source order.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    nodes: Vec<RefusedNode>,
}

impl Refusals {
    /// Notes that a node cannot be converted.
    pub(crate) fn node(&mut self, node: &Node, dtype: Option<DType>, reason: impl Into<String>) {
        let op = match &node.op {
            Op::Unknown { domain, name } if !domain.is_empty() => format!("{domain}::{name}"),
            op => op.name().to_string(),
        };
        self.nodes.push(RefusedNode { op, node: node.name.clone(), dtype, reason: reason.into() });
    }

    /// Notes that a tensor of the interface stands in the way.
    pub(crate) fn interface(&mut self, name: &str, dtype: Option<DType>, reason: impl Into<String>) {
        self.nodes.push(RefusedNode {
            op: "graph".to_string(),
            node: name.to_string(),
            dtype,
            reason: reason.into(),
        });
    }

    /// Whether nothing stands in the way so far.
    pub(crate) fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// `value`, or the refusal when anything was noted.
    ///
    /// # Errors
    /// The refusal with everything noted.
    pub(crate) fn finish<T>(self, value: T) -> Result<T, Refusal> {
        if self.nodes.is_empty() { Ok(value) } else { Err(Refusal { nodes: self.nodes }) }
    }
}

/// The element type of a node's first present operand.
pub(crate) fn first_dtype(graph: &Graph, types: &[Option<Type>], node: &Node) -> Option<DType> {
    let id = node.inputs.iter().flatten().next()?;
    types[id.index()].as_ref().map(|t| t.dtype).or(graph.value(*id).dtype)
}
