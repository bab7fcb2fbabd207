//! Decides what `cargo xtask setup NAME` installs.

use halfproof_systems::setup::{self, SetupError};
use std::path::PathBuf;

/// Installs the system called `name`, saying each step on standard error; answers where it is.
///
/// # Errors
/// [`SetupError`], whose message says what to do.
pub(crate) fn run(name: &str) -> Result<PathBuf, SetupError> {
    let mut say = |line: &str| anstream::eprintln!("{line}");
    match name {
        "litert" => setup::litert(&mut say),
        "tract" => setup::tract(&mut say),
        other => Err(SetupError::UnknownSystem(other.to_string())),
    }
}
