//! Decides the element type and the static shape of every tensor of a source graph.
//!
//! Source: the ONNX operator specification, newest opset. Shapes are row-major extents in the source's own layout
//! (NCHW). What depends on the elements of an operand (a Reshape's shape, a Slice's bounds) needs that operand to be
//! constant: `fold` makes it so where it can be.

mod shape;
pub mod window;

use crate::refuse::{Refusals, first_dtype};
use halfproof_ir::ops::Direction;
use halfproof_ir::{DType, Dim, Graph, Op, Refusal, Tensor};
use std::collections::BTreeMap;
use window::Attributes;

/// Element type and shape of a tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Type {
    /// Element type.
    pub dtype: DType,
    /// Extent of every axis.
    pub shape: Vec<usize>,
}

impl Type {
    /// A type from its parts.
    pub fn new(dtype: DType, shape: impl Into<Vec<usize>>) -> Type {
        Type { dtype, shape: shape.into() }
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// True when there is no element.
    pub fn is_empty(&self) -> bool {
        self.shape.contains(&0)
    }

    /// The number of axes.
    pub fn rank(&self) -> usize {
        self.shape.len()
    }
}

/// What is known of an operand: its type, and its elements when it is constant.
#[derive(Clone, Copy, Debug)]
pub struct Operand<'a> {
    /// Element type and shape.
    pub ty: &'a Type,
    /// The elements.
    pub constant: Option<&'a Tensor>,
}

impl<'a> Operand<'a> {
    /// The elements as integers.
    ///
    /// # Errors
    /// When they are not constant or not integers.
    pub fn integers(&self, what: &str) -> Result<Vec<i64>, String> {
        let tensor = self.constant.ok_or_else(|| format!("{what} is not constant"))?;
        tensor.integers().ok_or_else(|| format!("{what} is not of an integer type"))
    }

    fn shape(&self) -> &'a [usize] {
        &self.ty.shape
    }
}

/// Resolves an axis that may count from the end.
///
/// # Errors
/// When it is out of range.
pub fn axis(axis: i64, rank: usize) -> Result<usize, String> {
    let resolved = if axis < 0 { axis + rank.cast_signed() as i64 } else { axis };
    usize::try_from(resolved)
        .ok()
        .filter(|&a| a < rank)
        .ok_or_else(|| format!("axis {axis} is out of range for rank {rank}"))
}

/// The shape to which shapes broadcast together (numpy's rule, as ONNX takes it).
///
/// # Errors
/// When two extents differ and neither is 1.
pub fn broadcast(shapes: &[&[usize]]) -> Result<Vec<usize>, String> {
    let rank = shapes.iter().map(|s| s.len()).max().unwrap_or(0);
    let mut out = vec![1; rank];
    for shape in shapes {
        for (o, &d) in out[rank - shape.len()..].iter_mut().zip(*shape) {
            if *o == 1 {
                *o = d;
            } else if d != 1 && d != *o {
                return Err(format!("shapes {shapes:?} do not broadcast"));
            }
        }
    }
    Ok(out)
}

/// The results' types of one node.
///
/// `results` is the number of results the node has (a Split may not say it otherwise).
///
/// # Errors
/// Why the types cannot be told or the operands do not fit: a fragment.
pub fn results(op: &Op, operands: &[Option<Operand<'_>>], results: usize) -> Result<Vec<Type>, String> {
    let types = unlimited(op, operands, results)?;
    types.iter().try_for_each(|t| representable(&t.shape))?;
    Ok(types)
}

/// One more than the most elements of a tensor that is converted: TFLite counts them in an int.
const BEYOND_TFLITE: usize = 1 << 31;

/// Refuses shapes whose arithmetic could overflow: extents and their product stay below 2^31, as in TFLite.
pub(crate) fn representable(shape: &[usize]) -> Result<(), String> {
    let below = |n: &usize| *n < BEYOND_TFLITE;
    let count = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d.max(1)).filter(below));
    count.map(|_| ()).ok_or_else(|| format!("a tensor of shape {shape:?} is too large"))
}

