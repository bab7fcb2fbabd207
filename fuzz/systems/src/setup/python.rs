//! Environments of adapters and workers that are written in Python: one virtual environment each, every package pinned, nothing that
//! the pins do not name.

use super::venv::{run, site_packages, works};
use super::{SetupError, cannot, systems_dir};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One environment.
struct Environment {
    name: &'static str,
    /// What is installed, in words, and the sizes.
    what: &'static str,
    /// What must start.
    check: &'static str,
    /// The interpreter that it is made with where that is not python3, by its name on the PATH.
    python: Option<&'static str>,
    /// The torch wheel of the registry needs stubs where there is no CUDA.
    stubs: bool,
}

/// The environment of LiteRT's Interpreter, a runtime.
pub const LITERT_INTERPRETER: &str = "litert-interpreter";

const ENVIRONMENTS: [Environment; 9] = [
    Environment {
        name: LITERT_INTERPRETER,
        what: "ai-edge-litert 2.3.0 and numpy (39 MB to download, 160 MB on disk)",
        check: "import ai_edge_litert.interpreter",
        python: None,
        stubs: false,
    },
    Environment {
        name: "quantizer",
        what: "ai-edge-quantizer 0.10.0 (95 MB to download, 320 MB on disk)",
        check: "import ai_edge_quantizer",
        python: None,
        stubs: false,
    },
    Environment {
        name: "litert-torch",
        what: "litert-torch 0.10.0 and torch 2.14.1 without CUDA (1.1 GB to download, 2.9 GB on disk; some minutes)",
        check: "import litert_torch, xdsl",
        python: None,
        stubs: true,
    },
    Environment {
        name: "nnsmith",
        what: "NNSmith 0.1.0 with torch 2.2.2 and onnxruntime, for `bench --nnsmith` (2.6 GB to download, 5.2 GB on disk)",
        check: "import nnsmith, torch, onnxruntime",
        python: None,
        stubs: false,
    },
    Environment {
        name: "nnsmith-tflite",
        what: "NNSmith 0.1.0 with tensorflow-cpu 2.15.1, which needs Python 3.11, for `bench --nnsmith` (0.6 GB to download, 1.4 GB on disk)",
        check: "import nnsmith, tensorflow",
        python: Some("python3.11"),
        stubs: false,
    },
    Environment {
        name: "tensorflow",
        what: "tensorflow-cpu 2.21.0 (1.6 GB on disk; some minutes)",
        check: "import tensorflow",
        python: None,
        stubs: false,
    },
    Environment {
        name: "onnx2tf",
        what: "onnx2tf 1.29.24 and tensorflow 2.19.0 (2.6 GB on disk; some minutes)",
        check: "import onnx2tf",
        python: None,
        stubs: false,
    },
    Environment {
        name: "onnx2tf-direct",
        what: "onnx2tf 2.6.9, which needs Python 3.12 and no TensorFlow (170 MB to download, 660 MB on disk)",
        check: "import onnx2tf.onnx2tf",
        python: Some("python3.12"),
        stubs: false,
    },
    Environment {
        name: "modelopt-autocast",
        what: "nvidia-modelopt 0.47.0 and torch 2.14.1 without CUDA (0.9 GB to download, 1.8 GB on disk; a minute)",
        check: "import modelopt.onnx.autocast",
        python: None,
        stubs: true,
    },
];

/// The names of all environments.
pub fn names() -> Vec<&'static str> {
    ENVIRONMENTS.iter().map(|e| e.name).collect()
}

/// Where the programs in Python and their pins are.
pub fn adapters() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("adapters")
}

/// The Python of an environment, installed or not.
pub fn interpreter(name: &str) -> PathBuf {
    systems_dir().join(name).join("venv/bin/python")
}

/// Makes an environment: fetches the pinned packages with pip. Does nothing when it is there and its pins are the same.
/// Answers its Python.
///
/// # Errors
/// [`SetupError`]; an environment that is not whole is made again the next time.
pub fn install(name: &str, say: &mut dyn FnMut(&str)) -> Result<PathBuf, SetupError> {
    let environment = ENVIRONMENTS
        .iter()
        .find(|e| e.name == name)
        .ok_or_else(|| SetupError::UnknownSystem(name.to_string()))?;
    let folder = systems_dir().join(name);
    let python = interpreter(name);
    let requirements = adapters().join(name).with_extension("txt");
    let pins = fs::read_to_string(&requirements).map_err(|e| cannot("read", &requirements, e))?;
    // Written last: it stands for a whole environment with these pins.
    let mark = folder.join("installed.txt");
    if fs::read_to_string(&mark).is_ok_and(|installed| installed == pins) && works(&python, environment.check)
    {
        say(&format!("{name} is installed: {}", folder.display()));
        return Ok(python);
    }
    say(&format!("fetching {} with pip", environment.what));
    if let Some(python) = environment.python.filter(|python| !works(Path::new(python), "pass")) {
        return Err(SetupError::OtherPython { system: environment.name, python });
    }
    fs::create_dir_all(&folder).map_err(|e| cannot("create", &folder, e))?;
    let base = environment.python.unwrap_or("python3");
    run(Command::new(base).args(["-m", "venv", "--clear"]).arg(folder.join("venv")), &folder)?;
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "--disable-pip-version-check", "install", "--no-deps", "-r"]).arg(&requirements);
    run(&mut pip, &folder)?;
    if environment.stubs {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap_or(Path::new("."));
        let site = site_packages(&python, &folder)?;
        run(Command::new(&python).arg(workspace.join("xtask/zoo/stubs.py")).arg(&site), &folder)?;
    }
    if !works(&python, environment.check) {
        let command = format!("{} -c '{}'", python.display(), environment.check);
        return Err(SetupError::Client { command, status: "it does not start".to_string() });
    }
    halfproof_wire::file::write_atomically(&mark, pins.as_bytes())
        .map_err(|e| cannot("write", &mark, std::io::Error::other(e)))?;
    say(&format!("installed {}", folder.display()));
    Ok(python)
}
