//! `convert MODEL -o OUT`: our converter, with a table of what came out.

mod options;

use super::strategies;
use crate::exit::{Exit, Failure, Outcome};
use crate::strategies::{measure, samples};
use halfproof_converter::retype::{convert_tflite, convert_tflite_within};
use halfproof_converter::summary::Summary;
use halfproof_converter::{Budget, convert, convert_owned, convert_within, size};
use halfproof_ir::{Conversion, Io, IoLayout, Level, Precision, Refusal, Request, Tensor};
use halfproof_wire::{file, onnx, tflite};
pub(crate) use options::{bound, keeps, spared};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Options of `convert`.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  cargo xtask convert model.onnx -o model.tflite --precision full")]
pub(crate) struct Args {
    /// An .onnx model, an fp32 .tflite model, or the folder of a case of the corpus.
    model: PathBuf,
    /// Where to write the float16 .tflite.
    #[arg(short, long)]
    output: PathBuf,
    /// weights: float16 constants, float32 arithmetic. full: everything float16. mixed: full, with float32 where float16 would not hold the values.
    #[arg(long, default_value = "weights")]
    precision: String,
    /// float32 keeps the interface float32, with a CAST at each edge.
    #[arg(long, value_parser = ["strategy", "float32"], default_value = "strategy")]
    io: String,
    /// nhwc drops the TRANSPOSEs at the edges of an NCHW model.
    #[arg(long, value_parser = ["source", "nhwc"], default_value = "source")]
    io_layout: String,
    /// Regular expression over names of nodes and tensors; what matches stays float32.
    #[arg(long)]
    keep_fp32: Option<String>,
    /// Samples of the inputs, .npz: `mixed` goes by what they show instead of by assumptions.
    #[arg(long, value_name = "DATA.npz")]
    calibrate: Option<PathBuf>,
    /// Most bits of float16 that any output may lose on the samples; `mixed` keeps as little float32 as that needs.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    max_bits_lost: Option<f64>,
    /// Also compares all strategies on this model.
    #[arg(long)]
    compare: bool,
    /// A value for a symbolic dimension: batch=1.
    #[arg(long = "dim", value_name = "NAME=VALUE")]
    dims: Vec<String>,
}

/// A model file as it comes.
pub(crate) enum Source {
    /// An .onnx file.
    Onnx(Box<halfproof_ir::Graph>),
    /// A .tflite file.
    Tflite(Box<tflite::Model>),
}

/// Reads a model by its contents: a .tflite says so in bytes 4 to 8. A folder is a case of the corpus.
pub(crate) fn read(path: &Path) -> Result<(Source, u64), Failure> {
    read_files(path).map(|(source, size, _)| (source, size))
}

/// As [`read`], and the files and folders that the model is in.
fn read_files(path: &Path) -> Result<(Source, u64, Vec<PathBuf>), Failure> {
    let mut files = vec![path.to_path_buf()];
    if path.is_dir() {
        let (case, size) = case(path)?;
        return Ok((Source::Onnx(Box::new(case.graph)), size, files));
    }
    let named = |e: &dyn std::fmt::Display| Failure::bad_input(format!("{}: {e}", path.display()));
    let unreadable =
        |source| Failure::bad_input(file::FileError { path: path.to_path_buf(), action: "read", source });
    // Asked before it is opened: opening a pipe waits for somebody who writes.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(named(&"is no regular file; save the model to one"));
    }
    // No more than what says which it is: the ONNX reader takes the file by itself.
    let mut opened = std::fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::with_capacity(8);
    Read::by_ref(&mut opened).take(8).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.get(4..8) == Some(b"TFL3") || path.extension().is_some_and(|e| e == "tflite") {
        opened.read_to_end(&mut bytes).map_err(unreadable)?;
        let model = tflite::read(&bytes).map_err(|e| named(&e))?;
        return Ok((Source::Tflite(Box::new(model)), bytes.len() as u64, files));
    }
    let size = opened.metadata().map_err(unreadable)?.len();
    let (graph, beside) = onnx::read_files(path).map_err(|e| {
        let text = e.to_string();
        let shown = path.display().to_string();
        Failure::bad_input(if text.contains(&shown) { text } else { format!("{shown}: {text}") })
    })?;
    files.extend(beside);
    Ok((Source::Onnx(Box::new(graph)), size, files))
}