/// As [`results`], whatever the size of the results; operands are of a size that it takes.
pub(crate) fn unlimited(
    op: &Op,
    operands: &[Option<Operand<'_>>],
    results: usize,
) -> Result<Vec<Type>, String> {
    let at = |i: usize| operands.get(i).copied().flatten();
    let need = |i: usize| at(i).ok_or_else(|| format!("operand {i} is missing"));
    let same = || need(0).map(|x| vec![x.ty.clone()]);
    let with = |shape: Vec<usize>| need(0).map(|x| vec![Type::new(x.ty.dtype, shape)]);
    match op {
        Op::Unknown { .. } => Err("unknown operator".into()),

        Op::Abs
        | Op::Neg
        | Op::Exp
        | Op::Log
        | Op::Sqrt
        | Op::Reciprocal
        | Op::Sin
        | Op::Cos
        | Op::Tan
        | Op::Asin
        | Op::Acos
        | Op::Atan
        | Op::Sinh
        | Op::Cosh
        | Op::Asinh
        | Op::Acosh
        | Op::Atanh
        | Op::Shrink(_)
        | Op::Swish(_)
        | Op::Floor
        | Op::Ceil
        | Op::Round
        | Op::Sign
        | Op::Erf
        | Op::Sigmoid
        | Op::Tanh
        | Op::Identity
        | Op::Relu
        | Op::HardSwish
        | Op::Mish
        | Op::Softplus
        | Op::Softsign
        | Op::Clip
        | Op::LeakyRelu(_)
        | Op::ThresholdedRelu(_)
        | Op::Elu(_)
        | Op::Celu(_)
        | Op::Selu(_)
        | Op::HardSigmoid(_)
        | Op::Gelu(_)
        | Op::Not => same(),

        Op::PRelu => {
            let (x, slope) = (need(0)?, need(1)?);
            if broadcast(&[x.shape(), slope.shape()])? != x.shape() {
                return Err("slope does not broadcast to the input".into());
            }
            same()
        }

        Op::Softmax(halfproof_ir::ops::Softmax { axis: a, coerce_2d })
        | Op::LogSoftmax(halfproof_ir::ops::LogSoftmax { axis: a, coerce_2d })
        | Op::Hardmax(halfproof_ir::ops::Hardmax { axis: a, coerce_2d }) => {
            let rank = need(0)?.ty.rank();
            // Cut behind the last axis, a matrix view has columns of extent 1; rank 0 is one row of one element.
            if !(*coerce_2d && *a == rank.cast_signed() as i64) && rank > 0 {
                axis(*a, rank)?;
            }
            same()
        }

        Op::Add
        | Op::Sub
        | Op::Mul
        | Op::Div
        | Op::Mod(_)
        | Op::Pow
        | Op::Min
        | Op::Max
        | Op::Sum
        | Op::Mean => {
            need(0)?;
            let shapes: Vec<&[usize]> = operands.iter().flatten().map(Operand::shape).collect();
            with(broadcast(&shapes)?)
        }
        Op::Equal
        | Op::Greater
        | Op::GreaterOrEqual
        | Op::Less
        | Op::LessOrEqual
        | Op::And
        | Op::Or
        | Op::Xor => Ok(vec![Type::new(DType::Bool, broadcast(&[need(0)?.shape(), need(1)?.shape()])?)]),
        Op::IsNaN | Op::IsInf(_) => Ok(vec![Type::new(DType::Bool, need(0)?.shape())]),
        Op::Trilu(_) => {
            if need(0)?.ty.rank() < 2 {
                return Err("there is no matrix".into());
            }
            same()
        }
        Op::Where => {
            let (c, x, y) = (need(0)?, need(1)?, need(2)?);
            Ok(vec![Type::new(x.ty.dtype, broadcast(&[c.shape(), x.shape(), y.shape()])?)])
        }

        Op::MatMul => {
            let (a, b) = (need(0)?, need(1)?);
            with(shape::matmul(a.shape(), b.shape())?)
        }
        Op::Gemm(g) => {
            let (a, b) = (need(0)?, need(1)?);
            let (&[a0, a1], &[b0, b1]) = (a.shape(), b.shape()) else {
                return Err("operands are not matrices".into());
            };
            let (m, k) = if g.transA { (a1, a0) } else { (a0, a1) };
            let (l, n) = if g.transB { (b1, b0) } else { (b0, b1) };
            if k != l {
                return Err(format!("inner extents {k} and {l} differ"));
            }
            if let Some(c) = at(2)
                && broadcast(&[&[m, n], c.shape()])? != [m, n]
            {
                return Err("the third operand does not broadcast to the product".into());
            }
            with(vec![m, n])
        }

        Op::Conv(c) => {
            let (x, w) = (need(0)?, need(1)?);
            let (batch, channels, spatial) = image(x.shape())?;
            let (out, per_group, kernel) = image(w.shape())?;
            let group = usize::try_from(c.group).ok().filter(|&g| g > 0).ok_or("group is not positive")?;
            if per_group * group != channels || out % group != 0 {
                return Err(format!(
                    "{channels} channels do not fit weights {:?} in {group} groups",
                    w.shape()
                ));
            }
            if let Some(bias) = at(2)
                && bias.shape() != [out]
            {
                return Err(format!("bias {:?} does not fit {out} channels", bias.shape()));
            }
            let axes = window::axes(spatial, kernel, &conv_attributes(c))?;
            with([batch, out].into_iter().chain(axes.iter().map(|a| a.output)).collect())
        }
        Op::ConvTranspose(c) => {
            let (x, w) = (need(0)?, need(1)?);
            let (batch, channels, spatial) = image(x.shape())?;
            let (inputs, per_group, kernel) = image(w.shape())?;
            let group = usize::try_from(c.group).ok().filter(|&g| g > 0).ok_or("group is not positive")?;
            if inputs != channels || inputs % group != 0 {
                return Err(format!("{channels} channels do not fit weights {:?}", w.shape()));
            }
            if let Some(bias) = at(2)
                && bias.shape() != [per_group * group]
            {
                return Err(format!("bias {:?} does not fit {} channels", bias.shape(), per_group * group));
            }
            let axes = window::transposed(spatial, kernel, c)?;
            with([batch, per_group * group].into_iter().chain(axes.iter().map(|a| a.output)).collect())
        }
        Op::MaxPool(p) => {
            let x = need(0)?;
            let (batch, channels, spatial) = image(x.shape())?;
            let axes = window::axes(spatial, &kernel_shape(&p.kernel_shape)?, &max_pool_attributes(p))?;
            let shape: Vec<usize> =
                [batch, channels].into_iter().chain(axes.iter().map(|a| a.output)).collect();
            let mut types = vec![Type::new(x.ty.dtype, shape.clone())];
            if results > 1 {
                types.push(Type::new(DType::I64, shape));
            }
            Ok(types)
        }
        Op::AveragePool(p) => {
            let (batch, channels, spatial) = image(need(0)?.shape())?;
            let axes = window::axes(spatial, &kernel_shape(&p.kernel_shape)?, &average_pool_attributes(p))?;
            with([batch, channels].into_iter().chain(axes.iter().map(|a| a.output)).collect())
        }
        Op::LpPool(p) => {
            let (batch, channels, spatial) = image(need(0)?.shape())?;
            let axes = window::axes(spatial, &kernel_shape(&p.kernel_shape)?, &lp_pool_attributes(p))?;
            with([batch, channels].into_iter().chain(axes.iter().map(|a| a.output)).collect())
        }
        Op::GlobalAveragePool | Op::GlobalMaxPool | Op::GlobalLpPool(_) => {
            let (batch, channels, spatial) = image(need(0)?.shape())?;
            with([batch, channels].into_iter().chain(spatial.iter().map(|_| 1)).collect())
        }

        Op::BatchNormalization(_) | Op::InstanceNormalization(_) | Op::GroupNormalization(_) => {
            let x = need(0)?;
            if x.ty.rank() < 2 && !matches!(op, Op::BatchNormalization(_)) {
                return Err(format!("a tensor of rank {} has no channels", x.ty.rank()));
            }
            same()
        }
        Op::LRN(n) => {
            if need(0)?.ty.rank() < 2 || n.size < 1 {
                return Err("size is not positive or there is no channel axis".into());
            }
            same()
        }
        Op::LpNormalization(n) => {
            axis(n.axis, need(0)?.ty.rank())?;
            same()
        }
        Op::RMSNormalization(n) => {
            axis(n.axis, need(0)?.ty.rank())?;
            same()
        }
        Op::LayerNormalization(n) => {
            let x = need(0)?;
            let first = axis(n.axis, x.ty.rank())?;
            let reduced: Vec<usize> =
                x.shape().iter().enumerate().map(|(i, &d)| if i < first { d } else { 1 }).collect();
            let statistics = Type::new(DType::F32, reduced);
            Ok([x.ty.clone(), statistics.clone(), statistics].into_iter().take(results.max(1)).collect())
        }

        Op::MeanVarianceNormalization(n) => {
            let rank = need(0)?.ty.rank();
            n.axes.iter().try_for_each(|&a| axis(a, rank).map(|_| ()))?;
            same()
        }
        Op::CumSum(_) => {
            let &[a] = &need(1)?.integers("axis")?[..] else { return Err("axis is not one number".into()) };
            axis(a, need(0)?.ty.rank())?;
            same()
        }
        Op::TopK(t) => {
            let x = need(0)?;
            let a = axis(t.axis, x.ty.rank())?;
            let &[k] = &need(1)?.integers("k")?[..] else { return Err("k is not one number".into()) };
            let mut shape = x.shape().to_vec();
            shape[a] = usize::try_from(k)
                .ok()
                .filter(|&k| k <= shape[a])
                .ok_or_else(|| format!("k is {k} for an axis of extent {}", shape[a]))?;
            Ok(vec![Type::new(x.ty.dtype, shape.clone()), Type::new(DType::I64, shape)])
        }

        Op::ReduceSum(_)
        | Op::ReduceMean(_)
        | Op::ReduceMax(_)
        | Op::ReduceMin(_)
        | Op::ReduceProd(_)
        | Op::ReduceL1(_)
        | Op::ReduceL2(_)
        | Op::ReduceSumSquare(_)
        | Op::ReduceLogSum(_)
        | Op::ReduceLogSumExp(_) => {
            let x = need(0)?;
            let Some((keep, noop)) = reduction(op) else { return Err("not a reduction".into()) };
            let axes = reduced_axes(x.ty.rank(), at(1), noop)?;
            with(shape::reduced(x.shape(), &axes, keep))
        }
        Op::ArgMax(halfproof_ir::ops::ArgMax { axis: a, keepdims, .. })
        | Op::ArgMin(halfproof_ir::ops::ArgMin { axis: a, keepdims, .. }) => {
            let x = need(0)?;
            let a = axis(*a, x.ty.rank())?;
            Ok(vec![Type::new(DType::I64, shape::reduced(x.shape(), &[a], *keepdims))])
        }

        Op::Concat(c) => {
            let first = need(0)?;
            let a = axis(c.axis, first.ty.rank())?;
            let mut shape = first.shape().to_vec();
            shape[a] = 0;
            for x in operands.iter().flatten() {
                let fits = x.ty.rank() == shape.len()
                    && (0..shape.len()).all(|i| i == a || x.shape()[i] == shape[i]);
                if !fits {
                    return Err(format!("operand {:?} does not fit the others", x.shape()));
                }
                shape[a] += x.shape()[a];
            }
            with(shape)
        }
        Op::Split(s) => {
            let x = need(0)?;
            let a = axis(s.axis, x.ty.rank())?;
            let sizes = split_sizes(x.shape()[a], at(1), s.num_outputs, results)?;
            let part = |n: usize| {
                let mut shape = x.shape().to_vec();
                shape[a] = n;
                Type::new(x.ty.dtype, shape)
            };
            Ok(sizes.into_iter().map(part).collect())
        }
        Op::Slice => {
            let x = need(0)?;
            let ranges = slice_ranges(x.shape(), need(1)?, need(2)?, at(3), at(4))?;
            with(ranges.iter().map(|r| r.len).collect())
        }
        Op::Pad(_) => {
            let x = need(0)?;
            let pads = pads(x.ty.rank(), need(1)?, at(3))?;
            let grow = |(&d, &(b, e)): (&usize, &(i64, i64))| {
                usize::try_from(d.cast_signed() as i64 + b + e)
                    .map_err(|_| "pads cut more than there is".to_string())
            };
            with(x.shape().iter().zip(&pads).map(grow).collect::<Result<_, _>>()?)
        }
        Op::Gather(g) => {
            let (x, indices) = (need(0)?, need(1)?);
            let a = axis(g.axis, x.ty.rank())?;
            with([&x.shape()[..a], indices.shape(), &x.shape()[a + 1..]].concat())
        }

        Op::NonZero => {
            let x = need(0)?;
            let tensor =
                x.constant.ok_or("the number of its results depends on elements that are not constant")?;
            Ok(vec![Type::new(DType::I64, [x.ty.rank(), places_of_non_zeros(tensor).len()])])
        }
        Op::GatherElements(_) => with(need(1)?.shape().to_vec()),
        Op::GatherND(g) => {
            let (x, indices) = (need(0)?, need(1)?);
            let batch = usize::try_from(g.batch_dims).map_err(|_| "batch_dims is negative")?;
            let (&width, outer) = indices.shape().split_last().ok_or("indices are a scalar")?;
            let inner = x.shape().get(batch + width..).ok_or("indices are longer than the operand's rank")?;
            if width == 0 || outer.len() < batch || outer[..batch] != x.shape()[..batch] {
                return Err(format!("indices {:?} do not fit {:?}", indices.shape(), x.shape()));
            }
            with([outer, inner].concat())
        }
        Op::ScatterElements(_) | Op::ScatterND(_) => {
            need(2)?;
            same()
        }
        Op::TensorScatter(t) => {
            let (x, updates) = (need(0)?, need(1)?);
            let a = axis(t.axis, x.ty.rank())?;
            let fits = a > 0
                && updates.ty.rank() == x.ty.rank()
                && (0..x.ty.rank()).all(|i| i == a || updates.shape()[i] == x.shape()[i]);
            if !fits || updates.shape()[a] > x.shape()[a] {
                return Err(format!("updates {:?} do not fit {:?}", updates.shape(), x.shape()));
            }
            same()
        }
        Op::Compress(c) => {
            let x = need(0)?;
            let n = need(1)?.integers("condition")?.iter().filter(|&&v| v != 0).count();
            let Some(a) = c.axis else { return with(vec![n]) };
            let mut shape = x.shape().to_vec();
            shape[axis(a, x.ty.rank())?] = n;
            with(shape)
        }
        Op::ReverseSequence(_) => {
            if need(0)?.ty.rank() < 2 || need(1)?.ty.rank() != 1 {
                return Err("it has no two axes, or its lengths are no vector".into());
            }
            same()
        }
        Op::Einsum(e) => {
            need(0)?;
            let shapes: Vec<Vec<usize>> = operands.iter().flatten().map(|x| x.shape().to_vec()).collect();
            let plan = crate::expand::einsum::plan(&e.equation, &shapes)?;
            with(plan.output.iter().map(|a| plan.extents[a]).collect())
        }
        Op::CenterCropPad(c) => {
            let x = need(0)?;
            let rank = x.ty.rank();
            let axes = match c.axes.is_empty() {
                true => (0..rank).collect(),
                false => c.axes.iter().map(|&a| axis(a, rank)).collect::<Result<Vec<_>, _>>()?,
            };
            let extents = shape::extents(&need(1)?.integers("shape")?)?;
            if extents.len() != axes.len() {
                return Err("shape and axes have different lengths".into());
            }
            let mut shape = x.shape().to_vec();
            axes.iter().zip(extents).for_each(|(&a, d)| shape[a] = d);
            with(shape)
        }
        Op::Col2Im(_) => {
            let &[n, rows, _] = need(0)?.shape() else { return Err("its operand has no three axes".into()) };
            let image = shape::extents(&need(1)?.integers("image_shape")?)?;
            let cells: usize = shape::extents(&need(2)?.integers("block_shape")?)?.iter().product();
            if cells == 0 || rows % cells != 0 {
                return Err(format!("{rows} rows are no multiple of {cells}"));
            }
            with([n, rows / cells].into_iter().chain(image).collect())
        }
        Op::Attention(a) => attention(a, &need(0)?, &need(1)?, &need(2)?, at(4), at(5), results),
        Op::RotaryEmbedding(_) => same(),
        Op::GridSample(_) => {
            let (x, grid) = (need(0)?, need(1)?);
            let (n, c, spatial) = image(x.shape())?;
            let fits = grid.ty.rank() == x.ty.rank()
                && grid.shape()[0] == n
                && grid.shape()[x.ty.rank() - 1] == spatial.len();
            if !fits {
                return Err(format!("a grid {:?} does not fit {:?}", grid.shape(), x.shape()));
            }
            let places = &grid.shape()[1..grid.ty.rank() - 1];
            with([n, c].iter().chain(places).copied().collect())
        }
        Op::AffineGrid(_) => {
            let &[n, axes, columns] = need(0)?.shape() else { return Err("theta holds no matrices".into()) };
            let size = shape::extents(&need(1)?.integers("size")?)?;
            if columns != axes + 1 || size.len() != axes + 2 || size[0] != n {
                return Err(format!("theta does not fit the size {size:?}"));
            }
            with(std::iter::once(n).chain(size[2..].iter().copied()).chain([axes]).collect())
        }
        Op::DFT(d) => {
            let x = need(0)?;
            let rank = x.ty.rank();
            let one = |i: usize, what: &str| {
                at(i).map(|v| v.integers(what)).transpose().map(|v| v.and_then(|v| v.first().copied()))
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
            with(shape)
        }
        Op::HannWindow(halfproof_ir::ops::HannWindow { output_datatype, .. })
        | Op::HammingWindow(halfproof_ir::ops::HammingWindow { output_datatype, .. })
        | Op::BlackmanWindow(halfproof_ir::ops::BlackmanWindow { output_datatype, .. }) => {
            let &[n] = &need(0)?.integers("size")?[..] else { return Err("size is not one number".into()) };
            Ok(vec![Type::new(*output_datatype, [usize::try_from(n).map_err(|_| "size is negative")?])])
        }
        Op::NegativeLogLikelihoodLoss(halfproof_ir::ops::NegativeLogLikelihoodLoss { reduction, .. })
        | Op::SoftmaxCrossEntropyLoss(halfproof_ir::ops::SoftmaxCrossEntropyLoss { reduction, .. }) => {
            let (x, target) = (need(0)?, need(1)?);
            if x.ty.rank() < 2 {
                return Err("it has no classes".into());
            }
            let labels: Vec<usize> = [&x.shape()[..1], &x.shape()[2..]].concat();
            if target.shape() != labels {
                return Err(format!("targets {:?} do not fit {:?}", target.shape(), x.shape()));
            }
            let first = if reduction == "none" { labels } else { vec![] };
            Ok([Type::new(x.ty.dtype, first), x.ty.clone()].into_iter().take(results.max(1)).collect())
        }
        Op::OneHot(o) => {
            let (indices, values) = (need(0)?, need(2)?);
            let depth = need(1)?.constant.ok_or("depth is not constant")?;
            let depth = crate::lower::context::scalar(depth).ok_or("depth is not one number")?;
            if !(0.0..2f64.powi(31)).contains(&depth) || values.shape() != [2] {
                return Err("depth or values do not fit".into());
            }
            let a = axis(o.axis, indices.ty.rank() + 1)?;
            let mut shape = indices.shape().to_vec();
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "in the range checked above"
            )]
            shape.insert(a, depth as usize);
            Ok(vec![Type::new(values.ty.dtype, shape)])
        }
        Op::EyeLike(e) => {
            let x = need(0)?;
            if x.ty.rank() != 2 {
                return Err(format!("a tensor of rank {} is no matrix", x.ty.rank()));
            }
            Ok(vec![Type::new(e.dtype.unwrap_or(x.ty.dtype), x.shape())])
        }

        Op::Shape(s) => {
            let rank = need(0)?.ty.rank().cast_signed() as i64;
            let clamp = |i: i64| (if i < 0 { i + rank } else { i }).clamp(0, rank);
            let len = (clamp(s.end.unwrap_or(rank)) - clamp(s.start)).max(0);
            Ok(vec![Type::new(DType::I64, [usize::try_from(len).unwrap_or(0)])])
        }
        Op::Size => Ok(vec![Type::new(DType::I64, [])]),
        Op::Reshape(r) => with(shape::reshape(need(0)?.shape(), &need(1)?.integers("shape")?, r.allowzero)?),
        Op::Flatten(f) => {
            let x = need(0)?;
            let rank = x.ty.rank();
            let a = if f.axis == rank.cast_signed() as i64 { rank } else { axis(f.axis, rank)? };
            with(vec![x.shape()[..a].iter().product(), x.shape()[a..].iter().product()])
        }
        Op::Squeeze => {
            let x = need(0)?;
            let axes = match at(1) {
                Some(axes) => {
                    axes.integers("axes")?.iter().map(|&a| axis(a, x.ty.rank())).collect::<Result<_, _>>()?
                }
                None => (0..x.ty.rank()).filter(|&i| x.shape()[i] == 1).collect::<Vec<_>>(),
            };
            if let Some(&a) = axes.iter().find(|&&a| x.shape()[a] != 1) {
                return Err(format!("axis {a} has extent {}, not 1", x.shape()[a]));
            }
            with(shape::reduced(x.shape(), &axes, false))
        }
        Op::Unsqueeze => {
            let x = need(0)?;
            with(shape::unsqueezed(x.shape(), &need(1)?.integers("axes")?)?)
        }
        Op::Expand => {
            let target = shape::extents(&need(1)?.integers("shape")?)?;
            with(broadcast(&[need(0)?.shape(), &target])?)
        }
        Op::Tile => {
            let x = need(0)?;
            let repeats = shape::extents(&need(1)?.integers("repeats")?)?;
            if repeats.len() != x.ty.rank() {
                return Err(format!(
                    "repeats has {} elements where the rank is {}",
                    repeats.len(),
                    x.ty.rank()
                ));
            }
            with(x.shape().iter().zip(&repeats).map(|(d, r)| d * r).collect())
        }
        Op::Range => with(vec![shape::range_length(need(0)?, need(1)?, need(2)?)?]),
        Op::ConstantOfShape(c) => {
            let dtype = c.value.as_ref().map_or(DType::F32, |t| t.dtype());
            Ok(vec![Type::new(dtype, shape::extents(&need(0)?.integers("shape")?)?)])
        }

        Op::Transpose(t) => {
            let x = need(0)?;
            with(permutation(&t.perm, x.ty.rank())?.into_iter().map(|i| x.shape()[i]).collect())
        }
        Op::DepthToSpace(d) => {
            let (n, c, h, w, b) = shape::blocks(need(0)?.shape(), d.blocksize)?;
            if c % (b * b) != 0 {
                return Err(format!("{c} channels are no multiple of {}", b * b));
            }
            with(vec![n, c / (b * b), h * b, w * b])
        }
        Op::SpaceToDepth(d) => {
            let (n, c, h, w, b) = shape::blocks(need(0)?.shape(), d.blocksize)?;
            if h % b != 0 || w % b != 0 {
                return Err(format!("{h} x {w} is no multiple of {b}"));
            }
            with(vec![n, c * b * b, h / b, w / b])
        }
        Op::Resize(r) => with(shape::resize(r, need(0)?.shape(), at(2), at(3))?),
        Op::CastLike(_) => Ok(vec![Type::new(need(1)?.ty.dtype, need(0)?.shape())]),
        Op::Cast(c) => Ok(vec![Type::new(c.to, need(0)?.shape().to_vec())]),

        Op::LSTM(r) => recurrent(&need(0)?, &need(1)?, 4, r.hidden_size, r.direction, r.layout, 3, results),
        Op::GRU(r) => recurrent(&need(0)?, &need(1)?, 3, r.hidden_size, r.direction, r.layout, 2, results),
        Op::RNN(r) => recurrent(&need(0)?, &need(1)?, 1, r.hidden_size, r.direction, r.layout, 2, results),
    }
}

