//! The TFLite dialect: what a .tflite file computes, in any arithmetic.
//!
//! [`Program::new`] checks a file and plans it once; [`Program::run`] evaluates it in one [`Arith`] and shows every
//! tensor; [`Program::step`] evaluates one operator from given operands, to hold a runtime to its own intermediates.
//! Shapes are static: integers that shapes depend on (targets of RESHAPE, paddings, axes…) must follow from the file,
//! through constants and operators on shapes, which are evaluated while planning.
//!
//! Operators are written from the TFLite documentation and the documented behaviour of its kernels, one file per
//! family. Quantized tensors, custom operators, control flow and variables are refused.

mod activation;
mod binary;
mod broadcast;
mod cast;
mod compare;
mod concat;
mod conv;
mod convert;
mod dispatch;
mod error;
mod gather;
mod layout;
mod matmul;
mod movement;
mod norm;
mod operands;
mod order;
mod pad;
mod plan;
mod planner;
mod pool;
mod program;
mod reduce;
mod resize;
mod select;
mod shape;
mod slice;
mod softmax;
mod unary;
mod window;

pub use convert::{tensor, value};
pub use error::{Kind, ProgramError, RunError};
pub use program::{Constants, Operation, Program, Run};

use halfproof_ir::{DType, Data};
use std::sync::Arc;

/// A tensor of the planned program.
#[derive(Clone, Debug)]
struct Slot {
    shape: Vec<usize>,
    dtype: DType,
    constant: Option<Constant>,
}

/// The elements of a constant, decoded once.
#[derive(Clone, Debug)]
enum Constant {
    Floats(Arc<Data>),
    Integers(Arc<Vec<i64>>),
}
