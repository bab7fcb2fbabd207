//! Folders that commands write: all of the files, or none.

use crate::exit::Failure;
use halfproof_wire::file::FileError;
use std::io;
use std::path::{Path, PathBuf};

/// A file's name and what it holds.
pub(crate) type Named = (&'static str, Vec<u8>);

/// Makes the folder that a command writes into, with those above it.
pub(crate) fn make(path: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(path).map_err(|e| failure(path, "create", e))
}

/// Writes files into a folder: into one inside of it first, so that a full disk leaves what was there before. Those of `former`
/// that are not written again are removed.
pub(crate) fn write(out: &Path, files: &[Named], former: &[&str]) -> Result<(), Failure> {
    let made = absent(out);
    let written = make(out).and_then(|()| replace(out, files, former));
    if written.is_err() {
        // Only empty folders go, the deepest first.
        made.iter().for_each(|folder| _ = std::fs::remove_dir(folder));
    }
    written
}

fn replace(out: &Path, files: &[Named], former: &[&str]) -> Result<(), Failure> {
    let stage = tempfile::Builder::new().prefix(".halfproof-").tempdir_in(out);
    let stage = stage.map_err(|e| failure(out, "write into", e))?;
    for (name, bytes) in files {
        std::fs::write(stage.path().join(name), bytes).map_err(|e| failure(&out.join(name), "write", e))?;
    }
    for (name, _) in files {
        let path = out.join(name);
        std::fs::rename(stage.path().join(name), &path).map_err(|e| failure(&path, "write", e))?;
    }
    for name in former.iter().filter(|name| files.iter().all(|(n, _)| n != *name)) {
        let path = out.join(name);
        match std::fs::remove_file(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(failure(&path, "remove", e)),
            _ => {}
        }
    }
    Ok(())
}

/// True for two spellings of one file or folder that is there.
pub(crate) fn same(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

/// The folders of a path that are not there yet, the deepest first.
fn absent(path: &Path) -> Vec<PathBuf> {
    let is_named = |p: &&Path| !p.as_os_str().is_empty();
    path.ancestors().filter(is_named).take_while(|p| !p.exists()).map(Path::to_path_buf).collect()
}

fn failure(path: &Path, action: &'static str, source: io::Error) -> Failure {
    Failure::writing(FileError { path: path.into(), action, source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn what_a_former_run_left_goes_and_other_files_stay() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["old", "kept", "new"] {
            std::fs::write(folder.path().join(name), "before").unwrap();
        }
        write(folder.path(), &[("new", b"now".to_vec())], &["old", "new", "never"]).unwrap();
        assert_eq!(names(folder.path()), ["kept", "new"]);
        assert_eq!(std::fs::read(folder.path().join("new")).unwrap(), b"now");
    }

    #[test]
    fn a_failure_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("a").join("b");
        // A name that no file can have stands for a disk that takes no more.
        let error = write(&out, &[("first", vec![1]), ("none/such", vec![2])], &[]).unwrap_err();
        assert_eq!(error.exit, Exit::BadInput);
        assert!(error.message.contains("none/such"), "{}", error.message);
        assert_eq!(names(folder.path()), Vec::<String>::new());
    }
}
