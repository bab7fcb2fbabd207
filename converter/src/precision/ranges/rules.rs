//! One rule per operator: the range of its results, and what it computes on the way that float16 would not hold.

use super::linear::{Channels, products, weighted};
use super::pattern::{Producers, reduced};
use super::{Bounds, Ranges};
use crate::constants::MAX_FINITE;
use crate::precision::kernels::fused;
use crate::target::{Target, TargetOperator, TensorId};
use halfproof_ir::{DType, Elements};
use halfproof_wire::tflite::{Activation, Builtin, Options, Padding};

/// What a rule may look at.
pub(super) struct Context<'a, 'b> {
    pub(super) target: &'a Target,
    pub(super) ranges: &'b Ranges,
    pub(super) origins: &'b Producers<'a>,
    pub(super) constants: &'b dyn Fn(TensorId) -> Option<&'a Elements>,
}

/// The logarithm of a value that float32 holds is not below this.
const LEAST_LOGARITHM: f64 = -104.0;

impl Context<'_, '_> {
    fn range(&self, op: &TargetOperator, i: usize) -> Bounds {
        op.inputs.get(i).copied().flatten().map_or(Bounds::exactly(0.0), |id| self.ranges.of(id))
    }

    fn elements(&self, op: &TargetOperator, i: usize) -> Option<&Elements> {
        (self.constants)(op.inputs.get(i).copied().flatten()?)
    }

    /// The one element of a constant operand.
    fn scalar(&self, op: &TargetOperator, i: usize) -> Option<f64> {
        self.elements(op, i).filter(|e| e.len() == 1).map(|e| e.get(0))
    }

    fn extent(&self, op: &TargetOperator, i: usize, from_end: usize) -> usize {
        let Some(id) = op.inputs.get(i).copied().flatten() else { return 1 };
        self.target.tensor(id).shape.iter().rev().nth(from_end).copied().unwrap_or(1)
    }
}

/// The ranges of an operator's results, and why it must not run in float16 if it must not.
pub(super) fn apply(c: &Context<'_, '_>, op: &TargetOperator) -> (Vec<Bounds>, Option<String>) {
    if op.outputs.iter().all(|&id| c.target.tensor(id).dtype == DType::Bool) {
        return (Vec::new(), None);
    }
    let (mut range, inside) = one(c, op);
    use Builtin::{Div, Exp, Logistic, Mul, Pow, Square, SquaredDifference};
    if range.is_fragile()
        && matches!(op.builtin, Div | Exp | Logistic | Mul | Pow | Square | SquaredDifference)
    {
        // Their results come arbitrarily close to 0 by nature; only what was kept away from it on purpose is fragile.
        range = range.touching_zero();
    }
    let range = match fused(&op.options) {
        Activation::None | Activation::SignBit => range,
        Activation::Relu => rectified(range, 0.0),
        Activation::ReluN1To1 => range.clamp(-1.0, 1.0),
        Activation::Relu6 => range.clamp(0.0, 6.0),
        Activation::Tanh => monotone(range, libm::tanh),
    };
    (vec![range; op.outputs.len()], inside)
}

