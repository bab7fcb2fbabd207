//! Which family knows which builtin. Exhaustive: a builtin that no family knows is refused here by name.

use super::error::Fault;
use super::operands::{Done, Exec};
use super::plan::{Call, Planned};
use super::{
    activation, binary, cast, compare, concat, conv, gather, layout, matmul, movement, norm, order, pad,
    pool, reduce, resize, select, shape, slice, softmax, unary,
};
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
    Arg(order::Arg),
    BatchMatMul(matmul::BatchMatMul),
    Bilinear(resize::Bilinear),
    Binary(binary::Binary),
    Cast(cast::Cast),
    Compare(compare::Compare),
    Concat(concat::Concat),
    Conv(conv::Conv),
    Cumsum(reduce::Cumsum),
    Fill(shape::Fill),
    FullyConnected(matmul::FullyConnected),
    Gather(gather::Gather),
    GatherNd(gather::GatherNd),
    Known(shape::Known),
    L2Normalization(norm::L2Normalization),
    LocalResponse(norm::LocalResponse),
    Moves(movement::Moves),
    Nearest(resize::Nearest),
    OneHot(shape::OneHot),
    Pool(pool::Pool),
    Range(shape::Range),
    Reduce(reduce::Reduce),
    Reshape(shape::Reshape),
    ScatterNd(gather::ScatterNd),
    Select(select::Select),
    Shares(movement::Shares),
    Softmax(softmax::Softmax),
    TopK(order::TopK),
    Unary(unary::Unary),
    UpdateSlice(slice::UpdateSlice),
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
        B::Atan2 | B::FloorDiv | B::FloorMod | B::LogicalAnd | B::LogicalOr => binary::plan(call),
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
        B::Less | B::LessEqual | B::Equal | B::NotEqual | B::Greater | B::GreaterEqual => compare::plan(call),
        B::Select | B::SelectV2 => select::plan(call),
        B::MaxPool2d | B::AveragePool2d | B::L2Pool2d => pool::plan(call),
        B::Sum | B::Mean | B::ReduceMax | B::ReduceMin | B::ReduceProd | B::ReduceAny | B::ReduceAll => {
            reduce::plan(call)
        }
        B::Cumsum => reduce::plan_cumsum(call),
        B::ArgMax | B::ArgMin => order::plan_arg(call),
        B::TopkV2 => order::plan_top_k(call),
        B::Softmax | B::LogSoftmax => softmax::plan(call),
        B::L2Normalization => norm::plan_l2(call),
        B::LocalResponseNormalization => norm::plan_local_response(call),
        B::Concatenation => concat::plan(call),
        B::Pack => concat::plan_pack(call),
        B::Unpack => slice::plan_unpack(call),
        B::Split => slice::plan_split(call),
        B::SplitV => slice::plan_split_v(call),
        B::Slice => slice::plan_slice(call),
        B::StridedSlice => slice::plan_strided_slice(call),
        B::DynamicUpdateSlice => slice::plan_update_slice(call),
        B::Pad | B::Padv2 => pad::plan(call),
        B::MirrorPad => pad::plan_mirror(call),
        B::Transpose => layout::plan_transpose(call),
        B::ReverseV2 => layout::plan_reverse(call),
        B::DepthToSpace | B::SpaceToDepth => layout::plan_depth(call),
        B::BatchToSpaceNd => layout::plan_batch_to_space(call),
        B::SpaceToBatchNd => layout::plan_space_to_batch(call),
        B::Gather => gather::plan(call),
        B::GatherNd => gather::plan_nd(call),
        B::ScatterNd => gather::plan_scatter(call),
        B::EmbeddingLookup => gather::plan_embedding(call),
        B::ResizeBilinear => resize::plan_bilinear(call),
        B::ResizeNearestNeighbor => resize::plan_nearest(call),
        B::Cast | B::Dequantize | B::Quantize => cast::plan(call),
        B::HashtableLookup
        | B::LshProjection
        | B::Lstm
        | B::Rnn
        | B::Svdf
        | B::ConcatEmbeddings
        | B::SkipGram
        | B::Call
        | B::Custom
        | B::EmbeddingLookupSparse
        | B::UnidirectionalSequenceRnn
        | B::UnidirectionalSequenceLstm
        | B::BidirectionalSequenceRnn
        | B::Delegate
        | B::BidirectionalSequenceLstm
        | B::SparseToDense
        | B::FakeQuant
        | B::Unique
        | B::Where
        | B::ReverseSequence
        | B::MatrixDiag
        | B::MatrixSetDiag
        | B::If
        | B::While
        | B::NonMaxSuppressionV4
        | B::NonMaxSuppressionV5
        | B::Densify
        | B::SegmentSum
        | B::PlaceholderForGreaterOpCodes
        | B::CallOnce
        | B::Rfft2d
        | B::Imag
        | B::Real
        | B::ComplexAbs
        | B::Hashtable
        | B::HashtableFind
        | B::HashtableImport
        | B::HashtableSize
        | B::Conv3dTranspose
        | B::VarHandle
        | B::ReadVariable
        | B::AssignVariable
        | B::RandomStandardNormal
        | B::Bucketize
        | B::RandomUniform
        | B::Multinomial
        | B::UnsortedSegmentProd
        | B::UnsortedSegmentMax
        | B::UnsortedSegmentSum
        | B::UnsortedSegmentMin
        | B::Bitcast
        | B::BitwiseXor
        | B::RightShift
        | B::Dilate
        | B::ReduceWindow => Err(unknown()),
        B::StablehloLogistic
        | B::StablehloAdd
        | B::StablehloDivide
        | B::StablehloMultiply
        | B::StablehloMaximum
        | B::StablehloReshape
        | B::StablehloClamp
        | B::StablehloConcatenate
        | B::StablehloBroadcastInDim
        | B::StablehloConvolution
        | B::StablehloSlice
        | B::StablehloCustomCall
        | B::StablehloReduce
        | B::StablehloAbs
        | B::StablehloAnd
        | B::StablehloCosine
        | B::StablehloExponential
        | B::StablehloFloor
        | B::StablehloLog
        | B::StablehloMinimum
        | B::StablehloNegate
        | B::StablehloOr
        | B::StablehloPower
        | B::StablehloRemainder
        | B::StablehloRsqrt
        | B::StablehloSelect
        | B::StablehloSubtract
        | B::StablehloTanh
        | B::StablehloScatter
        | B::StablehloCompare
        | B::StablehloConvert
        | B::StablehloDynamicSlice
        | B::StablehloDynamicUpdateSlice
        | B::StablehloPad
        | B::StablehloIota
        | B::StablehloDotGeneral
        | B::StablehloReduceWindow
        | B::StablehloSort
        | B::StablehloWhile
        | B::StablehloGather
        | B::StablehloTranspose
        | B::StablehloRngBitGenerator
        | B::StablehloComposite
        | B::StablehloShiftLeft
        | B::StablehloCbrt
        | B::StablehloCase => Err(unknown()),
    }
}

fn unknown() -> Fault {
    Fault::unsupported("this interpreter does not know the operator")
}
