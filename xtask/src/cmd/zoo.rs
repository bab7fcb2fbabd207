//! `zoo`: real models through every strategy, runtime and question, as one table.

mod plain;
mod table;

use super::regress::{Known, pinned_version};
use super::{convert, systems};
use crate::exit::{Exit, Failure, Outcome};
use crate::strategies::measure::{self, Counts};
use crate::strategies::{purity, samples};
use halfproof_converter::summary::Summary;
use halfproof_converter::{bind_dims, convert as convert_graph};
use halfproof_fuzz::generate::{InputKind, inputs};
use halfproof_fuzz::pipeline::vote;
use halfproof_ir::{Conversion, Data, Graph, Precision, Request, Tensor};
use halfproof_oracle::judge::{Answer, Depth, Question, Reference, Subject};
use halfproof_oracle::record::{Execution, Status};
use halfproof_oracle::verdict::{Class, Strength, Verdict};
use halfproof_oracle::{half, onnx};
use halfproof_systems::runtimes::interp::Interpreter;
use halfproof_systems::worker::Limits;
use halfproof_systems::{Runtime, Taps, setup};
use halfproof_wire::file::write_atomically;
use halfproof_wire::tflite::TensorType;
use plain::{in_f64, lost, multiply_adds, read_back};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Options of `zoo`.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  cargo xtask zoo\n  cargo xtask zoo --light\n  cargo xtask zoo corpus/models mine.onnx --precision full"
)]
pub(crate) struct Args {
    /// Models (.onnx), or folders of them; those of `setup zoo` where none is given. The first sample of an .npz of the same
    /// name beside a model is its input.
    models: Vec<PathBuf>,
    /// The nine light_*.onnx models of the onnx package; fetched by pip when they are not there yet.
    #[arg(long)]
    light: bool,
    /// Only models whose name contains this.
    #[arg(long)]
    only: Option<String>,
    /// The float16 strategy: weights, full, mixed or all.
    #[arg(long, default_value = "all")]
    precision: String,
    /// Runtimes, separated by commas.
    #[arg(long, value_delimiter = ',', default_values_t = RUNTIMES.map(String::from))]
    runtime: Vec<String>,
    /// Models of more multiply-adds than this, in billions, are not judged operator by operator: their outputs are
    /// compared with the exact result.
    #[arg(long, default_value_t = 1.0)]
    effort: f64,
    /// Write docs/zoo.md as well, or that file.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "docs/zoo.md")]
    docs: Option<PathBuf>,
}

/// Our own interpreters take minutes for a real network and add nothing to what a campaign says about them.
const RUNTIMES: [&str; 4] = ["litert-reference", "litert-builtin", "litert-xnnpack", "litert-xnnpack-fp16"];

/// What a worker may use for one model.
const LIMITS: Limits = Limits { memory_bytes: 12 << 30, time: Duration::from_secs(600) };

