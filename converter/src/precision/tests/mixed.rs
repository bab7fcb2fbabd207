//! Where `mixed` keeps float32, where it does not, and what it says about it.

use super::super::{assemble, fixture::patch_classifier};
use super::{convert, count, of_type};
use crate::target::{Target, TensorId};
use halfproof_ir::{DType, Io, Precision, Provenance, Request, Role};
use halfproof_wire::tflite::options::{Conv2D, FullyConnected, Pool2D, Reducer, Softmax};
use halfproof_wire::tflite::{Activation, Builtin, Model, OpCode, Options, Padding, TensorType};
use proptest::prelude::*;

pub(super) fn mixed() -> Request {
    Request::new(Precision::Mixed)
}

/// Names of the builtins that compute in float32, without casts.
pub(super) fn islands(model: &Model) -> Vec<&str> {
    let g = model.main();
    let single = |&t: &i32| usize::try_from(t).is_ok_and(|t| g.tensors[t].dtype == TensorType::Float32);
    let casts = [OpCode::Builtin(Builtin::Cast), OpCode::Builtin(Builtin::Dequantize)];
    g.operators
        .iter()
        .filter(|op| !casts.contains(&op.code) && op.inputs.iter().chain(&op.outputs).any(single))
        .map(|op| op.name())
        .collect()
}

/// Every operator sees one float type only, and reads nothing that is not there yet.
pub(super) fn check(model: &Model) {
    let g = model.main();
    let mut there: Vec<bool> = g.tensors.iter().map(|t| model.data(t).is_some()).collect();
    for &i in &g.inputs {
        there[i.unsigned_abs() as usize] = true;
    }
    for op in &g.operators {
        assert!(
            op.inputs.iter().filter(|&&i| i >= 0).all(|&i| there[i.unsigned_abs() as usize]),
            "{}",
            op.name()
        );
        op.outputs.iter().for_each(|&i| there[i.unsigned_abs() as usize] = true);
        let mut floats: Vec<TensorType> = op
            .inputs
            .iter()
            .chain(&op.outputs)
            .filter_map(|&i| usize::try_from(i).ok())
            .map(|i| g.tensors[i].dtype)
            .filter(|t| matches!(t, TensorType::Float16 | TensorType::Float32))
            .collect();
        floats.dedup();
        let converts = op.name() == "CAST" || op.name() == "DEQUANTIZE";
        assert!(converts || floats.len() <= 1, "{}", op.name());
    }
    assert!(g.outputs.iter().all(|&i| there[i.unsigned_abs() as usize]));
}

pub(super) fn reduce(t: &mut Target, builtin: Builtin, x: TensorId, name: &str, shape: &[usize]) -> TensorId {
    let axes = t.ints(&format!("{name}.axes"), vec![-1]);
    t.op(builtin, &[x, axes], name, shape, Reducer { keep_dims: true })
}

/// `x` normalized over its last axis, without scale.
pub(super) fn normalize(t: &mut Target, x: TensorId, n: usize, epsilon: f64) -> TensorId {
    let mean = reduce(t, Builtin::Mean, x, "mean", &[4, 1]);
    let centered = t.plain(Builtin::Sub, &[x, mean], "centered", &[4, n]);
    let squared = t.plain(Builtin::Mul, &[centered, centered], "squared", &[4, n]);
    let variance = reduce(t, Builtin::Mean, squared, "variance", &[4, 1]);
    let epsilon = t.scalar("epsilon", Role::Epsilon, epsilon);
    let guarded = t.plain(Builtin::Add, &[variance, epsilon], "guarded", &[4, 1]);
    let scale = t.plain(Builtin::Rsqrt, &[guarded], "scale", &[4, 1]);
    t.plain(Builtin::Mul, &[centered, scale], "normalized", &[4, n])
}

#[test]
fn what_fits_is_as_pure_as_full() {
    let target = patch_classifier();
    let model = convert(&target, &mixed());
    assert!(of_type(&model, TensorType::Float32).is_empty());
    assert_eq!(model, convert(&target, &Request::new(Precision::Full)));
}

