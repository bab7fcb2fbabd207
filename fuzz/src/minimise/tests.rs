//! The minimiser on faults that are planted in the predicate.

use super::*;
use crate::generate::{Dna, InputKind, Options, extend, generate, inputs};
use halfproof_ir::Op;

fn specimens() -> impl Iterator<Item = Specimen> {
    (0..300).map(|seed| {
        let graph = generate(Dna::from_seed(seed), &Options { max_nodes: 10, ..Options::default() });
        let inputs = inputs(&graph, InputKind::Gaussian, seed);
        Specimen { graph, inputs }
    })
}

fn has(s: &Specimen, name: &str) -> bool {
    s.graph.nodes.iter().any(|n| n.op.name() == name)
}

#[test]
fn a_fault_of_one_operator_leaves_one_node() {
    let mut seen = 0;
    for s in specimens().filter(|s| has(s, "Softmax") || has(s, "Conv")) {
        let name = if has(&s, "Softmax") { "Softmax" } else { "Conv" };
        let small = minimise(s, Budget::default(), |c| has(c, name)).specimen;
        assert_eq!(small.graph.nodes.len(), 1, "{small:#?}");
        assert!(small.inputs.iter().map(halfproof_ir::Tensor::len).sum::<usize>() <= 8, "{small:#?}");
        seen += 1;
        if seen == 20 {
            break;
        }
    }
    assert_eq!(seen, 20);
}

#[test]
fn a_fault_of_a_pair_leaves_the_pair() {
    let pair = |c: &Specimen| {
        c.graph.nodes.iter().any(|n| {
            n.op == Op::Relu
                && n.inputs.iter().flatten().any(|id| {
                    c.graph
                        .nodes
                        .iter()
                        .any(|m| matches!(m.op, Op::Conv(_)) && m.outputs.contains(&Some(*id)))
                })
        })
    };
    let s = specimens()
        .chain((300..20_000).map(|seed| {
            let graph = generate(Dna::from_seed(seed), &Options { max_nodes: 10, ..Options::default() });
            let inputs = inputs(&graph, InputKind::Gaussian, seed);
            Specimen { graph, inputs }
        }))
        .find(|s| pair(s))
        .expect("some graph has Conv -> Relu");
    let small = minimise(s, Budget::default(), pair).specimen;
    assert_eq!(small.graph.nodes.len(), 2);
}

#[test]
fn minimising_twice_gives_the_same_and_never_grows() {
    for s in specimens().take(20) {
        let a = minimise(s.clone(), Budget { attempts: 200 }, |_| true);
        let b = minimise(s.clone(), Budget { attempts: 200 }, |_| true);
        assert_eq!(a.specimen, b.specimen);
        assert!(size(&a.specimen) <= size(&s));
        assert_eq!(a.specimen.graph.nodes.len(), 1);
    }
}

#[test]
fn a_value_that_matters_is_kept() {
    let mut graph = halfproof_ir::Graph::new("g");
    let x = graph.add_input("x", halfproof_ir::DType::F32, &[8]);
    let y = graph.add_node(Op::Abs, &[x], "y");
    graph.outputs.push(y);
    let mut data = vec![0.3; 8];
    data[5] = 300.0;
    let s = Specimen { graph, inputs: vec![Tensor::f32([8], data)] };
    let large =
        |c: &Specimen| c.inputs.iter().any(|t| t.floats().is_some_and(|v| v.iter().any(|&x| x > 256.0)));
    let small = minimise(s, Budget::default(), large);
    assert!(large(&small.specimen));
    assert!(!large(&small.nearest_good.expect("zeros are tried")));
}

/// A graph as long as a user's model: each operator reads what the graph had computed so far.
fn long(nodes: usize) -> Specimen {
    let options = Options { max_elements: 64, ..Options::default() };
    let mut graph = generate(Dna::from_seed(3), &options);
    for seed in 0.. {
        if let Some(longer) = extend(graph.clone(), Dna::from_seed(seed), &options) {
            graph = longer;
        }
        if graph.nodes.len() >= nodes {
            break;
        }
    }
    let inputs = inputs(&graph, InputKind::Gaussian, 1);
    Specimen { graph, inputs }
}

#[test]
fn a_fault_in_a_model_of_five_hundred_nodes_is_found_in_few_steps() {
    let start = long(500);
    let guilty = start.graph.nodes[311].op.name().to_string();
    let small = minimise(start, Budget::default(), |c| has(c, &guilty));
    assert_eq!(small.specimen.graph.nodes.len(), 1, "{guilty}");
    assert!(small.attempts < 500, "{} attempts", small.attempts);
}
