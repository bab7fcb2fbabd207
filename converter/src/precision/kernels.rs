//! Which operators LiteRT can run on FLOAT16 tensors on a CPU, as a table.
//!
//! Measured on ai-edge-litert 2.3.0: an operator counts when its own kernel or XNNPACK runs it. Where only XNNPACK
//! does, its conditions (`xnnpack_delegate.cc`) are part of the answer, because what it leaves behind is refused.

use crate::target::{Target, TargetOperator, TargetTensor};
use halfproof_wire::tflite::{Activation, Builtin, Options};

/// Largest rank that XNNPACK takes.
const MOST_AXES: usize = 6;

/// Why LiteRT cannot run this operator in float16; `None` when it can.
pub(super) fn missing(target: &Target, op: &TargetOperator) -> Option<&'static str> {
    use Builtin::*;
    let operand = |i: usize| op.inputs.get(i).copied().flatten().map(|id| target.tensor(id));
    let constant = |i: usize| operand(i).is_some_and(|t| t.constant.is_some());
    match op.builtin {
        // Own kernels.
        Add
        | Mul
        | Maximum
        | Minimum
        | Atan2
        | Less
        | LessEqual
        | Greater
        | GreaterEqual
        | Equal
        | NotEqual
        | Tanh
        | Logistic
        | Neg
        | Sin
        | Cos
        | Floor
        | Round
        | Gelu
        | Softmax
        | Pad
        | Padv2
        | MirrorPad
        | Transpose
        | Reshape
        | ExpandDims
        | Squeeze
        | Slice
        | StridedSlice
        | Concatenation
        | Unpack
        | Gather
        | GatherNd
        | Tile
        | BroadcastTo
        | Cast
        | Dequantize
        | SelectV2
        | ResizeNearestNeighbor
        | BatchToSpaceNd
        | SpaceToBatchNd
        | ReverseV2
        | DynamicUpdateSlice
        | EmbeddingLookup
        | Shape
        | Rank => None,

        // XNNPACK only.
        Sub | Div | SquaredDifference | Exp | Relu | Relu6 | ReluN1To1 | Elu | HardSwish | Abs | Ceil
        | Square | Log | Sqrt | Rsqrt | DepthToSpace => conditions(target, op, true, ""),
        BatchMatmul | Sum | Mean | ReduceMax | ReduceMin => {
            let reduces = op.builtin != BatchMatmul;
            conditions(target, op, !reduces || constant(1), "its float16 kernel needs constant axes")
        }
        LeakyRelu => {
            let normal = matches!(&op.options, Options::LeakyRelu(o) if o.alpha.is_normal());
            conditions(target, op, normal, "its float16 kernel needs a slope that is a normal number")
        }
        Prelu => conditions(target, op, constant(1), "its float16 kernel needs a constant slope"),
        Conv2d | DepthwiseConv2d => {
            let fixed = constant(1) && constant(2);
            conditions(target, op, fixed, "its float16 kernel needs constant weights and a constant bias")
        }
        FullyConnected => {
            let fixed = constant(1) && (operand(2).is_none() || constant(2));
            conditions(target, op, fixed, "its float16 kernel needs constant weights")
        }
        Split => {
            let few = (2..=4).contains(&op.outputs.len());
            conditions(target, op, few, "its float16 kernel makes 2 to 4 parts")
        }
        AveragePool2d => {
            let fits = matches!(&op.options, Options::Pool2D(o)
                if o.stride_w <= o.filter_width && o.stride_h <= o.filter_height
                    && ((o.filter_width, o.filter_height) != (1, 1) || (o.stride_w, o.stride_h) == (1, 1)));
            conditions(target, op, fits, "its float16 kernel needs windows that leave no gaps")
        }

        _ => Some("LiteRT has no float16 kernel for it"),
    }
}

/// What XNNPACK asks of every operator, after what it asks of this one.
fn conditions(target: &Target, op: &TargetOperator, own: bool, reason: &'static str) -> Option<&'static str> {
    if !own {
        return Some(reason);
    }
    let tensors = || op.inputs.iter().flatten().chain(&op.outputs).map(|&id| target.tensor(id));
    if tensors().any(|t: &TargetTensor| t.shape.len() > MOST_AXES) {
        return Some("its float16 kernel takes at most 6 axes");
    }
    if tensors().any(|t| t.shape.contains(&0)) {
        return Some("its float16 kernel takes no empty tensors");
    }
    if matches!(fused(&op.options), Activation::Tanh | Activation::SignBit) {
        return Some("its float16 kernel does not fuse this activation");
    }
    None
}

/// The activation fused into an operator.
pub(super) fn fused(options: &Options) -> Activation {
    match options {
        Options::Conv2D(o) => o.fused_activation_function,
        Options::DepthwiseConv2D(o) => o.fused_activation_function,
        Options::Pool2D(o) => o.fused_activation_function,
        Options::FullyConnected(o) => o.fused_activation_function,
        Options::Concatenation(o) => o.fused_activation_function,
        Options::Add(o) => o.fused_activation_function,
        Options::L2Norm(o) => o.fused_activation_function,
        Options::Mul(o) => o.fused_activation_function,
        Options::Sub(o) => o.fused_activation_function,
        Options::Div(o) => o.fused_activation_function,
        Options::TransposeConv(o) => o.fused_activation_function,
        Options::Conv3D(o) => o.fused_activation_function,
        _ => Activation::None,
    }
}
