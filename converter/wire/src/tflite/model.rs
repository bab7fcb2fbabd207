//! A .tflite file as plain structs (`Model` of the schema). Data only; see `read` and `write`.

use super::{Builtin, Options, TensorType};
use std::sync::Arc;

/// A whole file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Model {
    /// Schema version; 3 for every file of today.
    pub version: u32,
    /// Free text about who made the file.
    pub description: String,
    /// Subgraphs; 0 is the main one.
    pub subgraphs: Vec<SubGraph>,
    /// Constant data. Buffer 0 is empty and means "no data".
    pub buffers: Vec<Buffer>,
    /// Named blobs.
    pub metadata: Vec<Metadata>,
    /// Named entry points.
    pub signatures: Vec<Signature>,
}

/// One buffer's bytes. Shared, because buffers can be large and models are copied to be patched.
pub type Buffer = Arc<Vec<u8>>;

/// A graph of operators in execution order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SubGraph {
    /// Name, often `main`.
    pub name: String,
    /// Tensors by index.
    pub tensors: Vec<Tensor>,
    /// Input tensors, in interface order.
    pub inputs: Vec<i32>,
    /// Output tensors, in interface order.
    pub outputs: Vec<i32>,
    /// Operators in execution order.
    pub operators: Vec<Operator>,
}

/// A tensor: shape, type, and the buffer with its elements when it is a constant.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tensor {
    /// Name, unique by custom only.
    pub name: String,
    /// Extent of every axis (1 where `shape_signature` says -1).
    pub shape: Vec<i32>,
    /// Extents with -1 for dynamic axes; empty when the shape is static.
    pub shape_signature: Vec<i32>,
    /// Element type.
    pub dtype: TensorType,
    /// Index of the buffer; 0 for none.
    pub buffer: u32,
    /// A variable tensor keeps its value between runs.
    pub is_variable: bool,
    /// True when an empty `shape` means rank 0 rather than "unknown".
    pub has_rank: bool,
    /// Affine quantization, if any.
    pub quantization: Option<Quantization>,
}

/// `QuantizationParameters` of the schema.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Quantization {
    /// Observed minima.
    pub min: Vec<f32>,
    /// Observed maxima.
    pub max: Vec<f32>,
    /// Scales, one or one per slice.
    pub scale: Vec<f32>,
    /// Zero points, one or one per slice.
    pub zero_point: Vec<i64>,
    /// The axis of per-slice parameters.
    pub quantized_dimension: i32,
}

/// Which operator: a builtin or a custom one by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OpCode {
    /// A builtin.
    Builtin(Builtin),
    /// A custom operator.
    Custom(String),
}

/// One operation.
#[derive(Clone, Debug, PartialEq)]
pub struct Operator {
    /// Which operator.
    pub code: OpCode,
    /// Version of its kernel interface, 1 and up.
    pub version: i32,
    /// Operand tensors; -1 for an absent optional one.
    pub inputs: Vec<i32>,
    /// Result tensors.
    pub outputs: Vec<i32>,
    /// Builtin options.
    pub options: Options,
    /// Options of a custom operator.
    pub custom_options: Vec<u8>,
    /// Scratch tensors named by the file (LSTM).
    pub intermediates: Vec<i32>,
}

impl Operator {
    /// A builtin operator of version 1.
    pub fn builtin(
        code: Builtin,
        inputs: impl Into<Vec<i32>>,
        outputs: impl Into<Vec<i32>>,
        options: impl Into<Options>,
    ) -> Operator {
        Operator {
            code: OpCode::Builtin(code),
            version: 1,
            inputs: inputs.into(),
            outputs: outputs.into(),
            options: options.into(),
            custom_options: vec![],
            intermediates: vec![],
        }
    }

    /// The operator's name as TFLite prints it.
    pub fn name(&self) -> &str {
        match &self.code {
            OpCode::Builtin(b) => b.name(),
            OpCode::Custom(name) => name,
        }
    }
}

/// A named blob of the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata {
    /// Name.
    pub name: String,
    /// Index of the buffer.
    pub buffer: u32,
}

/// A named entry point.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Signature {
    /// Name, often `serving_default`.
    pub key: String,
    /// Which subgraph it runs.
    pub subgraph: u32,
    /// Inputs by public name.
    pub inputs: Vec<(String, u32)>,
    /// Outputs by public name.
    pub outputs: Vec<(String, u32)>,
}

impl Model {
    /// The main subgraph.
    ///
    /// # Panics
    /// When there is none; `read` refuses such files.
    pub fn main(&self) -> &SubGraph {
        &self.subgraphs[0]
    }

    /// The bytes of a constant tensor; `None` when it has no data. A tensor without elements that names a buffer is
    /// a constant of no bytes.
    pub fn data(&self, tensor: &Tensor) -> Option<&[u8]> {
        let bytes = self.buffers.get(tensor.buffer as usize)?;
        let constant = tensor.buffer != 0 && (!bytes.is_empty() || tensor.shape.contains(&0));
        constant.then_some(bytes.as_slice())
    }
}
