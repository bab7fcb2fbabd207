//! The runtimes under test, one file each.

pub mod litert;
