//! The generator against the reference: every graph evaluates, to the shapes that the generator computed, and stays alive.

use halfproof_fuzz::generate::{Dna, InputKind, Options, generate, inputs};
use halfproof_ir::ops::OPS;
use halfproof_ir::{Precision, Request};
use halfproof_oracle::onnx::ideal;
use halfproof_oracle::value::Value;
use std::collections::BTreeSet;

#[test]
fn every_generated_graph_evaluates_to_the_declared_shapes() {
    for seed in 0..20_000 {
        let graph = generate(Dna::from_seed(seed), &Options::default());
        let set = inputs(&graph, InputKind::Gaussian, seed);
        let run = ideal(&graph, &set).unwrap_or_else(|e| panic!("seed {seed}: {e}\n{graph:#?}"));
        for (value, declared) in run.values.iter().zip(&graph.values) {
            if let Some(value) = value {
                assert_eq!(
                    Some(value.shape().to_vec()),
                    declared.static_shape(),
                    "seed {seed}, {}",
                    declared.name
                );
                assert_eq!(Some(value.dtype()), declared.dtype, "seed {seed}, {}", declared.name);
            }
        }
    }
}

#[test]
fn nearly_all_outputs_are_finite_for_ordinary_inputs() {
    let (mut finite, mut all) = (0u64, 0u64);
    for seed in 0..5_000 {
        let graph = generate(Dna::from_seed(seed), &Options::default());
        for kind in [InputKind::Lattice, InputKind::Gaussian] {
            let run = ideal(&graph, &inputs(&graph, kind, seed)).unwrap();
            for value in run.outputs() {
                if let Value::Float(_, a) = value {
                    all += a.data.len() as u64;
                    finite += a.data.iter().filter(|x| x.is_finite()).count() as u64;
                }
            }
        }
    }
    assert!(finite * 1000 >= all * 998, "{finite} of {all} elements are finite");
}

#[test]
fn every_operator_of_the_table_is_converted_and_has_a_value() {
    let request = Request::new(Precision::Weights);
    let mut missing = Vec::new();
    for row in OPS {
        let options = Options { max_nodes: 4, ops: vec![row.name.to_string()], ..Options::default() };
        let alone = (0..300).map(|seed| generate(Dna::from_seed(seed), &options));
        let among = (0..20_000).map(|seed| generate(Dna::from_seed(seed), &Options::default()));
        let done = alone.chain(among).any(|graph| {
            graph.nodes.iter().any(|n| n.op.name() == row.name)
                && ideal(&graph, &inputs(&graph, InputKind::Gaussian, 1)).is_ok()
                && halfproof_converter::convert(&graph, &request).is_ok()
        });
        if !done {
            missing.push(row.name);
        }
    }
    assert!(missing.is_empty(), "never converted: {missing:?}");
}

/// LiteRT's process dies over some files in which two tensors have one name.
#[test]
fn no_two_tensors_of_a_converted_model_have_one_name() {
    let mut models = 0;
    for seed in 0..3_000 {
        let graph = generate(Dna::from_seed(seed), &Options::default());
        let request = Request::new(Precision::ALL[(seed % 3) as usize]);
        let Ok(conversion) = halfproof_converter::convert(&graph, &request) else { continue };
        let model = halfproof_wire::tflite::read(&conversion.model).expect("our own file");
        let names: Vec<&str> = model.subgraphs[0].tensors.iter().map(|t| t.name.as_str()).collect();
        let distinct: BTreeSet<&str> = names.iter().copied().collect();
        assert_eq!(distinct.len(), names.len(), "seed {seed}: {names:?}");
        models += 1;
    }
    assert!(models > 2_500, "{models}");
}