/// Types of every value of a graph; `None` for what no live node defines.
///
/// # Errors
/// Every input whose shape is not static, then every node whose types cannot be told. Nodes behind a refused one are
/// not looked at.
pub fn graph(graph: &Graph) -> Result<Vec<Option<Type>>, Refusal> {
    let mut refused = Refusals::default();
    let types = partial(graph, &mut refused);
    refused.finish(types)
}

/// As [`graph`], with whatever types can be told beside the refusals.
pub(crate) fn partial(graph: &Graph, refused: &mut Refusals) -> Vec<Option<Type>> {
    let mut types: Vec<Option<Type>> = vec![None; graph.values.len()];
    for (value, ty) in graph.values.iter().zip(&mut types) {
        if let Some(t) = &value.constant {
            // Folded floats have f64 elements under the type they are declared to have.
            *ty = Some(Type::new(value.dtype.unwrap_or(t.dtype()), t.shape.clone()));
        }
    }
    for &id in &graph.inputs {
        let value = graph.value(id);
        match (value.dtype, value.static_shape()) {
            (Some(dtype), Some(shape)) if representable(&shape).is_err() => {
                refused.interface(&value.name, Some(dtype), format!("shape {shape:?} is too large"));
            }
            (Some(dtype), Some(shape)) => types[id.index()] = Some(Type::new(dtype, shape)),
            (None, _) => refused.interface(&value.name, None, "its element type is not declared"),
            (dtype, None) => {
                refused.interface(&value.name, dtype, not_static(&value.name, value.shape.as_deref()))
            }
        }
    }
    for node in &graph.nodes {
        let operands: Option<Vec<Option<Operand<'_>>>> = node
            .inputs
            .iter()
            .map(|input| match input {
                None => Some(None),
                Some(id) => {
                    types[id.index()].as_ref().map(|ty| Some(Operand { ty, constant: graph.constant(*id) }))
                }
            })
            .collect();
        let Some(operands) = operands else { continue };
        match results(&node.op, &operands, node.outputs.len()) {
            Ok(found) => {
                for (id, ty) in node.outputs.iter().zip(found) {
                    if let Some(id) = id {
                        types[id.index()] = Some(ty);
                    }
                }
            }
            Err(reason) => refused.node(node, first_dtype(graph, &types, node), reason),
        }
    }
    types
}

