//! What can go wrong with an .onnx file, in reading and in writing.

use super::Opset;
use std::fmt;

/// Kinds of failure in reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReadErrorKind {
    /// The file, or a file with external data, cannot be read.
    Io,
    /// The bytes are no ONNX model: truncated, damaged, or something else altogether.
    Bytes,
    /// The operator set is older or newer than those known, or is not declared.
    Opset,
    /// Names or edges contradict each other: defined twice, never defined, a cycle, a wrong number of operands.
    Structure,
    /// A node lacks an attribute, has one that its operator does not know, or a value that does not fit.
    Attribute,
    /// The elements of a constant do not fit its shape or type.
    Tensor,
    /// Valid ONNX that halfproof does not hold: bfloat16, 8- and 4-bit floats, strings, sequences, sparse tensors.
    Unsupported,
}

/// Why an .onnx file cannot be read: about what, and the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadError {
    /// The class of failure.
    pub kind: ReadErrorKind,
    /// What it is about: `node "c1" (Conv)`, `tensor "w"`, `model`.
    pub subject: String,
    /// The reason, as a fragment.
    pub reason: String,
}

impl ReadError {
    pub(super) fn new(kind: ReadErrorKind, subject: impl Into<String>, reason: impl Into<String>) -> Self {
        ReadError { kind, subject: subject.into(), reason: reason.into() }
    }

    pub(super) fn tensor(kind: ReadErrorKind, name: &str, reason: impl Into<String>) -> Self {
        ReadError::new(kind, format!("tensor \"{name}\""), reason)
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.subject, self.reason)
    }
}

impl std::error::Error for ReadError {}

/// Why a graph cannot be written at an operator set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{op} \"{node}\" cannot be written at opset {opset}: {reason}")]
pub struct WriteError {
    /// The operator; `graph` when it is about all of it.
    pub op: String,
    /// The node's name; that of the graph when it is about all of it.
    pub node: String,
    /// The operator set asked for.
    pub opset: Opset,
    /// The reason, as a fragment.
    pub reason: String,
}
