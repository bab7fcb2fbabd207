//! `fuzz`: the campaign.

mod command;
mod folder;
mod resume;

use super::{libfuzzer, report, systems};
use crate::clock;
use crate::exit::{Exit, Failure, Outcome};
use crate::progress::Progress;
use crate::words::counted;
use command::{command, options};
use halfproof_corpus::known_issue::Sighting;
use halfproof_corpus::store;
use halfproof_fuzz::campaign::{self, Event, Group, Schedule, Scouted, Until};
use halfproof_fuzz::generate::{DRAWS, InputKind, Options};
use halfproof_fuzz::minimise::Budget;
use halfproof_fuzz::pipeline::{Pipeline, Plan, Scouting};
use halfproof_fuzz::triage::{Signature, records};
use halfproof_ir::Precision;
use halfproof_oracle::contract::HalfUnit;
use halfproof_oracle::verdict::{Blame, Class, Verdict};
use halfproof_reports::schema::{Arrivals, KnownIssue, System, SystemKind};
use halfproof_reports::{Run, terminal};
use halfproof_wire::file::write_atomically;
use serde::{Deserialize, Serialize};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// One test in so many also runs in outside runtimes, where nothing is said.
const SHARE: u64 = 32;
/// Tests of each operator alone with which a campaign on an outside converter begins, where nothing is said.
const SCOUTS: u64 = 2;
/// Most nodes of a graph, where nothing is said.
const MOST_NODES: u64 = 8;

/// Options of `fuzz`.
#[derive(clap::Args, Clone, Debug, Serialize, Deserialize)]
#[command(
    after_help = "Examples:\n  cargo xtask fuzz\n  cargo xtask fuzz --time 2h --seed 20261123\n  cargo xtask fuzz --runs 100000 --ops Conv,Softmax --precision full\n  cargo xtask fuzz --resume reports/latest"
)]
pub(crate) struct Args {
    /// How long to run: 90s, 5m, 2h; 60s where neither this nor --runs is given.
    #[arg(long, value_parser = some_time, conflicts_with = "runs")]
    time: Option<Duration>,
    /// How many tests to run instead.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    runs: Option<u64>,
    /// The seed from which every test follows: a number, or `today` for the date as one (20261123).
    #[arg(long, default_value = "1", value_parser = seed)]
    seed: u64,
    /// Threads; one per core by default.
    #[arg(long)]
    jobs: Option<usize>,
    /// The converter under test.
    #[arg(long, default_value = "in-tree")]
    converter: String,
    /// Runtimes, separated by commas.
    #[arg(long, value_delimiter = ',', default_values_t = systems::DEFAULT_RUNTIMES.map(String::from))]
    runtime: Vec<String>,
    /// The float16 strategy: weights, full, mixed or all.
    #[arg(long, default_value = "all")]
    precision: String,
    /// Most nodes of a graph.
    #[arg(long, default_value_t = MOST_NODES, value_parser = clap::value_parser!(u64).range(1..=64))]
    max_nodes: u64,
    /// Only these operators (ONNX names, any case), separated by commas.
    #[arg(long, value_delimiter = ',')]
    ops: Vec<String>,
    /// One test in so many also runs in outside runtimes; with an outside converter every test does.
    #[arg(long, default_value_t = SHARE)]
    share: u64,
    /// With an outside converter: tests of each operator alone that come first; graphs are then drawn from those that were
    /// converted, and one in sixteen from all. 0 for none; 2 where nothing is said.
    #[arg(long)]
    scout: Option<u64>,
    /// Run only part i of n: tests whose index leaves i modulo n.
    #[arg(long, default_value = "0/1", value_parser = shard)]
    shard: (u64, u64),
    /// Where to write run.json, findings and reports. What an earlier run has left there is removed; a campaign that has
    /// not ended is moved to OUT.unfinished.
    #[arg(long, default_value = "reports/latest")]
    out: PathBuf,
    /// What draws the tests: our generator, or libFuzzer by way of cargo-fuzz (installed where it is absent).
    #[arg(long, value_enum, default_value_t = Engine::Generate)]
    engine: Engine,
    /// With --engine libfuzzer: one target only; fuzz/README.md lists them.
    #[arg(long)]
    target: Option<String>,
    /// With --engine libfuzzer: none, or address (needs nightly Rust).
    #[arg(long, default_value = "none", value_parser = ["none", "address"])]
    sanitizer: String,
    /// Go on with the campaign that was killed or interrupted while it wrote to this folder: its options hold, except that
    /// --time, --runs and --jobs may be given anew.
    #[arg(long, value_name = "DIR", conflicts_with_all = DECIDED)]
    #[serde(skip)]
    resume: Option<PathBuf>,
}

