//! What changed between two runs: findings that are new, fixed or still there, and outputs that lose more bits.

use crate::finding;
use crate::paint::Paint;
use crate::schema::{Finding, OutputLoss, Run};
use crate::table::Table;
use std::collections::{BTreeMap, BTreeSet};

/// More bits lost than this is a regression: one rounding more or less moves a result by less.
pub const NOISE_BITS: f64 = 1.0;

/// The difference of two runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Comparison {
    /// Findings of the new run whose signature the old run does not have.
    pub new: Vec<Finding>,
    /// Findings of the old run that are gone.
    pub fixed: Vec<Finding>,
    /// Findings of the new run that the old one has too.
    pub still: Vec<Finding>,
    /// Findings of the old run that are not there, although nobody can say that they are fixed: the new run had
    /// another seed or other options, stopped before their test, or ran without their system.
    pub unseen: Vec<Finding>,
    /// Outputs that lose more bits than before, worst first.
    pub regressions: Vec<Regression>,
    /// Outputs measured in both runs.
    pub outputs_compared: u64,
    /// Why outputs were not compared: the runs made other tests, so that test 7 of one is another graph in the other.
    pub other_tests: Option<String>,
    /// Why the runs do not compare well: other seed, other options, other versions.
    pub caveats: Vec<String>,
}

/// The same output of the same case, less precise than before.
#[derive(Clone, Debug, PartialEq)]
pub struct Regression {
    /// The output as the new run has it.
    pub now: OutputLoss,
    /// Bits it lost before.
    pub before: f64,
}

impl Comparison {
    /// True when CI should be red: a new certified finding that is no known issue, or a precision regression.
    pub fn is_red(&self) -> bool {
        !self.regressions.is_empty() || self.new.iter().any(|f| f.known_issue.is_none() && f.is_certified())
    }
}

/// What changed from `old` to `new`.
pub fn compare(old: &Run, new: &Run) -> Comparison {
    let (mut old, mut new) = (old.clone(), new.clone());
    old.sort();
    new.sort();
    let mut result = Comparison { caveats: caveats(&old, &new), ..Comparison::default() };
    let before: BTreeMap<&str, &Finding> = old.findings.iter().map(|f| (f.signature.as_str(), f)).collect();
    let after: BTreeMap<&str, &Finding> = new.findings.iter().map(|f| (f.signature.as_str(), f)).collect();
    for f in &new.findings {
        let is_old =
            before.contains_key(f.signature.as_str()) || old.findings.iter().any(|o| was_filed(o, f));
        let list = if is_old { &mut result.still } else { &mut result.new };
        list.push(f.clone());
    }
    let is_there = |f: &Finding| {
        after.contains_key(f.signature.as_str()) || new.findings.iter().any(|now| was_filed(f, now))
    };
    result.other_tests = other_tests(&old, &new);
    if result.other_tests.is_none() {
        outputs(&old, &new, &mut result);
    }
    for f in old.findings.iter().filter(|f| !is_there(f)) {
        let list = if result.other_tests.is_none() && was_tested_again(f, &old, &new) {
            &mut result.fixed
        } else {
            &mut result.unseen
        };
        list.push(f.clone());
    }
    result
}

/// Compares what outputs of the same tests have lost.
fn outputs(old: &Run, new: &Run, result: &mut Comparison) {
    let recorded: BTreeMap<_, &OutputLoss> = old.losses.outputs.iter().map(|o| (o.key(), o)).collect();
    let mut others = 0;
    for now in &new.losses.outputs {
        let Some(before) = recorded.get(&now.key()) else { continue };
        if before.digest != now.digest {
            others += 1;
            continue;
        }
        let before = before.bits.0;
        result.outputs_compared += 1;
        // An output that turned NaN or infinite has lost everything; one that was so already has nothing to lose.
        if now.bits.0 - before > NOISE_BITS || (!now.bits.0.is_finite() && before.is_finite()) {
            result.regressions.push(Regression { now: now.clone(), before });
        }
    }
    if others > 0 && result.outputs_compared == 0 {
        result.other_tests = Some("the same numbers are other graphs or inputs now".to_string());
    }
    let worse = |r: &Regression| r.now.bits.0 - r.before;
    result
        .regressions
        .sort_by(|a, b| worse(b).total_cmp(&worse(a)).then_with(|| a.now.key().cmp(&b.now.key())));
}

/// True when a finding is an old one that became a known issue since: its signature then has the issue's file at the end.
fn was_filed(old: &Finding, now: &Finding) -> bool {
    let rest = now.signature.strip_prefix(&old.signature);
    old.known_issue.is_none()
        && now.known_issue.is_some()
        && rest.is_some_and(|rest| rest.starts_with(" | known as "))
}

/// True when the new run went through the test that showed a finding of the old one.
fn was_tested_again(finding: &Finding, old: &Run, new: &Run) -> bool {
    let present = |name: &str| new.systems.iter().any(|s| s.name == name);
    let same_work = changed_options(old, new).iter().all(|name| ENDS_A_RUN.contains(name));
    same_work
        && finding.first_test < new.totals.tests
        && present(&finding.converter)
        && finding.system.as_deref().is_none_or(present)
}

/// Options that say when to stop, not what to do.
const ENDS_A_RUN: [&str; 2] = ["runs", "time"];

