//! The .tflite format: a flatbuffer with the file identifier `TFL3`, to and from plain structs.
//!
//! Reading verifies the whole flatbuffer first (with the verifier of the `flatbuffers` crate), then copies it into a
//! [`Model`], then checks what a flatbuffer verifier cannot know: indices, extents, lengths of constants. Parts of the
//! schema that change results and that [`Model`] does not hold (sparsity, blockwise quantization, StableHLO options,
//! external buffer files…) are refused by name. Left out on purpose, because no result depends on them:
//! `mutating_variable_inputs`, `metadata_buffer` and the two `debug_metadata_index`.
//!
//! Source: `tflite/converter/schema/schema.fbs` of LiteRT, version 3d.

mod builtin;
mod check;
mod dump;
mod error;
mod field;
mod model;
pub mod options;
mod read;
mod schema;
mod table;
mod tensor_type;
#[cfg(test)]
mod tests;
mod write;
mod writer;

pub use builtin::Builtin;
pub use dump::dump;
pub use error::ReadError;
pub use model::{Buffer, Metadata, Model, OpCode, Operator, Quantization, Signature, SubGraph, Tensor};
pub use options::{Activation, MirrorPadMode, Options, Padding};
pub use read::read;
pub use tensor_type::TensorType;
pub use write::write;
