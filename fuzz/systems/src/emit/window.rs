//! Padding of sliding windows in numbers, from the shapes that are known: every form has a word for the plain case only.

use halfproof_ir::ops::{self, AutoPad};

/// What a convolution or a pool says of its windows; empty lists mean the defaults.
pub(super) struct Window<'a> {
    pub(super) auto: AutoPad,
    pub(super) pads: &'a [i64],
    pub(super) kernel: &'a [i64],
    pub(super) strides: &'a [i64],
    pub(super) dilations: &'a [i64],
}

macro_rules! of_pools {
    ($($pool:ident)*) => {$(
        impl<'a> From<&'a ops::$pool> for Window<'a> {
            fn from(op: &'a ops::$pool) -> Window<'a> {
                Window {
                    auto: op.auto_pad,
                    pads: &op.pads,
                    kernel: &op.kernel_shape,
                    strides: &op.strides,
                    dilations: &op.dilations,
                }
            }
        }
    )*};
}

of_pools! { MaxPool AveragePool LpPool }

impl Window<'_> {
    /// Begin and end of every spatial axis so that windows without any further padding give `result`; the end is negative
    /// where no window reaches the last elements.
    pub(super) fn padding(&self, input: &[usize], result: &[usize]) -> Vec<(i64, i64)> {
        let rank = self.kernel.len();
        let of = |given: &[i64], i: usize, otherwise: i64| given.get(i).copied().unwrap_or(otherwise);
        (0..rank)
            .map(|i| {
                let reach = (self.kernel[i] - 1) * of(self.dilations, i, 1) + 1;
                let (x, y) = (input[i] as i64, result[i] as i64);
                let total = (y - 1) * of(self.strides, i, 1) + reach - x;
                let begin = match self.auto {
                    AutoPad::NotSet => of(self.pads, i, 0),
                    AutoPad::Valid => 0,
                    AutoPad::SameUpper => total.max(0) / 2,
                    AutoPad::SameLower => total.max(0) - total.max(0) / 2,
                };
                (begin, total - begin)
            })
            .collect()
    }

    /// True where the padding at the end is more than the operator says: what `ceil_mode` adds.
    pub(super) fn beyond(&self, padding: &[(i64, i64)]) -> bool {
        let rank = self.kernel.len();
        let said = |i: usize| self.pads.get(rank + i).copied().unwrap_or(0);
        self.auto == AutoPad::NotSet && padding.iter().enumerate().any(|(i, p)| p.1 > said(i))
    }
}

/// `given`, or ones where nothing is given.
pub(super) fn or_ones(given: &[i64], rank: usize) -> Vec<i64> {
    if given.is_empty() { vec![1; rank] } else { given.to_vec() }
}

/// Which element of an axis each place of the padded axis shows: `mode` is reflect, edge or wrap.
pub(super) fn shown(mode: halfproof_ir::ops::PadMode, extent: i64, begin: i64, end: i64) -> Vec<i64> {
    use halfproof_ir::ops::PadMode;
    (-begin..extent + end)
        .map(|i| match mode {
            PadMode::Constant | PadMode::Edge => i.clamp(0, extent - 1),
            PadMode::Wrap => i.rem_euclid(extent),
            PadMode::Reflect => {
                let period = (2 * (extent - 1)).max(1);
                let at = i.rem_euclid(period);
                if at < extent { at } else { period - at }
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use halfproof_ir::ops::PadMode;

    #[test]
    fn padding_follows_from_the_shapes() {
        let window =
            |auto, pads: &'static [i64]| Window { auto, pads, kernel: &[3], strides: &[2], dilations: &[] };
        assert_eq!(window(AutoPad::SameUpper, &[]).padding(&[4], &[2]), [(0, 1)]);
        assert_eq!(window(AutoPad::SameLower, &[]).padding(&[4], &[2]), [(1, 0)]);
        // The last element is in no window.
        assert_eq!(window(AutoPad::Valid, &[]).padding(&[4], &[1]), [(0, -1)]);
        // With ceil_mode one window more than the padding allows for.
        let ceiled = window(AutoPad::NotSet, &[1, 0]);
        let padding = ceiled.padding(&[5], &[3]);
        assert_eq!(padding, [(1, 1)]);
        assert!(ceiled.beyond(&padding));
    }

    #[test]
    fn padded_axes_show_elements_again() {
        assert_eq!(shown(PadMode::Reflect, 3, 2, 1), [2, 1, 0, 1, 2, 1]);
        assert_eq!(shown(PadMode::Edge, 3, 2, 1), [0, 0, 0, 1, 2, 2]);
        assert_eq!(shown(PadMode::Wrap, 3, 2, 1), [1, 2, 0, 1, 2, 0]);
        assert_eq!(shown(PadMode::Reflect, 1, 1, 1), [0, 0, 0]);
        assert_eq!(shown(PadMode::Edge, 3, -1, -1), [1]);
    }
}
