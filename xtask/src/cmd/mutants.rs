//! `mutants`: mutation testing of the converter's lowering and precision code. cargo-mutants says what could be changed; a
//! seeded sample of it is changed, one at a time, in a copy of the tree; a campaign and the converter's tests must notice.
//!
//! The tests are run here and not by cargo-mutants, since a change must rebuild no more than the two test programs.

mod mutant;

use super::cargo_tool;
use crate::exit::{Exit, Failure, Outcome};
use halfproof_fuzz::generate::Stream;
use halfproof_wire::file::write_atomically;
use mutant::Mutant;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The pinned cargo-mutants.
const CARGO_MUTANTS: &str = "27.1.0";
/// What is changed.
const CODE: [&str; 3] =
    ["converter/src/lower/**/*.rs", "converter/src/precision/**/*.rs", "converter/src/precision.rs"];
/// What is not: tests, and what only they use.
const NOT: [&str; 3] = ["**/tests.rs", "**/tests/**", "converter/src/precision/fixture.rs"];
/// The copy that is changed, and where it is built.
const COPY: &str = "target/mutants/tree";
const BUILD: &str = "target/mutants/build";
/// Programs that must notice, in the order in which they are asked.
const PROGRAMS: [(&str, &[&str]); 2] = [
    ("campaign", &["-p", "halfproof-fuzz", "--test", "campaign"]),
    ("tests", &["-p", "halfproof-converter", "--lib"]),
];
/// How much longer than without a change a program may run before it hangs.
const PATIENCE: u32 = 5;

/// Options of `mutants`.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  cargo xtask mutants --sample 60\n  cargo xtask mutants --sample 1000000 --file conv.rs"
)]
pub(crate) struct Args {
    /// How many of all mutants are tried, drawn by the seed.
    #[arg(long, default_value_t = 60)]
    sample: usize,
    /// The seed of the sample.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only mutants of files whose name contains this.
    #[arg(long)]
    file: Option<String>,
    /// Only mutants whose description contains this.
    #[arg(long)]
    only: Option<String>,
    /// Tests of the campaign.
    #[arg(long, default_value_t = 12_000)]
    tests: u64,
    /// Where to write mutants.json.
    #[arg(long, default_value = "reports/mutants")]
    out: PathBuf,
}

/// How a mutant ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Ending {
    /// It does not compile.
    Unviable,
    /// A program failed or hung.
    Caught(&'static str),
    /// Nobody noticed.
    Missed,
}

#[derive(Debug, Serialize)]
struct Tried {
    mutant: String,
    ending: Ending,
    seconds: f64,
}

#[derive(Debug, Serialize)]
struct Measured {
    seed: u64,
    tests: u64,
    all: usize,
    tried: Vec<Tried>,
}

/// Tries a sample; exit code 1 when mutants survive.
pub(crate) fn run(args: &Args) -> Outcome {
    std::fs::create_dir_all(&args.out)
        .map_err(|e| Failure::bad_input(format!("{}: cannot be created: {e}", args.out.display())))?;
    let all = list()?;
    let wanted = |m: &Mutant| {
        args.file.as_ref().is_none_or(|f| m.file.contains(f.as_str()))
            && args.only.as_ref().is_none_or(|o| m.name.contains(o.as_str()))
    };
    let chosen: Vec<Mutant> = all.iter().filter(|m| wanted(m)).cloned().collect();
    let sample = sample(chosen, args.sample, args.seed);
    anstream::eprintln!(
        "{} of {} mutants, after a build without a change (minutes, the first time)",
        sample.len(),
        all.len()
    );
    copy()?;
    let mut limits = vec![];
    for (name, what) in PROGRAMS {
        let Some(program) = build(what)? else {
            return Err(Failure::harness(format!("the {name} do not compile without a change")));
        };
        let begin = Instant::now();
        if !passes(&program, args.tests, Duration::from_secs(3600))? {
            return Err(Failure::harness(format!("the {name} fail without a change: {}", program.display())));
        }
        limits.push(begin.elapsed() * PATIENCE + Duration::from_secs(20));
    }
    let mut measured = Measured { seed: args.seed, tests: args.tests, all: all.len(), tried: vec![] };
    for mutant in &sample {
        let begin = Instant::now();
        let file = Path::new(COPY).join(&mutant.file);
        let right = std::fs::read_to_string(&file).map_err(Failure::harness)?;
        std::fs::write(&file, mutant.applied(&right)).map_err(Failure::harness)?;
        let ending = ending(args.tests, &limits);
        std::fs::write(&file, right).map_err(Failure::harness)?;
        let tried =
            Tried { mutant: mutant.name.clone(), ending: ending?, seconds: begin.elapsed().as_secs_f64() };
        anstream::println!("{:<20} {:>5.0} s  {}", words(tried.ending), tried.seconds, tried.mutant);
        measured.tried.push(tried);
        let json = serde_json::to_string_pretty(&measured).map_err(Failure::harness)? + "\n";
        write_atomically(&args.out.join("mutants.json"), json.as_bytes()).map_err(Failure::bad_input)?;
    }
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for t in &measured.tried {
        *counts.entry(words(t.ending)).or_default() += 1;
    }
    let counts_of = |word: &str| counts.get(word).copied().unwrap_or(0);
    let viable = measured.tried.len() - counts_of("unviable");
    let missed = counts_of("missed");
    let counts: Vec<String> = counts.iter().map(|(word, n)| format!("{n} {word}")).collect();
    anstream::println!(
        "\n{} of {viable} that compile are caught, {:.1} % ({}); seed {}, {} tests a campaign",
        viable - missed,
        100.0 * (viable - missed) as f64 / viable.max(1) as f64,
        counts.join(", "),
        args.seed,
        args.tests,
    );
    Ok(if missed > 0 { Exit::NewFindings } else { Exit::Clean })
}

