//! Exit codes, and the failures that carry them.

use std::fmt;
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
}

/// What every command returns.
pub(crate) type Outcome = Result<Exit, Failure>;
