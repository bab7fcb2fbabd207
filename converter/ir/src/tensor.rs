//! A dense tensor with its elements, in row-major order.

use crate::DType;
use half::f16;
use half::slice::HalfFloatSliceExt;

/// The elements of a [`Tensor`], one vector per element type.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// binary16 elements.
    F16(Vec<f16>),
    /// binary32 elements.
    F32(Vec<f32>),
    /// binary64 elements.
    F64(Vec<f64>),
    /// Signed 8-bit elements.
    I8(Vec<i8>),
    /// Signed 16-bit elements.
    I16(Vec<i16>),
    /// Signed 32-bit elements.
    I32(Vec<i32>),
    /// Signed 64-bit elements.
    I64(Vec<i64>),
    /// Unsigned 8-bit elements.
    U8(Vec<u8>),
    /// Unsigned 16-bit elements.
    U16(Vec<u16>),
    /// Unsigned 32-bit elements.
    U32(Vec<u32>),
    /// Unsigned 64-bit elements.
    U64(Vec<u64>),
    /// Booleans.
    Bool(Vec<bool>),
}

/// Applies one expression to whichever vector a [`Data`] holds.
macro_rules! each {
    ($data:expr, $v:ident => $e:expr) => {
        match $data {
            Data::F16($v) => $e,
            Data::F32($v) => $e,
            Data::F64($v) => $e,
            Data::I8($v) => $e,
            Data::I16($v) => $e,
            Data::I32($v) => $e,
            Data::I64($v) => $e,
            Data::U8($v) => $e,
            Data::U16($v) => $e,
            Data::U32($v) => $e,
            Data::U64($v) => $e,
            Data::Bool($v) => $e,
        }
    };
}

impl Data {
    /// The number of elements.
    pub fn len(&self) -> usize {
        each!(self, v => v.len())
    }

    /// True when there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The element type.
    pub fn dtype(&self) -> DType {
        match self {
            Data::F16(_) => DType::F16,
            Data::F32(_) => DType::F32,
            Data::F64(_) => DType::F64,
            Data::I8(_) => DType::I8,
            Data::I16(_) => DType::I16,
            Data::I32(_) => DType::I32,
            Data::I64(_) => DType::I64,
            Data::U8(_) => DType::U8,
            Data::U16(_) => DType::U16,
            Data::U32(_) => DType::U32,
            Data::U64(_) => DType::U64,
            Data::Bool(_) => DType::Bool,
        }
    }

    /// The elements as little-endian bytes, as ONNX `raw_data` and TFLite buffers hold them.
    pub fn to_le_bytes(&self) -> Vec<u8> {
        match self {
            Data::Bool(v) => v.iter().map(|&b| u8::from(b)).collect(),
            Data::U8(v) => v.clone(),
            Data::I8(v) => v.iter().map(|&x| x.cast_unsigned()).collect(),
            Data::F16(v) => v.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Data::F32(v) => v.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Data::F64(v) => v.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Data::I16(v) => v.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Data::I32(v) => v.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Data::I64(v) => v.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Data::U16(v) => v.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Data::U32(v) => v.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Data::U64(v) => v.iter().flat_map(|x| x.to_le_bytes()).collect(),
        }
    }

    /// Reads little-endian bytes; `None` when the length is not a multiple of the element size.
    pub fn from_le_bytes(dtype: DType, bytes: &[u8]) -> Option<Data> {
        if !bytes.len().is_multiple_of(dtype.size()) {
            return None;
        }
        fn words<const N: usize, T>(bytes: &[u8], read: fn([u8; N]) -> T) -> Vec<T> {
            bytes.as_chunks::<N>().0.iter().map(|&c| read(c)).collect()
        }
        Some(match dtype {
            DType::F16 => Data::F16(words(bytes, f16::from_le_bytes)),
            DType::F32 => Data::F32(words(bytes, f32::from_le_bytes)),
            DType::F64 => Data::F64(words(bytes, f64::from_le_bytes)),
            DType::I8 => Data::I8(words(bytes, i8::from_le_bytes)),
            DType::I16 => Data::I16(words(bytes, i16::from_le_bytes)),
            DType::I32 => Data::I32(words(bytes, i32::from_le_bytes)),
            DType::I64 => Data::I64(words(bytes, i64::from_le_bytes)),
            DType::U8 => Data::U8(bytes.to_vec()),
            DType::U16 => Data::U16(words(bytes, u16::from_le_bytes)),
            DType::U32 => Data::U32(words(bytes, u32::from_le_bytes)),
            DType::U64 => Data::U64(words(bytes, u64::from_le_bytes)),
            DType::Bool => Data::Bool(bytes.iter().map(|&b| b != 0).collect()),
        })
    }
}

