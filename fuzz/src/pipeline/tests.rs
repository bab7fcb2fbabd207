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
        let report = p.examine(&trial, Turn::NONE);
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

#[test]
fn a_slow_runtime_takes_its_share_of_the_tests_that_outside_runtimes_take() {
    let pipeline = Pipeline { share: 4, ..pipeline() };
    let taken = |rarity| (0..100).filter(|&i| pipeline.turn(i).includes(rarity)).collect::<Vec<u64>>();
    assert_eq!(taken(1).len(), 25);
    assert_eq!(taken(8), [0, 32, 64, 96]);
    let never = Pipeline { share: 0, ..self::pipeline() };
    assert_eq!(never.turn(0), Turn::NONE);
    assert!(Turn::ALL.includes(8) && !Turn::NONE.includes(1));
}
