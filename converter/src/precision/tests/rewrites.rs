//! What `mixed` computes otherwise, and what it says about it.

use super::super::plan::Pin;
use super::super::{assemble, rewrite};
use super::count;
use super::mixed::{check, islands, mixed, normalize, reduce};
use crate::target::Target;
use halfproof_ir::{Level, Note, Observation, Request, Role};
use halfproof_wire::tflite::options::Reducer;
use halfproof_wire::tflite::{Builtin, Model};

fn rewrites(notes: &[Note]) -> Vec<&str> {
    notes.iter().filter(|n| n.level == Level::Rewrite).map(|n| n.text.as_str()).collect()
}

/// exp(x) over its sum, or the logarithm of that sum.
fn exponentials(shares: bool, keep_dims: bool) -> Target {
    let mut t = Target::default();
    let x = t.input("x", &[4, 8]);
    let e = t.plain(Builtin::Exp, &[x], "e", &[4, 8]);
    let axes = t.ints("axes", vec![-1]);
    let shape: &[usize] = if keep_dims { &[4, 1] } else { &[4] };
    let sum = t.op(Builtin::Sum, &[e, axes], "sum", shape, Reducer { keep_dims });
    let y = if shares {
        t.plain(Builtin::Div, &[e, sum], "y", &[4, 8])
    } else {
        t.plain(Builtin::Log, &[sum], "y", shape)
    };
    t.output("y", y);
    t
}

#[test]
fn exponentials_over_their_sum_are_shifted_by_the_maximum() {
    let (model, provenance, notes) = assemble(&exponentials(true, true), &mixed()).unwrap();
    check(&model);
    assert!(islands(&model).is_empty(), "{:?}", islands(&model));
    assert_eq!((count(&model, Builtin::ReduceMax), count(&model, Builtin::Sub)), (1, 1));
    let [text] = rewrites(&notes)[..] else { panic!("{notes:?}") };
    assert!(text.starts_with("EXP computes exp(x - max(x)): exp(x) may reach 8.89e6"), "{text}");
    assert!(provenance.rewrites.is_empty(), "the function is the same");
    let carried: Vec<_> = provenance.tensors.iter().map(|o| o.source.as_str()).collect();
    assert!(carried.contains(&"y") && !carried.contains(&"e") && !carried.contains(&"sum"));
    let names: Vec<&str> = model.main().tensors.iter().map(|t| t.name.as_str()).collect();
    let held = ["x", "axes", "x/max", "x/max/abs", "x/infinity", "x/max/finite", "x/zero", "x/max/held"];
    assert_eq!(names[..8], held);
    assert_eq!(names[8..], ["x/shifted", "e", "sum", "y"]);
}

#[test]
fn a_logarithm_of_a_sum_of_exponentials_gets_its_maximum_back() {
    for keep_dims in [true, false] {
        let (model, _, notes) = assemble(&exponentials(false, keep_dims), &mixed()).unwrap();
        check(&model);
        assert!(islands(&model).is_empty(), "{:?}", islands(&model));
        assert_eq!(rewrites(&notes).len(), 1);
        assert_eq!(count(&model, Builtin::Add), 1);
        assert_eq!(count(&model, Builtin::Reshape), usize::from(!keep_dims));
    }
}

#[test]
fn the_maximum_is_taken_over_the_axes_of_the_sum() {
    for (axes, kept) in [(vec![-1], [4, 1]), (vec![0], [1, 8]), (vec![1, 0], [1, 1])] {
        let mut t = Target::default();
        let x = t.input("x", &[4, 8]);
        let e = t.plain(Builtin::Exp, &[x], "e", &[4, 8]);
        let over = t.ints("axes", axes);
        let sum =
            t.op(Builtin::Sum, &[e, over], "sum", &kept.map(|d| d as usize), Reducer { keep_dims: true });
        let y = t.plain(Builtin::Div, &[e, sum], "y", &[4, 8]);
        t.output("y", y);
        let (model, _, _) = assemble(&t, &mixed()).unwrap();
        check(&model);
        let most = model.main().operators.iter().find(|op| op.name() == "REDUCE_MAX").unwrap();
        let result = &model.main().tensors[usize::try_from(most.outputs[0]).unwrap()];
        assert_eq!(result.shape, kept);
    }
}

#[test]
fn exponentials_that_somebody_else_sees_are_not_shifted() {
    let mut t = exponentials(true, true);
    let e = t.operators[0].outputs[0];
    t.output("e", e);
    let (model, _, notes) = assemble(&t, &mixed()).unwrap();
    assert!(rewrites(&notes).is_empty());
    assert!(islands(&model).contains(&"EXP"));
}

