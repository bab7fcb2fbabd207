//! `strategies [MODEL…]`: the same models under every strategy, and under other people's rules: float32 operators, casts,
//! bits lost, values that are not finite.

use super::convert::{self, Source};
use crate::exit::{Exit, Failure, Outcome};
use crate::strategies::{autocast, measure, purity, samples};
use halfproof_converter::convert as to_float16;
use halfproof_converter::retype::convert_tflite;
use halfproof_ir::{Conversion, Observation, Precision, Refusal, Request, Tensor};
use halfproof_reports::table::Table;
use halfproof_wire::file::write_atomically;
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
    /// Write docs/strategies-measured.md as well, or that file.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "docs/strategies-measured.md")]
    docs: Option<PathBuf>,
}

/// Random samples where there is no data.
const SAMPLES: u64 = 4;

/// Prints one table over all models.
pub(crate) fn run(args: &Args) -> Outcome {
    let models = if args.models.is_empty() { corpus()? } else { args.models.clone() };
    if let Some(page) = &args.docs {
        convert::spared(page, &models)?;
    }
    let python = purity::python();
    if args.purity && python.is_none() {
        return Err(Failure::harness("the independent reader is not installed; run `cargo xtask setup zoo`"));
    }
    let (mut checked, mut impure) = (0, 0);
    let mut rows = vec![];
    heading();
    for path in &models {
        let (source, bytes) = convert::read(path)?;
        convert::evaluable(path, &source)?;
        let npz = path.with_extension("npz");
        let sets =
            if npz.exists() { samples::read(&npz, &source)? } else { samples::random(&source, SAMPLES) };
        rows.extend(compare(path, &source, bytes, &sets)?);
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
    if let Some(path) = &args.docs {
        write_atomically(path, page(rows).as_bytes()).map_err(Failure::writing)?;
    }
    if args.purity {
        anstream::println!("\n  {checked} files read back by the schema of ai-edge-litert, {impure} impure");
    }
    anstream::println!(
        "\n  f32: operators in float32, of those with floats. source: bits lost against the exact results of the source, by the\n  \
         largest element of the worst output; bits: with the constants of the file (worst: by each element). inf: elements that overflow and need not."
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

/// The columns.
const COLUMNS: [&str; 10] =
    ["model", "strategy", "f32", "islands", "casts", "source", "bits", "worst", "inf", "size"];

/// The first line of the table.
pub(crate) fn heading() {
    show(&COLUMNS.map(String::from));
}

fn show(cells: &[String]) {
    let width = [20, 18, 11, 7, 6, 6, 6, 6, 6, 6];
    let padded = cells.iter().zip(width).enumerate().map(|(i, (cell, width))| match i {
        0 | 1 => format!("{cell:<width$}"),
        _ => format!("{cell:>width$}"),
    });
    anstream::println!("  {}", padded.collect::<Vec<_>>().join(" ").trim_end());
}

/// The page of the documentation.
fn page(rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new(2, COLUMNS);
    rows.into_iter().for_each(|row| table.row(row));
    format!(
        "# Strategies, measured\n\n\
         Written by `cargo xtask strategies --docs MODEL…`; do not edit. The models are those of the corpus and of `cargo xtask setup \
         zoo`. *f32*: operators in float32, of those with floats. *source*: bits of float16 by which outputs miss the exact results of \
         the source, on the samples beside the model (four random ones where there are none), by the unit in the last place of the largest \
         element of the worst output. *bits*: the same against the exact results with the constants of the file, so without what \
         rounding and rewriting them costs; *worst*: that by each element. Executed with float16 storage and float32 sums. *inf*: elements \
         that overflow and need not. *size*: bytes over those of the source. *AutoCast's rules*: the published rules of NVIDIA \
         ModelOpt decide what stays float32; casts and conversion are ours.\n\n{}",
        table.markdown()
    )
}

/// The lines of one model.
pub(crate) fn compare(
    path: &Path,
    source: &Source,
    before: u64,
    sets: &[Vec<Tensor>],
) -> Result<Vec<Vec<String>>, Failure> {
    let name = path.file_stem().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let observed = samples::observe(source, sets).map_err(|e| {
        Failure::bad_input(format!("{}: the reference cannot evaluate it: {e}", path.display()))
    })?;
    let exact = samples::exact(source, sets).map_err(Failure::harness)?;
    let mut rows = vec![];
    for (strategy, request) in requests(source, &observed) {
        let mut row = vec![name.clone(), strategy.to_string()];
        match converted(source, &request) {
            Ok(conversion) => row.extend(figures(&conversion, before, sets, &exact)),
            Err(refusal) => {
                row.push(format!("refused: {}", refusal.to_string().lines().next().unwrap_or_default()));
            }
        }
        show(&row);
        rows.push(row);
    }
    Ok(rows)
}

fn requests(source: &Source, observed: &[Observation]) -> Vec<(&'static str, Request)> {
    let mut out =
        vec![("weights", Request::new(Precision::Weights)), ("full", Request::new(Precision::Full))];
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

/// The cells behind model and strategy.
fn figures(
    conversion: &Conversion,
    before: u64,
    sets: &[Vec<Tensor>],
    exact: &[Vec<Vec<f64>>],
) -> Vec<String> {
    let counts = match measure::counts(conversion) {
        Ok(counts) => counts,
        Err(e) => return vec![format!("unreadable: {e}")],
    };
    let size = conversion.model.len() as f64 / before.max(1) as f64;
    let single = format!("{} of {}", counts.single, counts.floats);
    let mut cells = vec![single, counts.islands.to_string(), counts.casts.to_string()];
    match measure::both(&conversion.model, sets, exact) {
        Ok((loss, from_source)) => cells.extend([
            format!("{:.1}", from_source.bits),
            format!("{:.1}", loss.bits),
            format!("{:.1}", loss.worst),
            loss.nonfinite.to_string(),
            format!("{size:.2}"),
        ]),
        Err(e) => cells.push(format!("not measured: {e}")),
    }
    cells
}
