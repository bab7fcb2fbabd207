//! `fuzz --engine libfuzzer` and `corpus minimise`: builds the targets of `fuzz/` with cargo-fuzz and runs them.
//!
//! Targets are built without a sanitizer, which stable Rust can do; `--sanitizer` asks for one, and for nightly Rust.

use super::cargo_tool;
use crate::exit::{Exit, Failure, Outcome};
use halfproof_fuzz::targets::{TARGETS, Target};
use halfproof_fuzz::triage::shell;
use halfproof_wire::file::write_atomically;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

/// The pinned cargo-fuzz.
const CARGO_FUZZ: &str = "0.13.2";
/// Where targets are built: apart, since every crate is compiled with coverage counters.
const BUILD: &str = "target/fuzzing";
/// The only platform on which this was tried.
const TRIPLE: &str = "x86_64-unknown-linux-gnu";

/// What one target did.
#[derive(Debug, Serialize)]
struct Ran {
    target: &'static str,
    executions: u64,
    executions_per_second: u64,
    new_units: u64,
    peak_mb: u64,
    /// Files that crash, hang or leak, with the command that shows each again.
    artifacts: Vec<String>,
}

/// The targets of that name; all for `None`.
pub(crate) fn targets(name: Option<&str>) -> Result<Vec<&'static Target>, Failure> {
    let chosen: Vec<&Target> = TARGETS.iter().filter(|t| name.is_none_or(|n| n == t.name)).collect();
    if chosen.is_empty() {
        let all: Vec<&str> = TARGETS.iter().map(|t| t.name).collect();
        let name = name.unwrap_or_default();
        return Err(Failure::bad_input(format!(
            "no target is called \"{name}\"; there are: {}",
            all.join(", ")
        )));
    }
    Ok(chosen)
}

/// Runs targets, each for its share of the time; exit code 1 when one of them fails.
pub(crate) fn run(
    name: Option<&str>,
    time: Duration,
    runs: Option<u64>,
    seed: u64,
    sanitizer: &str,
    out: &Path,
) -> Outcome {
    let chosen = targets(name)?;
    let artifacts = out.join("artifacts");
    std::fs::create_dir_all(&artifacts)
        .map_err(|e| Failure::bad_input(format!("{}: cannot be created: {e}", artifacts.display())))?;
    let binaries = build(&chosen, sanitizer)?;
    let share = (time.as_secs() / chosen.len() as u64).max(1);
    let mut all = vec![];
    for (target, binary) in chosen.iter().zip(binaries) {
        anstream::eprintln!("{}: {}", target.name, target.checks);
        let corpus = PathBuf::from("fuzz/corpus").join(target.name);
        std::fs::create_dir_all(&corpus).map_err(Failure::harness)?;
        let prefix = artifacts.join(format!("{}-", target.name));
        let mut command = Command::new(binary);
        command.arg(corpus).args(seeds(target));
        command.arg(format!("-artifact_prefix={}", prefix.display()));
        command.arg(format!("-seed={}", seed.max(1)));
        command.args(["-rss_limit_mb=2048", "-timeout=20", "-max_len=65536", "-len_control=10"]);
        command.args(["-print_final_stats=1", "-reload=0"]);
        match runs {
            Some(n) => command.arg(format!("-runs={n}")),
            None => command.arg(format!("-max_total_time={share}")),
        };
        let log = out.join(format!("{}.log", target.name));
        let file = std::fs::File::create(&log).map_err(Failure::harness)?;
        let begin = SystemTime::now();
        let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file).status();
        let status = status.map_err(|e| Failure::harness(format!("{}: {e}", target.name)))?;
        let words = std::fs::read(&log).map_err(Failure::harness)?;
        let ran = ran(target, &artifacts, begin, &String::from_utf8_lossy(&words));
        if !status.success() && ran.artifacts.is_empty() {
            return Err(Failure::harness(format!(
                "{} failed ({status}); see {}",
                target.name,
                log.display()
            )));
        }
        all.push(ran);
    }
    print(&all);
    let json = serde_json::to_string_pretty(&all).map_err(Failure::harness)? + "\n";
    write_atomically(&out.join("libfuzzer.json"), json.as_bytes()).map_err(Failure::harness)?;
    let failed = all.iter().any(|r| !r.artifacts.is_empty());
    Ok(if failed { Exit::NewFindings } else { Exit::Clean })
}

/// Keeps in `corpus/seeds/TARGET` a small set of files with the coverage of all that libFuzzer has collected.
pub(crate) fn minimise(name: Option<&str>) -> Outcome {
    let chosen = targets(name)?;
    for (target, binary) in chosen.iter().zip(build(&chosen, "none")?) {
        let kept = Path::new("corpus/seeds").join(target.name);
        std::fs::create_dir_all("corpus/seeds").map_err(Failure::harness)?;
        // Merged into a new folder, which then takes the old one's place: an interruption leaves the old one.
        let merged = tempfile::tempdir_in("corpus/seeds").map_err(Failure::harness)?;
        let mut command = Command::new(binary);
        command.args(["-merge=1", "-max_len=4096", "-timeout=20"]).arg(merged.path());
        command.args(seeds(target));
        let collected = Path::new("fuzz/corpus").join(target.name);
        command.args(collected.is_dir().then_some(collected));
        let output = command.output().map_err(Failure::harness)?;
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr);
            return Err(Failure::harness(format!(
                "{}: the merge failed ({}): {}",
                target.name,
                output.status,
                words.lines().last().unwrap_or_default()
            )));
        }
        let count = std::fs::read_dir(merged.path()).map_or(0, Iterator::count);
        if kept.exists() {
            std::fs::remove_dir_all(&kept).map_err(Failure::harness)?;
        }
        std::fs::rename(merged.keep(), &kept).map_err(Failure::harness)?;
        anstream::println!("{:<14} {count} files in {}", target.name, kept.display());
    }
    Ok(Exit::Clean)
}

