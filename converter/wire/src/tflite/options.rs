//! The option tables of the builtin operators (`BuiltinOptions` of the schema), as typed structs.
//!
//! One row of the table below is one flatbuffer table: its number in the union, its fields with type, default and
//! vtable slot. Deprecated fields are left out, which is why slots may skip. Reading, verifying and writing follow
//! from the row.

use super::ReadError;
use super::field::Field;
use super::schema::vtable_offset;
use super::table::Table;
use super::tensor_type::TensorType;
use super::writer::{Fields, Writer};
use flatbuffers::{ForwardsUOffset, InvalidFlatbuffer, Verifiable, Verifier};
use std::fmt::Debug;

macro_rules! enumeration {
    ($( #[$doc:meta] )* $name:ident { $( $( #[$inner:meta] )* $variant:ident = $code:literal, )* }) => {
        $( #[$doc] )*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(i8)]
        pub enum $name { $( $( #[$inner] )* $variant = $code, )* }

        impl $name {
            /// The number in the file.
            pub fn code(self) -> i8 { self as i8 }

            /// The value behind a number, if the schema has it.
            pub fn from_code(code: i8) -> Option<$name> {
                match code { $( $code => Some($name::$variant), )* _ => None }
            }
        }
    };
}

enumeration! {
    /// The SAME and VALID padding schemes.
    Padding {
        /// Output extent is ceil(input / stride); the odd padding element goes at the end.
        #[default]
        Same = 0,
        /// No padding.
        Valid = 1,
    }
}

enumeration! {
    /// An activation fused into an operator.
    Activation {
        /// None.
        #[default]
        None = 0,
        /// max(x, 0).
        Relu = 1,
        /// Clipped to −1 and 1.
        ReluN1To1 = 2,
        /// Clipped to 0 and 6.
        Relu6 = 3,
        /// Hyperbolic tangent.
        Tanh = 4,
        /// 1 for negative elements, else 0.
        SignBit = 5,
    }
}

enumeration! {
    /// What MIRROR_PAD repeats.
    MirrorPadMode {
        /// The edge element is not repeated.
        #[default]
        Reflect = 0,
        /// The edge element is repeated.
        Symmetric = 1,
    }
}

macro_rules! options {
    ($( $tag:literal $name:ident { $( $field:ident : $ty:ty = $default:expr => $slot:literal, )* } )*) => {
        /// The options of a builtin operator.
        #[derive(Clone, Debug, Default, PartialEq)]
        #[expect(missing_docs, reason = "the tables of the schema, without their suffix Options")]
        pub enum Options {
            /// No option table.
            #[default]
            None,
            $( $name($name), )*
        }

        $(
            #[doc = concat!("The schema's `", stringify!($name), "Options`.")]
            #[derive(Clone, Debug, PartialEq)]
            #[allow(missing_docs, reason = "the fields of the schema; some tables have none")]
            #[allow(clippy::derivable_impls, reason = "defaults are those of the schema, in one table")]
            pub struct $name { $( pub $field: $ty, )* }

            impl Default for $name {
                fn default() -> Self { Self { $( $field: $default, )* } }
            }

            impl From<$name> for Options {
                fn from(options: $name) -> Options { Options::$name(options) }
            }

            impl Verifiable for $name {
                fn run_verifier(v: &mut Verifier<'_, '_>, at: usize) -> Result<(), InvalidFlatbuffer> {
                    v.visit_table(at)?
                        $( .visit_field::<<$ty as Field>::Stored>(stringify!($field), vtable_offset($slot), false)? )*
                        .finish();
                    Ok(())
                }
            }
        )*

        impl Options {
            /// The number of this table in the union; 0 for none.
            pub fn tag(&self) -> u8 {
                match self {
                    Options::None => 0,
                    $( Options::$name(_) => $tag, )*
                }
            }

            /// The default table behind a number, if the schema has it.
            pub fn from_tag(tag: u8) -> Option<Options> {
                match tag {
                    0 => Some(Options::None),
                    $( $tag => Some(Options::$name($name::default())), )*
                    _ => None,
                }
            }

            /// The schema's name of the table without `Options`; empty for none.
            pub fn name(&self) -> &'static str {
                match self {
                    Options::None => "",
                    $( Options::$name(_) => stringify!($name), )*
                }
            }

            /// Every field by name, in the order of the schema.
            pub(super) fn fields(&self) -> Vec<(&'static str, &dyn Debug)> {
                match self {
                    Options::None => vec![],
                    $( Options::$name(_o) => vec![ $( (stringify!($field), &_o.$field as &dyn Debug), )* ], )*
                }
            }

            /// Every kind of table with all fields away from their defaults, without two equal neighbours.
            #[cfg(test)]
            pub(super) fn samples() -> Vec<Options> {
                let mut _n = 0;
                let mut _next = || { _n = _n % 5 + 1; _n };
                vec![ $( Options::$name($name { $( $field: super::tests::Sample::sample(_next(), $default), )* }), )* ]
            }

            /// Verifies the table that the offset at byte `at` leads to; tables that the schema did not have when
            /// this was written pass, since `read` refuses them by name.
            pub(super) fn verify(v: &mut Verifier<'_, '_>, tag: u8, at: usize) -> Result<(), InvalidFlatbuffer> {
                match tag {
                    $( $tag => <ForwardsUOffset<$name> as Verifiable>::run_verifier(v, at), )*
                    _ => Ok(()),
                }
            }

            /// The table behind a number of the union; `None` when the schema doesn't have it.
            pub(super) fn read(tag: u8, table: &Table<'_>) -> Result<Option<Options>, ReadError> {
                let known: u16 = match tag {
                    $( $tag => [0, $( $slot + 1, )*].into_iter().max().unwrap_or(0), )*
                    _ => return Ok(None),
                };
                if let Some(slot) = table.beyond(known) {
                    return Err(ReadError::unsupported("", format!("field {slot} of its options, new in the schema")));
                }
                Ok(Some(match tag {
                    $( $tag => Options::$name($name {
                        $( $field: <$ty as Field>::read(table, $slot, $default)?, )*
                    }), )*
                    _ => return Ok(None),
                }))
            }

            /// Places the table and links it to the offset at byte `at`; nothing for `None`.
            pub(super) fn write(&self, writer: &mut Writer, at: usize) {
                let mut _fields = Fields::default();
                match self {
                    Options::None => {}
                    $( Options::$name(_o) => {
                        $( Field::put(&_o.$field, &mut _fields, $slot, &$default); )*
                        let table = writer.table(&_fields);
                        writer.link(at, table.at);
                        $( Field::place(&_o.$field, writer, &table, $slot); )*
                    } )*
                }
            }
        }
    };
}

options! {
    1 Conv2D { padding: Padding = Padding::Same => 0, stride_w: i32 = 0 => 1, stride_h: i32 = 0 => 2, fused_activation_function: Activation = Activation::None => 3, dilation_w_factor: i32 = 1 => 4, dilation_h_factor: i32 = 1 => 5, quantized_bias_type: TensorType = TensorType::Float32 => 6, }
    2 DepthwiseConv2D { padding: Padding = Padding::Same => 0, stride_w: i32 = 0 => 1, stride_h: i32 = 0 => 2, depth_multiplier: i32 = 0 => 3, fused_activation_function: Activation = Activation::None => 4, dilation_w_factor: i32 = 1 => 5, dilation_h_factor: i32 = 1 => 6, }
    3 ConcatEmbeddings { num_channels: i32 = 0 => 0, num_columns_per_channel: Vec<i32> = vec![] => 1, embedding_dim_per_channel: Vec<i32> = vec![] => 2, }
    4 LSHProjection { kind: i8 = 0 => 0, }
    5 Pool2D { padding: Padding = Padding::Same => 0, stride_w: i32 = 0 => 1, stride_h: i32 = 0 => 2, filter_width: i32 = 0 => 3, filter_height: i32 = 0 => 4, fused_activation_function: Activation = Activation::None => 5, }
    6 SVDF { rank: i32 = 0 => 0, fused_activation_function: Activation = Activation::None => 1, asymmetric_quantize_inputs: bool = false => 2, }
    7 RNN { fused_activation_function: Activation = Activation::None => 0, asymmetric_quantize_inputs: bool = false => 1, }
    8 FullyConnected { fused_activation_function: Activation = Activation::None => 0, weights_format: i8 = 0 => 1, keep_num_dims: bool = false => 2, asymmetric_quantize_inputs: bool = false => 3, quantized_bias_type: TensorType = TensorType::Float32 => 4, }
    9 Softmax { beta: f32 = 0.0 => 0, }
    10 Concatenation { axis: i32 = 0 => 0, fused_activation_function: Activation = Activation::None => 1, }
    11 Add { fused_activation_function: Activation = Activation::None => 0, pot_scale_int16: bool = true => 1, }
    12 L2Norm { fused_activation_function: Activation = Activation::None => 0, }
    13 LocalResponseNormalization { radius: i32 = 0 => 0, bias: f32 = 0.0 => 1, alpha: f32 = 0.0 => 2, beta: f32 = 0.0 => 3, }
    14 LSTM { fused_activation_function: Activation = Activation::None => 0, cell_clip: f32 = 0.0 => 1, proj_clip: f32 = 0.0 => 2, kernel_type: i8 = 0 => 3, asymmetric_quantize_inputs: bool = false => 4, }
    15 ResizeBilinear { align_corners: bool = false => 2, half_pixel_centers: bool = false => 3, }
    16 Call { subgraph: u32 = 0 => 0, }
    17 Reshape { new_shape: Vec<i32> = vec![] => 0, }
    18 SkipGram { ngram_size: i32 = 0 => 0, max_skip_size: i32 = 0 => 1, include_all_ngrams: bool = false => 2, }
    19 SpaceToDepth { block_size: i32 = 0 => 0, }
    20 EmbeddingLookupSparse { combiner: i8 = 0 => 0, }
    21 Mul { fused_activation_function: Activation = Activation::None => 0, }
    22 Pad { }
    23 Gather { axis: i32 = 0 => 0, batch_dims: i32 = 0 => 1, }
    24 BatchToSpaceND { }
    25 SpaceToBatchND { }
    26 Transpose { }
    27 Reducer { keep_dims: bool = false => 0, }
    28 Sub { fused_activation_function: Activation = Activation::None => 0, pot_scale_int16: bool = true => 1, }
    29 Div { fused_activation_function: Activation = Activation::None => 0, }
    30 Squeeze { squeeze_dims: Vec<i32> = vec![] => 0, }
    31 SequenceRNN { time_major: bool = false => 0, fused_activation_function: Activation = Activation::None => 1, asymmetric_quantize_inputs: bool = false => 2, }
    32 StridedSlice { begin_mask: i32 = 0 => 0, end_mask: i32 = 0 => 1, ellipsis_mask: i32 = 0 => 2, new_axis_mask: i32 = 0 => 3, shrink_axis_mask: i32 = 0 => 4, offset: bool = false => 5, }
    33 Exp { }
    34 TopKV2 { }
    35 Split { num_splits: i32 = 0 => 0, }
    36 LogSoftmax { }
    37 Cast { in_data_type: TensorType = TensorType::Float32 => 0, out_data_type: TensorType = TensorType::Float32 => 1, }
    38 Dequantize { }
    39 MaximumMinimum { }
    40 ArgMax { output_type: TensorType = TensorType::Float32 => 0, }
    41 Less { }
    42 Neg { }
    43 PadV2 { }
    44 Greater { }
    45 GreaterEqual { }
    46 LessEqual { }
    47 Select { }
    48 Slice { }
    49 TransposeConv { padding: Padding = Padding::Same => 0, stride_w: i32 = 0 => 1, stride_h: i32 = 0 => 2, fused_activation_function: Activation = Activation::None => 3, quantized_bias_type: TensorType = TensorType::Float32 => 4, }
    50 SparseToDense { validate_indices: bool = false => 0, }
    51 Tile { }
    52 ExpandDims { }
    53 Equal { }
    54 NotEqual { }
    55 Shape { out_type: TensorType = TensorType::Float32 => 0, }
    56 Pow { }
    57 ArgMin { output_type: TensorType = TensorType::Float32 => 0, }
    58 FakeQuant { min: f32 = 0.0 => 0, max: f32 = 0.0 => 1, num_bits: i32 = 0 => 2, narrow_range: bool = false => 3, }
    59 Pack { values_count: i32 = 0 => 0, axis: i32 = 0 => 1, }
    60 LogicalOr { }
    61 OneHot { axis: i32 = 0 => 0, }
    62 LogicalAnd { }
    63 LogicalNot { }
    64 Unpack { num: i32 = 0 => 0, axis: i32 = 0 => 1, }
    65 FloorDiv { }
    66 Square { }
    67 ZerosLike { }
    68 Fill { }
    69 BidirectionalSequenceLSTM { fused_activation_function: Activation = Activation::None => 0, cell_clip: f32 = 0.0 => 1, proj_clip: f32 = 0.0 => 2, merge_outputs: bool = false => 3, time_major: bool = true => 4, asymmetric_quantize_inputs: bool = false => 5, }
    70 BidirectionalSequenceRNN { time_major: bool = false => 0, fused_activation_function: Activation = Activation::None => 1, merge_outputs: bool = false => 2, asymmetric_quantize_inputs: bool = false => 3, }
    71 UnidirectionalSequenceLSTM { fused_activation_function: Activation = Activation::None => 0, cell_clip: f32 = 0.0 => 1, proj_clip: f32 = 0.0 => 2, time_major: bool = false => 3, asymmetric_quantize_inputs: bool = false => 4, diagonal_recurrent_tensors: bool = false => 5, }
    72 FloorMod { }
    73 Range { }
    74 ResizeNearestNeighbor { align_corners: bool = false => 0, half_pixel_centers: bool = false => 1, }
    75 LeakyRelu { alpha: f32 = 0.0 => 0, }
    76 SquaredDifference { }
    77 MirrorPad { mode: MirrorPadMode = MirrorPadMode::Reflect => 0, }
    78 Abs { }
    79 SplitV { num_splits: i32 = 0 => 0, }
    80 Unique { idx_out_type: TensorType = TensorType::Int32 => 0, }
    81 ReverseV2 { }
    82 AddN { }
    83 GatherNd { }
    84 Cos { }
    85 Where { }
    86 Rank { }
    87 ReverseSequence { seq_dim: i32 = 0 => 0, batch_dim: i32 = 0 => 1, }
    88 MatrixDiag { }
    89 Quantize { }
    90 MatrixSetDiag { }
    91 HardSwish { }
    92 If { then_subgraph_index: i32 = 0 => 0, else_subgraph_index: i32 = 0 => 1, }
    93 While { cond_subgraph_index: i32 = 0 => 0, body_subgraph_index: i32 = 0 => 1, }
    94 DepthToSpace { block_size: i32 = 0 => 0, }
    95 NonMaxSuppressionV4 { }
    96 NonMaxSuppressionV5 { }
    97 ScatterNd { }
    98 SelectV2 { }
    99 Densify { }
    100 SegmentSum { }
    101 BatchMatMul { adj_x: bool = false => 0, adj_y: bool = false => 1, asymmetric_quantize_inputs: bool = false => 2, }
    102 Cumsum { exclusive: bool = false => 0, reverse: bool = false => 1, }
    103 CallOnce { init_subgraph_index: i32 = 0 => 0, }
    104 BroadcastTo { }
    105 Rfft2d { }
    106 Conv3D { padding: Padding = Padding::Same => 0, stride_d: i32 = 0 => 1, stride_w: i32 = 0 => 2, stride_h: i32 = 0 => 3, fused_activation_function: Activation = Activation::None => 4, dilation_d_factor: i32 = 1 => 5, dilation_w_factor: i32 = 1 => 6, dilation_h_factor: i32 = 1 => 7, }
    107 Hashtable { table_id: i32 = 0 => 0, key_dtype: TensorType = TensorType::Float32 => 1, value_dtype: TensorType = TensorType::Float32 => 2, }
    108 HashtableFind { }
    109 HashtableImport { }
    110 HashtableSize { }
    111 VarHandle { container: String = String::new() => 0, shared_name: String = String::new() => 1, }
    112 ReadVariable { }
    113 AssignVariable { }
    114 Random { seed: i64 = 0 => 0, seed2: i64 = 0 => 1, }
    115 Bucketize { boundaries: Vec<f32> = vec![] => 0, }
    116 Gelu { approximate: bool = false => 0, }
    117 DynamicUpdateSlice { }
    118 UnsortedSegmentProd { }
    119 UnsortedSegmentMax { }
    120 UnsortedSegmentMin { }
    121 UnsortedSegmentSum { }
    122 ATan2 { }
    123 Sign { }
    124 Bitcast { }
    125 BitwiseXor { }
    126 RightShift { }
}
