//! Tensors of ours to tract's, and back.

use halfproof_ir::{DType, Data, Tensor};
use tract_onnx::prelude::{self as tract, Datum, DatumType, TractResult};
use tract_onnx::tract_core::internal::bail;

/// tract's name of an element type.
pub(crate) fn datum_type(dtype: DType) -> DatumType {
    match dtype {
        DType::F16 => DatumType::F16,
        DType::F32 => DatumType::F32,
        DType::F64 => DatumType::F64,
        DType::I8 => DatumType::I8,
        DType::I16 => DatumType::I16,
        DType::I32 => DatumType::I32,
        DType::I64 => DatumType::I64,
        DType::U8 => DatumType::U8,
        DType::U16 => DatumType::U16,
        DType::U32 => DatumType::U32,
        DType::U64 => DatumType::U64,
        DType::Bool => DatumType::Bool,
    }
}

/// A copy as tract's tensor.
pub(crate) fn to_tract(tensor: &Tensor) -> TractResult<tract::Tensor> {
    let shape = tensor.shape.as_slice();
    match &tensor.data {
        Data::F16(v) => tract::Tensor::from_shape(shape, v),
        Data::F32(v) => tract::Tensor::from_shape(shape, v),
        Data::F64(v) => tract::Tensor::from_shape(shape, v),
        Data::I8(v) => tract::Tensor::from_shape(shape, v),
        Data::I16(v) => tract::Tensor::from_shape(shape, v),
        Data::I32(v) => tract::Tensor::from_shape(shape, v),
        Data::I64(v) => tract::Tensor::from_shape(shape, v),
        Data::U8(v) => tract::Tensor::from_shape(shape, v),
        Data::U16(v) => tract::Tensor::from_shape(shape, v),
        Data::U32(v) => tract::Tensor::from_shape(shape, v),
        Data::U64(v) => tract::Tensor::from_shape(shape, v),
        Data::Bool(v) => tract::Tensor::from_shape(shape, v),
    }
}

/// A copy of tract's tensor; its symbolic integers become INT64.
pub(crate) fn from_tract(tensor: &tract::Tensor) -> TractResult<Tensor> {
    let data = match tensor.datum_type() {
        DatumType::F16 => Data::F16(elements(tensor)?),
        DatumType::F32 => Data::F32(elements(tensor)?),
        DatumType::F64 => Data::F64(elements(tensor)?),
        DatumType::I8 => Data::I8(elements(tensor)?),
        DatumType::I16 => Data::I16(elements(tensor)?),
        DatumType::I32 => Data::I32(elements(tensor)?),
        DatumType::I64 => Data::I64(elements(tensor)?),
        DatumType::U8 => Data::U8(elements(tensor)?),
        DatumType::U16 => Data::U16(elements(tensor)?),
        DatumType::U32 => Data::U32(elements(tensor)?),
        DatumType::U64 => Data::U64(elements(tensor)?),
        DatumType::Bool => Data::Bool(elements(tensor)?),
        DatumType::TDim => Data::I64(elements(&*tensor.cast_to::<i64>()?)?),
        other => bail!("an output of type {other:?} is not known"),
    };
    Ok(Tensor::new(tensor.shape(), data))
}

fn elements<T: Datum + Copy>(tensor: &tract::Tensor) -> TractResult<Vec<T>> {
    Ok(tensor.to_plain_array_view::<T>()?.iter().copied().collect())
}