fn one(c: &Context<'_, '_>, op: &TargetOperator) -> (Bounds, Option<String>) {
    use Builtin::*;
    let x = c.range(op, 0);
    let y = || c.range(op, 1);
    let plain = |range: Bounds| (range, None);
    match op.builtin {
        Conv2d | DepthwiseConv2d | FullyConnected | TransposeConv | Conv3d | BatchMatmul => {
            plain(product(c, op))
        }

        Add => plain(sum(x, y())),
        Sub => match (op.inputs.first(), op.inputs.get(1)) {
            (Some(&Some(a)), Some(&Some(b))) if c.origins.is_shift_by_maximum(a, b) => {
                plain(Bounds::within(x.low - x.high, 0.0))
            }
            _ => plain(sum(x, negated(y()))),
        },
        AddN => plain(op.inputs.iter().flatten().map(|&id| c.ranges.of(id)).reduce(sum).unwrap_or(x)),
        Mul if op.inputs.first() == op.inputs.get(1) => plain(square(x)),
        Mul => plain(normalized(c, op, Rsqrt).unwrap_or_else(|| times(x, y()))),
        Square => plain(square(x)),
        SquaredDifference => plain(square(sum(x, negated(y())))),
        Div => match (normalized(c, op, Sqrt), op.inputs.first(), op.inputs.get(1)) {
            (Some(range), _, _) => plain(range),
            (None, Some(&Some(a)), Some(&Some(b))) if c.origins.is_share_of_exponentials(a, b) => {
                plain(Bounds::within(0.0, 1.0))
            }
            _ => quotient(x, y()),
        },
        Pow => plain(match c.scalar(op, 1) {
            Some(2.0) => square(x),
            Some(e) if x.low >= 0.0 && e >= 0.0 => monotone(x, |v| libm::pow(v, e)),
            _ => Bounds::ASSUMED,
        }),
        Maximum => plain(Bounds { low: x.low.max(y().low), ..x.or(y()) }),
        Minimum => plain(Bounds { high: x.high.min(y().high), ..x.or(y()) }),

        Exp => plain(monotone(x, libm::exp)),
        Log => {
            let shares = op.inputs.first().copied().flatten().is_some_and(|id| c.origins.is_softmax(id));
            let reason = "its operand, a share of a softmax, may be 0 in float16".to_string();
            let range = monotone(x.clamp(0.0, f64::INFINITY), |v| libm::log(v).max(LEAST_LOGARITHM));
            (range, shares.then_some(reason))
        }
        Sqrt => plain(monotone(x.clamp(0.0, f64::INFINITY), f64::sqrt)),
        Rsqrt if x.low > 0.0 => plain(monotone(x, |v| 1.0 / v.sqrt())),
        Rsqrt => (Bounds::ASSUMED, Some("the root it divides by may be 0".to_string())),
        Tanh => plain(monotone(x, libm::tanh)),
        Logistic => plain(monotone(x, |v| 1.0 / (1.0 + libm::exp(-v)))),
        Sin | Cos | Sign => plain(Bounds::within(-1.0, 1.0)),
        Softmax => {
            let n = c.extent(op, 0, 0) as f64;
            let mean = 1.0 / n;
            plain(Bounds { low: 0.0, high: 1.0, mean, deviation: (mean - mean * mean).max(0.0).sqrt() })
        }
        LogSoftmax => {
            let n = c.extent(op, 0, 0) as f64;
            plain(Bounds::within(x.low - x.high - libm::log(n), 0.0))
        }
        Relu => plain(rectified(x, 0.0)),
        Relu6 => plain(x.clamp(0.0, 6.0)),
        ReluN1To1 => plain(x.clamp(-1.0, 1.0)),
        Relu0To1 => plain(x.clamp(0.0, 1.0)),
        Elu => plain(rectified(x, -1.0)),
        Gelu | HardSwish => plain(rectified(x, -0.5)),
        LeakyRelu => {
            let slope = if let Options::LeakyRelu(o) = &op.options { f64::from(o.alpha) } else { 1.0 };
            plain(sloped(x, Bounds::exactly(slope)))
        }
        Prelu => plain(sloped(x, y())),
        Abs => {
            let low = if x.low > 0.0 {
                x.low
            } else if x.high < 0.0 {
                -x.high
            } else {
                0.0
            };
            plain(Bounds::within(low, x.reach()))
        }
        Neg => plain(negated(x)),
        Floor | Ceil | Round => plain(Bounds { low: x.low.floor(), high: x.high.ceil(), ..x }),

        Mean => {
            let n = reduced(c.target, op);
            (x, total("the sum behind a mean of", n, x))
        }
        Sum => {
            let n = reduced(c.target, op);
            let one =
                op.inputs.first().copied().flatten().is_some_and(|id| c.origins.is_shifted_exponential(id));
            let low = if one { 1.0 } else { n * x.low };
            plain(Bounds { low, high: n * x.high, mean: n * x.mean, deviation: n * x.deviation })
        }
        AveragePool2d => {
            let n = if let Options::Pool2D(o) = &op.options {
                f64::from(o.filter_width) * f64::from(o.filter_height)
            } else {
                1.0
            };
            (x, total("the sum behind an average of", n, x))
        }
        Cumsum => {
            let n = c.target.tensor(op.outputs[0]).shape.iter().copied().max().unwrap_or(1) as f64;
            plain(Bounds::within((n * x.low).min(x.low), (n * x.high).max(x.high)))
        }
        L2Normalization => plain(Bounds::within(-1.0, 1.0)),
        LocalResponseNormalization => {
            (x, (square(x).is_wide()).then(|| "it squares its operand".to_string()))
        }

        Cast => plain(cast(c, op)),
        Select | SelectV2 => plain(y().or(c.range(op, 2))),
        Pad | MirrorPad => plain(x.or(Bounds::exactly(0.0))),
        Padv2 => plain(x.or(c.range(op, 2))),
        Concatenation | Pack => {
            plain(op.inputs.iter().flatten().map(|&id| c.ranges.of(id)).reduce(Bounds::or).unwrap_or(x))
        }
        // The first operand says where to split.
        Split => plain(y()),
        DynamicUpdateSlice => plain(x.or(y())),
        EmbeddingLookup => plain(y()),
        OneHot => plain(c.range(op, 2).or(c.range(op, 3))),
        MaxPool2d
        | ReduceMax
        | ReduceMin
        | Transpose
        | Reshape
        | ExpandDims
        | Squeeze
        | Slice
        | StridedSlice
        | Unpack
        | Gather
        | GatherNd
        | Tile
        | BroadcastTo
        | ResizeNearestNeighbor
        | ResizeBilinear
        | BatchToSpaceNd
        | SpaceToBatchNd
        | DepthToSpace
        | SpaceToDepth
        | ReverseV2
        | SplitV
        | TopkV2
        | Dequantize => plain(x),
        _ => plain(Bounds::ASSUMED),
    }
}

