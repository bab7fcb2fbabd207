//! One cell of the matrix, and how the whole of it is shown.

use crate::cmd::regress::{Known, pinned_version};
use crate::words::counted;
use halfproof_fuzz::pipeline::Report;
use halfproof_fuzz::triage::shown;
use halfproof_ir::Precision;
use halfproof_oracle::judge::Question;
use halfproof_oracle::record::Status;
use halfproof_oracle::verdict::{Strength, Verdict};
use halfproof_reports::sheet::{Section, Sheet, SheetCell, Tone};
use halfproof_reports::table::Table;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What became of the cases of an operator under a strategy on a runtime.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Cell {
    /// Cases.
    pub(super) cases: usize,
    /// Those that were converted.
    pub(super) converted: usize,
    /// Those in which the converter was not asked, because the program has no form that it takes.
    pub(super) unasked: usize,
    /// Those that the runtime ran.
    pub(super) ran: usize,
    /// Those in which the runtime is known not to do this.
    pub(super) cannot: usize,
    /// Those that ran and are within the bound.
    pub(super) right: usize,
    /// Those with a certified fault that nobody knows yet.
    pub(super) wrong: usize,
    /// Those with a fault that is a known issue.
    pub(super) known: usize,
    /// Those with a fault that rests on a contract nobody has verified.
    pub(super) unproven: usize,
    /// Those in which a value does not fit float16: the strategy's doing.
    pub(super) overflows: usize,
    /// What was said where something did not convert, did not run or is wrong: the text without what varies, and how often.
    pub(super) said: BTreeMap<String, usize>,
    /// The first fault that nobody knows, with its numbers.
    pub(super) example: Option<String>,
}

/// Cells by operator, strategy and runtime.
pub(super) type Cells = BTreeMap<(String, Precision, String), Cell>;

/// Counts one executed case in the cells of all runtimes; the converter by name and version.
pub(super) fn count(
    cells: &mut Cells,
    (operator, precision): (&str, Precision),
    runtimes: &[String],
    known: &Known,
    converter: &(String, String),
    report: &Report,
) {
    let about_file: Vec<&Verdict> =
        report.answers.iter().filter(|(_, a)| a.system.is_none()).map(|(_, a)| &a.verdict).collect();
    let file_fault = about_file.iter().find(|v| v.accuses());
    for runtime in runtimes {
        let cell = cells.entry((operator.to_string(), precision, runtime.clone())).or_default();
        cell.cases += 1;
        let say = |cell: &mut Cell, text: &str| {
            let line = shown(text.lines().next().unwrap_or_default());
            *cell.said.entry(line).or_default() += 1;
        };
        if report.conversion.is_none() {
            let text = report.discarded.clone().or_else(|| about_file.first().map(|v| v.text.clone()));
            say(cell, &text.unwrap_or_else(|| "no conversion".into()));
            // The converter was never asked: the program has no form that it takes.
            cell.unasked += usize::from(report.discarded.is_some());
            continue;
        }
        cell.converted += 1;
        let executed = report.executions.iter().find(|e| e.system == *runtime);
        match executed.map(|e| &e.status) {
            Some(Status::Ok) => cell.ran += 1,
            Some(Status::Cannot { why }) => {
                cell.cannot += 1;
                say(cell, why);
                continue;
            }
            Some(Status::Refused { stage, text }) => say(cell, &format!("{stage}: {text}")),
            Some(Status::Undone { text }) => say(cell, &format!("not carried out: {text}")),
            Some(Status::Crashed { how }) => say(cell, how),
            Some(Status::TimedOut) => say(cell, "no answer in time"),
            None => {
                // The runtime could not be opened: `--runtime` says so when the command starts.
                cell.cannot += 1;
                continue;
            }
        }
        let own = report
            .answers
            .iter()
            .filter(|(_, a)| a.system.as_deref() == Some(runtime) && a.question != Question::Legality);
        let verdicts: Vec<&Verdict> = own.map(|(_, a)| &a.verdict).collect();
        cell.overflows += usize::from(verdicts.iter().any(|v| v.is_of_policy()));
        let of_runtime = verdicts.iter().find(|v| v.accuses());
        match of_runtime.or(file_fault) {
            Some(verdict) => {
                // What is wrong with the file is the converter's, whichever runtime it is shown by.
                let (accused, version) = match of_runtime {
                    Some(_) => (runtime.as_str(), pinned_version(runtime)),
                    None => (converter.0.as_str(), converter.1.as_str()),
                };
                let excused = known.excuses(accused, version, verdict);
                match () {
                    () if excused => cell.known += 1,
                    () if verdict.strength != Strength::Certified => cell.unproven += 1,
                    () => cell.wrong += 1,
                }
                if !excused {
                    cell.example.get_or_insert_with(|| described(verdict));
                }
                say(cell, &format!("{}: {}", verdict.class, verdict.text));
            }
            None if executed.is_some_and(|e| e.status == Status::Ok) => cell.right += 1,
            None => {}
        }
    }
}

