//! CONV_2D, DEPTHWISE_CONV_2D, CONV_3D and TRANSPOSE_CONV: what they read, and the sums of products they are.
//!
//! # Definition
//! Activations are [batch, (depth,) height, width, channels]. Filters are CONV_2D and TRANSPOSE_CONV [out, height, width,
//! in], DEPTHWISE_CONV_2D [1, height, width, out], CONV_3D [depth, height, width, in, out]. A convolution gives
//! `sum over taps and channels of input * filter + bias`; paddings and windows are those of `window.rs`. A CONV_2D
//! whose filter has fewer input channels than the input is grouped; channel `o` of a depthwise one reads input channel
//! `o / depth_multiplier`. TRANSPOSE_CONV is the transpose of the convolution that takes its result's shape (operand
//! 0) to its input's.
//!
//! # Edge cases
//! Taps outside the input are absent (they are not products with zero, so an infinite weight there does no harm). A
//! CONV_2D needs its bias, the others do without. A
//! TRANSPOSE_CONV may ask for a larger result than its input reaches: the rest is the bias.
//!
//! # Numerics
//! One [`Arith::dot`] per result element with the bias as its start, then the fused activation, then the store.

use super::activation::Fused;
use super::error::{Fault, ensure};
use super::operands::{Done, Exec};
use super::plan::{self, Call, Operand, Planned, strides, table, whole};
use super::window::{Geometry, Window};
use crate::arith::Arith;
use halfproof_wire::tflite::Activation;

/// Result positions that are gathered before the filters run over them.
const BLOCK: usize = 16;

/// A planned convolution of any kind, over three spatial axes (the missing ones have extent 1).
#[derive(Clone, Debug)]
pub(super) struct Conv {
    /// Positions of input, filter and bias among the operands.
    operands: [usize; 3],
    batch: usize,
    /// Coordinates of every axis that use the same taps.
    classes: [Vec<Class>; 3],
    /// Elements between neighbours of the input along batch, depth, height and width; channels are side by side.
    input: [usize; 4],
    /// Elements between neighbours of the result, likewise.
    output: [usize; 4],
    groups: usize,
    group_inputs: usize,
    group_outputs: usize,
    filter: Filter,
    fused: Fused,
}

/// Elements between neighbours of the filter.
#[derive(Clone, Copy, Debug)]
struct Filter {
    output: usize,
    taps: [usize; 3],
    input: usize,
    /// Taps along every axis.
    extents: [usize; 3],
    /// True when the rows of all output channels lie in memory as [taps, inputs].
    rows: bool,
}

/// Output coordinates of one axis whose windows use the same taps.
#[derive(Clone, Debug)]
struct Class {
    window: Window,
    /// Output coordinate and its window.
    members: Vec<(usize, Window)>,
}

fn classes(windows: &[Window]) -> Vec<Class> {
    let mut classes: Vec<Class> = vec![];
    for (at, &window) in windows.iter().enumerate() {
        let same = |c: &&mut Class| {
            (c.window.tap, c.window.tap_step, c.window.count) == (window.tap, window.tap_step, window.count)
        };
        match classes.iter_mut().rev().find(same) {
            Some(class) => class.members.push((at, window)),
            None => classes.push(Class { window, members: vec![(at, window)] }),
        }
    }
    classes
}

/// What the kinds of convolution have in common before their plan.
struct Parts<'a> {
    operands: [usize; 3],
    /// [batch, depth, height, width, channels].
    input: [usize; 5],
    windows: [Vec<Window>; 3],
    groups: usize,
    outputs: usize,
    filter: Filter,
    activation: Activation,
    call: &'a Call<'a>,
}

