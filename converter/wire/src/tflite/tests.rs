//! Round trips, and what happens to damaged files.

use super::write::write_within;
use super::*;
use proptest::prelude::*;
use std::sync::Arc;

/// A value other than the default.
pub(super) trait Sample: Sized {
    fn sample(n: i8, default: Self) -> Self;
}

macro_rules! sample {
    ($( $ty:ty: |$n:ident, $default:ident| $value:expr; )*) => { $(
        impl Sample for $ty {
            fn sample($n: i8, $default: $ty) -> $ty { $value }
        }
    )* };
}

sample! {
    i8: |n, _default| n;
    i32: |n, default| default - 1000 * i32::from(n);
    u32: |_n, _default| 0;
    i64: |n, default| default + (i64::from(n) << 40);
    f32: |n, _default| f32::from(n) * 0.1;
    bool: |_n, default| !default;
    String: |n, _default| "μ".repeat(n as usize);
    Vec<i32>: |n, _default| (0..i32::from(n)).collect();
    Vec<f32>: |n, _default| vec![0.5; n as usize];
    Padding: |_n, _default| Padding::Valid;
    MirrorPadMode: |_n, _default| MirrorPadMode::Symmetric;
    Activation: |n, _default| Activation::from_code(n).expect("a code");
    TensorType: |n, default| TensorType::from_code(default.code() + n).expect("a code");
}

fn tensor(name: &str, shape: &[i32], dtype: TensorType, buffer: u32) -> Tensor {
    Tensor { name: name.into(), shape: shape.into(), dtype, buffer, has_rank: true, ..Tensor::default() }
}

/// A model that uses every field and every option table.
fn everything() -> Model {
    let mut weights = tensor("w", &[2, 3], TensorType::Float16, 1);
    weights.quantization = Some(Quantization {
        min: vec![-1.5],
        max: vec![2.5],
        scale: vec![0.25, 0.5],
        zero_point: vec![3, -(1 << 40)],
        quantized_dimension: 1,
    });
    let mut dynamic = tensor("x", &[1, 4], TensorType::Float32, 0);
    dynamic.shape_signature = vec![-1, 4];
    let mut state = tensor("", &[], TensorType::Int64, 0);
    state.is_variable = true;
    state.has_rank = false;
    state.quantization = Some(Quantization::default());
    let tensors = vec![
        dynamic,
        weights,
        state,
        tensor("no extents", &[0], TensorType::Int32, 3),
        tensor("packed", &[5], TensorType::Int4, 2),
    ];
    let mut operators: Vec<Operator> = Options::samples()
        .into_iter()
        .map(|options| {
            let options = match options {
                // These name subgraphs, which have to exist.
                Options::If(_) => options::If { then_subgraph_index: 1, else_subgraph_index: 1 }.into(),
                Options::While(_) => options::While { cond_subgraph_index: 1, body_subgraph_index: 1 }.into(),
                Options::CallOnce(_) => options::CallOnce { init_subgraph_index: 1 }.into(),
                Options::Call(_) => options::Call { subgraph: 1 }.into(),
                other => other,
            };
            Operator { version: 2, ..Operator::builtin(Builtin::Add, [0, -1, 1], [2], options) }
        })
        .collect();
    for code in Builtin::ALL.iter().filter(|c| **c != Builtin::Custom) {
        operators.push(Operator::builtin(*code, [], [2], Options::None));
    }
    let mut custom = Operator::builtin(Builtin::Add, [0], [2], Options::None);
    custom.code = OpCode::Custom("TFL_Mystery".into());
    custom.custom_options = vec![1, 2, 3];
    custom.intermediates = vec![-1, 4];
    operators.push(custom);
    let main = SubGraph {
        name: "main".into(),
        tensors: tensors.clone(),
        inputs: vec![0, 1],
        outputs: vec![2],
        operators,
    };
    let branch = SubGraph { tensors, ..SubGraph::default() };
    Model {
        version: 3,
        description: "every field".into(),
        subgraphs: vec![main, branch],
        buffers: [&[][..], &[7; 12], &[1, 2, 3], &[], b"1.5.0"].map(|b| Arc::new(b.to_vec())).into(),
        metadata: vec![Metadata { name: "min_runtime_version".into(), buffer: 4 }],
        signatures: vec![Signature {
            key: "serving_default".into(),
            subgraph: 1,
            inputs: vec![("a".into(), 0), ("b".into(), 1)],
            outputs: vec![("c".into(), 2)],
        }],
    }
}

