//! Bounds hold for every allowed execution and are tight where the arithmetic is exact.

use super::*;
use crate::arith::{Half, Order};
use crate::half;

fn points(values: &[f64]) -> Vec<Enclosure> {
    values.iter().map(|&x| Enclosure::point(x)).collect()
}

#[test]
fn a_lattice_dot_product_is_a_single_number() {
    let a: Vec<f64> = (0..37).map(|i| f64::from(i % 7 - 3)).collect();
    let b: Vec<f64> = (0..37).map(|i| f64::from(i % 5 - 2) * 0.25).collect();
    for contract in [Contract::half(), Contract::single(), Contract { flush: false, ..Contract::any_half() }]
    {
        let bound = Bound::under(contract);
        let got = bound.store(bound.dot(&points(&a), &points(&b), Some(Enclosure::point(1.5))), DType::F16);
        let want: f64 = a.iter().zip(&b).map(|(x, y)| x * y).sum::<f64>() + 1.5;
        assert_eq!((got.lo, got.hi, got.v), (want, want, want), "{}", contract.source);
    }
}

#[test]
fn a_lattice_that_outgrows_the_accumulator_is_not_exact() {
    let threes = vec![3.0; 2000];
    let narrow = Bound::under(Contract::any_half()).sum(&points(&threes));
    assert!(narrow.contains(7316.0) && narrow.contains(6000.0) && !narrow.is_point());
    assert_eq!(Bound::under(Contract::half()).sum(&points(&threes)), Enclosure::point(6000.0));
}

#[test]
fn elementwise_results_of_single_numbers_are_rounded_once_even_at_ties() {
    let bound = Bound::under(Contract::half());
    for (a, b) in [(2048.0, 1.0), (1.0, half::UNIT), (3.0, 4096.0), (1.0, 3.0), (6.0, 2.0)] {
        let (x, y) = (Enclosure::point(a), Enclosure::point(b));
        for (got, want) in [(bound.add(x, y), a + b), (bound.mul(x, y), a * b), (bound.div(x, y), a / b)] {
            let got = bound.store(got, DType::F16);
            assert_eq!((got.lo, got.hi), (half::round(want), half::round(want)), "{a} {b}");
        }
    }
}

#[test]
fn a_difference_of_equal_numbers_is_exactly_zero() {
    let x = Enclosure::point(0.1);
    assert!(Bound::under(Contract::half()).sub(x, x).is_point());
}

#[test]
fn storing_rounds_both_ends_and_overflows_from_65520() {
    let bound = Bound::under(Contract::half());
    let stored = bound.store(Enclosure::of(65_519.0, 65_500.0, 65_521.0), DType::F16);
    assert_eq!((stored.lo, stored.hi), (65_504.0, f64::INFINITY));
    let certain = bound.store(Enclosure::point(1e6), DType::F16);
    assert!(certain.is_certainly_infinite());
    assert!(!certain.contains(65_504.0));
}

#[test]
fn flushing_admits_zero_for_subnormal_results_only() {
    let bound = Bound::under(Contract::any_half());
    assert!(bound.store(Enclosure::point(half::MIN_SUBNORMAL), DType::F16).contains(0.0));
    assert!(bound.store(Enclosure::point(-half::MIN_SUBNORMAL), DType::F16).contains(0.0));
    assert!(!bound.store(Enclosure::point(half::MIN_NORMAL), DType::F16).contains(0.0));
    assert!(
        !Bound::under(Contract::half())
            .store(Enclosure::point(half::MIN_SUBNORMAL), DType::F16)
            .contains(0.0)
    );
}

#[test]
fn nan_states_survive_a_clip_of_an_infinite_interval() {
    let bound = Bound::under(Contract::half());
    let unknown = bound.unknown(Enclosure::point(1.0));
    let clipped = bound.min(bound.max(unknown, Enclosure::point(0.0)), Enclosure::point(6.0));
    assert_eq!(clipped.nan, Nan::Possible);
    assert_eq!(bound.mul(clipped, Enclosure::point(0.0)).nan, Nan::Possible);
}

#[test]
fn infinities_that_meet_give_nan_for_certain_or_possibly() {
    let bound = Bound::under(Contract::half());
    let up = Enclosure::point(f64::INFINITY);
    let down = Enclosure::point(f64::NEG_INFINITY);
    assert_eq!(bound.add(up, down).nan, Nan::Certain);
    assert_eq!(bound.mul(up, Enclosure::point(0.0)).nan, Nan::Certain);
    assert_eq!(bound.add(up, Enclosure::of(0.0, f64::NEG_INFINITY, 1.0)).nan, Nan::Possible);
    assert!(bound.add(up, Enclosure::point(1.0)).is_certainly_infinite());
    assert_eq!(bound.dot(&[up, down], &points(&[1.0, 1.0]), None).nan, Nan::Certain);
    assert!(bound.dot(&[up, Enclosure::point(3.0)], &points(&[1.0, 1.0]), None).is_certainly_infinite());
    assert_eq!(bound.div(Enclosure::point(0.0), Enclosure::point(0.0)).nan, Nan::Certain);
    assert_eq!(bound.apply(Function::Log, Enclosure::point(-1.0)).nan, Nan::Certain);
    assert_eq!(bound.apply(Function::Log, Enclosure::of(1e-9, -1e-9, 1.0)).nan, Nan::Possible);
}

