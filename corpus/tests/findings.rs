//! The texts about bugs elsewhere say what the scripts do: each script stands in its text word for word, is short, and each text
//! is in the table.

use halfproof_corpus::store;
use halfproof_oracle::verdict::Class;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Lines of a script that somebody is asked to read.
const LONGEST: usize = 40;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|e| e.expect("an entry").path());
    let mut files: Vec<PathBuf> = entries.filter(|p| p.extension().is_some_and(|e| e == extension)).collect();
    files.sort();
    files
}

fn name(path: &Path) -> String {
    path.file_stem().expect("a file").to_string_lossy().into_owned()
}

#[test]
fn every_script_is_short_and_stands_in_the_text_of_its_bug() {
    let (mut scripts, mut wrong) = (0, Vec::new());
    let systems = fs::read_dir(root().join("corpus/known-issues")).unwrap().map(|e| e.unwrap().path());
    for system in systems.filter(|p| p.is_dir()) {
        for script in files(&system, "py") {
            scripts += 1;
            let source = fs::read_to_string(&script).unwrap();
            let file = format!("docs/findings/{}-{}.md", name(&system), name(&script));
            if source.lines().count() > LONGEST {
                wrong.push(format!("{} has more than {LONGEST} lines", script.display()));
            }
            match fs::read_to_string(root().join(&file)) {
                Ok(text) if text.contains(&format!("```python\n{source}```")) => {}
                Ok(_) => wrong.push(format!("{file} holds another script than {}", script.display())),
                Err(_) => wrong.push(format!("{file} is missing")),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(scripts > 100, "{scripts} scripts");
}

/// A verdict about the meaning names the operator of the converted model; an entry that names ONNX's would never match.
#[test]
fn what_computes_something_else_is_named_as_tflite_names_it() {
    let issues = store::known_issues(&root().join("corpus/known-issues")).expect("the entries are valid");
    let about_meaning = issues.iter().filter(|(_, issue)| issue.class == Class::Semantics);
    let is_onnx = |operator: &String| operator.chars().any(|c| c.is_ascii_lowercase());
    let wrong: Vec<&str> = about_meaning
        .filter(|(_, issue)| issue.operator.as_ref().is_some_and(is_onnx))
        .map(|(file, _)| file.as_str())
        .collect();
    assert_eq!(wrong, [""; 0]);
    assert!(issues.len() > 100, "{} entries", issues.len());
}

#[test]
fn the_table_lists_every_text_once() {
    let folder = root().join("docs/findings");
    let table = fs::read_to_string(folder.join("README.md")).unwrap();
    let rows: Vec<String> = table
        .lines()
        .filter(|line| line.starts_with("| ") && line.contains("]("))
        .filter_map(|line| Some(line.split_once("](")?.1.split_once(".md)")?.0.to_string()))
        .collect();
    let texts: BTreeSet<String> =
        files(&folder, "md").iter().map(|p| name(p)).filter(|n| n != "README").collect();
    assert_eq!(rows.iter().cloned().collect::<BTreeSet<_>>(), texts);
    assert_eq!(rows.len(), texts.len(), "a text is listed twice");
    for text in &texts {
        let body = fs::read_to_string(folder.join(format!("{text}.md"))).unwrap();
        for part in ["# ", "**Versions:**", "**Expected:**", "**Actual:**", "## Reproduce", "```python"] {
            assert!(body.contains(part), "{text}.md has no {part}");
        }
    }
}
