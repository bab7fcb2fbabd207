//! A campaign on our own converter and interpreter, as `cargo test`: nothing is certified, and nothing is refused but what
//! docs/limits.md says. LiteRT takes part where it is installed: what its kernels refuse, our interpreter may take.
//! `cargo xtask mutants` runs it against changed converters, with more tests.

use halfproof_corpus::known_issue::{KnownIssue, Sighting};
use halfproof_corpus::store;
use halfproof_fuzz::campaign::Seen;
use halfproof_fuzz::generate::{InputKind, Options};
use halfproof_fuzz::pipeline::{Pipeline, Plan, Scouting};
use halfproof_ir::Precision;
use halfproof_oracle::verdict::{Class, Strength};
use halfproof_systems::converters::in_tree::InTree;
use halfproof_systems::runtimes::interp::Interpreter;
use halfproof_systems::runtimes::litert::LiteRt;
use halfproof_systems::worker::{Limits, Program};
use halfproof_systems::{Runtime, setup};
use std::io::Write;
use std::path::Path;

/// Tests of an ordinary run; `HALFPROOF_CAMPAIGN_TESTS` asks for more.
const TESTS: u64 = 1500;
/// One test in so many also runs in LiteRT.
const SHARE: u64 = 8;

/// Operators of which some generated nodes have no lowering.
const DOCUMENTED: [&str; 4] = ["Col2Im", "MatMul", "Pad", "Slice"];

/// All modes of LiteRT; none, and a word about it, where it is not installed or there is no worker.
fn litert() -> Vec<Box<dyn Runtime>> {
    match Program::find().and_then(|worker| LiteRt::all(worker, Limits::default())) {
        Ok(all) => all.into_iter().map(|mode| Box::new(mode) as Box<dyn Runtime>).collect(),
        Err(why) => {
            let words = format!("SKIPPED, LiteRT takes no part: {why}\n");
            std::io::stderr().write_all(words.as_bytes()).expect("standard error");
            vec![]
        }
    }
}

/// Open bugs of LiteRT are not ours.
fn is_known(issues: &[KnownIssue], seen: &Seen) -> bool {
    let signature = seen.signature.to_string();
    let sighting = Sighting::of(&seen.signature.system, setup::LITERT_VERSION, &seen.verdict);
    issues.iter().any(|issue| issue.matches(&Sighting { signature: &signature, ..sighting }, ""))
}

#[test]
fn a_campaign_finds_no_fault_of_ours_and_only_documented_refusals() {
    let asked = std::env::var("HALFPROOF_CAMPAIGN_TESTS").ok().and_then(|n| n.parse().ok());
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let issues = store::known_issues(&root.join("corpus/known-issues")).expect("known issues");
    let issues: Vec<KnownIssue> = issues.into_iter().map(|(_, issue)| issue).collect();
    let mut pipeline = Pipeline {
        converter: Box::new(InTree),
        interpreters: vec![Interpreter::f16()],
        runtimes: litert(),
        share: SHARE,
    };
    let plan = Plan {
        seed: 20_261_126,
        generator: Options::default(),
        precisions: Precision::ALL.to_vec(),
        kinds: InputKind::ALL.to_vec(),
        scouting: Scouting::default(),
    };
    for index in 0..asked.unwrap_or(TESTS) {
        let trial = plan.trial(index);
        let report = pipeline.examine(&trial, pipeline.turn(index));
        let text = || halfproof_ir::text::print(&trial.graph);
        let is_new = |f: &&Seen| f.verdict.strength == Strength::Certified && !is_known(&issues, f);
        let certified = report.findings.iter().find(is_new);
        assert!(certified.is_none(), "test {index}: {certified:#?}\n{}", text());
        let refused = report.answers.iter().find(|(_, a)| a.verdict.class == Class::Legalization);
        if let Some((_, answer)) = refused {
            let operator = answer.verdict.place.operator.as_deref().unwrap_or_default();
            assert!(DOCUMENTED.contains(&operator), "test {index}: {}\n{}", answer.verdict.text, text());
        }
    }
}