#[test]
fn every_field_and_option_table_survives_a_round_trip() {
    let model = everything();
    let read = read(&write(&model)).expect("our own file");
    for (a, b) in read.subgraphs[0].operators.iter().zip(&model.subgraphs[0].operators) {
        assert_eq!(a, b);
    }
    assert!(read == model, "they differ elsewhere than in the operators");
}

#[test]
fn samples_differ_from_the_defaults_in_every_field() {
    for sample in Options::samples().iter().filter(|o| !matches!(o, Options::Call(_))) {
        let plain = Options::from_tag(sample.tag()).expect("a known kind");
        for ((name, value), (_, default)) in sample.fields().iter().zip(plain.fields()) {
            assert_ne!(format!("{value:?}"), format!("{default:?}"), "{} {name}", sample.name());
        }
    }
}

#[test]
fn option_kinds_are_numbered_without_a_gap() {
    let tags: Vec<u8> = Options::samples().iter().map(Options::tag).collect();
    assert_eq!(tags, (1..=126).collect::<Vec<u8>>());
}

#[test]
fn constants_are_aligned_to_16_bytes_and_written_once() {
    let mut model = everything();
    model.buffers[1] = Arc::new((100..112).collect());
    let bytes = write(&model);
    let places: Vec<usize> =
        bytes.windows(12).enumerate().filter(|(_, w)| *w == &model.buffers[1][..]).map(|(i, _)| i).collect();
    assert_eq!(places.len(), 1);
    assert_eq!(places[0] % 16, 0);
}

#[test]
fn constants_beyond_the_reach_of_offsets_stand_behind_the_flatbuffer() {
    let model = everything();
    let bytes = write_within(&model, 0);
    assert_ne!(bytes, write(&model));
    assert!(read(&bytes).expect("our own file") == model);
    let cut = &bytes[..bytes.len() - 1];
    assert_eq!(
        read(cut).expect_err("cut").to_string(),
        format!(
            "damaged .tflite file: buffer 4: 5 bytes from {} on lie outside of the file ({} bytes)",
            bytes.len() - 5,
            cut.len()
        )
    );
}

#[test]
fn operators_of_the_same_code_and_version_share_an_operator_code() {
    let add = |version| Operator { version, ..Operator::builtin(Builtin::Add, [0, 0], [1], Options::None) };
    let model = |versions: &[i32]| {
        let tensors =
            vec![tensor("x", &[1], TensorType::Float32, 0), tensor("y", &[1], TensorType::Float32, 0)];
        let operators = versions.iter().map(|v| add(*v)).collect();
        Model {
            version: 3,
            subgraphs: vec![SubGraph { tensors, operators, ..SubGraph::default() }],
            ..Model::default()
        }
    };
    let count = |versions: &[i32]| {
        let bytes = write(&model(versions));
        table::Table::root(&bytes)
            .and_then(|t| t.tables(schema::Model::operator_codes, |_, _| Ok(())))
            .expect("codes")
            .len()
    };
    assert_eq!(count(&[1, 1, 1]), 1);
    assert_eq!(count(&[1, 2, 1, 2]), 2);
}

#[test]
fn a_model_without_buffers_gets_the_empty_buffer_0() {
    let model = Model { version: 3, subgraphs: vec![SubGraph::default()], ..Model::default() };
    assert_eq!(read(&write(&model)).expect("our own file").buffers, vec![Arc::new(vec![])]);
}

/// The error of a model after a change.
fn error_after(change: impl FnOnce(&mut Model)) -> String {
    let mut model = everything();
    change(&mut model);
    read(&write(&model)).expect_err("a contradiction").to_string()
}

