//! The published rules by which NVIDIA ModelOpt's AutoCast chooses what stays float32, for comparison only.
//!
//! From its documentation: a node stays float32 when an input or output of it exceeds `data_max` on reference data
//! (512), when an initializer exceeds `init_max` (65504), or when its name or type is excluded; a limit on the depth of
//! reductions exists and is off by default. Everything else becomes float16, with casts around what stays. The rules are
//! applied to the source graph; conversion and casts are ours, so that only the choice is compared.

use halfproof_ir::{Graph, Node, Observation, ValueId};

/// Largest magnitude of inputs and outputs.
const DATA_MAX: f64 = 512.0;
/// Largest magnitude of initializers.
const INIT_MAX: f64 = 65504.0;

/// A pattern for `keep_fp32` that matches exactly the nodes that the rules keep; `None` when they keep none.
pub(crate) fn kept(graph: &Graph, observed: &[Observation]) -> Option<String> {
    let wide: std::collections::BTreeSet<&str> = observed
        .iter()
        .filter(|o| o.low.abs().max(o.high.abs()) > DATA_MAX)
        .map(|o| o.tensor.as_str())
        .collect();
    let out_of_range = |id: ValueId| {
        let value = graph.value(id);
        match &value.constant {
            Some(tensor) => tensor.floats().is_some_and(|v| v.iter().any(|x| x.abs() > INIT_MAX)),
            None => wide.contains(value.name.as_str()),
        }
    };
    let stays = |node: &&Node| node.inputs.iter().chain(&node.outputs).flatten().any(|&id| out_of_range(id));
    let names: Vec<String> = graph.nodes.iter().filter(stays).map(|node| escaped(&node.name)).collect();
    (!names.is_empty()).then(|| format!("^(?:{})$", names.join("|")))
}

/// A name as a pattern that matches it and nothing else.
fn escaped(name: &str) -> String {
    let special = |c: char| !(c.is_alphanumeric() || c == '_');
    name.chars().flat_map(|c| special(c).then_some('\\').into_iter().chain([c])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use halfproof_ir::{DType, Op};

    #[test]
    fn nodes_at_a_wide_tensor_stay_and_others_do_not() {
        let mut graph = Graph::new("g");
        let x = graph.add_input("x", DType::F32, &[2]);
        let a = graph.add_node(Op::Exp, &[x], "a");
        let b = graph.add_node(Op::Neg, &[a], "b");
        let c = graph.add_node(Op::Tanh, &[b], "c");
        let d = graph.add_node(Op::Neg, &[c], "d");
        graph.outputs.push(d);
        let seen = |tensor: &str, high: f64| Observation {
            tensor: tensor.into(),
            low: 0.0,
            high,
            mean: 0.0,
            deviation: 1.0,
        };
        let pattern = kept(&graph, &[seen("x", 9.0), seen("a", 8103.0), seen("b", 8103.0)]);
        let named = |i: usize| escaped(&graph.nodes[i].name);
        assert_eq!(pattern, Some(format!("^(?:{}|{}|{})$", named(0), named(1), named(2))));
        assert_eq!(kept(&graph, &[seen("x", 9.0)]), None);
    }

    #[test]
    fn names_are_taken_literally() {
        assert_eq!(escaped("/block.0/Add_1"), "\\/block\\.0\\/Add_1");
    }
}
