//! Damaged .onnx bytes are errors with a name and a reason, never a panic and never a huge allocation.
#![allow(clippy::unwrap_used, reason = "tests")]

use halfproof_ir::{text, validate};
use halfproof_wire::onnx::{self, Opset, ReadErrorKind};
use proptest::prelude::*;

/// Every operator form that the outside files have, and one graph of our own.
fn samples() -> Vec<Vec<u8>> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/onnx");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    paths.retain(|p| p.extension().is_some_and(|e| e == "onnx"));
    paths.sort();
    let mut samples: Vec<_> = paths.iter().map(|p| std::fs::read(p).unwrap()).collect();
    let graph =
        "x = input f32[1,3,5,5]\nw = const f32[4,3,3,3] lattice(7)\ny = Conv(x, w) pads=[1,1,1,1]\noutput y";
    samples.push(onnx::write(&text::parse(graph).unwrap(), Opset::CANONICAL).unwrap());
    samples
}

/// Whatever is read without an error is well-formed and can be printed.
fn read_or_refuse(bytes: &[u8]) {
    if let Ok(graph) = onnx::read(bytes) {
        validate::validate(&graph).unwrap();
        let _ = text::print(&graph);
        let _ = onnx::write(&graph, Opset::of(&graph));
    }
}

#[test]
fn every_truncation_is_read_or_refused() {
    for bytes in samples() {
        for end in 0..bytes.len() {
            read_or_refuse(&bytes[..end]);
        }
    }
}

#[test]
fn every_single_flipped_bit_is_read_or_refused() {
    for mut bytes in samples() {
        for i in 0..bytes.len() {
            for bit in 0..8 {
                bytes[i] ^= 1 << bit;
                read_or_refuse(&bytes);
                bytes[i] ^= 1 << bit;
            }
        }
    }
}

proptest! {
    #[test]
    fn bytes_replaced_removed_and_repeated_are_read_or_refused(
        which in any::<prop::sample::Index>(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3u8), 1..8),
    ) {
        let samples = samples();
        let mut bytes = which.get(&samples).clone();
        for (at, byte, edit) in edits {
            let i = at.index(bytes.len());
            match edit {
                0 => bytes[i] = byte,
                1 => drop(bytes.remove(i)),
                _ => bytes.insert(i, bytes[i]),
            }
        }
        read_or_refuse(&bytes);
    }

    #[test]
    fn arbitrary_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        prop_assert!(onnx::read(&bytes).is_err());
    }
}

fn refusal(bytes: &[u8]) -> (ReadErrorKind, String) {
    let error = onnx::read(bytes).unwrap_err();
    (error.kind, error.to_string())
}

#[test]
fn what_is_no_model_is_said_to_be_none() {
    assert_eq!(refusal(b""), (ReadErrorKind::Bytes, "model: the file is empty".to_string()));
    let (kind, text) = refusal(b"hello, world");
    assert!(
        kind == ReadErrorKind::Bytes && text.starts_with("model: not an ONNX file, or damaged: "),
        "{text}"
    );
}

/// Protobuf fields by hand, for files that no writer makes.
fn field(tag: u8, contents: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag << 3 | 2];
    let mut n = contents.len();
    while n > 127 {
        bytes.push(n as u8 | 128);
        n >>= 7;
    }
    bytes.push(n as u8);
    bytes.extend(contents);
    bytes
}

