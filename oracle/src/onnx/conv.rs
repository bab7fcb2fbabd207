//! Convolutions: Conv and ConvTranspose.
//!
//! # Definition
//! Conv (ONNX Conv-11 to 22), X `[N, C, D1…]`, W `[M, C/group, k1…]`, optional B `[M]`:
//! `Y[n, m, o] = B[m] + sum over c, k of W[m, c, k] * X[n, c of m's group, o * stride + k * dilation - pad]`, cross-correlation, zeros
//! outside X. ConvTranspose (ONNX ConvTranspose-11 to 22), W `[C, M/group, k1…]`: its adjoint,
//! `Y[n, m, o] = B[m] + sum over c, i, k with i * stride + k * dilation - pad = o of W[c, m, k] * X[n, c, i]`.
//! # Edge cases
//! `auto_pad` SAME splits an odd total with the extra cell at the end (UPPER) or the beginning (LOWER) and ignores `pads`.
//! In ConvTranspose SAME makes the output `stride` times the input, and `output_shape` replaces `pads`; there an odd total has
//! its extra cell at the end for SAME_UPPER and at the beginning otherwise. A negative total means that output cells lie outside
//! every window: they hold the bias.
//! # Numerics
//! One `dot` per output element, started at the bias, over whole patches; Conv includes the zeros of the padding as terms.

use super::error::{OpError, attribute, shape};
use super::operands::Operands;
use super::strided::{copy, elements, offsets, strides};
use super::window::{Attributes, Window, per_axis, positive, reach};
use crate::arith::Arith;
use crate::value::{Array, Value};
use halfproof_ir::DType;
use halfproof_ir::ops::{AutoPad, Conv, ConvTranspose};

/// Elements of gathered patches that are worked on together, so that a filter is read once for all of them.
const BLOCK: usize = 1 << 14;

struct Problem<'a, E> {
    dtype: DType,
    x: &'a Array<E>,
    w: &'a Array<E>,
    bias: Option<&'a Array<E>>,
    group: usize,
}

