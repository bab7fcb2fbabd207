//! What "smaller" means. The key is lexicographic, so that one bug has one minimum: fewer nodes; fewer outputs and
//! inputs; fewer elements; fewer attributes away from their defaults; fewer constant elements that are not 0 or 1; fewer
//! input elements that are not 0 or 1.

use super::Specimen;
use halfproof_ir::Tensor;
use std::collections::BTreeSet;

/// The key; compares lexicographically.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size {
    /// Nodes.
    pub nodes: usize,
    /// Inputs and outputs.
    pub interface: usize,
    /// Elements of all inputs and constants that are used.
    pub elements: usize,
    /// Attributes that differ from their defaults.
    pub attributes: usize,
    /// Constant elements that are neither 0 nor 1.
    pub odd_constants: usize,
    /// Input elements that are neither 0 nor 1.
    pub odd_inputs: usize,
    /// Decimal digits of all elements: round numbers are smaller.
    pub digits: usize,
}

/// Measures a case.
pub fn size(specimen: &Specimen) -> Size {
    let graph = &specimen.graph;
    let used: BTreeSet<_> =
        graph.nodes.iter().flat_map(|n| n.inputs.iter().flatten()).chain(&graph.outputs).copied().collect();
    let constants: Vec<&Tensor> = used.iter().filter_map(|&id| graph.constant(id)).collect();
    let odd = |tensors: &[&Tensor]| tensors.iter().map(|t| odd_elements(t)).sum();
    let inputs: Vec<&Tensor> = specimen.inputs.iter().collect();
    Size {
        nodes: graph.nodes.len(),
        interface: graph.inputs.len() + graph.outputs.len(),
        elements: constants.iter().chain(&inputs).map(|t| t.len()).sum(),
        attributes: graph.nodes.iter().map(|n| n.op.attributes().len()).sum(),
        odd_constants: odd(&constants),
        odd_inputs: odd(&inputs),
        digits: constants.iter().chain(&inputs).map(|t| digits(t)).sum(),
    }
}

fn odd_elements(tensor: &Tensor) -> usize {
    // Integers are shapes and axes: shrinking them is the business of the shape passes.
    tensor.floats().map_or(0, |v| v.iter().filter(|&&x| x != 0.0 && x != 1.0).count())
}

fn digits(tensor: &Tensor) -> usize {
    tensor.floats().map_or(0, |v| v.iter().map(|x| x.to_string().len()).sum())
}