fn words(ending: Ending) -> String {
    match ending {
        Ending::Unviable => "unviable".to_string(),
        Ending::Caught(by) => format!("caught by {by}"),
        Ending::Missed => "missed".to_string(),
    }
}

/// Asks every program about the copy as it is.
fn ending(tests: u64, limits: &[Duration]) -> Result<Ending, Failure> {
    for ((name, what), limit) in PROGRAMS.iter().zip(limits) {
        let Some(program) = build(what)? else { return Ok(Ending::Unviable) };
        if !passes(&program, tests, *limit)? {
            return Ok(Ending::Caught(name));
        }
    }
    Ok(Ending::Missed)
}

/// So many of them, in the order of the code.
fn sample(mut all: Vec<Mutant>, n: usize, seed: u64) -> Vec<Mutant> {
    let mut stream = Stream::new(seed);
    while all.len() > n {
        let at = stream.below(all.len() as u64) as usize;
        all.remove(at);
    }
    all
}

/// Everything that cargo-mutants would change.
fn list() -> Result<Vec<Mutant>, Failure> {
    let mut command =
        Command::new(cargo_tool::installed("cargo-mutants", CARGO_MUTANTS, &["mutants", "--version"])?);
    // cargo-mutants is a Cargo subcommand: it expects its own name first.
    command.args(["mutants", "--list", "--json"]);
    command.args(CODE.iter().flat_map(|f| ["-f", f])).args(NOT.iter().flat_map(|f| ["-e", f]));
    let output = command.output().map_err(|e| Failure::harness(format!("cargo-mutants: {e}")))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(Failure::harness(format!("cargo-mutants failed: {words}")));
    }
    serde_json::from_slice(&output.stdout).map_err(|e| Failure::harness(format!("cargo-mutants: {e}")))
}

/// Copies what git knows, and what is new and not ignored; a file that is the same keeps its time, so that little is built.
fn copy() -> Result<(), Failure> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .output()
        .map_err(|e| Failure::harness(format!("git: {e}")))?;
    for name in String::from_utf8_lossy(&output.stdout).split('\0').filter(|n| !n.is_empty()) {
        // A file that git knows and that is gone is not copied.
        let Ok(bytes) = std::fs::read(name) else { continue };
        let to = Path::new(COPY).join(name);
        if std::fs::read(&to).is_ok_and(|old| old == bytes) {
            continue;
        }
        if let Some(folder) = to.parent() {
            std::fs::create_dir_all(folder).map_err(Failure::harness)?;
        }
        std::fs::write(&to, bytes).map_err(|e| Failure::harness(format!("{}: {e}", to.display())))?;
    }
    Ok(())
}

/// Builds a test program of the copy; `None` when it does not compile.
fn build(what: &[&str]) -> Result<Option<PathBuf>, Failure> {
    let target = std::env::current_dir().map_err(Failure::harness)?.join(BUILD);
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(COPY).env("CARGO_TARGET_DIR", target);
    command.args(["test", "--no-run", "--profile", "mutants", "--message-format", "json"]).args(what);
    let output = command.stdin(Stdio::null()).output().map_err(Failure::harness)?;
    if !output.status.success() {
        return Ok(None);
    }
    let artifact = |line: &str| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        // The package's other programs are built beside it.
        let is_test = message["profile"]["test"].as_bool() == Some(true);
        message["executable"].as_str().filter(|_| is_test).map(PathBuf::from)
    };
    let program = String::from_utf8_lossy(&output.stdout).lines().filter_map(artifact).next_back();
    program.map(Some).ok_or_else(|| Failure::harness(format!("cargo built no program of {what:?}")))
}

/// Runs a test program; one that takes longer than the limit is ended and has not passed.
fn passes(program: &Path, tests: u64, limit: Duration) -> Result<bool, Failure> {
    let mut command = Command::new(program);
    command.current_dir(Path::new(COPY).join("fuzz")).env("HALFPROOF_CAMPAIGN_TESTS", tests.to_string());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(Failure::harness)?;
    let begin = Instant::now();
    loop {
        if let Some(status) = child.try_wait().map_err(Failure::harness)? {
            return Ok(status.success());
        }
        if begin.elapsed() > limit {
            child.kill().map_err(Failure::harness)?;
            child.wait().map_err(Failure::harness)?;
            return Ok(false);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_follows_from_its_seed_and_keeps_the_order() {
        let all: Vec<Mutant> = (0..100).map(mutant::numbered).collect();
        let names = |seed| sample(all.clone(), 10, seed).into_iter().map(|m| m.name).collect::<Vec<_>>();
        assert_eq!(names(1), names(1));
        assert_ne!(names(1), names(2));
        let mut sorted = names(3);
        sorted.sort();
        assert_eq!(sorted, names(3));
        assert_eq!(sample(all.clone(), 1000, 1).len(), 100);
    }
}
