//! Adapters that behave and adapters that do not, driven by the real runner: `fake_adapter.py` does what it is told.
#![allow(clippy::unwrap_used, reason = "tests")]

use halfproof_ir::Precision;
use halfproof_systems::Outcome;
use halfproof_systems::adapter::{Adapter, Form, Launch};
use halfproof_systems::worker::Limits;
use std::io::Write;
use std::time::{Duration, Instant};

const LIMITS: Limits = Limits { memory_bytes: 1 << 30, time: Duration::from_secs(5) };

fn launch(manner: &str) -> Launch {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fake_adapter.py");
    let command = ["python3", script, manner].map(str::to_string).to_vec();
    Launch { command, environment: vec![] }
}

/// `None` after saying loudly that there is no Python.
fn python() -> Option<()> {
    if std::process::Command::new("python3").arg("--version").output().is_ok() {
        return Some(());
    }
    std::io::stderr().write_all(b"SKIPPED, nothing was tested: there is no python3\n").unwrap();
    None
}

fn adapter(manner: &str) -> Adapter {
    Adapter::start("fake", launch(manner), LIMITS).unwrap()
}

fn once(manner: &str, limits: Limits) -> (Outcome, Adapter) {
    let mut adapter = Adapter::start("fake", launch(manner), limits).unwrap();
    (adapter.convert(b"source", Precision::Full), adapter)
}