/// Reads a case of the corpus, and how many bytes its constants would take in float32.
pub(crate) fn case(folder: &Path) -> Result<(halfproof_corpus::Case, u64), Failure> {
    let case = halfproof_corpus::store::load(folder).map_err(Failure::bad_input)?;
    let constants = case.graph.values.iter().filter_map(|v| v.constant.as_ref());
    let size = constants.map(|t| 4 * t.len() as u64).sum();
    Ok((case, size))
}

/// Refuses a model with a tensor that is too large to be made up or evaluated; every command that does either asks first.
pub(crate) fn evaluable(path: &Path, source: &Source) -> Result<(), Failure> {
    held_to_limit(path, || match source {
        Source::Onnx(graph) => size::graph(graph),
        Source::Tflite(model) => size::model(model),
    })
}

/// As [`evaluable`], of a model in another form.
pub(crate) fn held_to_limit(
    path: &Path,
    check: impl FnOnce() -> Result<(), size::Oversized>,
) -> Result<(), Failure> {
    check().map_err(|e| Failure::bad_input(format!("{}: {e}", path.display())))
}

/// A refusal with every node on a line.
pub(crate) fn refused(path: &Path, refusal: &Refusal) -> Failure {
    // What is said of the graph or its interface is no node.
    let subject = match refusal.nodes.iter().filter(|n| n.op != "graph").count() {
        0 => String::new(),
        1 => "1 node ".to_string(),
        n => format!("{n} nodes "),
    };
    let lines = refusal.to_string().replace('\n', "\n  ");
    Failure::bad_input(format!(
        "{}: {subject}cannot be converted (see docs/limits.md):\n  {lines}",
        path.display()
    ))
}

/// Converts and writes; nothing is written when anything fails.
pub(crate) fn run(args: &Args) -> Outcome {
    let mut precisions = super::fuzz::precisions(&args.precision)?;
    let (Some(precision), true) = (precisions.pop(), precisions.is_empty()) else {
        return Err(Failure::bad_input("one strategy at a time: weights, full or mixed"));
    };
    let request = Request {
        io: if args.io == "float32" { Io::Float32 } else { Io::Strategy },
        io_layout: if args.io_layout == "nhwc" { IoLayout::Nhwc } else { IoLayout::Source },
        keep_fp32: args.keep_fp32.clone(),
        ..Request::new(precision)
    };
    if precision != Precision::Mixed && (args.calibrate.is_some() || args.max_bits_lost.is_some()) {
        return Err(Failure::bad_input("--calibrate and --max-bits-lost are for --precision mixed"));
    }
    if args.max_bits_lost.is_some_and(|bits| bits.is_nan() || bits < 0.0) {
        return Err(Failure::bad_input("--max-bits-lost is a number of bits, 0 or more"));
    }
    let (mut source, before, mut files) = read_files(&args.model)?;
    files.extend(args.calibrate.clone());
    spared(&args.output, &files)?;
    keeps(&args.model, &source, args.keep_fp32.as_deref())?;
    match &mut source {
        Source::Onnx(graph) => **graph = bound(&args.model, graph, &args.dims)?,
        Source::Tflite(_) if args.dims.is_empty() => {}
        Source::Tflite(_) => {
            let text = "--dim is for .onnx models; the axes of a .tflite have no names";
            return Err(Failure::bad_input(format!("{}: {text}", args.model.display())));
        }
    }
    if args.compare || args.calibrate.is_some() || args.max_bits_lost.is_some() {
        evaluable(&args.model, &source)?;
    }
    let mut request = request;
    let sets = match &args.calibrate {
        Some(path) => {
            let sets = samples::read(path, &source)?;
            request.observed = samples::observe(&source, &sets).map_err(|e| {
                Failure::bad_input(format!(
                    "{}: cannot be evaluated on the samples: {e}",
                    args.model.display()
                ))
            })?;
            sets
        }
        None if args.compare || args.max_bits_lost.is_some() => samples::random(&source, 4),
        None => vec![],
    };
    let (conversion, source) = match source {
        // Nobody needs the source any more, and it may be large.
        Source::Onnx(graph) if !args.compare && args.max_bits_lost.is_none() => {
            (convert_owned(*graph, &request), None)
        }
        source => (converted(&source, &request, args.max_bits_lost, &sets), Some(source)),
    };
    let conversion = conversion.map_err(|refusal| refused(&args.model, &refusal))?;
    let model = tflite::read(&conversion.model)
        .map_err(|e| Failure::harness(format!("the converted model does not read back: {e}")))?;
    file::write_atomically(&args.output, &conversion.model).map_err(Failure::writing)?;
    print(&args.output, precision, &Summary::new(&model, before, conversion.model.len() as u64), &conversion);
    if let Some(source) = source.filter(|_| args.compare) {
        anstream::println!();
        strategies::heading();
        strategies::compare(&args.model, &source, before, &sets)?;
    }
    Ok(Exit::Clean)
}

