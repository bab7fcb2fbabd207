//! Changes a graph into a valid neighbor: the structure-aware mutator of the libFuzzer targets on graphs.
//!
//! A byte-wise mutator spends its time on files that do not parse. Here a mutation is a step in the space of graphs: one
//! operator more, one less, a cut, a bypass, another attribute, other elements, two graphs side by side with one reading
//! the other. A step that leads out of the space (shapes that no longer fit) is not taken.

use crate::generate::{Dna, InputKind, Options, Stream, extend, inputs};
use crate::minimise::{Specimen, passes, surgery};
use halfproof_ir::ops::{Attr, Attrs};
use halfproof_ir::{Data, Graph, Op, Tensor, ValueId};
use std::sync::Arc;

/// Most nodes of a mutated graph.
pub const MAX_NODES: usize = 24;
/// Most elements of each of its tensors.
pub const MAX_ELEMENTS: usize = 2048;

/// A neighbor of the graph; `None` when none of a few steps stays inside the space. A function of its arguments.
pub fn mutate(graph: &Graph, seed: u64) -> Option<Graph> {
    let mut stream = Stream::new(seed);
    (0..8).find_map(|_| {
        let step = stream.below(8);
        let seed = stream.next_u64();
        let candidate = match step {
            0..=2 => grow(graph, seed),
            3 | 4 => reduce(graph, seed),
            5 | 6 => attribute(graph, seed),
            _ => element(graph, seed),
        };
        candidate.and_then(inside).filter(|g| g != graph)
    })
}

/// Both graphs in one, an input of `right` replaced by a tensor of `left` where one fits.
pub fn cross(left: &Graph, right: &Graph, seed: u64) -> Option<Graph> {
    let mut stream = Stream::new(seed);
    let mut graph = left.clone();
    let offset = u32::try_from(left.values.len()).ok()?;
    let moved = |id: ValueId| ValueId(id.0 + offset);
    graph.values.extend(right.values.iter().cloned());
    for (i, value) in graph.values.iter_mut().enumerate() {
        value.name = format!("t{i}");
    }
    let form = |g: &Graph, id: ValueId| (g.value(id).dtype, g.value(id).static_shape());
    let results: Vec<ValueId> = left
        .nodes
        .iter()
        .flat_map(|n| n.outputs.iter().flatten().copied())
        .chain(left.inputs.clone())
        .collect();
    let mut stands_for: Vec<(ValueId, ValueId)> = vec![];
    for &id in &right.inputs {
        let fitting: Vec<ValueId> =
            results.iter().copied().filter(|&r| form(left, r) == form(right, id)).collect();
        if !fitting.is_empty() && stream.below(4) > 0 {
            let at = stream.below(fitting.len() as u64) as usize;
            stands_for.push((moved(id), fitting[at]));
        } else {
            graph.inputs.push(moved(id));
        }
    }
    let place = |id: ValueId| {
        let id = moved(id);
        stands_for.iter().find(|(old, _)| *old == id).map_or(id, |(_, new)| *new)
    };
    for node in &right.nodes {
        let mut node = node.clone();
        node.inputs.iter_mut().chain(&mut node.outputs).flatten().for_each(|id| *id = place(*id));
        graph.nodes.push(node);
    }
    for (i, node) in graph.nodes.iter_mut().enumerate() {
        node.name = format!("m{i}");
    }
    let outputs: Vec<ValueId> =
        right.outputs.iter().map(|&id| place(id)).filter(|id| !left.outputs.contains(id)).collect();
    graph.outputs.extend(outputs);
    inside(graph)
}

/// The graph with everything declared, if it is well-formed, evaluates and is not too large.
pub fn inside(graph: Graph) -> Option<Graph> {
    if graph.nodes.len() > MAX_NODES || graph.values.len() > 8 * MAX_NODES || !small(&graph) {
        return None;
    }
    let inputs = inputs(&graph, InputKind::Lattice, 1);
    let settled = surgery::settle(&Specimen { graph, inputs })?.graph;
    small(&settled).then_some(settled)
}

/// True when no declared tensor is large.
fn small(graph: &Graph) -> bool {
    graph.values.iter().all(|v| {
        v.static_shape().is_none_or(|shape| {
            let count = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
            shape.len() <= 6 && count.is_some_and(|n| n <= MAX_ELEMENTS)
        })
    })
}

fn grow(graph: &Graph, seed: u64) -> Option<Graph> {
    let options = Options { max_elements: MAX_ELEMENTS, ..Options::default() };
    extend(graph.clone(), Dna::from_seed(seed), &options)
}

/// A step of the minimiser: less of something.
fn reduce(graph: &Graph, seed: u64) -> Option<Graph> {
    let mut stream = Stream::new(seed);
    let specimen = Specimen { graph: graph.clone(), inputs: inputs(graph, InputKind::Gaussian, seed) };
    let pass = passes::ALL[stream.below(passes::ALL.len() as u64) as usize];
    let position = stream.below(2 * graph.nodes.len() as u64 + 4) as usize;
    pass(&specimen, position).or_else(|| pass(&specimen, 0)).flatten().map(|s| s.graph)
}

