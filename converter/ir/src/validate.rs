//! Well-formedness of a graph: arity, unique names, definitions before uses. Not types, not shapes.

use crate::{Graph, ValueId};
use std::collections::BTreeSet;

/// What is wrong with a graph's structure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Two tensors share a name.
    #[error("two tensors are called \"{0}\"")]
    DuplicateName(String),
    /// A node has too few or too many operands or results.
    #[error("{op} \"{node}\" has {found} {what}")]
    Arity {
        /// ONNX operator.
        op: String,
        /// The node.
        node: String,
        /// `inputs` or `outputs`.
        what: &'static str,
        /// How many there are.
        found: usize,
    },
    /// A tensor is read before anything defines it.
    #[error("tensor \"{tensor}\" is used by \"{user}\" before it is defined")]
    Undefined {
        /// The tensor.
        tensor: String,
        /// The node, or `graph output`.
        user: String,
    },
    /// A tensor is defined twice.
    #[error("tensor \"{0}\" is defined more than once")]
    Redefined(String),
}

/// Checks a graph's structure.
///
/// # Errors
/// The first violation found, in graph order.
pub fn validate(graph: &Graph) -> Result<(), Malformed> {
    let mut names = BTreeSet::new();
    for value in &graph.values {
        if !names.insert(value.name.as_str()) {
            return Err(Malformed::DuplicateName(value.name.clone()));
        }
    }
    let mut defined = vec![false; graph.values.len()];
    for (i, value) in graph.values.iter().enumerate() {
        defined[i] = value.constant.is_some();
    }
    let define = |id: ValueId, defined: &mut [bool]| {
        if std::mem::replace(&mut defined[id.index()], true) {
            return Err(Malformed::Redefined(graph.value(id).name.clone()));
        }
        Ok(())
    };
    for &input in &graph.inputs {
        define(input, &mut defined)?;
    }
    let undefined_use = |id: ValueId, user: &str, defined: &[bool]| {
        if defined[id.index()] {
            return Ok(());
        }
        Err(Malformed::Undefined { tensor: graph.value(id).name.clone(), user: user.to_string() })
    };
    for node in &graph.nodes {
        for id in node.inputs.iter().flatten() {
            undefined_use(*id, &node.name, &defined)?;
        }
        if let Some(info) = node.op.info() {
            arity(node.op.name(), &node.name, "inputs", node.inputs.len(), info.inputs)?;
            arity(node.op.name(), &node.name, "outputs", node.outputs.len(), info.outputs)?;
        }
        for id in node.outputs.iter().flatten() {
            define(*id, &mut defined)?;
        }
    }
    for &id in &graph.outputs {
        undefined_use(id, "graph output", &defined)?;
    }
    Ok(())
}

fn arity(
    op: &str,
    node: &str,
    what: &'static str,
    found: usize,
    (min, max): (usize, usize),
) -> Result<(), Malformed> {
    if (min..=max).contains(&found) {
        return Ok(());
    }
    Err(Malformed::Arity { op: op.to_string(), node: node.to_string(), what, found })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DType, Op};

    fn relu() -> Graph {
        let mut g = Graph::new("g");
        let x = g.add_input("x", DType::F32, &[2]);
        let y = g.add_node(Op::Relu, &[x], "y");
        g.outputs.push(y);
        g
    }

    #[test]
    fn a_good_graph_passes() {
        assert_eq!(validate(&relu()), Ok(()));
    }

    #[test]
    fn each_violation_is_named() {
        let mut g = relu();
        g.values[1].name = "x".into();
        assert_eq!(validate(&g), Err(Malformed::DuplicateName("x".into())));

        let mut g = relu();
        g.nodes[0].inputs.push(Some(ValueId(0)));
        assert_eq!(validate(&g).unwrap_err().to_string(), "Relu \"y\" has 2 inputs");

        let mut g = relu();
        g.nodes[0].inputs[0] = Some(ValueId(1));
        assert_eq!(
            validate(&g).unwrap_err().to_string(),
            "tensor \"y\" is used by \"y\" before it is defined"
        );

        let mut g = relu();
        g.nodes.push(g.nodes[0].clone());
        assert_eq!(validate(&g), Err(Malformed::Redefined("y".into())));
    }
}
