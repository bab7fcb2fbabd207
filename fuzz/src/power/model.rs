//! Faults of converted models: what a converter can do wrong, done to its file.

pub(super) mod attributes;
pub(super) mod constants;
pub(super) mod indices;
pub(super) mod wiring;
