//! In which form a constant is stored, and what is kept in float32.

use super::super::{Pin, SingleForm, decide};
use super::count;
use crate::target::Target;
use halfproof_ir::{Level, Precision, Request, Role};
use halfproof_wire::tflite::{Builtin, read};

/// Whether `weights` stores a constant as FLOAT16: the operand in that place of an operator.
fn is_stored_half(builtin: Builtin, slot: usize, role: Role, elements: &[f64]) -> bool {
    let mut t = Target::default();
    let shape = [elements.len()];
    let x = t.input("x", &shape);
    let c = t.exact("c", &shape, role, elements.to_vec());
    let operands = if slot == 0 { [c, x] } else { [x, c] };
    let y = t.plain(builtin, &operands, "y", &shape);
    t.output("y", y);
    let model = read(&super::apply(&t, &Request::new(Precision::Weights)).unwrap().model).unwrap();
    count(&model, Builtin::Dequantize) == 1
}

/// Smaller than any binary16 but 0.
const TINY: f64 = 1e-9;

#[test]
fn a_divisor_that_float16_would_make_0_stays_float32() {
    use Builtin::{Add, Div, FloorDiv, FloorMod, Log, Mul, Rsqrt};
    for builtin in [Div, FloorDiv, FloorMod] {
        assert!(!is_stored_half(builtin, 1, Role::Plain, &[1.0, TINY]), "{builtin}");
        assert!(is_stored_half(builtin, 0, Role::Plain, &[1.0, TINY]), "{builtin}");
        assert!(is_stored_half(builtin, 1, Role::Plain, &[1.0, 0.0]), "{builtin}: it is 0 already");
    }
    for builtin in [Log, Rsqrt] {
        assert!(!is_stored_half(builtin, 0, Role::Plain, &[1.0, TINY]), "{builtin}");
        assert!(is_stored_half(builtin, 1, Role::Plain, &[1.0, TINY]), "{builtin}");
    }
    for (builtin, slot) in [(Add, 0), (Add, 1), (Mul, 0), (Mul, 1)] {
        assert!(is_stored_half(builtin, slot, Role::Plain, &[1.0, TINY]), "{builtin} {slot}");
    }
}

#[test]
fn a_constant_stays_float32_where_float16_undoes_what_it_is_for() {
    for (role, elements, half) in [
        (Role::Plain, [1.0, 1e6], false),
        (Role::Plain, [TINY, TINY], false),
        (Role::Plain, [TINY, 0.0], false),
        (Role::Plain, [0.0, 0.0], true),
        (Role::Epsilon, [1.0, TINY], false),
        (Role::Epsilon, [1.0, 0.5], true),
        (Role::Epsilon, [1.0, 1e6], false),
        (Role::Bound, [1.0, 1e6], true),
        (Role::Bound, [1.0, TINY], false),
        (Role::Bound, [1.0, 0.5], true),
    ] {
        assert_eq!(is_stored_half(Builtin::Add, 1, role, &elements), half, "{role:?} {elements:?}");
    }
}

#[test]
fn what_is_pinned_and_what_the_user_keeps_are_both_float32() {
    let mut t = Target::default();
    let x = t.input("x", &[2]);
    let long = vec![0.5; 300];
    let mut v = x;
    for name in ["free", "kept", "pinned", "untouched", "both"] {
        let c = t.exact(&format!("{name}/c"), &[300, 1], Role::Scale, long.clone());
        v = t.plain(Builtin::Mul, &[v, c], name, &[300, 2]);
    }
    t.output("y", v);
    let request = Request { keep_fp32: Some("^(kept|both)$".into()), ..Request::new(Precision::Full) };
    let reason = "a reason";
    let pins = [Pin::No, Pin::No, Pin::Single(reason), Pin::Untouched(reason), Pin::Single(reason)];
    let plan = decide(&t, &request, &pins).unwrap();
    assert_eq!(plan.single, [false, true, true, true, true]);
    let forms: Vec<SingleForm> = plan.constants.iter().flatten().map(|c| c.single).collect();
    // Under `full` a long constant of a pinned operator is halved all the same.
    let (whole, half) = (SingleForm::Float32, SingleForm::Dequantized);
    assert_eq!(forms, [half, whole, half, whole, whole]);
    let pinned = plan.notes.iter().filter(|n| n.level == Level::Info && n.text.ends_with(reason)).count();
    assert_eq!(pinned, 3);
}

#[test]
fn a_pattern_that_is_none_is_refused_in_one_line() {
    let request = Request { keep_fp32: Some("(".into()), ..Request::new(Precision::Full) };
    let refusal = super::apply(&Target::default(), &request).unwrap_err();
    let reason = &refusal.nodes[0].reason;
    assert!(reason.starts_with("not a regular expression over names: regex parse error: "), "{reason}");
    assert!(!reason.contains('\n') && !reason.contains("  "), "{reason}");
}

#[test]
fn an_output_reads_a_constant_in_the_type_of_the_interface() {
    let said = |precision| {
        let mut t = Target::default();
        let x = t.input("x", &[2]);
        let c = t.exact("c", &[2], Role::Plain, vec![1.0, 1e6]);
        let y = t.plain(Builtin::Abs, &[x], "y", &[2]);
        t.output("y", y);
        t.output("c", c);
        let notes = decide(&t, &Request::new(precision), &[]).unwrap().notes;
        notes.into_iter().filter(|n| n.at.contains('c')).map(|n| n.level).collect::<Vec<_>>()
    };
    assert_eq!(said(Precision::Weights), [Level::Info], "FLOAT32, where 1e6 is 1e6");
    assert_eq!(said(Precision::Full), [Level::Warning], "FLOAT16, where it is infinite");
}

#[test]
fn a_budget_is_spent_on_operators_that_have_floats_of_their_own() {
    let mut t = Target::default();
    let x = t.input("x", &[2]);
    let y = t.plain(Builtin::Abs, &[x], "y", &[2]);
    t.output("y", y);
    // Constants alone: whatever its type, nothing is rounded at run time.
    let c = t.ints("c", vec![1, 2]);
    let n = t.op(Builtin::Neg, &[c], "n", &[2], halfproof_wire::tflite::Options::None);
    t.tensors[n.index()].dtype = halfproof_ir::DType::I32;
    t.output("n", n);
    assert_eq!(super::super::free(&t), [true, false]);
}