/// Converts, within an error budget where there is one.
fn converted(
    source: &Source,
    request: &Request,
    bits: Option<f64>,
    sets: &[Vec<Tensor>],
) -> Result<Conversion, Refusal> {
    let Some(bits) = bits else {
        return match source {
            Source::Onnx(graph) => convert(graph, request),
            Source::Tflite(model) => convert_tflite(model, request),
        };
    };
    // Against the source, so that rewritten constants count; another layout of the outputs is compared with itself only.
    let exact = samples::exact(source, sets);
    let measured = |c: &Conversion| match request.io_layout {
        IoLayout::Nhwc => measure::loss(&c.model, sets),
        IoLayout::Source => exact.clone().and_then(|exact| measure::from_source(&c.model, sets, &exact)),
    };
    // What cannot be measured keeps no budget.
    let mut lost = |c: &Conversion| measured(c).map_or(f64::NAN, |loss| loss.charged());
    let mut budget = Budget { bits, measure: &mut lost };
    match source {
        Source::Onnx(graph) => convert_within(graph, request, &mut budget),
        Source::Tflite(model) => convert_tflite_within(model, request, &mut budget),
    }
}

fn print(output: &Path, precision: Precision, summary: &Summary, conversion: &Conversion) {
    anstream::println!("{}  ({precision})", output.display());
    anstream::println!("\n  type      activations  constants        bytes");
    for row in &summary.types {
        anstream::println!(
            "  {:<8} {:>12} {:>10} {:>12}",
            row.dtype.name(),
            row.activations,
            row.constants,
            row.bytes
        );
    }
    anstream::println!("\n  operator                     count");
    for row in &summary.operators {
        anstream::println!("  {:<28} {:>5}", row.name, row.count);
    }
    anstream::println!("\n  size  {} -> {} bytes ({:.2})", summary.before, summary.after, summary.ratio());
    let rewrites: Vec<_> = conversion.notes.iter().filter(|n| n.level == Level::Rewrite).collect();
    if !rewrites.is_empty() {
        anstream::println!("\n  computed otherwise, so that float16 holds it");
        for note in rewrites {
            anstream::println!("  {:<28} {}", note.at, note.text);
        }
    }
    for note in &conversion.notes {
        let level = match note.level {
            Level::Warning => "warning",
            Level::Info => "note",
            Level::Rewrite => continue,
        };
        anstream::println!("  {level}: {}: {}", note.at, note.text);
    }
}
