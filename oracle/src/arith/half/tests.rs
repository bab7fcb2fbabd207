//! Executions round where their model says and nowhere else.

use super::*;
use crate::half;
use proptest::prelude::*;

fn narrow_sums(order: Order) -> Half {
    Half::new(ExecutionModel { order, ..ExecutionModel::HALF_ACCUMULATOR })
}

#[test]
fn a_float16_running_sum_of_threes_stagnates_as_the_public_report_says() {
    let threes = vec![3.0f32; 2000];
    assert_eq!(narrow_sums(Order::Sequential).sum(&threes), 7316.0);
    assert_eq!(Half::default().sum(&threes), 6000.0);
    assert_eq!(narrow_sums(Order::Pairwise).sum(&threes), 6000.0);
}

#[test]
fn lattice_sums_are_the_same_in_every_order() {
    let a: Vec<f32> = (0..37).map(|i| (i % 7 - 3) as f32).collect();
    let b: Vec<f32> = (0..37).map(|i| (i % 5 - 2) as f32 * 0.25).collect();
    let want = Half::default().dot(&a, &b, Some(1.5));
    for model in ExecutionModel::catalog() {
        assert_eq!(Half::new(model).dot(&a, &b, Some(1.5)), want, "{model:?}");
    }
}

#[test]
fn a_fused_multiply_add_rounds_once() {
    let x = 1.0 + 1.0 / 1024.0;
    let fused = Half::new(ExecutionModel { fma: true, ..ExecutionModel::HALF_ACCUMULATOR });
    assert_eq!(fused.dot(&[x], &[x], Some(-1.0)), half::round(f64::from(x) * f64::from(x) - 1.0) as f32);
    assert_eq!(narrow_sums(Order::Sequential).dot(&[x], &[x], Some(-1.0)), 2.0 / 1024.0);
}

#[test]
fn float32_islands_are_not_rounded_unless_forced() {
    let third = 1.0f32 / 3.0;
    assert_eq!(Half::default().store(third, DType::F32), third);
    assert_eq!(Half::default().store(third, DType::F16), half::round_f32(third));
    let forced = Half::new(ExecutionModel { force_f16: true, ..ExecutionModel::HALF });
    assert_eq!(forced.store(third, DType::F32), half::round_f32(third));
    let island = Half::default().kernel(Builtin::Mul, DType::F32);
    assert_eq!(island.mul(third, third), third * third);
}

#[test]
fn flushing_turns_subnormal_results_into_zeros_of_their_sign() {
    let flushing = Half::new(ExecutionModel { flush: true, ..ExecutionModel::HALF });
    let tiny = half::MIN_SUBNORMAL as f32;
    assert_eq!(flushing.store(-tiny, DType::F16).to_bits(), (-0.0f32).to_bits());
    assert_eq!(Half::default().store(tiny, DType::F16), tiny);
}

proptest! {
    #[test]
    fn elementwise_results_are_correctly_rounded_binary16(a in any::<u16>(), b in any::<u16>()) {
        let (a, b) = (half::from_bits(a), half::from_bits(b));
        prop_assume!(a.is_finite() && b.is_finite());
        let arith = Half::default();
        let (x, y) = (a as f32, b as f32);
        // Sums and products of two binary16 numbers are exact in f64; a quotient is too close to no midpoint.
        for (got, want) in [(arith.add(x, y), a + b), (arith.mul(x, y), a * b), (arith.div(x, y), a / b)] {
            let want = half::round(want) as f32;
            prop_assert!(got == want || got.is_nan() && want.is_nan(), "{a:e} {b:e}: {got:e} is not {want:e}");
        }
    }
}
