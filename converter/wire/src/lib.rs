//! The wire formats: .onnx, .tflite and .npz bytes to and from plain structs. No arithmetic.

pub mod file;
pub mod npz;
pub mod onnx;
pub mod tflite;