#[test]
fn contradictions_are_named_with_their_place() {
    let cases: [(&str, String); 16] = [
        (
            "invalid model: subgraph 0, tensor 1 \"w\": FLOAT16 of shape [2, 4] needs 16 bytes, buffer 1 has 12",
            error_after(|m| m.subgraphs[0].tensors[1].shape[1] = 4),
        ),
        (
            "invalid model: subgraph 0, tensor 4 \"packed\": INT4 of shape [7] needs 4 bytes, buffer 2 has 3",
            error_after(|m| m.subgraphs[0].tensors[4].shape[0] = 7),
        ),
        (
            "invalid model: subgraph 1, tensor 1 \"w\": buffer 9, where there are 5",
            error_after(|m| m.subgraphs[1].tensors[1].buffer = 9),
        ),
        (
            "invalid model: subgraph 0, tensor 0 \"x\": extent -1 in its shape [-1, 4]",
            error_after(|m| m.subgraphs[0].tensors[0].shape[0] = -1),
        ),
        (
            "invalid model: subgraph 0, tensor 0 \"x\": too large: FLOAT32 of shape [2147483647, 2147483647, 4]",
            error_after(|m| {
                m.subgraphs[0].tensors[0].shape = vec![i32::MAX, i32::MAX, 4];
                m.subgraphs[0].tensors[0].shape_signature.clear();
            }),
        ),
        (
            "invalid model: subgraph 0, tensor 0 \"x\": too large: FLOAT32 of shape [2147483647, 2147483647, 4, 0]",
            error_after(|m| {
                m.subgraphs[0].tensors[0].shape = vec![i32::MAX, i32::MAX, 4, 0];
                m.subgraphs[0].tensors[0].shape_signature.clear();
            }),
        ),
        (
            "invalid model: subgraph 0, tensor 0 \"x\": shape_signature [-1] for shape [1, 4]",
            error_after(|m| m.subgraphs[0].tensors[0].shape_signature = vec![-1]),
        ),
        (
            "invalid model: subgraph 0, tensor 1 \"w\": a variable tensor with constant data",
            error_after(|m| m.subgraphs[0].tensors[1].is_variable = true),
        ),
        (
            "invalid model: subgraph 0, operator 0 ADD: tensor 5, where there are 5",
            error_after(|m| {
                m.subgraphs[0].operators[0] = Operator::builtin(Builtin::Add, [0, 5], [2], Options::None)
            }),
        ),
        (
            "invalid model: subgraph 0, operator 3 FLOOR: tensor -1, where there are 5",
            error_after(|m| {
                m.subgraphs[0].operators[3] = Operator::builtin(Builtin::Floor, [0], [-1], Options::None)
            }),
        ),
        (
            "invalid model: subgraph 0, outputs: tensor -1, where there are 5",
            error_after(|m| m.subgraphs[0].outputs[0] = -1),
        ),
        (
            "invalid model: subgraph 0, operator 15 ADD: subgraph 2, where there are 2",
            error_after(|m| m.subgraphs[0].operators[15].options = options::Call { subgraph: 2 }.into()),
        ),
        (
            "invalid model: metadata \"min_runtime_version\": buffer 5, where there are 5",
            error_after(|m| m.metadata[0].buffer = 5),
        ),
        (
            "invalid model: signature \"serving_default\": \"c\" is tensor 5, where there are 5",
            error_after(|m| m.signatures[0].outputs[0].1 = 5),
        ),
        (
            "invalid model: signature \"serving_default\": subgraph 2, where there are 2",
            error_after(|m| m.signatures[0].subgraph = 2),
        ),
        (
            "invalid model: subgraph 0: its calls never end: subgraphs call each other in a circle",
            error_after(|m| {
                let call = Operator::builtin(Builtin::Call, [], [2], options::Call { subgraph: 0 });
                m.subgraphs[1].operators.push(call);
            }),
        ),
    ];
    for (expected, actual) in cases {
        assert_eq!(actual, expected);
    }
}

#[test]
fn other_schema_versions_and_empty_models_are_refused() {
    assert_eq!(error_after(|m| m.version = 2), "not supported: model: schema version 2, not 3");
    assert_eq!(error_after(|m| m.subgraphs.clear()), "invalid model: model: no subgraph");
}

#[test]
fn other_files_are_told_from_damaged_ones() {
    assert!(matches!(read(b""), Err(ReadError::NotTflite { .. })));
    assert!(matches!(read(b"\x08\x00\x00\x00ONNX\x00\x00"), Err(ReadError::NotTflite { .. })));
    let damaged = read(b"\xff\xff\xff\x00TFL3").expect_err("a root table beyond the end");
    assert!(matches!(damaged, ReadError::Damaged { .. }), "{damaged}");
}

#[test]
fn the_place_of_damage_is_a_path_of_the_schema() {
    let mut model = everything();
    model.subgraphs[1].tensors[4].name = "needle".into();
    let mut bytes = write(&model);
    let at = bytes.windows(6).position(|w| w == b"needle").expect("the name");
    bytes[at] = 0xff;
    let error = read(&bytes).expect_err("not UTF-8").to_string();
    assert!(
        error.starts_with("damaged .tflite file: subgraphs[1].tensors[4].name: invalid utf-8"),
        "{error}"
    );
}