/// Options that a campaign which goes on has decided already.
const DECIDED: [&str; 13] = [
    "seed",
    "converter",
    "runtime",
    "precision",
    "max_nodes",
    "ops",
    "share",
    "scout",
    "shard",
    "out",
    "engine",
    "target",
    "sanitizer",
];

/// What draws the tests.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Engine {
    /// Our generator, from a seed.
    Generate,
    /// libFuzzer, guided by coverage.
    Libfuzzer,
}

impl Args {
    fn scouts(&self, is_outside: bool) -> u64 {
        self.scout.unwrap_or(if is_outside { SCOUTS } else { 0 })
    }

    fn until(&self) -> Until {
        self.runs.map_or(Until::Time(self.time.unwrap_or(Duration::from_secs(60))), Until::Runs)
    }
}

/// A duration in which something can be done.
fn some_time(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err(format!("\"{text}\" is no time at all; write 90s, 5m or 2h")),
        time => Ok(time),
    }
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let split = text.find(|c: char| c.is_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: f64 =
        number.parse().map_err(|_| format!("\"{text}\" is no duration; write 90s, 5m or 2h"))?;
    let seconds = match unit {
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(format!("\"{unit}\" is no unit of time; there are s, m and h")),
    };
    if !(0.0..=1e7).contains(&(number * seconds)) {
        return Err(format!("\"{text}\" is out of range"));
    }
    Ok(Duration::from_secs_f64(number * seconds))
}

fn seed(text: &str) -> Result<u64, String> {
    let number = if text == "today" { clock::today().replace('-', "") } else { text.to_string() };
    number.parse().map_err(|_| format!("\"{text}\" is no seed; write a number, or today"))
}

fn shard(text: &str) -> Result<(u64, u64), String> {
    let parts = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
    match parts {
        Some((i, n)) if i < n => Ok((i, n)),
        _ => Err(format!("\"{text}\" is no shard; write i/n with i from 0 to n - 1")),
    }
}

/// The strategies that a word means.
pub(crate) fn precisions(word: &str) -> Result<Vec<Precision>, Failure> {
    if word == "all" {
        return Ok(Precision::ALL.to_vec());
    }
    let one = Precision::ALL.into_iter().find(|p| p.name() == word);
    one.map(|p| vec![p]).ok_or_else(|| {
        Failure::bad_input(format!("no strategy is called \"{word}\"; there are: weights, full, mixed, all"))
    })
}

/// Operators by their ONNX names, whatever the case.
pub(crate) fn operators(words: &[String]) -> Result<Vec<String>, Failure> {
    words
        .iter()
        .map(|w| {
            let row = DRAWS.iter().find(|d| d.name.eq_ignore_ascii_case(w));
            row.map(|d| d.name.to_string()).ok_or_else(|| {
                let known: Vec<&str> = DRAWS.iter().map(|d| d.name).collect();
                Failure::bad_input(format!(
                    "the generator has no operator \"{w}\"; there are: {}",
                    known.join(", ")
                ))
            })
        })
        .collect()
}

fn pipeline(args: &Args) -> Result<(Pipeline, systems::Opened), Failure> {
    let converter = systems::converter(&args.converter)?;
    let mut opened = systems::open(&args.runtime);
    let interpreters = std::mem::take(&mut opened.interpreters);
    let runtimes = std::mem::take(&mut opened.outside);
    // An outside converter takes a thousand times longer than all runtimes together.
    let share = if converter.is_outside() { 1 } else { args.share };
    Ok((Pipeline { converter, interpreters, runtimes, share }, opened))
}

