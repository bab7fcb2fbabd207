//! `zoo`: real models through every strategy, runtime and question, as one table.

use super::regress::Known;
use super::{convert, systems};
use crate::exit::{Exit, Failure, Outcome};
use halfproof_converter::summary::Summary;
use halfproof_converter::{bind_dims, convert as convert_graph};
use halfproof_fuzz::generate::{InputKind, inputs};
use halfproof_fuzz::pipeline::vote;
use halfproof_ir::{Conversion, Graph, Precision, Request, Tensor};
use halfproof_oracle::arith::Ideal;
use halfproof_oracle::judge::{Answer, Question, Reference, Subject, worst};
use halfproof_oracle::onnx;
use halfproof_oracle::record::{Execution, Status};
use halfproof_oracle::tflite::{Constants, Program};
use halfproof_oracle::value::Value;
use halfproof_oracle::verdict::{Class, Strength, Verdict};
use halfproof_systems::runtimes::interp::Interpreter;
use halfproof_systems::worker::Limits;
use halfproof_systems::{Runtime, Taps, setup};
use halfproof_wire::tflite::{Builtin, TensorType};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Options of `zoo`.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  cargo xtask zoo --light\n  cargo xtask zoo corpus/models mine.onnx --precision full"
)]
pub(crate) struct Args {
    /// Models (.onnx), or folders of them.
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
    let opened = systems::open_within(&args.runtime, LIMITS);
    opened.warn();
    let known = Known::of(Path::new("corpus"))?;
    let mut bench = Bench {
        precisions,
        interpreters: opened.interpreters,
        runtimes: opened.outside,
        effort: (args.effort.max(0.0) * 1e9) as u64,
    };
    let names: Vec<String> = bench.systems();
    print_head(&names);
    let (mut faults, mut uncertain) = (0, 0);
    for path in models {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let begin = Instant::now();
        for row in examine(&name, &path, &mut bench)? {
            print_row(&row, &names);
            for (system, answer) in row.answers.iter().filter(|(_, a)| !a.verdict.class.is_fine()) {
                let verdict = &answer.verdict;
                let excused = known.excuses(system, verdict);
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
        }
        anstream::eprintln!("{name}: {:.1} s", begin.elapsed().as_secs_f64());
    }
    anstream::println!("{faults} certain faults, {uncertain} not certain");
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
        return Err(Failure::bad_input("no models: name .onnx files or folders, or say --light"));
    }
    let mut files = vec![];
    for path in given {
        if !path.is_dir() {
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
}

impl Bench {
    fn systems(&self) -> Vec<String> {
        let ours = self.interpreters.iter().map(|r| r.name().to_string());
        ours.chain(self.runtimes.iter().map(|r| r.name().to_string())).collect()
    }
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
    /// Answers by system; the converter's for questions about the file.
    pub(crate) answers: Vec<(String, Answer)>,
    /// Largest loss of an output in bits, by system; `None` where nothing was compared.
    pub(crate) bits_lost: Vec<(String, Option<f64>)>,
    /// What was not done, and why.
    pub(crate) notes: Vec<String>,
}

/// Converts a model by every strategy, runs it and judges it.
///
/// # Errors
/// When the file cannot be read.
pub(crate) fn examine(name: &str, path: &Path, bench: &mut Bench) -> Result<Vec<Row>, Failure> {
    let (convert::Source::Onnx(graph), _) = convert::read(path)? else {
        return Err(Failure::bad_input(format!("{}: the zoo takes .onnx models", path.display())));
    };
    let source = halfproof_wire::file::read(path).map_err(Failure::bad_input)?;
    let graph = bind_dims(&graph, &std::collections::BTreeMap::new());
    // Lattice elements are exact in float16, so that one evaluation of the source serves every strategy.
    let set = inputs(&graph, InputKind::Lattice, 7);
    let mut exact = Exact::default();
    let mut rows = vec![];
    for precision in bench.precisions.clone() {
        let mut row = Row {
            model: name.to_string(),
            precision,
            single_bytes: 0,
            bytes: 0,
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
    let file = |row: &mut Row, question, verdict| {
        row.answers.push(("in-tree".to_string(), Answer { question, system: None, verdict }));
    };
    if let Ok(model) = halfproof_wire::tflite::read(&conversion.model) {
        let summary = Summary::new(&model, 0, row.bytes);
        let halves = summary.types.iter().filter(|t| t.dtype == TensorType::Float16);
        row.single_bytes = row.bytes + halves.map(|t| t.bytes).sum::<u64>();
    }
    let subject = match Subject::new(graph, request, conversion) {
        Ok(subject) => subject,
        Err(verdict) => return file(row, Question::Legality, *verdict),
    };
    file(row, Question::Legality, subject.legality());
    file(row, Question::Constants, subject.constants());
    let work = multiply_adds(&subject.program);
    if work > bench.effort {
        row.notes.push(format!(
            "{:.1} billion multiply-adds: not judged operator by operator (see --effort)",
            work as f64 / 1e9
        ));
        return by_outputs(graph, &subject, set, exact, bench, conversion, row);
    }
    let mut point = match subject.at(set, exact.reference.as_ref()) {
        Ok(point) => point,
        Err(verdict) => return file(row, Question::Semantics, *verdict),
    };
    exact.reference = Some(Arc::clone(point.reference()));
    file(row, Question::Semantics, point.semantics());
    for interpreter in &bench.interpreters {
        let execution = interpreter.execute(&subject.program, &point.inputs, Taps::All);
        judged(row, &execution, point.execution(&execution));
    }
    for runtime in &mut bench.runtimes {
        if runtime.runs_source() {
            let (execution, vote) = vote(runtime.as_mut(), source, &point, graph);
            if let Status::Refused { stage, text } = &execution.status {
                let reason = text.lines().next().unwrap_or_default();
                row.notes.push(format!("{} does not run it ({stage}): {reason}", execution.system));
            }
            judged(row, &execution, vote.into_iter().collect());
        } else {
            let execution = runtime.run(&conversion.model, &point.inputs, Taps::Checked);
            judged(row, &execution, point.execution(&execution));
        }
    }
}

fn judged(row: &mut Row, execution: &Execution, answers: Vec<Answer>) {
    let lost = answers.iter().flat_map(|a| &a.verdict.bits_lost).copied().reduce(f64::max);
    row.bits_lost.push((execution.system.clone(), lost));
    row.answers.extend(answers.into_iter().map(|a| (execution.system.clone(), a)));
}

/// Compares outputs with exact results computed without bounds: quick, and no proof.
fn by_outputs(
    graph: &Graph,
    subject: &Subject<'_>,
    set: &[Tensor],
    exact: &mut Exact,
    bench: &mut Bench,
    conversion: &Conversion,
    row: &mut Row,
) {
    let model_inputs = match subject.model_inputs(set) {
        Ok(inputs) => inputs,
        Err(verdict) => {
            let answer = Answer { question: Question::Semantics, system: None, verdict: *verdict };
            return row.answers.push(("in-tree".to_string(), answer));
        }
    };
    if exact.outputs.is_none() {
        match onnx::ideal(graph, set) {
            Ok(evaluation) => exact.outputs = Some(evaluation.outputs().map(elements).collect()),
            Err(e) => return row.notes.push(format!("the reference cannot evaluate the source: {e}")),
        }
    }
    let source = exact.outputs.clone().unwrap_or_default();
    let run = |constants| subject.program.results(&model_inputs, constants, &Ideal);
    match run(Constants::Exact(subject.exact_constants())) {
        Ok(values) => {
            let target: Vec<Vec<f64>> = values.iter().map(elements).collect();
            let apart = source.iter().zip(&target).map(|(a, b)| distance(a, b)).fold(0.0, f64::max);
            row.notes.push(format!(
                "source and converted graph, both in f64: outputs {apart:.1e} apart, relative to the largest"
            ));
            if apart.is_nan() || apart > 1e-9 {
                let text = "the outputs are not those of the source graph";
                let blame = halfproof_oracle::verdict::Blame::Converter;
                let verdict = Verdict::new(Class::Semantics, blame, Strength::Certified, text);
                let answer = Answer { question: Question::Semantics, system: None, verdict };
                row.answers.push(("in-tree".to_string(), answer));
            }
        }
        Err(e) => row.notes.push(format!("the interpreter cannot run the converted model: {e}")),
    }
    let Ok(stored) = run(Constants::Stored) else { return };
    let stored: Vec<Vec<f64>> = stored.iter().map(elements).collect();
    for runtime in bench.runtimes.iter_mut().filter(|r| !r.runs_source()) {
        let execution = runtime.run(&conversion.model, &model_inputs, Taps::None);
        let mut lost = None;
        if execution.status == Status::Ok {
            let outputs = execution.outputs.iter().zip(&stored);
            lost = outputs.filter_map(|(a, e)| Some(bits(&a.floats()?, e))).reduce(f64::max);
        } else if let Some(verdict) = halfproof_oracle::judge::ended(&execution) {
            let answer =
                Answer { question: Question::Execution, system: Some(execution.system.clone()), verdict };
            row.answers.push((execution.system.clone(), answer));
        }
        row.bits_lost.push((execution.system.clone(), lost));
    }
}

fn elements(value: &Value<f64>) -> Vec<f64> {
    match value {
        Value::Float(_, a) => a.data.clone(),
        Value::Whole(_, a) => a.data.iter().map(|w| w.value as f64).collect(),
    }
}

/// Largest difference over the largest magnitude; NaN where lengths or infinities differ.
fn distance(a: &[f64], b: &[f64]) -> f64 {
    if a.len() != b.len() {
        return f64::NAN;
    }
    let size = a.iter().chain(b).fold(0.0, |m: f64, x| m.max(x.abs())).max(f64::MIN_POSITIVE);
    a.iter().zip(b).filter(|(x, y)| x != y).map(|(x, y)| (x - y).abs() / size).fold(0.0, f64::max)
}

/// Largest error in bits beyond half a float16 unit in the last place; infinite where only one of both is finite.
fn bits(actual: &[f64], exact: &[f64]) -> f64 {
    let unit = |x: f64| 2f64.powi(x.abs().max(2f64.powi(-14)).log2().floor() as i32 - 11);
    let error = |(a, e): (&f64, &f64)| match (a - e).abs() / unit(*e) {
        _ if a == e || a.is_nan() && e.is_nan() => 0.0,
        off if off.is_finite() => off,
        _ => f64::INFINITY,
    };
    let worst = actual.iter().zip(exact).map(error).fold(0.0, f64::max);
    if worst > 1.0 { worst.log2() } else { 0.0 }
}

/// The multiply-adds of one inference: convolutions and matrix products.
fn multiply_adds(program: &Program) -> u64 {
    let shape = |t: Option<u32>| t.and_then(|t| program.form(t)).map_or(&[][..], |(_, s)| s);
    let product = |s: &[usize]| s.iter().map(|&d| d as u64).product::<u64>();
    let one = |op: halfproof_oracle::tflite::Operation<'_>| {
        let result = product(shape(op.results.first().copied()));
        let (x, w) =
            (shape(op.operands.first().copied().flatten()), shape(op.operands.get(1).copied().flatten()));
        match op.builtin {
            Builtin::Conv2d | Builtin::FullyConnected => result * product(w.get(1..).unwrap_or(&[])),
            Builtin::DepthwiseConv2d => result * product(w.get(1..3).unwrap_or(&[])),
            Builtin::TransposeConv => product(w),
            Builtin::BatchMatmul => result * x.last().map_or(1, |&d| d as u64),
            _ => 0,
        }
    };
    program.operators().map(one).sum()
}

fn print_head(systems: &[String]) {
    anstream::print!(
        "{:<24} {:<8} {:>12} {:>12} {:>5}  {:<10}",
        "model",
        "strategy",
        "float32",
        "bytes",
        "ratio",
        "file"
    );
    for system in systems {
        anstream::print!("  {system:<19}");
    }
    anstream::println!();
}

fn print_row(row: &Row, systems: &[String]) {
    let of = |system: &str| -> Vec<Answer> {
        row.answers.iter().filter(|(s, _)| s == system).map(|(_, a)| a.clone()).collect()
    };
    let ratio = row.bytes as f64 / row.single_bytes.max(1) as f64;
    let file = worst(&of("in-tree")).map_or("refused", |a| a.verdict.class.name());
    anstream::print!(
        "{:<24} {:<8} {:>12} {:>12} {ratio:>5.2}  {file:<10}",
        row.model,
        row.precision.name(),
        row.single_bytes,
        row.bytes
    );
    for system in systems {
        let lost = row.bits_lost.iter().find(|(s, _)| s == system).and_then(|(_, b)| *b);
        let class = worst(&of(system)).map(|a| cell(&a.verdict));
        let word = class.unwrap_or(if lost.is_some() { "runs" } else { "-" });
        let bits = lost.map(|b| format!(" {b:.1}")).unwrap_or_default();
        anstream::print!("  {:<19}", format!("{word}{bits}"));
    }
    anstream::println!();
}

/// A verdict in a word.
fn cell(verdict: &Verdict) -> &'static str {
    if verdict.class == Class::Undecidable && verdict.text.contains("known not to support") {
        return "cannot";
    }
    verdict.class.name()
}
