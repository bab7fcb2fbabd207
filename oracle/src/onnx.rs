//! Says what ONNX says: the value of every tensor of a source graph, in any arithmetic.
//!
//! Each operator is written from its published definition and from nothing else; the converter has its own reading.
//! Operator files hold indices, axes and formulas over [`Arith`], never error analysis. Every floating-point result is
//! passed through [`Arith::store`] with the ONNX type of the result; intermediate results of composite operators
//! through [`Arith::intermediate`]. Integers and booleans are exact, wrap at their storage type, and carry
//! whether a float comparison behind them could have turned.
//!
//! It does not infer shapes ahead of the values, and does not read files.
//!
//! Sources: ONNX operator specification, default domain, up to opset 23 (`docs/Operators.md` and `docs/Changelog.md`
//! of release 1.19 and later); the canonical form of [`Graph`] decides which version of an operator is meant.

mod activation;
mod attention;
mod binary;
mod cast;
mod compare;
mod concat;
mod conv;
mod einsum;
mod error;
mod gather;
mod layout;
mod loss;
mod matmul;
mod norm;
mod operands;
mod order;
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
mod strided;
mod unary;
mod whole;
mod window;

pub use error::{EvalError, OpError};

use crate::arith::{Arith, Function};
use crate::value::{Array, Value, Whole};
use halfproof_ir::{DType, Dim, Graph, Op, Tensor, ValueId};
use operands::Operands;

/// The values of a graph's tensors.
#[derive(Clone, Debug)]
pub struct Evaluation<E> {
    /// By [`ValueId`]: inputs, constants that a node or an output reads, and results. `None` for tensors that nothing defines.
    pub values: Vec<Option<Value<E>>>,
    outputs: Vec<ValueId>,
}

impl<E> Evaluation<E> {
    /// The value of one tensor.
    pub fn value(&self, id: ValueId) -> Option<&Value<E>> {
        self.values.get(id.index())?.as_ref()
    }

    /// The graph's outputs, in interface order.
    pub fn outputs(&self) -> impl Iterator<Item = &Value<E>> {
        self.outputs.iter().filter_map(|&id| self.value(id))
    }
}

/// Evaluates a graph; `inputs` in the order of [`Graph::inputs`].
///
/// # Errors
/// When the inputs are not those that the graph declares (count, type, static extents), when a tensor is read before it
/// is defined, or when a node has no value for its operands.
pub fn evaluate<A: Arith>(
    graph: &Graph,
    inputs: &[Tensor],
    arith: &A,
) -> Result<Evaluation<A::E>, EvalError> {
    if inputs.len() != graph.inputs.len() {
        return Err(EvalError::InputCount { expected: graph.inputs.len(), found: inputs.len() });
    }
    let mut values: Vec<Option<Value<A::E>>> = Vec::new();
    values.resize_with(graph.values.len(), || None);
    for (&id, tensor) in graph.inputs.iter().zip(inputs) {
        check_input(graph, id, tensor)?;
        values[id.index()] = Some(named(graph, id, load(tensor, arith))?);
    }
    walk(graph, values, arith, None)
}

/// Evaluates some tensors from others, `given` by [`ValueId`]; what is not between them has no value.
///
/// # Errors
/// As [`evaluate`].
pub fn evaluate_from<A: Arith>(
    graph: &Graph,
    given: Vec<Option<Value<A::E>>>,
    arith: &A,
    chosen: &[ValueId],
) -> Result<Evaluation<A::E>, EvalError> {
    let settled: Vec<bool> = given.iter().map(Option::is_some).collect();
    walk(graph, given, arith, Some(&behind(graph, chosen, &settled)))
}

