//! Operators that make or change shapes.

use super::{Operand, Site, Type, Types, axis, broadcast, extents, reduce};
use halfproof_ir::DType;
use halfproof_ir::ops::{ConstantOfShape, EyeLike, Flatten, Reshape, Shape};

pub(super) fn eye_like(e: &EyeLike, site: &Site<'_>) -> Types {
    let x = site.need(0)?;
    if x.ty.rank() != 2 {
        return Err(format!("a tensor of rank {} is no matrix", x.ty.rank()));
    }
    Ok(vec![Type::new(e.dtype.unwrap_or(x.ty.dtype), x.shape())])
}

pub(super) fn shape_of(s: &Shape, site: &Site<'_>) -> Types {
    let rank = site.need(0)?.ty.rank().cast_signed() as i64;
    let clamp = |i: i64| (if i < 0 { i + rank } else { i }).clamp(0, rank);
    let len = (clamp(s.end.unwrap_or(rank)) - clamp(s.start)).max(0);
    Ok(vec![Type::new(DType::I64, [usize::try_from(len).unwrap_or(0)])])
}

pub(super) fn reshape(r: &Reshape, site: &Site<'_>) -> Types {
    site.with(reshaped(site.need(0)?.shape(), &site.need(1)?.integers("shape")?, r.allowzero)?)
}

pub(super) fn flatten(f: &Flatten, site: &Site<'_>) -> Types {
    let x = site.need(0)?;
    let rank = x.ty.rank();
    let a = if f.axis == rank.cast_signed() as i64 { rank } else { axis(f.axis, rank)? };
    site.with(vec![x.shape()[..a].iter().product(), x.shape()[a..].iter().product()])
}

pub(super) fn squeeze(site: &Site<'_>) -> Types {
    let x = site.need(0)?;
    let axes = match site.at(1) {
        Some(axes) => {
            axes.integers("axes")?.iter().map(|&a| axis(a, x.ty.rank())).collect::<Result<_, _>>()?
        }
        None => (0..x.ty.rank()).filter(|&i| x.shape()[i] == 1).collect::<Vec<_>>(),
    };
    if let Some(&a) = axes.iter().find(|&&a| x.shape()[a] != 1) {
        return Err(format!("axis {a} has extent {}, not 1", x.shape()[a]));
    }
    site.with(reduce::reduced(x.shape(), &axes, false))
}

pub(super) fn unsqueeze(site: &Site<'_>) -> Types {
    let x = site.need(0)?;
    site.with(unsqueezed(x.shape(), &site.need(1)?.integers("axes")?)?)
}

pub(super) fn expand(site: &Site<'_>) -> Types {
    let target = extents(&site.need(1)?.integers("shape")?)?;
    site.with(broadcast(&[site.need(0)?.shape(), &target])?)
}

pub(super) fn tile(site: &Site<'_>) -> Types {
    let x = site.need(0)?;
    let repeats = extents(&site.need(1)?.integers("repeats")?)?;
    if repeats.len() != x.ty.rank() {
        return Err(format!("repeats has {} elements where the rank is {}", repeats.len(), x.ty.rank()));
    }
    site.with(x.shape().iter().zip(&repeats).map(|(d, r)| d * r).collect())
}

pub(super) fn constant(c: &ConstantOfShape, site: &Site<'_>) -> Types {
    let dtype = c.value.as_ref().map_or(DType::F32, |t| t.dtype());
    Ok(vec![Type::new(dtype, extents(&site.need(0)?.integers("shape")?)?)])
}

pub(super) fn range(site: &Site<'_>) -> Types {
    site.with(vec![range_length(site.need(0)?, site.need(1)?, site.need(2)?)?])
}

/// Reshape's rules for 0 (copy) and -1 (the rest).
fn reshaped(shape: &[usize], target: &[i64], allow_zero: bool) -> Result<Vec<usize>, String> {
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
fn unsqueezed(shape: &[usize], axes: &[i64]) -> Result<Vec<usize>, String> {
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
fn range_length(start: Operand<'_>, limit: Operand<'_>, delta: Operand<'_>) -> Result<usize, String> {
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
