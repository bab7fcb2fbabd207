//! What the conformance run prints and writes: by operator as text, everything as JSON, a page of the documentation.

use super::cases::ONE_SIDED;
use super::{Fate, Row, STRATEGIES};
use halfproof_fuzz::triage::normalise;
use halfproof_ir::Precision;
use halfproof_reports::table::Table;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Sums over cases.
#[derive(Clone, Debug, Default)]
struct Sum {
    cases: usize,
    /// By strategy.
    right: [usize; STRATEGIES.len()],
    refused: [usize; STRATEGIES.len()],
    wrong: [usize; STRATEGIES.len()],
    readings: [usize; STRATEGIES.len()],
    bound: usize,
    overflows: usize,
}

impl Sum {
    fn add(&mut self, fates: &[Fate]) {
        self.cases += 1;
        let mut bound = false;
        let mut overflowing = false;
        for (i, fate) in fates.iter().enumerate() {
            match fate {
                Fate::Right { bound: b, overflows } => {
                    self.right[i] += 1;
                    bound |= b;
                    overflowing |= overflows;
                }
                Fate::Refused(_) => self.refused[i] += 1,
                Fate::Reading(_) => self.readings[i] += 1,
                Fate::Wrong(_) => self.wrong[i] += 1,
            }
        }
        self.bound += usize::from(bound);
        self.overflows += usize::from(overflowing);
    }

    fn cells(&self, name: &str) -> Vec<String> {
        let mut cells = vec![name.to_string(), self.cases.to_string()];
        for i in 0..STRATEGIES.len() {
            cells.extend([self.right[i], self.refused[i], self.wrong[i], self.readings[i]].map(dash));
        }
        cells.extend([dash(self.bound), dash(self.overflows)]);
        cells
    }

    fn json(&self) -> Value {
        json!({
            "cases": self.cases, "right": self.right, "refused": self.refused, "wrong": self.wrong,
            "readings": self.readings,
            "bound": self.bound, "overflows": self.overflows,
        })
    }
}

fn dash(n: usize) -> String {
    if n == 0 { "·".to_string() } else { n.to_string() }
}

fn head() -> Table {
    let mut table = Table::new(1, ["operator", "cases"]);
    for precision in STRATEGIES {
        for what in ["right", "refused", "wrong", "read otherwise"] {
            table.column(&format!("{precision}: {what}"));
        }
    }
    table.column("bound");
    table.column("overflows");
    table
}

fn sums(rows: &[Row], key: impl Fn(&Row) -> &str) -> BTreeMap<String, Sum> {
    let mut sums: BTreeMap<String, Sum> = BTreeMap::new();
    for row in rows {
        if let Ok(fates) = &row.fates {
            sums.entry(key(row).to_string()).or_default().add(fates);
        }
    }
    sums
}

/// The sum of the cases with floats on both sides.
fn total(rows: &[Row]) -> Sum {
    let mut sum = Sum::default();
    rows.iter()
        .filter(|r| !r.set.ends_with(ONE_SIDED))
        .flat_map(|r| r.fates.as_ref().ok())
        .for_each(|fates| sum.add(fates));
    sum
}

/// By operator, by set, and the total.
fn tables(rows: &[Row]) -> [Table; 2] {
    let mut by_operator = head();
    for (name, sum) in sums(rows, |r| &r.operator) {
        by_operator.row(sum.cells(&name));
    }
    let mut by_set = head();
    for (name, sum) in sums(rows, |r| &r.set) {
        by_set.row(sum.cells(&name));
    }
    by_set.row(total(rows).cells("floats on both sides"));
    [by_operator, by_set]
}

/// How many cases have a reason, with one of them.
fn reasons<'r>(rows: &'r [Row], pick: impl Fn(&'r Row) -> Option<String>) -> Vec<(String, usize, &'r str)> {
    let mut found: BTreeMap<String, (usize, &str)> = BTreeMap::new();
    for row in rows {
        if let Some(reason) = pick(row) {
            let entry = found.entry(reason).or_insert((0, &row.name));
            entry.0 += 1;
        }
    }
    let mut list: Vec<_> = found.into_iter().map(|(reason, (n, name))| (reason, n, name)).collect();
    list.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    list
}

fn reason_tables(rows: &[Row]) -> [Table; 4] {
    let list = |title: &str, reasons: Vec<(String, usize, &str)>| {
        let mut table = Table::new(1, [title, "cases", "for example"]);
        for (reason, n, name) in reasons {
            table.row(vec![reason, n.to_string(), name.to_string()]);
        }
        table
    };
    let refused = reasons(rows, |r| {
        let fate = r.fates.as_ref().ok()?.iter().find(|f| matches!(f, Fate::Refused(_)))?;
        if let Fate::Refused(why) = fate { Some(normalise(why)) } else { None }
    });
    let wrong = reasons(rows, |r| {
        let fate = r.fates.as_ref().ok()?.iter().find(|f| matches!(f, Fate::Wrong(_)))?;
        if let Fate::Wrong(why) = fate { Some(normalise(why)) } else { None }
    });
    let readings = reasons(rows, |r| {
        let fates = r.fates.as_ref().ok()?;
        fates.iter().find_map(|f| if let Fate::Reading(why) = f { Some((*why).to_string()) } else { None })
    });
    let outside = reasons(rows, |r| r.fates.as_ref().err().map(|why| normalise(why)));
    [
        list("refused because", refused),
        list("wrong", wrong),
        list("read otherwise", readings),
        list("not counted because", outside),
    ]
}

