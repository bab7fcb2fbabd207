//! Which input coordinates a filter meets along one spatial axis: SAME and VALID padding, strides, dilation.
//!
//! Definition: with extent `i`, filter `k`, stride `s`, dilation `d` and effective filter `e = (k - 1) d + 1`, the
//! result has `ceil(i / s)` (SAME) or `ceil((i - e + 1) / s)` (VALID) coordinates, and the first tap of coordinate 0
//! stands `max(0, (o - 1) s + e - i) / 2` before the input, rounded down. Taps outside the input count as absent.

use super::error::{Fault, ensure};
use super::plan::whole;
use halfproof_wire::tflite::Padding;

/// The taps of one output coordinate that fall into the input: tap `tap + n * tap_step` meets coordinate
/// `input + n * input_step` for n below `count`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) tap: usize,
    pub(super) tap_step: usize,
    pub(super) input: usize,
    pub(super) input_step: isize,
    pub(super) count: usize,
}

impl Window {
    /// The taps and the input coordinates that they meet.
    pub(super) fn pairs(self) -> impl Iterator<Item = (usize, usize)> + Clone {
        (0..self.count).map(move |n| {
            let moved = self.input_step * n.cast_signed();
            (self.tap + n * self.tap_step, self.input.saturating_add_signed(moved))
        })
    }
}

/// One axis of a convolution or pooling.
#[derive(Clone, Copy)]
pub(super) struct Geometry {
    pub(super) input: usize,
    pub(super) filter: usize,
    pub(super) stride: i32,
    pub(super) dilation: i32,
    pub(super) padding: Padding,
}

impl Geometry {
    /// Extent of the result, and how far the first window stands before the input.
    fn extent(self) -> Result<(i64, i64), Fault> {
        let Geometry { input, filter, stride, dilation, padding } = self;
        ensure!(stride > 0, "stride {stride}");
        ensure!(dilation > 0, "dilation factor {dilation}");
        ensure!(filter > 0, "filter extent 0");
        let (input, stride) = (whole(input), i64::from(stride));
        let effective = (whole(filter) - 1) * i64::from(dilation) + 1;
        let output = match padding {
            Padding::Same => (input + stride - 1) / stride,
            Padding::Valid => (input + stride - effective) / stride,
        };
        ensure!(output > 0, "a filter of extent {effective} does not fit an input of extent {input}");
        Ok((output, ((output - 1) * stride + effective - input).max(0) / 2))
    }

    /// The windows of a convolution or pooling, one per output coordinate.
    pub(super) fn sliding(self) -> Result<Vec<Window>, Fault> {
        let (output, before) = self.extent()?;
        let (stride, step) = (i64::from(self.stride), i64::from(self.dilation));
        let windows = (0..output).map(|o| {
            let origin = o * stride - before;
            let first = if origin < 0 { (-origin + step - 1) / step } else { 0 };
            let start = origin + first * step;
            let inside = (whole(self.input) - start + step - 1).div_euclid(step);
            let count = inside.min(whole(self.filter) - first).max(0);
            window(first, 1, start, self.dilation as isize, count)
        });
        Ok(windows.collect())
    }

    /// The windows of a transposed convolution with `output` coordinates: input coordinate `i` reaches output
    /// coordinate `i * stride - before + tap`, where `before` is the padding of the convolution that it transposes.
    pub(super) fn transposed(self, output: usize) -> Result<Vec<Window>, Fault> {
        let (_, before) = Geometry { input: output, ..self }.extent()?;
        let stride = i64::from(self.stride);
        let last = whole(self.input) - 1;
        let windows = (0..whole(output)).map(|o| {
            let at = o + before;
            let beyond = (at / stride - last).max(0);
            let tap = at % stride + beyond * stride;
            let from = at / stride - beyond;
            let fitting = (whole(self.filter) - 1 - tap).div_euclid(stride) + 1;
            window(tap, stride, from, -1, fitting.min(from + 1).max(0))
        });
        Ok(windows.collect())
    }
}

fn window(tap: i64, tap_step: i64, input: i64, input_step: isize, count: i64) -> Window {
    let natural = |x: i64| usize::try_from(x).unwrap_or(0);
    if count == 0 {
        return Window { tap: 0, tap_step: 1, input: 0, input_step: 1, count: 0 };
    }
    Window {
        tap: natural(tap),
        tap_step: natural(tap_step),
        input: natural(input),
        input_step,
        count: natural(count),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn padding() -> impl Strategy<Value = Padding> {
        prop_oneof![Just(Padding::Same), Just(Padding::Valid)]
    }

    proptest! {
        #[test]
        fn a_sliding_window_holds_exactly_the_taps_inside_the_input(
            input in 1usize..12, filter in 1usize..6, stride in 1i32..5, dilation in 1i32..4, padding in padding(),
        ) {
            let axis = Geometry { input, filter, stride, dilation, padding };
            let Ok((output, before)) = axis.extent() else {
                prop_assert!(padding == Padding::Valid && (filter - 1) * dilation as usize + 1 > input);
                return Ok(());
            };
            let windows = axis.sliding().unwrap();
            prop_assert_eq!(windows.len(), usize::try_from(output).unwrap());
            for (o, w) in windows.iter().enumerate() {
                let expected: Vec<(usize, usize)> = (0..filter)
                    .filter_map(|k| {
                        let at = whole(o) * i64::from(stride) - before + whole(k) * i64::from(dilation);
                        usize::try_from(at).ok().filter(|&at| at < input).map(|at| (k, at))
                    })
                    .collect();
                prop_assert_eq!(w.pairs().collect::<Vec<_>>(), expected);
            }
        }

        #[test]
        fn a_transposed_window_holds_every_input_that_reaches_the_output(
            input in 1usize..8, filter in 1usize..6, stride in 1i32..5, output in 1usize..20, padding in padding(),
        ) {
            let axis = Geometry { input, filter, stride, dilation: 1, padding };
            let Ok((_, before)) = (Geometry { input: output, ..axis }).extent() else { return Ok(()) };
            for (o, w) in axis.transposed(output).unwrap().iter().enumerate() {
                let mut expected = vec![];
                for k in 0..filter {
                    for i in 0..input {
                        if whole(i) * i64::from(stride) - before + whole(k) == whole(o) {
                            expected.push((k, i));
                        }
                    }
                }
                prop_assert_eq!(w.pairs().collect::<Vec<_>>(), expected);
            }
        }
    }

    #[test]
    fn the_odd_element_of_same_padding_goes_to_the_end() {
        let axis = Geometry { input: 4, filter: 2, stride: 1, dilation: 1, padding: Padding::Same };
        let counts: Vec<usize> = axis.sliding().unwrap().iter().map(|w| w.count).collect();
        assert_eq!(counts, [2, 2, 2, 1]);
    }

    #[test]
    fn strides_and_dilations_of_zero_are_refused() {
        let axis = Geometry { input: 4, filter: 2, stride: 0, dilation: 1, padding: Padding::Same };
        assert!(axis.sliding().is_err());
        assert!((Geometry { stride: 1, dilation: 0, ..axis }).sliding().is_err());
    }
}