/// By value: it is one of `chosen`, or one of those is computed from it. What a `settled` value is computed from is not
/// looked at; there may be fewer of these than of values.
pub fn behind(graph: &Graph, chosen: &[ValueId], settled: &[bool]) -> Vec<bool> {
    let mut behind = vec![false; graph.values.len()];
    chosen.iter().for_each(|id| behind[id.index()] = true);
    let is_settled = |id: &ValueId| settled.get(id.index()) == Some(&true);
    for node in graph.nodes.iter().rev() {
        if node.outputs.iter().flatten().any(|id| behind[id.index()] && !is_settled(id)) {
            node.inputs.iter().flatten().for_each(|id| behind[id.index()] = true);
        }
    }
    behind
}

/// Evaluates the nodes that have a result in `wanted`, by value, that has no value yet; all where it is `None`.
fn walk<A: Arith>(
    graph: &Graph,
    mut values: Vec<Option<Value<A::E>>>,
    arith: &A,
    wanted: Option<&[bool]>,
) -> Result<Evaluation<A::E>, EvalError> {
    let is_wanted = |id: &ValueId| wanted.is_none_or(|wanted| wanted[id.index()]);
    // Values that depend on an input.
    let mut varies = vec![false; graph.values.len()];
    graph.inputs.iter().for_each(|id| varies[id.index()] = true);
    for node in &graph.nodes {
        let node_varies = node.inputs.iter().flatten().any(|id| varies[id.index()]);
        node.outputs.iter().flatten().for_each(|id| varies[id.index()] = node_varies);
        // A node without results is evaluated too, where all are: it may be invalid.
        let mut results = node.outputs.iter().flatten();
        if wanted.is_some() && !results.any(|id| is_wanted(id) && values[id.index()].is_none()) {
            continue;
        }
        for &id in node.inputs.iter().flatten() {
            define(graph, id, &node.name, &mut values, arith)?;
        }
        let operand = node.inputs.first().copied().flatten().and_then(|id| values[id.index()].as_ref());
        let folded = operand.filter(|_| !node_varies).and_then(|x| folded(&node.op, x, arith));
        let mut operands: Vec<Option<&Value<A::E>>> =
            node.inputs.iter().map(|id| id.and_then(|id| values[id.index()].as_ref())).collect();
        if let (Some(first), Some(folded)) = (operands.first_mut(), &folded) {
            *first = Some(folded);
        }
        let failed =
            |reason| EvalError::Node { op: node.op.name().to_string(), node: node.name.clone(), reason };
        let results = operator(&node.op, node.outputs.len(), &operands, arith).map_err(failed)?;
        for (id, value) in node.outputs.iter().zip(results) {
            if let Some(id) = id {
                values[id.index()] = Some(value);
            }
        }
    }
    for &id in graph.outputs.iter().filter(|id| is_wanted(id)) {
        define(graph, id, "graph output", &mut values, arith)?;
    }
    Ok(Evaluation { values, outputs: graph.outputs.clone() })
}

/// The operand, computed from constants alone, of an operator that makes whole numbers of it, as it may be when a converter folds
/// it; `None` for other operators.
fn folded<A: Arith>(op: &Op, operand: &Value<A::E>, arith: &A) -> Option<Value<A::E>> {
    let Value::Float(dtype, array) = operand else { return None };
    let makes_whole = match op {
        Op::Floor | Op::Ceil | Op::Round => true,
        Op::Cast(cast) => !cast.to.is_float(),
        _ => false,
    };
    makes_whole.then(|| {
        let data = array.data.iter().map(|&x| arith.folded(x, *dtype)).collect();
        Value::Float(*dtype, Array { shape: array.shape.clone(), data })
    })
}

/// The exact evaluation, in f64. One instance of [`evaluate`], compiled here once for everybody.
///
/// # Errors
/// As [`evaluate`].
pub fn ideal(graph: &Graph, inputs: &[Tensor]) -> Result<Evaluation<f64>, EvalError> {
    evaluate(graph, inputs, &crate::arith::Ideal)
}

