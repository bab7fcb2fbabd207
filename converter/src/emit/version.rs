//! Which version of its kernel interface an operator needs, for float and integer operands.
//!
//! Follows the version rules published with LiteRT (`op_version.cc`) except for one point: FLOAT16 operands raise no
//! version, because runtimes older than those rules run the same float16 kernels, and newer ones accept both.

use halfproof_wire::tflite::{Activation, Builtin, Operator, Options, Tensor, TensorType};

/// The version for an operator whose tensors are final.
pub(super) fn version(builtin: Builtin, op: &Operator, tensors: &[Tensor]) -> i32 {
    let operand =
        |i: usize| op.inputs.get(i).and_then(|&t| usize::try_from(t).ok()).and_then(|t| tensors.get(t));
    let rank = operand(0).map_or(0, |t| t.shape.len());
    let dtype = operand(0).map_or(TensorType::Float32, |t| t.dtype);
    let widest = (0..op.inputs.len()).filter_map(operand).map(|t| t.shape.len()).max().unwrap_or(0);
    let broadcasts = match (operand(0), operand(1)) {
        (Some(a), Some(b)) => a.shape != b.shape,
        _ => false,
    };
    use Builtin::*;
    match (builtin, &op.options) {
        (Dequantize, _) if dtype == TensorType::Float16 => 3,
        (BroadcastTo, _) => 2,
        (FullyConnected, Options::FullyConnected(_)) if op.inputs.len() == 2 => 6,
        (FullyConnected, Options::FullyConnected(o)) if o.keep_num_dims => 5,
        (DepthwiseConv2d, Options::DepthwiseConv2D(o))
            if (o.dilation_w_factor, o.dilation_h_factor) != (1, 1) =>
        {
            2
        }
        (TransposeConv, Options::TransposeConv(o)) if o.fused_activation_function != Activation::None => 4,
        (TransposeConv, _) if operand(3).is_some() => 3,
        (Gather, Options::Gather(o)) if o.batch_dims != 0 => 5,
        (Gather, _) if dtype == TensorType::Bool => 3,
        (ResizeBilinear, Options::ResizeBilinear(o)) if o.half_pixel_centers => 3,
        (ResizeNearestNeighbor, Options::ResizeNearestNeighbor(o))
            if o.half_pixel_centers || o.align_corners =>
        {
            3
        }
        (StridedSlice, Options::StridedSlice(o)) if o.offset => 8,
        (StridedSlice, Options::StridedSlice(o)) if o.ellipsis_mask != 0 || o.new_axis_mask != 0 => 6,
        (StridedSlice, _) if rank > 4 => 4,
        (StridedSlice, _) if dtype == TensorType::Bool => 3,
        (Slice, _) if rank > 4 => 5,
        (Transpose, _) if rank > 6 => 8,
        (Transpose, _) if rank > 5 => 6,
        (Transpose, _) if rank > 4 => 4,
        (Transpose, _) if dtype == TensorType::Bool => 3,
        (Pad | Padv2, _) if dtype == TensorType::Bool => 5,
        (Pad | Padv2, _) if rank > 4 => 4,
        (Sub | Maximum | Minimum, _) if broadcasts && widest > 4 => 3,
        (Div, _) if broadcasts && widest > 4 => 2,
        (Add | Sub, _) if dtype == TensorType::Int64 => 4,
        (Mul, _) if dtype == TensorType::Int64 => 5,
        (Mul, _) if dtype == TensorType::Uint32 => 7,
        (FloorDiv, _) if dtype == TensorType::Float32 => 2,
        (Abs, _) if dtype == TensorType::Int32 => 5,
        (Sign, _) if dtype == TensorType::Int32 => 2,
        (SpaceToBatchNd | BatchToSpaceNd, _) if rank != 4 => 3,
        (Split, _) if operand(1).is_some_and(|t| t.dtype == TensorType::Int32) => 3,
        (Range, _) if dtype == TensorType::Int64 => 2,
        (Fill, _) if operand(1).is_some_and(|t| t.dtype == TensorType::Bool) => 2,
        (ReverseV2 | Where, _) if dtype == TensorType::Bool => 2,
        (ArgMax | ArgMin, _) if dtype == TensorType::Bool => 3,
        (GatherNd, _) if dtype == TensorType::Bool => 5,
        (Unpack, _) if dtype == TensorType::Bool => 3,
        (Unpack, _) if dtype == TensorType::Uint8 => 2,
        (Select, _) if (0..3).any(|i| operand(i).is_some_and(|t| t.shape.len() == 5)) => 3,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use halfproof_wire::tflite::options;

    fn of(builtin: Builtin, shapes: &[&[i32]], dtype: TensorType, options: impl Into<Options>) -> i32 {
        let tensor = |s: &&[i32]| Tensor { shape: s.to_vec(), dtype, ..Tensor::default() };
        let tensors: Vec<Tensor> = shapes.iter().map(tensor).collect();
        let inputs: Vec<i32> = (0..).take(shapes.len()).collect();
        version(builtin, &Operator::builtin(builtin, inputs, vec![0], options), &tensors)
    }

    #[test]
    fn float16_raises_no_version_but_that_of_dequantize() {
        let add = || options::Add::default();
        for dtype in [TensorType::Float16, TensorType::Float32] {
            assert_eq!(of(Builtin::Add, &[&[2], &[2]], dtype, add()), 1);
        }
        assert_eq!(of(Builtin::Dequantize, &[&[2]], TensorType::Float16, Options::None), 3);
        assert_eq!(of(Builtin::Dequantize, &[&[2]], TensorType::Float32, Options::None), 1);
    }

    #[test]
    fn rank_broadcast_and_options_raise_it_as_published() {
        let float = TensorType::Float16;
        assert_eq!(of(Builtin::Transpose, &[&[1; 5], &[5]], float, Options::None), 4);
        assert_eq!(of(Builtin::Transpose, &[&[1; 6], &[6]], float, Options::None), 6);
        assert_eq!(of(Builtin::Sub, &[&[1, 2, 2, 2, 2], &[2]], float, Options::None), 3);
        assert_eq!(of(Builtin::Sub, &[&[2, 2, 2, 2, 2], &[2, 2, 2, 2, 2]], float, Options::None), 1);
        assert_eq!(of(Builtin::BroadcastTo, &[&[2], &[2]], float, Options::None), 2);
        let dense = |keep_num_dims| options::FullyConnected { keep_num_dims, ..Default::default() };
        assert_eq!(of(Builtin::FullyConnected, &[&[1, 2], &[3, 2]], float, dense(false)), 6);
        assert_eq!(of(Builtin::FullyConnected, &[&[1, 2], &[3, 2], &[3]], float, dense(true)), 5);
        assert_eq!(of(Builtin::FullyConnected, &[&[1, 2], &[3, 2], &[3]], float, dense(false)), 1);
        let half_pixel = options::ResizeBilinear { half_pixel_centers: true, ..Default::default() };
        assert_eq!(of(Builtin::ResizeBilinear, &[&[1, 2, 2, 1], &[2]], float, half_pixel), 3);
    }
}
