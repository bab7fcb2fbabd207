//! Which operator splits, by type, sizes and strategy.

use super::lowered::{listed, under};
use halfproof_ir::Precision::{Full, Weights};

#[test]
fn parts_are_made_by_split_where_it_has_a_kernel_and_else_one_by_one() {
    for (strategy, dtype, sizes, operators) in [
        (Weights, "f32", "2,2", "SPLIT"),
        (Full, "f32", "2,2", "SPLIT"),
        (Weights, "f32", "1,3", "SPLIT_V"),
        // SPLIT_V has no float16 kernel.
        (Full, "f32", "1,3", "SLICE SLICE"),
        (Weights, "u8", "2,2", "SPLIT"),
        (Weights, "i8", "2,2", "SPLIT"),
        (Weights, "i16", "2,2", "SPLIT"),
        (Weights, "i32", "2,2", "SPLIT"),
        (Weights, "i32", "1,3", "SPLIT_V"),
        (Weights, "i64", "2,2", "SPLIT_V"),
        (Weights, "i64", "1,3", "SPLIT_V"),
        (Full, "i64", "2,2", "SLICE SLICE"),
        (Weights, "bool", "2,2", "SLICE SLICE"),
        (Weights, "bool", "1,3", "SLICE SLICE"),
    ] {
        let text = format!(
            "x = input {dtype}[3,4]
            n = const i64[2] {{{sizes}}}
            a, b = Split(x, n) axis=1
            output a
            output b"
        );
        let target = under(strategy, &text).expect("an operator");
        assert_eq!(listed(&target), operators, "{} {dtype} {sizes}", strategy.name());
    }
}

#[test]
fn a_part_without_elements_is_not_made() {
    let text = "x = input f32[3,4]
        n = const i64[3] {0,2,2}
        a, b, c = Split(x, n) axis=1
        output b
        output c";
    assert_eq!(listed(&under(Weights, text).expect("an operator")), "SLICE SLICE");
}