/// Another value of one attribute.
fn attribute(graph: &Graph, seed: u64) -> Option<Graph> {
    let mut stream = Stream::new(seed);
    let at = stream.below(graph.nodes.len() as u64) as usize;
    let op = &graph.nodes[at].op;
    let mut attrs: Attrs = op.attributes().into_iter().map(|(n, a)| (n.to_string(), a)).collect();
    let names = op.info()?.attributes;
    if names.is_empty() {
        return None;
    }
    let name = names[stream.below(names.len() as u64) as usize];
    let step = [-1, 1, 2][stream.below(3) as usize];
    let value = match attrs.get(name) {
        Some(Attr::Int(v)) => Attr::Int(v.checked_add(step)?),
        Some(Attr::Float(v)) => Attr::Float(*v * [0.5, -1.0, 2.0][stream.below(3) as usize]),
        Some(Attr::Ints(v)) if !v.is_empty() => {
            let mut v = v.clone();
            let i = stream.below(v.len() as u64) as usize;
            v[i] = v[i].checked_add(step)?;
            Attr::Ints(v)
        }
        Some(_) => {
            attrs.remove(name);
            return with_op(graph, at, &attrs);
        }
        // Absent means default: small integers are values of most attributes, booleans and axes among them.
        None => Attr::Int([0, 1, 2, -1][stream.below(4) as usize]),
    };
    attrs.insert(name.to_string(), value);
    with_op(graph, at, &attrs)
}

fn with_op(graph: &Graph, at: usize, attrs: &Attrs) -> Option<Graph> {
    let op = Op::from_attributes(graph.nodes[at].op.name(), attrs).ok()?;
    let mut graph = graph.clone();
    graph.nodes[at].op = op;
    Some(graph)
}

/// Elements that change what kernels do.
const SPECIAL: [f32; 12] =
    [0.0, -0.0, 1.0, -1.0, 0.5, 2048.0, 65504.0, -65504.0, 65520.0, 6.0e-8, 1.0e-12, -1.0e30];

/// Another element in one constant.
fn element(graph: &Graph, seed: u64) -> Option<Graph> {
    let mut stream = Stream::new(seed);
    let constants: Vec<usize> = (0..graph.values.len())
        .filter(|&i| graph.values[i].constant.as_deref().is_some_and(|t| !t.is_empty()))
        .collect();
    let at = *constants.get(stream.below(constants.len() as u64) as usize)?;
    let tensor = graph.values[at].constant.as_deref()?;
    let i = stream.below(tensor.len() as u64) as usize;
    let data = match &tensor.data {
        Data::F32(v) => {
            let mut v = v.clone();
            v[i] = SPECIAL[stream.below(SPECIAL.len() as u64) as usize];
            Data::F32(v)
        }
        Data::I64(v) => {
            let mut v = v.clone();
            v[i] = v[i].checked_add([-1, 1][stream.below(2) as usize])?;
            Data::I64(v)
        }
        Data::Bool(v) => {
            let mut v = v.clone();
            v[i] = !v[i];
            Data::Bool(v)
        }
        _ => return None,
    };
    let mut graph = graph.clone();
    graph.values[at].constant = Some(Arc::new(Tensor::new(tensor.shape.clone(), data)));
    Some(graph)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::generate;
    use halfproof_ir::validate::validate;
    use std::collections::BTreeSet;

    fn graph(seed: u64) -> Graph {
        generate(Dna::from_seed(seed), &Options { max_nodes: 4, ..Options::default() })
    }

    #[test]
    fn mutants_are_valid_other_graphs_and_the_same_ones_twice() {
        let mut mutated = 0;
        for seed in 0..400 {
            let start = graph(seed);
            let Some(mutant) = mutate(&start, seed) else { continue };
            mutated += 1;
            assert_eq!(validate(&mutant), Ok(()), "seed {seed}");
            assert_ne!(mutant, start);
            assert_eq!(Some(mutant), mutate(&start, seed));
        }
        assert!(mutated > 350, "{mutated} of 400");
    }

    #[test]
    fn a_walk_of_mutations_grows_shrinks_and_reaches_most_operators() {
        let mut g = graph(1);
        let mut sizes = BTreeSet::new();
        let mut operators = BTreeSet::new();
        for seed in 0..3000 {
            if let Some(next) = mutate(&g, seed) {
                g = next;
                sizes.insert(g.nodes.len());
                operators.extend(g.nodes.iter().map(|n| n.op.name().to_string()));
            }
        }
        assert!(sizes.len() > 4, "{sizes:?}");
        assert!(operators.len() * 10 > crate::generate::DRAWS.len() * 8, "{operators:?}");
    }

    #[test]
    fn two_graphs_become_one() {
        let mut crossed = 0;
        for seed in 0..200 {
            let (left, right) = (graph(seed), graph(seed + 1000));
            if let Some(both) = cross(&left, &right, seed) {
                crossed += 1;
                assert_eq!(validate(&both), Ok(()), "seed {seed}");
                assert!(both.nodes.len() <= left.nodes.len() + right.nodes.len());
            }
        }
        assert!(crossed > 150, "{crossed} of 200");
    }
}
