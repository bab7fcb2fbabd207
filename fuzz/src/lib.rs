//! Everything that drives: generate, convert, execute, judge, minimise, triage.

pub mod generate;
