//! docs/conformance.md says what the command says: the whole set is run again and the page compared.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::process::Command;

#[test]
fn the_page_about_conformance_is_what_the_command_writes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let cases = halfproof_systems::setup::conformance::onnx_cases();
    if !cases.join("index.tsv").exists() {
        eprintln!(
            "SKIPPED: docs/conformance.md is not checked; `cargo xtask setup conformance` installs the cases"
        );
        return;
    }
    let out = tempfile::tempdir().unwrap();
    let page = out.path().join("conformance.md");
    let status = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["conformance", "--out"])
        .arg(out.path())
        .arg(format!("--docs={}", page.display()))
        .current_dir(&root)
        .output()
        .unwrap();
    // Exit code 1 would say that a case is wrong.
    assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stderr));
    let written = std::fs::read_to_string(root.join("docs/conformance.md")).unwrap();
    let fresh = std::fs::read_to_string(page).unwrap();
    assert!(written == fresh, "docs/conformance.md is out of date; run `cargo xtask conformance --docs`");
}
