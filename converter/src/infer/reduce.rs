//! Reductions, ArgMax, CumSum and TopK.

use super::{Operand, Site, Type, Types, axis};
use halfproof_ir::ops::TopK;
use halfproof_ir::{DType, Op};

pub(super) fn cum_sum(site: &Site<'_>) -> Types {
    let &[a] = &site.need(1)?.integers("axis")?[..] else { return Err("axis is not one number".into()) };
    axis(a, site.need(0)?.ty.rank())?;
    site.same()
}

pub(super) fn top_k(t: &TopK, site: &Site<'_>) -> Types {
    let x = site.need(0)?;
    let a = axis(t.axis, x.ty.rank())?;
    let &[k] = &site.need(1)?.integers("k")?[..] else { return Err("k is not one number".into()) };
    let mut shape = x.shape().to_vec();
    shape[a] = usize::try_from(k)
        .ok()
        .filter(|&k| k <= shape[a])
        .ok_or_else(|| format!("k is {k} for an axis of extent {}", shape[a]))?;
    Ok(vec![Type::new(x.ty.dtype, shape.clone()), Type::new(DType::I64, shape)])
}

pub(super) fn reduce(op: &Op, site: &Site<'_>) -> Types {
    let x = site.need(0)?;
    let Some((keep, noop)) = reduction(op) else { return Err("not a reduction".into()) };
    let axes = reduced_axes(x.ty.rank(), site.at(1), noop)?;
    site.with(reduced(x.shape(), &axes, keep))
}

pub(super) fn arg(place: i64, keepdims: bool, site: &Site<'_>) -> Types {
    let x = site.need(0)?;
    let a = axis(place, x.ty.rank())?;
    Ok(vec![Type::new(DType::I64, reduced(x.shape(), &[a], keepdims))])
}

/// A shape with some axes reduced to 1 or removed.
pub(super) fn reduced(shape: &[usize], axes: &[usize], keep: bool) -> Vec<usize> {
    let kept = shape.iter().enumerate().filter(|(i, _)| keep || !axes.contains(i));
    kept.map(|(i, &d)| if axes.contains(&i) { 1 } else { d }).collect()
}

/// `keepdims` and `noop_with_empty_axes` of a Reduce… operator.
pub fn reduction(op: &Op) -> Option<(bool, bool)> {
    macro_rules! any {
        ($($name:ident)*) => {
            match op { $( Op::$name(r) => Some((r.keepdims, r.noop_with_empty_axes)), )* _ => None }
        };
    }
    any!(ReduceSum ReduceMean ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceSumSquare ReduceLogSum ReduceLogSumExp)
}

/// The axes a reduction reduces, sorted; none for a no-op.
///
/// # Errors
/// When they are not constant or out of range.
pub fn reduced_axes(rank: usize, axes: Option<Operand<'_>>, noop: bool) -> Result<Vec<usize>, String> {
    let axes = axes.map(|a| a.integers("axes")).transpose()?.unwrap_or_default();
    if axes.is_empty() {
        return Ok(if noop { vec![] } else { (0..rank).collect() });
    }
    let mut axes = axes.iter().map(|&a| axis(a, rank)).collect::<Result<Vec<_>, _>>()?;
    axes.sort_unstable();
    axes.dedup();
    Ok(axes)
}
