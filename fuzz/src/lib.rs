//! Everything that drives: generate, convert, execute, judge, minimise, triage.

pub mod campaign;
pub mod generate;
pub mod localise;
pub mod minimise;
pub mod mutate;
pub mod pipeline;
pub mod power;
pub mod targets;
pub mod triage;
