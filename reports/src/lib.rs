//! What people and machines read: the schema of `run.json` and everything rendered from it.
//!
//! A renderer is a function of a [`Run`] and nothing else, so any report can be made again from a saved `run.json`.

pub mod docs;
pub mod schema;
mod tally;

pub use schema::{ReadError, Run};
pub use tally::LossTally;
