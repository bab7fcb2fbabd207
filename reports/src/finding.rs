//! One finding as text: the form used in the terminal, in issues and at the top of its entry in the HTML report.

use crate::bits::stored;
use crate::paint::Paint;
use crate::schema::{Evidence, Figure, Finding, Outcome, Spot};
use halfproof_ir::DType;
use halfproof_oracle::verdict::Strength;

/// The finding as plain text, a primary line and one line per fact.
pub fn text(finding: &Finding) -> String {
    render(finding, Paint::new(false))
}

pub(crate) fn render(finding: &Finding, paint: Paint) -> String {
    let class = if finding.known_issue.is_some() || !finding.is_certified() {
        paint.yellow(finding.class.name())
    } else {
        paint.red(finding.class.name())
    };
    let mut tag = format!("[{}]", finding.id);
    if finding.strength != Strength::Certified {
        tag += &format!(" ({})", finding.strength);
    }
    let title = &one_line(&finding.title);
    let gap = 76usize.saturating_sub(finding.class.name().len() + 2 + title.chars().count()).max(2);
    let mut text = format!("{class}: {}{:gap$}{}\n", paint.bold(title), "", paint.dim(&tag));
    for (name, value) in facts(finding) {
        text += &format!("  {} {value}\n", paint.dim(&format!("{name:<9}")));
    }
    text
}

/// The finding on one line: `[SO-3f2a91] kernel: title`.
pub(crate) fn line(finding: &Finding) -> String {
    format!("[{}] {}: {}", finding.id, finding.class, one_line(&finding.title))
}

/// What there is to say, by name, in the order in which a reader asks.
pub(crate) fn facts(finding: &Finding) -> Vec<(&'static str, String)> {
    let mut facts = vec![];
    let mut say = |name, value: String| {
        if !value.is_empty() {
            facts.push((name, one_line(&value)));
        }
    };
    say("where", place(&finding.place));
    if let Some(evidence) = &finding.evidence {
        let [expected, actual, bound] = evidence_lines(evidence);
        say("expected", expected);
        say("actual", actual);
        say("bound", bound);
    }
    say("because", finding.because.clone());
    say("blame", finding.blame.to_string());
    say("made by", made_by(finding));
    say("controls", controls(finding));
    say("notes", finding.notes.join(" · "));
    say("seen", seen(finding));
    say("replay", finding.replay.clone());
    say("passes", finding.files.nearest_good.clone().unwrap_or_default());
    say("related", finding.related.join(", "));
    if let Some(known) = &finding.known_issue {
        say(
            "known",
            [Some(known.file.as_str()), known.link.as_deref()]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join("  "),
        );
    }
    facts
}

/// Text of other programs without line breaks and without escape sequences for the terminal.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn made_by(finding: &Finding) -> String {
    let precision = finding.precision.map(|p| format!(" --precision {p}")).unwrap_or_default();
    let runtime = finding.system.as_ref().map(|s| format!(", run by {s}")).unwrap_or_default();
    format!("{}{precision}{runtime}", finding.converter)
}

fn seen(finding: &Finding) -> String {
    match finding.occurrences {
        0 | 1 => format!("once, in test {}", finding.first_test),
        n => format!("{} times, first in test {}", crate::table::thousands(n), finding.first_test),
    }
}

/// `y[0,7]  (operator 3 SOFTMAX, from "attn/softmax")`.
pub(crate) fn place(spot: &Spot) -> String {
    let mut text = spot.tensor.clone().unwrap_or_default();
    match (&spot.coordinates, spot.element) {
        (Some(at), _) => {
            let at: Vec<String> = at.iter().map(u64::to_string).collect();
            text += &format!("[{}]", at.join(","));
        }
        (None, Some(element)) => text += &format!("[element {element}]"),
        (None, None) => {}
    }
    let mut from = vec![];
    match (&spot.operator, spot.operator_index) {
        (Some(operator), Some(index)) => from.push(format!("operator {index} {operator}")),
        (Some(operator), None) => from.push(operator.clone()),
        (None, _) => {}
    }
    if let Some(source) = &spot.source {
        from.push(format!("from \"{source}\""));
    }
    match (text.is_empty(), from.is_empty()) {
        (_, true) => text,
        (true, false) => from.join(", "),
        (false, false) => format!("{text}  ({})", from.join(", ")),
    }
}

/// Expected, actual and bound, their columns aligned.
fn evidence_lines(e: &Evidence) -> [String; 3] {
    let decimals = [e.expected, e.actual].map(|f| f.to_string());
    let width = decimals.iter().map(|d| d.chars().count()).max().unwrap_or(0);
    let line = |decimal: &str, value: Figure| {
        let bits = stored(e.dtype, value.0).unwrap_or_default();
        format!("{decimal:<width$}  {bits}").trim_end().to_string()
    };
    let mut actual = line(&decimals[1], e.actual);
    if !e.ratio.0.is_nan() {
        actual += &format!("   {} x the bound", ratio(e.ratio));
    }
    let mut expected = line(&decimals[0], e.expected);
    if rounds(e) {
        expected += "   (rounded)";
    }
    [expected, actual, format!("{} … {}", e.low, e.high)]
}

/// True when the exact result is not a value of the element type, so that the bits shown are those of a neighbor.
fn rounds(e: &Evidence) -> bool {
    match e.dtype {
        DType::F16 => half::f16::from_f64(e.expected.0).to_f64() != e.expected.0,
        DType::F32 => f64::from(e.expected.0 as f32) != e.expected.0,
        _ => false,
    }
}

/// `2.0`, `1,234`, `inf`.
fn ratio(ratio: Figure) -> String {
    if ratio.0.is_finite() && ratio.0 < 1000.0 { format!("{:.1}", ratio.0) } else { ratio.to_string() }
}

fn controls(finding: &Finding) -> String {
    let word = |outcome| match outcome {
        Outcome::Ok => "ok",
        Outcome::Fails => "FAILS",
        Outcome::Cannot => "not possible",
    };
    let all: Vec<String> =
        finding.controls.iter().map(|c| format!("{} {}", c.name, word(c.outcome))).collect();
    all.join(" · ")
}