#[test]
fn small_files_that_unfold_to_large_models_are_refused() {
    use schema::{Buffer as B, Model as M, SubGraph as S};
    use writer::{Fields, Writer};
    let start = |slot, count| {
        let mut w = Writer::new(*b"TFL3", 0);
        let root = w.table(Fields::default().scalar(M::version, 3u32, 0).offset(slot, true));
        w.link(0, root.at);
        let each = w.offsets(root.field(slot), count);
        (w, each)
    };
    // The same subgraph ten thousand times.
    let (mut w, each) = start(M::subgraphs, 10_000);
    let graph = w.table(Fields::default().offset(S::name, true));
    (0..10_000).for_each(|i| w.link(each + 4 * i, graph.at));
    w.text(graph.field(S::name), &"x".repeat(10_000));
    let error = read(&w.finish()).expect_err("100 MB of names");
    assert!(error.to_string().ends_with("it would unfold to many times its size"), "{error}");
    // The same bytes behind the flatbuffer in a hundred buffers.
    let (mut w, each) = start(M::buffers, 100);
    for i in 0..100 {
        let buffer = w.table(Fields::default().scalar(B::offset, 8u64, 0).scalar(B::size, 20_000u64, 0));
        w.link(each + 4 * i, buffer.at);
    }
    w.append(&[0; 20_000]);
    let error = read(&w.finish()).expect_err("2 MB of buffers");
    assert!(error.to_string().ends_with("it would unfold to many times its size"), "{error}");
}

#[test]
fn the_dump_is_a_line_per_tensor_and_operator() {
    let tensors = vec![
        tensor("x", &[1, 4], TensorType::Float32, 0),
        tensor("w", &[8, 4], TensorType::Float16, 1),
        tensor("w_f32", &[8, 4], TensorType::Float32, 0),
        tensor("y", &[1, 8], TensorType::Float32, 0),
    ];
    let relu = options::FullyConnected { fused_activation_function: Activation::Relu, ..Default::default() };
    let operators = vec![
        Operator::builtin(Builtin::Dequantize, [1], [2], options::Dequantize {}),
        Operator { version: 12, ..Operator::builtin(Builtin::FullyConnected, [0, 2, -1], [3], relu) },
    ];
    let main = SubGraph { name: "main".into(), tensors, inputs: vec![0], outputs: vec![3], operators };
    let signatures = vec![Signature {
        key: "serving_default".into(),
        subgraph: 0,
        inputs: vec![("x".into(), 0)],
        outputs: vec![("y".into(), 3)],
    }];
    let buffers = vec![Arc::new(vec![]), Arc::new(vec![0; 64])];
    let model = Model { version: 3, subgraphs: vec![main], buffers, signatures, ..Model::default() };
    let expected = "\
main(0 x) -> (3 y)
  tensor 0 x: FLOAT32 [1, 4]
  tensor 1 w: FLOAT16 [8, 4] = buffer 1, 64 bytes
  tensor 2 w_f32: FLOAT32 [8, 4]
  tensor 3 y: FLOAT32 [1, 8]
  op 0 DEQUANTIZE(1 w) -> (2 w_f32)
  op 1 FULLY_CONNECTED(0 x, 2 w_f32, -) -> (3 y) fused_activation_function=Relu version=12
signature serving_default of subgraph 0: (x = 0) -> (y = 3)
";
    assert_eq!(dump(&model), expected);
}

/// What a damaged file may lead to: an error, or a model that can be written again.
fn survives(bytes: &[u8]) -> Result<(), TestCaseError> {
    if let Ok(model) = read(bytes) {
        dump(&model);
        // Compared as text, since damage can make a NaN.
        prop_assert_eq!(format!("{:?}", read(&write(&model))), format!("{:?}", Ok::<_, ReadError>(model)));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn flipped_bits_never_panic(flips in proptest::collection::vec((any::<prop::sample::Index>(), 0..8u8), 1..4)) {
        let mut bytes = write(&everything());
        for (at, bit) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }
        survives(&bytes)?;
    }

    #[test]
    fn truncated_files_never_panic(end: prop::sample::Index) {
        let bytes = write(&everything());
        survives(&bytes[..end.index(bytes.len())])?;
    }

    #[test]
    fn overwritten_words_never_panic(
        at: prop::sample::Index,
        word in prop_oneof![any::<i32>(), -64..64i32, Just(i32::MIN), Just(i32::MAX), Just(0)],
    ) {
        let mut bytes = write(&everything());
        let at = at.index(bytes.len() / 4) * 4;
        bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
        survives(&bytes)?;
    }

    #[test]
    fn random_bytes_after_the_identifier_never_panic(tail in proptest::collection::vec(any::<u8>(), 0..300), root in 0..64u32) {
        let bytes = [&root.to_le_bytes()[..], b"TFL3", &tail].concat();
        survives(&bytes)?;
    }
}
