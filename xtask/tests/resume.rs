//! A campaign that is killed goes on with `--resume` and ends as if nothing had happened; nothing else takes its folder.
#![allow(clippy::unwrap_used, reason = "tests")]

use serde_json::Value;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

fn fuzz(args: &[&str]) -> Child {
    fuzz_into(args, Stdio::null())
}

fn fuzz_into(args: &[&str], stdout: Stdio) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap());
    command.arg("fuzz").args(args).stdout(stdout).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits until a running campaign has written a file.
fn wait_for(path: &Path) {
    let begin = Instant::now();
    while !path.exists() {
        assert!(begin.elapsed() < Duration::from_secs(120), "{} does not appear", path.display());
        std::thread::sleep(Duration::from_millis(5));
    }
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
    wait_for(&killed.join("unfinished/found"));
    std::thread::sleep(Duration::from_millis(200));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!killed.join("run.json").exists(), "the test did not kill it in time");

    let status = fuzz(&["--jobs", "1", "--resume", killed.to_str().unwrap()]).wait().unwrap();
    assert!(matches!(status.code(), Some(0 | 1)), "{status}");
    assert_eq!(learnt(&killed), learnt(&whole));
    assert!(!killed.join("unfinished").exists());
}

/// Begins a campaign and sends it a signal once it has written a file.
fn stopped(out: &Path, runs: &str, file: &str, signal: &str) -> std::process::Output {
    let args = ["--runs", runs, "--seed", "5", "--runtime", "interp-f16", "--jobs", "2"];
    let child = fuzz_into(&[&args[..], &["--out", out.to_str().unwrap()]].concat(), Stdio::piped());
    wait_for(&out.join(file));
    std::thread::sleep(Duration::from_millis(200));
    let status = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(status.success());
    child.wait_with_output().unwrap()
}

fn said(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn run_json(out: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(out.join("run.json")).unwrap()).unwrap()
}

#[cfg(unix)]
#[test]
fn a_killed_campaign_is_moved_aside_and_goes_on_from_there() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, out) = (folder.path().join("whole"), folder.path().join("out"));
    stopped(&out, "4000", "unfinished/found", "-9");
    // The same folder for another campaign, with the same end: what the first would have found.
    let second = fuzz(&[RUNS, &["--out", out.to_str().unwrap()]].concat()).wait_with_output().unwrap();
    assert!(matches!(second.status.code(), Some(0 | 1)), "{second:?}");
    let aside = folder.path().join("out.unfinished");
    assert!(said(&second).contains(&format!("fuzz --resume {}`", aside.display())), "{}", said(&second));
    std::fs::rename(&out, &whole).unwrap();

    let resumed = fuzz(&["--resume", aside.to_str().unwrap()]).wait().unwrap();
    assert!(matches!(resumed.code(), Some(0 | 1)), "{resumed}");
    let without_place =
        |out: &Path, place: &Path| learnt(out).to_string().replace(&place.display().to_string(), "OUT");
    assert_eq!(without_place(&aside, &aside), without_place(&whole, &out));
    assert!(!out.exists());
}

#[cfg(unix)]
#[test]
fn an_interrupted_campaign_says_so_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let output = stopped(&out, "100000000", "unfinished/checkpoint", "-INT");
    assert!(matches!(output.status.code(), Some(0 | 1)), "{output:?}");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(printed.contains("INTERRUPTED before the end of --runs 100000000"), "{printed}");
    assert!(printed.contains(&format!("fuzz --resume {}` goes on", out.display())), "{printed}");

    let run = run_json(&out);
    let tests = run["totals"]["tests"].as_u64().unwrap();
    assert_eq!(run["interrupted"], true);
    // What repeats it is the number of tests that it came to.
    assert!(run["command"].as_str().unwrap().contains(&format!("--runs {tests} ")), "{}", run["command"]);
    assert_eq!(run["options"]["runs"], "100000000");
    let started = run["timings"]["started"].clone();
    assert!(started.as_str().unwrap().ends_with('Z'), "{started}");
    for page in ["report.md", "report.html"] {
        assert!(std::fs::read_to_string(out.join(page)).unwrap().contains("Interrupted"), "{page}");
    }

    let more = (tests + 50).to_string();
    let resumed = fuzz(&["--resume", out.to_str().unwrap(), "--runs", &more]).wait().unwrap();
    assert!(matches!(resumed.code(), Some(0 | 1)), "{resumed}");
    let run = run_json(&out);
    assert_eq!((&run["interrupted"], &run["totals"]["tests"]), (&false.into(), &(tests + 50).into()));
    assert_eq!(run["timings"]["started"], started);
    assert!(!out.join("unfinished").exists());
}

#[test]
fn two_campaigns_do_not_write_into_one_folder() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let first = ["--time", "60s", "--runtime", "interp-f16", "--jobs", "1", "--out", out.to_str().unwrap()];
    let mut first = fuzz(&first);
    wait_for(&out.join("unfinished/found"));
    let (new, resumed) =
        (["--runs", "1", "--out", out.to_str().unwrap()], ["--resume", out.to_str().unwrap()]);
    for second in [new.as_slice(), resumed.as_slice()] {
        let output = fuzz(second).wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(said(&output).contains("error: another campaign writes into "), "{}", said(&output));
    }
    assert!(first.try_wait().unwrap().is_none() && out.join("unfinished/plan.json").exists());
    first.kill().unwrap();
    first.wait().unwrap();
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
