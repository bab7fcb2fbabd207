//! The operator table: every ONNX operator that halfproof knows, with its attributes under their ONNX names.
//!
//! One row here is the single declaration of an operator. From it follow the [`Op`] variant, the attribute struct,
//! reading and writing of ONNX attributes, and the text form. `docs/adding-an-op.md` walks through the rest.
//!
//! Attributes are kept as the file has them (an empty list where it gives none): what a default means is for the
//! converter and the oracle to read from the specification, each for itself.

mod attr;

pub use attr::{
    Attr, AttrError, AttrField, Attrs, AutoPad, CoordinateMode, Direction, GeluMode, NearestMode,
};
pub use attr::{D2sMode, PadMode, ResizeMode};

use crate::{DType, Tensor};
use std::sync::Arc;

/// Families: the name of the file, in every crate, in which an operator's code stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names are those of the files")]
pub enum Family {
    Conv,
    Pool,
    Matmul,
    Unary,
    Binary,
    Compare,
    Select,
    Activation,
    Softmax,
    Norm,
    Reduce,
    Concat,
    Slice,
    Pad,
    Gather,
    Shape,
    Layout,
    Resize,
    Cast,
    Recurrent,
    Scatter,
    Einsum,
    Attention,
    Sample,
    Signal,
    Loss,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct OpInfo {
    /// ONNX name.
    pub name: &'static str,
    /// The opset that introduced the operator in the form that [`Op`] has.
    pub since: u16,
    /// Where its code stands.
    pub family: Family,
    /// Fewest and most operands.
    pub inputs: (usize, usize),
    /// Fewest and most results.
    pub outputs: (usize, usize),
    /// Names of its attributes.
    pub attributes: &'static [&'static str],
}

/// More operands or results than any node has.
pub const MANY: usize = usize::MAX;

