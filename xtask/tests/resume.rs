//! A campaign that is killed goes on with `--resume` and ends as if nothing had happened.
#![allow(clippy::unwrap_used, reason = "tests")]

use serde_json::Value;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

fn fuzz(args: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap());
    command.arg("fuzz").args(args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

/// What a run learnt: everything in run.json that does not depend on time.
fn learnt(out: &Path) -> Value {
    let text = std::fs::read_to_string(out.join("run.json")).unwrap();
    let run: Value = serde_json::from_str(&text).unwrap();
    let keep = ["totals", "coverage", "cells", "losses", "findings"];
    let text = Value::Object(keep.iter().map(|k| (k.to_string(), run[k].clone())).collect()).to_string();
    // The replay command names the folder of the run.
    serde_json::from_str(&text.replace(&out.display().to_string(), "OUT")).unwrap()
}

const RUNS: &[&str] = &["--runs", "4000", "--seed", "5", "--runtime", "interp-f16"];

#[test]
fn kill_nine_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, killed) = (folder.path().join("whole"), folder.path().join("killed"));
    let status = fuzz(&[RUNS, &["--out", whole.to_str().unwrap()]].concat()).wait().unwrap();
    assert!(matches!(status.code(), Some(0 | 1)), "{status}");

    let mut child = fuzz(&[RUNS, &["--jobs", "2", "--out", killed.to_str().unwrap()]].concat());
    // Killed in the middle of the work; where the machine is so fast that it was done, the resumed run has less to do.
    let journal = killed.join("unfinished/found");
    let begin = Instant::now();
    while !journal.exists() && begin.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(200));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!killed.join("run.json").exists(), "the test did not kill it in time");

    let status = fuzz(&["--jobs", "1", "--resume", killed.to_str().unwrap()]).wait().unwrap();
    assert!(matches!(status.code(), Some(0 | 1)), "{status}");
    assert_eq!(learnt(&killed), learnt(&whole));
    assert!(!killed.join("unfinished").exists());
}

#[test]
fn the_number_of_threads_changes_no_finding() {
    let folder = tempfile::tempdir().unwrap();
    let out = |jobs: &str| {
        let out = folder.path().join(jobs);
        let args = [RUNS, &["--jobs", jobs, "--out", out.to_str().unwrap()]].concat();
        assert!(matches!(fuzz(&args).wait().unwrap().code(), Some(0 | 1)));
        learnt(&out)
    };
    assert_eq!(out("1"), out("2"));
}

#[test]
fn there_must_be_something_to_resume() {
    let folder = tempfile::tempdir().unwrap();
    let output = fuzz(&["--resume", folder.path().to_str().unwrap()]).wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("holds no unfinished campaign"), "{text}");
}
