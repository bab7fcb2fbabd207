//! Cases and what we expect of them: the format of the folders below `corpus/`, and when a verdict agrees with one.
//!
//! A case is stored as the graph and the inputs themselves; the seed that made them is a note. A change of the
//! generator can therefore never change what a stored case means. The format is described in `corpus/README.md`.

mod case;
mod error;
pub mod expect;
pub mod known_issue;
pub mod store;
mod version;

pub use case::{About, Case, InputSet, Origin, OriginKind};
pub use error::CorpusError;
pub use expect::{Expectation, Setting};
pub use known_issue::{KnownIssue, Sighting};
pub use version::{Range, RangeError};