#[test]
fn a_pool_without_a_float16_kernel_is_an_island_of_one() {
    let mut t = Target::default();
    let x = t.input("x", &[1, 8, 8, 2]);
    let a = t.plain(Builtin::Tanh, &[x], "a", &[1, 8, 8, 2]);
    let pool = Pool2D {
        stride_w: 2,
        stride_h: 2,
        filter_width: 2,
        filter_height: 2,
        padding: Padding::Valid,
        ..Pool2D::default()
    };
    let b = t.op(Builtin::MaxPool2d, &[a], "b", &[1, 4, 4, 2], pool);
    let c = t.plain(Builtin::Tanh, &[b], "c", &[1, 4, 4, 2]);
    t.output("y", c);
    let (model, _, notes) = assemble(&t, &mixed()).unwrap();
    check(&model);
    assert_eq!(islands(&model), ["MAX_POOL_2D"]);
    assert_eq!(count(&model, Builtin::Cast), 2);
    assert_eq!(notes.len(), 1);
    assert_eq!(notes[0].text, "MAX_POOL_2D stays float32: LiteRT has no float16 kernel for it");

    let (_, _, notes) = assemble(&t, &Request::new(Precision::Full)).unwrap();
    assert_eq!(notes.len(), 1, "full says what will not run");
}

#[test]
fn a_long_sum_and_the_scale_that_follows_are_float32() {
    let mut t = Target::default();
    let x = t.input("x", &[1, 12544]);
    let sum = reduce(&mut t, Builtin::Sum, x, "sum", &[1, 1]);
    let n = t.scalar("n", Role::Scale, 1.0 / 12544.0);
    let mean = t.plain(Builtin::Mul, &[sum, n], "mean", &[1, 1]);
    let y = t.plain(Builtin::Tanh, &[mean], "y", &[1, 1]);
    t.output("y", y);
    let model = convert(&t, &mixed());
    check(&model);
    assert_eq!(islands(&model), ["SUM", "MUL"]);
}

#[test]
fn a_tiny_epsilon_that_matters_keeps_the_root_it_guards_in_float32_but_not_the_result() {
    for epsilon in [1e-12, 1e-5] {
        let mut t = Target::default();
        let x = t.input("x", &[4, 8]);
        // So small that raising the epsilon would show.
        let c = t.scalar("c", Role::Scale, 0.01);
        let x = t.plain(Builtin::Mul, &[x, c], "small", &[4, 8]);
        let y = normalize(&mut t, x, 8, epsilon);
        let y = t.plain(Builtin::Tanh, &[y], "y", &[4, 8]);
        t.output("y", y);
        let model = convert(&t, &mixed());
        check(&model);
        let islands = islands(&model);
        assert!(islands.contains(&"ADD") && islands.contains(&"RSQRT"), "{islands:?}");
        assert!(!islands.contains(&"TANH"), "{islands:?}");
        let epsilons: Vec<_> = model.main().tensors.iter().filter(|t| t.name == "epsilon").collect();
        assert!(epsilons.len() == 1 && epsilons[0].dtype == TensorType::Float32);
    }
}

#[test]
fn squares_that_overflow_are_float32() {
    let mut t = Target::default();
    let x = t.input("x", &[4]);
    let c = t.scalar("c", Role::Scale, 20.0);
    let wide = t.plain(Builtin::Mul, &[x, c], "wide", &[4]);
    let square = t.plain(Builtin::Mul, &[wide, wide], "square", &[4]);
    let y = t.plain(Builtin::Tanh, &[square], "y", &[4]);
    t.output("y", y);
    let model = convert(&t, &mixed());
    check(&model);
    // 16 * 20 = 320 fits, its square does not; the hyperbolic tangent reads it.
    assert_eq!(islands(&model), ["MUL", "TANH"]);
}

/// Scores plus a mask times a constant, softmax.
fn attention(huge: f64, factor: DType) -> Target {
    let mut t = Target::default();
    let x = t.input("x", &[2, 4]);
    let mask = t.typed("mask", &[1, 4], factor);
    t.inputs.push(("mask".to_string(), mask));
    let factor = t.plain(Builtin::Cast, &[mask], "factor", &[1, 4]);
    t.operators[0].options = Options::Cast(Default::default());
    let huge = t.scalar("huge", Role::Mask, huge);
    let added = t.plain(Builtin::Mul, &[factor, huge], "added", &[1, 4]);
    let scores = t.plain(Builtin::Add, &[x, added], "scores", &[2, 4]);
    let y = t.op(Builtin::Softmax, &[scores], "y", &[2, 4], Softmax { beta: 1.0 });
    t.output("y", y);
    t
}

fn stored(model: &Model, provenance: &Provenance, source: &str) -> f64 {
    let origin = provenance.tensors.iter().find(|o| o.source == source).unwrap();
    let tensor = &model.main().tensors[origin.tensor as usize];
    assert_eq!(tensor.dtype, TensorType::Float16);
    half::f16::from_le_bytes(model.data(tensor).unwrap().try_into().unwrap()).to_f64()
}