/// Examines every model; exit code 1 when something is certainly wrong with one.
pub(crate) fn run(args: &Args) -> Outcome {
    systems::check_runtimes(&args.runtime)?;
    let precisions = super::fuzz::precisions(&args.precision)?;
    let models = models(args)?;
    if let Some(page) = &args.docs {
        convert::spared(page, &models)?;
    }
    let opened = systems::open_within(&args.runtime, LIMITS);
    opened.warn();
    let known = Known::of(Path::new("corpus"))?;
    let mut bench = Bench {
        precisions,
        interpreters: opened.interpreters,
        runtimes: opened.outside,
        effort: (args.effort.max(0.0) * 1e9) as u64,
        python: purity::python(),
    };
    if bench.python.is_none() {
        anstream::eprintln!(
            "files are not read back by an independent reader; `cargo xtask setup zoo` installs it"
        );
    }
    let names: Vec<String> = bench.systems();
    let mut all = vec![];
    anstream::println!("{}", table::head(&names));
    let (mut faults, mut uncertain) = (0, 0);
    for path in models {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let begin = Instant::now();
        for row in examine(&name, &path, &mut bench)? {
            anstream::println!("{}", table::line(&row, &names));
            if let Purity::Impure(text) = &row.purity {
                faults += 1;
                anstream::println!("    in-tree: impure, says the schema of ai-edge-litert: {text}");
            }
            for (system, answer) in row.answers.iter().filter(|(_, a)| !a.verdict.class.is_fine()) {
                let verdict = &answer.verdict;
                let excused = known.excuses(system, pinned_version(system), verdict);
                let certain = !excused && is_certain(verdict);
                faults += u64::from(certain);
                uncertain += u64::from(!certain && !excused);
                let label = if excused { "known issue".to_string() } else { verdict.strength.to_string() };
                anstream::println!(
                    "    {system}: {} ({}, {label}): {}",
                    verdict.class,
                    verdict.blame,
                    verdict.text
                );
            }
            for note in &row.notes {
                anstream::println!("    {note}");
            }
            all.push(row);
        }
        anstream::eprintln!("{name}: {:.1} s", begin.elapsed().as_secs_f64());
    }
    let verdict = format!("{faults} certain faults, {uncertain} not certain");
    anstream::println!("{verdict}");
    if let Some(path) = &args.docs {
        let page = table::page(&all, &names, &verdict);
        write_atomically(path, page.as_bytes()).map_err(Failure::writing)?;
    }
    Ok(if faults > 0 { Exit::NewFindings } else { Exit::Clean })
}

/// A fault that rests on a verified contract, or on none at all. That float16 does not hold a result which the strategy
/// was asked to put into float16 is reported and no fault.
fn is_certain(verdict: &Verdict) -> bool {
    verdict.strength == Strength::Certified && !matches!(verdict.class, Class::Nonfinite | Class::Undecidable)
}

/// The files that are meant, in order.
fn models(args: &Args) -> Result<Vec<PathBuf>, Failure> {
    let mut given = args.models.clone();
    if args.light {
        given.push(setup::onnx(&mut |line| anstream::eprintln!("{line}")).map_err(Failure::harness)?);
    }
    if given.is_empty() {
        let exported = setup::zoo::models();
        if !exported.is_dir() {
            let text = "no models: name .onnx files or folders, say --light, or run `cargo xtask setup zoo`";
            return Err(Failure::bad_input(text));
        }
        given.push(exported);
    }
    let mut files = vec![];
    for path in given {
        if !path.is_dir() {
            let cannot =
                |e: std::io::Error| Failure::bad_input(format!("cannot read {}: {e}", path.display()));
            std::fs::metadata(&path).map_err(cannot)?;
            files.push(path);
            continue;
        }
        let listed = std::fs::read_dir(&path)
            .map_err(|e| Failure::bad_input(format!("{}: cannot be listed: {e}", path.display())))?;
        let mut inside: Vec<PathBuf> = listed.filter_map(|e| Some(e.ok()?.path())).collect();
        inside.retain(|p| p.extension().is_some_and(|e| e == "onnx"));
        inside.sort();
        files.extend(inside);
    }
    if let Some(part) = &args.only {
        files.retain(|p| p.file_stem().is_some_and(|s| s.to_string_lossy().contains(part.as_str())));
    }
    if files.is_empty() {
        return Err(Failure::bad_input("no .onnx model is among what was named"));
    }
    Ok(files)
}

/// What models are examined with.
pub(crate) struct Bench {
    /// Strategies.
    pub(crate) precisions: Vec<Precision>,
    /// Ours.
    pub(crate) interpreters: Vec<Interpreter>,
    /// Those in workers.
    pub(crate) runtimes: Vec<Box<dyn Runtime>>,
    /// Multiply-adds up to which a model is judged operator by operator.
    pub(crate) effort: u64,
    /// The independent reader's Python.
    pub(crate) python: Option<PathBuf>,
}

impl Bench {
    fn systems(&self) -> Vec<String> {
        let ours = self.interpreters.iter().map(|r| r.name().to_string());
        ours.chain(self.runtimes.iter().map(|r| r.name().to_string())).collect()
    }
}

/// What an independent reader finds in a file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Purity {
    /// It is not installed.
    Unread,
    /// Nothing that contradicts the strategy.
    Pure,
    /// What contradicts it.
    Impure(String),
}