fn not_static(name: &str, shape: Option<&[Dim]>) -> String {
    let dims = shape.unwrap_or_default();
    let named: Vec<&str> =
        dims.iter().filter_map(|d| if let Dim::Named(n) = d { Some(n.as_str()) } else { None }).collect();
    match named.iter().find(|n| !n.is_empty()) {
        Some(dim) => format!("shape of {name} is not static; give --dim {dim}=VALUE"),
        None => format!(
            "shape of {name} is not static, and its dynamic axes have no names; export it with static shapes"
        ),
    }
}

/// Gives named extents their values; names that do not occur are ignored.
///
/// Declared shapes of inner values are dropped where they still have a named axis: inference finds them again.
pub fn bind_dims(graph: &Graph, dims: &BTreeMap<String, usize>) -> Graph {
    let mut graph = graph.clone();
    for value in &mut graph.values {
        for dim in value.shape.iter_mut().flatten() {
            if let Dim::Named(name) = dim
                && let Some(&extent) = dims.get(name)
            {
                *dim = Dim::Fixed(extent);
            }
        }
    }
    graph
}

/// Batch, channels and spatial extents of an N, C, spatial… tensor.
fn image(shape: &[usize]) -> Result<(usize, usize, &[usize]), String> {
    match shape {
        [n, c, spatial @ ..] if !spatial.is_empty() => Ok((*n, *c, spatial)),
        _ => Err(format!("a tensor of rank {} has no spatial axes", shape.len())),
    }
}

