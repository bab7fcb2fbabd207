//! The DFT and its windows.

use super::{Site, Type, Types, axis};
use halfproof_ir::DType;
use halfproof_ir::ops::DFT;

pub(super) fn dft(d: &DFT, site: &Site<'_>) -> Types {
    let x = site.need(0)?;
    let rank = x.ty.rank();
    let one = |i: usize, what: &str| {
        site.at(i).map(|v| v.integers(what)).transpose().map(|v| v.and_then(|v| v.first().copied()))
    };
    let a = axis(one(2, "axis")?.unwrap_or(-2), rank)?;
    let parts = x.shape().last().copied().unwrap_or(0);
    if a + 1 == rank || !matches!(parts, 1 | 2) {
        return Err(format!("{:?} is no signal along axis {a}", x.shape()));
    }
    if d.onesided && (d.inverse || parts == 2) {
        return Err("one-sided transforms are supported for real signals, not inverse ones".into());
    }
    let length = match one(1, "dft_length")? {
        Some(n) => usize::try_from(n).map_err(|_| "dft_length is negative")?,
        None => x.shape()[a],
    };
    let mut shape = x.shape().to_vec();
    shape[a] = if d.onesided { length / 2 + 1 } else { length };
    shape[rank - 1] = 2;
    site.with(shape)
}

pub(super) fn window(output_datatype: DType, site: &Site<'_>) -> Types {
    let &[n] = &site.need(0)?.integers("size")?[..] else { return Err("size is not one number".into()) };
    Ok(vec![Type::new(output_datatype, [usize::try_from(n).map_err(|_| "size is negative")?])])
}
