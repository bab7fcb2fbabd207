//! The zoo: real architectures with random weights, exported from PyTorch.
//!
//! The torch wheel of the registry is built for CUDA and asks for several gigabytes of CUDA wheels. It is installed without
//! them; small stubs stand in for the libraries that only a graphics card needs (`xtask/zoo/stubs.py`).

use super::venv::{run, site_packages, works};
use super::{SetupError, cannot, systems_dir};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The wheels that are installed without what they ask for.
const TORCH: [&str; 2] = ["torch==2.14.1", "torchvision==0.29.1"];
/// Its schema reads converted files back; what it asks for is not needed for that.
const READER: &str = "ai-edge-litert==2.3.0";

/// What must start in the environment.
const CHECK: &str =
    "import torch, torchvision, transformers, onnxscript; from ai_edge_litert import schema_py_generated";

/// Where the exported models are: one .onnx and one .npz with samples each.
pub fn models() -> PathBuf {
    systems_dir().join("zoo").join("models")
}

/// Installs PyTorch and transformers into a virtual environment of their own and exports the models. What is there already
/// is not made again.
///
/// # Errors
/// [`SetupError`]; models that were exported stay.
pub fn install(say: &mut dyn FnMut(&str)) -> Result<PathBuf, SetupError> {
    let folder = systems_dir().join("zoo");
    fs::create_dir_all(&folder).map_err(|e| cannot("create", &folder, e))?;
    let python = folder.join("venv/bin/python");
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap_or(Path::new("."));
    let scripts = scripts.join("xtask/zoo");
    if !works(&python, CHECK) {
        say(
            "fetching torch 2.14.1 (555 MB), torchvision, transformers and what they need (80 MB); 1.7 GB on disk",
        );
        run(Command::new("python3").args(["-m", "venv"]).arg(folder.join("venv")), &folder)?;
        let pip = |arguments: &[&str]| {
            let mut command = Command::new(&python);
            command.args(["-m", "pip", "--disable-pip-version-check", "install", "--only-binary=:all:"]);
            command.args(arguments);
            command
        };
        run(&mut pip(&["--no-deps", TORCH[0], TORCH[1], READER]), &folder)?;
        let requirements = scripts.join("requirements.txt");
        run(pip(&["-r"]).arg(&requirements), &folder)?;
        let site = site_packages(&python, &folder)?;
        run(Command::new(&python).arg(scripts.join("stubs.py")).arg(&site), &folder)?;
    }
    let names = missing(&python, &scripts)?;
    if !names.is_empty() {
        say(&format!("exporting {} models; a few seconds each, more for the deep ones", names.len()));
        run(Command::new(&python).arg(scripts.join("export.py")).arg(models()).args(&names), &folder)?;
    }
    say(&format!("the models are in {}", models().display()));
    Ok(models())
}

/// The models that have not been exported yet.
fn missing(python: &Path, scripts: &Path) -> Result<Vec<String>, SetupError> {
    let list = "import sys; sys.path.insert(0, sys.argv[1]); import export; print('\\n'.join(export.ZOO))";
    let output = Command::new(python)
        .args(["-c", list])
        .arg(scripts)
        .stdin(Stdio::null())
        .output()
        .map_err(|e| cannot("run", python, e))?;
    if !output.status.success() {
        let status = output.status.to_string();
        return Err(SetupError::Client { command: "python export.py".into(), status });
    }
    let names = String::from_utf8_lossy(&output.stdout).lines().map(str::to_string).collect::<Vec<_>>();
    let there = |name: &String| {
        ["onnx", "npz"].iter().all(|extension| models().join(name).with_extension(extension).exists())
    };
    Ok(names.into_iter().filter(|name| !there(name)).collect())
}