fn kernel_shape(kernel: &[i64]) -> Result<Vec<usize>, String> {
    let extents = shape::extents(kernel)?;
    if extents.is_empty() { Err("kernel_shape is missing".into()) } else { Ok(extents) }
}

/// The window attributes of a Conv.
pub fn conv_attributes(c: &halfproof_ir::ops::Conv) -> Attributes<'_> {
    Attributes {
        auto_pad: c.auto_pad,
        pads: &c.pads,
        strides: &c.strides,
        dilations: &c.dilations,
        ceil: false,
    }
}

/// The window attributes of a MaxPool.
pub fn max_pool_attributes(p: &halfproof_ir::ops::MaxPool) -> Attributes<'_> {
    Attributes {
        auto_pad: p.auto_pad,
        pads: &p.pads,
        strides: &p.strides,
        dilations: &p.dilations,
        ceil: p.ceil_mode,
    }
}

/// The window attributes of an LpPool.
pub fn lp_pool_attributes(p: &halfproof_ir::ops::LpPool) -> Attributes<'_> {
    Attributes {
        auto_pad: p.auto_pad,
        pads: &p.pads,
        strides: &p.strides,
        dilations: &p.dilations,
        ceil: p.ceil_mode,
    }
}

/// The window attributes of an AveragePool.
pub fn average_pool_attributes(p: &halfproof_ir::ops::AveragePool) -> Attributes<'_> {
    Attributes {
        auto_pad: p.auto_pad,
        pads: &p.pads,
        strides: &p.strides,
        dilations: &p.dilations,
        ceil: p.ceil_mode,
    }
}

