//! What the zoo prints and writes: a line per model and strategy, and a page of the documentation.

use super::{Purity, Row};
use halfproof_fuzz::triage::normalise;
use halfproof_ir::Precision;
use halfproof_oracle::judge::{Answer, Question, worst};
use halfproof_oracle::verdict::Class;
use halfproof_reports::table::Table;
use std::collections::BTreeMap;

const WIDTH: usize = 19;

/// The head of the table on the terminal.
pub(super) fn head(systems: &[String]) -> String {
    let mut line = format!(
        "{:<20} {:<8} {:>10} {:>10} {:>5} {:>11} {:>7} {:<8}",
        "model", "strategy", "float32", "bytes", "ratio", "f32", "islands", "file"
    );
    for system in systems {
        line += &format!("  {system:<WIDTH$}");
    }
    line
}

/// One line of it.
pub(super) fn line(row: &Row, systems: &[String]) -> String {
    let mut line = format!(
        "{:<20} {:<8} {:>10} {:>10} {:>5.2} {:>11} {:>7} {:<8}",
        row.model,
        row.precision.name(),
        row.single_bytes,
        row.bytes,
        ratio(row),
        single(row),
        islands(row),
        file(row)
    );
    for system in systems {
        line += &format!("  {:<WIDTH$}", cell(row, system));
    }
    line.trim_end().to_string()
}

fn ratio(row: &Row) -> f64 {
    row.bytes as f64 / row.single_bytes.max(1) as f64
}

/// Operators in float32, of those with floats. Under `weights` it is all of them.
fn single(row: &Row) -> String {
    format!("{} of {}", row.counts.single, row.counts.floats)
}

fn islands(row: &Row) -> String {
    if row.precision == Precision::Weights { "-".to_string() } else { row.counts.islands.to_string() }
}

fn answers(row: &Row, system: &str) -> Vec<Answer> {
    row.answers.iter().filter(|(s, _)| s == system).map(|(_, a)| a.clone()).collect()
}

/// What is to be said of the file, in a word.
fn file(row: &Row) -> &'static str {
    let answers = answers(row, "in-tree");
    let Some(worst) = worst(&answers) else { return "refused" };
    let class = worst.verdict.class;
    let agrees = row.apart.is_some_and(|apart| apart <= 1e-9);
    match class {
        Class::Undecidable if agrees => "agrees",
        Class::Pass | Class::Explained if answers.iter().all(|a| a.question != Question::Semantics) => {
            if agrees {
                "agrees"
            } else {
                "unjudged"
            }
        }
        _ => class.name(),
    }
}

/// What is to be said of a run: a word, and the bits lost.
fn cell(row: &Row, system: &str) -> String {
    let answers = answers(row, system);
    let lost = row.bits_lost.iter().find(|(s, _)| s == system).and_then(|(_, bits)| *bits);
    let bits = lost.map(|b| format!(" {b:.1}")).unwrap_or_default();
    let within = |a: &Answer| {
        a.question == Question::Kernels && matches!(a.verdict.class, Class::Pass | Class::Explained)
    };
    let word = match worst(&answers) {
        None if lost.is_some() => "runs",
        None => "-",
        Some(a) if !a.verdict.class.is_fine() => a.verdict.class.name(),
        Some(a) if cannot(a) => "cannot",
        Some(_) if answers.iter().any(within) => "pass",
        Some(a) => a.verdict.class.name(),
    };
    format!("{word}{bits}")
}

fn cannot(answer: &Answer) -> bool {
    answer.verdict.class == Class::Undecidable && answer.verdict.text.contains("known not to support")
}

/// The page of the documentation.
pub(super) fn page(rows: &[Row], systems: &[String], verdict: &str) -> String {
    let mut table = Table::new(2, ["model", "strategy", "size", "f32", "islands", "file", "purity"]);
    systems.iter().for_each(|s| table.column(s));
    for row in rows {
        let purity = match &row.purity {
            Purity::Unread => "-".to_string(),
            Purity::Pure => "pure".to_string(),
            Purity::Impure(text) => text.clone(),
        };
        let mut cells = vec![
            row.model.clone(),
            row.precision.name().to_string(),
            format!("{:.2}", ratio(row)),
            single(row),
            islands(row),
            file(row).to_string(),
            purity,
        ];
        cells.extend(systems.iter().map(|s| cell(row, s)));
        table.row(cells);
    }
    format!(
        "# The zoo\n\n\
         Written by `cargo xtask zoo --docs`; do not edit. The models are real architectures with random weights, small where the \
         published size adds nothing but time, exported from PyTorch by `cargo xtask setup zoo` (`xtask/zoo/export.py`).\n\n\
         *size*: bytes over those of the same file with float32 constants. *f32*: operators that compute in float32, of those with \
         floats. *file*: `pass` where legality, constants and meaning are right; `agrees` where the network is too deep for the \
         bound on its meaning to say anything, and the outputs of source and converted graph agree to 1e-9, both in f64. *purity*: \
         what the Python schema of ai-edge-litert, which shares nothing with us, finds in the file.\n\n\
         By runtime: `pass` where every operator that the runtime shows is within its own bound; `cannot` where a kernel is known to \
         be missing; `kernel` where an operator is outside its bound. The number is how many bits of float16 the outputs miss the exact \
         results of the source by, at the largest element of each, the rounding of the weights included.\n\n**{} models, {verdict}.**\n\n{}{}{}",
        rows.iter().map(|r| &r.model).collect::<std::collections::BTreeSet<_>>().len(),
        table.markdown(),
        reasons("Outside its bound", rows, |a| !a.verdict.class.is_fine()),
        reasons("What runtimes cannot do", rows, cannot),
    )
}

/// Why, how often, and where for example.
fn reasons(title: &str, rows: &[Row], pick: impl Fn(&Answer) -> bool) -> String {
    let mut found: BTreeMap<(String, String), (usize, String)> = BTreeMap::new();
    for row in rows {
        for (system, answer) in row.answers.iter().filter(|(_, a)| pick(a)) {
            let verdict = &answer.verdict;
            let why = match cannot(answer) {
                true => normalise(verdict.notes.first().map_or("", String::as_str)),
                false => format!("{}: {} ({})", verdict.class, verdict.text, verdict.strength),
            };
            let example = format!("{} {}", row.model, row.precision);
            found.entry((why, system.clone())).or_insert((0, example)).0 += 1;
        }
    }
    if found.is_empty() {
        return String::new();
    }
    let mut table = Table::new(2, ["what", "system", "files", "for example"]);
    for ((why, system), (n, example)) in found {
        table.row(vec![why, system, n.to_string(), example]);
    }
    format!("\n## {title}\n\n{}", table.markdown())
}