/// A fault with its worst element.
fn described(verdict: &Verdict) -> String {
    let numbers = verdict.numbers.as_ref();
    let numbers = numbers.map_or(String::new(), |n| format!(": {:e} instead of {:e}", n.actual, n.expected));
    format!("{}: {}{numbers}", verdict.class, verdict.text)
}

impl Cell {
    /// `12` where all is right, else what is not: `9 of 12`, with the reason's letter.
    fn short(&self) -> String {
        match () {
            () if self.cases == 0 => "·".into(),
            () if self.unasked == self.cases => "not asked".into(),
            () if self.converted == 0 => "refused".into(),
            () if self.cannot == self.converted => "cannot".into(),
            () if self.right == self.cases => self.cases.to_string(),
            () => {
                let faults = [(self.wrong, "wrong"), (self.known, "known"), (self.unproven, "unproven")];
                let faults = faults.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!(" {n} {what}"));
                format!("{}/{}{}", self.right, self.cases, faults.collect::<String>())
            }
        }
    }

    /// Good where all is right, bad where something is wrong, else something is missing.
    fn tone(&self) -> Tone {
        match () {
            () if self.cases == 0 || self.unasked == self.cases => Tone::Plain,
            () if self.right == self.cases => Tone::Good,
            () if self.wrong + self.known + self.unproven > 0 => Tone::Bad,
            () => Tone::Warn,
        }
    }

    /// As it stands in HTML: what was said where not all is right goes below.
    fn shown(&self) -> SheetCell {
        let note = match &self.example {
            Some(example) => example.clone(),
            None => self.said.keys().map(String::as_str).collect::<Vec<_>>().join(" · "),
        };
        SheetCell { text: self.short(), note, tone: self.tone() }
    }

    fn json(&self) -> Value {
        json!({
            "cases": self.cases, "converted": self.converted, "unasked": self.unasked, "ran": self.ran, "cannot": self.cannot,
            "right": self.right, "wrong": self.wrong, "known": self.known, "unproven": self.unproven, "overflows": self.overflows, "said": self.said,
            "example": self.example,
        })
    }
}

/// The whole.
pub(super) struct Matrix<'a> {
    pub(super) converter: &'a str,
    pub(super) runtimes: &'a [String],
    pub(super) precisions: &'a [Precision],
    pub(super) cells: &'a Cells,
}