/// Options that the chosen engine does not know would be ignored without a word.
fn check_engine(args: &Args) -> Result<(), Failure> {
    let (asked, elsewhere) = match args.engine {
        Engine::Generate => (
            vec![("target", args.target.is_some()), ("sanitizer", args.sanitizer != "none")],
            "only with --engine libfuzzer",
        ),
        Engine::Libfuzzer => (
            vec![
                ("jobs", args.jobs.is_some()),
                ("converter", args.converter != "in-tree"),
                ("runtime", args.runtime != systems::DEFAULT_RUNTIMES),
                ("precision", args.precision != "all"),
                ("max-nodes", args.max_nodes != MOST_NODES),
                ("ops", !args.ops.is_empty()),
                ("share", args.share != SHARE),
                ("scout", args.scout.is_some()),
                ("shard", args.shard != (0, 1)),
            ],
            "not with --engine libfuzzer",
        ),
    };
    match asked.into_iter().find(|(_, is_asked)| *is_asked) {
        Some((name, _)) => Err(Failure::bad_input(format!("--{name} goes {elsewhere}"))),
        None => Ok(()),
    }
}

/// Runs a campaign and writes its report; exit code 1 when something new is certain.
pub(crate) fn run(args: &Args) -> Outcome {
    check_engine(args)?;
    if args.engine == Engine::Libfuzzer {
        let time = args.time.unwrap_or(Duration::from_secs(60));
        return libfuzzer::run(
            args.target.as_deref(),
            time,
            args.runs,
            args.seed,
            &args.sanitizer,
            &args.out,
        );
    }
    let (args, going_on) = match &args.resume {
        Some(folder) => {
            let (args, campaign) = resume::open(args, folder)?;
            (args, Some(campaign))
        }
        None => (args.clone(), None),
    };
    let args = &args;
    systems::check_runtimes(&args.runtime)?;
    let converter = systems::converter(&args.converter)?;
    let mut plan = Plan {
        seed: args.seed,
        generator: Options {
            max_nodes: args.max_nodes as usize,
            ops: operators(&args.ops)?,
            ..Options::default()
        },
        precisions: systems::followed(converter.as_ref(), precisions(&args.precision)?)?,
        kinds: InputKind::ALL.to_vec(),
        scouting: Scouting { cases: args.scouts(converter.is_outside()), seen: Scouted::new() },
    };
    let opened = systems::open(&args.runtime);
    let mut result = Run::new(command(args), args.seed);
    result.systems = opened.systems();
    result.systems.push(System {
        name: converter.name().to_string(),
        kind: SystemKind::Converter,
        version: converter.version().to_string(),
    });
    result.skipped = opened.skipped.clone();
    result.options = options(args, plan.scouting.cases);
    result.host = host();

    let known = Known::new(&result)?;
    // Fail before the work, not after it: the folder must take files. It is ours until the end.
    let resume::Campaign { mut journal, begun, started, taken: _taken } = match going_on {
        Some(campaign) => campaign,
        None => resume::create(args)?,
    };
    opened.warn();
    let jobs = args.jobs.unwrap_or_else(cores).max(1);
    let schedule = Schedule { until: args.until(), jobs, before: None, shard: args.shard };
    let cancel = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&cancel);
    // A second handler cannot be set in tests that call this twice; the first one then stays.
    let _ = ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed));
    let progress = Progress::new(match schedule.until {
        Until::Runs(n) => n,
        Until::Time(time) => time.as_secs(),
    });
    let mut warned = false;
    let mut stretch = |schedule: &Schedule, plan: &Plan, begun| {
        campaign::run(
            schedule,
            begun,
            &cancel,
            |_| {
                let mut p = pipeline(args).ok().map(|(p, _)| p);
                let (plan, known) = (plan.clone(), &known);
                move |index, tally: &mut campaign::Tally| {
                    let mut seen = p.as_mut().map_or_else(Vec::new, |p| p.test(&plan, index, tally));
                    for s in &mut seen {
                        s.signature.known = known.issue(&s.signature, &s.verdict).map(|k| k.file);
                    }
                    seen
                }
            },
            |event| {
                match event {
                    Event::New { signature, group } => journal.found(signature, group),
                    Event::Progress(so_far) => {
                        journal.progress(so_far);
                        let position = match schedule.until {
                            Until::Runs(_) => so_far.tally.totals.tests,
                            Until::Time(_) => so_far.elapsed.as_secs(),
                        };
                        progress.update(position, &so_far.tally, so_far.elapsed);
                    }
                }
                if let Some(why) = journal.failure().filter(|_| !warned) {
                    warned = true;
                    anstream::eprintln!("the campaign goes on, but could not be resumed: {why}");
                }
            },
        )
    };
    let mut begun = begun;
    let scouts = plan.scouts();
    if begun.done.next() < scouts {
        // Every shard needs to know what is converted.
        let first = Schedule { before: Some(scouts), shard: (0, 1), ..schedule.clone() };
        begun = stretch(&first, &plan, begun);
    }
    plan.scouting.seen = begun.tally.scouted.clone();
    let outcome = stretch(&schedule, &plan, begun);
    journal.save(&outcome);
    result.timings.started = started;
    result.interrupted = !schedule.is_over(&outcome);
    if result.interrupted && outcome.done.next() > 0 {
        // Every test that was begun was ended, so that so many are the same ones.
        result.command = command(&Args { runs: Some(outcome.done.next()), time: None, ..args.clone() });
    }
    let refusals = outcome.tally.refusals.clone();
    let tests = outcome.tally.totals.tests;
    outcome.tally.fill(&mut result, &plan.generator.names());
    result.timings.seconds = outcome.elapsed.as_secs_f64();
    result.timings.jobs = jobs as u32;
    result.timings.tests_per_second = tests as f64 / outcome.elapsed.as_secs_f64().max(1e-9);
    let written = findings(args, &plan, &outcome.groups, &known, &mut result, (&progress, &cancel));
    progress.finish();
    result.interrupted |= cancel.load(Ordering::Relaxed);
    result.arrivals = Some(Arrivals::of(&result, plan.scouts(), args.shard.1));
    result.sort();
    let written = written.and_then(|()| {
        write_atomically(&args.out.join("run.json"), result.to_json().as_bytes())
            .map_err(Failure::harness)?;
        report::write(&result, &args.out)
    });
    // What was found is said even where the disk does not take it.
    anstream::println!("{}", terminal(&result, std::io::stdout().is_terminal()));
    if !plan.scouting.seen.is_empty() {
        anstream::println!("{}", taken(&plan.scouting.seen));
    }
    for line in result.arrivals.iter().flat_map(Arrivals::lines) {
        anstream::println!("{line}");
    }
    for ((system, what), n) in refusals.iter().take(20) {
        anstream::println!("{system} refused {}: {what}", counted(n, "time"));
    }
    written?;
    if result.interrupted {
        anstream::println!("`cargo xtask fuzz --resume {}` goes on with it", args.out.display());
    } else {
        journal.finish();
    }
    anstream::println!("report: {}", args.out.join("report.html").display());
    Ok(if result.is_red() { Exit::NewFindings } else { Exit::Clean })
}