#[test]
fn exponentials_that_something_else_divides_are_not_shifted() {
    let mut t = exponentials(true, true);
    let e = t.operators[0].outputs[0];
    let z = t.input("z", &[4, 1]);
    let other = t.plain(Builtin::Div, &[e, z], "other", &[4, 8]);
    t.output("other", other);
    let (model, _, notes) = assemble(&t, &mixed()).unwrap();
    assert!(rewrites(&notes).is_empty(), "{notes:?}");
    assert!(islands(&model).contains(&"EXP"));
}

#[test]
fn an_operator_that_is_pinned_is_not_rewritten() {
    let target = exponentials(true, true);
    let free = vec![Pin::No; target.operators.len()];
    assert!(rewrite(&target, &mixed(), &free).unwrap().is_some());
    for i in 0..free.len() {
        let mut pins = free.clone();
        pins[i] = Pin::Single("for a test");
        assert!(rewrite(&target, &mixed(), &pins).unwrap().is_none(), "operator {i}");
    }
}

#[test]
fn nothing_is_rewritten_where_the_user_keeps_float32_or_where_nothing_overflows() {
    for kept in ["^e$", "^sum$", "^y$"] {
        let keep = Request { keep_fp32: Some(kept.into()), ..mixed() };
        let (_, _, notes) = assemble(&exponentials(true, true), &keep).unwrap();
        assert!(rewrites(&notes).is_empty(), "{kept}");
    }

    let seen = Observation { tensor: "x".into(), low: -2.0, high: 3.0, mean: 0.0, deviation: 1.0 };
    let calm = Request { observed: vec![seen], ..mixed() };
    let (model, _, notes) = assemble(&exponentials(true, true), &calm).unwrap();
    assert!(rewrites(&notes).is_empty());
    assert_eq!(count(&model, Builtin::ReduceMax), 0);
}

#[test]
fn a_long_mean_is_taken_of_scaled_elements() {
    let mut t = Target::default();
    let x = t.input("x", &[4, 12544]);
    let mean = reduce(&mut t, Builtin::Mean, x, "mean", &[4, 1]);
    t.output("mean", mean);
    let (model, provenance, notes) = assemble(&t, &mixed()).unwrap();
    check(&model);
    assert!(islands(&model).is_empty());
    assert_eq!(count(&model, Builtin::Mul), 2);
    // 12544 * 16 = 200,704, which 2^-3 brings below 32768.
    let [text] = rewrites(&notes)[..] else { panic!("{notes:?}") };
    let why = "MEAN sums 1.25e-1 x and is multiplied by 8e0: the sum of x may reach 2.01e5";
    assert_eq!(text, why);
    let scales: Vec<f64> =
        provenance.constants.iter().filter(|c| c.role == Role::Scale).map(|c| c.exact.get(0)).collect();
    assert_eq!(scales, [0.125, 8.0]);
}

#[test]
fn a_mean_that_would_be_scaled_too_far_is_float32() {
    let scales = |n: usize| {
        let mut t = Target::default();
        let x = t.input("x", &[1, n]);
        let mean = reduce(&mut t, Builtin::Mean, x, "mean", &[1, 1]);
        t.output("mean", mean);
        let (model, _, notes) = assemble(&t, &mixed()).unwrap();
        (rewrites(&notes).len(), islands(&model).len())
    };
    // 16 n is at most 2^15 with the largest scale, 2^-12.
    assert_eq!(scales(1 << 23), (1, 0));
    assert_eq!(scales((1 << 23) + 1), (0, 1));
}

/// A normalization of 768 elements whose squares overflow.
fn wide_norm(epsilon: f64, factor: f64) -> Target {
    norm_of(768, epsilon, factor)
}

fn norm_of(n: usize, epsilon: f64, factor: f64) -> Target {
    let mut t = Target::default();
    let x = t.input("x", &[4, n]);
    let factor = t.scalar("factor", Role::Scale, factor);
    let wide = t.plain(Builtin::Mul, &[x, factor], "wide", &[4, n]);
    let y = normalize(&mut t, wide, n, epsilon);
    t.output("y", y);
    t
}