/// `keepdims` and `noop_with_empty_axes` of a Reduce… operator.
pub fn reduction(op: &Op) -> Option<(bool, bool)> {
    macro_rules! any {
        ($($name:ident)*) => {
            match op { $( Op::$name(r) => Some((r.keepdims, r.noop_with_empty_axes)), )* _ => None }
        };
    }
    any!(ReduceSum ReduceMean ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceSumSquare ReduceLogSum ReduceLogSumExp)
}

/// The axes a reduction reduces, sorted; none for a no-op.
///
/// # Errors
/// When they are not constant or out of range.
pub fn reduced_axes(rank: usize, axes: Option<Operand<'_>>, noop: bool) -> Result<Vec<usize>, String> {
    let axes = axes.map(|a| a.integers("axes")).transpose()?.unwrap_or_default();
    if axes.is_empty() {
        return Ok(if noop { vec![] } else { (0..rank).collect() });
    }
    let mut axes = axes.iter().map(|&a| axis(a, rank)).collect::<Result<Vec<_>, _>>()?;
    axes.sort_unstable();
    axes.dedup();
    Ok(axes)
}

/// The extents of a Split's results.
///
/// # Errors
/// When they do not add up.
pub fn split_sizes(
    extent: usize,
    sizes: Option<Operand<'_>>,
    parts: Option<i64>,
    results: usize,
) -> Result<Vec<usize>, String> {
    let sizes = match sizes {
        Some(sizes) => shape::extents(&sizes.integers("split")?)?,
        None => {
            let parts =
                parts.map_or(Ok(results), |n| usize::try_from(n).map_err(|_| "num_outputs is negative"))?;
            if parts == 0 {
                return Err("there is no result".into());
            }
            // Equal parts, the last one smaller.
            let each = extent.div_ceil(parts);
            (0..parts).map(|i| extent.saturating_sub(i * each).min(each)).collect()
        }
    };
    if sizes.len() > 1 << 16 || sizes.iter().sum::<usize>() != extent || sizes.len() < results {
        return Err(format!("parts {sizes:?} do not make up {extent}"));
    }
    Ok(sizes)
}

