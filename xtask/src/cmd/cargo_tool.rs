//! Cargo subcommands that a command needs: pinned, and built where they are absent.

use crate::exit::Failure;
use halfproof_systems::setup;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A tool that is installed, or the pinned one, built into `target/systems`. `probe` makes it say its version.
///
/// # Errors
/// When `cargo install` fails.
pub(super) fn installed(name: &str, version: &str, probe: &[&str]) -> Result<PathBuf, Failure> {
    let root = setup::systems_dir().join(name).join(version);
    let own = root.join("bin").join(name);
    let works = |path: &Path| {
        let probe = Command::new(path).args(probe).stdout(Stdio::null()).stderr(Stdio::null()).status();
        probe.is_ok_and(|s| s.success())
    };
    if let Some(found) = [own.clone(), PathBuf::from(name)].into_iter().find(|p| works(p)) {
        return Ok(found);
    }
    anstream::eprintln!("{name} is not installed: building version {version} into {}", root.display());
    let mut command = Command::new(env!("CARGO"));
    command.args(["install", name, "--locked", "--version", version, "--root"]).arg(&root);
    // A tool's sources may ask for a toolchain of their own, which is not there.
    let toolchain = std::env::var_os("RUSTUP_TOOLCHAIN").unwrap_or_else(|| "stable".into());
    command.env("RUSTUP_TOOLCHAIN", toolchain);
    let status = command.status().map_err(Failure::harness)?;
    if !status.success() {
        return Err(Failure::harness(format!("cargo install {name} failed ({status})")));
    }
    Ok(own)
}