#[test]
fn a_mask_is_cut_to_what_float16_holds_and_nothing_becomes_float32() {
    let flags = [DType::Bool, DType::I64];
    for (huge, dtype) in [-1e30, f64::from(f32::MIN), -1e5].into_iter().flat_map(|h| flags.map(|d| (h, d))) {
        let (model, provenance, notes) = assemble(&attention(huge, dtype), &mixed()).unwrap();
        check(&model);
        assert!(islands(&model).is_empty(), "{:?}", islands(&model));
        assert_eq!(stored(&model, &provenance, "huge"), -16384.0);
        let [rewrite] = &provenance.rewrites[..] else { panic!("{:?}", provenance.rewrites) };
        assert_eq!((rewrite.from, rewrite.to, rewrite.rule.as_str()), (huge, -16384.0, "clamp-constant"));
        assert!(notes.iter().any(|n| n.at == "huge"));
        let exact = &provenance.constants.iter().find(|c| c.role == Role::Mask).unwrap().exact;
        assert_eq!(exact.get(0), huge, "the exact element stays the source's");
    }
}

#[test]
fn a_mask_factor_that_may_be_larger_than_one_gets_a_smaller_constant() {
    let (model, provenance, _) = assemble(&attention(-1e30, DType::F32), &mixed()).unwrap();
    assert_eq!(stored(&model, &provenance, "huge"), -1024.0);
    assert!(islands(&model).is_empty());
}

#[test]
fn a_huge_constant_that_is_no_mask_is_not_cut() {
    let mut t = attention(-1e30, DType::Bool);
    let scores = t.operators[2].outputs[0];
    t.output("scores", scores);
    let (model, provenance, _) = assemble(&t, &mixed()).unwrap();
    check(&model);
    assert!(provenance.rewrites.is_empty());
    assert!(islands(&model).contains(&"ADD"));
}

#[test]
fn an_exponential_of_an_input_is_float32_and_one_below_its_maximum_is_not() {
    let mut t = Target::default();
    let x = t.input("x", &[4, 8]);
    let e = t.plain(Builtin::Exp, &[x], "e", &[4, 8]);
    let y = t.plain(Builtin::Tanh, &[e], "y", &[4, 8]);
    t.output("y", y);
    assert_eq!(islands(&convert(&t, &mixed())), ["EXP", "TANH"]);

    let mut t = Target::default();
    let x = t.input("x", &[4, 8]);
    let most = reduce(&mut t, Builtin::ReduceMax, x, "most", &[4, 1]);
    let below = t.plain(Builtin::Sub, &[x, most], "below", &[4, 8]);
    let y = t.plain(Builtin::Exp, &[below], "y", &[4, 8]);
    t.output("y", y);
    assert!(islands(&convert(&t, &mixed())).is_empty());
}

#[test]
fn an_operator_between_two_islands_joins_them() {
    let mut t = Target::default();
    let x = t.input("x", &[1, 8, 8, 2]);
    let pool = || Pool2D { stride_w: 1, stride_h: 1, filter_width: 2, filter_height: 2, ..Pool2D::default() };
    let a = t.plain(Builtin::Tanh, &[x], "a", &[1, 8, 8, 2]);
    let b = t.op(Builtin::MaxPool2d, &[a], "b", &[1, 8, 8, 2], pool());
    let c = t.plain(Builtin::Neg, &[b], "c", &[1, 8, 8, 2]);
    let d = t.plain(Builtin::Abs, &[c], "d", &[1, 8, 8, 2]);
    let e = t.op(Builtin::MaxPool2d, &[d], "e", &[1, 8, 8, 2], pool());
    let y = t.plain(Builtin::Tanh, &[e], "y", &[1, 8, 8, 2]);
    t.output("y", y);
    let model = convert(&t, &mixed());
    assert_eq!(islands(&model), ["MAX_POOL_2D", "NEG", "ABS", "MAX_POOL_2D"]);
    assert_eq!(count(&model, Builtin::Cast), 2);
}

#[test]
fn a_float32_interface_next_to_an_island_needs_no_cast_there() {
    let mut t = Target::default();
    let x = t.input("x", &[4]);
    let e = t.plain(Builtin::Exp, &[x], "e", &[4]);
    let y = t.plain(Builtin::Tanh, &[e], "y", &[4]);
    t.output("y", y);
    let model = convert(&t, &Request { io: Io::Float32, ..mixed() });
    assert_eq!(count(&model, Builtin::Cast), 0);
    assert!(of_type(&model, TensorType::Float16).is_empty());
}