macro_rules! operators {
    (
        plain { $( $pname:ident $psince:literal $pfam:ident ($pmin:literal, $pmax:expr) -> ($pomin:literal, $pomax:expr); )* }
        with { $( $(#[$meta:meta])* $name:ident $since:literal $fam:ident ($min:literal, $max:expr) -> ($omin:literal, $omax:expr) {
            $( $(#[$fmeta:meta])* $field:ident : $ty:ty = $default:expr, )*
        } )* }
    ) => {
        /// An operator with its attributes.
        #[derive(Clone, Debug, PartialEq)]
        #[expect(missing_docs, reason = "the ONNX operator of that name")]
        pub enum Op {
            $( $pname, )*
            $( $name($name), )*
            /// An operator that is not in the table, by domain (empty for the default one) and name. Converters refuse it.
            Unknown { domain: String, name: String },
        }

        $(
            $(#[$meta])*
            #[doc = concat!("Attributes of ONNX `", stringify!($name), "`.")]
            #[derive(Clone, Debug, PartialEq)]
            #[allow(non_snake_case, reason = "ONNX spells transA and transB so")]
            pub struct $name { $( $(#[$fmeta])* #[doc = concat!("ONNX attribute `", stringify!($field), "`.")] pub $field: $ty, )* }

            impl Default for $name {
                fn default() -> Self { Self { $( $field: $default, )* } }
            }

            impl From<$name> for Op {
                fn from(op: $name) -> Op { Op::$name(op) }
            }
        )*

        /// The rows of [`OPS`], for their numbers.
        #[allow(clippy::upper_case_acronyms, reason = "the names are those of ONNX")]
        enum Row { $( $pname, )* $( $name, )* }

        /// Every operator, once.
        pub const OPS: &[OpInfo] = &[
            $( OpInfo { name: stringify!($pname), since: $psince, family: Family::$pfam, inputs: ($pmin, $pmax), outputs: ($pomin, $pomax), attributes: &[] }, )*
            $( OpInfo { name: stringify!($name), since: $since, family: Family::$fam, inputs: ($min, $max), outputs: ($omin, $omax), attributes: &[ $( stringify!($field), )* ] }, )*
        ];

        impl Op {
            fn row(&self) -> Option<Row> {
                match self {
                    $( Op::$pname => Some(Row::$pname), )*
                    $( Op::$name(_) => Some(Row::$name), )*
                    Op::Unknown { .. } => None,
                }
            }

            /// The ONNX name.
            pub fn name(&self) -> &str {
                match self {
                    $( Op::$pname => stringify!($pname), )*
                    $( Op::$name(_) => stringify!($name), )*
                    Op::Unknown { name, .. } => name,
                }
            }

            /// Reads an operator of the default domain from its attributes in canonical form.
            ///
            /// # Errors
            /// When an attribute has the wrong type or a value outside its enumeration. A name that is not in the
            /// table is not an error: it gives [`Op::Unknown`].
            pub fn from_attributes(name: &str, attrs: &Attrs) -> Result<Op, AttrError> {
                match name {
                    $( stringify!($pname) => Ok(Op::$pname), )*
                    $( stringify!($name) => Ok(Op::$name($name {
                        $( $field: attr::read(attrs, stringify!($field))?.unwrap_or($default), )*
                    })), )*
                    _ => Ok(Op::Unknown { domain: String::new(), name: name.to_string() }),
                }
            }

            /// The attributes that differ from their defaults, under their ONNX names.
            pub fn attributes(&self) -> Vec<(&'static str, Attr)> {
                match self {
                    $( Op::$name(op) => {
                        #[allow(unused_mut, reason = "operators may have no attribute that is ever written")]
                        let mut list = Vec::new();
                        let default = $name::default();
                        $( if op.$field != default.$field {
                            if let Some(a) = op.$field.to_attr() { list.push((stringify!($field), a)); }
                        } )*
                        list
                    } )*
                    _ => Vec::new(),
                }
            }

            /// One operator of each row, with default attributes: for tests that must not forget one.
            pub fn one_of_each() -> Vec<Op> {
                vec![ $( Op::$pname, )* $( Op::$name($name::default()), )* ]
            }
        }
    };
}

operators! {
    plain {
        Abs 13 Unary (1, 1) -> (1, 1);
        Neg 13 Unary (1, 1) -> (1, 1);
        Exp 13 Unary (1, 1) -> (1, 1);
        Log 13 Unary (1, 1) -> (1, 1);
        Sqrt 13 Unary (1, 1) -> (1, 1);
        Reciprocal 13 Unary (1, 1) -> (1, 1);
        Sin 7 Unary (1, 1) -> (1, 1);
        Cos 7 Unary (1, 1) -> (1, 1);
        Tan 7 Unary (1, 1) -> (1, 1);
        Asin 7 Unary (1, 1) -> (1, 1);
        Acos 7 Unary (1, 1) -> (1, 1);
        Atan 7 Unary (1, 1) -> (1, 1);
        Sinh 9 Unary (1, 1) -> (1, 1);
        Cosh 9 Unary (1, 1) -> (1, 1);
        Asinh 9 Unary (1, 1) -> (1, 1);
        Acosh 9 Unary (1, 1) -> (1, 1);
        Atanh 9 Unary (1, 1) -> (1, 1);
        Floor 13 Unary (1, 1) -> (1, 1);
        Ceil 13 Unary (1, 1) -> (1, 1);
        Round 11 Unary (1, 1) -> (1, 1);
        Sign 13 Unary (1, 1) -> (1, 1);
        Erf 13 Unary (1, 1) -> (1, 1);
        Sigmoid 13 Unary (1, 1) -> (1, 1);
        Tanh 13 Unary (1, 1) -> (1, 1);
        Identity 13 Shape (1, 1) -> (1, 1);
        Add 14 Binary (2, 2) -> (1, 1);
        Sub 14 Binary (2, 2) -> (1, 1);
        Mul 14 Binary (2, 2) -> (1, 1);
        Div 14 Binary (2, 2) -> (1, 1);
        Pow 15 Binary (2, 2) -> (1, 1);
        Min 13 Binary (1, MANY) -> (1, 1);
        Max 13 Binary (1, MANY) -> (1, 1);
        Sum 13 Binary (1, MANY) -> (1, 1);
        Mean 13 Binary (1, MANY) -> (1, 1);
        Equal 13 Compare (2, 2) -> (1, 1);
        Greater 13 Compare (2, 2) -> (1, 1);
        GreaterOrEqual 12 Compare (2, 2) -> (1, 1);
        Less 13 Compare (2, 2) -> (1, 1);
        LessOrEqual 12 Compare (2, 2) -> (1, 1);
        And 7 Compare (2, 2) -> (1, 1);
        Or 7 Compare (2, 2) -> (1, 1);
        Xor 7 Compare (2, 2) -> (1, 1);
        Not 1 Compare (1, 1) -> (1, 1);
        IsNaN 13 Compare (1, 1) -> (1, 1);
        Where 16 Select (3, 3) -> (1, 1);
        Relu 14 Activation (1, 1) -> (1, 1);
        PRelu 16 Activation (2, 2) -> (1, 1);
        HardSwish 14 Activation (1, 1) -> (1, 1);
        Mish 18 Activation (1, 1) -> (1, 1);
        Softplus 1 Activation (1, 1) -> (1, 1);
        Softsign 1 Activation (1, 1) -> (1, 1);
        Clip 13 Activation (1, 3) -> (1, 1);
        MatMul 13 Matmul (2, 2) -> (1, 1);
        GlobalAveragePool 1 Pool (1, 1) -> (1, 1);
        GlobalMaxPool 1 Pool (1, 1) -> (1, 1);
        Slice 13 Slice (3, 5) -> (1, 1);
        Squeeze 13 Shape (1, 2) -> (1, 1);
        Unsqueeze 13 Shape (2, 2) -> (1, 1);
        Expand 13 Shape (2, 2) -> (1, 1);
        Tile 13 Shape (2, 2) -> (1, 1);
        Range 11 Shape (3, 3) -> (1, 1);
        Size 13 Shape (1, 1) -> (1, 1);
        NonZero 13 Scatter (1, 1) -> (1, 1);
    }
    with {
        Conv 11 Conv (2, 3) -> (1, 1) {
            auto_pad: AutoPad = AutoPad::NotSet,
            dilations: Vec<i64> = vec![],
            group: i64 = 1,
            kernel_shape: Vec<i64> = vec![],
            pads: Vec<i64> = vec![],
            strides: Vec<i64> = vec![],
        }
        ConvTranspose 11 Conv (2, 3) -> (1, 1) {
            auto_pad: AutoPad = AutoPad::NotSet,
            dilations: Vec<i64> = vec![],
            group: i64 = 1,
            kernel_shape: Vec<i64> = vec![],
            output_padding: Vec<i64> = vec![],
            output_shape: Vec<i64> = vec![],
            pads: Vec<i64> = vec![],
            strides: Vec<i64> = vec![],
        }
        MaxPool 12 Pool (1, 1) -> (1, 2) {
            auto_pad: AutoPad = AutoPad::NotSet,
            ceil_mode: bool = false,
            dilations: Vec<i64> = vec![],
            kernel_shape: Vec<i64> = vec![],
            pads: Vec<i64> = vec![],
            storage_order: i64 = 0,
            strides: Vec<i64> = vec![],
        }
        AveragePool 19 Pool (1, 1) -> (1, 1) {
            auto_pad: AutoPad = AutoPad::NotSet,
            ceil_mode: bool = false,
            count_include_pad: bool = false,
            dilations: Vec<i64> = vec![],
            kernel_shape: Vec<i64> = vec![],
            pads: Vec<i64> = vec![],
            strides: Vec<i64> = vec![],
        }
        LpPool 18 Pool (1, 1) -> (1, 1) {
            auto_pad: AutoPad = AutoPad::NotSet,
            ceil_mode: bool = false,
            dilations: Vec<i64> = vec![],
            kernel_shape: Vec<i64> = vec![],
            p: i64 = 2,
            pads: Vec<i64> = vec![],
            strides: Vec<i64> = vec![],
        }
        GlobalLpPool 2 Pool (1, 1) -> (1, 1) { p: i64 = 2, }
        Gemm 13 Matmul (2, 3) -> (1, 1) {
            alpha: f32 = 1.0,
            beta: f32 = 1.0,
            transA: bool = false,
            transB: bool = false,
        }
        Mod 13 Binary (2, 2) -> (1, 1) { fmod: bool = false, }
        IsInf 10 Compare (1, 1) -> (1, 1) { detect_negative: bool = true, detect_positive: bool = true, }
        LeakyRelu 16 Activation (1, 1) -> (1, 1) { alpha: f32 = 0.01, }
        ThresholdedRelu 10 Activation (1, 1) -> (1, 1) { alpha: f32 = 1.0, }
        Elu 6 Activation (1, 1) -> (1, 1) { alpha: f32 = 1.0, }
        Celu 12 Activation (1, 1) -> (1, 1) { alpha: f32 = 1.0, }
        Selu 6 Activation (1, 1) -> (1, 1) { alpha: f32 = 1.673_263_2, gamma: f32 = 1.050_701, }
        HardSigmoid 6 Activation (1, 1) -> (1, 1) { alpha: f32 = 0.2, beta: f32 = 0.5, }
        Gelu 20 Activation (1, 1) -> (1, 1) { approximate: GeluMode = GeluMode::None, }
        Shrink 9 Activation (1, 1) -> (1, 1) { bias: f32 = 0.0, lambd: f32 = 0.5, }
        Swish 24 Activation (1, 1) -> (1, 1) { alpha: f32 = 1.0, }
        Softmax 13 Softmax (1, 1) -> (1, 1) {
            axis: i64 = -1,
            /// The meaning before opset 13: the input is viewed as a matrix, cut at `axis`, and each row normalised.
            /// Not an ONNX attribute of opset 13; the readers set it.
            coerce_2d: bool = false,
        }
        LogSoftmax 13 Softmax (1, 1) -> (1, 1) {
            axis: i64 = -1,
            /// As in [`Softmax`].
            coerce_2d: bool = false,
        }
        Hardmax 13 Softmax (1, 1) -> (1, 1) {
            axis: i64 = -1,
            /// As in [`Softmax`].
            coerce_2d: bool = false,
        }
        BatchNormalization 15 Norm (5, 5) -> (1, 1) { epsilon: f32 = 1e-5, }
        InstanceNormalization 6 Norm (3, 3) -> (1, 1) { epsilon: f32 = 1e-5, }
        LayerNormalization 17 Norm (2, 3) -> (1, 3) { axis: i64 = -1, epsilon: f32 = 1e-5, stash_type: i64 = 1, }
        RMSNormalization 23 Norm (2, 2) -> (1, 1) { axis: i64 = -1, epsilon: f32 = 1e-5, stash_type: i64 = 1, }
        GroupNormalization 21 Norm (3, 3) -> (1, 1) {
            epsilon: f32 = 1e-5,
            num_groups: i64 = 0,
            /// The meaning of opset 18 to 20: scale and bias have one entry per group, not per channel. Set by the readers.
            per_group_scale: bool = false,
            stash_type: i64 = 1,
        }
        LRN 13 Norm (1, 1) -> (1, 1) { alpha: f32 = 1e-4, beta: f32 = 0.75, bias: f32 = 1.0, size: i64 = 0, }
        LpNormalization 1 Norm (1, 1) -> (1, 1) { axis: i64 = -1, p: i64 = 2, }
        MeanVarianceNormalization 13 Norm (1, 1) -> (1, 1) { axes: Vec<i64> = vec![0, 2, 3], }
        ReduceSum 13 Reduce (1, 2) -> (1, 1) { keepdims: bool = true, noop_with_empty_axes: bool = false, }
        ReduceMean 18 Reduce (1, 2) -> (1, 1) { keepdims: bool = true, noop_with_empty_axes: bool = false, }
        ReduceMax 18 Reduce (1, 2) -> (1, 1) { keepdims: bool = true, noop_with_empty_axes: bool = false, }
        ReduceMin 18 Reduce (1, 2) -> (1, 1) { keepdims: bool = true, noop_with_empty_axes: bool = false, }
        ReduceProd 18 Reduce (1, 2) -> (1, 1) { keepdims: bool = true, noop_with_empty_axes: bool = false, }
        ReduceL1 18 Reduce (1, 2) -> (1, 1) { keepdims: bool = true, noop_with_empty_axes: bool = false, }
        ReduceL2 18 Reduce (1, 2) -> (1, 1) { keepdims: bool = true, noop_with_empty_axes: bool = false, }
        ReduceSumSquare 18 Reduce (1, 2) -> (1, 1) { keepdims: bool = true, noop_with_empty_axes: bool = false, }
        ReduceLogSum 18 Reduce (1, 2) -> (1, 1) { keepdims: bool = true, noop_with_empty_axes: bool = false, }
        ReduceLogSumExp 18 Reduce (1, 2) -> (1, 1) { keepdims: bool = true, noop_with_empty_axes: bool = false, }
        ArgMax 13 Reduce (1, 1) -> (1, 1) { axis: i64 = 0, keepdims: bool = true, select_last_index: bool = false, }
        ArgMin 13 Reduce (1, 1) -> (1, 1) { axis: i64 = 0, keepdims: bool = true, select_last_index: bool = false, }
        CumSum 14 Reduce (2, 2) -> (1, 1) { exclusive: bool = false, reverse: bool = false, }
        TopK 11 Reduce (2, 2) -> (1, 2) { axis: i64 = -1, largest: bool = true, sorted: bool = true, }
        Concat 13 Concat (1, MANY) -> (1, 1) { axis: i64 = 0, }
        Split 18 Concat (1, 2) -> (1, MANY) { axis: i64 = 0, num_outputs: Option<i64> = None, }
        Pad 19 Pad (2, 4) -> (1, 1) { mode: PadMode = PadMode::Constant, }
        Gather 13 Gather (2, 2) -> (1, 1) { axis: i64 = 0, }
        GatherElements 13 Scatter (2, 2) -> (1, 1) { axis: i64 = 0, }
        GatherND 13 Scatter (2, 2) -> (1, 1) { batch_dims: i64 = 0, }
        ScatterElements 18 Scatter (3, 3) -> (1, 1) { axis: i64 = 0, reduction: String = "none".to_string(), }
        ScatterND 18 Scatter (3, 3) -> (1, 1) { reduction: String = "none".to_string(), }
        TensorScatter 24 Scatter (2, 3) -> (1, 1) { axis: i64 = -2, mode: String = "linear".to_string(), }
        Compress 11 Scatter (2, 2) -> (1, 1) { axis: Option<i64> = None, }
        ReverseSequence 10 Scatter (2, 2) -> (1, 1) { batch_axis: i64 = 1, time_axis: i64 = 0, }
        Einsum 12 Einsum (1, MANY) -> (1, 1) { equation: String = String::new(), }
        CenterCropPad 18 Pad (2, 2) -> (1, 1) { axes: Vec<i64> = vec![], }
        Col2Im 18 Layout (3, 3) -> (1, 1) {
            dilations: Vec<i64> = vec![],
            pads: Vec<i64> = vec![],
            strides: Vec<i64> = vec![],
        }
        Attention 23 Attention (3, 7) -> (1, 4) {
            is_causal: bool = false,
            kv_num_heads: i64 = 0,
            left_window_size: i64 = -1,
            q_num_heads: i64 = 0,
            qk_matmul_output_mode: i64 = 0,
            right_window_size: i64 = -1,
            scale: Option<f32> = None,
            softcap: f32 = 0.0,
            softmax_precision: Option<i64> = None,
        }
        RotaryEmbedding 23 Attention (3, 4) -> (1, 1) {
            interleaved: bool = false,
            num_heads: i64 = 0,
            rotary_embedding_dim: i64 = 0,
        }
        GridSample 20 Sample (2, 2) -> (1, 1) {
            align_corners: bool = false,
            mode: String = "linear".to_string(),
            padding_mode: String = "zeros".to_string(),
        }
        AffineGrid 20 Sample (2, 2) -> (1, 1) { align_corners: bool = false, }
        DFT 20 Signal (1, 3) -> (1, 1) { inverse: bool = false, onesided: bool = false, }
        HannWindow 17 Signal (1, 1) -> (1, 1) { output_datatype: DType = DType::F32, periodic: bool = true, }
        HammingWindow 17 Signal (1, 1) -> (1, 1) { output_datatype: DType = DType::F32, periodic: bool = true, }
        BlackmanWindow 17 Signal (1, 1) -> (1, 1) { output_datatype: DType = DType::F32, periodic: bool = true, }
        NegativeLogLikelihoodLoss 13 Loss (2, 3) -> (1, 1) {
            ignore_index: Option<i64> = None,
            reduction: String = "mean".to_string(),
        }
        SoftmaxCrossEntropyLoss 13 Loss (2, 3) -> (1, 2) {
            ignore_index: Option<i64> = None,
            reduction: String = "mean".to_string(),
        }
        OneHot 11 Gather (3, 3) -> (1, 1) { axis: i64 = -1, }
        Trilu 14 Select (1, 2) -> (1, 1) { upper: bool = true, }
        EyeLike 9 Shape (1, 1) -> (1, 1) { dtype: Option<DType> = None, k: i64 = 0, }
        Shape 15 Shape (1, 1) -> (1, 1) { start: i64 = 0, end: Option<i64> = None, }
        Reshape 14 Shape (2, 2) -> (1, 1) { allowzero: bool = false, }
        Flatten 13 Shape (1, 1) -> (1, 1) { axis: i64 = 1, }
        ConstantOfShape 9 Shape (1, 1) -> (1, 1) {
            /// One element; FLOAT 0 where absent.
            value: Option<Arc<Tensor>> = None,
        }
        Transpose 13 Layout (1, 1) -> (1, 1) { perm: Vec<i64> = vec![], }
        DepthToSpace 13 Layout (1, 1) -> (1, 1) { blocksize: i64 = 1, mode: D2sMode = D2sMode::Dcr, }
        SpaceToDepth 13 Layout (1, 1) -> (1, 1) { blocksize: i64 = 1, }
        Resize 19 Resize (1, 4) -> (1, 1) {
            antialias: bool = false,
            axes: Vec<i64> = vec![],
            coordinate_transformation_mode: CoordinateMode = CoordinateMode::HalfPixel,
            cubic_coeff_a: f32 = -0.75,
            exclude_outside: bool = false,
            extrapolation_value: f32 = 0.0,
            keep_aspect_ratio_policy: String = "stretch".to_string(),
            mode: ResizeMode = ResizeMode::Nearest,
            nearest_mode: NearestMode = NearestMode::RoundPreferFloor,
        }
        Cast 13 Cast (1, 1) -> (1, 1) { to: DType = DType::F32, saturate: bool = true, }
        CastLike 15 Cast (2, 2) -> (1, 1) { saturate: bool = true, }
        LSTM 14 Recurrent (3, 8) -> (0, 3) {
            activation_alpha: Vec<f32> = vec![],
            activation_beta: Vec<f32> = vec![],
            activations: Vec<String> = vec![],
            clip: Option<f32> = None,
            direction: Direction = Direction::Forward,
            hidden_size: i64 = 0,
            input_forget: bool = false,
            layout: i64 = 0,
        }
        GRU 14 Recurrent (3, 6) -> (0, 2) {
            activation_alpha: Vec<f32> = vec![],
            activation_beta: Vec<f32> = vec![],
            activations: Vec<String> = vec![],
            clip: Option<f32> = None,
            direction: Direction = Direction::Forward,
            hidden_size: i64 = 0,
            layout: i64 = 0,
            linear_before_reset: bool = false,
        }
        RNN 14 Recurrent (3, 6) -> (0, 2) {
            activation_alpha: Vec<f32> = vec![],
            activation_beta: Vec<f32> = vec![],
            activations: Vec<String> = vec![],
            clip: Option<f32> = None,
            direction: Direction = Direction::Forward,
            hidden_size: i64 = 0,
            layout: i64 = 0,
        }
    }
}

impl Op {
    /// The row of the table; `None` for [`Op::Unknown`].
    pub fn info(&self) -> Option<&'static OpInfo> {
        Some(&OPS[self.row()? as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operator_reads_back_what_it_writes() {
        let ops = Op::one_of_each();
        assert_eq!(ops.len(), OPS.len());
        for op in ops {
            let attrs: Attrs = op.attributes().into_iter().map(|(n, a)| (n.to_string(), a)).collect();
            assert_eq!(Op::from_attributes(op.name(), &attrs).unwrap(), op);
            assert_eq!(op.info().unwrap().name, op.name());
        }
    }

    #[test]
    fn attributes_that_differ_from_their_default_survive_a_round_trip() {
        let op = Op::Conv(Conv {
            auto_pad: AutoPad::SameUpper,
            dilations: vec![2, 1],
            group: 3,
            strides: vec![1, 2],
            ..Conv::default()
        });
        let attrs: Attrs = op.attributes().into_iter().map(|(n, a)| (n.to_string(), a)).collect();
        assert_eq!(attrs.len(), 4);
        assert_eq!(Op::from_attributes("Conv", &attrs).unwrap(), op);
    }

    #[test]
    fn an_attribute_of_the_wrong_type_is_named() {
        let attrs = Attrs::from([("alpha".to_string(), Attr::Int(1))]);
        let error = Op::from_attributes("Elu", &attrs).unwrap_err();
        assert_eq!(error.to_string(), "attribute \"alpha\" has no valid value");
    }
}