#[test]
fn a_variance_that_overflows_is_taken_of_scaled_elements_and_the_scale_cancels() {
    let (model, provenance, notes) = assemble(&wide_norm(1e-5, 16.0), &mixed()).unwrap();
    check(&model);
    // What the epsilon guards may be small: no sample says otherwise.
    assert_eq!(islands(&model), ["ADD", "RSQRT"]);
    let [of_mean, of_variance] = rewrites(&notes)[..] else { panic!("{notes:?}") };
    assert!(of_mean.starts_with("MEAN sums "), "{of_mean}");
    let why =
        "normalizes 7.8125e-3 x instead of x: the sum of squares may exceed 65504, and the scale cancels";
    assert_eq!(of_variance, why);
    assert!(provenance.rewrites.is_empty());
    let epsilon = provenance.constants.iter().find(|c| c.role == Role::Epsilon).unwrap();
    let scale = provenance.constants.iter().filter(|c| c.role == Role::Scale).map(|c| c.exact.get(0));
    let scale = scale.fold(1.0, f64::min);
    assert_eq!(epsilon.exact.get(0), 1e-5 * scale * scale);
}

#[test]
fn squares_are_not_scaled_so_far_down_that_the_smallest_epsilon_shows() {
    let scales = |n: usize| {
        let (_, _, notes) = assemble(&norm_of(n, 1e-5, 16.0), &mixed()).unwrap();
        rewrites(&notes).iter().any(|text| text.starts_with("normalizes "))
    };
    assert!(scales(768));
    assert!(!scales(20_000));
}

/// Samples of small elements, on which the variance lies between these.
fn variance_of(low: f64, high: f64) -> Request {
    let seen = |tensor: &str, low: f64, high: f64, mean: f64, deviation: f64| Observation {
        tensor: tensor.into(),
        low,
        high,
        mean,
        deviation,
    };
    let variance = seen("variance", low, high, f64::midpoint(low, high), (high - low) / 4.0);
    Request { observed: vec![seen("x", -1.5, 1.5, 0.0, 0.8), variance], ..mixed() }
}

#[test]
fn an_epsilon_is_raised_where_samples_show_that_it_does_not_matter() {
    let (model, provenance, notes) = assemble(&wide_norm(1e-5, 1.0), &variance_of(0.5, 2.0)).unwrap();
    check(&model);
    assert!(islands(&model).is_empty(), "{:?}", islands(&model));
    assert_eq!(rewrites(&notes).len(), 1, "{notes:?}");
    let [rewrite] = &provenance.rewrites[..] else { panic!("{:?}", provenance.rewrites) };
    assert_eq!((rewrite.rule.as_str(), rewrite.from), ("raise-epsilon", 1e-5));
    assert_eq!(rewrite.to, 2f64.powi(-14));
    // One small variance among large ones, as of a class token: the mean says nothing about it.
    let (model, provenance, _) = assemble(&wide_norm(1e-5, 1.0), &variance_of(4e-4, 2.0)).unwrap();
    check(&model);
    assert!(provenance.rewrites.is_empty());
    assert!(islands(&model).is_empty(), "what stands beside the epsilon keeps it from 0");
}

#[test]
fn a_constant_guards_where_its_sum_is_a_divisor_or_has_its_root_taken() {
    let raised = |end: Builtin, reads: usize| {
        let mut t = wide_norm(1e-5, 1.0);
        for tensor in t.tensors.iter_mut().filter(|t| t.role == Role::Epsilon) {
            tensor.role = Role::Plain;
        }
        let guard = t.operators.iter().position(|op| op.builtin == Builtin::Add).unwrap();
        let guarded = t.operators[guard].outputs[0];
        let root = &mut t.operators[guard + 1];
        root.builtin = end;
        if end == Builtin::Div {
            let mut one = vec![Some(t.outputs[0].1); 2];
            one[reads] = Some(guarded);
            one[1 - reads] = Some(t.inputs[0].1);
            root.inputs = one;
        }
        let (_, provenance, _) = assemble(&t, &variance_of(0.5, 2.0)).unwrap();
        provenance.rewrites.iter().any(|r| r.rule == "raise-epsilon")
    };
    for end in [Builtin::Rsqrt, Builtin::Sqrt, Builtin::Log] {
        assert!(raised(end, 0), "{end}");
    }
    assert!(raised(Builtin::Div, 1));
    assert!(!raised(Builtin::Div, 0), "it is divided");
    assert!(!raised(Builtin::Tanh, 0), "nothing that it guards");
}

#[test]
fn an_epsilon_that_matters_is_not_raised() {
    // Elements of about 0.04 have a variance of about 0.0016.
    let (model, provenance, _) = assemble(&wide_norm(1e-5, 0.01), &mixed()).unwrap();
    check(&model);
    assert!(provenance.rewrites.is_empty());
    assert!(islands(&model).contains(&"RSQRT"));
}

