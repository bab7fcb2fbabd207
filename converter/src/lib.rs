//! The converter: an ONNX graph in, a float16 .tflite out, by explicit strategies.

pub mod infer;
mod refuse;
pub mod target;

pub use infer::bind_dims;
