//! Attribute values as ONNX stores them, and their conversion to the fields of the operator structs.

use crate::{DType, Tensor};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One attribute value.
#[derive(Clone, Debug, PartialEq)]
pub enum Attr {
    /// An integer.
    Int(i64),
    /// A float.
    Float(f32),
    /// A string.
    Str(String),
    /// Integers.
    Ints(Vec<i64>),
    /// Floats.
    Floats(Vec<f32>),
    /// Strings.
    Strs(Vec<String>),
    /// A tensor.
    Tensor(Arc<Tensor>),
}

/// Attributes of one node by name.
pub type Attrs = BTreeMap<String, Attr>;

/// An attribute whose value does not fit its operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("attribute \"{name}\" has no valid value")]
pub struct AttrError {
    /// The attribute.
    pub name: String,
}

/// A type that an attribute can have.
pub trait AttrField: Sized {
    /// The stored form; `None` for an absent optional attribute.
    fn to_attr(&self) -> Option<Attr>;
    /// Reads the stored form; `None` when it does not fit.
    fn from_attr(attr: &Attr) -> Option<Self>;
}

/// Reads one attribute, `Ok(None)` when it is absent.
pub(super) fn read<T: AttrField>(attrs: &Attrs, name: &str) -> Result<Option<T>, AttrError> {
    match attrs.get(name) {
        None => Ok(None),
        Some(a) => T::from_attr(a).map(Some).ok_or_else(|| AttrError { name: name.to_string() }),
    }
}

macro_rules! field {
    ($ty:ty, $variant:ident) => {
        impl AttrField for $ty {
            fn to_attr(&self) -> Option<Attr> {
                Some(Attr::$variant(self.clone()))
            }
            fn from_attr(attr: &Attr) -> Option<Self> {
                match attr {
                    Attr::$variant(v) => Some(v.clone()),
                    _ => None,
                }
            }
        }
    };
}
field!(i64, Int);
field!(f32, Float);
field!(String, Str);
field!(Vec<String>, Strs);
field!(Arc<Tensor>, Tensor);

// An empty list has no type in some writers, so any empty list fits.
impl AttrField for Vec<i64> {
    fn to_attr(&self) -> Option<Attr> {
        Some(Attr::Ints(self.clone()))
    }
    fn from_attr(attr: &Attr) -> Option<Self> {
        match attr {
            Attr::Ints(v) => Some(v.clone()),
            Attr::Floats(v) if v.is_empty() => Some(vec![]),
            _ => None,
        }
    }
}

impl AttrField for Vec<f32> {
    fn to_attr(&self) -> Option<Attr> {
        Some(Attr::Floats(self.clone()))
    }
    fn from_attr(attr: &Attr) -> Option<Self> {
        match attr {
            Attr::Floats(v) => Some(v.clone()),
            Attr::Ints(v) if v.is_empty() => Some(vec![]),
            _ => None,
        }
    }
}

impl AttrField for bool {
    fn to_attr(&self) -> Option<Attr> {
        Some(Attr::Int(i64::from(*self)))
    }
    fn from_attr(attr: &Attr) -> Option<Self> {
        match attr {
            Attr::Int(v) => Some(*v != 0),
            _ => None,
        }
    }
}

impl<T: AttrField> AttrField for Option<T> {
    fn to_attr(&self) -> Option<Attr> {
        self.as_ref().and_then(AttrField::to_attr)
    }
    fn from_attr(attr: &Attr) -> Option<Self> {
        T::from_attr(attr).map(Some)
    }
}

/// `TensorProto.DataType` of the ONNX specification (onnx.proto).
const ONNX_DTYPES: [(DType, i64); 12] = [
    (DType::F32, 1),
    (DType::U8, 2),
    (DType::I8, 3),
    (DType::U16, 4),
    (DType::I16, 5),
    (DType::I32, 6),
    (DType::I64, 7),
    (DType::Bool, 9),
    (DType::F16, 10),
    (DType::F64, 11),
    (DType::U32, 12),
    (DType::U64, 13),
];

impl DType {
    /// The number of this type in ONNX files.
    pub fn onnx_code(self) -> i64 {
        ONNX_DTYPES.iter().find(|(d, _)| *d == self).expect("every type is in the table").1
    }

    /// The type behind a number in an ONNX file; `None` for those that halfproof does not hold (strings, complex, bfloat16, 8- and 4-bit floats).
    pub fn from_onnx_code(code: i64) -> Option<DType> {
        ONNX_DTYPES.iter().find(|(_, c)| *c == code).map(|(d, _)| *d)
    }
}

impl AttrField for DType {
    fn to_attr(&self) -> Option<Attr> {
        Some(Attr::Int(self.onnx_code()))
    }
    fn from_attr(attr: &Attr) -> Option<Self> {
        match attr {
            Attr::Int(code) => DType::from_onnx_code(*code),
            _ => None,
        }
    }
}

macro_rules! named {
    ($(#[$meta:meta])* $name:ident { $( $variant:ident = $text:literal, )* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "the values of the ONNX attribute")]
        pub enum $name { $( $variant, )* }

        impl $name {
            /// Every value.
            pub const ALL: &'static [$name] = &[ $( $name::$variant, )* ];

            /// The value's ONNX name.
            pub fn name(self) -> &'static str {
                match self { $( $name::$variant => $text, )* }
            }
        }

        impl AttrField for $name {
            fn to_attr(&self) -> Option<Attr> { Some(Attr::Str(self.name().to_string())) }
            fn from_attr(attr: &Attr) -> Option<Self> {
                match attr {
                    Attr::Str(s) => $name::ALL.iter().copied().find(|v| v.name() == s),
                    _ => None,
                }
            }
        }
    };
}

named! {
    /// How the padding of a convolution or pooling is given.
    AutoPad { NotSet = "NOTSET", SameUpper = "SAME_UPPER", SameLower = "SAME_LOWER", Valid = "VALID", }
}
named! {
    /// Which Gelu.
    GeluMode { None = "none", Tanh = "tanh", }
}
named! {
    /// What stands outside the tensor.
    PadMode { Constant = "constant", Reflect = "reflect", Edge = "edge", Wrap = "wrap", }
}
named! {
    /// Order of the block elements in DepthToSpace.
    D2sMode { Dcr = "DCR", Crd = "CRD", }
}
named! {
    /// Interpolation of Resize.
    ResizeMode { Nearest = "nearest", Linear = "linear", Cubic = "cubic", }
}
named! {
    /// How Resize maps an output coordinate to an input coordinate.
    CoordinateMode {
        HalfPixel = "half_pixel",
        HalfPixelSymmetric = "half_pixel_symmetric",
        PytorchHalfPixel = "pytorch_half_pixel",
        AlignCorners = "align_corners",
        Asymmetric = "asymmetric",
        TfCropAndResize = "tf_crop_and_resize",
    }
}
named! {
    /// How Resize rounds a coordinate in nearest mode.
    NearestMode { RoundPreferFloor = "round_prefer_floor", RoundPreferCeil = "round_prefer_ceil", Floor = "floor", Ceil = "ceil", }
}
named! {
    /// In which direction a recurrent operator walks.
    Direction { Forward = "forward", Reverse = "reverse", Bidirectional = "bidirectional", }
}
