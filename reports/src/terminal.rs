//! A run as text for the terminal.

use crate::finding;
use crate::paint::Paint;
use crate::schema::{Coverage, Run};
use crate::table::{Table, percent, thousands};
use halfproof_oracle::verdict::Class;

/// How many findings the terminal shows in full.
const IN_FULL: usize = 20;
/// How many operators the table of bits lost shows.
const LOSSES_SHOWN: usize = 8;

/// The run as text; `color` adds ANSI colors.
pub fn terminal(run: &Run, color: bool) -> String {
    let mut run = run.clone();
    run.sort();
    let paint = Paint::new(color);
    let mut text = format!("{}  {}\n", paint.bold(&format!("halfproof {}", run.halfproof)), run.command);
    if let Some(what) = run.interruption() {
        text += &format!("{}\n", paint.yellow(&format!("INTERRUPTED {what}")));
    }
    for skipped in &run.skipped {
        let remedy = skipped.remedy.as_ref().map(|r| format!(" (run: {r})")).unwrap_or_default();
        let line = format!("NOT TESTED  {}: {}{remedy}", skipped.system, skipped.reason);
        text += &format!("{}\n", paint.yellow(&line));
    }
    text += &format!("\n{}\n{}", figures(&run), verdicts(&run).text("  "));
    text += &findings(&run, paint);
    let losses = losses(&run, LOSSES_SHOWN);
    if !losses.is_empty() {
        text += &format!("\n  bits lost to rounding, worst operators\n{}", losses.text("  "));
    }
    text += &format!("\n{}", conclusion(&run, paint));
    text
}

/// New findings, the worst in full; known issues by a line each.
fn findings(run: &Run, paint: Paint) -> String {
    let mut text = String::new();
    let (new, known): (Vec<_>, Vec<_>) = run.findings.iter().partition(|f| f.known_issue.is_none());
    for finding in new.iter().take(IN_FULL) {
        text += &format!("\n{}", finding::render(finding, paint));
    }
    let more = new.len().saturating_sub(IN_FULL);
    if more > 0 {
        text += &format!("\n  and {} more: see report.html\n", thousands(more as u64));
    }
    if !known.is_empty() {
        text += "\n  known issues\n";
        for finding in known {
            text += &format!("  {}\n", paint.dim(&finding::line(finding)));
        }
    }
    text
}

/// Tests, elements, coverage.
fn figures(run: &Run) -> String {
    let t = &run.timings;
    let speed = if t.seconds > 0.0 {
        let jobs = if t.jobs == 1 { "1 job".to_string() } else { format!("{} jobs", t.jobs) };
        format!("   {:.1} s, {} tests/s, {jobs}", t.seconds, thousands(t.tests_per_second.round() as u64))
    } else {
        String::new()
    };
    let mut text = format!("  tests     {}{speed}, seed {}\n", thousands(run.totals.tests), run.seed);
    if !run.totals.discarded.is_empty() {
        let reasons: Vec<String> =
            run.totals.discarded.iter().map(|(why, n)| format!("{} {why}", thousands(*n))).collect();
        text += &format!("  discarded {}\n", reasons.join(", "));
    }
    text += &format!(
        "  elements  {} compared, {} left out as undecidable\n",
        thousands(run.totals.judged),
        percent(run.totals.excluded_share())
    );
    let coverage = coverage(&run.coverage);
    if !coverage.is_empty() {
        text += &format!("  coverage  {coverage}\n");
    }
    text
}

/// `104 operators (never: Foo), 812 of 1,024 pairs, ranks 0 to 6, f16 f32 i64`; empty when nothing was counted.
pub(crate) fn coverage(c: &Coverage) -> String {
    if c.operators.is_empty() {
        return String::new();
    }
    let missing =
        if c.missing.is_empty() { String::new() } else { format!(" (never: {})", c.missing.join(", ")) };
    let mut parts = vec![format!("{} operators{missing}", c.operators.len())];
    if c.possible_pairs > 0 {
        parts.push(format!("{} of {} pairs", thousands(c.pairs.len() as u64), thousands(c.possible_pairs)));
    }
    if let Some((least, most)) = c.ranks.keys().next().zip(c.ranks.keys().next_back()) {
        parts.push(format!("ranks {least} to {most}"));
    }
    let dtypes: Vec<&str> = c.dtypes.keys().map(String::as_str).collect();
    parts.push(dtypes.join(" "));
    parts.join(", ")
}

/// Verdicts by system and class; only the classes that occur.
pub(crate) fn verdicts(run: &Run) -> Table {
    let by_class = run.totals.by_class();
    let classes: Vec<Class> = Class::ALL.iter().copied().filter(|c| by_class.contains_key(c)).collect();
    let mut table = Table::new(1, ["verdicts"]);
    for class in &classes {
        table.column(class.name());
    }
    for (system, counts) in &run.totals.verdicts {
        let count = |class| counts.get(class).map_or("·".to_string(), |n| thousands(*n));
        table.row(std::iter::once(system.clone()).chain(classes.iter().map(count)).collect());
    }
    table
}

/// The operators that lose most, by their ninth decile.
pub(crate) fn losses(run: &Run, most: usize) -> Table {
    let mut losses: Vec<_> = run.losses.operators.iter().collect();
    losses.sort_by(|a, b| b.p90.0.total_cmp(&a.p90.0).then(b.max.0.total_cmp(&a.max.0)));
    let mut table = Table::new(3, ["operator", "strategy", "system", "tensors", "median", "p90", "max"]);
    for loss in losses.into_iter().take(most) {
        let bits = [loss.median, loss.p90, loss.max].map(|f| format!("{:.1}", f.0));
        let words = [loss.operator.clone(), loss.precision.to_string(), loss.system.clone()];
        table.row(words.into_iter().chain([thousands(loss.count)]).chain(bits).collect());
    }
    table
}

/// The last line: what to conclude.
fn conclusion(run: &Run, paint: Paint) -> String {
    let (certified, other): (Vec<_>, Vec<_>) = run.new_findings().partition(|f| f.is_certified());
    let known = run.findings.len() - certified.len() - other.len();
    let mut line = if certified.is_empty() {
        paint.green("no new certified finding")
    } else {
        paint.red(&format!(
            "{} new certified finding{}",
            certified.len(),
            if certified.len() == 1 { "" } else { "s" }
        ))
    };
    if !other.is_empty() {
        line += &format!(", {} suspicious", other.len());
    }
    if known > 0 {
        line += &format!(", {known} known");
    }
    if !run.skipped.is_empty() {
        line += &paint.yellow(&format!(", {} not tested", run.skipped.len()));
    }
    line + "\n"
}
