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
        scouting: Scouting::default(),
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

/// A converter that takes a few operators and refuses every graph with another.
struct Picky;

const TAKEN: [&str; 3] = ["Relu", "Abs", "Add"];

impl Converter for Picky {
    fn name(&self) -> &str {
        "picky"
    }

    fn version(&self) -> &str {
        "1"
    }

    fn convert(&mut self, source: Source<'_>, request: &halfproof_ir::Request) -> Outcome {
        if source.graph.nodes.iter().any(|n| !TAKEN.contains(&n.op.name())) {
            return Outcome::Failed("no such operator".into());
        }
        InTree.convert(source, request)
    }
}

#[test]
fn operators_that_are_refused_alone_are_rarely_drawn_afterwards() {
    let mut p = Pipeline { converter: Box::new(Picky), ..pipeline() };
    let mut plan = Plan { scouting: Scouting { cases: 2, ..Scouting::default() }, ..plan(5) };
    let scouts = plan.scouts();
    let mut tally = Tally::default();
    for index in 0..scouts {
        assert!(plan.scouted(index).is_some());
        p.test(&plan, index, &mut tally);
    }
    assert_eq!(plan.scouted(scouts), None);
    assert!(tally.scouted.values().all(|t| t.tests <= 2 && t.converted <= t.tests));
    let taken: Vec<&str> =
        tally.scouted.iter().filter(|(_, t)| t.converted > 0).map(|(name, _)| name.as_str()).collect();
    assert_eq!(taken, ["Abs", "Add", "Relu"]);
    plan.scouting.seen = tally.scouted.clone();
    let tests = 160;
    let behind = scouts..scouts + tests;
    let refused = behind
        .filter(|&index| {
            let trial = plan.trial(index);
            trial.graph.nodes.iter().any(|n| !TAKEN.contains(&n.op.name()))
        })
        .count() as u64;
    assert!(refused > 0 && refused <= tests / 16, "{refused} of {tests}");
}
