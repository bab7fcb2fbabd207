//! Purity, read back by somebody else: the schema classes of the ai-edge-litert wheel (`xtask/zoo/purity.py`).

use halfproof_ir::Precision;
use halfproof_systems::setup;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A constant of at most this many bytes may stay float32 under `weights` although float16 holds a part of it: an epsilon.
/// Larger ones only where float16 would ruin them, which the reader finds out by itself.
const SMALL: u64 = 16;

/// The Python of `setup zoo`, when it is there.
pub(crate) fn python() -> Option<PathBuf> {
    let python = setup::systems_dir().join("zoo/venv/bin/python");
    python.exists().then_some(python)
}

/// Reads a file back and says what contradicts its strategy; `None` when nothing does.
///
/// # Errors
/// When the reader does not run or does not understand the file, in one line.
pub(crate) fn impurity(python: &Path, file: &Path, precision: Precision) -> Result<Option<String>, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("zoo/purity.py");
    let output = Command::new(python)
        .arg(script)
        .arg(file)
        .stdin(Stdio::null())
        .output()
        .map_err(|e| format!("{}: {e}", python.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let counts: serde_json::Value = serde_json::from_str(text.trim()).map_err(|_| {
        let error = String::from_utf8_lossy(&output.stderr);
        format!("the independent reader fails: {}", error.lines().last().unwrap_or_default())
    })?;
    Ok(contradiction(&counts, precision))
}

fn contradiction(counts: &serde_json::Value, precision: Precision) -> Option<String> {
    let number = |kind: &str, dtype: &str| counts[kind][dtype].as_u64().unwrap_or(0);
    let narrow = ["INT8", "UINT8", "INT4", "INT2"];
    if let Some(dtype) = narrow.iter().find(|d| number("activations", d) + number("constants", d) > 0) {
        return Some(format!("it holds {dtype}"));
    }
    if number("activations", "FLOAT16") + number("constants", "FLOAT16") == 0 {
        return Some("it holds no FLOAT16".to_string());
    }
    let (activations, constants) = (number("activations", "FLOAT32"), number("constants", "FLOAT32"));
    match precision {
        Precision::Full if activations + constants > 0 => {
            Some(format!("{activations} FLOAT32 tensors and {constants} bytes of FLOAT32 constants"))
        }
        Precision::Weights if number("largest", "FLOAT32") > SMALL => {
            Some(format!("a FLOAT32 constant of {} bytes", number("largest", "FLOAT32")))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_strategy_is_held_to_what_it_promises() {
        let mixed = json!({
            "activations": {"FLOAT16": 5, "FLOAT32": 2},
            "constants": {"FLOAT16": 900, "FLOAT32": 4},
            "largest": {"FLOAT16": 900, "FLOAT32": 4},
        });
        assert_eq!(contradiction(&mixed, Precision::Mixed), None);
        assert_eq!(contradiction(&mixed, Precision::Weights), None);
        assert!(contradiction(&mixed, Precision::Full).is_some());
        let large = json!({"constants": {"FLOAT16": 2, "FLOAT32": 400}, "largest": {"FLOAT32": 400}});
        assert!(contradiction(&large, Precision::Weights).is_some());
        let bytes = json!({"activations": {"FLOAT16": 1}, "constants": {"INT8": 1}});
        assert!(contradiction(&bytes, Precision::Mixed).is_some());
        assert!(contradiction(&json!({"activations": {"FLOAT32": 1}}), Precision::Mixed).is_some());
    }
}
