//! Attributes of an .onnx file: `AttributeProto` to and from [`Attr`].

use super::error::ReadError;
use super::proto::{AttributeProto, kind};
use super::tensor;
use halfproof_ir::ops::Attr;
use std::path::Path;
use std::sync::Arc;

/// Reads an attribute's value; `Ok(None)` for kinds that no operator of the table has (graphs, types).
///
/// # Errors
/// The reason, as a fragment, or the error of a tensor inside.
pub(super) fn read(a: &AttributeProto, folder: Option<&Path>) -> Result<Option<Attr>, Failure> {
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

/// Writes an attribute.
pub(super) fn write(name: &str, value: &Attr) -> AttributeProto {
    let mut a = AttributeProto { name: name.to_string(), ..AttributeProto::default() };
    a.kind = match value {
        Attr::Int(v) => {
            a.i = Some(*v);
            kind::INT
        }
        Attr::Float(v) => {
            a.f = Some(*v);
            kind::FLOAT
        }
        Attr::Str(v) => {
            a.s = Some(v.as_bytes().to_vec());
            kind::STRING
        }
        Attr::Ints(v) => {
            a.ints.clone_from(v);
            kind::INTS
        }
        Attr::Floats(v) => {
            a.floats.clone_from(v);
            kind::FLOATS
        }
        Attr::Strs(v) => {
            a.strings = v.iter().map(|s| s.as_bytes().to_vec()).collect();
            kind::STRINGS
        }
        Attr::Tensor(v) => {
            a.t = Some(tensor::write(v, ""));
            kind::TENSOR
        }
    };
    a
}