#[test]
fn comparisons_within_rounding_are_undecided() {
    let bound = Bound::under(Contract::half());
    let near = Enclosure::of(1.0, 0.99, 1.01);
    assert_eq!(bound.compare(near, Enclosure::point(1.005)), (Comparison::Less, false));
    assert_eq!(bound.compare(near, Enclosure::point(1.02)), (Comparison::Less, true));
    assert_eq!(bound.compare(Enclosure::point(1.0), Enclosure::point(1.0)), (Comparison::Equal, true));
    assert_eq!(bound.truncate(Enclosure::of(2.0, 1.99, 2.01)), Whole { value: 2, decided: false });
    assert_eq!(bound.truncate(Enclosure::of(2.5, 2.4, 2.6)), Whole { value: 2, decided: true });
}

#[test]
fn a_softmax_of_scores_far_apart_keeps_a_sharp_bound_on_the_winner() {
    // The winner's share is 1 - 3e-14: subtracting it from the sum in f64 would leave noise.
    let bound = Bound::under(Contract::single());
    let row = bound.softmax(&points(&[0.0, -31.0, -40.0]), 1.0, false);
    assert!(row[0].contains(1.0) && row[0].hi - row[0].lo < 1e-5, "{:?}", row[0]);
    assert!(row[1].hi < 1.1 * libm::exp(-31.0) && row[1].lo > 0.9 * libm::exp(-31.0), "{:?}", row[1]);
}

#[test]
fn a_fully_masked_row_is_nan_for_certain() {
    let bound = Bound::under(Contract::half());
    let masked = points(&[f64::NEG_INFINITY, f64::NEG_INFINITY]);
    assert!(bound.softmax(&masked, 1.0, false).iter().all(|p| p.nan == Nan::Certain));
    let partly = bound.softmax(&points(&[0.0, f64::NEG_INFINITY]), 1.0, false);
    assert!(partly[1].contains(0.0) && partly[0].contains(1.0) && partly[1].nan == Nan::Impossible);
}

#[test]
fn a_row_that_may_be_all_masked_may_be_nan() {
    let bound = Bound::under(Contract::half());
    let maybe = Enclosure::of(-50_000.0, f64::NEG_INFINITY, -40_000.0);
    for log in [false, true] {
        assert!(bound.softmax(&[maybe, maybe], 1.0, log).iter().all(|p| p.nan == Nan::Possible));
    }
    let anchored = bound.softmax(&[maybe, Enclosure::point(0.0)], 1.0, false);
    assert!(anchored.iter().all(|p| p.nan == Nan::Impossible));
}

#[test]
fn double_precision_bounds_are_about_an_ulp_wide() {
    let bound = Bound::new(Runtime::Double);
    let x = bound.apply(Function::Tanh, bound.add(Enclosure::point(0.1), Enclosure::point(0.2)));
    assert!(x.hi - x.lo < 1e-14 && x.contains(x.v));
    assert_eq!(bound.store(x, DType::F16), x);
}

#[test]
fn every_execution_of_a_float16_dot_product_is_inside() {
    let a: Vec<f64> = (0..64).map(|i| half::round(libm::sin(f64::from(i) * 1.7) * 3.0)).collect();
    let b: Vec<f64> = (0..64).map(|i| half::round(libm::cos(f64::from(i) * 2.3))).collect();
    let singles = |v: &[f64]| v.iter().map(|&x| x as f32).collect::<Vec<_>>();
    let bound = Bound::under(Contract::any_half()).dot(&points(&a), &points(&b), None);
    for order in [Order::Sequential, Order::Pairwise, Order::Permuted(3)] {
        for fma in [false, true] {
            let model =
                crate::arith::ExecutionModel { order, fma, ..crate::arith::ExecutionModel::HALF_ACCUMULATOR };
            let got = Half::new(model).dot(&singles(&a), &singles(&b), None);
            assert!(bound.contains(f64::from(got)), "{got} {bound:?}");
        }
    }
}

#[test]
fn beside_a_nan_the_largest_of_any_part_of_a_run_is_allowed() {
    let bound = Bound::new(Runtime::AnyHalf);
    let run = points(&[0.0, 1.0, f64::NAN, 0.5]);
    let largest = run[1..].iter().fold(run[0], |a, &b| bound.max(a, b));
    let found = bound.extremum_among(largest, &run);
    assert!([0.0, 0.5, 1.0, f64::NAN].into_iter().all(|x| found.contains(x)), "{found:?}");
    assert!(!found.contains(1.5) && !found.contains(-0.5), "{found:?}");
}

