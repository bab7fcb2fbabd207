//! `strategies [MODEL…]`: the same models under every strategy, and under other people's rules: float32 operators, casts,
//! bits lost, values that are not finite.

use super::convert::{self, Source};
use crate::exit::{Exit, Failure, Outcome};
use crate::strategies::{autocast, measure, purity, samples};
use halfproof_converter::convert as to_float16;
use halfproof_converter::retype::convert_tflite;
use halfproof_ir::{Conversion, Observation, Precision, Refusal, Request, Tensor};
use std::path::{Path, PathBuf};

/// Options of `strategies`.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Models, .onnx or .tflite; those of the corpus where none is given. An .npz of the same name beside a model holds
    /// its samples.
    models: Vec<PathBuf>,
    /// Also reads every converted file back with the schema of the ai-edge-litert wheel (see `setup zoo`), and holds it to
    /// what its strategy promises.
    #[arg(long)]
    purity: bool,
}

/// Random samples where there is no data.
const SAMPLES: u64 = 4;

/// Prints one table over all models.
pub(crate) fn run(args: &Args) -> Outcome {
    let models = if args.models.is_empty() { corpus()? } else { args.models.clone() };
    let python = purity::python();
    if args.purity && python.is_none() {
        return Err(Failure::harness("the independent reader is not installed; run `cargo xtask setup zoo`"));
    }
    let (mut checked, mut impure) = (0, 0);
    heading();
    for path in &models {
        let (source, bytes) = convert::read(path)?;
        let npz = path.with_extension("npz");
        let sets =
            if npz.exists() { samples::read(&npz, &source)? } else { samples::random(&source, SAMPLES) };
        compare(path, &source, bytes, &sets)?;
        for precision in Precision::ALL.into_iter().filter(|_| args.purity) {
            let Some(python) = &python else { break };
            let Ok(conversion) = converted(&source, &Request::new(precision)) else { continue };
            let file = tempfile::NamedTempFile::new().map_err(Failure::harness)?;
            std::fs::write(file.path(), &conversion.model).map_err(Failure::harness)?;
            checked += 1;
            if let Some(text) = purity::impurity(python, file.path(), precision).map_err(Failure::harness)? {
                impure += 1;
                anstream::println!("  {} is impure under {precision}: {text}", path.display());
            }
        }
    }
    if args.purity {
        anstream::println!("\n  {checked} files read back by the schema of ai-edge-litert, {impure} impure");
    }
    anstream::println!(
        "\n  f32: operators in float32, of those with floats. bits: lost, by the largest element of the worst output\n  \
         (worst: by each element), float16 storage and float32 sums. inf: elements that overflow and need not."
    );
    Ok(if impure > 0 { Exit::NewFindings } else { Exit::Clean })
}

fn corpus() -> Result<Vec<PathBuf>, Failure> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus/models");
    let entries = std::fs::read_dir(&folder).map_err(Failure::harness)?;
    let mut models: Vec<PathBuf> = entries.flatten().map(|e| e.path()).collect();
    models.retain(|p| p.extension().is_some_and(|e| e == "onnx"));
    models.sort();
    Ok(models)
}

/// The first line of the table.
pub(crate) fn heading() {
    anstream::println!(
        "  {:<20} {:<18} {:>11} {:>7} {:>6} {:>6} {:>6} {:>6} {:>6}",
        "model",
        "strategy",
        "f32",
        "islands",
        "casts",
        "bits",
        "worst",
        "inf",
        "size"
    );
}

/// The lines of one model.
pub(crate) fn compare(
    path: &Path,
    source: &Source,
    before: u64,
    sets: &[Vec<Tensor>],
) -> Result<(), Failure> {
    let name = path.file_stem().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let observed = samples::observe(source, sets).map_err(|e| {
        Failure::bad_input(format!("{}: the reference cannot evaluate it: {e}", path.display()))
    })?;
    for (strategy, request) in requests(source, &observed) {
        let line = match converted(source, &request) {
            Ok(conversion) => line(&conversion, before, sets),
            Err(refusal) => format!("refused: {}", refusal.to_string().lines().next().unwrap_or_default()),
        };
        anstream::println!("  {name:<20} {strategy:<18} {line}");
    }
    Ok(())
}

fn requests(source: &Source, observed: &[Observation]) -> Vec<(&'static str, Request)> {
    let mut out = vec![("full", Request::new(Precision::Full))];
    if let Source::Onnx(graph) = source {
        let keep_fp32 = autocast::kept(graph, observed);
        out.push(("AutoCast's rules", Request { keep_fp32, ..Request::new(Precision::Full) }));
    }
    out.push(("mixed", Request::new(Precision::Mixed)));
    let seen = Request { observed: observed.to_vec(), ..Request::new(Precision::Mixed) };
    out.push(("mixed --calibrate", seen));
    out
}

fn converted(source: &Source, request: &Request) -> Result<Conversion, Refusal> {
    match source {
        Source::Onnx(graph) => to_float16(graph, request),
        Source::Tflite(model) => convert_tflite(model, request),
    }
}

fn line(conversion: &Conversion, before: u64, sets: &[Vec<Tensor>]) -> String {
    let counts = match measure::counts(conversion) {
        Ok(counts) => counts,
        Err(e) => return format!("unreadable: {e}"),
    };
    let size = conversion.model.len() as f64 / before.max(1) as f64;
    let loss = match measure::loss(&conversion.model, sets) {
        Ok(loss) => format!("{:>6.1} {:>6.1} {:>6}", loss.bits, loss.worst, loss.nonfinite),
        Err(e) => format!("not measured: {e}"),
    };
    let single = format!("{} of {}", counts.single, counts.floats);
    format!("{single:>11} {:>7} {:>6} {loss} {size:>6.2}", counts.islands, counts.casts)
}
