//! `bench --nnsmith`: our rate beside that of NNSmith (ASPLOS 2023), another generator of valid models, in one run.
//!
//! Both are given models of 5 nodes and one core. A test of NNSmith is generated, solved for inputs, run by its framework as the
//! reference, exported and run by its back end; one of ours is generated, written, converted, read back, evaluated exactly, run in
//! float16 and judged. NNSmith's modes: onnxruntime in its own process, which a crash ends; the same with a process for each test
//! (`fuzz.crash_safe`); and TFLite, which converts as we do.

use super::{Args, measure};
use crate::exit::{Exit, Failure, Outcome};
use halfproof_systems::setup;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// A way to run NNSmith.
struct Mode {
    label: &'static str,
    /// The environment, as `setup` calls it.
    environment: &'static str,
    options: &'static [&'static str],
}

const ONNX: [&str; 2] = ["model.type=onnx", "backend.type=onnxruntime"];

const MODES: [Mode; 3] = [
    Mode { label: "onnxruntime, in one process", environment: "nnsmith", options: &ONNX },
    Mode {
        label: "onnxruntime, a process for each test",
        environment: "nnsmith",
        options: &[ONNX[0], ONNX[1], "fuzz.crash_safe=true"],
    },
    Mode {
        label: "TFLite, in one process",
        environment: "nnsmith-tflite",
        options: &["model.type=tensorflow", "backend.type=tflite"],
    },
];

/// NNSmith looks once at what a back end supports and keeps that in its cache.
const WARM_UP: u64 = 5;

pub(super) fn run(args: &Args, seconds: u64) -> Outcome {
    let (installed, absent): (Vec<&Mode>, Vec<&Mode>) =
        MODES.iter().partition(|mode| program(mode.environment).is_file());
    for mode in absent {
        let (label, environment) = (mode.label, mode.environment);
        anstream::eprintln!("SKIPPED NNSmith with {label}: run `cargo xtask setup {environment}`");
    }
    if installed.is_empty() {
        let why = "NNSmith is not installed: run `cargo xtask setup nnsmith`, or nnsmith-tflite";
        return Err(Failure::bad_input(why));
    }
    let ours = [String::from("interp-f16")];
    let mut warm = vec![];
    for mode in installed {
        if !warm.contains(&mode.environment) {
            // It may take minutes where nothing is in the cache, whatever time it is given.
            anstream::eprintln!("{}: warming up", mode.environment);
            watch(mode, WARM_UP)?;
            warm.push(mode.environment);
        }
        let before = measure(args, 5, &ours, 0, args.runs);
        let theirs = watch(mode, seconds)?;
        let after = measure(args, 5, &ours, 0, args.runs);
        let (Some(before), Some(after)) = (before, after) else { return Ok(Exit::Clean) };
        let ratio = before.midpoint(after) / theirs.rate();
        anstream::println!(
            "5 nodes, NNSmith 0.1.0 with {}: {:.1} tests/s on one core ({} tests, {:.1} s); ours is {ratio:.0} times that",
            mode.label,
            theirs.rate(),
            theirs.count,
            theirs.seconds
        );
        if let Some(rate) = theirs.generated {
            anstream::println!("  generating alone: {rate:.1} tests/s");
        }
        anstream::println!();
    }
    Ok(Exit::Clean)
}

/// NNSmith's own command, installed or not.
fn program(environment: &str) -> PathBuf {
    let path = setup::python::interpreter(environment).with_file_name("nnsmith.fuzz");
    // It runs in another folder.
    std::path::absolute(&path).unwrap_or(path)
}

/// What a run of NNSmith did.
#[derive(Debug, PartialEq)]
struct Ran {
    count: u64,
    seconds: f64,
    /// Tests per second that it would make if it did nothing else.
    generated: Option<f64>,
}

impl Ran {
    fn rate(&self) -> f64 {
        self.count as f64 / self.seconds
    }
}