/// XNNPACK multiplies every element by 1/n before it adds them, along an axis that is not the last: seen in LiteRT 2.3.0.
#[test]
fn a_mean_of_whole_numbers_may_be_one_of_scaled_elements() {
    let row = [1., 1., 3., 5., 1., 1., 1., 1., 1., 1., 1., 1., 1., 1., 1., 1., 1., 1.];
    let scaled = row.iter().fold(0.0f32, |sum, &x| sum + x as f32 * (1.0 / 18.0));
    assert_eq!(f64::from(scaled), 1.333_333_730_697_631_8, "what LiteRT gives for 24 / 18");
    let found = Bound::under(Contract::single()).mean(&points(&row));
    assert!(found.contains(f64::from(scaled)), "{found:?}");
    assert!(!found.contains(1.333_337), "{found:?}");
}

#[test]
fn of_a_run_that_may_be_nan_alone_a_kernel_may_give_what_it_started_from() {
    let bound = Bound::new(Runtime::AnyHalf);
    let doubtful = Enclosure { nan: Nan::Possible, ..Enclosure::point(1.0) };
    assert!(bound.extremum_among(doubtful, &[doubtful]).contains(f64::NEG_INFINITY));
    let number = Enclosure::point(0.5);
    assert!(!bound.extremum_among(doubtful, &[doubtful, number]).contains(f64::NEG_INFINITY));
}

#[test]
fn an_exponential_beyond_f64_is_a_number_whose_logarithm_is_not_infinite_for_certain() {
    let bound = Bound::new(Runtime::Double);
    let exp = bound.apply(Function::Exp, Enclosure::point(1000.0));
    let log = bound.apply(Function::Log, exp);
    assert!(exp.contains(f64::INFINITY) && log.contains(1000.0), "{exp:?} {log:?}");
}

#[test]
fn a_shader_may_round_a_result_to_either_neighbor() {
    let bound = Bound::new(Runtime::Gpu { half: true });
    let stored = |x: f64| bound.store(Enclosure::point(x), DType::F32);
    // 1 + u lies halfway, 1 + u/2 is nearer to 1.
    for x in [1.0 + half::UNIT, 1.0 + 0.5 * half::UNIT] {
        let e = stored(x);
        assert!(e.contains(1.0) && e.contains(1.0 + 2.0 * half::UNIT) && !e.contains(1.0 + 4.0 * half::UNIT));
    }
    assert_eq!((stored(67_598.0).lo, stored(67_598.0).hi), (65_504.0, f64::INFINITY));
    assert_eq!((stored(-67_598.0).lo, stored(-67_598.0).hi), (f64::NEG_INFINITY, -65_504.0));
    assert_eq!((stored(1.5).lo, stored(1.5).hi), (1.5, 1.5));
}

#[test]
fn sums_of_a_shader_err_in_one_direction_at_most() {
    let bound = Bound::new(Runtime::Gpu { half: true });
    let terms: Vec<f64> = (0..100).map(|i| 1.0 + f64::from(i) / 64.0).collect();
    let sum = bound.sum(&points(&terms));
    let towards_zero = terms.iter().fold(0.0, |s, x| Format::Half.round_down(s + x));
    let away = terms.iter().fold(0.0, |s, x| Format::Half.round_up(s + x));
    assert!(towards_zero < away && sum.contains(towards_zero) && sum.contains(away), "{sum:?}");
}

#[test]
fn functions_of_a_shader_err_as_far_as_wgsl_lets_them() {
    let single = Bound::under(Runtime::Gpu { half: false }.base());
    let units = |e: Enclosure| (e.hi / e.v - 1.0) / half::UNIT_SINGLE;
    // 3 + 2 |x| ULP of two units each.
    let power = units(single.apply(Function::Exp, Enclosure::point(20.0)));
    assert!((86.0..90.0).contains(&power), "{power}");
    let angle = units(single.angle(Enclosure::point(1.0), Enclosure::point(3.0)));
    assert!((8192.0..8200.0).contains(&angle), "{angle}");
    // 3^7 is exp2(7 log2(3)), 11.1 in the exponent.
    let product = units(single.pow(Enclosure::point(3.0), Enclosure::point(7.0)));
    assert!((11.0 * 10.0..250.0).contains(&product), "{product}");
    let quotient = units(single.div(Enclosure::point(1.0), Enclosure::point(3.0)));
    assert!((5.0..8.0).contains(&quotient), "{quotient}");
}

#[test]
fn the_exponents_of_a_shaders_softmax_widen_its_bound() {
    let bound = Bound::new(Runtime::Gpu { half: true }).kernel(Builtin::Softmax, DType::F32);
    let width = |spread: f64| {
        let row = bound.softmax(&points(&[0.0, -spread]), 1.0, false);
        (row[1].hi - row[1].lo) / row[1].v
    };
    assert!(width(6.0) > 2.0 * width(0.5));
}
