//! Element types of TFLite tensors (`TensorType` of the schema).

use halfproof_ir::DType;

macro_rules! tensor_types {
    ($( $variant:ident = $code:literal $name:literal, )*) => {
        /// An element type of TFLite.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "the names of the schema")]
        #[repr(i8)]
        pub enum TensorType { #[default] $( $variant = $code, )* }

        impl TensorType {
            /// The number in the file.
            pub fn code(self) -> i8 { self as i8 }

            /// The type behind a number, if the schema has it.
            pub fn from_code(code: i8) -> Option<TensorType> {
                match code { $( $code => Some(TensorType::$variant), )* _ => None }
            }

            /// The name as TFLite prints it.
            pub fn name(self) -> &'static str {
                match self { $( TensorType::$variant => $name, )* }
            }
        }
    };
}

tensor_types! {
    Float32 = 0 "FLOAT32",
    Float16 = 1 "FLOAT16",
    Int32 = 2 "INT32",
    Uint8 = 3 "UINT8",
    Int64 = 4 "INT64",
    String = 5 "STRING",
    Bool = 6 "BOOL",
    Int16 = 7 "INT16",
    Complex64 = 8 "COMPLEX64",
    Int8 = 9 "INT8",
    Float64 = 10 "FLOAT64",
    Complex128 = 11 "COMPLEX128",
    Uint64 = 12 "UINT64",
    Resource = 13 "RESOURCE",
    Variant = 14 "VARIANT",
    Uint32 = 15 "UINT32",
    Uint16 = 16 "UINT16",
    Int4 = 17 "INT4",
    Bfloat16 = 18 "BFLOAT16",
    Int2 = 19 "INT2",
    Uint4 = 20 "UINT4",
    Float8E4m3fn = 21 "FLOAT8_E4M3FN",
    Float8E5m2 = 22 "FLOAT8_E5M2",
}

impl TensorType {
    /// The element type as the rest of halfproof holds it; `None` for those it does not.
    pub fn dtype(self) -> Option<DType> {
        Some(match self {
            TensorType::Float32 => DType::F32,
            TensorType::Float16 => DType::F16,
            TensorType::Float64 => DType::F64,
            TensorType::Int8 => DType::I8,
            TensorType::Int16 => DType::I16,
            TensorType::Int32 => DType::I32,
            TensorType::Int64 => DType::I64,
            TensorType::Uint8 => DType::U8,
            TensorType::Uint16 => DType::U16,
            TensorType::Uint32 => DType::U32,
            TensorType::Uint64 => DType::U64,
            TensorType::Bool => DType::Bool,
            _ => return None,
        })
    }
}

impl From<DType> for TensorType {
    fn from(dtype: DType) -> TensorType {
        match dtype {
            DType::F32 => TensorType::Float32,
            DType::F16 => TensorType::Float16,
            DType::F64 => TensorType::Float64,
            DType::I8 => TensorType::Int8,
            DType::I16 => TensorType::Int16,
            DType::I32 => TensorType::Int32,
            DType::I64 => TensorType::Int64,
            DType::U8 => TensorType::Uint8,
            DType::U16 => TensorType::Uint16,
            DType::U32 => TensorType::Uint32,
            DType::U64 => TensorType::Uint64,
            DType::Bool => TensorType::Bool,
        }
    }
}

impl std::fmt::Display for TensorType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
