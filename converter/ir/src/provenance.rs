//! Where each tensor, constant and operator of a converted model comes from. Data only; written by our converter,
//! read by the judge, empty for converters that do not say.

use crate::{Elements, Rewrite};

/// What a constant is for; decides how a value that float16 cannot hold is reported and treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Weights of a convolution, matrix product or table.
    Weight,
    /// An added vector.
    Bias,
    /// A multiplied constant.
    Scale,
    /// Guards a division or a root.
    Epsilon,
    /// Added to scores to exclude positions (large and negative).
    Mask,
    /// A limit of a clip, min or max.
    Bound,
    /// Anything else.
    Plain,
}

/// A target tensor that carries the values of a source tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorOrigin {
    /// Name of the source value.
    pub source: String,
    /// Index of the tensor in subgraph 0 of the .tflite.
    pub tensor: u32,
    /// `None`: same elements in the same row-major order (the shapes may differ by axes of extent 1 or a reshape).
    /// `Some(p)`: the target holds, in row-major order, the source transposed by `p` (target axis i is source axis p[i]),
    /// again up to a reshape.
    pub permutation: Option<Vec<usize>>,
}

/// A constant of the target before any rounding to float16: what folding in f64 gave.
#[derive(Clone, Debug, PartialEq)]
pub struct ConstantOrigin {
    /// Index of the constant tensor in subgraph 0 of the .tflite.
    pub tensor: u32,
    /// What it is for.
    pub role: Role,
    /// The exact elements in the target's own order; same number as the tensor has.
    pub exact: Elements,
}

/// The source nodes that one target operator implements (several after fusion, the same one for a decomposition).
#[derive(Clone, Debug, PartialEq)]
pub struct OperatorOrigin {
    /// Index of the operator in subgraph 0 of the .tflite.
    pub operator: u32,
    /// Names of the source nodes.
    pub nodes: Vec<String>,
}

/// The whole map.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Provenance {
    /// Source tensors that survive in the target.
    pub tensors: Vec<TensorOrigin>,
    /// Float constants of the target with their unrounded elements.
    pub constants: Vec<ConstantOrigin>,
    /// Target operators and their sources.
    pub operators: Vec<OperatorOrigin>,
    /// Deliberate changes of the computation.
    pub rewrites: Vec<Rewrite>,
}