/// What a Slice takes along one axis: `start`, `start + step`…, `len` of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// First index.
    pub start: usize,
    /// Distance, not 0; negative to walk backwards.
    pub step: i64,
    /// How many.
    pub len: usize,
}

/// The ranges of a Slice along all axes.
///
/// # Errors
/// When bounds are not constant, do not fit together, or a step is 0.
pub fn slice_ranges(
    shape: &[usize],
    starts: Operand<'_>,
    ends: Operand<'_>,
    axes: Option<Operand<'_>>,
    steps: Option<Operand<'_>>,
) -> Result<Vec<Range>, String> {
    let starts = starts.integers("starts")?;
    let ends = ends.integers("ends")?;
    let axes = match axes {
        Some(a) => {
            a.integers("axes")?.iter().map(|&a| axis(a, shape.len())).collect::<Result<Vec<_>, _>>()?
        }
        None => (0..starts.len()).collect(),
    };
    let steps = steps.map(|s| s.integers("steps")).transpose()?.unwrap_or_else(|| vec![1; starts.len()]);
    if starts.len() != ends.len()
        || starts.len() != axes.len()
        || starts.len() != steps.len()
        || axes.len() > shape.len()
    {
        return Err("starts, ends, axes and steps have different lengths".into());
    }
    let mut ranges: Vec<Range> = shape.iter().map(|&d| Range { start: 0, step: 1, len: d }).collect();
    for (i, &a) in axes.iter().enumerate() {
        let extent = shape[a].cast_signed() as i64;
        let wrap = |v: i64| if v < 0 { v.saturating_add(extent) } else { v };
        let (step, low, high) = match steps[i] {
            0 => return Err("a step is 0".into()),
            s if s > 0 => (s, 0, extent),
            s => (s, -1, extent - 1),
        };
        let start = wrap(starts[i]).clamp(low.max(0), high.max(0));
        let end = wrap(ends[i]).clamp(low, high);
        let span = if step > 0 { end - start } else { start - end };
        let len = if extent == 0 || span <= 0 { 0 } else { (span as u64).div_ceil(step.unsigned_abs()) };
        ranges[a] = Range {
            start: usize::try_from(start).unwrap_or(0),
            step,
            len: usize::try_from(len).unwrap_or(0),
        };
    }
    Ok(ranges)
}

