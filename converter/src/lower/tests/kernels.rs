//! For which integers TFLite has kernels: everything else is refused before a file is made.
//!
//! Source: the type switches of LiteRT's kernels (`add.cc`, `sub.cc`, `mul.cc`, `div.cc`, `pow.cc`, `maximum_minimum.cc`,
//! `comparisons.cc`).

use super::super::binary::supported;
use halfproof_ir::DType;
use halfproof_wire::tflite::Builtin;

const INTEGERS: [DType; 9] = [
    DType::Bool,
    DType::U8,
    DType::U16,
    DType::U32,
    DType::U64,
    DType::I8,
    DType::I16,
    DType::I32,
    DType::I64,
];

#[test]
fn an_operator_takes_the_integers_that_it_has_kernels_for() {
    use DType::{Bool, I8, I16, I32, I64, U8, U32};
    let rules: &[(&[Builtin], &[DType])] = &[
        (&[Builtin::Add], &[I16, I32, I64]),
        (&[Builtin::Sub], &[I32, I64]),
        (&[Builtin::Mul], &[U32, I16, I32, I64]),
        (&[Builtin::Div, Builtin::Pow], &[I32]),
        (&[Builtin::Maximum, Builtin::Minimum], &[U8, I8, I16, I32, I64]),
        (&[Builtin::Equal, Builtin::NotEqual], &[Bool, U8, I8, I16, I32, I64]),
        (&[Builtin::Less, Builtin::GreaterEqual], &[U8, I8, I16, I32, I64]),
    ];
    for &(builtins, kernels) in rules {
        for &builtin in builtins {
            for dtype in INTEGERS {
                assert_eq!(
                    supported(builtin, dtype).is_ok(),
                    kernels.contains(&dtype),
                    "{builtin} of {dtype}"
                );
            }
            for dtype in [DType::F16, DType::F32, DType::F64] {
                assert_eq!(supported(builtin, dtype), Ok(()), "{builtin} of {dtype}");
            }
        }
    }
}

#[test]
fn a_refusal_names_the_operator_and_the_type() {
    assert_eq!(supported(Builtin::Div, DType::I64), Err("TFLite DIV has no INT64 kernel".to_string()));
}

#[test]
fn top_k_takes_integers_that_it_has_kernels_for_and_can_turn_around() {
    use super::lowered::attempt;
    let top = |dtype: &str, largest: u8| {
        attempt(&format!(
            "x = input {dtype}[4]
            k = const i64[1] {{2}}
            v, i = TopK(x, k) largest={largest}
            output v
            output i"
        ))
    };
    for (dtype, largest, good) in [
        ("f32", 1, true),
        ("f32", 0, true),
        ("i8", 1, true),
        ("i8", 0, false),
        ("i32", 1, true),
        ("i32", 0, true),
        ("i64", 1, true),
        ("i64", 0, true),
        ("u8", 1, false),
        ("u8", 0, false),
    ] {
        assert_eq!(top(dtype, largest).is_ok(), good, "{dtype}, largest={largest}");
    }
}
