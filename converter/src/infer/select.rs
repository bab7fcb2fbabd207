//! Where and Trilu.

use super::{Site, Type, Types, broadcast};

pub(super) fn trilu(site: &Site<'_>) -> Types {
    if site.need(0)?.ty.rank() < 2 {
        return Err("there is no matrix".into());
    }
    site.same()
}

pub(super) fn choose(site: &Site<'_>) -> Types {
    let (c, x, y) = (site.need(0)?, site.need(1)?, site.need(2)?);
    Ok(vec![Type::new(x.ty.dtype, broadcast(&[c.shape(), x.shape(), y.shape()])?)])
}
