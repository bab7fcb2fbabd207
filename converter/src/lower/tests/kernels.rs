//! For which integers TFLite has kernels: everything else is refused before a file is made.
//!
//! Source: the type switches of LiteRT's kernels (`add.cc`, `sub.cc`, `mul.cc`, `div.cc`, `pow.cc`, `maximum_minimum.cc`,
//! `comparisons.cc`).

use super::super::binary::supported;
use super::lowered::lowered;
use crate::target::Constant;
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

/// Integers that a node is lowered for, by the words of its operator and what it reads beside `x`.
#[test]
fn a_node_takes_the_integers_that_its_operators_have_kernels_for() {
    use super::lowered::attempt;
    use DType::{Bool, I8, I16, I32, I64, U8, U16, U32};
    let all_but_two = &[Bool, U8, U32, I8, I16, I32, I64][..];
    let rules: &[(&str, &[DType])] = &[
        ("y = Abs(x)", &[I32]),
        ("y = Sign(x)", &[I32]),
        ("y = Neg(x)", &[I32, I64]),
        ("y = Sqrt(x)", &[]),
        ("y = Sigmoid(x)", &[]),
        ("y = Softmax(x)", &[]),
        ("y = Not(x)", &[Bool]),
        ("y = And(x, x)", &[Bool]),
        ("y = Or(x, x)", &[Bool]),
        ("y = Xor(x, x)", &[Bool]),
        ("y = IsNaN(x)", &[]),
        ("y = IsInf(x)", &[]),
        ("y = Mean(x, x)", &[]),
        ("y = Mod(x, x)", &[I8, I16, I32, I64]),
        ("y = Mod(x, x) fmod=1", &[I32]),
        ("y = Pow(x, x)", &[I32]),
        ("y = ReduceSum(x)", &[I32, I64]),
        ("y = ReduceMax(x)", &[I32, I64]),
        ("y = ReduceMin(x)", &[I32, I64]),
        ("y = ReduceProd(x)", &[I32, I64]),
        ("y = ReduceMean(x)", &[]),
        ("y = ReduceL1(x)", &[]),
        ("y = ArgMax(x)", &[U8, I8, I32]),
        ("y = ArgMin(x)", &[U8, I8, I32]),
        ("a = const i64[] {0}\ny = CumSum(x, a)", &[I32, I64]),
        ("i = const i64[2] {3,1}\ny = Gather(x, i) axis=1", &[Bool, U8, I8, I16, I32, I64]),
        ("c = const bool[4] {1,0,1,1}\ny = Where(c, x, x)", all_but_two),
        ("y = Concat(x, x) axis=0", all_but_two),
        ("b = const i64[1] {1}\ne = const i64[1] {2}\ny = Slice(x, b, e)", all_but_two),
        ("p = const i64[4] {0,1,0,0}\ny = Pad(x, p)", &[Bool, I32, I64]),
        ("p = const i64[4] {0,1,0,0}\ny = Pad(x, p) mode=\"edge\"", &[Bool, U8, I8, I16, I32, I64]),
        ("w = const f32[4,1] {1,2,3,4}\ny = MatMul(x, w)", &[]),
        ("y = Cast(x) to=f32", &[Bool, U8, U16, U32, I8, I16, I32, I64]),
        ("y = Cast(x) to=bool", &[Bool, U8, U16, U32, I8, I16, I32, I64]),
    ];
    let mut wrong = vec![];
    for &(node, kernels) in rules {
        for dtype in INTEGERS {
            let text = format!("x = input {}[2,4]\n{node}\noutput y", dtype.short());
            if attempt(&text).is_ok() != kernels.contains(&dtype) {
                wrong.push(format!("{node} of {dtype}: {:?}", attempt(&text).err()));
            }
        }
        let float = attempt(&format!("x = input f32[2,4]\n{node}\noutput y"));
        let logic = ["Not", "And", "Or", "Xor"].iter().any(|l| node.contains(l));
        assert_eq!(float.is_ok(), !logic, "{node} of a float: {:?}", float.err());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_order_of_integers_is_turned_around_by_a_number_of_their_type() {
    for dtype in ["i32", "i64"] {
        let target = lowered(&format!(
            "x = input {dtype}[4]
            k = const i64[1] {{2}}
            v, i = TopK(x, k) largest=0
            output v
            output i"
        ));
        let turns = target.operators.iter().filter(|op| op.builtin == Builtin::Sub);
        for turn in turns {
            let from = target.tensor(turn.inputs[0].expect("a number"));
            let Some(Constant::Stored(data)) = &from.constant else { panic!("{from:?}") };
            assert_eq!(data.dtype().short(), dtype);
            assert_eq!(from.dtype, data.dtype());
        }
    }
}
