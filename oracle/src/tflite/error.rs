//! Why a model cannot be planned, or a planned program cannot be run.

use halfproof_wire::tflite::Builtin;
use thiserror::Error;

/// Whose limit an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The model may be right, but this interpreter does not know what it asks for.
    Unsupported,
    /// The model contradicts itself or the definition of an operator.
    Malformed,
    /// The model reads a tensor that no operator before has written. Which operator reads it says nothing.
    Unwritten,
}

/// Why a model has no [`Program`](super::Program).
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ProgramError {
    /// There is nothing to run.
    #[error("the model has no subgraph")]
    NoSubgraph,
    /// A list of the interface names a tensor that does not exist or never gets a value.
    #[error("subgraph {list} entry {position}: {reason}")]
    Interface {
        /// `inputs` or `outputs`.
        list: &'static str,
        /// Position in the list.
        position: usize,
        /// What is wrong.
        reason: String,
    },
    /// A tensor that an operator uses cannot be held.
    #[error("tensor {tensor} {name:?}: {reason}")]
    Tensor {
        /// Index in subgraph 0.
        tensor: usize,
        /// Its name in the file.
        name: String,
        /// Whose limit it is.
        kind: Kind,
        /// What is wrong.
        reason: String,
    },
    /// An operator cannot be planned.
    #[error("operator {operator} {name} (result {result:?}): {reason}")]
    Operator {
        /// Index in subgraph 0.
        operator: usize,
        /// Name as TFLite prints it.
        name: String,
        /// Name of its first result.
        result: String,
        /// Whose limit it is.
        kind: Kind,
        /// What is wrong.
        reason: String,
    },
}

impl ProgramError {
    /// Whose limit the error is.
    pub fn kind(&self) -> Kind {
        match self {
            ProgramError::NoSubgraph | ProgramError::Interface { .. } => Kind::Malformed,
            ProgramError::Tensor { kind, .. } | ProgramError::Operator { kind, .. } => *kind,
        }
    }
}

/// Why a program did not run to its end.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RunError {
    /// The number of inputs differs from the interface.
    #[error("the program has {expected} inputs, got {actual}")]
    InputCount {
        /// Inputs of the interface.
        expected: usize,
        /// Inputs given.
        actual: usize,
    },
    /// An input has another type or shape than the interface says.
    #[error("input {position} is {expected}, got {actual}")]
    Input {
        /// Position in the interface.
        position: usize,
        /// Type and shape of the interface.
        expected: String,
        /// Type and shape given.
        actual: String,
    },
    /// Unrounded elements do not fit the constant that they replace.
    #[error("tensor {tensor}: {reason}")]
    Constant {
        /// Index in subgraph 0.
        tensor: u32,
        /// What is wrong.
        reason: String,
    },
    /// There is no operator of that index.
    #[error("the program has no operator {operator}")]
    NoOperator {
        /// The index asked for.
        operator: usize,
    },
    /// An operand given to one operator is missing or has another type or shape than the file says.
    #[error("operator {operator} {builtin}: operand {operand} {reason}")]
    Operand {
        /// Index of the operator.
        operator: usize,
        /// Which operator.
        builtin: Builtin,
        /// Position of the operand.
        operand: usize,
        /// What is wrong.
        reason: String,
    },
    /// The elements make no sense to the operator: an index out of range, an integer division by zero.
    #[error("operator {operator} {builtin}: {reason}")]
    Operator {
        /// Index of the operator.
        operator: usize,
        /// Which operator.
        builtin: Builtin,
        /// What is wrong.
        reason: String,
    },
}

/// An operator that cannot be planned, before its place in the file is known.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) kind: Kind,
    pub(super) reason: String,
}

impl Fault {
    pub(super) fn unsupported(reason: impl Into<String>) -> Fault {
        Fault { kind: Kind::Unsupported, reason: reason.into() }
    }

    pub(super) fn malformed(reason: impl Into<String>) -> Fault {
        Fault { kind: Kind::Malformed, reason: reason.into() }
    }
}

/// Returns a [`Fault`] of the model unless a condition holds.
macro_rules! ensure {
    ($condition:expr, $($reason:tt)+) => {
        if !$condition {
            return Err($crate::tflite::error::Fault::malformed(format!($($reason)+)));
        }
    };
}
pub(super) use ensure;
