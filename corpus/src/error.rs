//! What can be wrong with a stored case or known issue; every message names the file.

use halfproof_ir::text::TextError;
use halfproof_ir::validate::Malformed;
use halfproof_wire::file::FileError;
use halfproof_wire::npz::NpzError;
use std::path::PathBuf;

/// Why a case or a known issue cannot be loaded or saved.
#[derive(Debug, thiserror::Error)]
pub enum CorpusError {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A folder cannot be listed or made.
    #[error("cannot {action} {}: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// `list`, `make` or `clear`.
        action: &'static str,
        /// The reason.
        #[source]
        source: std::io::Error,
    },
    /// A .toml file does not have the documented form.
    #[error("{}: {text}", path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// Line, column and reason.
        text: String,
    },
    /// graph.txt is no graph.
    #[error("{}: {source}", path.display())]
    Text {
        /// The file.
        path: PathBuf,
        /// Where and why.
        #[source]
        source: TextError,
    },
    /// graph.txt is a graph that contradicts itself.
    #[error("{}: {source}", path.display())]
    Graph {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Malformed,
    },
    /// weights.npz or inputs.npz cannot be read or written.
    #[error("{}: {source}", path.display())]
    Npz {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: NpzError,
    },
    /// The parts of a case do not fit each other.
    #[error("{}: {reason}", path.display())]
    Mismatch {
        /// The file that is wrong.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}
