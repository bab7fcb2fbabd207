//! Limits of a Clip, and slopes of a PRelu.

use super::lowered::{attempt, constant, lowered, names, only};
use halfproof_ir::DType;
use halfproof_wire::tflite::Builtin;

fn clip(dtype: &str, low: &str, high: &str) -> String {
    let constant = |name: &str, value: &str| match value {
        "_" => String::new(),
        value => format!("{name} = const {dtype}[] {{{value}}}\n"),
    };
    let operand = |name: &'static str, value: &str| if value == "_" { "_" } else { name };
    names(&format!(
        "x = input {dtype}[2,3]\n{}{}y = Clip(x, {}, {})\noutput y",
        constant("low", low),
        constant("high", high),
        operand("low", low),
        operand("high", high),
    ))
}

#[test]
fn limits_that_an_activation_has_are_that_activation() {
    assert_eq!(clip("f32", "0", "_"), "RELU");
    assert_eq!(clip("f32", "0", "inf"), "RELU");
    assert_eq!(clip("f32", "0", "6"), "RELU6");
    assert_eq!(clip("f32", "-1", "1"), "RELU_N1_TO_1");
}

#[test]
fn other_limits_are_a_maximum_and_a_minimum_where_they_limit_anything() {
    for (low, high, operators) in [
        ("1", "2", "MAXIMUM MINIMUM"),
        ("2", "_", "MAXIMUM"),
        ("_", "2", "MINIMUM"),
        ("2", "inf", "MAXIMUM"),
        ("-inf", "2", "MINIMUM"),
        ("inf", "_", "MAXIMUM"),
        ("_", "-inf", "MINIMUM"),
        ("inf", "2", "MAXIMUM MINIMUM"),
        ("1", "-inf", "MAXIMUM MINIMUM"),
    ] {
        assert_eq!(clip("f32", low, high), operators, "{low} to {high}");
    }
    assert_eq!(clip("i32", "0", "6"), "MAXIMUM MINIMUM", "RELU6 has no integer kernel");
}

#[test]
fn a_limit_has_the_type_of_what_it_limits() {
    for dtype in [DType::F32, DType::I32, DType::I64] {
        let target = lowered(&format!(
            "x = input {0}[2]
            low = const {0}[] {{1}}
            y = Clip(x, low)
            output y",
            dtype.short()
        ));
        let limit = only(&target, Builtin::Maximum).inputs[1].expect("a limit");
        assert_eq!(target.tensor(limit).dtype, dtype);
    }
}

#[test]
fn a_slope_has_no_batch_axis() {
    let slope = |x: &str, slope: &str| {
        let target = lowered(&format!(
            "x = input f32[{x}]
            s = const f32[{slope}] lattice(1)
            y = PRelu(x, s)
            output y"
        ));
        constant(&target, Builtin::Prelu, 1).0
    };
    assert_eq!(slope("3", "1"), [1]);
    assert_eq!(slope("3", "3"), [3]);
    assert_eq!(slope("2,3", "3"), [3]);
    assert_eq!(slope("2,3", "1,3"), [3]);
    assert_eq!(slope("2,3", "2,3"), [2, 3]);
}

/// The case of a positive alpha splits at 0; any other is computed as it is defined.
#[test]
fn a_celu_is_spelt_out_where_its_alpha_is_not_positive() {
    let celu = |alpha: &str| names(&format!("x = input f32[2,3]\ny = Celu(x) alpha={alpha}\noutput y"));
    assert_eq!(celu("-2.0"), "DIV EXP SUB MUL MINIMUM RELU ADD");
    assert_ne!(celu("2.0"), celu("-2.0"));
    let cell = |alpha: &str| {
        names(&format!(
            "x = input f32[1,1,2]
            w = const f32[1,3,2] lattice(1)
            r = const f32[1,3,3] lattice(2)
            _, y = RNN(x, w, r) hidden_size=3 activations=[\"Celu\"] activation_alpha=[{alpha}]
            output y"
        ))
    };
    assert_eq!(cell("0.0"), cell("-2.0"), "an operator with an alpha of 0 is refused, a cell is not");
    assert_ne!(cell("2.0"), cell("-2.0"));
}

#[test]
fn integers_have_no_activations_but_a_clip() {
    let of = |op: &str| attempt(&format!("x = input i32[2,3]\ny = {op}(x)\noutput y"));
    for op in ["LeakyRelu", "Elu", "HardSigmoid", "Softplus", "Mish"] {
        assert_eq!(of(op).expect_err("a refusal"), format!("{op} of INT32 has no TFLite kernel"));
    }
    assert_eq!(of("Relu").expect_err("a refusal"), "TFLite RELU has no INT32 kernel");
}