impl Matrix<'_> {
    fn operators(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.cells.keys().map(|(op, _, _)| op.as_str()).collect();
        names.dedup();
        names
    }

    fn table(&self) -> Table {
        let mut table = Table::new(2, ["operator", "strategy", "converts"]);
        self.runtimes.iter().for_each(|r| table.column(r));
        for (head, cells) in self.rows() {
            let mut row = head.to_vec();
            row.extend(cells.into_iter().map(|c| c.map_or_else(|| "·".into(), Cell::short)));
            table.row(row);
        }
        table
    }

    /// Operator, strategy and what converts; then the cells of all runtimes.
    fn rows(&self) -> Vec<([String; 3], Vec<Option<&Cell>>)> {
        let mut rows = vec![];
        for operator in self.operators() {
            for &precision in self.precisions {
                let cell =
                    |runtime: &String| self.cells.get(&(operator.to_string(), precision, runtime.clone()));
                let Some(first) = self.runtimes.first().and_then(cell) else { continue };
                let converts = format!("{}/{}", first.converted, first.cases);
                let head = [operator.to_string(), precision.to_string(), converts];
                rows.push((head, self.runtimes.iter().map(cell).collect()));
            }
        }
        rows
    }

    /// What was said in cells that are not all right: text, cells, an example.
    fn said(&self) -> Table {
        let mut found: BTreeMap<&str, (usize, String)> = BTreeMap::new();
        for ((operator, precision, runtime), cell) in self.cells {
            for (text, n) in &cell.said {
                let entry =
                    found.entry(text).or_insert_with(|| (0, format!("{operator}, {precision}, {runtime}")));
                entry.0 += n;
            }
        }
        let mut list: Vec<_> = found.into_iter().collect();
        list.sort_by(|a, b| b.1.0.cmp(&a.1.0).then(a.0.cmp(b.0)));
        let mut table = Table::new(1, ["said where a cell is not all right", "cases", "for example"]);
        for (text, (n, example)) in list {
            table.row(vec![text.to_string(), n.to_string(), example]);
        }
        table
    }

    /// The cells with a fault that nobody knows, each with its first.
    fn faults(&self) -> Table {
        let mut table =
            Table::new(4, ["operator", "strategy", "runtime", "the first fault that nobody knows"]);
        for ((operator, precision, runtime), cell) in self.cells {
            if let Some(example) = &cell.example {
                table.row(vec![operator.clone(), precision.to_string(), runtime.clone(), example.clone()]);
            }
        }
        table
    }

    fn summary(&self) -> String {
        let all = self.cells.values();
        let (mut cells, mut whole, mut cases, mut right) = (0, 0, 0, 0);
        let [mut wrong, mut known, mut unproven] = [0; 3];
        for c in all {
            cells += 1;
            whole += usize::from(c.right == c.cases);
            cases += c.cases;
            right += c.right;
            wrong += c.wrong;
            known += c.known;
            unproven += c.unproven;
        }
        format!(
            "{}: {}, {}, {whole} of them right in every case; {} asked for, {right} right, {wrong} wrong, {}, {} under contracts that nobody has verified",
            self.converter,
            counted(self.operators().len(), "operator"),
            counted(cells, "cell"),
            counted(cases, "execution"),
            counted(known, "known issue"),
            counted(unproven, "fault")
        )
    }

    /// For the terminal.
    pub(super) fn text(&self) -> String {
        let mut text = format!("{}\n{}\n", self.table().text("  "), self.said().text("  "));
        let faults = self.faults();
        if !faults.is_empty() {
            text += &format!("{}\n", faults.text("  "));
        }
        text + &self.summary()
    }

    /// Everything, for machines.
    pub(super) fn json(&self, cases: usize, seed: u64) -> Value {
        let cells: Vec<Value> = self
            .cells
            .iter()
            .map(|((operator, precision, runtime), cell)| {
                let mut value = cell.json();
                value["operator"] = json!(operator);
                value["strategy"] = json!(precision.name());
                value["runtime"] = json!(runtime);
                value
            })
            .collect();
        json!({ "schema": 1, "converter": self.converter, "cases_per_cell": cases, "seed": seed, "cells": cells })
    }

    /// How the page is to be read.
    fn lead(cases: usize) -> String {
        format!(
            "Written by `cargo xtask matrix`, from {cases} executed cases per cell. A number: all of \
             them converted, ran, and are within the bound. `9/12`: so many of so many; the others were refused or did not run, and \
             the second table says why. `wrong` is certified and new, `known` an issue of `corpus/known-issues`, `unproven` a fault by a \
             contract that nobody has verified."
        )
    }

    /// As HTML: each cell that is not all right with what was said there.
    pub(super) fn sheet(&self, cases: usize) -> Sheet {
        let word = |text: String| SheetCell { text, ..SheetCell::default() };
        let row = |(head, cells): ([String; 3], Vec<Option<&Cell>>)| {
            let cells = cells.into_iter().map(|c| c.map_or_else(SheetCell::default, Cell::shown));
            head.into_iter().map(word).chain(cells).collect()
        };
        let rows = self.rows().into_iter().map(row).collect();
        let cells = Section {
            heading: "Operator by strategy by runtime".to_string(),
            head: self.table().head().to_vec(),
            rows,
        };
        Sheet {
            title: format!("{}: operator by strategy by runtime", self.converter),
            lead: Matrix::lead(cases).replace('`', ""),
            summary: self.summary(),
            sections: vec![cells, Section::plain("What was said", &self.said())],
        }
    }

    /// As Markdown.
    pub(super) fn page(&self, cases: usize) -> String {
        format!(
            "# {}: operator by strategy by runtime\n\n{}\n\n**{}**\n\n{}\n{}\n{}",
            self.converter,
            Matrix::lead(cases),
            self.summary(),
            self.table().markdown(),
            self.said().markdown(),
            if self.faults().is_empty() { String::new() } else { self.faults().markdown() }
        )
    }
}
