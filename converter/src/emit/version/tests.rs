//! The kernel interface version of every operator that has more than one, by what raises it.
//!
//! Source: `op_version.cc` of LiteRT's converter, read rule by rule.

use super::version;
use halfproof_ir::DType;
use halfproof_wire::tflite::options::{
    Conv2D, DepthwiseConv2D, FullyConnected, Gather, ResizeBilinear, ResizeNearestNeighbor, StridedSlice,
    TransposeConv,
};
use halfproof_wire::tflite::{Activation, Builtin, Operator, Options, Tensor};

const F16: DType = DType::F16;
const F32: DType = DType::F32;
const F64: DType = DType::F64;
const I8: DType = DType::I8;
const I16: DType = DType::I16;
const I32: DType = DType::I32;
const I64: DType = DType::I64;
const U8: DType = DType::U8;
const U16: DType = DType::U16;
const U32: DType = DType::U32;
const BOOL: DType = DType::Bool;

/// An operand of an element type and a shape; `None` for one that is left out.
type Operand<'a> = Option<(DType, &'a [usize])>;

/// Versions of some operators by element type, and by element type and number of axes.
type ByType<'a> = (&'a [Builtin], &'a [(DType, i32)]);
type ByRank<'a> = (&'a [Builtin], &'a [(DType, usize, i32)]);

