//! Pad and CenterCropPad.

use super::{BEYOND_TFLITE, Operand, Site, Types, axis, extents};
use halfproof_ir::ops::CenterCropPad;

pub(super) fn pad(site: &Site<'_>) -> Types {
    let x = site.need(0)?;
    let pads = pads(x.ty.rank(), site.need(1)?, site.at(3))?;
    let grow = |(&d, &(b, e)): (&usize, &(i64, i64))| {
        usize::try_from(d.cast_signed() as i64 + b + e).map_err(|_| "pads cut more than there is".to_string())
    };
    site.with(x.shape().iter().zip(&pads).map(grow).collect::<Result<_, _>>()?)
}

pub(super) fn center_crop(c: &CenterCropPad, site: &Site<'_>) -> Types {
    let x = site.need(0)?;
    let rank = x.ty.rank();
    let axes = match c.axes.is_empty() {
        true => (0..rank).collect(),
        false => c.axes.iter().map(|&a| axis(a, rank)).collect::<Result<Vec<_>, _>>()?,
    };
    let extents = extents(&site.need(1)?.integers("shape")?)?;
    if extents.len() != axes.len() {
        return Err("shape and axes have different lengths".into());
    }
    let mut shape = x.shape().to_vec();
    axes.iter().zip(extents).for_each(|(&a, d)| shape[a] = d);
    site.with(shape)
}

/// Elements added before and after along every axis; negative ones are cut.
///
/// # Errors
/// When pads are not constant, have the wrong length or are out of range.
pub fn pads(rank: usize, pads: Operand<'_>, axes: Option<Operand<'_>>) -> Result<Vec<(i64, i64)>, String> {
    let pads = pads.integers("pads")?;
    let axes = match axes {
        Some(a) => a.integers("axes")?.iter().map(|&a| axis(a, rank)).collect::<Result<Vec<_>, _>>()?,
        None => (0..rank).collect(),
    };
    if pads.len() != 2 * axes.len() {
        return Err(format!(
            "pads has {} elements where {} axes need {}",
            pads.len(),
            axes.len(),
            2 * axes.len()
        ));
    }
    if let Some(p) = pads.iter().find(|p| p.unsigned_abs() >= BEYOND_TFLITE as u64) {
        return Err(format!("a pad is out of range: {p}"));
    }
    let mut all = vec![(0, 0); rank];
    for (i, &a) in axes.iter().enumerate() {
        all[a] = (pads[i], pads[axes.len() + i]);
    }
    Ok(all)
}
