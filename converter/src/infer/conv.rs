//! Convolutions.

use super::window::{self, Attributes, image};
use super::{Site, Types};
use halfproof_ir::ops::{Conv, ConvTranspose};

pub(super) fn conv(c: &Conv, site: &Site<'_>) -> Types {
    let (x, w) = (site.need(0)?, site.need(1)?);
    let (batch, channels, spatial) = image(x.shape())?;
    let (out, per_group, kernel) = image(w.shape())?;
    let group = usize::try_from(c.group).ok().filter(|&g| g > 0).ok_or("group is not positive")?;
    if per_group * group != channels || out % group != 0 {
        return Err(format!("{channels} channels do not fit weights {:?} in {group} groups", w.shape()));
    }
    if let Some(bias) = site.at(2)
        && bias.shape() != [out]
    {
        return Err(format!("bias {:?} does not fit {out} channels", bias.shape()));
    }
    let axes = window::axes(spatial, kernel, &conv_attributes(c))?;
    site.with([batch, out].into_iter().chain(axes.iter().map(|a| a.output)).collect())
}

pub(super) fn transposed(c: &ConvTranspose, site: &Site<'_>) -> Types {
    let (x, w) = (site.need(0)?, site.need(1)?);
    let (batch, channels, spatial) = image(x.shape())?;
    let (inputs, per_group, kernel) = image(w.shape())?;
    let group = usize::try_from(c.group).ok().filter(|&g| g > 0).ok_or("group is not positive")?;
    if inputs != channels || inputs % group != 0 {
        return Err(format!("{channels} channels do not fit weights {:?}", w.shape()));
    }
    if let Some(bias) = site.at(2)
        && bias.shape() != [per_group * group]
    {
        return Err(format!("bias {:?} does not fit {} channels", bias.shape(), per_group * group));
    }
    let axes = window::transposed(spatial, kernel, c)?;
    site.with([batch, per_group * group].into_iter().chain(axes.iter().map(|a| a.output)).collect())
}

/// The window attributes of a Conv.
pub fn conv_attributes(c: &Conv) -> Attributes<'_> {
    Attributes {
        auto_pad: c.auto_pad,
        pads: &c.pads,
        strides: &c.strides,
        dilations: &c.dilations,
        ceil: false,
    }
}
