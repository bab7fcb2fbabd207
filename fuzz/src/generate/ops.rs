//! How each operator is drawn: one row per operator, one file per family.

use super::graph::{Builder, Item};

mod activation;
mod attention;
mod binary;
mod cast;
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
mod unary;

/// One row: how often an operator is tried, how many nodes it may need, and how it is drawn.
pub struct Draw {
    /// ONNX name.
    pub name: &'static str,
    /// Relative frequency.
    pub(super) weight: usize,
    /// Nodes it may emit, helpers included.
    pub(super) nodes: usize,
    /// Adds the operator to the graph; `None` when no tensor of the pool fits.
    pub(super) draw: fn(&mut Builder<'_>) -> Option<Item>,
}

macro_rules! draws {
    ($( $name:literal $weight:literal $nodes:literal $draw:expr; )*) => {
        /// Every operator that is generated.
        pub const DRAWS: &[Draw] = &[ $( Draw { name: $name, weight: $weight, nodes: $nodes, draw: $draw }, )* ];
    };
}

draws! {
    "Conv" 12 1 conv::conv;
    "ConvTranspose" 4 1 conv::conv_transpose;
    "MaxPool" 4 1 pool::max_pool;
    "AveragePool" 4 1 pool::average_pool;
    "GlobalAveragePool" 2 1 pool::global_average;
    "GlobalMaxPool" 2 1 pool::global_max;
    "LpPool" 1 1 pool::lp_pool;
    "GlobalLpPool" 1 1 pool::global_lp;
    "MatMul" 7 1 matmul::matmul;
    "Gemm" 6 1 matmul::gemm;
    "Einsum" 2 1 einsum::einsum;
    "Attention" 2 1 attention::attention;
    "RotaryEmbedding" 1 1 attention::rotary;
    "Abs" 1 1 unary::abs;
    "Neg" 1 1 unary::neg;
    "Exp" 2 1 unary::exp;
    "Log" 2 3 unary::log;
    "Sqrt" 2 3 unary::sqrt;
    "Reciprocal" 2 3 unary::reciprocal;
    "Sin" 1 1 unary::sin;
    "Cos" 1 1 unary::cos;
    "Tan" 1 2 unary::tan;
    "Asin" 1 2 unary::asin;
    "Acos" 1 2 unary::acos;
    "Atan" 1 1 unary::atan;
    "Sinh" 1 1 unary::sinh;
    "Cosh" 1 1 unary::cosh;
    "Asinh" 1 1 unary::asinh;
    "Acosh" 1 3 unary::acosh;
    "Atanh" 1 3 unary::atanh;
    "Floor" 1 1 unary::floor;
    "Ceil" 1 1 unary::ceil;
    "Round" 1 1 unary::round;
    "Sign" 1 1 unary::sign;
    "Erf" 1 1 unary::erf;
    "Sigmoid" 2 1 unary::sigmoid;
    "Tanh" 2 1 unary::tanh;
    "Identity" 1 1 shape::identity;
    "Add" 5 1 binary::add;
    "Sub" 4 1 binary::sub;
    "Mul" 5 1 binary::mul;
    "Div" 3 3 binary::div;
    "Mod" 1 1 binary::modulo;
    "Pow" 3 3 binary::pow;
    "Min" 2 1 binary::min;
    "Max" 2 1 binary::max;
    "Sum" 1 1 binary::sum;
    "Mean" 1 1 binary::mean;
    "Equal" 1 1 compare::equal;
    "Greater" 1 1 compare::greater;
    "GreaterOrEqual" 1 1 compare::greater_or_equal;
    "Less" 1 1 compare::less;
    "LessOrEqual" 1 1 compare::less_or_equal;
    "And" 1 1 compare::and;
    "Or" 1 1 compare::or;
    "Xor" 1 1 compare::xor;
    "Not" 1 1 compare::not;
    "IsNaN" 1 1 compare::is_nan;
    "IsInf" 1 1 compare::is_inf;
    "Where" 3 1 select::where_;
    "Trilu" 1 1 select::trilu;
    "Relu" 4 1 activation::relu;
    "LeakyRelu" 2 1 activation::leaky_relu;
    "PRelu" 2 1 activation::prelu;
    "Elu" 2 1 activation::elu;
    "Celu" 1 1 activation::celu;
    "Selu" 1 1 activation::selu;
    "HardSigmoid" 1 1 activation::hard_sigmoid;
    "HardSwish" 2 1 activation::hard_swish;
    "ThresholdedRelu" 1 1 activation::thresholded_relu;
    "Gelu" 2 1 activation::gelu;
    "Mish" 1 1 activation::mish;
    "Softplus" 1 1 activation::softplus;
    "Softsign" 1 1 activation::softsign;
    "Shrink" 1 1 activation::shrink;
    "Swish" 1 1 activation::swish;
    "Clip" 3 1 activation::clip;
    "Softmax" 3 1 softmax::softmax;
    "LogSoftmax" 1 1 softmax::log_softmax;
    "Hardmax" 1 1 softmax::hardmax;
    "BatchNormalization" 4 1 norm::batch;
    "InstanceNormalization" 2 1 norm::instance;
    "LayerNormalization" 3 1 norm::layer;
    "GroupNormalization" 2 1 norm::group;
    "RMSNormalization" 2 1 norm::rms;
    "LRN" 1 1 norm::lrn;
    "LpNormalization" 1 3 norm::lp;
    "MeanVarianceNormalization" 1 1 norm::mean_variance;
    "ReduceSum" 2 1 reduce::sum;
    "ReduceMean" 2 1 reduce::mean;
    "ReduceMax" 1 1 reduce::max;
    "ReduceMin" 1 1 reduce::min;
    "ReduceProd" 1 1 reduce::prod;
    "ReduceL1" 1 1 reduce::l1;
    "ReduceL2" 1 1 reduce::l2;
    "ReduceSumSquare" 1 1 reduce::sum_square;
    "ReduceLogSum" 1 3 reduce::log_sum;
    "ReduceLogSumExp" 1 1 reduce::log_sum_exp;
    "ArgMax" 1 1 reduce::arg_max;
    "ArgMin" 1 1 reduce::arg_min;
    "CumSum" 1 1 reduce::cum_sum;
    "TopK" 1 1 reduce::top_k;
    "Concat" 4 1 concat::concat;
    "Split" 3 1 concat::split;
    "Slice" 3 1 slice::slice;
    "Pad" 3 1 pad::pad;
    "CenterCropPad" 1 1 pad::center_crop;
    "Gather" 3 1 gather::gather;
    "GatherElements" 1 1 scatter::gather_elements;
    "GatherND" 1 1 scatter::gather_nd;
    "ScatterElements" 1 1 scatter::scatter_elements;
    "ScatterND" 1 1 scatter::scatter_nd;
    "TensorScatter" 1 1 scatter::tensor_scatter;
    "Compress" 1 1 scatter::compress;
    "NonZero" 1 3 scatter::non_zero;
    "ReverseSequence" 1 1 scatter::reverse_sequence;
    "OneHot" 1 2 gather::one_hot;
    "Shape" 1 2 shape::shape;
    "Size" 1 2 shape::size;
    "Reshape" 3 1 shape::reshape;
    "Flatten" 1 1 shape::flatten;
    "Squeeze" 2 1 shape::squeeze;
    "Unsqueeze" 2 1 shape::unsqueeze;
    "Expand" 2 1 shape::expand;
    "Tile" 1 1 shape::tile;
    "ConstantOfShape" 1 2 shape::constant_of_shape;
    "EyeLike" 1 2 shape::eye_like;
    "Range" 1 3 shape::range;
    "Transpose" 4 1 layout::transpose;
    "DepthToSpace" 2 1 layout::depth_to_space;
    "SpaceToDepth" 2 1 layout::space_to_depth;
    "Col2Im" 1 1 layout::col2im;
    "GridSample" 1 1 sample::grid_sample;
    "AffineGrid" 1 2 sample::affine_grid;
    "DFT" 1 2 signal::dft;
    "HannWindow" 1 2 signal::hann;
    "HammingWindow" 1 2 signal::hamming;
    "BlackmanWindow" 1 2 signal::blackman;
    "NegativeLogLikelihoodLoss" 1 1 loss::negative_log_likelihood;
    "SoftmaxCrossEntropyLoss" 1 1 loss::cross_entropy;
    "Resize" 4 1 resize::resize;
    "Cast" 2 1 cast::cast;
    "CastLike" 1 1 cast::cast_like;
    "LSTM" 1 1 recurrent::lstm;
    "GRU" 1 1 recurrent::gru;
    "RNN" 1 1 recurrent::rnn;
}