/// Which operators a converter takes alone, and which it does not.
fn taken(scouted: &Scouted) -> String {
    let refused: Vec<&str> =
        scouted.iter().filter(|(_, t)| !t.is_taken()).map(|(name, _)| name.as_str()).collect();
    let (n, all) = (scouted.len() - refused.len(), scouted.len());
    let rest = if refused.is_empty() { String::new() } else { format!("; not {}", refused.join(", ")) };
    format!("{n} of {all} operators were converted alone, and graphs drawn from them{rest}")
}

/// Minimises and writes every group, in the order of their first tests. An attempt with an outside converter takes about a
/// second, so there are few.
fn findings(
    args: &Args,
    plan: &Plan,
    groups: &std::collections::BTreeMap<Signature, Group>,
    known: &Known,
    result: &mut Run,
    (progress, cancel): (&Progress, &AtomicBool),
) -> Result<(), Failure> {
    if groups.is_empty() {
        return Ok(());
    }
    let (mut pipeline, _) = pipeline(args)?;
    let slow = pipeline.converter.is_outside();
    let budget = |signature: &Signature| match signature.class {
        // Who interrupts it waits for no more of this: what is not minimised yet is written as it was drawn.
        _ if cancel.load(Ordering::Relaxed) => Budget { attempts: 0 },
        _ if !slow => Budget::default(),
        // A refusal names its operator: little is left to find out.
        Class::Legalization => Budget { attempts: 6 },
        _ => Budget { attempts: 40 },
    };
    let issue = |form: &Signature, verdict: &Verdict| known.issue(form, verdict);
    let all = records(&mut pipeline, plan, groups, &issue, &budget, |i, n| {
        progress.say(format!("minimising finding {} of {n}", i + 1));
    });
    let mut written = Ok(());
    for mut record in all {
        if written.is_ok() {
            written = record.write(&args.out).map_err(Failure::harness);
        }
        result.findings.push(record.finding);
    }
    written
}

