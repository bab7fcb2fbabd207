//! The oracle's own score in seconds: every class of faults is exercised, most faults are seen, nobody is accused
//! falsely. The figures of docs/oracle.md come from `cargo xtask power`.

use halfproof_fuzz::power::{self, Options, Score};
use std::sync::atomic::AtomicBool;

fn score(runs: u64, executions: u64, seed: u64, jobs: usize) -> Score {
    let options = Options { jobs, ..Options::new(runs, executions, seed) };
    power::run(&options, &AtomicBool::new(false), |_, _| {})
}

/// Three injections of each class.
fn three_of_each() -> u64 {
    3 * power::CLASSES as u64
}

#[test]
fn every_class_is_exercised_and_nearly_every_fault_is_seen() {
    let score = score(three_of_each(), 0, 5, 2);
    for class in &score.classes {
        assert!(class.injected > 0, "no case was found for {}", class.name);
        assert_eq!(class.unclean, 0, "{}: {:#?}", class.name, score.misses);
    }
    let total = &score.total;
    assert!(total.visible() > total.equivalent, "{total:?}");
    assert!(total.detection() >= 0.98, "{:#?}", score.misses);
    // What the judge is for: more than a fixed tolerance sees.
    assert!(total.detection() > total.tolerance(0) && total.tolerance(0) > total.tolerance(1), "{total:?}");
}

#[test]
fn no_correct_execution_is_accused() {
    let score = score(0, 5000, 6, 2);
    assert!(score.correct.executions >= 5000);
    assert_eq!(score.correct.false_alarms, 0, "{:#?}", score.correct.alarms);
    let excluded = |kind: &str| score.correct.kinds.iter().find(|k| k.kind == kind).map(|k| k.excluded);
    for kind in ["lattice", "gaussian"] {
        assert!(excluded(kind).is_some_and(|share| share < 0.02), "{:#?}", score.correct.kinds);
    }
}

#[test]
fn the_score_does_not_depend_on_the_threads() {
    let (one, three) = (score(60, 200, 7, 1), score(60, 200, 7, 3));
    let json = |s: &Score| serde_json::to_string(s).unwrap();
    assert_eq!(json(&one), json(&three));
}
