//! A run as Markdown, for a pull request or a job summary.

use crate::finding;
use crate::schema::{Arrivals, Finding, Run};
use crate::table::{percent, thousands};
use crate::terminal::{coverage, losses, verdicts};

/// Findings written out in full; the rest are listed by their first line, because job summaries are cut at 1 MB.
const IN_FULL: usize = 100;

/// The run as Markdown.
pub fn markdown(run: &Run) -> String {
    let mut run = run.clone();
    run.sort();
    let new = run.new_findings().count();
    let mut text = format!(
        "# halfproof {}: {}\n\n`{}`\n",
        escape(&run.halfproof),
        if new == 0 {
            "no new finding".to_string()
        } else {
            format!("{new} new finding{}", if new == 1 { "" } else { "s" })
        },
        run.command.replace(['`', '\n'], " "),
    );
    if !run.skipped.is_empty() || run.interrupted {
        text += "\n> [!WARNING]\n";
        if let Some(what) = run.interruption() {
            text += &format!("> **Interrupted** {}.\n", escape(&what));
        }
        for s in &run.skipped {
            let remedy = s
                .remedy
                .as_ref()
                .map(|r| format!(". To include it: `{}`", r.replace('`', "'")))
                .unwrap_or_default();
            text += &format!("> **Not tested: {}.** {}{remedy}\n", escape(&s.system), escape(&s.reason));
        }
    }
    text += &format!(
        "\n{} tests, seed {}, {} elements compared ({} left out as undecidable).\n",
        thousands(run.totals.tests),
        run.seed,
        thousands(run.totals.judged),
        percent(run.totals.excluded_share()),
    );
    let coverage = coverage(&run.coverage);
    if !coverage.is_empty() {
        text += &format!("Coverage: {}.\n", escape(&coverage));
    }
    for line in run.arrivals.iter().flat_map(Arrivals::lines) {
        text += &format!("{}.\n", escape(&capital(&line)));
    }
    text += &format!("\n{}", verdicts(&run).markdown());
    text += &findings(&run.findings);
    let losses = losses(&run, 12);
    if !losses.is_empty() {
        text += &format!("\n## Bits lost to rounding, worst operators\n\n{}", losses.markdown());
    }
    text
}

fn findings(all: &[Finding]) -> String {
    let mut text = String::new();
    for (heading, known) in [("New findings", false), ("Known issues", true)] {
        let of_kind: Vec<&Finding> = all.iter().filter(|f| f.known_issue.is_some() == known).collect();
        if of_kind.is_empty() {
            continue;
        }
        text += &format!("\n## {heading}\n");
        for (i, f) in of_kind.into_iter().enumerate() {
            let summary = format!("<code>{}</code> {}: {}", escape(&f.id), f.class, escape(&f.title));
            if i < IN_FULL {
                let mut body = finding::text(f);
                if !f.graph.is_empty() {
                    body += &format!("\n{}\n", f.graph.trim_end());
                }
                text +=
                    &format!("\n<details><summary>{summary}</summary>\n\n{}\n</details>\n", fenced(&body));
            } else {
                text += &format!("\n- {summary}\n");
            }
        }
    }
    text
}

/// A line as a sentence.
pub(crate) fn capital(line: &str) -> String {
    let mut rest = line.chars();
    rest.next().map_or(String::new(), |first| first.to_uppercase().chain(rest).collect())
}

/// A code block whose fence is longer than any in the text.
fn fenced(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(3.max(longest + 1));
    format!("{fence}text\n{}\n{fence}\n", text.trim_end())
}

/// Text without meaning in Markdown or HTML, on one line.
pub(crate) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe += "&amp;",
            '<' => safe += "&lt;",
            '>' => safe += "&gt;",
            '|' | '*' | '_' | '`' | '\\' | '[' | ']' | '#' | '~' => {
                safe.push('\\');
                safe.push(c);
            }
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}