/// What is known of the systems that take part.
struct Known {
    issues: Vec<(String, halfproof_corpus::KnownIssue)>,
    versions: std::collections::BTreeMap<String, String>,
    converter: Option<String>,
    today: String,
}

impl Known {
    /// The known issues, and the versions of the run's systems.
    fn new(run: &Run) -> Result<Known, Failure> {
        let issues = store::known_issues(Path::new("corpus/known-issues")).map_err(Failure::harness)?;
        let versions = run.systems.iter().map(|s| (s.name.clone(), s.version.clone())).collect();
        let converter = run.systems.iter().find(|s| s.kind == SystemKind::Converter).map(|s| s.name.clone());
        Ok(Known { issues, versions, converter, today: clock::today() })
    }

    /// The known issue that a verdict is; `form` is its signature, which says nothing yet of what is known.
    fn issue(&self, form: &Signature, verdict: &Verdict) -> Option<KnownIssue> {
        let text = form.to_string();
        // What a runtime says of a file that its converter is to blame for is known of the converter.
        let converter = self.converter.as_ref().filter(|_| verdict.blame == Blame::Converter);
        let issue = [Some(&form.system), converter].into_iter().flatten().find_map(|system| {
            let version = self.versions.get(system).map_or("", String::as_str);
            let sighting = Sighting { signature: &text, ..Sighting::of(system, version, verdict) };
            self.issues.iter().find(|(_, k)| k.matches(&sighting, &self.today))
        });
        issue.map(|(file, k)| KnownIssue { file: file.clone(), link: k.upstream.clone() })
    }
}

pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The machine, as far as results depend on it: system, processor, its float16 unit, cores.
pub(crate) fn host() -> String {
    let cores = cores();
    let unit = HalfUnit::here().name();
    format!("{} {} {unit}, {cores} cores", std::env::consts::OS, std::env::consts::ARCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("2h"), Ok(Duration::from_secs(7200)));
        assert_eq!(duration("1.5m"), Ok(Duration::from_secs(90)));
        assert!(duration("soon").is_err());
        assert!(duration("-1s").is_err());
    }

    #[test]
    fn a_seed_is_a_number_or_the_day() {
        assert_eq!(seed("7"), Ok(7));
        assert!(seed("today").is_ok_and(|s| (20_260_101..30_000_101).contains(&s)));
        assert!(seed("tomorrow").is_err());
    }

    #[test]
    fn shards_are_below_their_number() {
        assert_eq!(shard("1/3"), Ok((1, 3)));
        assert!(shard("3/3").is_err());
        assert!(shard("x").is_err());
    }
}