#[test]
fn a_constant_that_only_float32_operators_read_is_not_said_to_be_raised() {
    let keep = Request { keep_fp32: Some("^guarded$".into()), ..variance_of(0.5, 2.0) };
    let (model, provenance, notes) = assemble(&wide_norm(1e-5, 1.0), &keep).unwrap();
    check(&model);
    assert!(provenance.rewrites.is_empty());
    assert!(!notes.iter().any(|n| n.text.contains("epsilon")), "{notes:?}");
}

#[test]
fn samples_replace_what_is_assumed_of_inputs() {
    let seen = |reach: f64| Request {
        observed: vec![Observation {
            tensor: "x".into(),
            low: -reach,
            high: reach,
            mean: 0.0,
            deviation: reach / 4.0,
        }],
        ..mixed()
    };
    let mut t = Target::default();
    let x = t.input("x", &[8]);
    let y = t.plain(Builtin::Square, &[x], "square", &[8]);
    let y = t.plain(Builtin::Tanh, &[y], "y", &[8]);
    t.output("y", y);
    let single = |request: &Request| -> Vec<String> {
        let (model, _, _): (Model, _, _) = assemble(&t, request).unwrap();
        islands(&model).into_iter().map(str::to_string).collect()
    };
    assert!(single(&mixed()).is_empty());
    assert!(single(&seen(100.0)).is_empty());
    // 200 squared, with headroom for twice that.
    assert_eq!(single(&seen(200.0)), ["SQUARE", "TANH"]);
}

/// A normalization of 768 elements whose squares overflow, spelled otherwise: the square of what, and the end of what by what.
fn spelled(square_of_two: bool, end: [&str; 2]) -> Target {
    let mut t = Target::default();
    let x = t.input("x", &[4, 768]);
    let factor = t.scalar("factor", Role::Scale, 16.0);
    let wide = t.plain(Builtin::Mul, &[x, factor], "wide", &[4, 768]);
    let mean = reduce(&mut t, Builtin::Mean, wide, "mean", &[4, 1]);
    let centered = t.plain(Builtin::Sub, &[wide, mean], "centered", &[4, 768]);
    let other = if square_of_two { wide } else { centered };
    let squared = t.plain(Builtin::Mul, &[centered, other], "squared", &[4, 768]);
    let variance = reduce(&mut t, Builtin::Mean, squared, "variance", &[4, 1]);
    let epsilon = t.scalar("epsilon", Role::Epsilon, 1e-5);
    let guarded = t.plain(Builtin::Add, &[variance, epsilon], "guarded", &[4, 1]);
    let scale = t.plain(Builtin::Rsqrt, &[guarded], "scale", &[4, 1]);
    let named = |name: &str| match name {
        "centered" => centered,
        "wide" => wide,
        _ => scale,
    };
    let y = t.plain(Builtin::Mul, &end.map(named), "y", &[4, 768]);
    t.output("y", y);
    t
}

#[test]
fn a_power_is_a_square_where_its_exponent_is_2() {
    let power = |exponent: f64| {
        let mut t = spelled(false, ["centered", "scale"]);
        let exponent = t.scalar("exponent", Role::Plain, exponent);
        let square = t.operators.iter_mut().find(|op| op.nodes == ["squared"]).unwrap();
        square.builtin = Builtin::Pow;
        square.inputs[1] = Some(exponent);
        of_variance(&t)
    };
    assert_eq!([2.0, 1.0, 3.0, 4.0].map(power), [1, 0, 0, 0]);
}

/// The rewrites that touch the variance: the one of the mean is another.
fn of_variance(target: &Target) -> usize {
    let (model, _, notes) = assemble(target, &mixed()).unwrap();
    check(&model);
    rewrites(&notes).len() - 1
}

#[test]
fn a_normalization_is_known_by_what_is_squared_and_by_what_is_scaled() {
    assert_eq!(of_variance(&spelled(false, ["centered", "scale"])), 1);
    assert_eq!(of_variance(&spelled(false, ["scale", "centered"])), 1, "a product has no order");
    assert_eq!(of_variance(&spelled(true, ["centered", "scale"])), 0, "no square");
    assert_eq!(of_variance(&spelled(false, ["wide", "scale"])), 0, "another is scaled");
    assert_eq!(of_variance(&spelled(false, ["scale", "wide"])), 0, "another is scaled");
}
