//! What makes two verdicts the same bug, and what a finding needs to be seen again.

mod record;
mod repro;
mod signature;

pub use record::{Record, drawing, plotted, record};
pub use signature::{Signature, normalise};
