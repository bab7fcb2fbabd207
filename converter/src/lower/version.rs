//! Decides the kernel interface version that an operator needs.
//!
//! Source: the version table of the LiteRT converter (`op_version.cc`), for the operators that lowering emits and for
//! FLOAT32, integer and boolean operands. float16 operands run at the same versions in LiteRT 2.3.0 (measured).

use crate::target::{Target, TensorId};
use halfproof_ir::DType;
use halfproof_wire::tflite::{Activation, Builtin, Options};

/// The version of a builtin with these options and operands.
pub(crate) fn version(
    builtin: Builtin,
    options: &Options,
    inputs: &[Option<TensorId>],
    outputs: &[TensorId],
    target: &Target,
) -> i32 {
    let tensor = |i: usize| inputs.get(i).copied().flatten().map(|t| target.tensor(t));
    let dtype = |i: usize| tensor(i).map_or(DType::F32, |t| t.dtype);
    let rank = |i: usize| tensor(i).map_or(0, |t| t.shape.len());
    let most = (0..inputs.len()).map(rank).max().unwrap_or(0);
    let wide = || most > 4 && tensor(0).map(|t| &t.shape) != tensor(1).map(|t| &t.shape);
    let by =
        |table: &[(DType, i32)], i: usize| table.iter().find(|(d, _)| *d == dtype(i)).map_or(1, |(_, v)| *v);
    match builtin {
        Builtin::Conv2d => match (tensor(0), tensor(1)) {
            (Some(x), Some(w)) if x.shape.last() != w.shape.last() => 6,
            _ => 1,
        },
        Builtin::DepthwiseConv2d => match options {
            Options::DepthwiseConv2D(o) if o.dilation_h_factor != 1 || o.dilation_w_factor != 1 => 2,
            _ => 1,
        },
        Builtin::TransposeConv => match options {
            Options::TransposeConv(o) if o.fused_activation_function != Activation::None => 4,
            _ if inputs.len() == 4 => 3,
            _ => 1,
        },
        Builtin::FullyConnected => match options {
            _ if inputs.get(2).copied().flatten().is_none() => 6,
            Options::FullyConnected(o) if o.keep_num_dims => 5,
            _ => 1,
        },
        Builtin::Gather => by(&[(DType::Bool, 3), (DType::I8, 2), (DType::I16, 4)], 0),
        Builtin::Transpose => match (rank(0), dtype(0)) {
            (7.., _) => 8,
            (6, _) => 6,
            (_, DType::I16) => 5,
            (5, _) => 4,
            (_, DType::Bool) => 3,
            (_, DType::I8) => 2,
            _ => 1,
        },
        Builtin::Slice => match (rank(0), dtype(0)) {
            (_, DType::U32) => 6,
            (5.., _) => 5,
            (_, DType::I16) => 4,
            (_, DType::I8) => 2,
            _ => 1,
        },
        Builtin::StridedSlice => match (rank(0), dtype(0)) {
            (_, DType::U32) => 7,
            (5.., _) => 4,
            (_, DType::Bool) => 3,
            (_, DType::I8) => 2,
            _ => 1,
        },
        Builtin::Split => by(&[(DType::I16, 4), (DType::I32, 3), (DType::I8, 2)], 1),
        Builtin::Pad | Builtin::Padv2 => match (rank(0), dtype(0)) {
            (_, DType::Bool) => 5,
            (5.., _) => 4,
            (_, DType::I16) => 3,
            (_, DType::I8) => 2,
            _ => 1,
        },
        Builtin::Add => by(&[(DType::I64, 4), (DType::I16, 5)], 0),
        Builtin::Sub => match dtype(0) {
            DType::I64 => 4,
            _ if wide() => 3,
            _ => 1,
        },
        Builtin::Mul => by(&[(DType::I64, 5), (DType::I16, 7), (DType::U32, 7)], 0),
        Builtin::Div => 1 + i32::from(wide()),
        Builtin::Maximum | Builtin::Minimum => match dtype(0) {
            DType::I16 => 4,
            _ if wide() => 3,
            DType::I8 => 2,
            _ => 1,
        },
        Builtin::Abs => by(&[(DType::I32, 5), (DType::I16, 4), (DType::I8, 2)], 0),
        Builtin::Sign => by(&[(DType::I32, 2)], 0),
        Builtin::ReverseV2 => by(&[(DType::Bool, 2), (DType::I8, 3)], 0),
        Builtin::Tile => by(&[(DType::I8, 3)], 0),
        Builtin::Equal => by(&[(DType::I8, 2), (DType::I16, 5)], 0),
        Builtin::NotEqual => by(&[(DType::I8, 2), (DType::I16, 4)], 0),
        Builtin::Less | Builtin::GreaterEqual => by(&[(DType::I8, 2), (DType::I16, 3)], 0),
        Builtin::Greater | Builtin::LessEqual => by(&[(DType::I8, 2)], 0),
        Builtin::Concatenation => by(&[(DType::U32, 4), (DType::I16, 3), (DType::I8, 2)], 0),
        Builtin::MirrorPad | Builtin::ReduceMax | Builtin::ReduceMin | Builtin::Mean => {
            by(&[(DType::I16, 3), (DType::I8, 2)], 0)
        }
        Builtin::MaxPool2d | Builtin::AveragePool2d => by(&[(DType::I16, 3), (DType::I8, 2)], 0),
        Builtin::ResizeBilinear => match options {
            Options::ResizeBilinear(o) if o.half_pixel_centers => 3,
            _ => 1,
        },
        Builtin::ResizeNearestNeighbor => match options {
            Options::ResizeNearestNeighbor(o) if o.half_pixel_centers || o.align_corners => 3,
            _ => 1,
        },
        Builtin::ArgMax | Builtin::ArgMin => by(&[(DType::Bool, 3), (DType::I8, 2)], 0),
        Builtin::BroadcastTo => match dtype(0) {
            DType::I8 | DType::I16 => 3,
            _ => 2,
        },
        Builtin::Range => by(&[(DType::I64, 2)], 0),
        Builtin::Cast => {
            let out = outputs.first().map_or(DType::F32, |&t| target.tensor(t).dtype);
            let either = |d: DType| dtype(0) == d || out == d;
            match () {
                () if either(DType::F64) || either(DType::F16) => 5,
                () if either(DType::U16) => 4,
                () if either(DType::I8) => 3,
                () if either(DType::U32) => 2,
                () => 1,
            }
        }
        _ => 1,
    }
}
