//! `x * 0.5 * (1 + erf(x / sqrt 2))` is a GELU however it is spelt, and what looks like it is not.

use super::super::super::fuse::Fused;
use super::{Planned, planned};
use std::f64::consts::{FRAC_1_SQRT_2, SQRT_2};

const CONSTANTS: &str = "x = input f32[2,3]
    z = input f32[2,3]
    root = const f32[] {1.4142135}
    inverse = const f32[] {0.70710677}
    one = const f32[] {1}
    half = const f32[] {0.5}
";

/// The ways to multiply, up to the order of factors.
const FORMS: [&str; 3] = [
    // (x * (1 + erf)) * 0.5
    "s = Div(x, root)\ne = Erf(s)\np = Add(e, one)\nm = Mul(x, p)\ny = Mul(m, half)\n",
    // x * ((1 + erf) * 0.5)
    "s = Div(x, root)\ne = Erf(s)\np = Add(e, one)\nm = Mul(p, half)\ny = Mul(x, m)\n",
    // (x * 0.5) * (1 + erf)
    "s = Div(x, root)\ne = Erf(s)\np = Add(e, one)\nm = Mul(x, half)\ny = Mul(m, p)\n",
];

fn spelt(body: &str) -> Planned {
    planned(&format!("{CONSTANTS}{body}output y"))
}

/// Whether `y` became a GELU of x, and the other nodes part of it.
fn is_gelu(p: &Planned) -> bool {
    let x = p.graph.inputs[0];
    let fused = p.plan.fused(p.node("y")) == Some(&Fused::Gelu(x));
    if fused {
        assert_eq!(p.absorbed("y"), ["s", "e", "p", "m"]);
        let mut skipped = p.skipped();
        skipped.sort_unstable();
        assert_eq!(skipped, ["e", "m", "p", "s"]);
    } else {
        assert_eq!(p.skipped(), Vec::<&str>::new());
        assert!(p.plan.rewrites.is_empty());
    }
    fused
}

/// A form with one of its lines changed.
fn changed(form: &str, from: &str, to: &str) -> String {
    assert_eq!(form.matches(from).count(), 1, "{from} in {form}");
    form.replace(from, to)
}

#[test]
fn in_every_order_of_factors() {
    for form in FORMS {
        assert!(is_gelu(&spelt(form)), "{form}");
        let product = changed(form, "Div(x, root)", "Mul(x, inverse)");
        assert!(is_gelu(&spelt(&product)), "{product}");
        let product = changed(form, "Div(x, root)", "Mul(inverse, x)");
        assert!(is_gelu(&spelt(&product)), "{product}");
        let sum = changed(form, "Add(e, one)", "Add(one, e)");
        assert!(is_gelu(&spelt(&sum)), "{sum}");
        for (a, b) in [("x", "p"), ("m", "half"), ("p", "half"), ("x", "m"), ("x", "half"), ("m", "p")] {
            let turned = form.replace(&format!("Mul({a}, {b})"), &format!("Mul({b}, {a})"));
            assert!(is_gelu(&spelt(&turned)), "{turned}");
        }
        assert!(is_gelu(&spelt(&format!("{form}output x\n"))), "x may be read by others: {form}");
    }
}

#[test]
fn the_root_of_two_is_taken_for_exact_and_that_is_said() {
    let rewrites = |p: &Planned| -> Vec<(String, f64, f64)> {
        p.plan.rewrites.iter().map(|r| (r.at.clone(), r.from, r.to)).collect()
    };
    let p = spelt(FORMS[0]);
    assert_eq!(rewrites(&p), [("root".to_string(), f64::from(std::f32::consts::SQRT_2), SQRT_2)]);
    let p = spelt(&changed(FORMS[0], "Div(x, root)", "Mul(x, inverse)"));
    assert_eq!(
        rewrites(&p),
        [("inverse".to_string(), f64::from(std::f32::consts::FRAC_1_SQRT_2), FRAC_1_SQRT_2)]
    );
    let double = CONSTANTS.replace("f32", "f64").replace("{1.4142135}", "{1.4142135623730951}");
    let p = planned(&format!("{double}{}output y", FORMS[0]));
    assert!(is_gelu(&p));
    assert_eq!(rewrites(&p), [], "binary64 has no root that is nearer");
}