/// Options that say who runs a test, and how many there are; all others decide what a test of a number is.
const CHANGES_NO_TEST: [&str; 4] = ["runs", "time", "runtime", "share"];

/// Why a test of one run is not the test of the same number of the other; `None` where their digests must tell: another
/// version of the generator draws other graphs, and so does a scouted converter that takes other operators.
fn other_tests(old: &Run, new: &Run) -> Option<String> {
    if old.seed != new.seed {
        return Some(format!("the seeds differ ({} and {})", old.seed, new.seed));
    }
    let decides = |name: &&str| !CHANGES_NO_TEST.contains(name);
    if let Some(name) = changed_options(old, new).into_iter().find(decides) {
        return Some(changed(name, old, new));
    }
    None
}

/// `--max-nodes was 8, is 4`.
fn changed(name: &str, old: &Run, new: &Run) -> String {
    let value = |run: &Run| run.options.get(name).cloned().unwrap_or_else(|| "not set".into());
    format!("--{name} was {}, is {}", value(old), value(new))
}

/// Options whose values differ, in the order of their names.
fn changed_options<'a>(old: &'a Run, new: &'a Run) -> Vec<&'a str> {
    let names: BTreeSet<&str> = old.options.keys().chain(new.options.keys()).map(String::as_str).collect();
    names.into_iter().filter(|name| old.options.get(*name) != new.options.get(*name)).collect()
}

fn caveats(old: &Run, new: &Run) -> Vec<String> {
    let mut caveats = vec![];
    if old.halfproof != new.halfproof {
        caveats.push(format!("halfproof was {}, is {}", old.halfproof, new.halfproof));
    }
    if old.seed != new.seed {
        caveats.push(format!("the seeds differ ({} and {}), so the tests do", old.seed, new.seed));
    }
    if old.totals.tests != new.totals.tests {
        caveats.push(format!("{} tests before, {} now", old.totals.tests, new.totals.tests));
    }
    caveats.extend(changed_options(old, new).into_iter().map(|name| changed(name, old, new)));
    for system in &old.systems {
        match new.systems.iter().find(|s| s.name == system.name) {
            Some(now) if now.version != system.version => {
                caveats.push(format!("{} was {}, is {}", system.name, system.version, now.version));
            }
            Some(_) => {}
            None => caveats.push(format!("{} did not take part in the new run", system.name)),
        }
    }
    caveats
}

/// The comparison as text for the terminal.
pub fn terminal(c: &Comparison, color: bool) -> String {
    let paint = Paint::new(color);
    let mut text = String::new();
    for caveat in &c.caveats {
        text += &format!("{}\n", paint.yellow(&format!("note: {caveat}")));
    }
    let lists = [
        ("new", &c.new),
        ("fixed", &c.fixed),
        ("still there", &c.still),
        ("not seen, and not tested", &c.unseen),
    ];
    for (name, list) in lists {
        if list.is_empty() {
            continue;
        }
        text += &format!("\n{}\n", paint.bold(&format!("{name}: {}", list.len())));
        for f in list {
            if name == "new" {
                text += &finding::render(f, paint);
            } else {
                text += &format!("  {}\n", finding::line(f));
            }
        }
    }
    if !c.regressions.is_empty() {
        text += &format!("\n{}\n{}", paint.bold("less precise than before"), regressions(c).text("  "));
    }
    let summary = format!(
        "{} new, {} fixed, {} still there, {}",
        c.new.len(),
        c.fixed.len(),
        c.still.len(),
        precision(c)
    );
    text + "\n" + &if c.is_red() { paint.red(&summary) } else { paint.green(&summary) } + "\n"
}

/// The comparison as Markdown.
pub fn markdown(c: &Comparison) -> String {
    use crate::markdown::escape;
    let mut text = format!(
        "# halfproof compare: {} new, {} fixed, {} still there\n\n{}.\n",
        c.new.len(),
        c.fixed.len(),
        c.still.len(),
        escape(&precision(c))
    );
    for caveat in &c.caveats {
        text += &format!("\n> {}\n", escape(caveat));
    }
    for (heading, list) in [
        ("New", &c.new),
        ("Fixed", &c.fixed),
        ("Still there", &c.still),
        ("Not seen, and not tested", &c.unseen),
    ] {
        if !list.is_empty() {
            text += &format!("\n## {heading}\n\n");
            for f in list {
                text += &format!("- `{}` {}: {}\n", f.id.replace('`', "'"), f.class, escape(&f.title));
            }
        }
    }
    if !c.regressions.is_empty() {
        text += &format!("\n## Less precise than before\n\n{}", regressions(c).markdown());
    }
    text
}

/// What there is to say of precision, in a few words.
fn precision(c: &Comparison) -> String {
    match &c.other_tests {
        Some(why) => format!("precision not compared, since the tests are not the same: {why}"),
        None => format!("{} of {} outputs less precise than before", c.regressions.len(), c.outputs_compared),
    }
}

fn regressions(c: &Comparison) -> Table {
    let mut table =
        Table::new(5, ["case", "output", "strategy", "converter", "system", "bits before", "bits now"]);
    for r in &c.regressions {
        let o = &r.now;
        table.row(vec![
            o.case.clone(),
            o.output.to_string(),
            o.precision.to_string(),
            o.converter.clone(),
            o.system.clone(),
            format!("{:.1}", r.before),
            format!("{:.1}", o.bits.0),
        ]);
    }
    table
}