fn total(what: &str, n: f64, x: Bounds) -> Option<String> {
    (n * x.reach() > MAX_FINITE)
        .then(|| format!("{what} {n} values up to {} may exceed {MAX_FINITE}", x.reach()))
}

/// Weighted sums with weights that are constant or not.
fn product(c: &Context<'_, '_>, op: &TargetOperator) -> Bounds {
    // A transposed convolution has its output shape first.
    let shift = usize::from(op.builtin == Builtin::TransposeConv);
    let (x, weights, bias) = if shift == 1 {
        (c.range(op, 2), c.elements(op, 1), c.elements(op, 3))
    } else {
        (c.range(op, 0), c.elements(op, 1), c.elements(op, 2))
    };
    let transposed = matches!(&op.options, Options::BatchMatMul(o) if o.adj_y);
    let Some(weights) = weights else {
        let inner = match op.builtin {
            Builtin::BatchMatmul => {
                let adj = matches!(&op.options, Options::BatchMatMul(o) if o.adj_x);
                c.extent(op, 0, usize::from(adj))
            }
            _ => {
                // Weights that are computed: every element of one output channel.
                let Some(id) = op.inputs.get(1).copied().flatten() else { return Bounds::ASSUMED };
                let shape = &c.target.tensor(id).shape;
                let outputs = c.target.tensor(op.outputs[0]).shape.last().copied().unwrap_or(1);
                shape.iter().product::<usize>() / outputs.max(1)
            }
        };
        return products(x, c.range(op, 1), inner as f64);
    };
    let (first, last) = {
        let Some(id) = op.inputs.get(1).copied().flatten() else { return Bounds::ASSUMED };
        let shape = &c.target.tensor(id).shape;
        (shape.first().copied().unwrap_or(1), shape.last().copied().unwrap_or(1))
    };
    let channels = match op.builtin {
        Builtin::Conv2d | Builtin::FullyConnected | Builtin::TransposeConv => Channels::Rows(first),
        // One row per output channel of every matrix of the batch.
        Builtin::BatchMatmul if transposed => Channels::Rows(weights.len() / last.max(1)),
        Builtin::BatchMatmul => return batched(x, weights, c.extent(op, 1, 1), last),
        _ => Channels::Columns(last),
    };
    let padded = match &op.options {
        Options::Conv2D(o) => o.padding == Padding::Same,
        Options::DepthwiseConv2D(o) => o.padding == Padding::Same,
        Options::Conv3D(o) => o.padding == Padding::Same,
        Options::TransposeConv(_) => true,
        _ => false,
    };
    weighted(x, weights, channels, bias, padded)
}

/// A constant right-hand side, one matrix of `rows` × `columns` after the other.
fn batched(x: Bounds, weights: &Elements, rows: usize, columns: usize) -> Bounds {
    let matrices = weights.len() / (rows * columns).max(1);
    weighted(x, weights, Channels::Matrices(matrices, columns), None, false)
}