impl Parts<'_> {
    fn finish(self, flat: bool) -> Result<Planned, Fault> {
        let [batch, depth, height, width, channels] = self.input;
        let extents = [self.windows[0].len(), self.windows[1].len(), self.windows[2].len()];
        let full = plan::shape(&[batch, extents[0], extents[1], extents[2], self.outputs].map(whole))?;
        if let Some(bias) = self.call.optional_float(self.operands[2])? {
            ensure!(
                bias.len() == self.outputs,
                "bias of shape {:?} for {} channels",
                bias.shape,
                self.outputs
            );
        }
        let shape = if flat { vec![full[0], full[2], full[3], full[4]] } else { full.clone() };
        let leading = |shape: &[usize]| {
            let s = strides(shape);
            [s[0], s[1], s[2], s[3]]
        };
        let conv = Conv {
            operands: self.operands,
            batch,
            classes: self.windows.map(|w| classes(&w)),
            input: leading(&[batch, depth, height, width, channels]),
            output: leading(&full),
            groups: self.groups,
            group_inputs: channels / self.groups,
            group_outputs: self.outputs / self.groups,
            filter: self.filter,
            fused: Fused::new(self.activation)?,
        };
        Planned::one(conv, shape)
    }
}

fn no_depth() -> Vec<Window> {
    vec![Window { tap: 0, tap_step: 1, input: 0, input_step: 1, count: 1 }]
}

fn nhwc(operand: Operand<'_>) -> Result<[usize; 5], Fault> {
    plan::rank("the input", operand.shape, 4)?;
    let s = operand.shape;
    Ok([s[0], 1, s[1], s[2], s[3]])
}

/// Plans CONV_2D.
pub(super) fn plan_2d(call: &Call<'_>) -> Result<Planned, Fault> {
    call.arity(3, 3, 1)?;
    let o = table!(call, Conv2D)?;
    let (x, filter) = (call.float(0)?, call.float(1)?);
    let input = nhwc(x)?;
    plan::rank("the filter", filter.shape, 4)?;
    let [outputs, fh, fw, inputs] = [filter.shape[0], filter.shape[1], filter.shape[2], filter.shape[3]];
    let channels = input[4];
    ensure!(
        inputs > 0 && channels > 0 && channels % inputs == 0,
        "{channels} input channels for a filter of shape {:?}",
        filter.shape
    );
    let groups = channels / inputs;
    ensure!(outputs % groups == 0, "{groups} groups for {outputs} output channels");
    let axis = |input, filter, stride, dilation| {
        Geometry { input, filter, stride, dilation, padding: o.padding }.sliding()
    };
    let windows = [
        no_depth(),
        axis(input[2], fh, o.stride_h, o.dilation_h_factor)?,
        axis(input[3], fw, o.stride_w, o.dilation_w_factor)?,
    ];
    let s = strides(filter.shape);
    let filter = Filter { output: s[0], taps: [0, s[1], s[2]], input: 1, extents: [1, fh, fw], rows: true };
    let activation = o.fused_activation_function;
    Parts { operands: [0, 1, 2], input, windows, groups, outputs, filter, activation, call }.finish(true)
}

/// Plans DEPTHWISE_CONV_2D. The multiplier follows from the shapes; the option must agree unless it is 0.
pub(super) fn plan_depthwise(call: &Call<'_>) -> Result<Planned, Fault> {
    call.arity(2, 3, 1)?;
    let o = table!(call, DepthwiseConv2D)?;
    let (x, filter) = (call.float(0)?, call.float(1)?);
    let input = nhwc(x)?;
    plan::rank("the filter", filter.shape, 4)?;
    let [one, fh, fw, outputs] = [filter.shape[0], filter.shape[1], filter.shape[2], filter.shape[3]];
    let groups = input[4];
    ensure!(one == 1, "filter of shape {:?}, needs 1 in front", filter.shape);
    ensure!(
        groups > 0 && outputs > 0 && outputs % groups == 0,
        "{groups} input channels for {outputs} output channels"
    );
    let multiplier = whole(outputs / groups);
    ensure!(
        o.depth_multiplier == 0 || i64::from(o.depth_multiplier) == multiplier,
        "depth multiplier {} for {groups} input and {outputs} output channels",
        o.depth_multiplier
    );
    let axis = |input, filter, stride, dilation| {
        Geometry { input, filter, stride, dilation, padding: o.padding }.sliding()
    };
    let windows = [
        no_depth(),
        axis(input[2], fh, o.stride_h, o.dilation_h_factor)?,
        axis(input[3], fw, o.stride_w, o.dilation_w_factor)?,
    ];
    let s = strides(filter.shape);
    let filter = Filter { output: 1, taps: [0, s[1], s[2]], input: 0, extents: [1, fh, fw], rows: false };
    let activation = o.fused_activation_function;
    Parts { operands: [0, 1, 2], input, windows, groups, outputs, filter, activation, call }.finish(true)
}