/// One model under one strategy.
#[derive(Debug)]
pub(crate) struct Row {
    /// The model's name.
    pub(crate) model: String,
    /// The strategy.
    pub(crate) precision: Precision,
    /// Bytes of the same file with float32 constants.
    pub(crate) single_bytes: u64,
    /// Bytes of the file.
    pub(crate) bytes: u64,
    /// Operators and casts; of a refused model, none.
    pub(crate) counts: Counts,
    /// What the independent reader says.
    pub(crate) purity: Purity,
    /// How far the outputs of source and converted graph are apart, both in f64, relative to the largest element; where
    /// the judge has no answer about that.
    pub(crate) apart: Option<f64>,
    /// Answers by system; the converter's for questions about the file.
    pub(crate) answers: Vec<(String, Answer)>,
    /// Bits by which outputs miss the exact results of the source, at the largest element of each, by system; `None` where
    /// there are no outputs.
    pub(crate) bits_lost: Vec<(String, Option<f64>)>,
    /// What was not done, and why.
    pub(crate) notes: Vec<String>,
}

impl Row {
    /// Adds an answer about the file.
    fn about_file(&mut self, question: Question, verdict: Verdict) {
        self.answers.push(("in-tree".to_string(), Answer { question, system: None, verdict }));
    }
}

/// Converts a model by every strategy, runs it and judges it.
///
/// # Errors
/// When the file cannot be read.
pub(crate) fn examine(name: &str, path: &Path, bench: &mut Bench) -> Result<Vec<Row>, Failure> {
    let (read, _) = convert::read(path)?;
    convert::evaluable(path, &read)?;
    let convert::Source::Onnx(graph) = read else {
        return Err(Failure::bad_input(format!("{}: the zoo takes .onnx models", path.display())));
    };
    let source = halfproof_wire::file::read(path).map_err(Failure::bad_input)?;
    let graph = bind_dims(&graph, &std::collections::BTreeMap::new());
    let set = input_set(path, &graph)?;
    let mut exact = Exact::default();
    let mut rows = vec![];
    for precision in bench.precisions.clone() {
        let mut row = Row {
            model: name.to_string(),
            precision,
            single_bytes: 0,
            bytes: 0,
            counts: Counts::default(),
            purity: Purity::Unread,
            apart: None,
            answers: vec![],
            bits_lost: vec![],
            notes: vec![],
        };
        let request = Request::new(precision);
        match convert_graph(&graph, &request) {
            Ok(conversion) => {
                about(&graph, &source, &request, &conversion, &set, &mut exact, bench, &mut row)
            }
            Err(refusal) => row.notes.push(format!("refused: {}", refusal.to_string().replace('\n', "; "))),
        }
        rows.push(row);
    }
    Ok(rows)
}

/// The first sample of the model, or a lattice. Its elements are rounded to float16, so that one evaluation of the source
/// serves every strategy.
fn input_set(path: &Path, graph: &Graph) -> Result<Vec<Tensor>, Failure> {
    let npz = path.with_extension("npz");
    if !npz.exists() {
        return Ok(inputs(graph, InputKind::Lattice, 7));
    }
    let sets = samples::read(&npz, &convert::Source::Onnx(Box::new(graph.clone())))?;
    let set = sets
        .into_iter()
        .next()
        .ok_or_else(|| Failure::bad_input(format!("{}: holds no sample", npz.display())))?;
    let rounded = |t: Tensor| match t.data {
        Data::F32(v) => {
            let round = |x: f32| half::round(f64::from(x)) as f32;
            Tensor::new(t.shape, Data::F32(v.into_iter().map(round).collect()))
        }
        data => Tensor::new(t.shape, data),
    };
    Ok(set.into_iter().map(rounded).collect())
}

/// The exact results of the source, kept from one strategy to the next.
#[derive(Default)]
struct Exact {
    reference: Option<Arc<Reference>>,
    outputs: Option<Vec<Vec<f64>>>,
}

