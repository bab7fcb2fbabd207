//! Pools.

use super::window::{self, Attributes, image};
use super::{Site, Type, Types, extents};
use halfproof_ir::DType;
use halfproof_ir::ops::{AveragePool, LpPool, MaxPool};

pub(super) fn max(p: &MaxPool, site: &Site<'_>) -> Types {
    let mut types = windows(&p.kernel_shape, &max_pool_attributes(p), site)?;
    if site.results > 1 {
        types.push(Type::new(DType::I64, types[0].shape.clone()));
    }
    Ok(types)
}

pub(super) fn average(p: &AveragePool, site: &Site<'_>) -> Types {
    windows(&p.kernel_shape, &average_pool_attributes(p), site)
}

pub(super) fn lp(p: &LpPool, site: &Site<'_>) -> Types {
    windows(&p.kernel_shape, &lp_pool_attributes(p), site)
}

pub(super) fn global(site: &Site<'_>) -> Types {
    let (batch, channels, spatial) = image(site.need(0)?.shape())?;
    site.with([batch, channels].into_iter().chain(spatial.iter().map(|_| 1)).collect())
}

/// One element for each window of each channel.
fn windows(kernel: &[i64], attributes: &Attributes<'_>, site: &Site<'_>) -> Types {
    let (batch, channels, spatial) = image(site.need(0)?.shape())?;
    let axes = window::axes(spatial, &kernel_shape(kernel)?, attributes)?;
    site.with([batch, channels].into_iter().chain(axes.iter().map(|a| a.output)).collect())
}

fn kernel_shape(kernel: &[i64]) -> Result<Vec<usize>, String> {
    let extents = extents(kernel)?;
    if extents.is_empty() { Err("kernel_shape is missing".into()) } else { Ok(extents) }
}

macro_rules! attributes {
    ($( $(#[$doc:meta])* $name:ident: $op:ty, )*) => { $(
        $(#[$doc])*
        pub fn $name(p: &$op) -> Attributes<'_> {
            Attributes {
                auto_pad: p.auto_pad,
                pads: &p.pads,
                strides: &p.strides,
                dilations: &p.dilations,
                ceil: p.ceil_mode,
            }
        }
    )* };
}

attributes! {
    /// The window attributes of a MaxPool.
    max_pool_attributes: MaxPool,
    /// The window attributes of an LpPool.
    lp_pool_attributes: LpPool,
    /// The window attributes of an AveragePool.
    average_pool_attributes: AveragePool,
}
