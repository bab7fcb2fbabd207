//! What every environment of Python packages needs: running its commands, and asking whether it is whole.

use super::{SetupError, cannot};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// True when a line of Python runs in that environment.
pub(super) fn works(python: &Path, check: &str) -> bool {
    let status = Command::new(python)
        .args(["-c", check])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|s| s.success())
}

/// Where an environment keeps its packages.
pub(super) fn site_packages(python: &Path, folder: &Path) -> Result<PathBuf, SetupError> {
    let ask = "import sysconfig; print(sysconfig.get_paths()['purelib'])";
    let output = Command::new(python).args(["-c", ask]).output().map_err(|e| cannot("run", folder, e))?;
    Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}

/// Runs a command that belongs to an environment in `folder`.
///
/// # Errors
/// [`SetupError`] when it does not start or does not succeed.
pub(super) fn run(command: &mut Command, folder: &Path) -> Result<(), SetupError> {
    // Standard output belongs to the command that called us.
    let status = command.stdin(Stdio::null()).stdout(io::stderr()).status().map_err(|e| {
        if e.kind() == io::ErrorKind::NotFound {
            SetupError::NoPython
        } else {
            cannot("run python in", folder, e)
        }
    })?;
    if status.success() {
        return Ok(());
    }
    let program = command.get_program().to_string_lossy().into_owned();
    let arguments: Vec<_> = command.get_args().map(|a| a.to_string_lossy().into_owned()).collect();
    Err(SetupError::Client {
        command: format!("{program} {}", arguments.join(" ")),
        status: status.to_string(),
    })
}
