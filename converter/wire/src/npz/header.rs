//! The header of an .npy file: magic bytes, version, and a Python dictionary with type, memory order and shape.

use super::NpyError;
use halfproof_ir::DType;

const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// Bytes from which the header's length is known, in every version.
pub(super) const PREFIX: usize = 12;

/// NumPy's type codes, without the byte order.
const TYPES: [(&str, DType); 12] = [
    ("f2", DType::F16),
    ("f4", DType::F32),
    ("f8", DType::F64),
    ("i1", DType::I8),
    ("i2", DType::I16),
    ("i4", DType::I32),
    ("i8", DType::I64),
    ("u1", DType::U8),
    ("u2", DType::U16),
    ("u4", DType::U32),
    ("u8", DType::U64),
    ("b1", DType::Bool),
];

/// What the header says about the elements.
#[derive(Debug, PartialEq)]
pub(super) struct Header {
    pub(super) dtype: DType,
    pub(super) big_endian: bool,
    pub(super) fortran_order: bool,
    pub(super) shape: Vec<usize>,
}

impl Header {
    /// Bytes of all elements.
    pub(super) fn bytes(&self) -> Result<usize, NpyError> {
        // Extents of zero are left out so that no product can overflow, in whatever order it is taken later.
        let bytes = self
            .shape
            .iter()
            .filter(|&&d| d != 0)
            .try_fold(self.dtype.size(), |n, &d| n.checked_mul(d))
            .ok_or(NpyError::Header("the shape is larger than memory"))?;
        Ok(if self.shape.contains(&0) { 0 } else { bytes })
    }
}

/// The header of an array, padded so that the elements start at a multiple of 64.
pub(super) fn write(dtype: DType, shape: &[usize]) -> Vec<u8> {
    let code = TYPES.iter().find(|(_, d)| *d == dtype).map_or("", |(code, _)| code);
    let order = if dtype.size() == 1 { '|' } else { '<' };
    let extents: String = match shape {
        [one] => format!("{one},"),
        many => many.iter().map(usize::to_string).collect::<Vec<_>>().join(", "),
    };
    let mut text = format!("{{'descr': '{order}{code}', 'fortran_order': False, 'shape': ({extents}), }}");
    // Version 1 counts the dictionary in 16 bits, version 2 in 32.
    let wide = text.len() > 65_000;
    let fixed = MAGIC.len() + 2 + if wide { 4 } else { 2 };
    while !(fixed + text.len() + 1).is_multiple_of(64) {
        text.push(' ');
    }
    text.push('\n');
    let mut bytes = MAGIC.to_vec();
    if wide {
        bytes.extend([2, 0]);
        bytes.extend((text.len() as u32).to_le_bytes());
    } else {
        bytes.extend([1, 0]);
        bytes.extend((text.len() as u16).to_le_bytes());
    }
    bytes.extend(text.bytes());
    bytes
}

/// Where the dictionary starts and where the elements start, from the first [`PREFIX`] bytes.
fn spans(bytes: &[u8]) -> Result<(usize, usize), NpyError> {
    if !bytes.starts_with(MAGIC) {
        return Err(NpyError::Magic);
    }
    match bytes.get(..PREFIX) {
        None => Err(NpyError::Truncated { found: bytes.len(), needed: PREFIX }),
        Some(&[.., 1, _, a, b, _, _]) => Ok((10, 10 + usize::from(u16::from_le_bytes([a, b])))),
        Some(&[.., 2 | 3, _, a, b, c, d]) => {
            let len = u32::from_le_bytes([a, b, c, d]);
            // NumPy itself refuses to look at headers beyond 10,000 characters unless told to.
            if len > 1 << 20 {
                return Err(NpyError::Header("it is unreasonably long"));
            }
            Ok((12, 12 + len as usize))
        }
        Some(_) => Err(NpyError::Header("its version is not 1, 2 or 3")),
    }
}

/// The length of the whole header, from its first [`PREFIX`] bytes.
pub(super) fn len(bytes: &[u8]) -> Result<usize, NpyError> {
    let (_, end) = spans(bytes)?;
    if end < PREFIX { Err(NpyError::Header("it is too short")) } else { Ok(end) }
}

/// The header, and the bytes behind it.
pub(super) fn read(bytes: &[u8]) -> Result<(Header, &[u8]), NpyError> {
    let (start, end) = spans(bytes)?;
    let Some(text) = bytes.get(start..end) else {
        return Err(NpyError::Truncated { found: bytes.len(), needed: end });
    };
    let text = str::from_utf8(text).map_err(|_| NpyError::Header("it is no text"))?;
    Ok((parse(text)?, &bytes[end..]))
}

fn parse(text: &str) -> Result<Header, NpyError> {
    let broken = || NpyError::Header("it is no dictionary of type, order and shape");
    let (mut descr, mut fortran_order, mut shape) = (None, None, None);
    let mut rest = text.trim().strip_prefix('{').ok_or_else(broken)?.trim_start();
    while !rest.starts_with('}') {
        let (key, after) = quoted(rest).ok_or_else(broken)?;
        let value = after.trim_start().strip_prefix(':').ok_or_else(broken)?.trim_start();
        rest = match key {
            "descr" => {
                if value.starts_with('[') {
                    return Err(NpyError::Type("record".to_string()));
                }
                let (code, after) = quoted(value).ok_or_else(broken)?;
                descr = Some(code);
                after
            }
            "fortran_order" => {
                let (flag, after) = match (value.strip_prefix("True"), value.strip_prefix("False")) {
                    (Some(after), _) => (true, after),
                    (_, Some(after)) => (false, after),
                    _ => return Err(broken()),
                };
                fortran_order = Some(flag);
                after
            }
            "shape" => {
                let (list, after) =
                    value.strip_prefix('(').and_then(|v| v.split_once(')')).ok_or_else(broken)?;
                let extents = list.split(',').map(str::trim).filter(|e| !e.is_empty());
                shape = Some(
                    extents
                        .map(|e| e.trim_end_matches('L').parse::<usize>())
                        .collect::<Result<Vec<_>, _>>()
                        .map_err(|_| NpyError::Header("an extent is no number"))?,
                );
                after
            }
            _ => return Err(broken()),
        }
        .trim_start();
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    }
    let (Some(code), Some(fortran_order), Some(shape)) = (descr, fortran_order, shape) else {
        return Err(broken());
    };
    let big_endian = code.starts_with('>');
    let bare = code.trim_start_matches(['<', '>', '|', '=']);
    let dtype = TYPES.iter().find(|(c, _)| *c == bare).map(|(_, d)| *d);
    let dtype = dtype.ok_or_else(|| NpyError::Type(code.to_string()))?;
    Ok(Header { dtype, big_endian, fortran_order, shape })
}

/// A Python string without escapes at the start of the text, and what follows.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    text[1..].split_once(quote)
}
