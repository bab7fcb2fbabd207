//! The test cases of the PyPI package `onnx`: installs the package with pip into an environment of its own and lets it write
//! its node tests and its models from PyTorch as files.

use super::venv::works;
use super::{SetupError, cannot, systems_dir};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The version of the package.
pub const ONNX_VERSION: &str = "1.23.2";
/// The version of numpy that computes its expected outputs.
pub const NUMPY_VERSION: &str = "2.4.6";

/// Writes the cases; runs in the environment.
const WRITER: &str = include_str!("onnx_cases.py");

/// Where `setup conformance` puts the cases.
pub fn onnx_cases() -> PathBuf {
    systems_dir().join("conformance").join(ONNX_VERSION).join("cases")
}

/// Installs the package and writes its cases; does nothing when they are there. Answers their folder.
///
/// # Errors
/// [`SetupError`]; a folder of cases appears only when it is complete.
pub fn install(say: &mut dyn FnMut(&str)) -> Result<PathBuf, SetupError> {
    let cases = onnx_cases();
    let folder = cases.parent().unwrap_or(Path::new(".")).to_path_buf();
    let writer = folder.join("onnx_cases.py");
    // Cases of another version of the script are written again.
    let current = fs::read_to_string(&writer).is_ok_and(|text| text == WRITER);
    if current && cases.join("index.tsv").exists() {
        say(&format!("the cases of onnx {ONNX_VERSION} are installed: {}", cases.display()));
        return Ok(cases);
    }
    fs::create_dir_all(&folder).map_err(|e| cannot("create", &folder, e))?;
    let environment = folder.join("venv");
    let python = environment.join("bin/python");
    if !works(&python, &check()) {
        say(&format!(
            "fetching onnx {ONNX_VERSION} and numpy {NUMPY_VERSION} with pip: about 35 MB to download"
        ));
        run(Command::new("python3").args(["-m", "venv"]).arg(&environment), "python3 -m venv")?;
        run(
            Command::new(&python)
                .args(["-m", "pip", "--disable-pip-version-check", "install", "--only-binary=:all:"])
                .arg(format!("onnx=={ONNX_VERSION}"))
                .arg(format!("numpy=={NUMPY_VERSION}")),
            "pip install onnx",
        )?;
    }
    let fresh = folder.join("onnx_cases.tmp");
    fs::write(&fresh, WRITER).map_err(|e| cannot("write", &fresh, e))?;
    let scratch = folder.join("cases.tmp");
    if scratch.exists() {
        fs::remove_dir_all(&scratch).map_err(|e| cannot("remove", &scratch, e))?;
    }
    say("writing the cases");
    run(Command::new(&python).arg(&fresh).arg(&scratch), "python onnx_cases.py")?;
    if cases.exists() {
        fs::remove_dir_all(&cases).map_err(|e| cannot("remove", &cases, e))?;
    }
    fs::rename(&scratch, &cases).map_err(|e| cannot("write", &cases, e))?;
    fs::rename(&fresh, &writer).map_err(|e| cannot("write", &writer, e))?;
    say(&format!("installed {}", cases.display()));
    Ok(cases)
}

/// True where the environment has these very versions.
fn check() -> String {
    format!(
        "import numpy, onnx, sys; sys.exit((onnx.__version__, numpy.__version__) != ('{ONNX_VERSION}', '{NUMPY_VERSION}'))"
    )
}

fn run(command: &mut Command, name: &str) -> Result<(), SetupError> {
    // Standard output belongs to the command that called us.
    match command.stdin(Stdio::null()).stdout(io::stderr()).status() {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Err(SetupError::NoPython),
        Err(e) => Err(SetupError::Client { command: name.to_string(), status: e.to_string() }),
        Ok(status) if !status.success() => {
            Err(SetupError::Client { command: name.to_string(), status: status.to_string() })
        }
        Ok(_) => Ok(()),
    }
}
