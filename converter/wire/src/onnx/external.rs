//! Elements of constants that are in files beside the model.
//!
//! A model is a file of somebody else: it may name files below its own folder and no others, neither by `..` nor by a
//! symbolic link, and nothing that is no regular file, which may have no end or never begin.

use super::error::{ReadError, ReadErrorKind};
use super::proto::TensorProto;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

/// Where a model's external data may be, and which files of it were read.
pub(super) struct Folder {
    /// The model's folder, as it was named.
    named: PathBuf,
    /// That folder and the one that the model's file is really in, without links: caches link every file of a model.
    real: Vec<PathBuf>,
    read: RefCell<BTreeSet<PathBuf>>,
}

impl Folder {
    /// The folder of a model's file.
    pub(super) fn of(model: &Path) -> Folder {
        let named = match model.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let behind = model.canonicalize().ok().and_then(|real| Some(real.parent()?.to_path_buf()));
        let real = named.canonicalize().ok().into_iter().chain(behind).collect();
        Folder { named: named.to_path_buf(), real, read: RefCell::default() }
    }

    /// The files that were read, without links.
    pub(super) fn files(self) -> Vec<PathBuf> {
        self.read.into_inner().into_iter().collect()
    }
}

/// The bytes of a tensor whose data is in a file beside the model.
pub(super) fn read(
    proto: &TensorProto,
    name: &str,
    len: usize,
    folder: Option<&Folder>,
) -> Result<Vec<u8>, ReadError> {
    let fail = |reason: String| ReadError::tensor(ReadErrorKind::Tensor, name, reason);
    let entry = |key: &str| proto.external_data.iter().find(|e| e.key == key).map(|e| e.value.as_str());
    let number = |key: &str| match entry(key) {
        None => Ok(None),
        Some(text) => text
            .parse::<u64>()
            .map(Some)
            .map_err(|_| fail(format!("external data with {key} \"{text}\", which is no number"))),
    };
    let location = entry("location").ok_or_else(|| fail("external data without a location".to_string()))?;
    let Some(folder) = folder else {
        return Err(ReadError::tensor(
            ReadErrorKind::Unsupported,
            name,
            format!(
                "data is in the file \"{location}\"; read the model by its path, with that file beside it"
            ),
        ));
    };
    // The specification asks for a relative path that does not climb out of the model's folder.
    if location.is_empty()
        || !Path::new(location).components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir))
    {
        return Err(fail(format!("external data at \"{location}\", which is not below the model's folder")));
    }
    let (offset, stored) = (number("offset")?.unwrap_or(0), number("length")?);
    if stored.is_some_and(|n| n != len as u64) {
        return Err(fail(format!("external data of {} bytes where {len} are needed", stored.unwrap_or(0))));
    }
    let path = folder.named.join(location);
    let io = |e: std::io::Error| {
        ReadError::tensor(ReadErrorKind::Io, name, format!("external data at {}: {e}", path.display()))
    };
    let real = path.canonicalize().map_err(io)?;
    if !folder.real.iter().any(|folder| real.starts_with(folder)) {
        return Err(fail(format!(
            "external data at \"{location}\" is a link to {}, which is not below the model's folder; put the file itself there",
            real.display()
        )));
    }
    // Asked before it is opened: opening a pipe waits for somebody who writes.
    if !real.metadata().map_err(io)?.is_file() {
        return Err(fail(format!("external data at {}, which is no regular file", path.display())));
    }
    let mut file = File::open(&real).map_err(io)?;
    let size = file.metadata().map_err(io)?.len();
    if offset.checked_add(len as u64).is_none_or(|end| end > size) {
        return Err(fail(format!(
            "external data needs {len} bytes from offset {offset} of {}, which has {size}",
            path.display()
        )));
    }
    file.seek(SeekFrom::Start(offset)).map_err(io)?;
    let mut bytes = vec![0; len];
    file.read_exact(&mut bytes).map_err(io)?;
    folder.read.borrow_mut().insert(real);
    Ok(bytes)
}
