//! What is printed: the answer first, then the operators.

use super::Case;
use crate::words::counted;
use halfproof_fuzz::localise::{Advice, Bisection, Examination, advice};
use halfproof_fuzz::triage::shell;
use halfproof_oracle::judge::trace::{Meaning, Row, State, Trace};
use halfproof_oracle::verdict::Numbers;
use std::collections::BTreeSet;
use std::path::Path;

/// The first screen.
pub(super) fn first(model: &Path, size: u64, case: &Case, found: &Examination) {
    let v = &found.diagnosis.verdict;
    let systems: Vec<&str> = found.traces.iter().map(|t| t.system.as_str()).collect();
    let on = if systems.is_empty() { String::new() } else { format!(" on {}", systems.join(", ")) };
    anstream::println!(
        "{}  {}, {}  ->  {} {}{on}",
        model.display(),
        counted(case.source.operators(), "operator"),
        bytes(size),
        case.converter,
        case.request.precision
    );
    if let Some(set) = &found.set {
        anstream::println!("  inputs: {}, up to {:.4}", set.name, set.largest());
    }
    let shown = found.diagnosis.system.as_deref().map(|s| format!(", shown by {s}")).unwrap_or_default();
    anstream::println!("\n  {}  {}", v.class.name().to_uppercase(), v.text);
    anstream::println!("  blame      {} ({}{shown})", v.blame, v.strength);
    for line in place(case, found) {
        anstream::println!("  {line}");
    }
    if let Some(cause) = &found.diagnosis.cause {
        anstream::println!("  why        {}", cause.text);
    }
    if let Some(n) = v.numbers.as_ref().filter(|_| !v.class.is_fine()) {
        anstream::println!("  numbers    {}", numbers(n));
    }
    for note in v.notes.iter().take(3) {
        anstream::println!("  note       {}", note.lines().next().unwrap_or_default());
    }
    for (i, a) in advice(&found.diagnosis, &case.converter, case.request.precision).iter().enumerate() {
        let head = if i == 0 { "what to do" } else { "" };
        anstream::println!("  {head:<10} {}", what_to_do(a));
    }
}

/// Where, by names.
pub(super) fn place(case: &Case, found: &Examination) -> Vec<String> {
    let p = &found.diagnosis.verdict.place;
    let mut lines = vec![];
    if let Some(source) = &p.source {
        let kinds: BTreeSet<String> = source.split(", ").filter_map(|s| case.source.operator_of(s)).collect();
        let kinds: Vec<String> = kinds.into_iter().collect();
        let kinds = if kinds.is_empty() { String::new() } else { format!(" ({})", kinds.join(", ")) };
        lines.push(format!("first bad  {source}{kinds}"));
    }
    if p.operator.is_some() || p.tensor.is_some() {
        let operator = p.operator.as_deref().unwrap_or("tensor");
        let index = p.operator_index.map(|i| format!(" #{i}")).unwrap_or_default();
        let tensor = p.tensor.as_deref().map(|t| format!(", tensor \"{t}\"")).unwrap_or_default();
        let element = p.element.map(|e| format!(" element {e}")).unwrap_or_default();
        let head = if p.source.is_some() { "converted" } else { "first bad" };
        lines.push(format!("{head:<10} {operator}{index}{tensor}{element}"));
    }
    lines
}

/// Numbers in one line.
pub(super) fn numbers(n: &Numbers) -> String {
    let mut text = format!("expected {:.6e}, actual {:.6e}", n.expected, n.actual);
    if n.low.is_finite() && n.high.is_finite() && n.ratio > 1.0 && n.low < n.high {
        text += &format!(", allowed {:.6e} to {:.6e}", n.low, n.high);
        if n.ratio.is_finite() {
            text += &format!(" ({:.2} x the bound)", n.ratio);
        }
    }
    text
}

/// One piece of advice.
pub(super) fn what_to_do(advice: &Advice) -> String {
    match advice {
        Advice::KeepFp32(pattern) => format!("keep it in float32: {}", shell::option("keep-fp32", pattern)),
        Advice::Strategy(precision) => format!("or another strategy: --precision {precision}"),
        Advice::Rewrite(text) => format!("or change the model: {text}"),
        Advice::Report(project) => format!("report it to {project}: the text is in issue.md"),
        Advice::Nothing(text) => text.clone(),
    }
}

/// Another strategy in one line; `on` is the system where it was asked nothing but whether it avoids the fault.
pub(super) fn other(case: &Case, found: &Examination, on: Option<&str>) -> String {
    let v = &found.diagnosis.verdict;
    let at = v.place.source.as_deref().map(|s| format!(" at {s}")).unwrap_or_default();
    let asked = on.map(|system| format!(" (on {system} and the same inputs)")).unwrap_or_default();
    format!("{} {}: {}{at}: {}{asked}", case.converter, case.request.precision, v.class, v.text)
}