/// A dense tensor: a shape (one entry per axis, empty for a scalar) and row-major elements.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Extent of every axis.
    pub shape: Vec<usize>,
    /// The elements; their number is the product of `shape`.
    pub data: Data,
}

impl Tensor {
    /// A tensor from its parts.
    ///
    /// # Panics
    /// When the number of elements is not the product of `shape`: a bug of the caller, never of user input.
    pub fn new(shape: impl Into<Vec<usize>>, data: Data) -> Tensor {
        let shape = shape.into();
        assert_eq!(shape.iter().product::<usize>(), data.len(), "tensor of shape {shape:?}");
        Tensor { shape, data }
    }

    /// A FLOAT32 tensor.
    pub fn f32(shape: impl Into<Vec<usize>>, data: Vec<f32>) -> Tensor {
        Tensor::new(shape, Data::F32(data))
    }

    /// An INT64 tensor.
    pub fn i64(shape: impl Into<Vec<usize>>, data: Vec<i64>) -> Tensor {
        Tensor::new(shape, Data::I64(data))
    }

    /// An INT64 vector, as shapes, axes and pads are written in ONNX.
    pub fn ints(data: impl Into<Vec<i64>>) -> Tensor {
        let data = data.into();
        Tensor::new(vec![data.len()], Data::I64(data))
    }

    /// The element type.
    pub fn dtype(&self) -> DType {
        self.data.dtype()
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.data.len()
    }

    /// True when a dimension is zero.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// Float elements widened to f64 exactly; `None` for integers and booleans.
    pub fn floats(&self) -> Option<Vec<f64>> {
        match &self.data {
            Data::F16(v) => Some(v.to_f64_vec()),
            Data::F32(v) => Some(v.iter().map(|&x| f64::from(x)).collect()),
            Data::F64(v) => Some(v.clone()),
            _ => None,
        }
    }

    /// Integer and boolean elements as i64; `None` for floats and for a `u64` beyond `i64::MAX`.
    pub fn integers(&self) -> Option<Vec<i64>> {
        match &self.data {
            Data::I8(v) => Some(v.iter().map(|&x| x.into()).collect()),
            Data::I16(v) => Some(v.iter().map(|&x| x.into()).collect()),
            Data::I32(v) => Some(v.iter().map(|&x| x.into()).collect()),
            Data::I64(v) => Some(v.clone()),
            Data::U8(v) => Some(v.iter().map(|&x| x.into()).collect()),
            Data::U16(v) => Some(v.iter().map(|&x| x.into()).collect()),
            Data::U32(v) => Some(v.iter().map(|&x| x.into()).collect()),
            Data::U64(v) => v.iter().map(|&x| x.try_into().ok()).collect(),
            Data::Bool(v) => Some(v.iter().map(|&x| x.into()).collect()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bytes_round_trip_for_every_dtype(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            use DType::*;
            for dtype in [F16, F32, F64, I8, I16, I32, I64, U8, U16, U32, U64] {
                let whole = bytes.len() / dtype.size() * dtype.size();
                let data = Data::from_le_bytes(dtype, &bytes[..whole]).unwrap();
                prop_assert_eq!(data.dtype(), dtype);
                prop_assert_eq!(data.to_le_bytes(), &bytes[..whole]);
            }
        }
    }

    #[test]
    fn a_length_that_is_no_multiple_of_the_element_size_is_refused() {
        assert_eq!(Data::from_le_bytes(DType::F32, &[0; 5]), None);
    }
}