/// Folders to start from, as far as they exist.
fn seeds(target: &Target) -> Vec<PathBuf> {
    let kept = Path::new("corpus/seeds").join(target.name);
    let folders = std::iter::once(kept).chain(target.seeds.iter().map(PathBuf::from));
    folders.filter(|f| f.is_dir()).collect()
}

/// Builds the targets and gives their executables.
fn build(targets: &[&Target], sanitizer: &str) -> Result<Vec<PathBuf>, Failure> {
    let cargo_fuzz = cargo_tool::installed("cargo-fuzz", CARGO_FUZZ, &["--version"])?;
    anstream::eprintln!(
        "building {} targets with coverage counters (minutes, the first time)",
        targets.len()
    );
    for target in targets {
        let mut command = Command::new(&cargo_fuzz);
        // cargo-fuzz is a Cargo subcommand: it expects its own name first.
        command.args(["fuzz", "build", "--fuzz-dir", "fuzz", "--target-dir", BUILD, "-s", sanitizer]);
        command.arg(target.name).stdin(Stdio::null());
        if sanitizer != "none" {
            command.env("RUSTUP_TOOLCHAIN", "nightly");
        }
        let status = command.status().map_err(|e| Failure::harness(format!("cargo-fuzz: {e}")))?;
        if !status.success() {
            let nightly = if sanitizer == "none" { "" } else { "; sanitizers need nightly Rust" };
            return Err(Failure::harness(format!("cargo-fuzz could not build {}{nightly}", target.name)));
        }
    }
    let folder = Path::new(BUILD).join(TRIPLE).join("release");
    Ok(targets.iter().map(|t| folder.join(t.name)).collect())
}

/// What libFuzzer's last words say, and the files that it left since a time: earlier runs may have left others there.
fn ran(target: &Target, artifacts: &Path, since: SystemTime, words: &str) -> Ran {
    let stat = |name: &str| {
        let line = words.lines().rev().find_map(|l| l.strip_prefix("stat::")?.strip_prefix(name));
        line.and_then(|v| v.trim_start_matches(':').trim().parse().ok()).unwrap_or(0)
    };
    let mut files: Vec<PathBuf> = std::fs::read_dir(artifacts)
        .map(|d| d.filter_map(|e| Some(e.ok()?.path())).collect())
        .unwrap_or_default();
    let begins = format!("{}-", target.name);
    files.retain(|p| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with(&begins)));
    // File systems keep whole seconds at worst.
    let since = since - Duration::from_secs(1);
    files.retain(|p| p.metadata().and_then(|m| m.modified()).is_ok_and(|at| at >= since));
    files.sort();
    let replay = |p: &PathBuf| {
        format!("cargo run --release -p halfproof-fuzz --bin {} -- {}", target.name, shell::path(p))
    };
    Ran {
        target: target.name,
        executions: stat("number_of_executed_units"),
        executions_per_second: stat("average_exec_per_sec"),
        new_units: stat("new_units_added"),
        peak_mb: stat("peak_rss_mb"),
        artifacts: files.iter().map(replay).collect(),
    }
}

fn print(all: &[Ran]) {
    anstream::println!(
        "{:<14} {:>12} {:>8} {:>10} {:>8}  failures",
        "target",
        "executions",
        "per s",
        "new units",
        "peak MB"
    );
    for r in all {
        anstream::println!(
            "{:<14} {:>12} {:>8} {:>10} {:>8}  {}",
            r.target,
            r.executions,
            r.executions_per_second,
            r.new_units,
            r.peak_mb,
            r.artifacts.len()
        );
    }
    for command in all.iter().flat_map(|r| &r.artifacts) {
        anstream::println!("  {command}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_of_libfuzzer_are_understood() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("graph-crash-01"), b"x").expect("a file");
        std::fs::write(folder.path().join("round_trip-crash-02"), b"x").expect("a file");
        let words = "#12\tDONE\nstat::number_of_executed_units: 5000\nstat::average_exec_per_sec:     250\n\
                     stat::new_units_added:          7\nstat::slowest_unit_time_sec:    0\nstat::peak_rss_mb: 81\n";
        let graph = TARGETS.iter().find(|t| t.name == "graph").expect("it is there");
        let later = SystemTime::now() + Duration::from_secs(60);
        assert!(ran(graph, folder.path(), later, words).artifacts.is_empty());
        let r = ran(graph, folder.path(), SystemTime::UNIX_EPOCH + Duration::from_secs(1), words);
        assert_eq!((r.executions, r.executions_per_second, r.new_units, r.peak_mb), (5000, 250, 7, 81));
        assert_eq!(r.artifacts.len(), 1);
        assert!(r.artifacts[0].contains("--bin graph -- ") && r.artifacts[0].ends_with("graph-crash-01"));
    }

    #[test]
    fn an_unknown_target_is_bad_input_that_lists_the_known_ones() {
        let failure = targets(Some("nothing")).expect_err("there is none");
        assert!(failure.message.contains("interpreter"), "{}", failure.message);
        assert_eq!(targets(None).expect("all").len(), TARGETS.len());
    }
}
