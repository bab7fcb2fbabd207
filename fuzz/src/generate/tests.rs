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
