//! The committed documents say what the types say. `UPDATE_DOCS=1` rewrites them.

use halfproof_reports::{docs, schema};
use std::path::Path;

fn check(name: &str, text: String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &text).expect("docs can be written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == text,
        "{} is stale: run `UPDATE_DOCS=1 cargo test -p halfproof-reports --test docs`",
        path.display()
    );
}

#[test]
fn run_json_is_documented() {
    check("run-json.md", docs::run_json());
}

#[test]
fn the_json_schema_is_current() {
    let text = serde_json::to_string_pretty(&schema::json_schema()).expect("a schema is JSON");
    check("run.schema.json", text + "\n");
}