fn about(
    graph: &Graph,
    source: &[u8],
    request: &Request,
    conversion: &Conversion,
    set: &[Tensor],
    exact: &mut Exact,
    bench: &mut Bench,
    row: &mut Row,
) {
    row.bytes = conversion.model.len() as u64;
    if let Ok(model) = halfproof_wire::tflite::read(&conversion.model) {
        let summary = Summary::new(&model, 0, row.bytes);
        let halves = summary.types.iter().filter(|t| t.dtype == TensorType::Float16);
        row.single_bytes = row.bytes + halves.map(|t| t.bytes).sum::<u64>();
    }
    row.counts = measure::counts(conversion).unwrap_or_default();
    row.purity = read_back(bench.python.as_deref(), conversion, request.precision);
    let subject = match Subject::new(graph, request, conversion) {
        Ok(subject) => subject,
        Err(verdict) => return row.about_file(Question::Legality, *verdict),
    };
    if exact.outputs.is_none() {
        // With the constants that the lowering restates, as the judge takes it: the root of two in a GELU.
        match onnx::ideal(subject.source(), set) {
            Ok(evaluation) => exact.outputs = Some(evaluation.outputs().map(samples::elements).collect()),
            Err(e) => row.notes.push(format!("the reference cannot evaluate the source: {e}")),
        }
    }
    let wanted = exact.outputs.clone().unwrap_or_default();
    row.about_file(Question::Legality, subject.legality());
    row.about_file(Question::Constants, subject.constants());
    let work = multiply_adds(&subject.program);
    if work > bench.effort {
        row.notes.push(format!(
            "{:.1} billion multiply-adds: not judged operator by operator (see --effort)",
            work as f64 / 1e9
        ));
        return by_outputs(&subject, set, &wanted, bench, conversion, row);
    }
    let mut point = match subject.at(set, exact.reference.as_ref()) {
        Ok(point) => point.with(Depth::Verdicts),
        Err(verdict) => return row.about_file(Question::Semantics, *verdict),
    };
    exact.reference = Some(Arc::clone(point.reference()));
    let semantics = point.semantics();
    if semantics.class == Class::Undecidable {
        in_f64(&subject, &point.inputs, &wanted, row);
    }
    row.about_file(Question::Semantics, semantics);
    for interpreter in &bench.interpreters {
        let execution = interpreter.execute(&subject.program, &point.inputs, Taps::All);
        judged(row, &execution, point.execution(&execution), &wanted);
    }
    for runtime in &mut bench.runtimes {
        if runtime.runs_source() {
            let (execution, vote) = vote(runtime.as_mut(), source, &point, graph);
            if let Status::Refused { stage, text } = &execution.status {
                let reason = text.lines().next().unwrap_or_default();
                row.notes.push(format!("{} does not run it ({stage}): {reason}", execution.system));
            }
            judged(row, &execution, vote.into_iter().collect(), &wanted);
        } else {
            let execution = runtime.run(&conversion.model, &point.inputs, Taps::Checked);
            judged(row, &execution, point.execution(&execution), &wanted);
        }
    }
}

fn judged(row: &mut Row, execution: &Execution, answers: Vec<Answer>, wanted: &[Vec<f64>]) {
    row.bits_lost.push((execution.system.clone(), lost(execution, wanted)));
    row.answers.extend(answers.into_iter().map(|a| (execution.system.clone(), a)));
}

/// Compares outputs with exact results: quick, and no proof.
fn by_outputs(
    subject: &Subject<'_>,
    set: &[Tensor],
    wanted: &[Vec<f64>],
    bench: &mut Bench,
    conversion: &Conversion,
    row: &mut Row,
) {
    let model_inputs = match subject.model_inputs(set) {
        Ok(inputs) => inputs,
        Err(verdict) => return row.about_file(Question::Semantics, *verdict),
    };
    in_f64(subject, &model_inputs, wanted, row);
    for runtime in bench.runtimes.iter_mut().filter(|r| !r.runs_source()) {
        let execution = runtime.run(&conversion.model, &model_inputs, Taps::None);
        let system = || Some(execution.system.clone());
        let ended = halfproof_oracle::judge::ended(&execution).map(|verdict| Answer {
            question: Question::Execution,
            system: system(),
            verdict,
        });
        judged(row, &execution, ended.into_iter().collect(), wanted);
    }
}
