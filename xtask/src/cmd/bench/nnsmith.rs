//! `bench --nnsmith`: our rate beside that of NNSmith (ASPLOS 2023), another generator of valid models, in one run.
//!
//! Both are given models of 5 nodes and one core. A test of NNSmith is generated, solved for inputs, run by torch as its reference,
//! exported and run by its back end; one of ours is generated, written, converted, read back, evaluated exactly, run in float16 and
//! judged. NNSmith's modes: in its own process, which a crash ends, and with a process for each test (`fuzz.crash_safe`).

use super::{Args, measure};
use crate::exit::{Exit, Failure, Outcome};
use halfproof_systems::setup;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// Label and what selects the mode.
const MODES: [(&str, &[&str]); 2] =
    [("in one process", &[]), ("a process for each test", &["fuzz.crash_safe=true"])];

/// NNSmith looks once at what its back end supports and keeps that in its cache.
const WARM_UP: u64 = 5;

pub(super) fn run(args: &Args, seconds: u64) -> Outcome {
    let python = setup::python::interpreter("nnsmith");
    let program = python.with_file_name("nnsmith.fuzz");
    if !program.is_file() {
        let why = "NNSmith is not installed: run `cargo xtask setup nnsmith`";
        return Err(Failure::bad_input(why));
    }
    let folder = tempfile::tempdir().map_err(Failure::harness)?;
    tests(&program, folder.path(), "warm-up", &[], WARM_UP)?;
    let ours = [String::from("interp-f16")];
    for (label, options) in MODES {
        let before = measure(args, 5, &ours, 0, args.runs);
        let (count, took) = tests(&program, folder.path(), label, options, seconds)?;
        let after = measure(args, 5, &ours, 0, args.runs);
        let theirs = count as f64 / took;
        let (Some(before), Some(after)) = (before, after) else { return Ok(Exit::Clean) };
        let ratio = before.midpoint(after) / theirs;
        anstream::println!(
            "5 nodes, NNSmith 0.1.0 with onnxruntime, {label}: {theirs:.1} tests/s on one core ({count} tests, {took:.1} s); ours is {ratio:.0} times that\n"
        );
    }
    Ok(Exit::Clean)
}

/// Tests of one run and the seconds that they took, its start and end included.
fn tests(
    program: &Path,
    folder: &Path,
    label: &str,
    options: &[&str],
    seconds: u64,
) -> Result<(u64, f64), Failure> {
    let begin = Instant::now();
    let output = Command::new(program)
        .current_dir(folder)
        .env("OMP_NUM_THREADS", "1")
        .env("XDG_CACHE_HOME", folder)
        .args(["model.type=onnx", "backend.type=onnxruntime", "mgen.max_nodes=5", "fuzz.seed=1"])
        .arg(format!("fuzz.time={seconds}s"))
        .arg(format!("fuzz.root={}", label.replace(' ', "-")))
        .args(options)
        .stdin(Stdio::null())
        .output()
        .map_err(Failure::harness)?;
    let took = begin.elapsed().as_secs_f64();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    // "Total 738 testcases generated."
    let count = text.lines().find_map(|line| {
        let (rest, _) = line.split_once(" testcases generated")?;
        rest.rsplit(' ').next()?.parse().ok()
    });
    // Its time does not count starting Python and importing torch.
    let took = took.min(seconds as f64).max(1e-9);
    match count {
        Some(count) if count > 0 => Ok((count, took)),
        _ => {
            let last = text.lines().rev().find(|l| !l.trim().is_empty()).unwrap_or_default().to_string();
            Err(Failure::harness(std::io::Error::other(format!("NNSmith ran no test: {last}"))))
        }
    }
}
