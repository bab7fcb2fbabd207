//! Mutants that change nothing, each with the reason why. A mutant is known by its file, its line of code and the change in
//! words, since line numbers move.

use super::mutant::Mutant;
use crate::exit::Failure;
use std::collections::{BTreeMap, BTreeSet};

/// The table: records separated by blank lines, each of a file, a line of code, changes (one a line, each indented by two
/// spaces) and `because` with the reason.
const TABLE: &str = include_str!("explained.txt");

/// One record of the table.
#[derive(Debug, PartialEq)]
struct Record<'t> {
    file: &'t str,
    code: &'t str,
    changes: Vec<&'t str>,
}

/// The names of the mutants that the table explains.
pub(super) fn of(all: &[Mutant]) -> Result<BTreeSet<String>, Failure> {
    let mut texts = BTreeMap::new();
    for mutant in all {
        if !texts.contains_key(&mutant.file) {
            let text = std::fs::read_to_string(&mutant.file).map_err(Failure::harness)?;
            texts.insert(mutant.file.clone(), text);
        }
    }
    let mut explained = BTreeSet::new();
    for record in records(TABLE).map_err(Failure::harness)? {
        let text = texts.get(record.file).map_or("", String::as_str);
        for change in record.changes {
            let found: Vec<&Mutant> = all
                .iter()
                .filter(|m| m.file == record.file && m.change() == change && m.code(text) == record.code)
                .collect();
            if found.is_empty() {
                let Record { file, code, .. } = record;
                return Err(Failure::harness(format!(
                    "explained.txt: {file} has no such mutant: {change}: {code}"
                )));
            }
            explained.extend(found.into_iter().map(|m| m.name.clone()));
        }
    }
    Ok(explained)
}

fn records(table: &str) -> Result<Vec<Record<'_>>, String> {
    let one = |text| record(text).ok_or_else(|| format!("explained.txt: this is no record:\n{text}"));
    table.split("\n\n").map(str::trim_end).filter(|t| !t.is_empty() && !t.starts_with('#')).map(one).collect()
}

fn record(text: &str) -> Option<Record<'_>> {
    let mut lines = text.lines();
    let (file, code) = (lines.next()?, lines.next()?);
    let (mut changes, mut because) = (vec![], false);
    for line in lines {
        match line.strip_prefix("  ") {
            Some(change) if !because => changes.push(change),
            Some(_) => {}
            None => because = line.strip_prefix("because ").is_some_and(|why| !why.is_empty()),
        }
    }
    (because && !changes.is_empty()).then_some(Record { file, code, changes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_has_a_file_a_line_changes_and_a_reason() {
        let table = "# Words.\n\na.rs\nx + 0\n  replace + with - in f\nbecause 0 has\n  no sign\n";
        let record = Record { file: "a.rs", code: "x + 0", changes: vec!["replace + with - in f"] };
        assert_eq!(records(table), Ok(vec![record]));
        assert!(records("a.rs\nx + 0\n  replace + with - in f\n").is_err(), "there is no reason");
    }

    #[test]
    fn the_table_can_be_read() {
        assert!(records(TABLE).is_ok(), "{:?}", records(TABLE));
    }
}
