//! `mutants`: mutation testing of the converter's lowering and precision code. cargo-mutants says what could be changed; a
//! seeded sample of it is changed, one at a time, in a copy of the tree; the converter's tests or a campaign must notice.
//! LiteRT takes part in the campaign where it is installed.
//!
//! The tests are run here and not by cargo-mutants, since a change must rebuild no more than the two test programs.

mod explained;
mod mutant;
mod switch;

use super::cargo_tool;
use crate::exit::{Exit, Failure, Outcome};
use halfproof_fuzz::generate::Stream;
use halfproof_systems::runtimes::litert::locate;
use halfproof_wire::file::write_atomically;
use mutant::Mutant;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};
use switch::{MODULE, Switched, VARIABLE};

/// The pinned cargo-mutants.
const CARGO_MUTANTS: &str = "27.1.0";
/// What is changed.
const CODE: [&str; 4] = [
    "converter/src/lower/**/*.rs",
    "converter/src/emit/**/*.rs",
    "converter/src/precision/**/*.rs",
    "converter/src/precision.rs",
];
/// What is not: tests, and what only they use.
const NOT: [&str; 3] = ["**/tests.rs", "**/tests/**", "converter/src/precision/fixture.rs"];
/// The copy that is changed, and where it is built.
const COPY: &str = "target/mutants/tree";
const BUILD: &str = "target/mutants/build";
/// Programs that must notice, the cheapest to build first.
const PROGRAMS: &[Kind] = &[
    ("tests", &["-p", "halfproof-converter", "--lib"]),
    ("choices", &["-p", "halfproof-converter", "--test", "choices"]),
    ("census", &["-p", "halfproof-fuzz", "--test", "census"]),
    ("judged", &["-p", "halfproof-fuzz", "--test", "judged"]),
    ("campaign", &["-p", "halfproof-fuzz", "--test", "campaign"]),
];
/// What a program is called, and which test of which package it is.
type Kind = (&'static str, &'static [&'static str]);
/// The root of the crate that is changed.
const ROOT: &str = "converter/src/lib.rs";
/// Address space of a program, in kB.
const MOST_KB: u64 = 8 << 20;
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
    /// Leave the campaign out: what the converter's own tests catch, in a fraction of the time.
    #[arg(long)]
    without_campaign: bool,
    /// Begin with no mutant after this time: 90s, 40m, 2h.
    #[arg(long, value_parser = super::fuzz::duration)]
    time: Option<Duration>,
    /// Mutants tried at a time. The programs use several processors, though not all the time.
    #[arg(long, default_value_t = 2)]
    jobs: usize,
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
    /// Nobody noticed, and nobody can: it is explained.
    Explained,
    /// It is explained, but it was noticed: the explanation is wrong.
    Refuted(&'static str),
    /// Nobody noticed.
    Missed,
}

impl Ending {
    /// With what the table of explanations says of the mutant.
    fn explained(self, explained: bool) -> Ending {
        match self {
            Ending::Missed if explained => Ending::Explained,
            Ending::Caught(by) if explained => Ending::Refuted(by),
            other => other,
        }
    }
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
    /// True when the campaign ran LiteRT.
    litert: bool,
    all: usize,
    tried: Vec<Tried>,
}

/// Tries a sample; exit code 1 when mutants survive.
pub(crate) fn run(args: &Args) -> Outcome {
    crate::folder::make(&args.out)?;
    let all = list()?;
    let wanted = |m: &Mutant| {
        args.file.as_ref().is_none_or(|f| m.file.contains(f.as_str()))
            && args.only.as_ref().is_none_or(|o| m.name.contains(o.as_str()))
    };
    let chosen: Vec<Mutant> = all.iter().filter(|m| wanted(m)).cloned().collect();
    let sample = sample(chosen, args.sample, args.seed);
    let explained = explained::of(&all)?;
    let explained: Vec<bool> = sample.iter().map(|m| explained.contains(&m.name)).collect();
    let programs = &PROGRAMS[..PROGRAMS.len() - usize::from(args.without_campaign)];
    anstream::eprintln!(
        "{} of {} mutants, after a build without a change (minutes, the first time)",
        sample.len(),
        all.len()
    );
    copy()?;
    let litert = !args.without_campaign && litert()?;
    let mut measured = Measured { seed: args.seed, tests: args.tests, litert, all: all.len(), tried: vec![] };
    let mut write = |at: usize, ending: Ending, seconds: f64| {
        let (mutant, ending) = (&sample[at], ending.explained(explained[at]));
        anstream::println!("{:<20} {seconds:>5.0} s  {}", words(ending), mutant.name);
        measured.tried.push(Tried { mutant: mutant.name.clone(), ending, seconds });
        let json = serde_json::to_string_pretty(&measured).map_err(Failure::harness)? + "\n";
        write_atomically(&args.out.join("mutants.json"), json.as_bytes()).map_err(Failure::writing)
    };
    let late = |begin: Instant| args.time.is_some_and(|limit| begin.elapsed() > limit);
    let begin = Instant::now();
    let (switched, asked) = switched(&sample, args.tests, programs)?;
    let queue = Mutex::new(switched.iter().copied());
    let next = || if late(begin) { None } else { queue.lock().ok()?.next() };
    std::thread::scope(|scope| {
        let (send, tried) = mpsc::channel();
        for send in vec![send; args.jobs.max(1)] {
            scope.spawn(|| {
                // Nobody listens any more when a result could not be written.
                let try_one = |at| {
                    let begin = Instant::now();
                    send.send((at, asked.thrown(at, args.tests), begin.elapsed())).is_ok()
                };
                while next().is_some_and(try_one) {}
                drop(send);
            });
        }
        tried.iter().try_for_each(|(at, ending, time)| write(at, ending?, time.as_secs_f64()))
    })?;
    copy()?;
    for (at, mutant) in sample.iter().enumerate().filter(|(at, _)| !switched.contains(at)) {
        if late(begin) {
            break;
        }
        let begin = Instant::now();
        write(at, asked.rebuilt(mutant, args.tests)?, begin.elapsed().as_secs_f64())?;
    }
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for t in &measured.tried {
        *counts.entry(words(t.ending)).or_default() += 1;
    }
    let counts_of = |word: &str| counts.get(word).copied().unwrap_or(0);
    let viable = measured.tried.len() - counts_of("unviable") - counts_of("explained");
    let missed = counts_of("missed");
    let refuted = measured.tried.iter().filter(|t| matches!(t.ending, Ending::Refuted(_))).count();
    let counts: Vec<String> = counts.iter().map(|(word, n)| format!("{n} {word}")).collect();
    anstream::println!(
        "\n{} of {viable} that compile and are not explained are caught, {:.1} % ({}); seed {}, {}",
        viable - missed,
        100.0 * (viable - missed) as f64 / viable.max(1) as f64,
        counts.join(", "),
        args.seed,
        match (args.without_campaign, litert) {
            (true, _) => "WITHOUT a campaign".to_string(),
            (_, true) => format!("{} tests a campaign, with LiteRT", args.tests),
            (_, false) => format!("{} tests a campaign, WITHOUT LiteRT", args.tests),
        },
    );
    Ok(if missed + refuted > 0 { Exit::NewFindings } else { Exit::Clean })
}

fn words(ending: Ending) -> String {
    match ending {
        Ending::Unviable => "unviable".to_string(),
        Ending::Caught(by) => format!("caught by {by}"),
        Ending::Explained => "explained".to_string(),
        Ending::Refuted(by) => format!("EXPLAINED, yet caught by {by}"),
        Ending::Missed => "missed".to_string(),
    }
}

/// The programs as they were without a change.
struct Asked {
    /// What they are called, and how they are built.
    kinds: &'static [Kind],
    /// With switches.
    programs: Vec<PathBuf>,
    /// How long each may take.
    limits: Vec<Duration>,
}

impl Asked {
    /// Asks about a mutant that has a switch.
    fn thrown(&self, mutant: usize, tests: u64) -> Result<Ending, Failure> {
        for (((name, _), program), limit) in self.kinds.iter().zip(&self.programs).zip(&self.limits) {
            if !passes(program, Some(mutant), tests, *limit)? {
                return Ok(Ending::Caught(name));
            }
        }
        Ok(Ending::Missed)
    }

    /// Asks about a mutant that has none: the copy is changed and built again.
    fn rebuilt(&self, mutant: &Mutant, tests: u64) -> Result<Ending, Failure> {
        let file = Path::new(COPY).join(&mutant.file);
        let right = std::fs::read_to_string(&file).map_err(Failure::harness)?;
        std::fs::write(&file, mutant.applied(&right)).map_err(Failure::harness)?;
        let ending = self.built(tests);
        std::fs::write(&file, right).map_err(Failure::harness)?;
        ending
    }

    fn built(&self, tests: u64) -> Result<Ending, Failure> {
        for ((name, what), limit) in self.kinds.iter().zip(&self.limits) {
            let Built::Program(program) = build(what)? else { return Ok(Ending::Unviable) };
            if !passes(&program, None, tests, *limit)? {
                return Ok(Ending::Caught(name));
            }
        }
        Ok(Ending::Missed)
    }
}

/// Puts the mutants of a sample behind switches, as far as they compile so, and builds the programs. Gives those that have one,
/// by their place in the sample.
fn switched(sample: &[Mutant], tests: u64, kinds: &'static [Kind]) -> Result<(Vec<usize>, Asked), Failure> {
    let mut refused: BTreeSet<usize> = BTreeSet::new();
    let mut files: BTreeMap<&str, Switched> = BTreeMap::new();
    let mut changed: BTreeSet<&str> = sample.iter().map(|m| m.file.as_str()).collect();
    let (root, path) = (std::fs::read_to_string(ROOT).map_err(Failure::harness)?, Path::new(COPY));
    std::fs::write(path.join(ROOT), root + MODULE).map_err(Failure::harness)?;
    let programs = loop {
        for &file in &changed {
            let right = std::fs::read_to_string(file).map_err(Failure::harness)?;
            let here = sample.iter().enumerate().filter(|(at, m)| m.file == file && !refused.contains(at));
            let new = switch::switched(&right, &here.collect::<Vec<_>>());
            let new = new.map_err(|e| Failure::harness(format!("{file}: {e}")))?;
            std::fs::write(path.join(file), &new.text).map_err(Failure::harness)?;
            files.insert(file, new);
        }
        changed.clear();
        let (mut programs, mut places) = (vec![], vec![]);
        for (_, what) in kinds {
            match build(what)? {
                Built::Program(program) => programs.push(program),
                Built::Not(all) => {
                    places = all;
                    break;
                }
            }
        }
        if programs.len() == kinds.len() {
            break programs;
        }
        for Place { file, byte } in &places {
            let Some((&file, text)) = files.get_key_value(file.as_str()) else { continue };
            if text.at(*byte).iter().any(|&at| refused.insert(at)) {
                changed.insert(file);
            }
        }
        if changed.is_empty() {
            return Err(Failure::harness(format!("with switches it does not compile: {places:?}")));
        }
    };
    let all: Vec<usize> = files.values().flat_map(Switched::all).collect();
    anstream::eprintln!(
        "{} mutants have a switch, {} are built one by one",
        all.len(),
        sample.len() - all.len()
    );
    let mut limits = vec![];
    for ((name, _), program) in kinds.iter().zip(&programs) {
        let begin = Instant::now();
        if !passes(program, None, tests, Duration::from_secs(3600))? {
            return Err(Failure::harness(format!("the {name} fail without a change: {}", program.display())));
        }
        limits.push(begin.elapsed() * PATIENCE + Duration::from_secs(20));
    }
    let mut in_order: Vec<usize> = all;
    in_order.sort_unstable();
    Ok((in_order, Asked { kinds, programs, limits }))
}

/// So many of them, in an order in which any beginning is a sample too.
fn sample(mut all: Vec<Mutant>, n: usize, seed: u64) -> Vec<Mutant> {
    let mut stream = Stream::new(seed);
    let mut drawn = vec![];
    while drawn.len() < n && !all.is_empty() {
        drawn.push(all.swap_remove(stream.below(all.len() as u64) as usize));
    }
    drawn
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

/// Builds LiteRT's worker from the unchanged copy, beside the test programs, where they look for it; false, said aloud, where
/// LiteRT is not installed.
fn litert() -> Result<bool, Failure> {
    if let Err(why) = locate() {
        anstream::eprintln!("LiteRT TAKES NO PART, and what only its kernels refuse will be missed: {why}");
        return Ok(false);
    }
    let mut command = cargo("build")?;
    command.args(["-p", "halfproof-systems", "--bin", "halfproof-worker"]);
    let status = command.status().map_err(Failure::harness)?;
    match status.success() {
        true => Ok(true),
        false => Err(Failure::harness("LiteRT's worker does not compile without a change")),
    }
}

/// Cargo in the copy.
fn cargo(command: &str) -> Result<Command, Failure> {
    let target = std::env::current_dir().map_err(Failure::harness)?.join(BUILD);
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(COPY).env("CARGO_TARGET_DIR", target).stdin(Stdio::null());
    cargo.args([command, "--profile", "mutants"]);
    Ok(cargo)
}

/// What came of building a program.
enum Built {
    Program(PathBuf),
    /// Where it does not compile.
    Not(Vec<Place>),
}

/// A place that a compiler complains about.
#[derive(Debug)]
struct Place {
    file: String,
    byte: usize,
}

/// Builds a test program of the copy.
fn build(what: &[&str]) -> Result<Built, Failure> {
    let mut command = cargo("test")?;
    command.args(["--no-run", "--message-format", "json"]).args(what);
    let output = command.output().map_err(Failure::harness)?;
    let words = String::from_utf8_lossy(&output.stdout).into_owned();
    let messages = || words.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    if !output.status.success() {
        return Ok(Built::Not(messages().flat_map(|m| places(&m["message"])).collect()));
    }
    let artifact = |message: serde_json::Value| {
        // The package's other programs are built beside it.
        let is_test = message["profile"]["test"].as_bool() == Some(true);
        message["executable"].as_str().filter(|_| is_test).map(PathBuf::from)
    };
    let program = messages().filter_map(artifact).next_back();
    program.map(Built::Program).ok_or_else(|| Failure::harness(format!("cargo built no program of {what:?}")))
}

/// The places of an error; none of a warning.
fn places(message: &serde_json::Value) -> Vec<Place> {
    let spans = message["spans"].as_array().filter(|_| message["level"] == "error");
    let place = |span: &serde_json::Value| {
        let byte = usize::try_from(span["byte_start"].as_u64()?).ok()?;
        Some(Place { file: span["file_name"].as_str()?.to_string(), byte })
    };
    let primary = |span: &&serde_json::Value| span["is_primary"].as_bool() == Some(true);
    spans.into_iter().flatten().filter(primary).filter_map(place).collect()
}

/// Runs a test program; one that takes longer than the limit is ended and has not passed.
fn passes(program: &Path, mutant: Option<usize>, tests: u64, limit: Duration) -> Result<bool, Failure> {
    // A change may ask for memory without end.
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -v {MOST_KB}; exec \"$0\"")]).arg(program);
    command.envs(mutant.map(|at| (VARIABLE, at.to_string())));
    command.current_dir(Path::new(COPY).join("fuzz")).env("HALFPROOF_CAMPAIGN_TESTS", tests.to_string());
    // The copy has no systems of its own.
    if let Ok(library) = locate() {
        let library = std::path::absolute(library).map_err(Failure::harness)?;
        command.env("HALFPROOF_LITERT", library);
    }
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
    fn a_sample_follows_from_its_seed_and_begins_as_a_smaller_one() {
        let all: Vec<Mutant> = (0..100).map(mutant::numbered).collect();
        let names = |n, seed| sample(all.clone(), n, seed).into_iter().map(|m| m.name).collect::<Vec<_>>();
        assert_eq!(names(10, 1), names(10, 1));
        assert_ne!(names(10, 1), names(10, 2));
        assert_eq!(names(20, 3)[..10], names(10, 3));
        assert_eq!(names(1000, 1).into_iter().collect::<BTreeSet<_>>().len(), 100);
    }
}
