//! Which version of its kernel interface an operator needs.
//!
//! Follows the version rules published with LiteRT (`op_version.cc`) except for one point: FLOAT16 operands raise no
//! version but that of DEQUANTIZE, because runtimes older than those rules run the same float16 kernels, and newer ones
//! accept both (measured with LiteRT 2.3.0).

use halfproof_wire::tflite::{Activation, Builtin, Operator, Options, Tensor, TensorType};

/// The version for an operator whose tensors are final.
pub(super) fn version(builtin: Builtin, op: &Operator, tensors: &[Tensor]) -> i32 {
    use Builtin::*;
    use TensorType::{Bool, Float16, Float32, Float64, Int8, Int16, Int32, Int64, Uint8, Uint16, Uint32};
    let tensor = |i: &i32| usize::try_from(*i).ok().and_then(|i| tensors.get(i));
    let operand = |i: usize| op.inputs.get(i).and_then(tensor);
    let rank = operand(0).map_or(0, |t| t.shape.len());
    let dtype = operand(0).map_or(Float32, |t| t.dtype);
    let second = operand(1).map(|t| t.dtype);
    let result = op.outputs.first().and_then(tensor).map(|t| t.dtype);
    let cast = |of: TensorType| dtype == of || result == Some(of);
    let widest = || op.inputs.iter().filter_map(tensor).map(|t| t.shape.len()).max().unwrap_or(0);
    let wide = || operand(0).map(|t| &t.shape) != operand(1).map(|t| &t.shape) && widest() > 4;
    let channels = |i: usize| operand(i).and_then(|t| t.shape.last());
    match (builtin, &op.options) {
        // Convolutions of groups have weights with fewer channels than their operand.
        (Conv2d, _) if operand(1).is_some() && channels(0) != channels(1) => 6,
        (DepthwiseConv2d, Options::DepthwiseConv2D(o))
            if (o.dilation_w_factor, o.dilation_h_factor) != (1, 1) =>
        {
            2
        }
        (TransposeConv, Options::TransposeConv(o)) if o.fused_activation_function != Activation::None => 4,
        (TransposeConv, _) if op.inputs.len() == 4 => 3,
        (FullyConnected, _) if operand(2).is_none() => 6,
        (FullyConnected, Options::FullyConnected(o)) if o.keep_num_dims => 5,
        (MaxPool2d | AveragePool2d, _) => by(dtype, &[(Int16, 3), (Int8, 2)]),

        (Add, _) => by(dtype, &[(Int16, 5), (Int64, 4)]),
        (Sub, _) if dtype == Int64 => 4,
        (Mul, _) => by(dtype, &[(Int16, 7), (Uint32, 7), (Int64, 5)]),
        (Maximum | Minimum, _) if dtype == Int16 => 4,
        (Sub | Maximum | Minimum, _) if wide() => 3,
        (Maximum | Minimum, _) => by(dtype, &[(Int8, 2)]),
        (Div, _) if wide() => 2,
        (FloorDiv, _) => by(dtype, &[(Float32, 2)]),
        (Abs, _) => by(dtype, &[(Int32, 5), (Int16, 4), (Int8, 2)]),
        (Sign, _) => by(dtype, &[(Int32, 2)]),
        (Equal, _) => by(dtype, &[(Int16, 5), (Int8, 2)]),
        (NotEqual, _) => by(dtype, &[(Int16, 4), (Int8, 2)]),
        (Less | GreaterEqual, _) => by(dtype, &[(Int16, 3), (Int8, 2)]),
        (Greater | LessEqual, _) => by(dtype, &[(Int8, 2)]),
        (Select, _) if (0..3).any(|i| operand(i).is_some_and(|t| t.shape.len() == 5)) => 3,

        (ReduceMax | ReduceMin | Mean, _) => by(dtype, &[(Int16, 3), (Int8, 2)]),
        (ArgMax | ArgMin, _) => by(dtype, &[(Bool, 3), (Int8, 2)]),

        (Concatenation, _) => by(dtype, &[(Uint32, 4), (Int16, 3), (Int8, 2)]),
        (Split, _) => second.map_or(1, |of| by(of, &[(Int16, 4), (Int32, 3), (Int8, 2)])),
        (Unpack, _) => by(dtype, &[(Bool, 3), (Uint8, 2)]),
        (Slice, _) if dtype == Uint32 => 6,
        (Slice, _) if rank > 4 => 5,
        (Slice, _) => by(dtype, &[(Int16, 4), (Int8, 2)]),
        (StridedSlice, Options::StridedSlice(o)) if o.offset => 8,
        (StridedSlice, _) if dtype == Uint32 => 7,
        (StridedSlice, Options::StridedSlice(o)) if o.ellipsis_mask != 0 || o.new_axis_mask != 0 => 6,
        (StridedSlice, _) if rank > 4 => 4,
        (StridedSlice, _) => by(dtype, &[(Bool, 3), (Int8, 2)]),
        (Pad | Padv2, _) if dtype == Bool => 5,
        (Pad | Padv2, _) if rank > 4 => 4,
        (MirrorPad | Pad | Padv2, _) => by(dtype, &[(Int16, 3), (Int8, 2)]),
        (Gather, Options::Gather(o)) if o.batch_dims != 0 => 5,
        (Gather, _) => by(dtype, &[(Int16, 4), (Bool, 3), (Int8, 2)]),
        (GatherNd, _) => by(dtype, &[(Bool, 5)]),

        (Transpose, _) if rank > 6 => 8,
        (Transpose, _) if rank > 5 => 6,
        (Transpose, _) if dtype == Int16 => 5,
        (Transpose, _) if rank > 4 => 4,
        (Transpose, _) => by(dtype, &[(Bool, 3), (Int8, 2)]),
        (ReverseV2, _) => by(dtype, &[(Int8, 3), (Bool, 2)]),
        (Where, _) => by(dtype, &[(Bool, 2)]),
        (SpaceToBatchNd | BatchToSpaceNd, _) if rank != 4 => 3,
        (Tile, _) => by(dtype, &[(Int8, 3)]),
        // Version 1 was withdrawn.
        (BroadcastTo, _) => by(dtype, &[(Int16, 3), (Int8, 3)]).max(2),
        (Range, _) => by(dtype, &[(Int64, 2)]),
        (Fill, _) => second.map_or(1, |of| by(of, &[(Bool, 2)])),

        (ResizeBilinear, Options::ResizeBilinear(o)) if o.half_pixel_centers => 3,
        (ResizeNearestNeighbor, Options::ResizeNearestNeighbor(o))
            if o.half_pixel_centers || o.align_corners =>
        {
            3
        }

        // By both ends, the newest type first.
        (Cast, _) if cast(Float64) => 5,
        (Cast, _) if cast(Uint16) => 4,
        (Cast, _) if cast(Int8) => 3,
        (Cast, _) if cast(Uint32) => 2,
        (Dequantize, _) => by(dtype, &[(Float16, 3)]),
        _ => 1,
    }
}

/// The version that an element type needs; 1 for those that are not in the table.
fn by(dtype: TensorType, table: &[(TensorType, i32)]) -> i32 {
    table.iter().find(|(of, _)| *of == dtype).map_or(1, |(_, version)| *version)
}

#[cfg(test)]
mod tests;