#[test]
fn not_of_another_root() {
    // The second is the next binary32 above the nearest one.
    for root in ["1.4", "1.41421366", "1.4140625", "1.5", "-1.4142135", "2"] {
        let constants = CONSTANTS.replace("{1.4142135}", &format!("{{{root}}}"));
        assert!(!is_gelu(&planned(&format!("{constants}{}output y", FORMS[0]))), "{root}");
    }
    let product = changed(FORMS[0], "Div(x, root)", "Mul(x, inverse)");
    for inverse in ["0.7", "0.7071069", "0.70703125", "1.4142135"] {
        let constants = CONSTANTS.replace("{0.70710677}", &format!("{{{inverse}}}"));
        assert!(!is_gelu(&planned(&format!("{constants}{product}output y"))), "{inverse}");
    }
    let roots = CONSTANTS.replace("f32[] {1.4142135}", "f32[3] {1.4142135,1.4142135,1.4142135}");
    assert!(!is_gelu(&planned(&format!("{roots}{}output y", FORMS[0]))));
    let axis = CONSTANTS.replace("f32[] {1.4142135}", "f32[1,1,1] {1.4142135}");
    assert!(!is_gelu(&planned(&format!("{axis}{}output y", FORMS[0]))), "the result has an axis more");
}

#[test]
fn not_with_another_operator_or_number_in_a_place() {
    for form in FORMS {
        for (from, to) in [
            ("Div(x, root)", "Div(root, x)"),
            ("Div(x, root)", "Add(x, root)"),
            ("Div(x, root)", "Mul(x, root)"),
            ("Div(x, root)", "Div(x, inverse)"),
            ("Div(x, root)", "Div(x, z)"),
            ("Erf(s)", "Tanh(s)"),
            ("Add(e, one)", "Sub(e, one)"),
            ("Add(e, one)", "Mul(e, one)"),
            ("Add(e, one)", "Add(e, half)"),
            ("Add(e, one)", "Add(e, z)"),
        ] {
            let other = changed(form, from, to);
            assert!(!is_gelu(&spelt(&other)), "{other}");
        }
        let quarter = CONSTANTS.replace("{0.5}", "{0.25}");
        assert!(!is_gelu(&planned(&format!("{quarter}{form}output y"))), "a quarter: {form}");
    }
}

#[test]
fn not_with_another_product() {
    let [times_half_last, times_x_last, halves_of_x] = FORMS;
    for (form, from, to) in [
        (times_half_last, "m = Mul(x, p)", "m = Mul(z, p)"),
        (times_half_last, "m = Mul(x, p)", "m = Add(x, p)"),
        (times_half_last, "m = Mul(x, p)", "m = Mul(p, p)"),
        (times_half_last, "y = Mul(m, half)", "y = Add(m, half)"),
        (times_half_last, "y = Mul(m, half)", "y = Div(m, half)"),
        (times_half_last, "y = Mul(m, half)", "y = Mul(m, z)"),
        (times_x_last, "m = Mul(p, half)", "m = Add(p, half)"),
        (times_x_last, "m = Mul(p, half)", "m = Mul(p, one)"),
        (times_x_last, "y = Mul(x, m)", "y = Add(x, m)"),
        (times_x_last, "y = Mul(x, m)", "y = Mul(z, m)"),
        (halves_of_x, "m = Mul(x, half)", "m = Mul(z, half)"),
        (halves_of_x, "m = Mul(x, half)", "m = Add(x, half)"),
        (halves_of_x, "m = Mul(x, half)", "m = Mul(x, one)"),
        (halves_of_x, "y = Mul(m, p)", "y = Add(m, p)"),
    ] {
        let other = changed(form, from, to);
        assert!(!is_gelu(&spelt(&other)), "{other}");
    }
}

#[test]
fn not_where_a_part_is_read_elsewhere() {
    for form in FORMS {
        for part in ["s", "e", "p", "m"] {
            let seen = format!("{form}output {part}\n");
            assert!(!is_gelu(&spelt(&seen)), "{seen}");
            let read = format!("{form}t = Tanh({part})\noutput t\n");
            assert!(!is_gelu(&spelt(&read)), "{read}");
        }
    }
}

#[test]
fn an_activation_behind_it_stays() {
    let p = planned(&format!("{CONSTANTS}{}r = Relu(y)\noutput r", FORMS[0]));
    assert!(is_gelu(&p));
}
