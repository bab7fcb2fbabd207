//! Operators that make truth values.

use super::{Site, Type, Types, broadcast};
use halfproof_ir::DType;

pub(super) fn compare(site: &Site<'_>) -> Types {
    Ok(vec![Type::new(DType::Bool, broadcast(&[site.need(0)?.shape(), site.need(1)?.shape()])?)])
}

pub(super) fn of_each(site: &Site<'_>) -> Types {
    Ok(vec![Type::new(DType::Bool, site.need(0)?.shape())])
}
