//! `exhaustive`: every finite float16 input of every unary operator through every runtime.

use super::regress::Known;
use super::systems;
use crate::exit::{Exit, Failure, Outcome};
use halfproof_corpus::known_issue::Sighting;
use halfproof_oracle::verdict::{Blame, Numbers};
use halfproof_systems::Runtime;
use halfproof_systems::exhaustive::{self, Figures, Finding, Row};
use halfproof_wire::file::write_atomically;
use std::path::PathBuf;
use std::time::Instant;

/// Options of `exhaustive`.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Runtimes, separated by commas.
    #[arg(long, value_delimiter = ',', default_values_t = systems::DEFAULT_RUNTIMES.map(String::from))]
    runtime: Vec<String>,
    /// Where the corpus of known issues is.
    #[arg(long, default_value = "corpus")]
    corpus: PathBuf,
    /// Where the rows and findings go, as JSON.
    #[arg(long)]
    out: Option<PathBuf>,
}

/// Sweeps, prints the table, and holds what no sane kernel does against the known issues; exit code 1 for new ones.
pub(crate) fn run(args: &Args) -> Outcome {
    systems::check_runtimes(&args.runtime)?;
    let known = Known::of(&args.corpus)?;
    let opened = systems::open(&args.runtime);
    opened.warn();
    let begin = Instant::now();
    let (mut rows, mut new, mut excused) = (vec![], vec![], vec![]);
    let ours = opened.interpreters.into_iter().map(|r| Box::new(r) as Box<dyn Runtime>);
    for mut runtime in ours.chain(opened.outside) {
        let start = Instant::now();
        let swept = exhaustive::sweep(runtime.as_mut());
        anstream::println!("{} ({:.1} s)", runtime.name(), start.elapsed().as_secs_f64());
        print(&swept);
        for finding in swept.iter().flat_map(Row::findings) {
            let numbers = numbers(&finding);
            let sighting = Sighting {
                system: &finding.runtime,
                version: runtime.version(),
                class: finding.class,
                blame: Blame::Kernel,
                operator: Some(finding.operator),
                text: &finding.text,
                signature: "",
                numbers: numbers.as_ref(),
            };
            let list = if known.knows(&sighting) { &mut excused } else { &mut new };
            list.push(finding);
        }
        rows.extend(swept);
    }
    for (list, word) in [(&new, "NEW"), (&excused, "known")] {
        for finding in list {
            anstream::println!("{word}: {}", line(finding));
        }
    }
    let inputs: usize = rows.iter().filter_map(|r| r.outcome.as_ref().ok()).map(|f| f.inputs).sum();
    let seconds = begin.elapsed().as_secs_f64();
    let (news, olds) = (new.len(), excused.len());
    anstream::println!("{inputs} results in {seconds:.1} s: {news} new findings, {olds} known");
    if let Some(path) = &args.out {
        let json = serde_json::json!({ "rows": rows, "new": new, "known": excused });
        let text = serde_json::to_string_pretty(&json).map_err(Failure::harness)?;
        write_atomically(path, (text + "\n").as_bytes()).map_err(Failure::writing)?;
    }
    Ok(if news > 0 { Exit::NewFindings } else { Exit::Clean })
}

fn numbers(finding: &Finding) -> Option<Numbers> {
    let sample = finding.sample?;
    let (expected, actual) = (sample.exact, sample.actual);
    Some(Numbers { expected, actual, low: expected, high: expected, ratio: f64::INFINITY })
}

fn line(finding: &Finding) -> String {
    let Finding { runtime, dtype, text, extent, .. } = finding;
    let place = finding.sample.map(|s| format!(": {:e} for {:e}, exact {:e}", s.actual, s.input, s.exact));
    format!("{runtime} {dtype} {text} ({extent:.1}){}", place.unwrap_or_default())
}

/// One line per operator that ran, then those that did not.
fn print(rows: &[Row]) {
    anstream::println!(
        "  {:<8} {:<18} {:>9} {:>9} {:>8} {:>6} {:>6} {:>7} {:>7} {:>8}",
        "type",
        "operator",
        "max ulp",
        "normal",
        "not RN",
        "back",
        "range",
        "flushed",
        "inf/NaN",
        "position"
    );
    for row in rows {
        let Ok(f) = &row.outcome else { continue };
        let Figures { not_nearest, not_monotone, outside_range, flushed, nonfinite_mismatch, .. } = f;
        let grid = if f.on_half_grid { "" } else { "*" };
        anstream::println!(
            "  {:<8} {:<18} {:>9.2} {:>9.2} {not_nearest:>8} {not_monotone:>6} {outside_range:>6} {flushed:>7} \
             {nonfinite_mismatch:>7} {:>8}",
            format!("{}{grid}", row.dtype),
            row.operator,
            f.worst_ulp,
            f.worst_ulp_normal,
            f.by_position,
        );
    }
    let refused: Vec<String> =
        rows.iter().filter(|r| r.outcome.is_err()).map(|r| format!("{} {}", r.dtype, r.operator)).collect();
    if !refused.is_empty() {
        anstream::println!("  do not run: {}", refused.join(", "));
    }
    anstream::println!("  * in units of float32");
}