impl<'a, E: Copy> Problem<'a, E> {
    fn new(x: &Operands<'a, E>, group: i64, kernel_shape: &[i64]) -> Result<Problem<'a, E>, OpError> {
        let (dtype, data) = x.floats(0)?;
        let (_, w) = x.floats(1)?;
        let bias = x.optional_floats(2)?;
        let rank = data.shape.len();
        if rank < 3 || w.shape.len() != rank {
            return Err(shape(format!("operands of shape {:?} and {:?}", data.shape, w.shape)));
        }
        let kernel = &w.shape[2..];
        let given = kernel_shape.iter().map(|&k| usize::try_from(k).ok());
        if !kernel_shape.is_empty() && !given.eq(kernel.iter().map(|&k| Some(k))) {
            return Err(attribute(format!("kernel_shape {kernel_shape:?}, the filter has {kernel:?}")));
        }
        let group = usize::try_from(group).ok().filter(|&g| g > 0);
        let group = group.ok_or_else(|| attribute("group must be positive"))?;
        Ok(Problem { dtype, x: data, w, bias, group })
    }

    fn check(&self, channels: usize, filters: usize) -> Result<(), OpError> {
        let fits = self.x.shape[1] == channels && filters.is_multiple_of(self.group);
        if !fits {
            return Err(shape(format!(
                "{} input channels do not fit filters of shape {:?} in {} groups",
                self.x.shape[1], self.w.shape, self.group
            )));
        }
        match self.bias {
            Some(b) if b.shape != [filters] => {
                Err(shape(format!("bias of shape {:?} for {filters} channels", b.shape)))
            }
            _ => Ok(()),
        }
    }
}

/// Conv.
pub(super) fn conv<A: Arith>(op: &Conv, x: &Operands<A::E>, arith: &A) -> Result<Value<A::E>, OpError> {
    let p = Problem::new(x, op.group, &op.kernel_shape)?;
    let (filters, depth) = (p.w.shape[0], p.w.shape[1]);
    p.check(depth.saturating_mul(p.group), filters)?;
    let input = &p.x.shape[2..];
    let window = Window::new(
        input,
        &Attributes {
            auto_pad: op.auto_pad,
            kernel: &p.w.shape[2..],
            strides: &op.strides,
            dilations: &op.dilations,
            pads: &op.pads,
            ceil: false,
        },
    )?;
    let dims: Vec<usize> = [p.x.shape[0], filters].iter().chain(&window.output).copied().collect();
    let total = elements(&dims)?;
    let padded: Vec<usize> =
        (0..input.len()).map(|i| input[i] + window.before[i] + window.after[i]).collect();
    let plane = elements(&padded)?;
    elements(&[p.x.shape[1], plane])?;

    let along: Vec<usize> = strides(&padded).into_iter().map(isize::cast_unsigned).collect();
    let between = |steps: &[usize]| -> Vec<usize> { steps.iter().zip(&along).map(|(a, b)| a * b).collect() };
    // Where each window starts, and where its taps lie from there (channel by channel, as in a filter).
    let starts = offsets(&window.output, &between(&window.strides));
    let kernel: Vec<usize> = p.w.shape[1..].to_vec();
    let mut tap_steps = vec![plane];
    tap_steps.extend(between(&window.dilations));
    let taps = offsets(&kernel, &tap_steps);
    let k = taps.len();

    let zero = arith.exact(0.0);
    let mut data = vec![zero; total];
    let per_group = filters / p.group;
    let block = (BLOCK / k.max(1)).clamp(1, 64);
    let mut patches = Vec::with_capacity(block * k);
    let image = p.x.shape[1] * input.iter().product::<usize>();
    let places = starts.len();
    for n in 0..p.x.shape[0] {
        let cells = pad(&p.x.data[n * image..][..image], p.x.shape[1], input, &padded, &window.before, zero);
        for g in 0..p.group {
            let channel = g * depth * plane;
            for (b, chunk) in starts.chunks(block).enumerate() {
                patches.clear();
                for &start in chunk {
                    let cells = &cells[channel + start..];
                    patches.extend(taps.iter().map(|&t| cells[t]));
                }
                for m in g * per_group..(g + 1) * per_group {
                    let filter = &p.w.data[m * k..][..k];
                    let bias = p.bias.map(|b| b.data[m]);
                    let row = &mut data[(n * filters + m) * places + b * block..][..chunk.len()];
                    for (i, y) in row.iter_mut().enumerate() {
                        *y = arith.store(arith.dot(&patches[i * k..][..k], filter, bias), p.dtype);
                    }
                }
            }
        }
    }
    Ok(Value::Float(p.dtype, Array { shape: dims, data }))
}

/// One image `[channels, input…]` inside a frame of zeros.
fn pad<'a, E: Copy>(
    image: &'a [E],
    channels: usize,
    input: &[usize],
    padded: &[usize],
    before: &[usize],
    zero: E,
) -> std::borrow::Cow<'a, [E]> {
    if input == padded {
        return std::borrow::Cow::Borrowed(image);
    }
    let with_channels = |dims: &[usize]| -> Vec<usize> { [channels].iter().chain(dims).copied().collect() };
    let outer = with_channels(padded);
    let steps: Vec<usize> = strides(&outer).into_iter().map(isize::cast_unsigned).collect();
    let corner: usize = before.iter().zip(&steps[1..]).map(|(b, s)| b * s).sum();
    let mut cells = vec![zero; outer.iter().product()];
    let width = input[input.len() - 1];
    let rows = &with_channels(input)[..input.len()];
    if width > 0 {
        for (at, row) in offsets(rows, &steps).into_iter().zip(image.chunks_exact(width)) {
            cells[corner + at..][..width].copy_from_slice(row);
        }
    }
    std::borrow::Cow::Owned(cells)
}

/// Padding before the input and extent of the output along one axis of ConvTranspose.
fn transposed_extent(
    op: &ConvTranspose,
    axis: usize,
    n: usize,
    stride: usize,
    reach: usize,
    extra: usize,
    pads: &[usize],
) -> Result<(i64, usize), OpError> {
    let signed = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let full = signed(stride) * (signed(n) - 1) + signed(extra) + signed(reach);
    let axes = pads.len() / 2;
    let same = matches!(op.auto_pad, AutoPad::SameUpper | AutoPad::SameLower);
    let wanted = match op.output_shape.get(axis) {
        Some(&wanted) => Some(wanted),
        None if same => Some(signed(n) * signed(stride)),
        None => None,
    };
    let (before, extent) = match wanted {
        Some(wanted) => {
            let total = full - wanted;
            let less = total.div_euclid(2);
            (if op.auto_pad == AutoPad::SameUpper { less } else { total - less }, wanted)
        }
        None if op.auto_pad == AutoPad::Valid => (0, full),
        None => (signed(pads[axis]), full - signed(pads[axis]) - signed(pads[axes + axis])),
    };
    match usize::try_from(extent) {
        Ok(extent) if n > 0 => Ok((before, extent)),
        _ => Err(shape(format!("an input extent of {n} gives an output extent of {extent}"))),
    }
}

