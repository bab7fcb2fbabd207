//! What makes two verdicts the same bug, and what a finding needs to be seen again.

mod record;
mod repro;
pub mod shell;
mod signature;

pub(crate) use record::smaller;
pub use record::{Record, cause, drawing, plotted, record, records};
pub use signature::{Signature, normalise, shown};
