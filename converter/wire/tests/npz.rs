//! Tensors survive .npy and .npz; damaged files are errors.
#![allow(clippy::unwrap_used, reason = "tests")]

use half::f16;
use halfproof_ir::{DType, Data, Tensor};
use halfproof_wire::npz::{self, NpyError, NpzError};
use proptest::prelude::*;

const DTYPES: [DType; 12] = {
    use DType::*;
    [F16, F32, F64, I8, I16, I32, I64, U8, U16, U32, U64, Bool]
};

fn any_tensor() -> impl Strategy<Value = Tensor> {
    (0..DTYPES.len(), prop::collection::vec(0..4usize, 0..4)).prop_flat_map(|(dtype, shape)| {
        let dtype = DTYPES[dtype];
        let bytes = shape.iter().product::<usize>() * dtype.size();
        prop::collection::vec(any::<u8>(), bytes)
            .prop_map(move |bytes| Tensor::new(shape.clone(), Data::from_le_bytes(dtype, &bytes).unwrap()))
    })
}

/// Equality of bits, since elements may be NaN.
fn same(a: &Tensor, b: &Tensor) -> bool {
    a.shape == b.shape && a.dtype() == b.dtype() && a.data.to_le_bytes() == b.data.to_le_bytes()
}

proptest! {
    #[test]
    fn every_tensor_survives_npy(tensor in any_tensor()) {
        let bytes = npz::write_npy(&tensor);
        prop_assert!(same(&npz::read_npy(&bytes).unwrap(), &tensor));
        prop_assert_eq!((bytes.len() - tensor.data.to_le_bytes().len()) % 64, 0);
    }

    #[test]
    fn named_tensors_survive_npz_in_order(tensors in prop::collection::vec(any_tensor(), 0..4)) {
        let named: Vec<_> = tensors.into_iter().enumerate().map(|(i, t)| (format!("{}/x", 9 - i), t)).collect();
        let read = npz::read(&npz::write(&named).unwrap()).unwrap();
        prop_assert_eq!(read.len(), named.len());
        for ((n, t), (m, u)) in named.iter().zip(&read) {
            prop_assert!(n == m && same(t, u));
        }
    }

    #[test]
    fn a_truncated_file_is_an_error(tensor in any_tensor(), cut in any::<prop::sample::Index>()) {
        let bytes = npz::write_npy(&tensor);
        prop_assert!(npz::read_npy(&bytes[..cut.index(bytes.len())]).is_err());
        let bytes = npz::write(&[("x".to_string(), tensor)]).unwrap();
        prop_assert!(npz::read(&bytes[..cut.index(bytes.len())]).is_err());
    }

    #[test]
    fn damaged_bytes_never_panic(tensor in any_tensor(), flips in prop::collection::vec(any::<(prop::sample::Index, u8)>(), 1..4)) {
        let mut npy = npz::write_npy(&tensor);
        let mut npz = npz::write(&[("x".to_string(), tensor)]).unwrap();
        for (at, with) in flips {
            let (i, j) = (at.index(npy.len()), at.index(npz.len()));
            npy[i] ^= with;
            npz[j] ^= with;
        }
        let _ = (npz::read_npy(&npy), npz::read(&npz));
    }
}

