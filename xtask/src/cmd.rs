//! One module per command: its arguments, and `run`.

pub(crate) mod bench;
mod cargo_tool;
pub(crate) mod ci;
pub(crate) mod compare;
pub(crate) mod conformance;
pub(crate) mod convert;
pub(crate) mod corpus;
pub(crate) mod exhaustive;
pub(crate) mod fuzz;
mod libfuzzer;
pub(crate) mod matrix;
pub(crate) mod mutants;
pub(crate) mod power;
pub(crate) mod regress;
pub(crate) mod report;
pub(crate) mod setup;
pub(crate) mod strategies;
mod systems;
pub(crate) mod triage;
pub(crate) mod zoo;
