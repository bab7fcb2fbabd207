//! Decides where the windows of convolutions and pools lie, axis by axis.
//!
//! Source: the ONNX operator specification, `Conv`, `ConvTranspose`, `MaxPool`, `AveragePool` (attributes `auto_pad`,
//! `pads`, `strides`, `dilations`, `ceil_mode`, `output_padding`, `output_shape`).

use halfproof_ir::ops::{AutoPad, ConvTranspose};

/// The windows along one spatial axis, everything in elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axis {
    /// Extent of the input.
    pub input: usize,
    /// Taps of the kernel.
    pub kernel: usize,
    /// Distance between windows.
    pub stride: usize,
    /// Distance between taps.
    pub dilation: usize,
    /// Padding before the input.
    pub begin: usize,
    /// Padding after the input, as the node says it.
    pub end: usize,
    /// Extent of the output: the number of windows.
    pub output: usize,
}

impl Axis {
    /// From the first to the last tap.
    pub fn reach(&self) -> usize {
        (self.kernel - 1) * self.dilation + 1
    }

    /// Padding after the input that some window really reads; negative when the last elements are never read.
    pub fn end_read(&self) -> isize {
        let last = (self.output - 1) * self.stride + self.reach();
        last.cast_signed() - self.input.cast_signed() - self.begin.cast_signed()
    }

    /// The positions inside the input that a window covers.
    pub fn taps(&self, window: usize) -> impl Iterator<Item = usize> + use<> {
        let Axis { input, kernel, stride, dilation, begin, .. } = *self;
        (0..kernel).map(move |k| window * stride + k * dilation).filter_map(move |p| {
            let p = p.checked_sub(begin)?;
            (p < input).then_some(p)
        })
    }
}

/// The attributes that convolutions and pools share.
pub struct Attributes<'a> {
    /// `auto_pad`.
    pub auto_pad: AutoPad,
    /// `pads`: all begins, then all ends.
    pub pads: &'a [i64],
    /// `strides`.
    pub strides: &'a [i64],
    /// `dilations`.
    pub dilations: &'a [i64],
    /// `ceil_mode`.
    pub ceil: bool,
}

/// The windows along every spatial axis of a convolution or pool.
///
/// # Errors
/// When an attribute has the wrong length, is not positive, or leaves no window.
pub fn axes(input: &[usize], kernel: &[usize], attributes: &Attributes<'_>) -> Result<Vec<Axis>, String> {
    let rank = input.len();
    if kernel.len() != rank {
        return Err(format!("a kernel of rank {} does not fit {rank} spatial axes", kernel.len()));
    }
    let strides = positive(attributes.strides, rank, "strides")?;
    let dilations = positive(attributes.dilations, rank, "dilations")?;
    let pads = pads(attributes.pads, rank)?;
    (0..rank)
        .map(|i| {
            let (stride, dilation) = (strides[i], dilations[i]);
            if kernel[i] == 0 || input[i] == 0 {
                return Err("an axis of the kernel or of the input is empty".to_string());
            }
            let reach = (kernel[i] - 1) * dilation + 1;
            let (begin, end) = match attributes.auto_pad {
                AutoPad::NotSet => (pads[i], pads[rank + i]),
                AutoPad::Valid => (0, 0),
                AutoPad::SameUpper | AutoPad::SameLower => {
                    let total = ((input[i].div_ceil(stride) - 1) * stride + reach).saturating_sub(input[i]);
                    let small = total / 2;
                    match attributes.auto_pad {
                        AutoPad::SameUpper => (small, total - small),
                        _ => (total - small, small),
                    }
                }
            };
            let room = (input[i] + begin + end).checked_sub(reach).ok_or_else(|| {
                format!("a window of {reach} does not fit {} elements", input[i] + begin + end)
            })?;
            let mut output = if attributes.ceil { room.div_ceil(stride) } else { room / stride } + 1;
            // A window that would start in the padding after the input is left out.
            if attributes.ceil && (output - 1) * stride >= input[i] + begin {
                output -= 1;
            }
            Ok(Axis { input: input[i], kernel: kernel[i], stride, dilation, begin, end, output })
        })
        .collect()
}

