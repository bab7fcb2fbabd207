//! Resize.

use super::{Operand, Site, Types, axis, extents};
use halfproof_ir::ops;

pub(super) fn resize(r: &ops::Resize, site: &Site<'_>) -> Types {
    site.with(extents_of(r, site.need(0)?.shape(), site.at(2), site.at(3))?)
}

/// Resize's output shape, from `sizes` or `floor(input * scale)`.
fn extents_of(
    r: &ops::Resize,
    shape: &[usize],
    scales: Option<Operand<'_>>,
    sizes: Option<Operand<'_>>,
) -> Result<Vec<usize>, String> {
    let axes = match r.axes.len() {
        0 => (0..shape.len()).collect(),
        _ => r.axes.iter().map(|&a| axis(a, shape.len())).collect::<Result<Vec<_>, _>>()?,
    };
    let mut out = shape.to_vec();
    if let Some(sizes) = sizes.filter(|o| !o.ty.is_empty()) {
        let sizes = extents(&sizes.integers("sizes")?)?;
        if sizes.len() != axes.len() {
            return Err("sizes has the wrong length".into());
        }
        if r.keep_aspect_ratio_policy != "stretch" {
            return kept_ratio(r, shape, &axes, &sizes);
        }
        for (&a, &n) in axes.iter().zip(&sizes) {
            out[a] = n;
        }
        return Ok(out);
    }
    let scales = scales.filter(|o| !o.ty.is_empty()).ok_or("neither scales nor sizes are given")?;
    let scales = scales.constant.ok_or("scales is not constant")?.floats().ok_or("scales is not a float")?;
    if scales.len() != axes.len() {
        return Err("scales has the wrong length".into());
    }
    if let Some(s) = scales.iter().find(|s| !s.is_finite() || **s <= 0.0 || **s > 65536.0) {
        return Err(format!("a scale is out of range: {s}"));
    }
    for (&a, &s) in axes.iter().zip(&scales) {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "small"
        )]
        {
            out[a] = (shape[a] as f64 * s).floor() as usize;
        }
    }
    Ok(out)
}

/// `not_larger` and `not_smaller`: one scale for all axes, `round(scale * input)` elements.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "extents are small"
)]
fn kept_ratio(
    r: &ops::Resize,
    shape: &[usize],
    axes: &[usize],
    sizes: &[usize],
) -> Result<Vec<usize>, String> {
    let ratios = axes.iter().zip(sizes).map(|(&a, &n)| n as f64 / shape[a] as f64);
    let scale = match r.keep_aspect_ratio_policy.as_str() {
        "not_larger" => ratios.fold(f64::INFINITY, f64::min),
        "not_smaller" => ratios.fold(0.0, f64::max),
        other => return Err(format!("keep_aspect_ratio_policy \"{other}\" is unknown")),
    };
    let mut out = shape.to_vec();
    for &a in axes {
        out[a] = (scale * shape[a] as f64 + 0.5).floor() as usize;
    }
    Ok(out)
}
