//! Concat and Split.

use super::{Operand, Site, Type, Types, axis, extents};
use halfproof_ir::ops::{Concat, Split};

pub(super) fn concat(c: &Concat, site: &Site<'_>) -> Types {
    let first = site.need(0)?;
    let a = axis(c.axis, first.ty.rank())?;
    let mut shape = first.shape().to_vec();
    shape[a] = 0;
    for x in site.operands.iter().flatten() {
        let fits = x.ty.rank() == shape.len() && (0..shape.len()).all(|i| i == a || x.shape()[i] == shape[i]);
        if !fits {
            return Err(format!("operand {:?} does not fit the others", x.shape()));
        }
        shape[a] += x.shape()[a];
    }
    site.with(shape)
}

pub(super) fn split(s: &Split, site: &Site<'_>) -> Types {
    let x = site.need(0)?;
    let a = axis(s.axis, x.ty.rank())?;
    let sizes = split_sizes(x.shape()[a], site.at(1), s.num_outputs, site.results)?;
    let part = |n: usize| {
        let mut shape = x.shape().to_vec();
        shape[a] = n;
        Type::new(x.ty.dtype, shape)
    };
    Ok(sizes.into_iter().map(part).collect())
}

/// The extents of a Split's results.
///
/// # Errors
/// When they do not add up.
pub fn split_sizes(
    extent: usize,
    sizes: Option<Operand<'_>>,
    parts: Option<i64>,
    results: usize,
) -> Result<Vec<usize>, String> {
    let sizes = match sizes {
        Some(sizes) => extents(&sizes.integers("split")?)?,
        None => {
            let parts =
                parts.map_or(Ok(results), |n| usize::try_from(n).map_err(|_| "num_outputs is negative"))?;
            if parts == 0 {
                return Err("there is no result".into());
            }
            // Equal parts, the last one smaller.
            let each = extent.div_ceil(parts);
            (0..parts).map(|i| extent.saturating_sub(i * each).min(each)).collect()
        }
    };
    if sizes.len() > 1 << 16 || sizes.iter().sum::<usize>() != extent || sizes.len() < results {
        return Err(format!("parts {sizes:?} do not make up {extent}"));
    }
    Ok(sizes)
}
