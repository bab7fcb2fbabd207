//! The .tflite format: a flatbuffer with the file identifier `TFL3`.

mod builtin;
mod model;
pub mod options;
mod tensor_type;

pub use builtin::Builtin;
pub use model::{Buffer, Metadata, Model, OpCode, Operator, Quantization, Signature, SubGraph, Tensor};
pub use options::{Activation, MirrorPadMode, Options, Padding};
pub use tensor_type::TensorType;
