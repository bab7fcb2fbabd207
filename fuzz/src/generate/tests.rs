//! The generator's promises.

use super::*;
use halfproof_ir::ops::OPS;
use halfproof_ir::validate::validate;
use proptest::prelude::*;
use std::collections::BTreeSet;

fn seeds(n: u64) -> impl Iterator<Item = halfproof_ir::Graph> {
    (0..n).map(|seed| generate(Dna::from_seed(seed), &Options::default()))
}

#[test]
fn every_graph_is_well_formed() {
    for graph in seeds(5000) {
        assert_eq!(validate(&graph), Ok(()), "{graph:#?}");
        assert!(!graph.outputs.is_empty());
        assert!(graph.nodes.len() <= Options::default().max_nodes);
    }
}

#[test]
fn every_operator_of_the_table_is_drawn_and_reached() {
    let drawn: BTreeSet<&str> = DRAWS.iter().map(|d| d.name).collect();
    let known: BTreeSet<&str> = OPS.iter().map(|o| o.name).collect();
    assert_eq!(drawn, known, "a row of OPS needs a row of DRAWS and the reverse");
    let reached: BTreeSet<String> = seeds(5000)
        .flat_map(|g| g.nodes.into_iter().map(|n| n.op.name().to_string()).collect::<Vec<_>>())
        .collect();
    let missing: Vec<_> = known.iter().filter(|n| !reached.contains(**n)).collect();
    assert!(missing.is_empty(), "never generated: {missing:?}");
}

#[test]
fn ranks_zero_to_six_and_several_inputs_and_outputs_are_reached() {
    let graphs: Vec<_> = seeds(5000).collect();
    let ranks: BTreeSet<usize> =
        graphs.iter().flat_map(|g| g.values.iter().filter_map(|v| v.shape.as_ref().map(Vec::len))).collect();
    assert!((0..=6).all(|r| ranks.contains(&r)), "{ranks:?}");
    assert!(graphs.iter().any(|g| g.inputs.len() >= 3));
    assert!(graphs.iter().any(|g| g.outputs.len() >= 3));
}

#[test]
fn a_single_operator_can_be_asked_for() {
    for name in ["Softmax", "Conv", "Reshape"] {
        let options = Options { ops: vec![name.to_string()], ..Options::default() };
        let graphs: Vec<_> = (0..200).map(|s| generate(Dna::from_seed(s), &options)).collect();
        assert!(graphs.iter().any(|g| g.nodes.iter().any(|n| n.op.name() == name)));
        assert!(
            graphs.iter().flat_map(|g| &g.nodes).all(|n| n.op.name() == name || n.op.name() == "Identity")
        );
    }
}

/// A graph that was asked to hold a pair, and whether the second operator reads a result of the first.
fn directed(first: &'static str, second: &'static str, seed: u64) -> (halfproof_ir::Graph, bool) {
    let options = Options { pair: Some((first, second)), ..Options::default() };
    let graph = generate(Dna::from_seed(seed), &options);
    let of = |name: &'static str| graph.nodes.iter().filter(move |n| n.op.name() == name);
    let made: BTreeSet<_> = of(first).flat_map(|n| n.outputs.iter().flatten().copied()).collect();
    let read = of(second).flat_map(|n| n.inputs.iter().flatten()).any(|id| made.contains(id));
    (graph, read)
}

#[test]
fn an_operator_with_a_domain_reads_what_it_is_asked_to_read() {
    for second in ["Acos", "Asin", "Tan", "Acosh", "Atanh", "Log", "Sqrt", "Reciprocal"] {
        for first in ["Neg", "Conv", "ReduceSum", "Exp"] {
            assert!((0..3).any(|seed| directed(first, second, seed).1), "{first} > {second}");
        }
    }
}

#[test]
fn two_of_three_pairs_are_made_at_the_first_test() {
    // One in six cannot be: the first operator makes integers or booleans, the second reads none.
    let names: Vec<&str> = DRAWS.iter().map(|d| d.name).collect();
    let pairs: Vec<_> = names.iter().flat_map(|a| names.iter().map(move |b| (*a, *b))).step_by(11).collect();
    let made = pairs.iter().filter(|(a, b)| directed(a, b, 1).1).count();
    assert!(made * 3 >= pairs.len() * 2, "{made} of {}", pairs.len());
}

#[test]
fn an_input_set_fits_its_graph() {
    for graph in seeds(200) {
        for kind in InputKind::ALL {
            let set = inputs(&graph, kind, 1);
            assert_eq!(set, inputs(&graph, kind, 1));
            for (tensor, id) in set.iter().zip(&graph.inputs) {
                assert_eq!(Some(tensor.shape.clone()), graph.value(*id).static_shape());
            }
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_give_a_valid_graph_and_the_same_one_twice(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let graph = generate(Dna::from_bytes(&bytes), &Options::default());
        prop_assert_eq!(validate(&graph), Ok(()));
        prop_assert_eq!(graph, generate(Dna::from_bytes(&bytes), &Options::default()));
    }
}
