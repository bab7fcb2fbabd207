//! Everything that drives: generate, convert, execute, judge, minimise, triage.

pub mod campaign;
pub mod generate;
pub mod minimise;
pub mod pipeline;
pub mod triage;
