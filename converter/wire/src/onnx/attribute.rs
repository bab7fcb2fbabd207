//! Attributes of an .onnx file: `AttributeProto` to and from [`Attr`].

use super::encode::Encoder;
use super::error::ReadError;
use super::external::Folder;
use super::proto::{AttributeProto, kind};
use super::tensor;
use halfproof_ir::ops::Attr;
use std::sync::Arc;

/// Reads an attribute's value; `Ok(None)` for kinds that no operator of the table has (graphs, types).
///
/// # Errors
/// The reason, as a fragment, or the error of a tensor inside.
pub(super) fn read(a: &AttributeProto, folder: Option<&Folder>) -> Result<Option<Attr>, Failure> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).map_err(|_| Failure::NotText);
    let stored = if a.kind == kind::UNDEFINED { guess(a) } else { a.kind };
    // The zero value of a number may be left out of the bytes.
    Ok(Some(match stored {
        kind::FLOAT => Attr::Float(a.f.unwrap_or(0.0)),
        kind::INT => Attr::Int(a.i.unwrap_or(0)),
        kind::STRING => Attr::Str(text(a.s.as_deref().unwrap_or_default())?),
        kind::TENSOR => {
            let proto = a.t.as_ref().ok_or(Failure::Missing)?;
            let name = if proto.name.is_empty() { &a.name } else { &proto.name };
            Attr::Tensor(Arc::new(tensor::read(proto, name, folder).map_err(Failure::Tensor)?))
        }
        kind::FLOATS => Attr::Floats(a.floats.clone()),
        kind::INTS => Attr::Ints(a.ints.clone()),
        kind::STRINGS => Attr::Strs(a.strings.iter().map(|s| text(s)).collect::<Result<_, _>>()?),
        _ => return Ok(None),
    }))
}

/// Why an attribute's value cannot be read.
pub(super) enum Failure {
    /// A string that is no UTF-8.
    NotText,
    /// A tensor that is not there.
    Missing,
    /// A tensor that cannot be read.
    Tensor(ReadError),
}

/// The kind of an attribute that does not say it, as files of the first format versions.
fn guess(a: &AttributeProto) -> i32 {
    if a.t.is_some() {
        kind::TENSOR
    } else if a.s.is_some() {
        kind::STRING
    } else if a.f.is_some() {
        kind::FLOAT
    } else if !a.floats.is_empty() {
        kind::FLOATS
    } else if !a.strings.is_empty() {
        kind::STRINGS
    } else if a.i.is_some() {
        kind::INT
    } else {
        kind::INTS
    }
}

/// Writes the fields of an attribute.
pub(super) fn write(e: &mut Encoder, name: &str, value: &Attr) {
    e.text(1, name);
    let kind = match value {
        Attr::Int(v) => {
            e.int(3, *v);
            kind::INT
        }
        Attr::Float(v) => {
            e.float(2, *v);
            kind::FLOAT
        }
        Attr::Str(v) => {
            e.bytes(4, v.as_bytes());
            kind::STRING
        }
        Attr::Ints(v) => {
            v.iter().for_each(|&x| e.int(8, x));
            kind::INTS
        }
        Attr::Floats(v) => {
            v.iter().for_each(|&x| e.float(7, x));
            kind::FLOATS
        }
        Attr::Strs(v) => {
            v.iter().for_each(|x| e.bytes(9, x.as_bytes()));
            kind::STRINGS
        }
        Attr::Tensor(v) => {
            e.message(5, |e| tensor::write(e, v, ""));
            kind::TENSOR
        }
    };
    e.int(20, kind.into());
}