/// Plans CONV_3D.
pub(super) fn plan_3d(call: &Call<'_>) -> Result<Planned, Fault> {
    call.arity(2, 3, 1)?;
    let o = table!(call, Conv3D)?;
    let (x, filter) = (call.float(0)?, call.float(1)?);
    plan::rank("the input", x.shape, 5)?;
    plan::rank("the filter", filter.shape, 5)?;
    let input = [x.shape[0], x.shape[1], x.shape[2], x.shape[3], x.shape[4]];
    let f = filter.shape;
    ensure!(f[3] == input[4] && f[3] > 0, "{} input channels for a filter of shape {f:?}", input[4]);
    let axis = |input, filter, stride, dilation| {
        Geometry { input, filter, stride, dilation, padding: o.padding }.sliding()
    };
    let windows = [
        axis(input[1], f[0], o.stride_d, o.dilation_d_factor)?,
        axis(input[2], f[1], o.stride_h, o.dilation_h_factor)?,
        axis(input[3], f[2], o.stride_w, o.dilation_w_factor)?,
    ];
    let s = strides(f);
    let (outputs, activation) = (f[4], o.fused_activation_function);
    let filter =
        Filter { output: 1, taps: [s[0], s[1], s[2]], input: s[3], extents: [f[0], f[1], f[2]], rows: false };
    Parts { operands: [0, 1, 2], input, windows, groups: 1, outputs, filter, activation, call }.finish(false)
}

/// Plans TRANSPOSE_CONV: operands are the result's shape, the filter, the input and perhaps a bias.
pub(super) fn plan_transpose(call: &Call<'_>) -> Result<Planned, Fault> {
    call.arity(3, 4, 1)?;
    let o = table!(call, TransposeConv)?;
    let target = plan::shape(call.ints(0, "the result's shape")?)?;
    let (filter, x) = (call.float(1)?, call.float(2)?);
    let input = nhwc(x)?;
    plan::rank("the result", &target, 4)?;
    plan::rank("the filter", filter.shape, 4)?;
    let [outputs, fh, fw, inputs] = [filter.shape[0], filter.shape[1], filter.shape[2], filter.shape[3]];
    ensure!(inputs == input[4] && inputs > 0, "{} input channels, the filter has {inputs}", input[4]);
    ensure!(target[0] == input[0], "batch {} for a result of shape {target:?}", input[0]);
    ensure!(target[3] == outputs, "filter of shape {:?} for a result of shape {target:?}", filter.shape);
    let axis = |input, filter, stride, output| {
        Geometry { input, filter, stride, dilation: 1, padding: o.padding }.transposed(output)
    };
    let windows =
        [no_depth(), axis(input[2], fh, o.stride_h, target[1])?, axis(input[3], fw, o.stride_w, target[2])?];
    let s = strides(filter.shape);
    let filter = Filter { output: s[0], taps: [0, s[1], s[2]], input: 1, extents: [1, fh, fw], rows: true };
    let activation = o.fused_activation_function;
    Parts { operands: [2, 1, 3], input, windows, groups: 1, outputs, filter, activation, call }.finish(true)
}