/// ConvTranspose.
pub(super) fn conv_transpose<A: Arith>(
    op: &ConvTranspose,
    x: &Operands<A::E>,
    arith: &A,
) -> Result<Value<A::E>, OpError> {
    let p = Problem::new(x, op.group, &op.kernel_shape)?;
    let (channels, per_group) = (p.w.shape[0], p.w.shape[1]);
    let filters = per_group.saturating_mul(p.group);
    p.check(channels, filters)?;
    if channels % p.group != 0 {
        return Err(shape(format!("{channels} channels in {} groups", p.group)));
    }
    let (input, kernel) = (&p.x.shape[2..], &p.w.shape[2..]);
    let axes = input.len();
    let step = positive("strides", &op.strides, axes)?;
    let dilation = positive("dilations", &op.dilations, axes)?;
    let extra = per_axis("output_padding", &op.output_padding, axes, 0)?;
    let pads = per_axis("pads", &op.pads, 2 * axes, 0)?;
    // The specification: less than the stride or the dilation of its axis.
    if (0..axes).any(|i| extra[i] != 0 && extra[i] >= step[i].max(dilation[i])) {
        return Err(attribute(format!("output_padding {extra:?} is not less than stride or dilation")));
    }
    if !op.output_shape.is_empty() && op.output_shape.len() != axes {
        return Err(attribute(format!("output_shape {:?} for {axes} spatial axes", op.output_shape)));
    }
    if kernel.contains(&0) {
        return Err(shape(format!("filter of shape {:?}", p.w.shape)));
    }
    let (mut before, mut output) = (Vec::new(), Vec::new());
    for i in 0..axes {
        let reach = reach(kernel[i], dilation[i]);
        let (b, o) = transposed_extent(op, i, input[i], step[i], reach, extra[i], &pads)?;
        before.push(b);
        output.push(o);
    }
    let dims: Vec<usize> = [p.x.shape[0], filters].iter().chain(&output).copied().collect();
    elements(&dims)?;

    // Along each axis, for each output index: the (tap, input index) pairs that meet there.
    let meeting = |i: usize, o: usize| -> Vec<(usize, usize)> {
        let meets = |k: usize| {
            let at = o as i64 + before[i] - (k * dilation[i]) as i64;
            let at = usize::try_from(at).ok().filter(|at| at.is_multiple_of(step[i]))? / step[i];
            (at < input[i]).then_some((k, at))
        };
        (0..kernel[i]).filter_map(meets).collect()
    };
    let pairs: Vec<Vec<Vec<(usize, usize)>>> =
        (0..axes).map(|i| (0..output[i]).map(|o| meeting(i, o)).collect()).collect();

    // Filters as [m][tap][c] and images as [cell][c], so that a pair contributes one run of channels.
    let depth = channels / p.group;
    let taps: usize = kernel.iter().product();
    let w = copy(
        &p.w.data,
        0,
        &[p.group, per_group, taps, depth],
        &[depth * per_group * taps, taps, 1, per_group * taps].map(usize::cast_signed),
    );
    let cells: usize = input.iter().product();
    let images = copy(
        &p.x.data,
        0,
        &[p.x.shape[0], p.group, cells, depth],
        &[channels * cells, depth * cells, 1, cells].map(usize::cast_signed),
    );
    let places: usize = output.iter().product();
    let mut data = vec![arith.exact(0.0); dims.iter().product()];
    let (mut left, mut right) = (Vec::new(), Vec::new());
    let mut index = vec![0; axes];
    for place in 0..places {
        let mut met = vec![(0, 0)];
        for i in 0..axes {
            let here = &pairs[i][index[i]];
            met = met
                .iter()
                .flat_map(|&(t, c)| here.iter().map(move |&(k, at)| (t * kernel[i] + k, c * input[i] + at)))
                .collect();
        }
        for g in 0..p.group {
            for m in 0..per_group {
                right.clear();
                for &(t, _) in &met {
                    right.extend_from_slice(&w[((g * per_group + m) * taps + t) * depth..][..depth]);
                }
                let filter = g * per_group + m;
                let bias = p.bias.map(|b| b.data[filter]);
                for n in 0..p.x.shape[0] {
                    left.clear();
                    for &(_, c) in &met {
                        left.extend_from_slice(&images[((n * p.group + g) * cells + c) * depth..][..depth]);
                    }
                    data[(n * filters + filter) * places + place] =
                        arith.store(arith.dot(&left, &right, bias), p.dtype);
                }
            }
        }
        for i in (0..axes).rev() {
            index[i] += 1;
            if index[i] < output[i] {
                break;
            }
            index[i] = 0;
        }
    }
    Ok(Value::Float(p.dtype, Array { shape: dims, data }))
}
