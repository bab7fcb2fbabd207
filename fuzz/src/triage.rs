//! What makes two verdicts the same bug, and what a finding needs to be seen again.

mod signature;

pub use signature::{Signature, normalise};
