//! Decides the element type and the static shape of every tensor of a source graph.
//!
//! Source: the ONNX operator specification, newest opset. Shapes are row-major extents in the source's own layout
//! (NCHW). What depends on the elements of an operand (a Reshape's shape, a Slice's bounds) needs that operand to be
//! constant: `fold` makes it so where it can be. One file per family of the operator table.

mod activation;
mod attention;
mod binary;
mod compare;
mod concat;
mod conv;
mod einsum;
mod gather;
mod layout;
mod loss;
mod matmul;
mod norm;
mod pad;
mod pool;
mod recurrent;
mod reduce;
mod resize;
mod sample;
mod scatter;
mod select;
mod shape;
mod signal;
mod slice;
mod softmax;
pub mod window;

pub use concat::split_sizes;
pub use conv::conv_attributes;
pub use layout::permutation;
pub use pad::pads;
pub use pool::{average_pool_attributes, lp_pool_attributes, max_pool_attributes};
pub use reduce::{reduced_axes, reduction};
pub(crate) use scatter::places_of_non_zeros;
pub use slice::{Range, slice_ranges};

use crate::refuse::{Refusals, first_dtype};
use halfproof_ir::{DType, Dim, Graph, Op, Refusal, Tensor};
use std::collections::BTreeMap;

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

/// The results' types of a node, or why they cannot be told.
type Types = Result<Vec<Type>, String>;

/// A node's operands, and how many results it has.
struct Site<'a> {
    operands: &'a [Option<Operand<'a>>],
    results: usize,
}

