//! Gather and OneHot.

use super::{Site, Type, Types, axis};
use halfproof_ir::ops::{Gather, OneHot};

pub(super) fn gather(g: &Gather, site: &Site<'_>) -> Types {
    let (x, indices) = (site.need(0)?, site.need(1)?);
    let a = axis(g.axis, x.ty.rank())?;
    site.with([&x.shape()[..a], indices.shape(), &x.shape()[a + 1..]].concat())
}

pub(super) fn one_hot(o: &OneHot, site: &Site<'_>) -> Types {
    let (indices, values) = (site.need(0)?, site.need(2)?);
    let depth = site.need(1)?.constant.ok_or("depth is not constant")?;
    let depth = crate::lower::context::scalar(depth).ok_or("depth is not one number")?;
    if !(0.0..2f64.powi(31)).contains(&depth) || values.shape() != [2] {
        return Err("depth or values do not fit".into());
    }
    let a = axis(o.axis, indices.ty.rank() + 1)?;
    let mut shape = indices.shape().to_vec();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "in the range checked above"
    )]
    shape.insert(a, depth as usize);
    Ok(vec![Type::new(values.ty.dtype, shape)])
}
