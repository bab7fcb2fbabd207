//! The shape arithmetic of single operators: products, reshapes, resizes, ranges.

use super::{Operand, axis};
use halfproof_ir::ops::Resize;

/// Integers as extents.
///
/// # Errors
/// When one is negative or too large.
pub(super) fn extents(values: &[i64]) -> Result<Vec<usize>, String> {
    values
        .iter()
        .map(|&v| {
            usize::try_from(v)
                .ok()
                .filter(|&v| v < 1 << 31)
                .ok_or_else(|| format!("an extent is out of range: {v}"))
        })
        .collect()
}

/// numpy.matmul: vectors count as a row on the left and as a column on the right.
pub(super) fn matmul(a: &[usize], b: &[usize]) -> Result<Vec<usize>, String> {
    if a.is_empty() || b.is_empty() {
        return Err("an operand is a scalar".into());
    }
    let (rows, k) = if a.len() == 1 { (None, a[0]) } else { (Some(a[a.len() - 2]), a[a.len() - 1]) };
    let (l, columns) = if b.len() == 1 { (b[0], None) } else { (b[b.len() - 2], Some(b[b.len() - 1])) };
    if k != l {
        return Err(format!("inner extents {k} and {l} differ"));
    }
    let batch = super::broadcast(&[&a[..a.len().saturating_sub(2)], &b[..b.len().saturating_sub(2)]])?;
    Ok(batch.into_iter().chain(rows).chain(columns).collect())
}

/// A shape with some axes reduced to 1 or removed.
pub(super) fn reduced(shape: &[usize], axes: &[usize], keep: bool) -> Vec<usize> {
    let kept = shape.iter().enumerate().filter(|(i, _)| keep || !axes.contains(i));
    kept.map(|(i, &d)| if axes.contains(&i) { 1 } else { d }).collect()
}

/// Reshape's rules for 0 (copy) and -1 (the rest).
pub(super) fn reshape(shape: &[usize], target: &[i64], allow_zero: bool) -> Result<Vec<usize>, String> {
    let total: usize = shape.iter().product();
    let product = |shape: &[usize]| shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
    let mut out = Vec::with_capacity(target.len());
    let mut rest = None;
    for (i, &t) in target.iter().enumerate() {
        out.push(match t {
            -1 if rest.is_none() => {
                rest = Some(i);
                1
            }
            0 if !allow_zero => *shape.get(i).ok_or("a 0 copies an axis that does not exist")?,
            t => extents(&[t])?[0],
        });
    }
    if let Some(i) = rest {
        let known = product(&out).ok_or("the shape is too large")?;
        out[i] = total.checked_div(known).unwrap_or(0);
    }
    if product(&out) != Some(total) {
        return Err(format!("{shape:?} does not reshape to {target:?}"));
    }
    Ok(out)
}

/// A shape with axes of extent 1 put in; `axes` count in the result.
pub(super) fn unsqueezed(shape: &[usize], axes: &[i64]) -> Result<Vec<usize>, String> {
    let rank = shape.len() + axes.len();
    let mut out = vec![0; rank];
    for &a in axes {
        let a = axis(a, rank)?;
        if std::mem::replace(&mut out[a], 1) == 1 {
            return Err(format!("axis {a} is given twice"));
        }
    }
    let mut old = shape.iter();
    for d in out.iter_mut().filter(|d| **d == 0) {
        *d = *old.next().ok_or("axes do not fit")?;
    }
    Ok(out)
}

/// The number of elements of a Range.
pub(super) fn range_length(
    start: Operand<'_>,
    limit: Operand<'_>,
    delta: Operand<'_>,
) -> Result<usize, String> {
    let read = |o: Operand<'_>, what: &str| {
        let t = o.constant.ok_or_else(|| format!("{what} is not constant"))?;
        match (t.floats(), t.integers()) {
            (Some(v), _) => v.first().copied(),
            #[expect(
                clippy::cast_precision_loss,
                reason = "a range with more than 2^53 steps does not fit memory"
            )]
            (None, Some(v)) => v.first().map(|&i| i as f64),
            _ => None,
        }
        .ok_or_else(|| format!("{what} is empty"))
    };
    let steps = ((read(limit, "limit")? - read(start, "start")?) / read(delta, "delta")?).ceil();
    if !steps.is_finite() || steps > 2f64.powi(31) {
        return Err("the range is endless".into());
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be in 0..2^31")]
    Ok(steps.max(0.0) as usize)
}

/// N, C, H, W and the block size.
pub(super) fn blocks(shape: &[usize], block: i64) -> Result<(usize, usize, usize, usize, usize), String> {
    let &[n, c, h, w] = shape else { return Err(format!("a tensor of rank {} is no image", shape.len())) };
    let b =
        usize::try_from(block).ok().filter(|&b| b > 0 && b < 1 << 16).ok_or("blocksize is not positive")?;
    Ok((n, c, h, w, b))
}

/// Resize's output shape, from `sizes` or `floor(input * scale)`.
pub(super) fn resize(
    r: &Resize,
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
fn kept_ratio(r: &Resize, shape: &[usize], axes: &[usize], sizes: &[usize]) -> Result<Vec<usize>, String> {
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
