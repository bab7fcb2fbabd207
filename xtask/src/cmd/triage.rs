//! `triage MODEL`: converts (or takes a converted model), runs and judges it, and says whose fault it is.

use super::{convert, systems};
use crate::exit::{Exit, Failure, Outcome};
use halfproof_fuzz::generate::{InputKind, inputs};
use halfproof_fuzz::pipeline::{Pipeline, Trial};
use halfproof_ir::{Graph, Precision, Request, Tensor};
use halfproof_oracle::judge::Answer;
use halfproof_wire::{file, npz, onnx::Opset};
use std::path::{Path, PathBuf};

/// Options of `triage`.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  cargo xtask triage model.onnx --inputs in.npz --precision full")]
pub(crate) struct Args {
    /// The source model, .onnx.
    model: PathBuf,
    /// Inputs by name, .npz; generated where absent (lattice, gaussian, scaled).
    #[arg(long)]
    inputs: Option<PathBuf>,
    /// The float16 strategy: weights, full, mixed or all.
    #[arg(long, default_value = "all")]
    precision: String,
    /// The converter.
    #[arg(long, default_value = "in-tree")]
    converter: String,
    /// Runtimes, separated by commas.
    #[arg(long, value_delimiter = ',', default_values_t = systems::DEFAULT_RUNTIMES.map(String::from))]
    runtime: Vec<String>,
    /// A value for a symbolic dimension: batch=1.
    #[arg(long = "dim", value_name = "NAME=VALUE")]
    dims: Vec<String>,
}

/// Judges a model; exit code 1 when something is wrong with it.
pub(crate) fn run(args: &Args) -> Outcome {
    systems::check_runtimes(&args.runtime)?;
    let precisions = super::fuzz::precisions(&args.precision)?;
    let (convert::Source::Onnx(graph), _) = convert::read(&args.model)? else {
        return Err(Failure::bad_input(format!(
            "{}: triage starts from the source model, an .onnx file",
            args.model.display()
        )));
    };
    let graph = halfproof_converter::bind_dims(&graph, &convert::dims(&args.dims)?);
    let sets = match &args.inputs {
        Some(path) => vec![(InputKind::Gaussian, read_inputs(path, &graph)?)],
        None => [InputKind::Lattice, InputKind::Gaussian, InputKind::Scaled]
            .into_iter()
            .map(|kind| (kind, inputs(&graph, kind, 1)))
            .collect(),
    };
    let mut pipeline = open(&args.converter, &args.runtime)?;
    let mut faults = 0;
    for precision in precisions {
        for (kind, set) in &sets {
            let answers = examine(&mut pipeline, &graph, precision, *kind, set);
            faults += answers.iter().filter(|(_, a)| is_fault(a)).count();
            let name = if args.inputs.is_some() { "given" } else { kind.name() };
            print(&args.model, precision, name, &answers);
        }
    }
    Ok(if faults > 0 { Exit::NewFindings } else { Exit::Clean })
}

/// A pipeline in which every runtime runs every test.
pub(crate) fn open(converter: &str, runtimes: &[String]) -> Result<Pipeline, Failure> {
    let converter = systems::converter(converter)?;
    let opened = systems::open(runtimes);
    opened.warn();
    Ok(Pipeline { converter, interpreters: opened.interpreters, runtimes: opened.outside, share: 1 })
}

/// All answers about one strategy and input set.
pub(crate) fn examine(
    pipeline: &mut Pipeline,
    graph: &Graph,
    precision: Precision,
    kind: InputKind,
    set: &[Tensor],
) -> Vec<(String, Answer)> {
    let request = Request::new(precision);
    let opset = Opset::of(graph);
    let trial = Trial { graph: graph.clone(), request, kind, inputs: set.to_vec(), opset };
    pipeline.examine(&trial, true).answers
}

/// True when an answer is a fault of anything, the choice of float16 included.
pub(crate) fn is_fault(answer: &Answer) -> bool {
    !answer.verdict.class.is_fine()
}

fn read_inputs(path: &Path, graph: &Graph) -> Result<Vec<Tensor>, Failure> {
    let named = |e: String| Failure::bad_input(format!("{}: {e}", path.display()));
    let bytes = file::read(path).map_err(Failure::bad_input)?;
    let arrays = npz::read(&bytes).map_err(|e| named(e.to_string()))?;
    graph
        .inputs
        .iter()
        .map(|&id| {
            let value = graph.value(id);
            let found = arrays.iter().find(|(name, _)| *name == value.name);
            let (_, tensor) = found.ok_or_else(|| {
                let names: Vec<&str> = arrays.iter().map(|(n, _)| n.as_str()).collect();
                named(format!("has no array \"{}\" (it has: {})", value.name, names.join(", ")))
            })?;
            if let Some(shape) = value.static_shape()
                && shape != tensor.shape
            {
                return Err(named(format!(
                    "\"{}\" has shape {:?}, the model needs {shape:?}",
                    value.name, tensor.shape
                )));
            }
            if value.dtype.is_some_and(|d| d != tensor.dtype()) {
                let needed = value.dtype.map(|d| d.to_string()).unwrap_or_default();
                return Err(named(format!(
                    "\"{}\" is {}, the model needs {needed}",
                    value.name,
                    tensor.dtype()
                )));
            }
            Ok(tensor.clone())
        })
        .collect()
}

fn print(model: &Path, precision: Precision, set: &str, answers: &[(String, Answer)]) {
    anstream::println!("{}  {precision}, inputs: {set}", model.display());
    for (system, answer) in answers {
        let v = &answer.verdict;
        let question = format!("{:?}", answer.question).to_lowercase();
        let lost = v.bits_lost.iter().copied().fold(0.0, f64::max);
        let bits = if v.bits_lost.is_empty() { String::new() } else { format!("  ({lost:.1} bits lost)") };
        anstream::println!(
            "  {system:<20} {question:<10} {:<14} {}{bits}",
            v.class.name(),
            v.text.lines().next().unwrap_or_default()
        );
        if is_fault(answer) {
            anstream::println!("  {:<20} {:<10} blame: {} ({})", "", "", v.blame, v.strength);
            if let Some(n) = &v.numbers {
                anstream::println!(
                    "  {:<20} {:<10} expected {:e}, actual {:e}, bound [{:e}, {:e}], {:.2} x the bound",
                    "",
                    "",
                    n.expected,
                    n.actual,
                    n.low,
                    n.high,
                    n.ratio
                );
            }
            if let Some(source) = &v.place.source {
                anstream::println!("  {:<20} {:<10} at {source}", "", "");
            }
        }
        for note in v.notes.iter().take(3) {
            anstream::println!("  {:<20} {:<10} {}", "", "", note.lines().next().unwrap_or_default());
        }
    }
}