/// Normally distributed enough: sums of uniform numbers from a fixed sequence.
fn noise(n: usize, deviation: f64) -> Vec<f64> {
    let mut state = 1u64;
    let mut uniform = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64 - 0.5
    };
    (0..n).map(|_| (0..12).map(|_| uniform()).sum::<f64>() * deviation).collect()
}

#[test]
fn a_deep_network_with_usual_weights_stays_float16() {
    let mut t = Target::default();
    let mut x = t.input("x", &[1, 16, 16, 32]);
    for i in 0..24 {
        // He initialization: the variance that keeps rectified activations as large as they are.
        let w =
            t.exact(&format!("w{i}"), &[32, 3, 3, 32], Role::Weight, noise(9216, (2.0 / 288.0f64).sqrt()));
        let b = t.exact(&format!("b{i}"), &[32], Role::Bias, noise(32, 0.1));
        let conv = Conv2D {
            stride_w: 1,
            stride_h: 1,
            fused_activation_function: Activation::Relu,
            ..Conv2D::default()
        };
        x = t.op(Builtin::Conv2d, &[x, w, b], &format!("conv{i}"), &[1, 16, 16, 32], conv);
    }
    t.output("y", x);
    assert!(islands(&convert(&t, &mixed())).is_empty());
}

#[test]
fn weights_that_are_computed_have_no_float16_convolution() {
    let mut t = Target::default();
    let x = t.input("x", &[1, 4]);
    let w = t.input("w", &[2, 4]);
    let y = t.op(Builtin::FullyConnected, &[x, w], "y", &[1, 2], FullyConnected::default());
    t.output("y", y);
    assert_eq!(islands(&convert(&t, &mixed())), ["FULLY_CONNECTED"]);
}

/// A random chain of elementwise operators with skips; some of them overflow, some have no kernel.
fn chain() -> impl Strategy<Value = Target> {
    proptest::collection::vec((0usize..8, 0usize..64, any::<bool>()), 1..24).prop_map(|steps| {
        let mut t = Target::default();
        let mut values = vec![t.input("x", &[4]), t.input("y", &[4])];
        for (i, (kind, pick, output)) in steps.into_iter().enumerate() {
            let (a, b) = (values[values.len() - 1], values[pick % values.len()]);
            let name = format!("v{i}");
            let id = match kind {
                0 => t.plain(Builtin::Exp, &[a], &name, &[4]),
                1 => t.plain(Builtin::Mul, &[a, b], &name, &[4]),
                2 => t.plain(Builtin::Add, &[a, b], &name, &[4]),
                3 => t.plain(Builtin::Sign, &[a], &name, &[4]),
                4 => {
                    let c = t.scalar(&format!("c{i}"), Role::Scale, [1e30, 1e-12, 3.0, 1e-6][pick % 4]);
                    t.plain(Builtin::Mul, &[a, c], &name, &[4])
                }
                5 => t.plain(Builtin::Div, &[a, b], &name, &[4]),
                6 => t.plain(Builtin::Rsqrt, &[a], &name, &[4]),
                _ => t.plain(Builtin::Tanh, &[a], &name, &[4]),
            };
            values.push(id);
            if output {
                t.output(&name, id);
            }
        }
        t.output("last", values[values.len() - 1]);
        t
    })
}

proptest! {
    #[test]
    fn every_operator_sees_one_float_type_under_every_strategy(
        target in chain(),
        io in prop_oneof![Just(Io::Strategy), Just(Io::Float32)],
        keep in proptest::option::of("v[0-9]"),
    ) {
        for precision in Precision::ALL {
            let request = Request { io, keep_fp32: keep.clone(), ..Request::new(precision) };
            let model = convert(&target, &request);
            check(&model);
            let g = model.main();
            prop_assert_eq!(g.inputs.len(), 2);
            prop_assert_eq!(g.outputs.len(), target.outputs.len());
            if precision == Precision::Full && io == Io::Strategy && keep.is_none() {
                prop_assert!(of_type(&model, TensorType::Float32).is_empty());
            }
            prop_assert!(of_type(&model, TensorType::Int8).is_empty());
        }
    }

    #[test]
    fn no_tensor_is_cast_twice(target in chain()) {
        let model = convert(&target, &mixed());
        let mut cast: Vec<i32> = model
            .main()
            .operators
            .iter()
            .filter(|op| op.name() == "CAST")
            .map(|op| op.inputs[0])
            .collect();
        let all = cast.len();
        cast.sort_unstable();
        cast.dedup();
        prop_assert_eq!(cast.len(), all);
    }

    #[test]
    fn no_constant_that_float16_loses_is_stored_in_it(target in chain()) {
        let model = convert(&target, &mixed());
        for t in of_type(&model, TensorType::Float16) {
            if let Some(data) = model.data(t) {
                let x = half::f16::from_le_bytes(data.try_into().unwrap());
                prop_assert!(x.is_finite() && x.to_f64() != 0.0);
            }
        }
    }
}

