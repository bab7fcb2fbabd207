//! `regress`: replays the corpus, cases and real models, and holds every verdict to what is expected.

use super::{convert, systems, triage};
use crate::exit::{Exit, Failure, Outcome};
use crate::words::counted;
use halfproof_corpus::known_issue::Sighting;
use halfproof_corpus::{Case, Expectation, KnownIssue, Setting, expect, store};
use halfproof_fuzz::generate::{InputKind, inputs};
use halfproof_fuzz::pipeline::Pipeline;
use halfproof_ir::{Graph, Precision, Tensor};
use halfproof_oracle::judge::{Answer, Question, worst};
use halfproof_oracle::verdict::{Blame, Class, Strength, Verdict};
use halfproof_systems::setup;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Options of `regress`.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The corpus.
    #[arg(long, default_value = "corpus")]
    corpus: PathBuf,
    /// The converter.
    #[arg(long, default_value = "in-tree")]
    converter: String,
    /// Runtimes, separated by commas.
    #[arg(long, value_delimiter = ',', default_values_t = systems::DEFAULT_RUNTIMES.map(String::from))]
    runtime: Vec<String>,
}

/// What is replayed: a case of the corpus, or a real model with generated inputs.
struct Replay {
    name: String,
    graph: Graph,
    precisions: Vec<Precision>,
    sets: Vec<(String, Vec<Tensor>)>,
    expect: Vec<Expectation>,
    /// The stored case; a real model is replayed on everything.
    about: Option<Case>,
}

/// Replays everything; exit code 1 when a verdict is not the expected one.
pub(crate) fn run(args: &Args) -> Outcome {
    systems::check_runtimes(&args.runtime)?;
    let replays = collect(&args.corpus)?;
    let known = Known::of(&args.corpus)?;
    let mut pipeline = triage::open(&args.converter, &args.runtime)?;
    let mut total = Count::default();
    // By converter: the cases that are about others only.
    let mut elsewhere: BTreeMap<&str, usize> = BTreeMap::new();
    for replay in &replays {
        if let Some(case) = replay.about.as_ref().filter(|c| !c.wants_converter(&args.converter)) {
            case.about.converters.iter().for_each(|c| *elsewhere.entry(c).or_default() += 1);
            continue;
        }
        let mut count = Count::default();
        let wrong = check(&mut pipeline, replay, &known, &mut count);
        let word = match wrong.is_empty() {
            false => "NOT AS EXPECTED",
            true if count.is_empty() => "NOT REPLAYED",
            true => "as expected",
        };
        anstream::println!("{:<44} {word}{}", replay.name, count.aside());
        for line in wrong {
            anstream::println!("    {line}");
        }
        total.add(&count);
    }
    for (converter, cases) in elsewhere {
        anstream::println!(
            "SKIPPED {} about {converter}: `cargo xtask regress --converter {converter}` replays {}",
            counted(cases, "case"),
            if cases == 1 { "it" } else { "them" }
        );
    }
    let Count { passed, failed, uncertain, known, unsaid } = total;
    if unsaid > 0 {
        anstream::println!("{unsaid} not replayed: the case has no form that {} takes", args.converter);
    }
    anstream::println!(
        "{uncertain} not certain (they rest on contracts that nobody has verified, or nothing is decidable), {}",
        counted(known, "known issue")
    );
    anstream::println!("{passed} passed, {failed} failed");
    Ok(if failed > 0 { Exit::NewFindings } else { Exit::Clean })
}

/// Verdicts by what they are worth.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    /// As expected, and certain.
    passed: u64,
    /// Not as expected.
    failed: u64,
    /// As expected, or a fault of a runtime, but resting on a contract that nobody has verified.
    uncertain: u64,
    /// A fault that the corpus knows.
    known: u64,
    /// Not replayed: the source has no form that the converter takes.
    unsaid: u64,
}

impl Count {
    fn add(&mut self, other: &Count) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.uncertain += other.uncertain;
        self.known += other.known;
        self.unsaid += other.unsaid;
    }

    /// True when nothing was judged.
    fn is_empty(&self) -> bool {
        self.passed + self.failed + self.uncertain + self.known == 0
    }

    /// What a line says beside its main word.
    fn aside(&self) -> String {
        let one = |n: u64, what: &str| (n > 0).then(|| format!("{n} {what}"));
        let said: Vec<String> =
            [one(self.uncertain, "not certain"), one(self.known, "known"), one(self.unsaid, "not replayed")]
                .into_iter()
                .flatten()
                .collect();
        if said.is_empty() { String::new() } else { format!(" ({})", said.join(", ")) }
    }
}

fn collect(corpus: &Path) -> Result<Vec<Replay>, Failure> {
    let mut replays = vec![];
    for entry in store::list(corpus).map_err(Failure::bad_input)? {
        let case = store::load(&entry.folder).map_err(Failure::bad_input)?;
        replays.push(Replay {
            name: entry.name.clone(),
            precisions: case.precisions().to_vec(),
            sets: case.inputs.iter().map(|s| (s.name.clone(), s.tensors.clone())).collect(),
            expect: case.about.expect.clone(),
            graph: case.graph.clone(),
            about: Some(case),
        });
    }
    let mut models: Vec<PathBuf> = std::fs::read_dir(corpus.join("models"))
        .map(|d| d.filter_map(|e| Some(e.ok()?.path())).collect())
        .unwrap_or_default();
    models.retain(|p| p.extension().is_some_and(|e| e == "onnx"));
    models.sort();
    for path in models {
        let (convert::Source::Onnx(graph), _) = convert::read(&path)? else { continue };
        let sets = [InputKind::Lattice, InputKind::Gaussian]
            .into_iter()
            .map(|kind| (kind.name().to_string(), inputs(&graph, kind, 7)))
            .collect();
        let name = format!("models/{}", path.file_stem().unwrap_or_default().to_string_lossy());
        replays.push(Replay {
            name,
            graph: *graph,
            precisions: Precision::ALL.to_vec(),
            sets,
            expect: vec![],
            about: None,
        });
    }
    Ok(replays)
}

