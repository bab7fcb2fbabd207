//! Conv and ConvTranspose on images and sequences: grouped, depthwise, dilated, strided, asymmetric pads, odd kernels.

use super::super::graph::{Builder, Item, Span};
use super::super::shapes::window;
use halfproof_ir::DType;
use halfproof_ir::ops::{AutoPad, Conv, ConvTranspose};

/// A pool tensor of shape [N, C, spatial...] with one or two spatial axes, seldom three.
fn volume(b: &mut Builder<'_>) -> Option<Item> {
    if b.dna.chance(1, 4)
        && let Some(x) = b.float(|i| i.rank() == 5 && is_moderate(i))
    {
        return Some(x);
    }
    image(b)
}

/// A pool tensor of shape [N, C, spatial...] with one or two spatial axes.
pub(super) fn image(b: &mut Builder<'_>) -> Option<Item> {
    b.float(|i| matches!(i.rank(), 3 | 4) && is_moderate(i))
}

/// Few channels, and a span whose sums stay in range.
fn is_moderate(i: &Item) -> bool {
    i.shape[1] <= 32 && i.span.radius() < 2e3
}

/// The span of a sum of `k` products with weights scaled by 1/sqrt(k).
pub(super) fn mixed(x: Span) -> Span {
    Span::around_zero(x.radius() * 2.0 + 1.0)
}

/// Number of groups: usually 1, sometimes one per channel, sometimes another divisor.
fn groups(b: &mut Builder<'_>, channels: usize) -> usize {
    match b.dna.below(4) {
        0 | 1 => 1,
        2 => channels,
        _ => *[4, 3, 2].iter().find(|&&g| channels.is_multiple_of(g)).unwrap_or(&1),
    }
}

pub(super) fn conv(b: &mut Builder<'_>) -> Option<Item> {
    let x = volume(b)?;
    let spatial = &x.shape[2..];
    let channels = x.shape[1];
    let group = groups(b, channels);
    let per_group = *b.dna.pick(&[1, 2, 3, 4, 1]);
    let out_channels = group * per_group;
    let mut op = Conv { group: group as i64, ..Conv::default() };
    let mut out = vec![x.shape[0], out_channels];
    let mut kernel = vec![];
    let scheme = *b.dna.pick(&[
        AutoPad::NotSet,
        AutoPad::NotSet,
        AutoPad::NotSet,
        AutoPad::SameUpper,
        AutoPad::Valid,
        AutoPad::SameLower,
    ]);
    let (mut begins, mut ends) = (vec![], vec![]);
    for &extent in spatial {
        let d = *b.dna.pick(&[1, 1, 1, 2, 3]);
        let s = *b.dna.pick(&[1, 1, 2, 3]);
        let most = (extent.saturating_sub(1)) / d + 1;
        let k = (*b.dna.pick(&[3, 1, 2, 5, 4, 7])).min(most.max(1));
        let d = if k == 1 { 1 } else { d };
        let (begin, end) = match scheme {
            AutoPad::NotSet => {
                let p = b.dna.between(0, d * (k - 1));
                (p, if b.dna.chance(1, 3) { b.dna.between(0, d * (k - 1)) } else { p })
            }
            _ => (0, 0),
        };
        out.push(match scheme {
            AutoPad::SameUpper | AutoPad::SameLower => extent.div_ceil(s),
            _ => window(extent, k, s, d, begin, end, false)?,
        });
        kernel.push(k);
        op.kernel_shape.push(k as i64);
        op.strides.push(s as i64);
        op.dilations.push(d as i64);
        begins.push(begin as i64);
        ends.push(end as i64);
    }
    op.auto_pad = scheme;
    if scheme == AutoPad::NotSet {
        op.pads = [begins, ends].concat();
    }
    let fan_in = channels / group * kernel.iter().product::<usize>();
    let w_shape = [&[out_channels, channels / group], kernel.as_slice()].concat();
    let (w, _) = b.weights(&w_shape, 1.0 / (fan_in as f64).sqrt());
    let mut inputs = vec![x.id, w];
    if b.dna.chance(2, 3) {
        inputs.push(b.weights(&[out_channels], 0.5).0);
    }
    b.emit(op, &inputs, DType::F32, out, mixed(x.span))
}

pub(super) fn conv_transpose(b: &mut Builder<'_>) -> Option<Item> {
    let x = volume(b)?;
    let spatial = &x.shape[2..];
    let channels = x.shape[1];
    let group = groups(b, channels);
    let per_group = *b.dna.pick(&[1, 2, 3, 4]);
    let out_channels = group * per_group;
    let mut op = ConvTranspose { group: group as i64, ..ConvTranspose::default() };
    let mut out = vec![x.shape[0], out_channels];
    let mut kernel = vec![];
    let (mut begins, mut ends) = (vec![], vec![]);
    for &extent in spatial {
        let k = *b.dna.pick(&[2, 3, 4, 1]);
        let s = (*b.dna.pick(&[2, 1, 2, 3])).min(k.max(1));
        let d = *b.dna.pick(&[1, 1, 1, 2]);
        let extra = if b.dna.chance(1, 4) { b.dna.below(s) } else { 0 };
        let whole = s * (extent - 1) + d * (k - 1) + 1 + extra;
        let p = b.dna.between(0, (k - 1) / 2).min(whole.saturating_sub(1) / 2);
        out.push(whole - 2 * p);
        kernel.push(k);
        op.kernel_shape.push(k as i64);
        op.strides.push(s as i64);
        op.dilations.push(d as i64);
        op.output_padding.push(extra as i64);
        begins.push(p as i64);
        ends.push(p as i64);
    }
    op.pads = [begins, ends].concat();
    let fan_in = channels / group * kernel.iter().product::<usize>();
    let w_shape = [&[channels, per_group], kernel.as_slice()].concat();
    let (w, _) = b.weights(&w_shape, 1.0 / (fan_in as f64).sqrt());
    let mut inputs = vec![x.id, w];
    if b.dna.chance(1, 2) {
        inputs.push(b.weights(&[out_channels], 0.5).0);
    }
    b.emit(op, &inputs, DType::F32, out, mixed(x.span))
}
