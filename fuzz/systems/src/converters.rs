//! The converters under test, one file each, and how they are opened by name.

pub mod in_tree;
pub mod outside;

use crate::{Converter, Unavailable};
use in_tree::InTree;
use outside::Outside;

/// Every name that [`open`] knows, besides `cmd:PROGRAM`.
pub fn names() -> Vec<&'static str> {
    [vec!["in-tree"], outside::names()].concat()
}

/// True for a name that [`open`] knows, installed or not.
pub fn is_known(name: &str) -> bool {
    names().contains(&name) || name.starts_with("cmd:")
}

/// Opens a converter by its name.
///
/// # Errors
/// [`Unavailable`] when there is none of that name, or it is not installed.
pub fn open(name: &str) -> Result<Box<dyn Converter>, Unavailable> {
    match name.strip_prefix("cmd:") {
        Some(command) => Ok(Box::new(Outside::command(command)?)),
        None if name == "in-tree" => Ok(Box::new(InTree)),
        None => Ok(Box::new(Outside::named(name)?)),
    }
}
