//! The judge: references, arithmetics, bounds and verdicts. Pure: no process, clock, environment or output.

pub mod arith;
pub mod contract;
pub mod function;
pub mod half;
pub mod judge;
pub mod onnx;
pub mod record;
pub mod tflite;
pub mod tolerance;
pub mod value;
pub mod verdict;