#[test]
fn a_product_before_a_logarithm_is_float32_with_what_feeds_it() {
    let mut t = Target::default();
    let (a, b) = (t.input("a", &[4]), t.input("b", &[4]));
    let e = t.plain(Builtin::Logistic, &[a], "e", &[4]);
    let m = t.plain(Builtin::Mul, &[e, b], "m", &[4]);
    let y = t.plain(Builtin::Log, &[m], "y", &[4]);
    t.output("y", y);
    let (model, _, notes) = assemble(&t, &mixed()).unwrap();
    check(&model);
    assert_eq!(islands(&model), ["LOGISTIC", "MUL", "LOG"]);
    assert!(
        notes.iter().any(|n| n.text == "MUL stays float32: a logarithm reads its small results"),
        "{notes:?}"
    );
}

#[test]
fn a_logarithm_of_what_cannot_be_small_keeps_nothing_else() {
    let mut t = Target::default();
    let a = t.input("a", &[4]);
    let s = t.plain(Builtin::Tanh, &[a], "s", &[4]);
    let two = t.scalar("two", Role::Plain, 2.0);
    let m = t.plain(Builtin::Add, &[s, two], "m", &[4]);
    let y = t.plain(Builtin::Log, &[m], "y", &[4]);
    t.output("y", y);
    let (model, _, _) = assemble(&t, &mixed()).unwrap();
    assert_eq!(islands(&model), ["LOG"], "which has no float16 kernel");
}

/// Only a tensor of the interface gives up its name to the one that the caller sees.
#[test]
fn an_island_keeps_the_names_of_its_tensors() {
    let mut t = Target::default();
    let x = t.input("x", &[4, 8]);
    let e = t.plain(Builtin::Exp, &[x], "e", &[4, 8]);
    let l = t.plain(Builtin::Log, &[e], "l", &[4, 8]);
    let y = t.plain(Builtin::Tanh, &[l], "y", &[4, 8]);
    t.output("y", y);
    let model = convert(&t, &mixed());
    let names: Vec<(&str, TensorType)> =
        model.main().tensors.iter().map(|t| (t.name.as_str(), t.dtype)).collect();
    use TensorType::{Float16, Float32};
    let expected = [
        ("x", Float16),
        ("x/float32", Float32),
        ("e", Float32),
        ("l", Float32),
        ("l/float16", Float16),
        ("y", Float16),
    ];
    assert_eq!(names, expected);
}

#[test]
fn a_constant_that_float16_does_not_hold_is_named_by_its_elements() {
    let why = |elements: Vec<f64>| {
        let mut t = Target::default();
        let shape = [elements.len()];
        let x = t.input("x", &shape);
        let c = t.exact("c", &shape, Role::Plain, elements);
        let y = t.plain(Builtin::Maximum, &[x, c], "y", &shape);
        t.output("y", y);
        let (_, _, notes) = assemble(&t, &mixed()).unwrap();
        notes.into_iter().find(|n| n.at == "y").map(|n| n.text).unwrap_or_default()
    };
    assert_eq!(why(vec![1e6]), "MAXIMUM stays float32: float16 does not hold its constant 1e6");
    assert_eq!(
        why(vec![1e6, 1.0]),
        "MAXIMUM stays float32: float16 does not hold its constant of 2 elements"
    );
}

#[test]
fn a_logarithm_of_the_smallest_normal_number_is_held_by_float16() {
    let single = |least: f64| {
        let mut t = Target::default();
        let x = t.input("x", &[4]);
        let least = t.scalar("least", Role::Bound, least);
        let m = t.plain(Builtin::Maximum, &[x, least], "m", &[4]);
        let y = t.plain(Builtin::Log, &[m], "y", &[4]);
        t.output("y", y);
        let model = convert(&t, &mixed());
        islands(&model).into_iter().map(str::to_string).collect::<Vec<_>>()
    };
    assert_eq!(single(2f64.powi(-14)), [""; 0]);
    assert_eq!(single(2f64.powi(-14) - 2f64.powi(-24)), ["MAXIMUM", "LOG"]);
}
