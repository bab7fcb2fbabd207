//! What the strategies promise, read from the bytes that come out.

mod kernels;
mod masks;
mod mixed;
mod plan;
mod rewrites;
mod strategies;

use super::apply;
use crate::target::Target;
use halfproof_ir::Request;
use halfproof_wire::tflite::{Builtin, Model, OpCode, Tensor, TensorType, read};

/// The model as a reader of the file sees it.
fn convert(target: &Target, request: &Request) -> Model {
    read(&apply(target, request).unwrap().model).unwrap()
}

fn count(model: &Model, builtin: Builtin) -> usize {
    model.main().operators.iter().filter(|op| op.code == OpCode::Builtin(builtin)).count()
}

fn of_type(model: &Model, dtype: TensorType) -> Vec<&Tensor> {
    model.main().tensors.iter().filter(|t| t.dtype == dtype).collect()
}

fn tensor(model: &Model, index: i32) -> &Tensor {
    &model.main().tensors[usize::try_from(index).unwrap()]
}