/// One spatial axis of a transposed convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransposedAxis {
    /// Extent of the input.
    pub input: usize,
    /// Taps of the kernel.
    pub kernel: usize,
    /// Distance between the places that two neighbours of the input write to.
    pub stride: usize,
    /// Distance between taps.
    pub dilation: usize,
    /// Elements cut at the beginning of the full result; negative when zeros are added there.
    pub begin: isize,
    /// Extent of the output.
    pub output: usize,
}

impl TransposedAxis {
    /// From the first to the last tap.
    pub fn reach(&self) -> usize {
        (self.kernel - 1) * self.dilation + 1
    }

    /// Extent of the result before anything is cut.
    pub fn full(&self) -> usize {
        (self.input - 1) * self.stride + self.reach()
    }
}

/// The geometry of a transposed convolution.
///
/// # Errors
/// When an attribute has the wrong length or the output would be empty.
pub fn transposed(
    input: &[usize],
    kernel: &[usize],
    op: &ConvTranspose,
) -> Result<Vec<TransposedAxis>, String> {
    let rank = input.len();
    if kernel.len() != rank {
        return Err(format!("a kernel of rank {} does not fit {rank} spatial axes", kernel.len()));
    }
    let strides = positive(&op.strides, rank, "strides")?;
    let dilations = positive(&op.dilations, rank, "dilations")?;
    let pads = pads(&op.pads, rank)?;
    let extra = match op.output_padding.len() {
        0 => vec![0; rank],
        n if n == rank => unsigned(&op.output_padding, "output_padding has a value")?,
        _ => return Err("output_padding has the wrong length".into()),
    };
    let wanted = match op.output_shape.len() {
        0 => None,
        n if n == rank => Some(unsigned(&op.output_shape, "output_shape has a value")?),
        n if n == rank + 2 => Some(unsigned(&op.output_shape[2..], "output_shape has a value")?),
        _ => return Err("output_shape has the wrong length".into()),
    };
    (0..rank)
        .map(|i| {
            let (stride, dilation) = (strides[i], dilations[i]);
            if kernel[i] == 0 || input[i] == 0 {
                return Err("an axis of the kernel or of the input is empty".to_string());
            }
            if extra[i] != 0 && extra[i] >= stride.max(dilation) {
                return Err("output_padding is not less than the stride or the dilation".to_string());
            }
            let full = ((input[i] - 1) * stride + (kernel[i] - 1) * dilation + 1 + extra[i]).cast_signed();
            let wanted = match (&wanted, op.auto_pad) {
                (Some(shape), _) => Some(shape[i].cast_signed()),
                (None, AutoPad::SameUpper | AutoPad::SameLower) => Some((input[i] * stride).cast_signed()),
                _ => None,
            };
            let (begin, output) = match wanted {
                Some(output) => {
                    let total = full - output;
                    let small = total.div_euclid(2);
                    (if op.auto_pad == AutoPad::SameUpper { small } else { total - small }, output)
                }
                None if op.auto_pad == AutoPad::Valid => (0, full),
                None => {
                    let (begin, end) = (pads[i].cast_signed(), pads[rank + i].cast_signed());
                    (begin, full - begin - end)
                }
            };
            let output =
                usize::try_from(output).ok().filter(|&n| n > 0).ok_or("the output would be empty")?;
            Ok(TransposedAxis { input: input[i], kernel: kernel[i], stride, dilation, begin, output })
        })
        .collect()
}

fn positive(values: &[i64], rank: usize, what: &str) -> Result<Vec<usize>, String> {
    if values.is_empty() {
        return Ok(vec![1; rank]);
    }
    let values = unsigned(values, format_args!("{what} has a value"))?;
    if values.len() != rank || values.contains(&0) {
        return Err(format!("{what} must be {rank} positive integers"));
    }
    Ok(values)
}

