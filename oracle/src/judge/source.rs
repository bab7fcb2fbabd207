//! What the source has where an execution has an infinity or NaN: a number, or something that f64 cannot call one.

use super::layout::source_order;
use super::overflow::largest;
use super::plain;
use super::subject::Point;
use crate::onnx::{self, Evaluation};
use crate::value::Value;
use halfproof_ir::{Graph, Op, ValueId};
use std::cell::OnceCell;

/// An output of the source, and the order of its elements in the tensor that carries it, where that is another.
pub(super) struct SourceOutput {
    id: ValueId,
    order: Option<Vec<usize>>,
    /// True when every number of it is certainly one.
    is_regular: bool,
}

impl Point<'_> {
    /// One of the exact results of the source, of an output that is a float; NaN where there is no number, or f64 cannot tell
    /// whether there is one, as in the logarithm of a difference that is 0 but for rounding.
    pub(super) fn source_element(
        &self,
        output: &OnceCell<Option<SourceOutput>>,
        position: usize,
        tensor: u32,
        element: usize,
    ) -> Option<f64> {
        let output = output.get_or_init(|| self.source_output(position, tensor)).as_ref()?;
        let at = output.order.as_ref().map_or(Some(element), |order| order.get(element).copied())?;
        let Value::Float(_, plain) = self.reference.plain.value(output.id)? else { return None };
        let number = *plain.data.get(at)?;
        if !number.is_finite() {
            return Some(f64::NAN);
        }
        let (dtype, _) = self.subject.program.form(tensor)?;
        // Beyond its type it is no number there, whatever it is.
        if output.is_regular || number.abs() >= largest(dtype) {
            return Some(number);
        }
        let enclosed = self.reference.enclosed(self.subject.source()).ok()?;
        let Value::Float(_, source) = enclosed.value(output.id)? else { return None };
        let e = source.data.get(at)?;
        Some(if e.is_finite() { e.v } else { f64::NAN })
    }

    fn source_output(&self, position: usize, tensor: u32) -> Option<SourceOutput> {
        let id = *self.subject.graph.outputs.get(position)?;
        let plain = &self.reference.plain;
        let shape = plain.value(id)?.shape();
        let permutation = self.subject.interface_permutation(id, tensor, shape);
        let order = source_order(shape, permutation.as_deref());
        Some(SourceOutput { id, order, is_regular: is_regular(self.subject.source(), plain, id) })
    }
}

/// True when a tensor is computed without an infinity or NaN, and by operators alone whose result near such operands is a
/// number too: whatever the rounding of f64 did, a number of it is one.
pub fn is_regular(graph: &Graph, evaluation: &Evaluation<f64>, id: ValueId) -> bool {
    let behind = onnx::behind(graph, &[id], &[]);
    let is_behind = |id: &Option<ValueId>| id.is_some_and(|id| behind[id.index()]);
    let mut nodes = graph.nodes.iter().filter(|node| node.outputs.iter().any(is_behind));
    nodes.all(|node| has_no_pole(&node.op))
        && evaluation
            .values
            .iter()
            .zip(&behind)
            .all(|(value, behind)| !behind || value.as_ref().is_none_or(plain::has_only_numbers))
}

/// True for operators whose result is a number near every operand that is one: those that are continuous or have steps, and
/// those that only move elements. Of an operator that is not named here nothing is known.
fn has_no_pole(op: &Op) -> bool {
    use Op::*;
    matches!(
        op,
        Add | Sub
            | Mul
            | Sum
            | Mean
            | Max
            | Min
            | Neg
            | Abs
            | MatMul
            | Gemm(_)
            | Conv(_)
            | ConvTranspose(_)
            | AveragePool(_)
            | MaxPool(_)
            | GlobalAveragePool
            | GlobalMaxPool
            | ReduceSum(_)
            | ReduceMean(_)
            | ReduceMax(_)
            | ReduceMin(_)
            | ReduceL1(_)
            | ReduceSumSquare(_)
            | Relu
            | LeakyRelu(_)
            | PRelu
            | Elu(_)
            | Selu(_)
            | Clip
            | Sigmoid
            | Tanh
            | Erf
            | Softmax(_)
            | Softplus
            | Softsign
            | Gelu(_)
            | HardSigmoid(_)
            | HardSwish
            | Mish
            | Celu(_)
            | Swish(_)
            | ThresholdedRelu(_)
            | Shrink(_)
            | Exp
            | Sin
            | Cos
            | Atan
            | Sinh
            | Cosh
            | Asinh
            | Floor
            | Ceil
            | Round
            | Sign
            | Hardmax(_)
            | Equal
            | Greater
            | GreaterOrEqual
            | Less
            | LessOrEqual
            | And
            | Or
            | Xor
            | Not
            | IsNaN
            | IsInf(_)
            | Where
            | CumSum(_)
            | ReduceProd(_)
            | Einsum(_)
            | Attention(_)
            | RotaryEmbedding(_)
            | LSTM(_)
            | GRU(_)
            | RNN(_)
            | DFT(_)
            | Resize(_)
            | Identity
            | Transpose(_)
            | Reshape(_)
            | Flatten(_)
            | Squeeze
            | Unsqueeze
            | Concat(_)
            | Split(_)
            | Slice
            | Expand
            | Tile
            | Pad(_)
            | CenterCropPad(_)
            | DepthToSpace(_)
            | SpaceToDepth(_)
            | Col2Im(_)
            | ReverseSequence(_)
            | Trilu(_)
            | Shape(_)
            | Size
            | ConstantOfShape(_)
            | EyeLike(_)
            | OneHot(_)
    )
}
