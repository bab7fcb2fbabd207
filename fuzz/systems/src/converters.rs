//! The converters under test, one file each.

pub mod in_tree;