fn watch(mode: &Mode, seconds: u64) -> Result<Ran, Failure> {
    // A new one for each run: NNSmith asks before it writes into one that is there.
    let folder = tempfile::tempdir().map_err(Failure::harness)?;
    let cannot = |path: &Path, e: std::io::Error| Failure::harness(format!("{}: {e}", path.display()));
    // Inside the environment: what a back end supports is looked at once, not in every run.
    let program = program(mode.environment);
    let venv = program.ancestors().nth(2).unwrap_or(folder.path());
    let cache = venv.join("cache");
    std::fs::create_dir_all(&cache).map_err(|e| cannot(&cache, e))?;
    let begin = Instant::now();
    let output = Command::new(&program)
        .current_dir(&folder)
        .env("OMP_NUM_THREADS", "1")
        .envs([
            ("TF_NUM_INTRAOP_THREADS", "1"),
            ("TF_NUM_INTEROP_THREADS", "1"),
            ("TF_CPP_MIN_LOG_LEVEL", "3"),
        ])
        .env("XDG_CACHE_HOME", cache)
        .args(mode.options)
        .args(["mgen.max_nodes=5", "fuzz.seed=1"])
        .arg(format!("fuzz.time={seconds}s"))
        .arg("fuzz.root=findings")
        .stdin(Stdio::null())
        .output()
        .map_err(|e| cannot(&program, e))?;
    let took = begin.elapsed().as_secs_f64();
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + "\n"
        + &String::from_utf8_lossy(&output.stderr);
    // Its time does not count starting Python and importing its framework.
    ran(&text, took.min(seconds as f64).max(1e-9)).ok_or_else(|| {
        let last = text.lines().rev().find(|l| !l.trim().is_empty()).unwrap_or_default();
        let last: String = last.chars().filter(|c| !c.is_control()).collect();
        Failure::harness(format!("NNSmith with {} ran no test ({}): {last}", mode.label, output.status))
    })
}

/// Reads NNSmith's log, which converters write into as well; `None` where no test was made.
fn ran(log: &str, seconds: f64) -> Option<Ran> {
    // "Timing: gen: 26.3ms, eval: 198.3ms, " after each test.
    let gens: Vec<f64> = log
        .split("Timing: gen: ")
        .skip(1)
        .filter_map(|rest| rest.split_once("ms,")?.0.parse().ok())
        .collect();
    // "Total 738 testcases generated." at the end, which a crash leaves out.
    let total = log
        .split_once(" testcases generated")
        .and_then(|(before, _)| before.rsplit(' ').next()?.parse().ok());
    let count = total.unwrap_or(gens.len() as u64);
    let milliseconds: f64 = gens.iter().sum();
    let generated = (milliseconds > 0.0).then(|| gens.len() as f64 * 1000.0 / milliseconds);
    (count > 0).then_some(Ran { count, seconds, generated })
}

#[cfg(test)]
mod tests {
    use super::ran;

    const LOG: &str = "\u{1b}[32mINFO   \u{1b}[0m \u{1b}[35mfuzz  \u{1b}[0m - Timing: gen: 20.0ms, eval: 198.3ms, \u{1b}[0m\n\
        Summary on the non-converted ops:\n * Non-Converted Ops: 2, Total Ops 10, % non-converted = 20.00 %\n\u{8}\u{0}\
        \u{1b}[32mINFO   \u{1b}[0m \u{1b}[35mfuzz  \u{1b}[0m - Timing: gen: 30.0ms, eval: 1470.6ms, save: 1.0ms, \u{1b}[0m\n";

    #[test]
    fn the_log_is_read_among_the_words_of_converters() {
        let end = "INFO fuzz - Total 2 testcases generated.\u{1b}[0m\nINFO fuzz - Total 0 bugs found.\n";
        let seen = ran(&format!("{LOG}{end}"), 4.0).expect("tests");
        assert_eq!((seen.count, seen.generated), (2, Some(40.0)));
        assert!((seen.rate() - 0.5).abs() < 1e-9);
    }

    #[test]
    fn a_run_that_crashed_counts_as_far_as_it_came() {
        assert_eq!(ran(LOG, 4.0).map(|r| r.count), Some(2));
        assert_eq!(ran("INFO fuzz - Total 0 testcases generated.", 4.0), None);
        assert_eq!(ran("Traceback (most recent call last):", 4.0), None);
    }
}
