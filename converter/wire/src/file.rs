//! Files are written whole or not at all: a reader never sees half a file, whenever the writer is killed.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A file that cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}: {source}", path.display())]
pub struct FileError {
    /// The file.
    pub path: PathBuf,
    /// `read` or `write`.
    pub action: &'static str,
    /// The reason.
    #[source]
    pub source: io::Error,
}

/// Reads a whole file.
///
/// # Errors
/// When it cannot be read; the error names it.
pub fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    std::fs::read(path).map_err(|source| FileError { path: path.into(), action: "read", source })
}

/// Writes a file by way of a temporary one in the same folder, which must exist. An older file of that name stays
/// as it is until the new one is complete. A device or a pipe is written to, not replaced.
///
/// # Errors
/// When the folder does not exist or cannot be written to, the disk is full, or `path` is a folder; nothing is left
/// behind.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let fail = |source| FileError { path: path.into(), action: "write", source };
    if std::fs::metadata(path).is_ok_and(|m| !m.is_file() && !m.is_dir()) {
        let device = std::fs::OpenOptions::new().write(true).open(path);
        return device.and_then(|mut d| d.write_all(bytes)).map_err(fail);
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // Opened here, as an ordinary new file and not only for the owner as temporaries are. Errors of tempfile itself would
    // name the temporary, which says nothing to the reader.
    let create = |path: &Path| std::fs::OpenOptions::new().write(true).create_new(true).open(path);
    let mut file = tempfile::Builder::new().prefix(".halfproof-").make_in(folder, create).map_err(fail)?;
    file.as_file_mut().write_all(bytes).map_err(fail)?;
    file.persist(path).map_err(|e| fail(e.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_and_nothing_else_stays_in_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        write_atomically(&path, b"old").unwrap();
        write_atomically(&path, b"new").unwrap();
        assert_eq!(read(&path).unwrap(), b"new");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_missing_folder_is_an_error_that_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("missing").join("a.bin");
        let text = write_atomically(&path, b"x").unwrap_err().to_string();
        assert!(text.starts_with("cannot write ") && text.contains("missing/a.bin: No such file"), "{text}");
        assert!(!text.contains(".halfproof-"), "the temporary is nobody's business: {text}");
    }

    #[test]
    fn a_folder_is_not_replaced_by_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sub");
        std::fs::create_dir(&path).unwrap();
        assert!(write_atomically(&path, b"x").is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn others_may_read_what_is_written_as_far_as_the_mask_allows() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (ours, theirs) = (folder.path().join("ours"), folder.path().join("theirs"));
        write_atomically(&ours, b"x").unwrap();
        std::fs::write(&theirs, b"x").unwrap();
        let mode = |p: &Path| std::fs::metadata(p).unwrap().permissions().mode();
        assert_eq!(mode(&ours), mode(&theirs));
    }
}