/// Lines about every verdict that is not as expected.
fn check(pipeline: &mut Pipeline, replay: &Replay, known: &Known, count: &mut Count) -> Vec<String> {
    let mut wrong = vec![];
    let followed = |p: &&Precision| pipeline.converter.precisions().contains(p);
    let precisions: Vec<Precision> = replay.precisions.iter().filter(followed).copied().collect();
    let converter = pipeline.converter.name().to_string();
    let made_by = pipeline.converter.version().to_string();
    let is_outside = pipeline.converter.is_outside();
    for precision in precisions {
        for (set, tensors) in &replay.sets {
            let kind = InputKind::from_name(set).unwrap_or(InputKind::Gaussian);
            let report = triage::examine(pipeline, &replay.graph, precision, kind, tensors);
            if let Some(why) = report.discarded {
                count.unsaid += 1;
                // A case that is about this converter must be replayed.
                if replay.about.as_ref().is_some_and(|c| c.about.converters.contains(&converter)) {
                    count.failed += 1;
                    wrong.push(format!("{precision} {set}: not replayed: {why}"));
                }
            }
            let answers = report.answers;
            for system in systems_of(&answers) {
                if replay.about.as_ref().is_some_and(|case| !case.wants_system(system)) {
                    continue;
                }
                // What holds for the file holds for every runtime that runs it.
                let file = |q| matches!(q, Question::Legality | Question::Constants | Question::Semantics);
                // A run of which no operator is visible says nothing about kernels; its outputs still count. Nor do constants
                // that another converter folded say anything.
                let open = |q| q == Question::Kernels || (q == Question::Constants && is_outside);
                let blind = |a: &Answer| open(a.question) && a.verdict.class == Class::Undecidable;
                let about: Vec<Answer> = answers
                    .iter()
                    .filter(|(s, a)| (s == system || file(a.question)) && !blind(a))
                    .map(|(_, a)| a.clone())
                    .collect();
                let Some(answer) = worst(&about) else { continue };
                let setting = Setting { converter: &converter, system, precision, inputs: Some(set) };
                let v = &answer.verdict;
                let certain = v.strength == Strength::Certified;
                // What is wrong with the file is the converter's, whichever runtime it is shown by.
                let (accused, version) = match answer.system {
                    None => (converter.as_str(), made_by.as_str()),
                    Some(_) => (system, pinned_version(system)),
                };
                if agrees(replay, &setting, answer) {
                    *(if certain { &mut count.passed } else { &mut count.uncertain }) += 1;
                } else if known.excuses(accused, version, v) {
                    count.known += 1;
                } else if !certain && v.blame == Blame::Kernel {
                    count.uncertain += 1;
                } else {
                    count.failed += 1;
                    wrong.push(format!("{precision} {set} {system}: {} ({}): {}", v.class, v.blame, v.text));
                }
            }
        }
    }
    wrong
}

/// The version of a runtime, or of our converter: the pinned one, which `setup` installs.
pub(crate) fn pinned_version(system: &str) -> &'static str {
    if system.starts_with("litert") { setup::LITERT_VERSION } else { env!("CARGO_PKG_VERSION") }
}

/// The runtimes that said something, or the converter where none ran.
fn systems_of(answers: &[(String, Answer)]) -> Vec<&str> {
    let runs = |q| matches!(q, Question::Execution | Question::Kernels | Question::Precision);
    let mut names: Vec<&str> =
        answers.iter().filter(|(_, a)| runs(a.question)).map(|(s, _)| s.as_str()).collect();
    names.dedup();
    if names.is_empty() {
        names.extend(answers.first().map(|(s, _)| s.as_str()));
    }
    names
}

/// Known issues, as far as a replay needs them.
pub(crate) struct Known(Vec<KnownIssue>);

impl Known {
    /// Those of a corpus.
    pub(crate) fn of(corpus: &Path) -> Result<Known, Failure> {
        let issues = store::known_issues(&corpus.join("known-issues")).map_err(Failure::bad_input)?;
        Ok(Known(issues.into_iter().map(|(_, issue)| issue).collect()))
    }

    /// True when a sighting is a known issue.
    pub(crate) fn knows(&self, sighting: &Sighting<'_>) -> bool {
        self.0.iter().any(|k| k.matches(sighting, ""))
    }

    /// Whether a verdict is one of them.
    pub(crate) fn excuses(&self, system: &str, version: &str, verdict: &Verdict) -> bool {
        self.knows(&Sighting::of(system, version, verdict))
    }
}

/// Overflow that `full` was asked to risk is not a fault of a model that nobody has labelled.
fn agrees(replay: &Replay, setting: &Setting<'_>, answer: &Answer) -> bool {
    if replay.expect.is_empty() && answer.verdict.is_of_policy() && setting.precision == Precision::Full {
        return true;
    }
    expect::agrees(&replay.expect, setting, &answer.verdict)
}
