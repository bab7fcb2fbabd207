//! Ideal arithmetic: f64, nothing rounded to a storage type. The centre that every bound is built around.

use crate::arith::{Arith, Comparison, Function};
use crate::function;
use crate::value::Whole;
use halfproof_ir::DType;

/// The ideal arithmetic. Elements are plain f64.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ideal;

/// Powers of a row for its softmax, of exponents that are not positive.
pub(super) struct Powers {
    /// beta (x - max).
    pub(super) exponents: Vec<f64>,
    /// e to each of them.
    pub(super) powers: Vec<f64>,
}

impl Powers {
    pub(super) fn new(row: &[f64], beta: f64) -> Powers {
        let max = row.iter().copied().fold(f64::NEG_INFINITY, larger);
        let exponents: Vec<f64> = row.iter().map(|x| beta * (x - max)).collect();
        let powers = exponents.iter().map(|&d| libm::exp(d)).collect();
        Powers { exponents, powers }
    }

    /// The softmax, or its logarithm.
    pub(super) fn softmax(&self, log: bool) -> Vec<f64> {
        let total: f64 = self.powers.iter().sum();
        if log {
            let total = libm::log(total);
            return self.exponents.iter().map(|d| d - total).collect();
        }
        self.powers.iter().map(|p| p / total).collect()
    }
}

impl Arith for Ideal {
    type E = f64;

    #[inline]
    fn exact(&self, x: f64) -> f64 {
        x
    }

    #[inline]
    fn centre(&self, x: f64) -> f64 {
        x
    }

    #[inline]
    fn store(&self, x: f64, _: DType) -> f64 {
        x
    }

    #[inline]
    fn intermediate(&self, x: f64) -> f64 {
        x
    }

    #[inline]
    fn add(&self, a: f64, b: f64) -> f64 {
        a + b
    }

    #[inline]
    fn sub(&self, a: f64, b: f64) -> f64 {
        a - b
    }

    #[inline]
    fn mul(&self, a: f64, b: f64) -> f64 {
        a * b
    }

    #[inline]
    fn div(&self, a: f64, b: f64) -> f64 {
        a / b
    }

    fn pow(&self, a: f64, b: f64) -> f64 {
        libm::pow(a, b)
    }

    fn angle(&self, y: f64, x: f64) -> f64 {
        libm::atan2(y, x)
    }

    #[inline]
    fn max(&self, a: f64, b: f64) -> f64 {
        larger(a, b)
    }

    #[inline]
    fn min(&self, a: f64, b: f64) -> f64 {
        smaller(a, b)
    }

    fn apply(&self, f: Function, x: f64) -> f64 {
        function::value(f, x)
    }

    fn dot(&self, a: &[f64], b: &[f64], start: Option<f64>) -> f64 {
        debug_assert_eq!(a.len(), b.len());
        let mut sums = [start.unwrap_or(0.0), 0.0, 0.0, 0.0];
        let (a4, a_rest) = a.as_chunks::<4>();
        let (b4, b_rest) = b.as_chunks::<4>();
        for (x, y) in a4.iter().zip(b4) {
            for lane in 0..4 {
                sums[lane] += x[lane] * y[lane];
            }
        }
        for (x, y) in a_rest.iter().zip(b_rest) {
            sums[0] += x * y;
        }
        (sums[0] + sums[1]) + (sums[2] + sums[3])
    }

    fn sum(&self, a: &[f64]) -> f64 {
        a.iter().sum::<f64>() + 0.0
    }

    fn blend(&self, a: &[f64], weights: &[f64]) -> f64 {
        a.iter().zip(weights).map(|(x, w)| x * w).sum()
    }

    fn softmax(&self, row: &[f64], beta: f64, log: bool) -> Vec<f64> {
        Powers::new(row, beta).softmax(log)
    }

    #[inline]
    fn compare(&self, a: f64, b: f64) -> (Comparison, bool) {
        (comparison(a, b), true)
    }

    #[inline]
    fn is_nan(&self, x: f64) -> (bool, bool) {
        (x.is_nan(), true)
    }

    #[inline]
    fn either(&self, a: f64, _: f64) -> f64 {
        a
    }

    #[inline]
    fn unknown(&self, likely: f64) -> f64 {
        likely
    }

    #[inline]
    fn truncate(&self, x: f64) -> Whole {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a cast saturates and makes NaN 0, as the kernels' C++ may"
        )]
        Whole::known(x as i64)
    }
}

/// The larger number; NaN if either is NaN; +0 before -0.
#[inline]
pub(crate) fn larger(a: f64, b: f64) -> f64 {
    if a > b || a.is_nan() {
        a
    } else if b > a || b.is_nan() || a.is_sign_negative() {
        b
    } else {
        a
    }
}

/// The smaller number; NaN if either is NaN; -0 before +0.
#[inline]
pub(crate) fn smaller(a: f64, b: f64) -> f64 {
    if a < b || a.is_nan() {
        a
    } else if b < a || b.is_nan() || a.is_sign_positive() {
        b
    } else {
        a
    }
}

/// How two f64 compare.
#[inline]
pub(crate) fn comparison(a: f64, b: f64) -> Comparison {
    match a.partial_cmp(&b) {
        Some(std::cmp::Ordering::Less) => Comparison::Less,
        Some(std::cmp::Ordering::Equal) => Comparison::Equal,
        Some(std::cmp::Ordering::Greater) => Comparison::Greater,
        None => Comparison::Unordered,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extrema_propagate_nan_and_order_zeros() {
        assert!(larger(f64::NAN, 1.0).is_nan() && larger(1.0, f64::NAN).is_nan());
        assert!(smaller(f64::NAN, 1.0).is_nan() && smaller(1.0, f64::NAN).is_nan());
        assert!(larger(-0.0, 0.0).is_sign_positive() && smaller(0.0, -0.0).is_sign_negative());
    }

    #[test]
    fn a_dot_product_with_bias_and_a_tail_is_the_sum_of_all_terms() {
        let a = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0];
        assert_eq!(Ideal.dot(&a, &a, Some(0.5)), 140.5);
        assert_eq!(Ideal.sum(&[]).to_bits(), 0.0f64.to_bits());
    }

    #[test]
    fn softmax_of_large_scores_does_not_overflow() {
        assert_eq!(Ideal.softmax(&[1000.0, 1000.0], 1.0, false), [0.5, 0.5]);
        let log = Ideal.softmax(&[0.0, -1000.0], 1.0, true);
        assert_eq!(log, [0.0, -1000.0]);
    }
}
