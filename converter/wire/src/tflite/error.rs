//! Why bytes are not a model that can be used, and where.

use flatbuffers::{ErrorTraceDetail, InvalidFlatbuffer};

/// What a file is told whose parts are used over and over again.
pub(super) const OVERLAP: &str = "its parts overlap so much that it would unfold to many times its size";

/// Why [`read`](super::read) refuses some bytes. Every variant but the first names the place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Too short, or without the file identifier `TFL3`.
    #[error("not a .tflite file: {reason}")]
    NotTflite {
        /// What gives it away.
        reason: &'static str,
    },
    /// An offset, a length or a string of the flatbuffer is wrong.
    #[error("damaged .tflite file: {at}: {reason}")]
    Damaged {
        /// The field, by its path in the schema: `subgraphs[0].tensors[3].shape`.
        at: String,
        /// What is wrong.
        reason: String,
    },
    /// A sound flatbuffer that contradicts itself: an index out of range, a constant of the wrong length…
    #[error("invalid model: {at}: {reason}")]
    Invalid {
        /// The tensor, operator, signature… meant.
        at: String,
        /// What is wrong.
        reason: String,
    },
    /// A part of the schema that halfproof does not hold.
    #[error("not supported: {at}: {what}")]
    Unsupported {
        /// The tensor or operator meant.
        at: String,
        /// The part of the schema.
        what: String,
    },
}

impl ReadError {
    pub(super) fn damaged(at: impl Into<String>, reason: impl Into<String>) -> ReadError {
        ReadError::Damaged { at: at.into(), reason: reason.into() }
    }

    pub(super) fn invalid(at: impl Into<String>, reason: impl Into<String>) -> ReadError {
        ReadError::Invalid { at: at.into(), reason: reason.into() }
    }

    pub(super) fn unsupported(at: impl Into<String>, what: impl Into<String>) -> ReadError {
        ReadError::Unsupported { at: at.into(), what: what.into() }
    }

    /// The same error, seen from the place that contains its place.
    pub(super) fn within(mut self, place: impl FnOnce() -> String) -> ReadError {
        match &mut self {
            ReadError::NotTflite { .. } => {}
            ReadError::Damaged { at, .. }
            | ReadError::Invalid { at, .. }
            | ReadError::Unsupported { at, .. } => {
                *at = if at.is_empty() { place() } else { format!("{}, {at}", place()) };
            }
        }
        self
    }
}

impl From<InvalidFlatbuffer> for ReadError {
    fn from(error: InvalidFlatbuffer) -> ReadError {
        use InvalidFlatbuffer::*;
        let nowhere = || "model".to_string();
        match error {
            MissingRequiredField { required, error_trace } => {
                ReadError::damaged(path(&error_trace), format!("no `{required}`"))
            }
            InconsistentUnion { field, field_type, error_trace } => ReadError::damaged(
                path(&error_trace),
                format!("only one of `{field}` and `{field_type}` is there"),
            ),
            Utf8Error { error, error_trace, .. } => ReadError::damaged(path(&error_trace), error.to_string()),
            MissingNullTerminator { error_trace, .. } => {
                ReadError::damaged(path(&error_trace), "string without its final null")
            }
            Unaligned { position, error_trace, .. } => {
                ReadError::damaged(path(&error_trace), format!("value at byte {position} is not aligned"))
            }
            RangeOutOfBounds { range, error_trace } => ReadError::damaged(
                path(&error_trace),
                format!("bytes {} to {} lie outside of the file", range.start, range.end),
            ),
            SignedOffsetOutOfBounds { position, error_trace, .. } => ReadError::damaged(
                path(&error_trace),
                format!("table at byte {position} has its field list outside of the file"),
            ),
            TooManyTables => ReadError::damaged(nowhere(), "more than a million tables"),
            ApparentSizeTooLarge => ReadError::damaged(nowhere(), OVERLAP),
            DepthLimitReached => ReadError::damaged(nowhere(), "tables are nested too deeply"),
        }
    }
}

/// `subgraphs[0].tensors[3].shape` from a trace, which lists the innermost place first.
fn path(trace: &impl AsRef<[ErrorTraceDetail]>) -> String {
    let mut path = String::new();
    for detail in trace.as_ref().iter().rev() {
        match detail {
            ErrorTraceDetail::VectorElement { index, .. } => path += &format!("[{index}]"),
            ErrorTraceDetail::TableField { field_name, .. } => {
                if !path.is_empty() {
                    path.push('.');
                }
                path += &**field_name;
            }
            ErrorTraceDetail::UnionVariant { variant, .. } => path += &format!(" as {variant}"),
        }
    }
    if path.is_empty() { "model".into() } else { path }
}