fn sum(a: Bounds, b: Bounds) -> Bounds {
    let all = Bounds {
        low: a.low + b.low,
        high: a.high + b.high,
        mean: a.mean + b.mean,
        deviation: libm::hypot(a.deviation, b.deviation),
    };
    // With one fixed term nothing is independent that was not before.
    if a.deviation == 0.0 || b.deviation == 0.0 { all } else { all.tightened() }
}

fn negated(x: Bounds) -> Bounds {
    Bounds { low: -x.high, high: -x.low, mean: -x.mean, deviation: x.deviation }
}

fn times(a: Bounds, b: Bounds) -> Bounds {
    let corners = [a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high];
    let variance =
        (a.deviation * b.deviation).powi(2) + (a.deviation * b.mean).powi(2) + (a.mean * b.deviation).powi(2);
    Bounds {
        low: corners.iter().copied().fold(f64::INFINITY, f64::min),
        high: corners.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        mean: a.mean * b.mean,
        deviation: variance.sqrt(),
    }
}

fn square(x: Bounds) -> Bounds {
    let least = if x.low > 0.0 {
        x.low
    } else if x.high < 0.0 {
        x.high
    } else {
        0.0
    };
    let (m, s) = (x.mean.powi(2), x.deviation.powi(2));
    Bounds {
        low: least * least,
        high: x.reach().powi(2),
        mean: m + s,
        deviation: (2.0 * s * s + 4.0 * m * s).sqrt(),
    }
}

/// A value times one over (or divided by) the root of the mean of squares: at most the root of how many there are.
fn normalized(c: &Context<'_, '_>, op: &TargetOperator, root: Builtin) -> Option<Bounds> {
    let operand = |i: usize| op.inputs.get(i).copied().flatten();
    let (a, b) = (operand(0)?, operand(1)?);
    let n = c
        .origins
        .root_of_squares(b, root)
        .or_else(|| if root == Builtin::Rsqrt { c.origins.root_of_squares(a, root) } else { None })?;
    let reach = n.sqrt();
    Some(Bounds { low: -reach, high: reach, mean: 0.0, deviation: 1.0 })
}

fn quotient(x: Bounds, y: Bounds) -> (Bounds, Option<String>) {
    if y.low > 0.0 || y.high < 0.0 {
        return (times(x, Bounds::within(1.0 / y.low, 1.0 / y.high)), None);
    }
    (Bounds::ASSUMED, Some("what it divides by may be 0 or close to it".to_string()))
}

fn monotone(x: Bounds, f: impl Fn(f64) -> f64) -> Bounds {
    let (a, b) = (f(x.low), f(x.high));
    let (low, high) = (a.min(b), a.max(b));
    let mean = f(x.mean).max(low).min(high);
    // A third of the way to the farther end: more than most functions of something bell-shaped spread.
    let spread = (high - mean).max(mean - low) / 3.0;
    Bounds { low, high, mean, deviation: if spread.is_finite() { spread } else { high } }
}

/// max(x, least), nearly: mean and deviation are those of a rectified normal distribution.
fn rectified(x: Bounds, least: f64) -> Bounds {
    if x.low >= 0.0 || x.deviation == 0.0 {
        return x.clamp(least, f64::INFINITY);
    }
    let z = x.mean / x.deviation;
    let density = libm::exp(-z * z / 2.0) / (2.0 * std::f64::consts::PI).sqrt();
    let below = 0.5 * libm::erfc(-z * std::f64::consts::FRAC_1_SQRT_2);
    let mean = x.mean * below + x.deviation * density;
    let second = (x.mean.powi(2) + x.deviation.powi(2)) * below + x.mean * x.deviation * density;
    Bounds {
        low: x.low.max(least),
        high: x.high.max(least),
        mean,
        deviation: (second - mean * mean).max(0.0).sqrt(),
    }
}

/// x where positive, slope times x where negative.
fn sloped(x: Bounds, slope: Bounds) -> Bounds {
    let negative = times(Bounds::within(x.low.min(0.0), 0.0), slope);
    let low = negative.low.min(x.low.max(0.0));
    let high = negative.high.max(x.high);
    Bounds { low, high, ..x }
}

fn cast(c: &Context<'_, '_>, op: &TargetOperator) -> Bounds {
    let Some(id) = op.inputs.first().copied().flatten() else { return Bounds::ASSUMED };
    match c.target.tensor(id).dtype {
        DType::Bool => Bounds::within(0.0, 1.0),
        _ => c.ranges.of(id),
    }
}