/// Loads a constant at its first use; anything else must have a value by now.
fn define<A: Arith>(
    graph: &Graph,
    id: ValueId,
    user: &str,
    values: &mut [Option<Value<A::E>>],
    arith: &A,
) -> Result<(), EvalError> {
    if values[id.index()].is_some() {
        return Ok(());
    }
    match graph.constant(id) {
        Some(tensor) => {
            let value = match named(graph, id, load(tensor, arith))? {
                // A constant may hold more exact elements than its declared type can: see `Graph`.
                Value::Float(DType::F64, array) if graph.value(id).dtype == Some(DType::F32) => {
                    Value::Float(DType::F32, array)
                }
                value => value,
            };
            values[id.index()] = Some(value);
        }
        None => {
            let tensor = graph.value(id).name.clone();
            return Err(EvalError::Undefined { tensor, user: user.to_string() });
        }
    }
    Ok(())
}

fn named<T>(graph: &Graph, id: ValueId, value: Option<T>) -> Result<T, EvalError> {
    value.ok_or_else(|| EvalError::Range(graph.value(id).name.clone()))
}

fn check_input(graph: &Graph, id: ValueId, tensor: &Tensor) -> Result<(), EvalError> {
    let declared = graph.value(id);
    if let Some(expected) = declared.dtype
        && expected != tensor.dtype()
    {
        return Err(EvalError::InputType { name: declared.name.clone(), expected, found: tensor.dtype() });
    }
    if let Some(dims) = &declared.shape {
        let fits = dims.len() == tensor.shape.len()
            && dims.iter().zip(&tensor.shape).all(|(d, &n)| match d {
                Dim::Fixed(m) => *m == n,
                Dim::Named(_) => true,
            });
        if !fits {
            let dims: Vec<String> = dims
                .iter()
                .map(|d| match d {
                    Dim::Fixed(n) => n.to_string(),
                    Dim::Named(name) if name.is_empty() => "?".to_string(),
                    Dim::Named(name) => name.clone(),
                })
                .collect();
            return Err(EvalError::InputShape {
                name: declared.name.clone(),
                expected: format!("[{}]", dims.join(", ")),
                found: tensor.shape.clone(),
            });
        }
    }
    Ok(())
}

/// A tensor as exact elements; `None` for a UINT64 beyond the range of INT64.
pub fn load<A: Arith>(tensor: &Tensor, arith: &A) -> Option<Value<A::E>> {
    use halfproof_ir::Data;
    let shape = tensor.shape.clone();
    let dtype = tensor.dtype();
    let data = match &tensor.data {
        Data::F16(v) => v.iter().map(|x| arith.exact(crate::half::value(*x))).collect(),
        Data::F32(v) => v.iter().map(|&x| arith.exact(f64::from(x))).collect(),
        Data::F64(v) => v.iter().map(|&x| arith.exact(x)).collect(),
        _ => {
            let data = tensor.integers()?.into_iter().map(Whole::known).collect();
            return Some(Value::Whole(dtype, Array { shape, data }));
        }
    };
    Some(Value::Float(dtype, Array { shape, data }))
}