/// Elements added before and after along every axis; negative ones are cut.
///
/// # Errors
/// When pads are not constant, have the wrong length or are out of range.
pub fn pads(rank: usize, pads: Operand<'_>, axes: Option<Operand<'_>>) -> Result<Vec<(i64, i64)>, String> {
    let pads = pads.integers("pads")?;
    let axes = match axes {
        Some(a) => a.integers("axes")?.iter().map(|&a| axis(a, rank)).collect::<Result<Vec<_>, _>>()?,
        None => (0..rank).collect(),
    };
    if pads.len() != 2 * axes.len() {
        return Err(format!(
            "pads has {} elements where {} axes need {}",
            pads.len(),
            axes.len(),
            2 * axes.len()
        ));
    }
    if let Some(p) = pads.iter().find(|p| p.unsigned_abs() >= BEYOND_TFLITE as u64) {
        return Err(format!("a pad is out of range: {p}"));
    }
    let mut all = vec![(0, 0); rank];
    for (i, &a) in axes.iter().enumerate() {
        all[a] = (pads[i], pads[axes.len() + i]);
    }
    Ok(all)
}

/// A Transpose's permutation; reversal when the attribute is empty.
///
/// # Errors
/// When it is none.
pub fn permutation(perm: &[i64], rank: usize) -> Result<Vec<usize>, String> {
    if perm.is_empty() {
        return Ok((0..rank).rev().collect());
    }
    let perm: Vec<usize> = perm.iter().map(|&a| axis(a, rank)).collect::<Result<_, _>>()?;
    let mut sorted = perm.clone();
    sorted.sort_unstable();
    if sorted.iter().copied().eq(0..rank) {
        Ok(perm)
    } else {
        Err(format!("perm is no permutation of {rank} axes"))
    }
}

/// The flat places of the elements that are not 0.
pub(crate) fn places_of_non_zeros(tensor: &Tensor) -> Vec<usize> {
    match tensor.floats() {
        Some(v) => (0..v.len()).filter(|&i| v[i] != 0.0).collect(),
        None => {
            let v = tensor.integers().unwrap_or_default();
            (0..v.len()).filter(|&i| v[i] != 0).collect()
        }
    }
}

fn attention(
    op: &halfproof_ir::ops::Attention,
    q: &Operand<'_>,
    k: &Operand<'_>,
    v: &Operand<'_>,
    past_key: Option<Operand<'_>>,
    past_value: Option<Operand<'_>>,
    results: usize,
) -> Result<Vec<Type>, String> {
    let by_head = |x: &Operand<'_>, heads: i64| match *x.shape() {
        [n, h, l, s] => Ok([n, h, l, s]),
        [n, l, hidden] => {
            let heads = usize::try_from(heads).ok().filter(|&h| h > 0 && hidden % h == 0);
            let heads = heads.ok_or_else(|| format!("{hidden} elements do not fit the number of heads"))?;
            Ok([n, heads, l, hidden / heads])
        }
        _ => Err("its operands have neither 3 nor 4 axes".to_string()),
    };
    let ([n, heads, queries, size], mut keys, mut values) =
        (by_head(q, op.q_num_heads)?, by_head(k, op.kv_num_heads)?, by_head(v, op.kv_num_heads)?);
    if past_key.is_some() != past_value.is_some() {
        return Err("one half of the cache is missing".into());
    }
    for (held, past) in [(&mut keys, past_key), (&mut values, past_value)] {
        if let Some(past) = past {
            let &[_, _, p, _] = past.shape() else { return Err("the cache does not fit".into()) };
            held[2] += p;
        }
    }
    let fits = keys[0] == n && values[0] == n && keys[3] == size && keys[..3] == values[..3];
    if !fits || keys[1] == 0 || heads % keys[1] != 0 {
        return Err(format!("queries {:?}, keys {keys:?} and values {values:?} do not fit", q.shape()));
    }
    let y = match q.ty.rank() {
        3 => vec![n, queries, heads * values[3]],
        _ => vec![n, heads, queries, values[3]],
    };
    let shown = vec![n, heads, queries, keys[2]];
    let all = [y, keys.to_vec(), values.to_vec(), shown];
    Ok(all.into_iter().map(|shape| Type::new(q.ty.dtype, shape)).take(results.max(1)).collect())
}

fn recurrent(
    x: &Operand<'_>,
    w: &Operand<'_>,
    gates: usize,
    hidden: i64,
    direction: Direction,
    layout: i64,
    most: usize,
    results: usize,
) -> Result<Vec<Type>, String> {
    let (&[a, b, _], &[_, rows, _]) = (x.shape(), w.shape()) else {
        return Err("operands have the wrong rank".into());
    };
    let hidden = if hidden > 0 { usize::try_from(hidden).unwrap_or(0) } else { rows / gates };
    if rows != hidden * gates {
        return Err(format!("weights {:?} do not fit {hidden} hidden units", w.shape()));
    }
    let directions = if direction == Direction::Bidirectional { 2 } else { 1 };
    let (y, last) = match layout {
        0 => (vec![a, directions, b, hidden], vec![directions, b, hidden]),
        1 => (vec![a, b, directions, hidden], vec![a, directions, hidden]),
        _ => return Err("layout is neither 0 nor 1".into()),
    };
    let ty = |shape: Vec<usize>| Type::new(x.ty.dtype, shape);
    Ok([ty(y), ty(last.clone()), ty(last)].into_iter().take(most.min(results)).collect())
}
