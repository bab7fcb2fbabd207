//! Named tensors as NumPy's .npz (a zip archive of .npy files) and single ones as .npy.
//!
//! Source: the format description in NumPy's documentation (numpy.lib.format).

mod header;

use halfproof_ir::{Data, Tensor};
use header::Header;
use std::io::{Cursor, Read, Write};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

/// Why bytes are no .npy or .npz file that can be read, or tensors cannot be written as one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NpzError {
    /// Not a zip archive, or a damaged one.
    #[error("not an .npz file, or damaged: {0}")]
    Archive(String),
    /// An array in the archive cannot be read.
    #[error("array \"{name}\": {reason}")]
    Array {
        /// The array.
        name: String,
        /// What is wrong with it.
        reason: NpyError,
    },
    /// Two arrays have one name.
    #[error("two arrays are called \"{0}\"")]
    Duplicate(String),
}

/// Why bytes are no .npy file that can be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NpyError {
    /// The magic bytes are missing.
    #[error("not an .npy file")]
    Magic,
    /// The file ends early.
    #[error("the file ends early: {found} bytes where {needed} are needed")]
    Truncated {
        /// Bytes there.
        found: usize,
        /// Bytes needed.
        needed: usize,
    },
    /// The header is no dictionary of the known form.
    #[error("the header is damaged: {0}")]
    Header(&'static str),
    /// Elements of a type that halfproof does not hold: complex numbers, text, dates, records, Python objects.
    #[error("elements of type {0} are not supported")]
    Type(String),
    /// The data cannot be decompressed.
    #[error("cannot be unpacked: {0}")]
    Unpack(String),
}

/// Writes one tensor as .npy, in row-major order and little-endian.
pub fn write_npy(tensor: &Tensor) -> Vec<u8> {
    let mut bytes = header::write(tensor.dtype(), &tensor.shape);
    bytes.extend(tensor.data.to_le_bytes());
    bytes
}

/// Reads one tensor from .npy bytes, of either byte order and either memory order. Bytes behind the last element are
/// ignored, as NumPy does.
///
/// # Errors
/// When the bytes are truncated or damaged, or the elements have a type that halfproof does not hold.
pub fn read_npy(bytes: &[u8]) -> Result<Tensor, NpyError> {
    let (header, data) = header::read(bytes)?;
    let needed = header.bytes()?;
    let data = data.get(..needed).ok_or(NpyError::Truncated { found: data.len(), needed })?;
    tensor(header, data.to_vec())
}

fn tensor(header: Header, mut bytes: Vec<u8>) -> Result<Tensor, NpyError> {
    let Header { dtype, big_endian, fortran_order, shape } = header;
    if big_endian {
        bytes.chunks_exact_mut(dtype.size()).for_each(<[u8]>::reverse);
    }
    if fortran_order && shape.len() > 1 {
        bytes = row_major(&bytes, dtype.size(), &shape);
    }
    let data =
        Data::from_le_bytes(dtype, &bytes).ok_or(NpyError::Header("the shape does not fit the data"))?;
    Ok(Tensor::new(shape, data))
}

/// Brings column-major elements of `size` bytes into row-major order.
fn row_major(bytes: &[u8], size: usize, shape: &[usize]) -> Vec<u8> {
    let mut strides = vec![size; shape.len()];
    for i in 1..shape.len() {
        strides[i] = strides[i - 1] * shape[i - 1];
    }
    let mut out = Vec::with_capacity(bytes.len());
    let mut index = vec![0; shape.len()];
    while out.len() < bytes.len() {
        let at: usize = index.iter().zip(&strides).map(|(i, s)| i * s).sum();
        out.extend_from_slice(&bytes[at..at + size]);
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            if index[axis] < shape[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
    out
}

/// Writes named tensors as .npz, in the order given, uncompressed; the bytes depend on the tensors only.
///
/// # Errors
/// When two tensors have one name, or together they are more than a zip archive holds.
pub fn write(tensors: &[(String, Tensor)]) -> Result<Vec<u8>, NpzError> {
    let mut names: Vec<&str> = tensors.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    if let Some(twice) = names.windows(2).find(|w| w[0] == w[1]) {
        return Err(NpzError::Duplicate(twice[0].to_string()));
    }
    let archive = |e: zip::result::ZipError| NpzError::Archive(e.to_string());
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default());
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, tensor) in tensors {
        zip.start_file(format!("{name}.npy"), options).map_err(archive)?;
        zip.write_all(&write_npy(tensor)).map_err(|e| NpzError::Archive(e.to_string()))?;
    }
    Ok(zip.finish().map_err(archive)?.into_inner())
}

/// Reads all arrays of an .npz file, in the order of the archive.
///
/// # Errors
/// When the bytes are no zip archive, or an array in it cannot be read; the error names the array.
pub fn read(bytes: &[u8]) -> Result<Vec<(String, Tensor)>, NpzError> {
    let archive = |e: zip::result::ZipError| NpzError::Archive(e.to_string());
    let mut zip = ZipArchive::new(Cursor::new(bytes)).map_err(archive)?;
    let mut tensors = Vec::new();
    for i in 0..zip.len() {
        let mut file = zip.by_index(i).map_err(archive)?;
        let name = file.name().map_err(archive)?;
        let Some(name) = name.strip_suffix(".npy").map(str::to_string) else { continue };
        let tensor =
            read_entry(&mut file).map_err(|reason| NpzError::Array { name: name.clone(), reason })?;
        if tensors.iter().any(|(n, _)| *n == name) {
            return Err(NpzError::Duplicate(name));
        }
        tensors.push((name, tensor));
    }
    Ok(tensors)
}

/// Reads one array of an archive, and never more of it than its header announces.
fn read_entry(file: &mut impl Read) -> Result<Tensor, NpyError> {
    let mut take = |bytes: &mut Vec<u8>, n: usize| {
        let read = file.by_ref().take(n as u64).read_to_end(bytes);
        match read {
            Err(e) => Err(NpyError::Unpack(e.to_string())),
            Ok(found) if found < n => Err(NpyError::Truncated { found, needed: n }),
            Ok(_) => Ok(()),
        }
    };
    let mut start = Vec::new();
    take(&mut start, header::PREFIX)?;
    let rest = header::len(&start)? - header::PREFIX;
    take(&mut start, rest)?;
    let (header, _) = header::read(&start)?;
    let mut data = Vec::new();
    take(&mut data, header.bytes()?)?;
    tensor(header, data)
}
