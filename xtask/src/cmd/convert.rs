//! `convert MODEL -o OUT`: our converter, with a table of what came out.

use crate::exit::{Exit, Failure, Outcome};
use halfproof_converter::retype::convert_tflite;
use halfproof_converter::summary::Summary;
use halfproof_converter::{bind_dims, convert};
use halfproof_ir::{Conversion, Io, IoLayout, Level, Precision, Refusal, Request};
use halfproof_wire::{file, onnx, tflite};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Options of `convert`.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  cargo xtask convert model.onnx -o model.tflite --precision full")]
pub(crate) struct Args {
    /// An .onnx model, or an fp32 .tflite model.
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
    /// Regular expression over node names; what matches stays float32.
    #[arg(long)]
    keep_fp32: Option<String>,
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

/// Reads a model by its contents: a .tflite says so in bytes 4 to 8.
pub(crate) fn read(path: &Path) -> Result<(Source, u64), Failure> {
    let bytes = file::read(path).map_err(Failure::bad_input)?;
    let size = bytes.len() as u64;
    let named = |e: &dyn std::fmt::Display| Failure::bad_input(format!("{}: {e}", path.display()));
    if bytes.get(4..8) == Some(b"TFL3") || path.extension().is_some_and(|e| e == "tflite") {
        let model = tflite::read(&bytes).map_err(|e| named(&e))?;
        return Ok((Source::Tflite(Box::new(model)), size));
    }
    drop(bytes);
    let graph = onnx::read_file(path).map_err(|e| {
        let text = e.to_string();
        let shown = path.display().to_string();
        Failure::bad_input(if text.contains(&shown) { text } else { format!("{shown}: {text}") })
    })?;
    Ok((Source::Onnx(Box::new(graph)), size))
}

/// `NAME=VALUE` pairs.
pub(crate) fn dims(pairs: &[String]) -> Result<BTreeMap<String, usize>, Failure> {
    let one = |pair: &String| {
        let (name, value) = pair.split_once('=')?;
        Some((name.to_string(), value.parse().ok()?))
    };
    pairs
        .iter()
        .map(|p| {
            one(p).ok_or_else(|| Failure::bad_input(format!("\"{p}\" is no dimension; write NAME=VALUE")))
        })
        .collect()
}

/// A refusal with every node on a line.
pub(crate) fn refused(path: &Path, refusal: &Refusal) -> Failure {
    let n = refusal.nodes.len();
    let plural = if n == 1 { "" } else { "s" };
    let lines = refusal.to_string().replace('\n', "\n  ");
    Failure::bad_input(format!(
        "{}: {n} node{plural} cannot be converted (see docs/limits.md):\n  {lines}",
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
    let (source, before) = read(&args.model)?;
    let conversion = match &source {
        Source::Onnx(graph) => convert(&bind_dims(graph, &dims(&args.dims)?), &request),
        Source::Tflite(model) => convert_tflite(model, &request),
    };
    let conversion = conversion.map_err(|refusal| refused(&args.model, &refusal))?;
    let model = tflite::read(&conversion.model)
        .map_err(|e| Failure::harness(format!("the converted model does not read back: {e}")))?;
    file::write_atomically(&args.output, &conversion.model).map_err(Failure::bad_input)?;
    print(&args.output, precision, &Summary::new(&model, before, conversion.model.len() as u64), &conversion);
    Ok(Exit::Clean)
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
    for note in &conversion.notes {
        let level = match note.level {
            Level::Warning => "warning",
            Level::Info => "note",
        };
        anstream::println!("  {level}: {}: {}", note.at, note.text);
    }
}