fn npy(descr: &str, fortran: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let text = format!("{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((text.len() as u16).to_le_bytes());
    bytes.extend(text.bytes());
    bytes.extend(data);
    bytes
}

#[test]
fn column_major_files_are_brought_into_row_major_order() {
    let bytes = npy("'|u1'", "True", "(2, 3)", &[1, 4, 2, 5, 3, 6]);
    assert_eq!(npz::read_npy(&bytes).unwrap(), Tensor::new([2, 3], Data::U8(vec![1, 2, 3, 4, 5, 6])));
    let bytes = npy("'|u1'", "True", "(2, 1, 2)", &[1, 3, 2, 4]);
    assert_eq!(npz::read_npy(&bytes).unwrap().data, Data::U8(vec![1, 2, 3, 4]));
}

#[test]
fn big_endian_files_are_read() {
    let bytes = npy("'>f2'", "False", "(2,)", &[0x3c, 0x00, 0xc0, 0x00]);
    let two = vec![f16::from_f32(1.0), f16::from_f32(-2.0)];
    assert_eq!(npz::read_npy(&bytes).unwrap(), Tensor::new([2], Data::F16(two)));
}

#[test]
fn what_cannot_be_held_is_named() {
    let text = |bytes: &[u8]| npz::read_npy(bytes).unwrap_err().to_string();
    assert_eq!(text(&npy("'<c8'", "False", "()", &[0; 8])), "elements of type <c8 are not supported");
    assert_eq!(text(&npy("'|O'", "False", "()", &[])), "elements of type |O are not supported");
    assert_eq!(text(&npy("[('a', '<f4')]", "False", "()", &[])), "elements of type record are not supported");
    assert_eq!(text(b"PK\x03\x04 something else"), "not an .npy file");
    assert_eq!(
        npz::read_npy(&npy("'<f4'", "False", "(2,)", &[0; 7])),
        Err(NpyError::Truncated { found: 7, needed: 8 })
    );
}

#[test]
fn a_shape_beyond_memory_is_an_error_before_anything_is_allocated() {
    let huge = "(4611686018427387904, 8, 0)";
    assert!(matches!(npz::read_npy(&npy("'<f4'", "False", huge, &[])), Err(NpyError::Header(_))));
    let large = npy("'<f4'", "True", "(1099511627776,)", &[0; 64]);
    assert!(matches!(npz::read_npy(&large), Err(NpyError::Truncated { found: 64, .. })));
}

#[test]
fn two_arrays_of_one_name_are_refused() {
    let x = ("x".to_string(), Tensor::ints([1]));
    assert_eq!(npz::write(&[x.clone(), x]), Err(NpzError::Duplicate("x".to_string())));
}

#[test]
fn an_error_in_an_archive_names_the_array() {
    let bytes = npz::write(&[("weights/0".to_string(), Tensor::ints([1, 2]))]).unwrap();
    let at = bytes.windows(4).position(|w| w == b"'<i8").unwrap();
    let mut bytes = bytes;
    bytes[at + 2] = b'c';
    let text = npz::read(&bytes).unwrap_err().to_string();
    assert!(text.starts_with("array \"weights/0\": "), "{text}");
}

#[test]
fn files_made_by_numpy_are_read() {
    let ints = |shape: &[usize], data| Tensor::new(shape, data);
    let grid = || 0..6;
    let expected = [
        (
            "half",
            Tensor::new([4], Data::F16([0.5, -2.0, 65504.0, f32::INFINITY].map(f16::from_f32).to_vec())),
        ),
        ("single", Tensor::f32([2, 3], grid().map(|i| i as f32 / 4.0).collect())),
        ("double", Tensor::new([], Data::F64(vec![1e-300]))),
        ("big endian", ints(&[2, 3], Data::I32(grid().collect()))),
        ("columns", ints(&[2, 3], Data::I64(grid().map(i64::from).collect()))),
        ("bytes", ints(&[2, 3], Data::U8(grid().map(|i| i as u8).collect()))),
        ("flags", ints(&[2, 3], Data::Bool(grid().map(|i| i % 2 == 0).collect()))),
        ("empty", ints(&[0, 3], Data::I16(vec![]))),
        ("set/x", ints(&[1], Data::U64(vec![1 << 63]))),
    ]
    .map(|(name, tensor)| (name.to_string(), tensor));
    assert_eq!(npz::read(include_bytes!("data/npz/numpy.npz")).unwrap(), expected);
    assert_eq!(npz::read_npy(include_bytes!("data/npz/numpy.npy")).unwrap(), expected[4].1);
}
