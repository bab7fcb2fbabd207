//! Normalizations.

use super::{Site, Type, Types, axis};
use halfproof_ir::ops::{LRN, LayerNormalization, MeanVarianceNormalization};
use halfproof_ir::{DType, Op};

pub(super) fn by_channel(op: &Op, site: &Site<'_>) -> Types {
    let x = site.need(0)?;
    if x.ty.rank() < 2 && !matches!(op, Op::BatchNormalization(_)) {
        return Err(format!("a tensor of rank {} has no channels", x.ty.rank()));
    }
    site.same()
}

pub(super) fn lrn(n: &LRN, site: &Site<'_>) -> Types {
    if site.need(0)?.ty.rank() < 2 || n.size < 1 {
        return Err("size is not positive or there is no channel axis".into());
    }
    site.same()
}

pub(super) fn along(a: i64, site: &Site<'_>) -> Types {
    axis(a, site.need(0)?.ty.rank())?;
    site.same()
}

pub(super) fn layer(n: &LayerNormalization, site: &Site<'_>) -> Types {
    let x = site.need(0)?;
    let first = axis(n.axis, x.ty.rank())?;
    let reduced: Vec<usize> =
        x.shape().iter().enumerate().map(|(i, &d)| if i < first { d } else { 1 }).collect();
    let statistics = Type::new(DType::F32, reduced);
    Ok([x.ty.clone(), statistics.clone(), statistics].into_iter().take(site.results.max(1)).collect())
}

pub(super) fn mean_variance(n: &MeanVarianceNormalization, site: &Site<'_>) -> Types {
    let rank = site.need(0)?.ty.rank();
    n.axes.iter().try_for_each(|&a| axis(a, rank).map(|_| ()))?;
    site.same()
}