/// The rows worth a look: the first bad one and its neighbours, what loses most, the outputs.
fn chosen(trace: &Trace, bad: Option<u32>, most: usize) -> Vec<usize> {
    let count = trace.rows.len();
    if count <= most {
        return (0..count).collect();
    }
    let mut picked = BTreeSet::new();
    let at = bad.and_then(|b| trace.rows.iter().position(|r| r.operator == b as usize));
    if let Some(at) = at {
        picked.extend(at.saturating_sub(2)..(at + 3).min(count));
    }
    picked.insert(count - 1);
    let mut by_loss: Vec<usize> = (0..count).collect();
    let key = |i: usize| (trace.rows[i].state(), finite(trace.rows[i].jump()));
    by_loss.sort_by(|&a, &b| {
        let (a, b) = (key(a), key(b));
        b.0.cmp(&a.0).then(b.1.total_cmp(&a.1))
    });
    for i in by_loss {
        if picked.len() >= most {
            break;
        }
        picked.insert(i);
    }
    picked.into_iter().collect()
}

fn finite(x: f64) -> f64 {
    if x.is_nan() { 0.0 } else { x }
}

/// The table of operators.
pub(super) fn table(case: &Case, found: &Examination, most: usize) {
    let Some(trace) = main_trace(found) else { return };
    let rows = chosen(trace, found.diagnosis.verdict.place.operator_index, most);
    anstream::println!("\n  {} of {} on {}", rows.len(), counted(trace.rows.len(), "tensor"), trace.system);
    anstream::println!(
        "  {:>5}  {:<22} {:<24} {:>23}  {:>5} {:>5} {:>6}  state",
        "op",
        "operator",
        "source",
        "range",
        "lost",
        "here",
        "bound"
    );
    let mut last = None;
    for i in rows {
        if last.is_some_and(|l| l + 1 != i) {
            anstream::println!("      .");
        }
        last = Some(i);
        let r = &trace.rows[i];
        let mark = if found.diagnosis.verdict.place.tensor_index == Some(r.tensor) { ">" } else { " " };
        anstream::println!(
            "{mark} {:>5}  {:<22} {:<24} {:>23}  {:>5} {:>5} {:>6}  {}",
            r.operator,
            cut(r.builtin, 22),
            cut(r.source.as_deref().unwrap_or(&r.name), 24),
            range(r),
            bits(r.lost),
            bits(r.jump()),
            r.bound_used.map(|b| format!("{b:.2}")).unwrap_or_default(),
            state(r)
        );
    }
    for line in &trace.unsure {
        anstream::println!("  not followed further: {line}");
    }
    anstream::println!(
        "  lost: bits lost since the inputs, of the tensor's largest element; here: by this operator; bound: its error \
         over its own bound"
    );
    let _ = case;
}

/// The trace that shows the diagnosis, or the first.
pub(super) fn main_trace(found: &Examination) -> Option<&Trace> {
    let named = |t: &&Trace| Some(&t.system) == found.diagnosis.system.as_ref();
    found.traces.iter().find(named).or_else(|| found.traces.first())
}

/// A row's state with what is uncertain about it.
pub(super) fn state(r: &Row) -> String {
    let mut text = r.state().name().to_string();
    if r.state() == State::Fine && r.undecidable > 0 {
        text = format!("may overflow ({} of {})", r.undecidable, r.elements);
    }
    match &r.meaning {
        Meaning::Undecidable => text += ", meaning undecidable",
        Meaning::Unmapped | Meaning::Unknown | Meaning::Agrees => {}
        Meaning::Shape(..) => text += " (shape)",
        Meaning::Differs { outside, judged, .. } => text += &format!(" ({outside} of {judged})"),
    }
    text
}

/// The range of a tensor.
pub(super) fn range(r: &Row) -> String {
    if r.least > r.greatest { "-".to_string() } else { format!("{:.3e} to {:.3e}", r.least, r.greatest) }
}

/// Bits for a table.
pub(super) fn bits(x: f64) -> String {
    if x.is_nan() {
        "-".to_string()
    } else if x.is_infinite() {
        "all".to_string()
    } else {
        format!("{x:.1}")
    }
}

fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_string();
    }
    // The end of a name tells nodes apart.
    let skip = text.chars().count() - most + 1;
    format!("…{}", text.chars().skip(skip).collect::<String>())
}

fn bytes(n: u64) -> String {
    match n {
        n if n >= 10_000_000 => format!("{:.0} MB", n as f64 / 1e6),
        n if n >= 10_000 => format!("{:.0} kB", n as f64 / 1e3),
        n => format!("{n} bytes"),
    }
}

/// What bisection found.
pub(super) fn bisection(found: &Bisection, (system, limit): (&str, f64), nodes: usize) {
    anstream::println!(
        "\n  at most {limit} bits lost ({system}): {} with everything in float16",
        bits(found.before)
    );
    let (tests, kept) = found.by_position;
    let took = counted(found.tests, "test");
    match &found.keep {
        None => {
            let all = if nodes == 1 { "the only node in float32 is" } else { "all nodes in float32 are" };
            anstream::println!("  not even {all} enough ({took})");
        }
        Some(keep) if keep.is_empty() => {
            anstream::println!("  nothing has to be kept ({took})")
        }
        Some(keep) => {
            anstream::println!(
                "  keep {} of {} in float32: {} bits lost, {took} (bisection by position: {}, {})",
                keep.len(),
                counted(nodes, "node"),
                bits(found.after),
                counted(kept, "node"),
                counted(tests, "test")
            );
            anstream::println!("  {}", shell::option("keep-fp32", &advice_pattern(keep)));
        }
    }
}

fn advice_pattern(keep: &[String]) -> String {
    halfproof_fuzz::localise::pattern(&keep.join(", "))
}
