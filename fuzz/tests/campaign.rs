//! A campaign on our own converter and interpreter, as `cargo test`: nothing is certified, and nothing is refused but what
//! docs/limits.md says. `cargo xtask mutants` runs it against changed converters, with more tests.

use halfproof_fuzz::generate::{InputKind, Options};
use halfproof_fuzz::pipeline::{Pipeline, Plan};
use halfproof_ir::Precision;
use halfproof_oracle::verdict::{Class, Strength};
use halfproof_systems::converters::in_tree::InTree;
use halfproof_systems::runtimes::interp::Interpreter;

/// Tests of an ordinary run; `HALFPROOF_CAMPAIGN_TESTS` asks for more.
const TESTS: u64 = 1500;

/// Operators of which some generated nodes have no lowering.
const DOCUMENTED: [&str; 4] = ["Col2Im", "MatMul", "Pad", "Slice"];

#[test]
fn a_campaign_finds_no_fault_of_ours_and_only_documented_refusals() {
    let asked = std::env::var("HALFPROOF_CAMPAIGN_TESTS").ok().and_then(|n| n.parse().ok());
    let mut pipeline = Pipeline {
        converter: Box::new(InTree),
        interpreters: vec![Interpreter::f16()],
        runtimes: vec![],
        share: 0,
    };
    let plan = Plan {
        seed: 20_261_126,
        generator: Options::default(),
        precisions: Precision::ALL.to_vec(),
        kinds: InputKind::ALL.to_vec(),
    };
    for index in 0..asked.unwrap_or(TESTS) {
        let trial = plan.trial(index);
        let report = pipeline.examine(&trial, false);
        let text = || halfproof_ir::text::print(&trial.graph);
        let certified = report.findings.iter().find(|f| f.verdict.strength == Strength::Certified);
        assert!(certified.is_none(), "test {index}: {certified:#?}\n{}", text());
        let refused = report.answers.iter().find(|(_, a)| a.verdict.class == Class::Legalization);
        if let Some((_, answer)) = refused {
            let operator = answer.verdict.place.operator.as_deref().unwrap_or_default();
            assert!(DOCUMENTED.contains(&operator), "test {index}: {}\n{}", answer.verdict.text, text());
        }
    }
}
