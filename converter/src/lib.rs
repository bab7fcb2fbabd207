//! The converter: an ONNX graph in, a float16 .tflite out, by explicit strategies.

pub mod target;
