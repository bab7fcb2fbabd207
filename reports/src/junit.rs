//! A run as JUnit XML, for the test views of CI systems.
//!
//! A suite per system. New certified findings are failures; known issues, findings without certainty and systems that
//! did not take part are skipped tests with their reason.

use crate::finding;
use crate::schema::{Finding, Run};
use std::collections::BTreeMap;

/// The run as JUnit XML.
pub fn junit(run: &Run) -> String {
    let mut run = run.clone();
    run.sort();
    let mut suites: BTreeMap<&str, Vec<Case>> = BTreeMap::new();
    for (system, classes) in &run.totals.verdicts {
        let tests: u64 = classes.values().sum();
        let name = format!("{tests} verdicts of {system}, seed {}", run.seed);
        suites.entry(system).or_default().push(Case {
            group: "summary".into(),
            name,
            outcome: Outcome::Passed,
        });
    }
    for finding in &run.findings {
        let system = finding.system.as_deref().unwrap_or(&finding.converter);
        suites.entry(system).or_default().push(case(finding));
    }
    for skipped in &run.skipped {
        let outcome = Outcome::Skipped(skipped.reason.clone());
        let name = format!("{} was not tested", skipped.system);
        suites.entry(&skipped.system).or_default().push(Case { group: "summary".into(), name, outcome });
    }
    let count = |cases: &[Case], of: fn(&Outcome) -> bool| cases.iter().filter(|c| of(&c.outcome)).count();
    let failed: fn(&Outcome) -> bool = |o| matches!(o, Outcome::Failed { .. });
    let skipped: fn(&Outcome) -> bool = |o| matches!(o, Outcome::Skipped(_));
    let all: usize = suites.values().map(Vec::len).sum();
    let failures: usize = suites.values().map(|s| count(s, failed)).sum();
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"halfproof\" tests=\"{all}\" failures=\"{failures}\" time=\"{:.3}\">\n",
        run.timings.seconds
    );
    for (system, cases) in &suites {
        xml += &format!(
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" skipped=\"{}\">\n",
            escape(system),
            cases.len(),
            count(cases, failed),
            count(cases, skipped)
        );
        for case in cases {
            xml += &case.xml(system);
        }
        xml += "  </testsuite>\n";
    }
    xml + "</testsuites>\n"
}

struct Case {
    group: String,
    name: String,
    outcome: Outcome,
}

enum Outcome {
    Passed,
    Skipped(String),
    Failed { class: &'static str, title: String, text: String },
}

fn case(f: &Finding) -> Case {
    let outcome = if let Some(known) = &f.known_issue {
        Outcome::Skipped(format!("known issue: {}", known.file))
    } else if !f.is_certified() {
        Outcome::Skipped(format!("{}, not certified: {}", f.strength, f.title))
    } else {
        Outcome::Failed { class: f.class.name(), title: f.title.clone(), text: finding::text(f) }
    };
    Case {
        group: f.operator.clone().unwrap_or_else(|| "model".into()),
        name: format!("{} {}", f.id, f.title),
        outcome,
    }
}

impl Case {
    fn xml(&self, system: &str) -> String {
        let open = format!(
            "    <testcase classname=\"{}.{}\" name=\"{}\"",
            escape(system),
            escape(&self.group),
            escape(&self.name)
        );
        match &self.outcome {
            Outcome::Passed => format!("{open}/>\n"),
            Outcome::Skipped(why) => {
                format!("{open}>\n      <skipped message=\"{}\"/>\n    </testcase>\n", escape(why))
            }
            Outcome::Failed { class, title, text } => format!(
                "{open}>\n      <failure type=\"{class}\" message=\"{}\">{}</failure>\n    </testcase>\n",
                escape(title),
                escape(text)
            ),
        }
    }
}

/// Text for content and attributes; what XML 1.0 cannot say at all becomes U+FFFD.
fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe += "&amp;",
            '<' => safe += "&lt;",
            '>' => safe += "&gt;",
            '"' => safe += "&quot;",
            '\n' => safe += "&#10;",
            '\t' => safe += "&#9;",
            '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{84}' | '\u{86}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => {
                safe.push('\u{fffd}')
            }
            c => safe.push(c),
        }
    }
    safe
}