fn pads(values: &[i64], rank: usize) -> Result<Vec<usize>, String> {
    if values.is_empty() {
        return Ok(vec![0; 2 * rank]);
    }
    let values = unsigned(values, "pads has a value")?;
    if values.len() != 2 * rank {
        return Err(format!("pads must have {} entries", 2 * rank));
    }
    Ok(values)
}

/// Non-negative integers, small enough that sums of a few never overflow; `subject` is what an error says of one that is not.
pub(super) fn unsigned(values: &[i64], subject: impl std::fmt::Display) -> Result<Vec<usize>, String> {
    values
        .iter()
        .map(|&v| {
            usize::try_from(v)
                .ok()
                .filter(|&v| v < 1 << 31)
                .ok_or_else(|| format!("{subject} out of range: {v}"))
        })
        .collect()
}

/// Batch, channels and spatial extents of an N, C, spatial… tensor.
pub(super) fn image(shape: &[usize]) -> Result<(usize, usize, &[usize]), String> {
    match shape {
        [n, c, spatial @ ..] if !spatial.is_empty() => Ok((*n, *c, spatial)),
        _ => Err(format!("a tensor of rank {} has no spatial axes", shape.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn attributes(
        auto_pad: AutoPad,
        pads: &'static [i64],
        stride: &'static [i64],
        ceil: bool,
    ) -> Attributes<'static> {
        Attributes { auto_pad, pads, strides: stride, dilations: &[], ceil }
    }

    #[test]
    fn same_lower_puts_the_odd_element_first() {
        let upper = axes(&[4], &[3], &attributes(AutoPad::SameUpper, &[], &[2], false)).unwrap()[0];
        let lower = axes(&[4], &[3], &attributes(AutoPad::SameLower, &[], &[2], false)).unwrap()[0];
        assert_eq!((upper.begin, upper.end, upper.output), (0, 1, 2));
        assert_eq!((lower.begin, lower.end, lower.output), (1, 0, 2));
    }

    #[test]
    fn ceil_mode_leaves_out_a_window_that_would_start_in_the_padding() {
        let axis = axes(&[2], &[1], &attributes(AutoPad::NotSet, &[0, 1], &[2], true)).unwrap()[0];
        assert_eq!(axis.output, 1);
        let axis = axes(&[6], &[3], &attributes(AutoPad::NotSet, &[0, 0], &[2], true)).unwrap()[0];
        assert_eq!((axis.output, axis.end_read()), (3, 1));
    }

    #[test]
    fn a_window_larger_than_its_input_is_refused() {
        let error = axes(&[2], &[5], &attributes(AutoPad::NotSet, &[1, 1], &[], false)).unwrap_err();
        assert_eq!(error, "a window of 5 does not fit 4 elements");
    }

    #[test]
    fn an_output_shape_decides_the_padding_of_a_transposed_convolution() {
        let op = ConvTranspose { output_shape: vec![10], strides: vec![3], ..ConvTranspose::default() };
        let axis = transposed(&[3], &[3], &op).unwrap()[0];
        assert_eq!((axis.full(), axis.begin, axis.output), (9, 0, 10));
    }

    proptest! {
        #[test]
        fn every_window_stays_within_the_padded_input(input in 1usize..20, kernel in 1usize..5, stride in 1i64..4, begin in 0i64..3, end in 0i64..3) {
            let pads = [begin, end];
            let strides = [stride];
            let attributes = Attributes { auto_pad: AutoPad::NotSet, pads: &pads, strides: &strides, dilations: &[], ceil: false };
            if let Ok(axes) = axes(&[input], &[kernel], &attributes) {
                let axis = axes[0];
                prop_assert!(axis.end_read() <= end as isize);
                prop_assert!(axis.end_read() > end as isize - stride as isize);
            }
        }
    }
}
