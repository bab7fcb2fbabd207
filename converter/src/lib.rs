//! The converter: an ONNX graph in, a float16 .tflite out, by explicit strategies.

pub mod constants;
mod emit;
pub mod fold;
pub mod infer;
pub mod lint;
pub mod precision;
mod refuse;
pub mod target;

pub use infer::bind_dims;
