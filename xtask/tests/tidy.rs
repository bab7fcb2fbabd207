//! Rules about the repository itself.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is in the workspace").to_path_buf()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Every source file of ours.
fn sources() -> Vec<PathBuf> {
    let mut found = vec![];
    let mut folders: Vec<PathBuf> = ["converter", "oracle", "fuzz", "corpus", "reports", "xtask"]
        .iter()
        .map(|f| root().join(f))
        .collect();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of ours") {
            let path = entry.expect("an entry of it").path();
            if path.is_dir() && !path.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    assert!(found.len() > 100);
    found
}

#[test]
fn the_crate_graph_is_the_one_in_the_architecture_document() {
    let text = read(&root().join("docs/architecture.md"));
    let table = text
        .split("<!-- crate-graph: begin -->")
        .nth(1)
        .unwrap()
        .split("<!-- crate-graph: end -->")
        .next()
        .unwrap();
    let full = |short: &str| if short == "xtask" { short.to_string() } else { format!("halfproof-{short}") };
    let documented: BTreeMap<String, BTreeSet<String>> = table
        .lines()
        .filter(|l| l.starts_with("| `"))
        .map(|l| {
            let cells: Vec<&str> = l.split('|').map(str::trim).collect();
            (cells[1].trim_matches('`').to_string(), cells[4].split_whitespace().map(full).collect())
        })
        .collect();
    let out = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version=1"])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    for package in metadata["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        let allowed = documented.get(name).unwrap_or_else(|| panic!("{name} is not in docs/architecture.md"));
        for dependency in package["dependencies"].as_array().unwrap() {
            let target = dependency["name"].as_str().unwrap();
            if target.starts_with("halfproof-") {
                assert!(
                    allowed.contains(target),
                    "{name} depends on {target}; docs/architecture.md does not allow it"
                );
            }
        }
    }
}

/// Families that the converter writes in operators of others: their room is `converter/src/expand`.
const REWRITTEN: &str = "attention einsum loss sample scatter signal";

#[test]
fn every_family_has_its_room() {
    let families = "conv pool matmul unary binary compare select activation softmax norm reduce concat slice pad gather shape layout resize cast recurrent attention einsum loss sample scatter signal";
    let rooms = [("converter/src/lower", REWRITTEN), ("oracle/src/onnx", ""), ("fuzz/src/generate/ops", "")];
    for (room, exempt) in rooms {
        for family in families.split(' ').filter(|f| !exempt.split(' ').any(|e| e == *f)) {
            let path = root().join(room).join(format!("{family}.rs"));
            assert!(path.exists(), "{} is missing", path.display());
        }
    }
    for family in REWRITTEN.split(' ') {
        let path = root().join("converter/src/expand").join(format!("{family}.rs"));
        assert!(path.exists(), "{} is missing", path.display());
    }
}

/// Files that are tables, or one long definition that reads better whole.
const LONG: &[&str] = &[
    "converter/ir/src/ops.rs",
    "converter/wire/src/tflite/builtin.rs",
    "converter/wire/src/tflite/options.rs",
    // All of the unsafe code, so that it can be read in one sitting.
    "fuzz/systems/src/ffi.rs",
];

#[test]
fn files_are_small_enough_to_read() {
    for path in sources() {
        let name = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
        let lines = read(&path).lines().count();
        let limit = if name.contains("/tests") { 900 } else { 600 };
        assert!(lines <= limit || LONG.contains(&name.as_str()), "{name} has {lines} lines; split it");
    }
}

#[test]
fn every_file_says_first_what_it_decides() {
    for path in sources() {
        let text = read(&path);
        // rustfmt puts inner attributes of fuzz targets first.
        let first = text.lines().find(|l| !l.starts_with("#!")).unwrap_or_default();
        assert!(first.starts_with("//!"), "{} has no module documentation", path.display());
    }
}

#[test]
fn no_test_is_ignored_and_unsafe_stays_in_one_file() {
    for path in sources() {
        let text = read(&path);
        let name = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
        // One exception measures the figures of docs/oracle.md, for minutes.
        // So does the other one, for docs/triaging.md.
        let measures = ["oracle/tests/soundness.rs", "fuzz/tests/broken_models.rs"];
        if name == "xtask/tests/tidy.rs" || measures.contains(&name.as_str()) {
            continue;
        }
        assert!(
            !text.contains("#[ignore"),
            "{name}: assert what happens today, with a comment, instead of ignoring"
        );
        let code = text.lines().filter(|l| !l.trim_start().starts_with("//"));
        let uses_unsafe = code.into_iter().any(|l| {
            l.contains("unsafe {")
                || l.contains("unsafe fn")
                || l.contains("unsafe extern")
                || l.contains("unsafe impl")
        });
        assert!(
            !uses_unsafe || name == "fuzz/systems/src/ffi.rs" || name.starts_with("fuzz/systems/src/ffi/"),
            "{name} uses unsafe"
        );
    }
}

#[test]
fn workflows_call_the_commands_and_nothing_else() {
    for entry in std::fs::read_dir(root().join(".github/workflows")).unwrap() {
        let path = entry.unwrap().path();
        for line in read(&path).lines().filter_map(|l| l.trim().trim_start_matches("- ").strip_prefix("run:"))
        {
            let line = line.trim();
            assert!(
                line.starts_with("cargo ") || line.starts_with("bash .ci/run"),
                "{}: {line}",
                path.display()
            );
        }
    }
}
