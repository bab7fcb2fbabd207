//! Why a graph or one operator has no value. Never a panic: graphs come from users.

use halfproof_ir::DType;

/// Why a graph cannot be evaluated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    /// Too few or too many input tensors.
    #[error("graph has {expected} inputs, got {found} tensors")]
    InputCount {
        /// Inputs of the graph.
        expected: usize,
        /// Tensors given.
        found: usize,
    },
    /// An input has another shape than declared.
    #[error("input \"{name}\" has shape {found:?}, the graph declares {expected}")]
    InputShape {
        /// The input.
        name: String,
        /// The declaration.
        expected: String,
        /// The shape given.
        found: Vec<usize>,
    },
    /// An input has another element type than declared.
    #[error("input \"{name}\" is {found}, the graph declares {expected}")]
    InputType {
        /// The input.
        name: String,
        /// The declaration.
        expected: DType,
        /// The type given.
        found: DType,
    },
    /// An integer that the evaluation cannot hold.
    #[error("tensor \"{0}\" holds an integer beyond the range of INT64")]
    Range(String),
    /// A node or an output reads a tensor that nothing has defined.
    #[error("tensor \"{tensor}\" is used by \"{user}\" before it is defined")]
    Undefined {
        /// The tensor.
        tensor: String,
        /// The node, or `graph output`.
        user: String,
    },
    /// A node has no value for these operands.
    #[error("{op} \"{node}\": {reason}")]
    Node {
        /// ONNX operator.
        op: String,
        /// The node.
        node: String,
        /// Why.
        reason: OpError,
    },
}

/// Why one operator has no value for these operands. Operands are counted from 0.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpError {
    /// Not in the operator table.
    #[error("operator is not in the table")]
    Unknown,
    /// A required operand is absent.
    #[error("operand {0} is missing")]
    Missing(usize),
    /// The operator is not defined for this element type here.
    #[error("operand {operand} cannot be {dtype}")]
    Type {
        /// Which operand.
        operand: usize,
        /// Its element type.
        dtype: DType,
    },
    /// An operand that determines a shape follows from a float comparison that rounding could turn.
    #[error("operand {0} determines a shape, but rounding could change it")]
    Undecided(usize),
    /// The shapes of the operands (or the elements of a shape operand) don't fit the operator.
    #[error("{0}")]
    Shape(String),
    /// An attribute has a value that the operator does not define.
    #[error("{0}")]
    Attribute(String),
    /// Defined by ONNX, but not by this reference.
    #[error("{0} is not implemented in the reference")]
    Unsupported(String),
    /// The result would have more elements than the reference is willing to hold.
    #[error("a tensor of shape {0:?} is too large")]
    TooLarge(Vec<usize>),
}

/// An [`OpError::Shape`].
pub(super) fn shape(reason: impl Into<String>) -> OpError {
    OpError::Shape(reason.into())
}

/// An [`OpError::Attribute`].
pub(super) fn attribute(reason: impl Into<String>) -> OpError {
    OpError::Attribute(reason.into())
}
