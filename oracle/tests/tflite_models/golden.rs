//! The recorded cases of `golden/tflite/cases.zip`.
#![allow(dead_code, reason = "every test binary takes what it needs")]

use halfproof_ir::{DType, Data, Tensor};
use halfproof_wire::tflite::Builtin;
use std::io::Read;

const CASES: &[u8] = include_bytes!("../golden/tflite/cases.zip");

/// The goldens are ours and well-formed.
pub(crate) const OWN: &str = "a recorded case";

/// One model, what went in and what came out.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) model: Vec<u8>,
    pub(crate) inputs: Vec<u8>,
    pub(crate) outputs: Vec<u8>,
}

/// Every recorded case with its operator.
pub(crate) fn cases() -> Vec<(Builtin, Case)> {
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(CASES)).expect(OWN);
    let mut all = vec![];
    for i in 0..archive.len() {
        let mut entry = archive.by_index(i).expect(OWN);
        let builtin = Builtin::from_name(&entry.name().expect(OWN)).expect(OWN);
        let mut bytes = vec![];
        entry.read_to_end(&mut bytes).expect(OWN);
        let mut rest = bytes.as_slice();
        let mut blob = || {
            let (length, tail) = rest.split_first_chunk::<4>().expect(OWN);
            let (blob, tail) = tail.split_at(u32::from_le_bytes(*length) as usize);
            rest = tail;
            (blob.to_vec(), tail.is_empty())
        };
        loop {
            let [(name, _), (model, _), (inputs, _), (outputs, end)] = [blob(), blob(), blob(), blob()];
            all.push((builtin, Case { name: String::from_utf8(name).expect(OWN), model, inputs, outputs }));
            if end {
                break;
            }
        }
    }
    all
}

/// Splits raw elements into tensors of the given forms.
pub(crate) fn tensors<'a>(
    mut bytes: &[u8],
    forms: impl Iterator<Item = (DType, &'a [usize])>,
) -> Vec<Tensor> {
    let tensors = forms
        .map(|(dtype, shape)| {
            let (head, tail) = bytes.split_at(shape.iter().product::<usize>() * dtype.size());
            bytes = tail;
            Tensor::new(shape, Data::from_le_bytes(dtype, head).expect(OWN))
        })
        .collect();
    assert!(bytes.is_empty());
    tensors
}
