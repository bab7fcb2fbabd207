//! `docs/labelled.md` lists the labelled cases as they are stored. `UPDATE_DOCS=1` rewrites its table.
#![allow(clippy::unwrap_used, reason = "tests")]

use halfproof_corpus::{Case, store};
use halfproof_ir::Precision;
use halfproof_oracle::verdict::Class;
use std::fmt::Write;
use std::path::Path;

const BEGIN: &str = "<!-- labelled: begin -->\n";
const END: &str = "<!-- labelled: end -->";

/// What a case says of one strategy: for float32 runtimes and ours, then for runtimes that it sets apart.
fn labels(case: &Case, precision: Precision) -> String {
    if !case.precisions().contains(&precision) {
        return "-".to_string();
    }
    let mut words: Vec<String> = vec![];
    // What other converters make of it is not listed.
    let ours = case.about.expect.iter().filter(|e| e.converter.is_none());
    for e in ours.filter(|e| e.precision.is_none_or(|p| p == precision)) {
        let classes: Vec<&str> = e.class.iter().map(|c| c.name()).collect();
        let label =
            if e.class == [Class::Pass, Class::Explained] { "right".into() } else { classes.join(" or ") };
        let place = [e.system.clone(), e.inputs.as_ref().map(|i| format!("on {i}"))];
        let place: Vec<String> = place.into_iter().flatten().collect();
        let all = place.is_empty();
        words.push(if all { label } else { format!("{label} ({})", place.join(", ")) });
        if all {
            break;
        }
    }
    words.reverse();
    if words.is_empty() { "right".to_string() } else { words.join("; ") }
}

fn table() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("labelled");
    let entries = store::list(&root).unwrap();
    let mut text = format!("{} cases.\n\n| case | what | `weights` | `full` | `mixed` |\n", entries.len());
    text += "| --- | --- | --- | --- | --- |\n";
    for entry in entries {
        let case = store::load(&entry.folder).unwrap();
        let link = case.about.origin.link.clone().unwrap_or_default();
        let [weights, full, mixed] = Precision::ALL.map(|p| labels(&case, p));
        let (name, title) = (&entry.name, &case.about.title);
        writeln!(text, "| [{name}]({link}) | {title} | {weights} | {full} | {mixed} |").unwrap();
    }
    text
}

#[test]
fn the_document_lists_every_labelled_case() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/labelled.md");
    let committed = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = committed.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let current = format!("{before}{BEGIN}\n{}\n{END}{after}", table());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &current).unwrap();
    } else {
        assert!(
            committed == current,
            "docs/labelled.md is stale: run `UPDATE_DOCS=1 cargo test -p halfproof-corpus --test labelled`"
        );
    }
}
