//! Powers, broadcasting and the roles of constants in element-wise arithmetic.

use super::lowered::{attempt, constant, lowered, names, only};
use halfproof_ir::Role;
use halfproof_wire::tflite::Builtin;

fn pow(base: &str, exponent: &str) -> String {
    format!(
        "x = input {base}
        e = const {exponent}
        y = Pow(x, e)
        output y"
    )
}

#[test]
fn some_powers_are_operators_of_their_own() {
    for (exponent, operators) in [
        ("1", "RESHAPE"),
        ("2", "SQUARE"),
        ("3", "SQUARE MUL"),
        ("4", "POW"),
        ("0.5", "SQRT"),
        ("-0.5", "RSQRT"),
        ("-1", "DIV"),
        ("-2", "SQUARE DIV"),
        ("-3", "POW"),
    ] {
        assert_eq!(names(&pow("f32[2,3]", &format!("f32[] {{{exponent}}}"))), operators, "{exponent}");
    }
    assert_eq!(names(&pow("f32[2,3]", "i64[] {2}")), "SQUARE", "of an integer");
    assert_eq!(names(&pow("f32[2,3]", "f32[3] {2,2,2}")), "SQUARE", "the same everywhere");
    assert_eq!(names(&pow("f32[2,3]", "f32[3] {2,2,3}")), "POW", "not the same everywhere");
    assert_eq!(names(&pow("f32[1]", "f32[3] {2,2,2}")), "POW", "the exponent is larger than the base");
    assert_eq!(names(&pow("i32[2]", "i32[] {2}")), "MUL");
    assert_eq!(names(&pow("i32[2]", "i32[] {3}")), "MUL MUL");
    for exponent in ["4", "-1", "-2"] {
        assert_eq!(
            names(&pow("i32[2]", &format!("i32[] {{{exponent}}}"))),
            "POW",
            "{exponent} of an integer"
        );
    }
}

#[test]
fn an_exponent_gets_the_type_of_its_base() {
    let of = |base: &str, exponent: &str| constant(&lowered(&pow(base, exponent)), Builtin::Pow, 1).2;
    assert_eq!(of("f32[2]", "i64[2] {4,5}"), [4.0, 5.0]);
    assert_eq!(of("f32[2]", "f32[2] {4,5}"), [4.0, 5.0]);
    assert_eq!(of("i32[2]", "f32[] {4}"), [4.0]);
    assert_eq!(of("i32[2]", "f32[] {-4}"), [-4.0]);
    assert_eq!(of("i32[2]", "i32[2] {4,5}"), [4.0, 5.0]);
    for exponent in [
        "f32[] {0.5}",
        "f32[] {-0.5}",
        "f32[] {4.5}",
        "f32[] {2147483648}",
        "f32[] {-2147483648}",
        "f32[2] {4,5}",
    ] {
        let words = attempt(&pow("i32[2]", exponent)).expect_err(exponent);
        assert_eq!(words, "an exponent of type FLOAT32 does not fit a base of type INT32", "{exponent}");
    }
    let variable = "x = input f32[2]
        e = input i32[2]
        y = Pow(x, e)
        output y";
    assert_eq!(names(variable), "CAST POW");
}

#[test]
fn an_added_constant_that_excludes_positions_is_a_mask() {
    let role = |elements: &str| {
        let target = lowered(&format!(
            "x = input f32[2,2]
            m = const f32[2] {{{elements}}}
            y = Add(x, m)
            output y"
        ));
        constant(&target, Builtin::Add, 1).1
    };
    for mask in ["0,-10000", "-1000,0", "-inf,0", "-1e9,-1e9"] {
        assert_eq!(role(mask), Role::Mask, "{mask}");
    }
    for bias in ["0,0", "0,-999", "1,-10000", "-1,-10000", "0,1000"] {
        assert_eq!(role(bias), Role::Bias, "{bias}");
    }
}

#[test]
fn the_role_of_a_constant_is_what_is_done_with_it() {
    for (op, builtin, role) in [
        ("Add", Builtin::Add, Role::Bias),
        ("Sub", Builtin::Sub, Role::Bias),
        ("Mul", Builtin::Mul, Role::Scale),
        ("Div", Builtin::Div, Role::Scale),
        ("Max", Builtin::Maximum, Role::Bound),
        ("Min", Builtin::Minimum, Role::Bound),
    ] {
        let text = format!(
            "x = input f32[2,2]
            k = const f32[2] {{3,4}}
            y = {op}(x, k)
            output y"
        );
        assert_eq!(constant(&lowered(&text), builtin, 1).1, role, "{op}");
    }
}

#[test]
fn a_constant_stays_short_beside_an_operand_of_full_rank() {
    let shape = |x: &str, k: &str| {
        let text = format!(
            "x = input f32[{x}]
            k = const f32[{k}] lattice(1)
            y = Add(x, k)
            output y"
        );
        constant(&lowered(&text), Builtin::Add, 1).0
    };
    assert_eq!(shape("2,3", "3"), [3]);
    assert_eq!(shape("2,3", "1,3"), [3]);
    assert_eq!(shape("3", "2,1"), [2, 1]);
}

#[test]
fn axes_that_broadcast_alike_are_joined_beyond_four() {
    let shapes = |a: &str, b: &str| {
        let target = lowered(&format!(
            "a = input f32[{a}]
            b = input f32[{b}]
            y = Mul(a, b)
            output y"
        ));
        let op = only(&target, Builtin::Mul);
        op.inputs.iter().flatten().map(|&id| target.tensor(id).shape.clone()).collect::<Vec<_>>()
    };
    assert_eq!(shapes("2,3,4,5", "1,3,1,5"), [[2, 3, 4, 5], [1, 3, 1, 5]]);
    assert_eq!(shapes("2,3,4,5,6", "2,3,4,5,6"), [[2, 3, 4, 5, 6], [2, 3, 4, 5, 6]]);
    assert_eq!(shapes("2,3,4,5,6", "1,1,4,5,6"), [[6, 120], [1, 120]]);
    assert_eq!(shapes("2,3,4,5,6", "2,1,1,5,6"), [[2, 12, 30], [2, 1, 30]]);
    assert_eq!(shapes("2,1,4,5,6", "2,1,4,1,1"), [[8, 30], [8, 1]]);
}

#[test]
fn a_mean_divides_by_the_number_of_its_operands() {
    let target = lowered(
        "a = input f32[2]
        b = input f32[2]
        c = input f32[2]
        y = Mean(a, b, c)
        output y",
    );
    assert_eq!(constant(&target, Builtin::Div, 1).2, [3.0]);
}