/// The version with these operands and a result of that type.
fn with(builtin: Builtin, options: impl Into<Options>, operands: &[Operand<'_>], result: DType) -> i32 {
    let mut tensors = vec![];
    let mut add = |dtype: DType, shape: &[usize]| {
        let shape = shape.iter().map(|&d| i32::try_from(d).unwrap()).collect();
        tensors.push(Tensor { shape, dtype: dtype.into(), ..Tensor::default() });
        i32::try_from(tensors.len()).unwrap() - 1
    };
    let inputs: Vec<i32> =
        operands.iter().map(|o| o.map_or(-1, |(dtype, shape)| add(dtype, shape))).collect();
    let outputs = vec![add(result, &[1])];
    version(builtin, &Operator::builtin(builtin, inputs, outputs, options), &tensors)
}

/// The version with one operand of four axes.
fn of(builtin: Builtin, dtype: DType) -> i32 {
    ranked(builtin, dtype, 4)
}

/// The version with one operand of so many axes.
fn ranked(builtin: Builtin, dtype: DType, rank: usize) -> i32 {
    with(builtin, Options::None, &[Some((dtype, &vec![2; rank]))], dtype)
}

/// The version with two float32 operands of these shapes.
fn two(builtin: Builtin, a: &[usize], b: &[usize]) -> i32 {
    with(builtin, Options::None, &[Some((F32, a)), Some((F32, b))], F32)
}

#[test]
fn an_operator_without_rules_has_version_1() {
    for builtin in [Builtin::Exp, Builtin::Reshape, Builtin::Softmax, Builtin::BatchMatmul] {
        assert_eq!(of(builtin, F32), 1, "{builtin:?}");
    }
}

#[test]
fn the_first_operand_raises_it_by_its_element_type() {
    use Builtin::*;
    let rules: &[ByType<'_>] = &[
        (&[Gather], &[(F32, 1), (I8, 2), (BOOL, 3), (I16, 4)]),
        (&[Add], &[(F32, 1), (I32, 1), (I64, 4), (I16, 5)]),
        (&[Mul], &[(F32, 1), (I32, 1), (I64, 5), (I16, 7), (U32, 7)]),
        (&[Sub], &[(F32, 1), (I32, 1), (I64, 4)]),
        (&[Maximum, Minimum], &[(F32, 1), (I8, 2), (I16, 4)]),
        (&[Abs], &[(F32, 1), (I8, 2), (I16, 4), (I32, 5)]),
        (&[Sign], &[(F32, 1), (I32, 2)]),
        (&[ReverseV2], &[(F32, 1), (BOOL, 2), (I8, 3)]),
        (&[Tile], &[(F32, 1), (I8, 3)]),
        (&[Equal], &[(F32, 1), (I8, 2), (I16, 5)]),
        (&[NotEqual], &[(F32, 1), (I8, 2), (I16, 4)]),
        (&[Less, GreaterEqual], &[(F32, 1), (I8, 2), (I16, 3)]),
        (&[Greater, LessEqual], &[(F32, 1), (I8, 2), (I16, 1)]),
        (&[Concatenation], &[(F32, 1), (I8, 2), (I16, 3), (U32, 4)]),
        (&[MirrorPad, ReduceMax, ReduceMin, Mean], &[(F32, 1), (I8, 2), (I16, 3)]),
        (&[MaxPool2d, AveragePool2d], &[(F32, 1), (I8, 2), (I16, 3)]),
        (&[ArgMax, ArgMin], &[(F32, 1), (I8, 2), (BOOL, 3)]),
        // Version 1 was withdrawn.
        (&[BroadcastTo], &[(F32, 2), (I32, 2), (I8, 3), (I16, 3)]),
        (&[Range], &[(F32, 1), (I32, 1), (I64, 2)]),
        (&[FloorDiv], &[(I32, 1), (F32, 2)]),
        (&[Where], &[(F32, 1), (BOOL, 2)]),
        (&[GatherNd], &[(F32, 1), (BOOL, 5)]),
        (&[Unpack], &[(F32, 1), (U8, 2), (BOOL, 3)]),
    ];
    for &(builtins, versions) in rules {
        for &builtin in builtins {
            for &(dtype, expected) in versions {
                assert_eq!(of(builtin, dtype), expected, "{builtin:?} of {dtype:?}");
            }
        }
    }
}

#[test]
fn what_moves_elements_needs_a_newer_kernel_for_more_axes() {
    use Builtin::*;
    let rules: &[ByRank<'_>] = &[
        // Beyond 5 axes their number decides alone; int16 is newer than the fifth axis, bool and int8 are older.
        (&[Transpose], &[(F32, 4, 1), (F32, 5, 4), (F32, 6, 6), (F32, 7, 8), (F32, 8, 8)]),
        (&[Transpose], &[(I8, 4, 2), (BOOL, 4, 3), (I16, 4, 5)]),
        (&[Transpose], &[(I8, 5, 4), (BOOL, 5, 4), (I16, 5, 5), (I16, 6, 6), (I16, 7, 8)]),
        // uint32 came last.
        (
            &[Slice],
            &[(F32, 4, 1), (I8, 4, 2), (I16, 4, 4), (F32, 5, 5), (I16, 5, 5), (U32, 4, 6), (U32, 5, 6)],
        ),
        (&[StridedSlice], &[(F32, 4, 1), (I8, 4, 2), (BOOL, 4, 3), (F32, 5, 4), (BOOL, 5, 4)]),
        (&[StridedSlice], &[(U32, 4, 7), (U32, 5, 7)]),
        (&[Pad, Padv2], &[(F32, 4, 1), (I8, 4, 2), (I16, 4, 3), (F32, 5, 4), (I16, 5, 4)]),
        (&[Pad, Padv2], &[(BOOL, 4, 5), (BOOL, 5, 5)]),
    ];
    for &(builtins, versions) in rules {
        for &builtin in builtins {
            for &(dtype, rank, expected) in versions {
                assert_eq!(ranked(builtin, dtype, rank), expected, "{builtin:?} of {dtype:?}, {rank} axes");
            }
        }
    }
}

#[test]
fn broadcasting_beyond_four_axes_raises_it() {
    let wide = [1, 2, 2, 2, 2];
    for (builtin, raised) in
        [(Builtin::Sub, 3), (Builtin::Maximum, 3), (Builtin::Minimum, 3), (Builtin::Div, 2)]
    {
        assert_eq!(two(builtin, &wide, &[2]), raised, "{builtin:?}");
        assert_eq!(two(builtin, &[2], &wide), raised, "{builtin:?}: the second operand counts too");
        assert_eq!(two(builtin, &[1; 6], &[2; 6]), raised, "{builtin:?}");
        assert_eq!(two(builtin, &wide, &wide), 1, "{builtin:?}: nothing is broadcast");
        assert_eq!(two(builtin, &[2; 4], &[2]), 1, "{builtin:?}: four axes are not too many");
    }
    let of = |builtin, dtype| {
        with(builtin, Options::None, &[Some((dtype, &wide[..])), Some((dtype, &[2][..]))], dtype)
    };
    assert_eq!((of(Builtin::Sub, I64), of(Builtin::Minimum, I16), of(Builtin::Maximum, I8)), (4, 4, 3));
    assert_eq!((of(Builtin::Add, F32), of(Builtin::Mul, F32)), (1, 1), "these always could");
}

#[test]
fn a_split_goes_by_what_it_splits_which_is_its_second_operand() {
    let split = |dtype| with(Builtin::Split, Options::None, &[Some((I32, &[])), Some((dtype, &[4]))], dtype);
    assert_eq!([F32, I8, I32, I16].map(split), [1, 2, 3, 4]);
}

#[test]
fn a_cast_goes_by_both_ends_the_newest_type_first() {
    let cast = |from, to| with(Builtin::Cast, Options::None, &[Some((from, &[2]))], to);
    for (a, b, expected) in [
        (F32, I32, 1),
        (BOOL, I64, 1),
        (U8, F32, 1),
        (U32, F32, 2),
        (I8, F32, 3),
        (I8, U32, 3),
        (U16, F32, 4),
        (U16, I8, 4),
        (U16, U32, 4),
        (F64, F32, 5),
        (F64, U16, 5),
        (F64, F16, 5),
        (F16, I8, 3),
        (F16, F32, 1),
    ] {
        assert_eq!(cast(a, b), expected, "{a:?} to {b:?}");
        assert_eq!(cast(b, a), expected, "{b:?} to {a:?}");
    }
}

#[test]
fn a_convolution_of_groups_has_weights_with_fewer_channels_than_its_operand() {
    let conv = |x: usize, w: usize| {
        let (x, w) = ([1, 8, 8, x], [4, 3, 3, w]);
        with(Builtin::Conv2d, Conv2D::default(), &[Some((F32, &x)), Some((F32, &w))], F32)
    };
    assert_eq!((conv(4, 4), conv(4, 2)), (1, 6));
}

#[test]
fn a_depthwise_convolution_with_dilation_has_version_2() {
    let conv = |h, w| {
        let options = DepthwiseConv2D { dilation_h_factor: h, dilation_w_factor: w, ..Default::default() };
        of_options(Builtin::DepthwiseConv2d, options)
    };
    assert_eq!([conv(1, 1), conv(2, 1), conv(1, 2), conv(3, 3)], [1, 2, 2, 2]);
}

fn of_options(builtin: Builtin, options: impl Into<Options>) -> i32 {
    let x: Operand<'_> = Some((F32, &[1, 8, 8, 4]));
    with(builtin, options, &[x, x, x], F32)
}

#[test]
fn a_transposed_convolution_got_a_bias_then_an_activation() {
    let conv = |operands: usize, fused_activation_function| {
        let options = TransposeConv { fused_activation_function, ..Default::default() };
        with(Builtin::TransposeConv, options, &vec![Some((F32, &[1, 8, 8, 4][..])); operands], F32)
    };
    assert_eq!(conv(3, Activation::None), 1);
    assert_eq!(conv(4, Activation::None), 3);
    assert_eq!(conv(3, Activation::Relu), 4);
    assert_eq!(conv(4, Activation::Relu6), 4);
}

#[test]
fn a_fully_connected_layer_without_bias_is_newer_than_one_that_keeps_its_axes() {
    let dense = |keep_num_dims, bias: bool| {
        let options = FullyConnected { keep_num_dims, ..Default::default() };
        let x: Operand<'_> = Some((F32, &[2, 4]));
        with(Builtin::FullyConnected, options, &[x, x, x.filter(|_| bias)], F32)
    };
    assert_eq!(
        [dense(false, true), dense(true, true), dense(false, false), dense(true, false)],
        [1, 5, 6, 6]
    );
}

#[test]
fn resizes_got_their_half_pixels_later() {
    let bilinear = |align_corners, half_pixel_centers| {
        of_options(Builtin::ResizeBilinear, ResizeBilinear { align_corners, half_pixel_centers })
    };
    assert_eq!([bilinear(false, false), bilinear(true, false), bilinear(false, true)], [1, 1, 3]);
    let nearest = |align_corners, half_pixel_centers| {
        let options = ResizeNearestNeighbor { align_corners, half_pixel_centers };
        of_options(Builtin::ResizeNearestNeighbor, options)
    };
    assert_eq!([nearest(false, false), nearest(true, false), nearest(false, true)], [1, 3, 3]);
}

#[test]
fn float16_raises_no_version_but_that_of_dequantize() {
    use Builtin::*;
    for builtin in [Add, Abs, Gather, Concatenation, Mean, Equal, FloorDiv, Transpose] {
        assert_eq!(of(builtin, F16), 1, "{builtin:?}");
    }
    assert_eq!((of(Dequantize, F16), of(Dequantize, I8)), (3, 1));
}

#[test]
fn masks_and_batches_of_slices_and_gathers_came_later() {
    let x: Operand<'_> = Some((F32, &[2, 2]));
    let slice = |options: StridedSlice| with(Builtin::StridedSlice, options, &[x], F32);
    assert_eq!(slice(StridedSlice::default()), 1);
    assert_eq!(slice(StridedSlice { new_axis_mask: 1, ..Default::default() }), 6);
    assert_eq!(slice(StridedSlice { ellipsis_mask: 1, ..Default::default() }), 6);
    assert_eq!(slice(StridedSlice { offset: true, ..Default::default() }), 8);
    let gather = |batch_dims| with(Builtin::Gather, Gather { batch_dims, ..Default::default() }, &[x], F32);
    assert_eq!((gather(0), gather(1)), (1, 5));
}

#[test]
fn other_numbers_of_axes_came_later() {
    let select = |rank| ranked(Builtin::Select, F32, rank);
    assert_eq!([4, 5, 6].map(select), [1, 3, 1]);
    for builtin in [Builtin::SpaceToBatchNd, Builtin::BatchToSpaceNd] {
        assert_eq!([3, 4].map(|rank| ranked(builtin, F32, rank)), [3, 1], "{builtin:?}");
    }
    let fill = |value| with(Builtin::Fill, Options::None, &[Some((I32, &[1])), Some((value, &[]))], value);
    assert_eq!((fill(F32), fill(BOOL)), (1, 2));
}
