//! Constants of an .onnx file: `TensorProto` to and from a dense tensor, external data included.

use super::encode::Encoder;
use super::error::{ReadError, ReadErrorKind};
use super::external::{self, Folder};
use super::proto::{EXTERNAL, TensorProto};
use half::f16;
use halfproof_ir::{DType, Data, Tensor};

/// Names of the element types that halfproof does not hold, by `TensorProto.DataType`.
const UNSUPPORTED: &[(i32, &str)] = &[
    (8, "STRING"),
    (14, "COMPLEX64"),
    (15, "COMPLEX128"),
    (16, "BFLOAT16"),
    (17, "FLOAT8E4M3FN"),
    (18, "FLOAT8E4M3FNUZ"),
    (19, "FLOAT8E5M2"),
    (20, "FLOAT8E5M2FNUZ"),
    (21, "UINT4"),
    (22, "INT4"),
    (23, "FLOAT4E2M1"),
    (24, "FLOAT8E8M0"),
    (25, "UINT2"),
    (26, "INT2"),
];

/// The element type behind a code of the file.
///
/// # Errors
/// [`ReadErrorKind::Unsupported`] for types of ONNX that halfproof does not hold, [`ReadErrorKind::Tensor`] for codes
/// that mean nothing; `name` is the tensor the error names.
pub(super) fn dtype(code: i32, name: &str) -> Result<DType, ReadError> {
    if let Some(dtype) = DType::from_onnx_code(code.into()) {
        return Ok(dtype);
    }
    Err(match type_name(code) {
        Some(known) => ReadError::tensor(
            ReadErrorKind::Unsupported,
            name,
            format!("elements of type {known} are not supported"),
        ),
        None => ReadError::tensor(ReadErrorKind::Tensor, name, format!("element type {code} does not exist")),
    })
}

/// The ONNX name of an element type that halfproof does not hold.
pub(super) fn type_name(code: i32) -> Option<&'static str> {
    UNSUPPORTED.iter().find(|(c, _)| *c == code).map(|(_, name)| *name)
}

/// Reads a constant; external data only with the model's folder.
pub(super) fn read(proto: &TensorProto, name: &str, folder: Option<&Folder>) -> Result<Tensor, ReadError> {
    let fail = |reason: String| ReadError::tensor(ReadErrorKind::Tensor, name, reason);
    let dtype = dtype(proto.data_type, name)?;
    if proto.segment.is_some() {
        return Err(ReadError::tensor(ReadErrorKind::Unsupported, name, "data in segments is not supported"));
    }
    let shape = proto
        .dims
        .iter()
        .map(|&d| usize::try_from(d).map_err(|_| fail(format!("extent {d} in its shape {:?}", proto.dims))))
        .collect::<Result<Vec<_>, _>>()?;
    // Extents of zero are left out so that no product on the way can overflow, in whatever order it is taken.
    let bytes = shape
        .iter()
        .filter(|&&d| d != 0)
        .try_fold(dtype.size(), |n, &d| n.checked_mul(d))
        .ok_or_else(|| fail(format!("shape {shape:?} is larger than memory")))?;
    let len = if shape.contains(&0) { 0 } else { bytes / dtype.size() };

    let data = if proto.data_location == EXTERNAL {
        let bytes = external::read(proto, name, len * dtype.size(), folder)?;
        Data::from_le_bytes(dtype, &bytes)
    } else if !proto.raw_data.is_empty() {
        Data::from_le_bytes(dtype, &proto.raw_data)
    } else {
        Some(typed(proto, dtype).ok_or_else(|| fail(format!("an element is out of range for {dtype}")))?)
    };
    match data {
        Some(data) if data.len() == len => Ok(Tensor::new(shape, data)),
        Some(data) => Err(fail(format!("{} elements where its shape {shape:?} needs {len}", data.len()))),
        None => Err(fail(format!("{} bytes are no whole number of {dtype} elements", proto.raw_data.len()))),
    }
}

/// The typed data field that belongs to an element type; `None` when an element does not fit.
fn typed(proto: &TensorProto, dtype: DType) -> Option<Data> {
    fn narrow<T: TryFrom<i32>>(wide: &[i32]) -> Option<Vec<T>> {
        wide.iter().map(|&x| T::try_from(x).ok()).collect()
    }
    Some(match dtype {
        DType::F32 => Data::F32(proto.float_data.clone()),
        DType::F64 => Data::F64(proto.double_data.clone()),
        DType::I64 => Data::I64(proto.int64_data.clone()),
        DType::U64 => Data::U64(proto.uint64_data.clone()),
        DType::U32 => {
            Data::U32(proto.uint64_data.iter().map(|&x| u32::try_from(x).ok()).collect::<Option<_>>()?)
        }
        DType::I32 => Data::I32(proto.int32_data.clone()),
        DType::I16 => Data::I16(narrow(&proto.int32_data)?),
        DType::I8 => Data::I8(narrow(&proto.int32_data)?),
        DType::U16 => Data::U16(narrow(&proto.int32_data)?),
        DType::U8 => Data::U8(narrow(&proto.int32_data)?),
        DType::Bool => Data::Bool(proto.int32_data.iter().map(|&x| x != 0).collect()),
        // The bits, not the value.
        DType::F16 => Data::F16(narrow::<u16>(&proto.int32_data)?.into_iter().map(f16::from_bits).collect()),
    })
}

/// Writes the fields of a constant, its elements as raw data.
pub(super) fn write(e: &mut Encoder, tensor: &Tensor, name: &str) {
    for &extent in &tensor.shape {
        e.int(1, extent as i64);
    }
    e.int(2, tensor.dtype().onnx_code());
    e.text(8, name);
    e.bytes(9, &tensor.data.to_le_bytes());
}