impl<'a> Site<'a> {
    fn at(&self, i: usize) -> Option<Operand<'a>> {
        self.operands.get(i).copied().flatten()
    }

    fn need(&self, i: usize) -> Result<Operand<'a>, String> {
        self.at(i).ok_or_else(|| format!("operand {i} is missing"))
    }

    /// One result, of the first operand's type.
    fn same(&self) -> Types {
        Ok(vec![self.need(0)?.ty.clone()])
    }

    /// One result, of the first operand's element type.
    fn with(&self, shape: Vec<usize>) -> Types {
        Ok(vec![Type::new(self.need(0)?.ty.dtype, shape)])
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

/// Integers as extents.
///
/// # Errors
/// When one is negative or too large.
fn extents(values: &[i64]) -> Result<Vec<usize>, String> {
    window::unsigned(values, "an extent is")
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
    let site = Site { operands, results };
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
        | Op::Not => site.same(),
        Op::PRelu => activation::prelu(&site),

        Op::Softmax(op) => softmax::rows(op.axis, op.coerce_2d, &site),
        Op::LogSoftmax(op) => softmax::rows(op.axis, op.coerce_2d, &site),
        Op::Hardmax(op) => softmax::rows(op.axis, op.coerce_2d, &site),

        Op::Add
        | Op::Sub
        | Op::Mul
        | Op::Div
        | Op::Mod(_)
        | Op::Pow
        | Op::Min
        | Op::Max
        | Op::Sum
        | Op::Mean => binary::elementwise(&site),
        Op::Equal
        | Op::Greater
        | Op::GreaterOrEqual
        | Op::Less
        | Op::LessOrEqual
        | Op::And
        | Op::Or
        | Op::Xor => compare::compare(&site),
        Op::IsNaN | Op::IsInf(_) => compare::of_each(&site),
        Op::Trilu(_) => select::trilu(&site),
        Op::Where => select::choose(&site),

        Op::MatMul => matmul::matmul(&site),
        Op::Gemm(op) => matmul::gemm(op, &site),
        Op::Einsum(op) => einsum::einsum(op, &site),

        Op::Conv(op) => conv::conv(op, &site),
        Op::ConvTranspose(op) => conv::transposed(op, &site),
        Op::MaxPool(op) => pool::max(op, &site),
        Op::AveragePool(op) => pool::average(op, &site),
        Op::LpPool(op) => pool::lp(op, &site),
        Op::GlobalAveragePool | Op::GlobalMaxPool | Op::GlobalLpPool(_) => pool::global(&site),

        Op::BatchNormalization(_) | Op::InstanceNormalization(_) | Op::GroupNormalization(_) => {
            norm::by_channel(op, &site)
        }
        Op::LRN(op) => norm::lrn(op, &site),
        Op::LpNormalization(op) => norm::along(op.axis, &site),
        Op::RMSNormalization(op) => norm::along(op.axis, &site),
        Op::LayerNormalization(op) => norm::layer(op, &site),
        Op::MeanVarianceNormalization(op) => norm::mean_variance(op, &site),

        Op::ReduceSum(_)
        | Op::ReduceMean(_)
        | Op::ReduceMax(_)
        | Op::ReduceMin(_)
        | Op::ReduceProd(_)
        | Op::ReduceL1(_)
        | Op::ReduceL2(_)
        | Op::ReduceSumSquare(_)
        | Op::ReduceLogSum(_)
        | Op::ReduceLogSumExp(_) => reduce::reduce(op, &site),
        Op::ArgMax(op) => reduce::arg(op.axis, op.keepdims, &site),
        Op::ArgMin(op) => reduce::arg(op.axis, op.keepdims, &site),
        Op::CumSum(_) => reduce::cum_sum(&site),
        Op::TopK(op) => reduce::top_k(op, &site),

        Op::Concat(op) => concat::concat(op, &site),
        Op::Split(op) => concat::split(op, &site),
        Op::Slice => slice::slice(&site),
        Op::Pad(_) => pad::pad(&site),
        Op::CenterCropPad(op) => pad::center_crop(op, &site),

        Op::Gather(op) => gather::gather(op, &site),
        Op::OneHot(op) => gather::one_hot(op, &site),
        Op::GatherElements(_) => site.with(site.need(1)?.shape().to_vec()),
        Op::GatherND(op) => scatter::gather_nd(op, &site),
        Op::ScatterElements(_) | Op::ScatterND(_) => scatter::scattered(&site),
        Op::TensorScatter(op) => scatter::tensor_scatter(op, &site),
        Op::NonZero => scatter::non_zero(&site),
        Op::Compress(op) => scatter::compress(op, &site),
        Op::ReverseSequence(_) => scatter::reverse_sequence(&site),

        Op::Attention(op) => attention::attention(op, &site),
        Op::RotaryEmbedding(_) => site.same(),
        Op::GridSample(_) => sample::grid_sample(&site),
        Op::AffineGrid(_) => sample::affine_grid(&site),
        Op::DFT(op) => signal::dft(op, &site),
        Op::HannWindow(op) => signal::window(op.output_datatype, &site),
        Op::HammingWindow(op) => signal::window(op.output_datatype, &site),
        Op::BlackmanWindow(op) => signal::window(op.output_datatype, &site),
        Op::NegativeLogLikelihoodLoss(op) => loss::loss(&op.reduction, &site),
        Op::SoftmaxCrossEntropyLoss(op) => loss::loss(&op.reduction, &site),

        Op::Shape(op) => shape::shape_of(op, &site),
        Op::Size => Ok(vec![Type::new(DType::I64, [])]),
        Op::Reshape(op) => shape::reshape(op, &site),
        Op::Flatten(op) => shape::flatten(op, &site),
        Op::Squeeze => shape::squeeze(&site),
        Op::Unsqueeze => shape::unsqueeze(&site),
        Op::Expand => shape::expand(&site),
        Op::Tile => shape::tile(&site),
        Op::Range => shape::range(&site),
        Op::ConstantOfShape(op) => shape::constant(op, &site),
        Op::EyeLike(op) => shape::eye_like(op, &site),

        Op::Transpose(op) => layout::transpose(op, &site),
        Op::DepthToSpace(op) => layout::depth_to_space(op, &site),
        Op::SpaceToDepth(op) => layout::space_to_depth(op, &site),
        Op::Col2Im(_) => layout::col2im(&site),
        Op::Resize(op) => resize::resize(op, &site),

        Op::Cast(op) => Ok(vec![Type::new(op.to, site.need(0)?.shape())]),
        Op::CastLike(_) => Ok(vec![Type::new(site.need(1)?.ty.dtype, site.need(0)?.shape())]),

        Op::LSTM(op) => recurrent::recurrent((4, 3), op.hidden_size, op.direction, op.layout, &site),
        Op::GRU(op) => recurrent::recurrent((3, 2), op.hidden_size, op.direction, op.layout, &site),
        Op::RNN(op) => recurrent::recurrent((1, 2), op.hidden_size, op.direction, op.layout, &site),
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
