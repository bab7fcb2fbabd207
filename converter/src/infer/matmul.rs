//! Products of matrices.

use super::{Site, Types, broadcast};
use halfproof_ir::ops::Gemm;

pub(super) fn matmul(site: &Site<'_>) -> Types {
    let (a, b) = (site.need(0)?, site.need(1)?);
    site.with(product(a.shape(), b.shape())?)
}

pub(super) fn gemm(g: &Gemm, site: &Site<'_>) -> Types {
    let (a, b) = (site.need(0)?, site.need(1)?);
    let (&[a0, a1], &[b0, b1]) = (a.shape(), b.shape()) else {
        return Err("operands are not matrices".into());
    };
    let (m, k) = if g.transA { (a1, a0) } else { (a0, a1) };
    let (l, n) = if g.transB { (b1, b0) } else { (b0, b1) };
    if k != l {
        return Err(format!("inner extents {k} and {l} differ"));
    }
    if let Some(c) = site.at(2)
        && broadcast(&[&[m, n], c.shape()])? != [m, n]
    {
        return Err("the third operand does not broadcast to the product".into());
    }
    site.with(vec![m, n])
}

/// numpy.matmul: vectors count as a row on the left and as a column on the right.
fn product(a: &[usize], b: &[usize]) -> Result<Vec<usize>, String> {
    if a.is_empty() || b.is_empty() {
        return Err("an operand is a scalar".into());
    }
    let (rows, k) = if a.len() == 1 { (None, a[0]) } else { (Some(a[a.len() - 2]), a[a.len() - 1]) };
    let (l, columns) = if b.len() == 1 { (b[0], None) } else { (b[b.len() - 2], Some(b[b.len() - 1])) };
    if k != l {
        return Err(format!("inner extents {k} and {l} differ"));
    }
    let batch = broadcast(&[&a[..a.len().saturating_sub(2)], &b[..b.len().saturating_sub(2)]])?;
    Ok(batch.into_iter().chain(rows).chain(columns).collect())
}
