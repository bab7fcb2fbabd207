//! Which family knows which builtin. Exhaustive: a builtin that no family knows is refused here by name.

use super::error::Fault;
use super::operands::{Done, Exec};
use super::plan::{Call, Planned};
use super::{activation, binary, conv, matmul, movement, shape, unary};
use crate::arith::Arith;
use halfproof_wire::tflite::Builtin as B;

macro_rules! kernels {
    ($( $variant:ident($path:path), )*) => {
        /// What an operator does in a run.
        #[derive(Clone, Debug)]
        pub(super) enum Kernel { $( $variant($path), )* }

        $( impl From<$path> for Kernel {
            fn from(kernel: $path) -> Kernel { Kernel::$variant(kernel) }
        } )*

        impl Kernel {
            /// Evaluates the operator on operands of the types and shapes that it was planned for.
            pub(super) fn run<A: Arith>(&self, exec: &Exec<'_, A>) -> Done<A::E> {
                match self { $( Kernel::$variant(kernel) => kernel.run(exec), )* }
            }
        }
    };
}

kernels! {
    Activate(activation::Activate),
    AddN(binary::AddN),
    BatchMatMul(matmul::BatchMatMul),
    Binary(binary::Binary),
    Conv(conv::Conv),
    Fill(shape::Fill),
    FullyConnected(matmul::FullyConnected),
    Known(shape::Known),
    Moves(movement::Moves),
    OneHot(shape::OneHot),
    Range(shape::Range),
    Reshape(shape::Reshape),
    Unary(unary::Unary),
}

impl Kernel {
    /// True when the results follow from the operands' shapes, whatever their elements.
    pub(super) fn needs_only_shapes(&self) -> bool {
        matches!(self, Kernel::Known(_))
    }
}

/// Plans one operator.
pub(super) fn plan(call: &Call<'_>) -> Result<Planned, Fault> {
    match call.builtin {
        B::Abs | B::Neg | B::Exp | B::Log | B::Sqrt | B::Rsqrt | B::Square | B::Sin | B::Cos | B::Tanh => {
            unary::plan(call)
        }
        B::Logistic | B::Floor | B::Ceil | B::Round | B::Sign | B::ZerosLike | B::LogicalNot => {
            unary::plan(call)
        }
        B::Relu | B::Relu6 | B::ReluN1To1 | B::Relu0To1 | B::Elu | B::LeakyRelu | B::Prelu | B::HardSwish => {
            activation::plan(call)
        }
        B::Gelu => activation::plan(call),
        B::Add | B::Sub | B::Mul | B::Div | B::Maximum | B::Minimum | B::SquaredDifference | B::Pow => {
            binary::plan(call)
        }
        B::FloorDiv | B::FloorMod | B::LogicalAnd | B::LogicalOr => binary::plan(call),
        B::AddN => binary::plan_add_n(call),
        B::Conv2d => conv::plan_2d(call),
        B::DepthwiseConv2d => conv::plan_depthwise(call),
        B::Conv3d => conv::plan_3d(call),
        B::TransposeConv => conv::plan_transpose(call),
        B::FullyConnected => matmul::plan_fully_connected(call),
        B::BatchMatmul => matmul::plan_batch_matmul(call),
        B::Reshape => shape::plan_reshape(call),
        B::Squeeze => shape::plan_squeeze(call),
        B::ExpandDims => shape::plan_expand_dims(call),
        B::Shape => shape::plan_shape(call),
        B::Rank => shape::plan_rank(call),
        B::BroadcastArgs => shape::plan_broadcast_args(call),
        B::BroadcastTo => shape::plan_broadcast_to(call),
        B::Fill => shape::plan_fill(call),
        B::Range => shape::plan_range(call),
        B::Tile => shape::plan_tile(call),
        B::OneHot => shape::plan_one_hot(call),
        _ => Err(Fault::unsupported("this interpreter does not know the operator")),
    }
}