impl Filter {
    /// True when a class uses every tap in order, so that a stored row is already the row to multiply with.
    fn is_whole(&self, class: [&Class; 3]) -> bool {
        self.rows
            && (0..3).all(|a| {
                let w = class[a].window;
                w.tap == 0 && w.tap_step == 1 && w.count == self.extents[a]
            })
    }

    /// The rows of all output channels, cut to the taps of a class.
    fn pack<T: Copy>(&self, outputs: usize, inputs: usize, class: [&Class; 3], data: &[T]) -> Vec<T> {
        let mut rows = vec![];
        for output in 0..outputs {
            let base = output * self.output;
            for (d, _) in class[0].window.pairs() {
                for (h, _) in class[1].window.pairs() {
                    for (w, _) in class[2].window.pairs() {
                        let tap = base + d * self.taps[0] + h * self.taps[1] + w * self.taps[2];
                        rows.extend((0..inputs).map(|i| data[tap + i * self.input]));
                    }
                }
            }
        }
        rows
    }
}

impl Conv {
    pub(super) fn run<A: Arith>(&self, exec: &Exec<'_, A>) -> Done<A::E> {
        let input = &exec.floats(self.operands[0])?.data;
        let filter = &exec.floats(self.operands[1])?.data;
        let bias = exec.optional_floats(self.operands[2])?.map(|b| b.data.as_slice());
        let total = exec.shape(0).iter().product();
        let mut result = vec![exec.arith.exact(0.0); total];
        let outputs = self.groups * self.group_outputs;
        let mut patches = vec![];
        for depths in &self.classes[0] {
            for heights in &self.classes[1] {
                for widths in &self.classes[2] {
                    let class = [depths, heights, widths];
                    let packed;
                    let rows = if self.filter.is_whole(class) {
                        filter.as_slice()
                    } else {
                        packed = self.filter.pack(outputs, self.group_inputs, class, filter);
                        packed.as_slice()
                    };
                    self.run_class(exec, class, input, rows, bias, &mut patches, &mut result);
                }
            }
        }
        exec.floats_done(result)
    }

    /// Computes the result elements whose windows use the taps of one class.
    fn run_class<A: Arith>(
        &self,
        exec: &Exec<'_, A>,
        class: [&Class; 3],
        input: &[A::E],
        rows: &[A::E],
        bias: Option<&[A::E]>,
        patches: &mut Vec<A::E>,
        result: &mut [A::E],
    ) {
        let arith = exec.arith;
        let terms = class.iter().map(|c| c.window.count).product::<usize>() * self.group_inputs;
        for batch in 0..self.batch {
            for &(d, depth) in &class[0].members {
                for &(h, height) in &class[1].members {
                    for block in class[2].members.chunks(BLOCK) {
                        let out = batch * self.output[0] + d * self.output[1] + h * self.output[2];
                        for group in 0..self.groups {
                            patches.clear();
                            let from = batch * self.input[0] + group * self.group_inputs;
                            for &(_, width) in block {
                                self.gather(input, from, [depth, height, width], patches);
                            }
                            let first = group * self.group_outputs;
                            for o in first..first + self.group_outputs {
                                let row = &rows[o * terms..][..terms];
                                let start = bias.map(|b| b[o]);
                                for (at, &(w, _)) in block.iter().enumerate() {
                                    let x = arith.dot(&patches[at * terms..][..terms], row, start);
                                    result[out + w * self.output[3] + o] =
                                        exec.store(self.fused.apply(arith, x));
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    /// Appends the input elements that the windows of one result position meet.
    fn gather<T: Copy>(&self, input: &[T], from: usize, windows: [Window; 3], patch: &mut Vec<T>) {
        for (_, d) in windows[0].pairs() {
            for (_, h) in windows[1].pairs() {
                let line = from + d * self.input[1] + h * self.input[2];
                for (_, w) in windows[2].pairs() {
                    patch.extend_from_slice(&input[line + w * self.input[3]..][..self.group_inputs]);
                }
            }
        }
    }
}