/// Evaluates one operator: its results in ONNX order, all of them, whether or not the node names them.
/// `outputs` is the number of results that the node lists (Split and optional results depend on it).
///
/// # Errors
/// When the operator is not in the table or has no value for these operands.
pub fn operator<A: Arith>(
    op: &Op,
    outputs: usize,
    operands: &[Option<&Value<A::E>>],
    arith: &A,
) -> Result<Vec<Value<A::E>>, OpError> {
    use compare::{Comparing, Logic};
    use reduce::Reduction;
    let x = &Operands(operands);
    let one = match op {
        Op::Abs => unary::evaluate(Function::Abs, x, arith),
        Op::Neg => unary::evaluate(Function::Neg, x, arith),
        Op::Exp => unary::evaluate(Function::Exp, x, arith),
        Op::Log => unary::evaluate(Function::Log, x, arith),
        Op::Sqrt => unary::evaluate(Function::Sqrt, x, arith),
        Op::Reciprocal => unary::evaluate(Function::Reciprocal, x, arith),
        Op::Sin => unary::evaluate(Function::Sin, x, arith),
        Op::Cos => unary::evaluate(Function::Cos, x, arith),
        Op::Tan => unary::evaluate(Function::Tan, x, arith),
        Op::Asin => unary::evaluate(Function::Asin, x, arith),
        Op::Acos => unary::evaluate(Function::Acos, x, arith),
        Op::Atan => unary::evaluate(Function::Atan, x, arith),
        Op::Sinh => unary::evaluate(Function::Sinh, x, arith),
        Op::Cosh => unary::evaluate(Function::Cosh, x, arith),
        Op::Asinh => unary::evaluate(Function::Asinh, x, arith),
        Op::Acosh => unary::evaluate(Function::Acosh, x, arith),
        Op::Atanh => unary::evaluate(Function::Atanh, x, arith),
        Op::Floor => unary::evaluate(Function::Floor, x, arith),
        Op::Ceil => unary::evaluate(Function::Ceil, x, arith),
        Op::Round => unary::evaluate(Function::Round, x, arith),
        Op::Sign => unary::evaluate(Function::Sign, x, arith),
        Op::Erf => unary::evaluate(Function::Erf, x, arith),
        Op::Sigmoid => unary::evaluate(Function::Logistic, x, arith),
        Op::Tanh => unary::evaluate(Function::Tanh, x, arith),
        Op::Identity => shape::identity(x),
        Op::Add => binary::add(x, arith),
        Op::Sub => binary::sub(x, arith),
        Op::Mul => binary::mul(x, arith),
        Op::Div => binary::div(x, arith),
        Op::Pow => binary::pow(x, arith),
        Op::Min => binary::min(x, arith),
        Op::Max => binary::max(x, arith),
        Op::Sum => binary::sum(x, arith),
        Op::Mean => binary::mean(x, arith),
        Op::Equal => compare::compare(Comparing::Equal, x, arith),
        Op::Greater => compare::compare(Comparing::Greater, x, arith),
        Op::GreaterOrEqual => compare::compare(Comparing::GreaterOrEqual, x, arith),
        Op::Less => compare::compare(Comparing::Less, x, arith),
        Op::LessOrEqual => compare::compare(Comparing::LessOrEqual, x, arith),
        Op::And => compare::logic(Logic::And, x),
        Op::Or => compare::logic(Logic::Or, x),
        Op::Xor => compare::logic(Logic::Xor, x),
        Op::Not => compare::not(x),
        Op::IsNaN => compare::is_nan(x, arith),
        Op::IsInf(op) => compare::is_inf(op, x, arith),
        Op::Where => select::evaluate(x, arith),
        Op::Relu => unary::evaluate(Function::Relu, x, arith),
        Op::PRelu => activation::prelu(x, arith),
        Op::HardSwish => unary::evaluate(Function::HardSwish, x, arith),
        Op::Mish => unary::evaluate(Function::Mish, x, arith),
        Op::Softplus => unary::evaluate(Function::Softplus, x, arith),
        Op::Softsign => activation::softsign(x, arith),
        Op::Clip => activation::clip(x, arith),
        Op::MatMul => matmul::matmul(x, arith),
        Op::GlobalAveragePool => pool::global_average(x, arith),
        Op::GlobalMaxPool => pool::global_max(x, arith),
        Op::Slice => slice::evaluate(x),
        Op::Squeeze => shape::squeeze(x),
        Op::Unsqueeze => shape::unsqueeze(x),
        Op::Expand => shape::expand(x),
        Op::Tile => shape::tile(x),
        Op::Range => shape::range(x, arith),
        Op::Size => shape::size(x),
        Op::Conv(op) => conv::conv(op, x, arith),
        Op::ConvTranspose(op) => conv::conv_transpose(op, x, arith),
        Op::MaxPool(op) => return pool::max(op, x, arith),
        Op::AveragePool(op) => pool::average(op, x, arith),
        Op::LpPool(op) => pool::lp(op, x, arith),
        Op::GlobalLpPool(op) => pool::global_lp(op, x, arith),
        Op::Mod(op) => binary::modulo(op, x, arith),
        Op::Gemm(op) => matmul::gemm(op, x, arith),
        Op::LeakyRelu(op) => unary::evaluate(Function::LeakyRelu { alpha: op.alpha.into() }, x, arith),
        Op::ThresholdedRelu(op) => activation::thresholded_relu(op, x, arith),
        Op::Elu(op) => unary::evaluate(Function::Elu { alpha: op.alpha.into() }, x, arith),
        Op::Celu(op) => activation::celu(op, x, arith),
        Op::Selu(op) => activation::selu(op, x, arith),
        Op::HardSigmoid(op) => activation::hard_sigmoid(op, x, arith),
        Op::Gelu(op) => activation::gelu(op, x, arith),
        Op::Shrink(op) => activation::shrink(op, x, arith),
        Op::Swish(op) => activation::swish(op, x, arith),
        Op::Hardmax(op) => softmax::hard(op, x, arith),
        Op::Softmax(op) => softmax::evaluate(op.axis, op.coerce_2d, false, x, arith),
        Op::LogSoftmax(op) => softmax::evaluate(op.axis, op.coerce_2d, true, x, arith),
        Op::BatchNormalization(op) => norm::batch(op, x, arith),
        Op::InstanceNormalization(op) => norm::instance(op, x, arith),
        Op::LayerNormalization(op) => return norm::layer(op, x, arith),
        Op::RMSNormalization(op) => norm::rms(op, x, arith),
        Op::GroupNormalization(op) => norm::group(op, x, arith),
        Op::LRN(op) => norm::lrn(op, x, arith),
        Op::LpNormalization(op) => norm::lp(op, x, arith),
        Op::MeanVarianceNormalization(op) => norm::mean_variance(op, x, arith),
        Op::ReduceSum(op) => reduce::evaluate(Reduction::Sum, op.keepdims, op.noop_with_empty_axes, x, arith),
        Op::ReduceMean(op) => {
            reduce::evaluate(Reduction::Mean, op.keepdims, op.noop_with_empty_axes, x, arith)
        }
        Op::ReduceMax(op) => reduce::evaluate(Reduction::Max, op.keepdims, op.noop_with_empty_axes, x, arith),
        Op::ReduceMin(op) => reduce::evaluate(Reduction::Min, op.keepdims, op.noop_with_empty_axes, x, arith),
        Op::ReduceProd(op) => {
            reduce::evaluate(Reduction::Prod, op.keepdims, op.noop_with_empty_axes, x, arith)
        }
        Op::ReduceL1(op) => reduce::evaluate(Reduction::L1, op.keepdims, op.noop_with_empty_axes, x, arith),
        Op::ReduceL2(op) => reduce::evaluate(Reduction::L2, op.keepdims, op.noop_with_empty_axes, x, arith),
        Op::ReduceSumSquare(op) => {
            reduce::evaluate(Reduction::SumSquare, op.keepdims, op.noop_with_empty_axes, x, arith)
        }
        Op::ReduceLogSum(op) => {
            reduce::evaluate(Reduction::LogSum, op.keepdims, op.noop_with_empty_axes, x, arith)
        }
        Op::ReduceLogSumExp(op) => {
            reduce::evaluate(Reduction::LogSumExp, op.keepdims, op.noop_with_empty_axes, x, arith)
        }
        Op::ArgMax(op) => reduce::arg_max(op, x, arith),
        Op::ArgMin(op) => reduce::arg_min(op, x, arith),
        Op::CumSum(op) => reduce::cum_sum(op, x, arith),
        Op::TopK(op) => return order::top_k(op, x, arith),
        Op::Concat(op) => concat::concat(op, x),
        Op::Split(op) => return concat::split(op, outputs, x),
        Op::Pad(op) => pad::evaluate(op, x, arith),
        Op::Gather(op) => gather::evaluate(op, x, arith),
        Op::NonZero => scatter::non_zero(x, arith),
        Op::GatherElements(op) => scatter::gather_elements(op, x, arith),
        Op::GatherND(op) => scatter::gather_nd(op, x, arith),
        Op::ScatterElements(op) => scatter::scatter_elements(op, x, arith),
        Op::ScatterND(op) => scatter::scatter_nd(op, x, arith),
        Op::TensorScatter(op) => scatter::tensor_scatter(op, x, arith),
        Op::Compress(op) => scatter::compress(op, x),
        Op::ReverseSequence(op) => scatter::reverse_sequence(op, x),
        Op::Einsum(op) => einsum::evaluate(op, x, arith),
        Op::CenterCropPad(op) => pad::center_crop(op, x, arith),
        Op::Col2Im(op) => layout::col2im(op, x, arith),
        Op::Attention(op) => return attention::attention(op, x, arith),
        Op::RotaryEmbedding(op) => attention::rotary(op, x, arith),
        Op::GridSample(op) => sample::grid_sample(op, x, arith),
        Op::AffineGrid(op) => sample::affine_grid(op, x, arith),
        Op::DFT(op) => signal::dft(op, x, arith),
        Op::HannWindow(op) => signal::window([0.5, -0.5, 0.0], op.periodic, op.output_datatype, x, arith),
        Op::HammingWindow(op) => {
            let terms = [25.0 / 46.0, -21.0 / 46.0, 0.0];
            signal::window(terms, op.periodic, op.output_datatype, x, arith)
        }
        Op::BlackmanWindow(op) => {
            signal::window([0.42, -0.5, 0.08], op.periodic, op.output_datatype, x, arith)
        }
        Op::NegativeLogLikelihoodLoss(op) => loss::negative_log_likelihood(op, x, arith),
        Op::SoftmaxCrossEntropyLoss(op) => return loss::cross_entropy(op, x, arith),
        Op::OneHot(op) => gather::one_hot(op, x, arith),
        Op::Trilu(op) => select::trilu(op, x, arith),
        Op::EyeLike(op) => shape::eye_like(op, x, arith),
        Op::Shape(op) => shape::shape_of(op, x),
        Op::Reshape(op) => shape::reshape(op, x),
        Op::Flatten(op) => shape::flatten(op, x),
        Op::ConstantOfShape(op) => shape::constant_of_shape(op, x, arith),
        Op::Transpose(op) => layout::transpose(op, x),
        Op::DepthToSpace(op) => layout::depth_to_space(op, x),
        Op::SpaceToDepth(op) => layout::space_to_depth(op, x),
        Op::Resize(op) => resize::evaluate(op, x, arith),
        Op::Cast(op) => cast::evaluate(op, x, arith),
        Op::CastLike(op) => cast::like(op, x, arith),
        Op::LSTM(op) => return recurrent::lstm(op, x, arith),
        Op::GRU(op) => return recurrent::gru(op, x, arith),
        Op::RNN(op) => return recurrent::rnn(op, x, arith),
        Op::Unknown { .. } => Err(OpError::Unknown),
    }?;
    Ok(vec![one])
}

/// Applies one expression over the array of a value of either kind, and gives the result the same storage type.
macro_rules! either_kind {
    ($value:expr, $array:ident => $result:expr) => {
        match $value {
            $crate::value::Value::Float(d, $array) => $crate::value::Value::Float(*d, $result),
            $crate::value::Value::Whole(d, $array) => $crate::value::Value::Whole(*d, $result),
        }
    };
}
use either_kind;
