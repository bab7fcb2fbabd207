//! Einsum.

use super::{Site, Types};
use crate::expand::einsum::plan;
use halfproof_ir::ops::Einsum;

pub(super) fn einsum(e: &Einsum, site: &Site<'_>) -> Types {
    site.need(0)?;
    let shapes: Vec<Vec<usize>> = site.operands.iter().flatten().map(|x| x.shape().to_vec()).collect();
    let plan = plan(&e.equation, &shapes)?;
    site.with(plan.output.iter().map(|a| plan.extents[a]).collect())
}
