//! Elementwise operators of two or more operands.

use super::{Operand, Site, Types, broadcast};

pub(super) fn elementwise(site: &Site<'_>) -> Types {
    site.need(0)?;
    let shapes: Vec<&[usize]> = site.operands.iter().flatten().map(Operand::shape).collect();
    site.with(broadcast(&shapes)?)
}
