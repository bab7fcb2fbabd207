//! Decides how the GPU path is installed on a machine without a GPU: LiteRT's WebGPU accelerator from the pinned wheel,
//! and Mesa's software Vulkan from Debian's backports, unpacked into `target/systems` without touching the system.
//!
//! Debian 12's own Mesa (22.3) lacks a feature that the accelerator asks for, and SwiftShader has no float16: it would
//! run everything in float32 without a word. Hence the pinned version.

use super::{Member, Pinned, SetupError, cannot, install, scratch_in, systems_dir, verify};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const ACCELERATOR: Pinned = Pinned {
    system: "litert-gpu",
    members: &[Member {
        path: "ai_edge_litert/libLiteRtWebGpuAccelerator.so",
        sha256: "b67f193ae6eb8ad3a15349f54aba696c97d6f981c92bc2eb1096cbe9e2835b25",
    }],
    bytes: 18_942_000,
    ..super::LITERT
};

/// Mesa's Vulkan drivers: the package, its version and the hash of its file.
const MESA: (&str, &str, &str) = (
    "mesa-vulkan-drivers",
    "25.0.7-2~bpo12+1",
    "3899f1800424c60a05df5d6913076a526ca8fdbabec43672cd397563d1ca3263",
);
const LOADER: &str = "libvulkan1";
const SUITE: &str = "bookworm-backports";
/// Where Debian packages keep what is needed here.
const LIBRARIES: &str = "usr/lib/x86_64-linux-gnu";
const DRIVER: &str = "usr/share/vulkan/icd.d/lvp_icd.json";

/// Where the accelerator's library is put.
pub fn accelerator() -> PathBuf {
    ACCELERATOR.folder().join(ACCELERATOR.members[0].file())
}

/// Where the driver's packages are unpacked.
fn root() -> PathBuf {
    systems_dir().join("litert-gpu").join("mesa-25.0.7")
}

/// The environment in which the accelerator finds a Vulkan driver: this process's own when it names one, else the one
/// that [`install_all`] unpacks.
///
/// # Errors
/// What to do, when there is neither.
pub fn vulkan() -> Result<Vec<(&'static str, OsString)>, String> {
    if ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"].iter().any(|name| std::env::var_os(name).is_some()) {
        return Ok(vec![]);
    }
    let root = root();
    let driver = root.join(DRIVER);
    if !driver.is_file() {
        return Err(
            "no Vulkan driver: run `cargo xtask setup litert-gpu`, or name one in VK_DRIVER_FILES".into()
        );
    }
    let mut libraries = root.join(LIBRARIES).into_os_string();
    if let Some(others) = std::env::var_os("LD_LIBRARY_PATH").filter(|v| !v.is_empty()) {
        libraries.push(":");
        libraries.push(others);
    }
    Ok(vec![
        ("VK_ICD_FILENAMES", driver.into()),
        ("VK_LOADER_LAYERS_DISABLE", "*".into()),
        ("LD_LIBRARY_PATH", libraries),
        // Replays of the same shaders are a hundred times faster with the driver's cache, which is kept with it.
        ("MESA_SHADER_CACHE_DIR", systems_dir().join("litert-gpu").join("shaders").into()),
    ])
}

/// Installs both. Answers the accelerator's path.
///
/// # Errors
/// [`SetupError`]; a driver that is only half there is not found by [`vulkan`].
pub fn install_all(say: &mut dyn FnMut(&str)) -> Result<PathBuf, SetupError> {
    super::litert(say)?;
    install(&ACCELERATOR, say)?;
    match vulkan() {
        Ok(environment) if environment.is_empty() => {
            say("the Vulkan driver is the one that the environment names")
        }
        Ok(_) => say(&format!("Mesa's software Vulkan is installed: {}", root().display())),
        Err(_) => driver(say)?,
    }
    Ok(accelerator())
}

fn driver(say: &mut dyn FnMut(&str)) -> Result<(), SetupError> {
    let target = root();
    let folder = target.parent().unwrap_or(Path::new("."));
    let scratch = scratch_in(folder)?;
    let private = scratch.path();
    for name in ["lists/partial", "archives/partial", "root"] {
        let made = private.join(name);
        fs::create_dir_all(&made).map_err(|e| cannot("create", &made, e))?;
    }
    let list = private.join("backports.list");
    let suites = ["bookworm", SUITE].map(|suite| format!("deb http://deb.debian.org/debian {suite} main\n"));
    fs::write(&list, suites.concat()).map_err(|e| cannot("write", &list, e))?;
    say(&format!("fetching {} {} from {SUITE} with apt-get: 25 MB to download, 70 MB kept", MESA.0, MESA.1));
    apt(private, &["update"])?;
    let mesa = format!("{}/{SUITE}", MESA.0);
    let fetch = ["install", "--yes", "--download-only", "--no-install-recommends", &mesa, LOADER];
    apt(private, &fetch)?;
    unpack(private, say)?;
    fs::rename(private.join("root"), &target).map_err(|e| cannot("write", &target, e))?;
    say(&format!("installed {}", target.display()));
    Ok(())
}

/// apt-get with lists and archives of its own. It reads which packages the system has and changes none of them.
fn apt(private: &Path, arguments: &[&str]) -> Result<(), SetupError> {
    let set = |name: &str, value: &Path| format!("{name}={}", value.display());
    let options = [
        set("Dir::Etc::sourcelist", &private.join("backports.list")),
        set("Dir::Etc::sourceparts", Path::new("/dev/null")),
        set("Dir::State::lists", &private.join("lists")),
        set("Dir::Cache", private),
        "Debug::NoLocking=1".to_string(),
        // The sandboxed downloader's user may not write here.
        "APT::Sandbox::User=".to_string(),
    ];
    let mut command = Command::new("apt-get");
    for option in options {
        command.args(["-o", &option]);
    }
    run(command.args(arguments), private)
}

/// Unpacks every package that was fetched, the pinned one after a look at its hash.
fn unpack(private: &Path, say: &mut dyn FnMut(&str)) -> Result<(), SetupError> {
    let archives = private.join("archives");
    let entries = fs::read_dir(&archives).map_err(|e| cannot("read", &archives, e))?;
    let mut packages: Vec<PathBuf> = entries.filter_map(|e| Some(e.ok()?.path())).collect();
    packages.retain(|p| p.extension().is_some_and(|e| e == "deb"));
    packages.sort();
    for package in packages {
        let name = package.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with(MESA.0) {
            verify(&package, MESA.2)?;
        }
        say(&format!("unpacking {name}"));
        run(Command::new("dpkg-deb").arg("-x").arg(&package).arg(private.join("root")), private)?;
    }
    Ok(())
}

fn run(command: &mut Command, folder: &Path) -> Result<(), SetupError> {
    let program = command.get_program().to_string_lossy().into_owned();
    // Standard output belongs to the command that called us.
    match command.stdin(Stdio::null()).stdout(io::stderr()).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(SetupError::NoDriver { command: program, status: status.to_string() }),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            Err(SetupError::NoDriver { command: program, status: "not installed".to_string() })
        }
        Err(e) => Err(cannot("run a command in", folder, e)),
    }
}
