//! Operators that address single elements.

use super::{Site, Type, Types, axis};
use halfproof_ir::ops::{Compress, GatherND, TensorScatter};
use halfproof_ir::{DType, Tensor};

pub(super) fn non_zero(site: &Site<'_>) -> Types {
    let x = site.need(0)?;
    let tensor =
        x.constant.ok_or("the number of its site.results depends on elements that are not constant")?;
    Ok(vec![Type::new(DType::I64, [x.ty.rank(), places_of_non_zeros(tensor).len()])])
}

pub(super) fn gather_nd(g: &GatherND, site: &Site<'_>) -> Types {
    let (x, indices) = (site.need(0)?, site.need(1)?);
    let batch = usize::try_from(g.batch_dims).map_err(|_| "batch_dims is negative")?;
    let (&width, outer) = indices.shape().split_last().ok_or("indices are a scalar")?;
    let inner = x.shape().get(batch + width..).ok_or("indices are longer than the operand's rank")?;
    if width == 0 || outer.len() < batch || outer[..batch] != x.shape()[..batch] {
        return Err(format!("indices {:?} do not fit {:?}", indices.shape(), x.shape()));
    }
    site.with([outer, inner].concat())
}

pub(super) fn scattered(site: &Site<'_>) -> Types {
    site.need(2)?;
    site.same()
}

pub(super) fn tensor_scatter(t: &TensorScatter, site: &Site<'_>) -> Types {
    let (x, updates) = (site.need(0)?, site.need(1)?);
    let a = axis(t.axis, x.ty.rank())?;
    let fits = a > 0
        && updates.ty.rank() == x.ty.rank()
        && (0..x.ty.rank()).all(|i| i == a || updates.shape()[i] == x.shape()[i]);
    if !fits || updates.shape()[a] > x.shape()[a] {
        return Err(format!("updates {:?} do not fit {:?}", updates.shape(), x.shape()));
    }
    site.same()
}

pub(super) fn compress(c: &Compress, site: &Site<'_>) -> Types {
    let x = site.need(0)?;
    let n = site.need(1)?.integers("condition")?.iter().filter(|&&v| v != 0).count();
    let Some(a) = c.axis else { return site.with(vec![n]) };
    let mut shape = x.shape().to_vec();
    shape[axis(a, x.ty.rank())?] = n;
    site.with(shape)
}

pub(super) fn reverse_sequence(site: &Site<'_>) -> Types {
    if site.need(0)?.ty.rank() < 2 || site.need(1)?.ty.rank() != 1 {
        return Err("it has no two axes, or its lengths are no vector".into());
    }
    site.same()
}

/// The flat places of the elements that are not 0.
pub(crate) fn places_of_non_zeros(tensor: &Tensor) -> Vec<usize> {
    match tensor.floats() {
        Some(v) => (0..v.len()).filter(|&i| v[i] != 0.0).collect(),
        None => {
            let v = tensor.integers().unwrap_or_default();
            (0..v.len()).filter(|&i| v[i] != 0).collect()
        }
    }
}