fn summary(rows: &[Row]) -> String {
    let sum = total(rows);
    let share = |n: usize| 100.0 * n as f64 / sum.cases.max(1) as f64;
    let parts: Vec<String> = STRATEGIES
        .iter()
        .enumerate()
        .map(|(i, p)| format!("{p} {} right ({:.1} %)", sum.right[i], share(sum.right[i])))
        .collect();
    format!("{} cases, {} of them with float inputs and outputs: {}", rows.len(), sum.cases, parts.join(", "))
}

/// For the terminal.
pub(super) fn text(rows: &[Row]) -> String {
    let [by_operator, by_set] = tables(rows);
    let mut text = format!("{}\n{}", by_operator.text("  "), by_set.text("  "));
    for table in reason_tables(rows).iter().filter(|t| !t.is_empty()) {
        text += &format!("\n{}", table.text("  "));
    }
    format!("{text}\n{}", summary(rows))
}

/// A line for every case and strategy that is not right.
pub(super) fn exceptions(rows: &[Row]) -> Vec<String> {
    let mut lines = Vec::new();
    for row in rows {
        for (precision, fate) in STRATEGIES.iter().zip(row.fates.iter().flatten()) {
            match fate {
                Fate::Right { .. } => {}
                Fate::Wrong(why) => lines.push(format!("wrong    {precision:<8} {}: {why}", row.name)),
                Fate::Refused(why) => lines.push(format!("refused  {precision:<8} {}: {why}", row.name)),
                Fate::Reading(why) => lines.push(format!("reading  {precision:<8} {}: {why}", row.name)),
            }
        }
    }
    lines
}

/// Everything, for machines.
pub(super) fn json(rows: &[Row]) -> Value {
    let fate = |f: &Fate| match f {
        Fate::Right { bound, overflows } => json!({"fate": "right", "bound": bound, "overflows": overflows}),
        Fate::Wrong(why) => json!({"fate": "wrong", "why": why}),
        Fate::Refused(why) => json!({"fate": "refused", "why": why}),
        Fate::Reading(why) => json!({"fate": "reading", "why": why}),
    };
    let cases: Vec<Value> = rows
        .iter()
        .map(|r| match &r.fates {
            Ok(fates) => {
                let by: serde_json::Map<String, Value> =
                    STRATEGIES.iter().zip(fates).map(|(p, f)| (p.name().to_string(), fate(f))).collect();
                json!({"name": r.name, "set": r.set, "operator": r.operator, "strategies": by})
            }
            Err(why) => json!({"name": r.name, "set": r.set, "not_counted": why}),
        })
        .collect();
    json!({
        "schema": 1,
        "onnx": halfproof_systems::setup::conformance::ONNX_VERSION,
        "strategies": STRATEGIES.map(Precision::name),
        "total": total(rows).json(),
        "cases": cases,
    })
}

/// The page of the documentation.
pub(super) fn page(rows: &[Row]) -> String {
    let [by_operator, by_set] = tables(rows);
    let [refused, wrong, readings, outside] = reason_tables(rows);
    let mut page = format!(
        "# Conformance\n\n\
         Written by `cargo xtask conformance --docs`; do not edit. The cases are those of the PyPI package `onnx` {}: its node tests \
         with the outputs that its own code computes, and the models from PyTorch that it carries.\n\n\
         A case counts when it has float inputs and float outputs, and element types that halfproof holds; those with floats on one side \
         are summed apart. *Right*: the judge finds nothing \
         in the file, its constants, its meaning and two executions, and the package's expected outputs agree. *Bound*: right once \
         the inputs that are not floats, or all but one, are constants, as exporters write them. *Overflows*: right, and a value does not fit \
         float16.\n\n**{}**\n\n## By set\n\n{}\n## Refused\n\n{}\n",
        halfproof_systems::setup::conformance::ONNX_VERSION,
        summary(rows),
        by_set.markdown(),
        refused.markdown(),
    );
    if !wrong.is_empty() {
        page += &format!("## Wrong\n\n{}\n", wrong.markdown());
    }
    if !readings.is_empty() {
        page += &format!("## Read otherwise\n\n{}\n", readings.markdown());
    }
    page + &format!("## Not counted\n\n{}\n## By operator\n\n{}", outside.markdown(), by_operator.markdown())
}
