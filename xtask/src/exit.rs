//! Exit codes, and the failures that carry them.

use halfproof_wire::file::FileError;
use std::any::Any;
use std::fmt;
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind, set_hook, take_hook};
use std::process::ExitCode;

/// How a command ended. The numbers are part of the product's contract (PRODUCT: "Exit codes").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Nothing found, or only known issues.
    Clean = 0,
    /// New findings.
    NewFindings = 1,
    /// Bad usage or bad input; one clear line was printed and nothing was written.
    BadInput = 2,
    /// The harness, or a tool it needs, failed.
    HarnessFailed = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// Why a command could not do its work.
#[derive(Debug)]
pub(crate) struct Failure {
    /// `BadInput` or `HarnessFailed`.
    pub(crate) exit: Exit,
    /// What went wrong: file, place, reason, next step.
    pub(crate) message: String,
}

impl Failure {
    /// The user's input is bad.
    pub(crate) fn bad_input(error: impl fmt::Display) -> Failure {
        Failure { exit: Exit::BadInput, message: error.to_string() }
    }

    /// The harness or a tool failed.
    pub(crate) fn harness(error: impl fmt::Display) -> Failure {
        Failure { exit: Exit::HarnessFailed, message: error.to_string() }
    }

    /// A file could not be written: a folder that is not there or takes no files was named by the user, a full disk was not.
    pub(crate) fn writing(error: FileError) -> Failure {
        let is_named_wrong = matches!(
            error.source.kind(),
            ErrorKind::NotFound
                | ErrorKind::PermissionDenied
                | ErrorKind::NotADirectory
                | ErrorKind::IsADirectory
                | ErrorKind::AlreadyExists
                | ErrorKind::ReadOnlyFilesystem
                | ErrorKind::InvalidFilename
                | ErrorKind::InvalidInput
        );
        if is_named_wrong { Failure::bad_input(error) } else { Failure::harness(error) }
    }
}

/// What the printing macros say when they give up.
const UNPRINTED: &str = "failed printing to stdout";

/// Runs a command. Printing panics where standard output takes nothing (a full disk; a closed pipe is fine), and that is a
/// failure like others.
pub(crate) fn printing(command: impl FnOnce() -> Outcome) -> Outcome {
    let before = take_hook();
    set_hook(Box::new(move |info| {
        if unprinted(info.payload()).is_none() {
            before(info);
        }
    }));
    catch_unwind(AssertUnwindSafe(command)).unwrap_or_else(|payload| match unprinted(payload.as_ref()) {
        Some(why) => Err(Failure::harness(format!("cannot write to standard output: {why}"))),
        None => resume_unwind(payload),
    })
}

/// Why a panic could not print; `None` for any other panic.
fn unprinted(payload: &(dyn Any + Send)) -> Option<&str> {
    payload.downcast_ref::<String>()?.strip_prefix(UNPRINTED)?.strip_prefix(": ")
}

/// What every command returns.
pub(crate) type Outcome = Result<Exit, Failure>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_folder_is_the_users_mistake_and_a_full_disk_is_not() {
        let exit = |kind: ErrorKind| {
            let error = FileError { path: "a".into(), action: "write", source: kind.into() };
            Failure::writing(error).exit
        };
        assert_eq!(exit(ErrorKind::NotFound), Exit::BadInput);
        assert_eq!(exit(ErrorKind::PermissionDenied), Exit::BadInput);
        assert_eq!(exit(ErrorKind::StorageFull), Exit::HarnessFailed);
        assert_eq!(exit(ErrorKind::Other), Exit::HarnessFailed);
    }
}
