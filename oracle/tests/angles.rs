//! ATAN2 has two operands, so no sweep of unary operators sees it: every finite float16 number against a spread of others.

use halfproof_ir::DType;
use halfproof_oracle::arith::half::{ExecutionModel, Half};
use halfproof_oracle::arith::{Arith, Bound, Enclosure};
use halfproof_oracle::contract::Runtime;
use halfproof_oracle::half;

/// Zeros, the smallest numbers, both sides of the normal range, the diagonal, the largest.
const SPREAD: [f64; 9] =
    [0.0, half::MIN_SUBNORMAL, half::MIN_NORMAL, 0.001, 0.5, 1.0, 3.0, 1000.0, half::MAX];

#[test]
fn an_angle_in_float16_is_the_exact_one_rounded_and_within_its_bound() {
    let executed = Half::new(ExecutionModel::HALF);
    let bound = Bound::new(Runtime::Interpreter { narrow_sums: false, flush: false });
    let mut seen = 0;
    for bits in 0..=u16::MAX {
        let y = half::from_bits(bits);
        if !y.is_finite() {
            continue;
        }
        for x in SPREAD.into_iter().flat_map(|x| [x, -x]) {
            let exact = libm::atan2(y, x);
            let angle = executed.angle(executed.exact(y), executed.exact(x));
            let got = f64::from(executed.store(angle, DType::F16));
            // By way of a float32 register: the rounding to float16 may be the second one.
            let slack = (0.5 + 1.0 / 8192.0) * half::ulp(exact);
            assert!((got - exact).abs() <= slack, "atan2({y:e}, {x:e}) is {exact:e}, not {got:e}");
            let held = bound.store(bound.angle(Enclosure::point(y), Enclosure::point(x)), DType::F16);
            assert!(held.contains(got), "atan2({y:e}, {x:e}) = {got:e} is outside {held:?}");
            seen += 1;
        }
    }
    assert_eq!(seen, 63_488 * 18);
}
