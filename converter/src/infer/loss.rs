//! Losses.

use super::{Site, Type, Types};

pub(super) fn loss(reduction: &str, site: &Site<'_>) -> Types {
    let (x, target) = (site.need(0)?, site.need(1)?);
    if x.ty.rank() < 2 {
        return Err("it has no classes".into());
    }
    let labels: Vec<usize> = [&x.shape()[..1], &x.shape()[2..]].concat();
    if target.shape() != labels {
        return Err(format!("targets {:?} do not fit {:?}", target.shape(), x.shape()));
    }
    let first = if reduction == "none" { labels } else { vec![] };
    Ok([Type::new(x.ty.dtype, first), x.ty.clone()].into_iter().take(site.results.max(1)).collect())
}