fn number(tag: u8, mut value: u64) -> Vec<u8> {
    let mut bytes = vec![tag << 3];
    while value > 127 {
        bytes.push(value as u8 | 128);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn model(opset: u64, graph: &[u8]) -> Vec<u8> {
    [field(7, graph), field(8, &number(2, opset))].concat()
}

fn node(op: &str, name: &str, inputs: &[&str], outputs: &[&str], rest: &[u8]) -> Vec<u8> {
    let list = |tag, names: &[&str]| names.iter().flat_map(|n| field(tag, n.as_bytes())).collect::<Vec<_>>();
    let node = [
        list(1, inputs),
        list(2, outputs),
        field(3, name.as_bytes()),
        field(4, op.as_bytes()),
        rest.to_vec(),
    ];
    field(1, &node.concat())
}

fn input(name: &str) -> Vec<u8> {
    field(11, &field(1, name.as_bytes()))
}

fn int(name: &str, value: u64) -> Vec<u8> {
    field(5, &[field(1, name.as_bytes()), number(3, value), [vec![0xa0, 1, 2]].concat()].concat())
}

#[test]
fn a_graph_that_contradicts_itself_is_refused_by_name() {
    use ReadErrorKind::*;
    let x = input("x");
    for (graph, kind, reason) in [
        (
            [x.clone(), node("Relu", "r", &["q"], &["y"], &[])].concat(),
            Structure,
            "node \"r\" (Relu): operand \"q\" is not defined anywhere",
        ),
        (
            [x.clone(), node("Relu", "", &["x"], &["x"], &[])].concat(),
            Structure,
            "tensor \"x\": is defined more than once",
        ),
        (
            [node("Relu", "a", &["y"], &["z"], &[]), node("Abs", "", &["z"], &["y"], &[])].concat(),
            Structure,
            "node \"a\" (Relu): depends on its own result through a cycle",
        ),
        (
            [x.clone(), node("Relu", "r", &["x", "x"], &["y"], &[])].concat(),
            Structure,
            "node \"r\" (Relu): has 2 operands",
        ),
        (
            [x.clone(), node("Add", "a", &["x"], &["y"], &[])].concat(),
            Structure,
            "node \"a\" (Add): has 1 operands",
        ),
        (
            [x.clone(), node("Add", "a", &["", "x"], &["y"], &[])].concat(),
            Structure,
            "node \"a\" (Add): lacks number 0 of its operands",
        ),
        (
            [x.clone(), node("Concat", "", &["x"], &["y"], &[])].concat(),
            Attribute,
            "node of \"y\" (Concat): attribute \"axis\" is missing",
        ),
        (
            [x.clone(), node("Relu", "r", &["x"], &["y"], &int("alpha", 1))].concat(),
            Attribute,
            "node \"r\" (Relu): has no attribute \"alpha\"",
        ),
        (
            [x.clone(), node("Softmax", "s", &["x"], &["y"], &int("coerce_2d", 1))].concat(),
            Attribute,
            "node \"s\" (Softmax): has no attribute \"coerce_2d\"",
        ),
        (
            [x.clone(), node("Elu", "e", &["x"], &["y"], &int("alpha", 1))].concat(),
            Attribute,
            "node \"e\" (Elu): attribute \"alpha\" has no valid value",
        ),
        (
            [x.clone(), node("Gather", "g", &["x", "x"], &["y"], &[int("axis", 1), int("axis", 1)].concat())]
                .concat(),
            Attribute,
            "node \"g\" (Gather): attribute \"axis\" is there twice",
        ),
        (
            [x.clone(), field(12, &field(1, b"y"))].concat(),
            Structure,
            "tensor \"y\": is a graph output, but nothing defines it",
        ),
    ] {
        assert_eq!(refusal(&model(21, &graph)), (kind, reason.to_string()));
    }
}

#[test]
fn opsets_beyond_those_known_are_refused_with_a_way_out() {
    let reason =
        |o| format!("model: opset {o} is not one of 7 to 28; export the model again at one of these");
    for opset in [0, 6, 29, u64::MAX >> 1] {
        assert_eq!(refusal(&model(opset, &input("x"))), (ReadErrorKind::Opset, reason(opset)));
    }
    let without = field(7, &input("x"));
    assert_eq!(
        refusal(&without),
        (ReadErrorKind::Opset, "model: no default operator set is declared".to_string())
    );
}

#[test]
fn a_constant_that_does_not_fit_its_type_or_shape_is_refused_by_name() {
    use ReadErrorKind::*;
    let constant = |fields: &[Vec<u8>]| field(5, &[fields.concat(), field(8, b"w")].concat());
    let huge = 1 << 62;
    for (fields, kind, reason) in [
        (vec![number(2, 16)], Unsupported, "elements of type BFLOAT16 are not supported"),
        (vec![number(2, 8), field(6, b"text")], Unsupported, "elements of type STRING are not supported"),
        (vec![number(2, 17)], Unsupported, "elements of type FLOAT8E4M3FN are not supported"),
        (vec![number(2, 99)], Tensor, "element type 99 does not exist"),
        (vec![number(2, 0)], Tensor, "element type 0 does not exist"),
        (
            vec![number(2, 1), number(1, 2), field(9, &[0; 4])],
            Tensor,
            "1 elements where its shape [2] needs 2",
        ),
        (vec![number(2, 1), field(9, &[0; 3])], Tensor, "3 bytes are no whole number of FLOAT32 elements"),
        (vec![number(2, 2), field(5, &[0x80, 2])], Tensor, "an element is out of range for UINT8"),
        (vec![number(2, 1), number(1, u64::MAX)], Tensor, "extent -1 in its shape [-1]"),
        (
            vec![number(2, 1), number(1, huge), number(1, huge), number(1, 0)],
            Tensor,
            "shape [4611686018427387904, 4611686018427387904, 0] is larger than memory",
        ),
        (
            vec![number(2, 1), number(1, 1 << 40)],
            Tensor,
            "0 elements where its shape [1099511627776] needs 1099511627776",
        ),
    ] {
        let bytes = model(21, &constant(&fields));
        assert_eq!(refusal(&bytes), (kind, format!("tensor \"w\": {reason}")));
    }
}

#[test]
fn a_constant_node_whose_result_is_declared_otherwise_is_refused() {
    let value = |elements: &[u8]| {
        let attribute = [field(1, b"value_ints"), field(8, elements), [vec![0xa0, 1, 7]].concat()].concat();
        node("Constant", "c", &[], &["w"], &field(5, &attribute))
    };
    let declared = |dtype: u64, extent: u64| {
        let shape = field(2, &field(1, &number(1, extent)));
        let tensor = field(1, &[number(1, dtype), shape].concat());
        field(13, &[field(1, b"w"), field(2, &tensor)].concat())
    };
    let read =
        |info: Vec<u8>| onnx::read(&model(21, &[value(&[4, 5]), info, field(12, &field(1, b"w"))].concat()));
    assert!(read(declared(7, 2)).is_ok());
    for (info, reason) in [
        (declared(1, 2), "holds INT64, and is declared as FLOAT32"),
        (declared(7, 3), "holds [2], and is declared as [3]"),
    ] {
        let error = read(info).unwrap_err();
        assert_eq!(error.to_string(), format!("tensor \"w\": {reason}"));
    }
}

#[test]
fn types_that_are_no_tensors_are_refused_by_name() {
    for (tag, what) in [(4, "a sequence"), (5, "a map"), (8, "a sparse tensor"), (9, "an optional")] {
        let info = field(11, &[field(1, b"x"), field(2, &field(tag, b""))].concat());
        let reason = format!("tensor \"x\": is {what}, which is not supported");
        assert_eq!(refusal(&model(21, &info)), (ReadErrorKind::Unsupported, reason));
    }
}