fn crash(outcome: Outcome) -> String {
    match outcome {
        Outcome::Crashed { how } => how,
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_that_behaves_converts_again_and_again_in_one_process() {
    let Some(()) = python() else { return };
    let mut adapter = adapter("copies");
    assert_eq!((adapter.greeting().version.as_str(), adapter.greeting().takes), ("1.0", Form::Onnx));
    let pid = adapter.pid();
    for i in 0..50u8 {
        let outcome = adapter.convert(&[i], Precision::Full);
        assert!(matches!(&outcome, Outcome::Converted(c) if c.model == [i]), "{outcome:?}");
    }
    assert_eq!((adapter.pid(), adapter.deaths()), (pid, 0));
}

#[test]
fn a_refusal_names_its_operator_and_a_failure_its_words() {
    let Some(()) = python() else { return };
    let (outcome, _) = once("refuses", LIMITS);
    let Outcome::Refused(refusal) = outcome else { panic!("{outcome:?}") };
    assert_eq!(
        (refusal.nodes[0].op.as_str(), refusal.nodes[0].reason.as_str()),
        ("tfl.pad", "no kernel for it")
    );
    let (outcome, _) = once("cannot-use-it", LIMITS);
    assert!(matches!(&outcome, Outcome::Cannot { why } if why == "not in this form"), "{outcome:?}");
    let (outcome, _) = once("fails", LIMITS);
    assert!(matches!(&outcome, Outcome::Failed(text) if text == "ValueError: no"), "{outcome:?}");
}

#[test]
fn nonsense_is_a_crash_and_the_next_order_gets_a_new_process() {
    let Some(()) = python() else { return };
    for (manner, word) in [("prints-garbage", "no JSON"), ("answers-another-order", "another order")] {
        let (outcome, mut adapter) = once(manner, LIMITS);
        assert!(crash(outcome).contains(word), "{manner}");
        assert_eq!(adapter.deaths(), 1);
        let outcome = adapter.convert(b"copies", Precision::Full);
        assert!(matches!(outcome, Outcome::Converted(_)), "{manner}: {outcome:?}");
    }
}

#[test]
fn a_line_without_end_is_cut_off() {
    let Some(()) = python() else { return };
    let (outcome, _) = once("endless-line", LIMITS);
    assert!(crash(outcome).contains("no JSON"));
}

#[test]
fn a_death_is_told_with_its_signal_and_last_words() {
    let Some(()) = python() else { return };
    let (outcome, mut adapter) = once("dies", LIMITS);
    assert_eq!(crash(outcome), "SIGABRT: terminate called");
    assert!(matches!(adapter.convert(b"copies", Precision::Full), Outcome::Converted(_)));
}

#[test]
fn a_death_that_earlier_orders_brought_about_is_not_the_orders() {
    let Some(()) = python() else { return };
    let mut adapter = adapter("dies-when-old");
    for _ in 0..3 {
        let outcome = adapter.convert(b"source", Precision::Full);
        assert!(matches!(outcome, Outcome::Converted(_)), "{outcome:?}");
    }
    assert_eq!(adapter.deaths(), 2);
    // One that kills every process does count, whatever came before.
    let outcome = adapter.convert(b"dies", Precision::Full);
    assert_eq!(crash(outcome), "SIGABRT: terminate called");
}

#[test]
fn a_process_that_is_ended_from_outside_costs_nothing() {
    let Some(()) = python() else { return };
    let mut adapter = adapter("copies");
    assert!(matches!(adapter.convert(b"copies", Precision::Full), Outcome::Converted(_)));
    let pid = adapter.pid().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-9", &pid]).status().unwrap().success());
    assert!(matches!(adapter.convert(b"copies", Precision::Full), Outcome::Converted(_)));
    assert_eq!(adapter.deaths(), 1);
}

#[test]
fn a_hang_ends_in_time_with_all_that_the_adapter_started() {
    let Some(()) = python() else { return };
    let limits = Limits { time: Duration::from_secs(2), ..LIMITS };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("child");
    let path: &'static str = Box::leak(file.display().to_string().into_boxed_str());
    let launch = Launch { environment: vec![("CHILD", path)], ..launch("hangs-with-a-child") };
    let mut adapter = Adapter::start("fake", launch, limits).unwrap();
    let begin = Instant::now();
    assert!(matches!(adapter.convert(b"source", Precision::Full), Outcome::TimedOut));
    assert!(begin.elapsed() < Duration::from_secs(10));
    let child = std::fs::read_to_string(&file).unwrap();
    let state = || std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
    let gone = || state().is_empty() || state().contains(") Z ");
    (0..100).find(|_| {
        gone() || {
            std::thread::sleep(Duration::from_millis(20));
            false
        }
    });
    assert!(gone(), "the child lives: {}", state());
}

#[cfg(target_os = "linux")]
#[test]
fn memory_is_limited() {
    let Some(()) = python() else { return };
    let (outcome, _) = once("eats-memory", Limits { memory_bytes: 256 << 20, ..LIMITS });
    assert!(crash(outcome).contains("MemoryError"));
}

#[test]
fn a_file_that_is_not_there_is_a_failure_and_a_broken_one_is_for_the_judge() {
    let Some(()) = python() else { return };
    let (outcome, _) = once("writes-nothing", LIMITS);
    assert!(matches!(&outcome, Outcome::Failed(text) if text.contains("not there")), "{outcome:?}");
    let (outcome, _) = once("broken-file", LIMITS);
    assert!(matches!(&outcome, Outcome::Converted(c) if c.model == b"not a model"), "{outcome:?}");
}

#[test]
fn one_that_does_not_greet_is_unavailable_with_the_reason() {
    let Some(()) = python() else { return };
    let limits = Limits { time: Duration::from_secs(1), ..LIMITS };
    let cases = [
        ("greets-with-garbage", LIMITS, "something else"),
        ("dies-before-greeting", LIMITS, "no license"),
        ("speaks-version-9", LIMITS, "version 9"),
        ("never-greets", limits, "in time"),
    ];
    for (manner, limits, word) in cases {
        let error = Adapter::start("fake", launch(manner), limits).unwrap_err();
        assert!(error.why.contains(word), "{manner}: {}", error.why);
    }
    let nothing = Launch { command: vec!["/nonexistent/adapter".into()], environment: vec![] };
    assert!(Adapter::start("fake", nothing, LIMITS).unwrap_err().why.contains("/nonexistent/adapter"));
}
