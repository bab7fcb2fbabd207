//! The lowered program, before float16: TFLite operators over tensors whose float constants are still exact.
//!
//! Lowering makes it (from ONNX) and `retype` makes it (from an fp32 .tflite); `precision` decides which of its float
//! tensors become FLOAT16, rounds constants once, and emits the file. Float tensors are FLOAT32 here.

use halfproof_ir::{DType, Data, Elements, Role};
use halfproof_wire::tflite::{Builtin, Options};
use std::sync::Arc;

/// Names a tensor of a [`Target`]: an index into [`Target::tensors`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TensorId(pub u32);

impl TensorId {
    /// As an index into [`Target::tensors`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// The elements of a constant.
#[derive(Clone, Debug, PartialEq)]
pub enum Constant {
    /// Float elements, exact or folded in f64, not yet rounded to any storage type.
    Exact(Elements),
    /// Integer or boolean elements.
    Stored(Arc<Data>),
}

/// Which source tensor a target tensor carries: see `halfproof_ir::TensorOrigin`.
#[derive(Clone, Debug, PartialEq)]
pub struct Origin {
    /// Name of the source value.
    pub source: String,
    /// Permutation from source to target axes; `None` for the same order.
    pub permutation: Option<Vec<usize>>,
}

/// A tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetTensor {
    /// Name in the file.
    pub name: String,
    /// Static shape, in the target's own layout.
    pub shape: Vec<usize>,
    /// Element type; `F32` for every float tensor that `precision` may narrow.
    pub dtype: DType,
    /// The elements, when this is a constant.
    pub constant: Option<Constant>,
    /// What a constant is for.
    pub role: Role,
    /// The source tensor it carries, if any.
    pub origin: Option<Origin>,
}

/// An operation.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetOperator {
    /// Which TFLite operator.
    pub builtin: Builtin,
    /// The least version of its kernel interface: that of the file it was read from. What its options and tensors need is
    /// decided when it is written.
    pub version: i32,
    /// Operands; `None` for an absent optional one.
    pub inputs: Vec<Option<TensorId>>,
    /// Results.
    pub outputs: Vec<TensorId>,
    /// Options.
    pub options: Options,
    /// Names of the source nodes it implements.
    pub nodes: Vec<String>,
}

/// A whole lowered program with one subgraph, operators in execution order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Target {
    /// Tensors by index.
    pub tensors: Vec<TargetTensor>,
    /// Operators in execution order.
    pub operators: Vec<TargetOperator>,
    /// Interface inputs with their public names.
    pub inputs: Vec<(String, TensorId)>,
    /// Interface outputs with their public names.
    pub outputs: Vec<(String, TensorId)>,
}

impl Target {
    /// The tensor behind an id.
    pub fn tensor(&self, id: TensorId) -> &TargetTensor {
        &self.tensors[id.index()]
    }

    /// Adds a tensor.
    pub fn add(&mut self, tensor: TargetTensor) -> TensorId {
        let id = TensorId(u32::try_from(self.tensors.len()).expect("fewer than 2^32 tensors"));
        self.tensors.push(tensor);
        id
    }
}
