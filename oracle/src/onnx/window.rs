//! Sliding windows of Conv and the pools: which input cells each output cell sees.
//!
//! Sources: ONNX Conv-11 (floor), MaxPool-12 and AveragePool-19 to 22 (floor or ceil, "sliding windows that would start in the
//! right padded region are ignored"), `auto_pad` as those operators describe it. With VALID the published formula for ceil mode
//! gives the same extent as floor mode.

use super::error::{OpError, attribute, shape};
use super::strided::elements;
use halfproof_ir::ops::AutoPad;

/// The geometry of a window along every spatial axis.
pub(super) struct Window {
    /// Extent of the kernel.
    pub(super) kernel: Vec<usize>,
    /// Distance between windows.
    pub(super) strides: Vec<usize>,
    /// Distance between the taps of one window.
    pub(super) dilations: Vec<usize>,
    /// Cells of padding before the input.
    pub(super) before: Vec<usize>,
    /// Cells of padding after the input.
    pub(super) after: Vec<usize>,
    /// Extent of the output.
    pub(super) output: Vec<usize>,
}

/// Attributes as the file has them: empty lists stand for defaults.
pub(super) struct Attributes<'a> {
    pub(super) auto_pad: AutoPad,
    pub(super) kernel: &'a [usize],
    pub(super) strides: &'a [i64],
    pub(super) dilations: &'a [i64],
    pub(super) pads: &'a [i64],
    pub(super) ceil: bool,
}

/// A list of positive numbers per spatial axis; ones where the file gives none.
pub(super) fn positive(name: &str, list: &[i64], axes: usize) -> Result<Vec<usize>, OpError> {
    per_axis(name, list, axes, 1)
}

/// A list of numbers per spatial axis, none below `least`, which is also the default.
pub(super) fn per_axis(name: &str, list: &[i64], axes: usize, least: usize) -> Result<Vec<usize>, OpError> {
    if list.is_empty() {
        return Ok(vec![least; axes]);
    }
    // Larger numbers than this have no meaning for a tensor and would overflow extents.
    const MOST: usize = 1 << 28;
    let values: Option<Vec<usize>> =
        list.iter().map(|&n| usize::try_from(n).ok().filter(|n| (least..=MOST).contains(n))).collect();
    values
        .filter(|v| v.len() == axes)
        .ok_or_else(|| attribute(format!("{name} {list:?} does not fit {axes} spatial axes")))
}

/// Extent that a dilated kernel covers.
pub(super) fn reach(kernel: usize, dilation: usize) -> usize {
    (kernel - 1) * dilation + 1
}

impl Window {
    /// Geometry over an input with these spatial extents.
    pub(super) fn new(input: &[usize], a: &Attributes) -> Result<Window, OpError> {
        let axes = input.len();
        if a.kernel.len() != axes || a.kernel.contains(&0) {
            return Err(attribute(format!("kernel {:?} does not fit {axes} spatial axes", a.kernel)));
        }
        let strides = positive("strides", a.strides, axes)?;
        let dilations = positive("dilations", a.dilations, axes)?;
        let pads = per_axis("pads", a.pads, 2 * axes, 0)?;
        let (mut before, mut after) = (pads[..axes].to_vec(), pads[axes..].to_vec());
        let mut output = Vec::with_capacity(axes);
        for i in 0..axes {
            let (n, stride, reach) = (input[i], strides[i], reach(a.kernel[i], dilations[i]));
            if matches!(a.auto_pad, AutoPad::SameUpper | AutoPad::SameLower) {
                let count = n.div_ceil(stride);
                // A stride larger than the window leaves cells unseen; padding is never negative.
                let total = (count.max(1) - 1).saturating_mul(stride).saturating_add(reach).saturating_sub(n);
                let less = total / 2;
                let first = if a.auto_pad == AutoPad::SameUpper { less } else { total - less };
                (before[i], after[i]) = (first, total - first);
                output.push(count);
                continue;
            }
            if a.auto_pad == AutoPad::Valid {
                (before[i], after[i]) = (0, 0);
            }
            let padded = n + before[i] + after[i];
            let Some(room) = padded.checked_sub(reach) else {
                return Err(shape(format!(
                    "window of reach {reach} is larger than the padded extent {padded}"
                )));
            };
            let mut count = room / stride + 1;
            if a.ceil && a.auto_pad == AutoPad::NotSet && room % stride != 0 && count * stride < n + before[i]
            {
                count += 1;
            }
            output.push(count);
        }
        elements(&output)?;
        Ok(Window { kernel: a.kernel.to_vec(), strides, dilations, before, after, output })
    }

    /// Along one axis: for each output index, the kernel taps that fall inside an input of extent `n`, as
    /// (tap, input index).
    pub(super) fn taps(&self, axis: usize, n: usize) -> Vec<Vec<(usize, usize)>> {
        (0..self.output[axis])
            .map(|o| {
                let inside = |k: usize| {
                    let at =
                        (o * self.strides[axis] + k * self.dilations[axis]).checked_sub(self.before[axis])?;
                    (at < n).then_some((k, at))
                };
                (0..self.kernel[axis]).filter_map(inside).collect()
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(
        n: usize,
        auto_pad: AutoPad,
        k: usize,
        s: i64,
        d: i64,
        pads: [i64; 2],
        ceil: bool,
    ) -> (usize, usize, usize) {
        let attributes =
            Attributes { auto_pad, kernel: &[k], strides: &[s], dilations: &[d], pads: &pads, ceil };
        let w = Window::new(&[n], &attributes).unwrap();
        (w.before[0], w.after[0], w.output[0])
    }

    #[test]
    fn same_padding_is_uneven_when_the_total_is_odd() {
        assert_eq!(window(4, AutoPad::SameUpper, 2, 1, 1, [0, 0], false), (0, 1, 4));
        assert_eq!(window(4, AutoPad::SameLower, 2, 1, 1, [0, 0], false), (1, 0, 4));
        assert_eq!(window(5, AutoPad::SameUpper, 3, 2, 1, [0, 0], false), (1, 1, 3));
        assert_eq!(window(6, AutoPad::SameUpper, 3, 2, 1, [0, 0], false), (0, 1, 3));
        assert_eq!(window(5, AutoPad::SameUpper, 1, 3, 1, [0, 0], false), (0, 0, 2));
    }

    #[test]
    fn ceil_mode_adds_a_window_unless_it_would_start_in_the_padding_on_the_right() {
        assert_eq!(window(4, AutoPad::NotSet, 3, 2, 1, [0, 0], false).2, 1);
        assert_eq!(window(4, AutoPad::NotSet, 3, 2, 1, [0, 0], true).2, 2);
        // (2 + 2 - 1) / 2 + 1 rounds up to 3, but the third window would start at 4 - 1 = 3, beyond the input of 2.
        assert_eq!(window(2, AutoPad::NotSet, 1, 2, 1, [1, 1], true).2, 2);
    }

    #[test]
    fn a_window_larger_than_the_padded_input_is_an_error() {
        let attributes = Attributes {
            auto_pad: AutoPad::NotSet,
            kernel: &[3],
            strides: &[],
            dilations: &[2],
            pads: &[1, 0],
            ceil: false,
        };
        assert!(Window::new(&[3], &attributes).is_err());
    }
}
