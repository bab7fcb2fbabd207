//! Real models convert, run and are judged; their files are read back by somebody else.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::process::Command;

/// Small ones of different kinds; `cargo xtask zoo` takes all.
const MODELS: [&str; 4] = ["bert", "vit_b_16", "shufflenet_v2", "whisper_encoder"];

#[test]
fn models_from_pytorch_convert_and_no_fault_is_certain() {
    let folder = halfproof_systems::setup::zoo::models();
    let litert = halfproof_systems::setup::litert_library();
    if !folder.is_dir() || !litert.exists() {
        eprintln!("SKIPPED: no real model is tried; `cargo xtask setup zoo` and `setup litert` install them");
        return;
    }
    let out = tempfile::tempdir().unwrap();
    let page = out.path().join("zoo.md");
    let files: Vec<_> = MODELS.iter().map(|name| folder.join(format!("{name}.onnx"))).collect();
    let run = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .arg("zoo")
        .args(&files)
        .arg(format!("--docs={}", page.display()))
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{text}{}", String::from_utf8_lossy(&run.stderr));
    // Forced float16 fuses squares with their mean, also behind another such pair: nothing is left unexplained.
    assert!(text.contains("0 certain faults, 0 not certain"), "{text}");
    let page = std::fs::read_to_string(page).unwrap();
    for name in MODELS {
        let rows: Vec<&str> = text.lines().filter(|l| l.starts_with(name)).collect();
        assert_eq!(rows.len(), 3, "{text}");
        assert!(rows.iter().all(|row| !row.contains("refused")), "{text}");
        // Read back by the schema of the wheel; where no runtime has the kernels, as for a float16 MAX_POOL_2D, all say so.
        let pure = page.lines().filter(|l| l.contains(&name.replace('_', "\\_")) && l.contains("| pure |"));
        assert_eq!(pure.count(), 3, "{page}");
        assert!(rows.iter().all(|row| row.contains("pass ") || row.contains("cannot")), "{text}");
    }
}
