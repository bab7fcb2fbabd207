//! The pipeline on our own converter.

use super::*;
use crate::generate::Options;
use halfproof_systems::converters::in_tree::InTree;

fn pipeline() -> Pipeline {
    Pipeline {
        converter: Box::new(InTree),
        interpreters: vec![Interpreter::f16()],
        runtimes: vec![],
        share: 0,
    }
}

fn plan(seed: u64) -> Plan {
    Plan {
        seed,
        generator: Options::default(),
        precisions: Precision::ALL.to_vec(),
        kinds: InputKind::ALL.to_vec(),
    }
}

#[test]
fn our_converter_has_no_findings_in_three_hundred_tests() {
    let (mut p, plan) = (pipeline(), plan(11));
    for index in 0..300 {
        let trial = plan.trial(index);
        let report = p.examine(&trial, false);
        assert!(report.findings.is_empty(), "test {index}: {:#?}\n{:#?}", report.findings, trial.graph);
    }
}

#[test]
fn the_same_index_is_the_same_test() {
    let plan = plan(3);
    for index in 0..200 {
        let (a, b) = (plan.trial(index), plan.trial(index));
        assert_eq!(a.graph, b.graph);
        assert_eq!(a.inputs, b.inputs);
    }
}
