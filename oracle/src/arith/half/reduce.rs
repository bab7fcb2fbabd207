//! Sums and dot products of one execution: the order of the terms and the rounding of every partial sum.

use super::Half;
use super::model::{Accumulator, Order, scramble};

/// Terms of a sum: products, or the elements themselves.
#[derive(Clone, Copy)]
struct Terms<'a> {
    a: &'a [f32],
    b: Option<&'a [f32]>,
}

impl Half {
    /// start + sum of a[i] * b[i] (of a[i] without `b`), accumulated as the model says.
    pub(super) fn accumulate(self, a: &[f32], b: Option<&[f32]>, start: Option<f32>) -> f32 {
        debug_assert!(b.is_none_or(|b| b.len() == a.len()));
        let terms = Terms { a, b };
        let start = start.unwrap_or(0.0);
        match self.model.order {
            Order::Sequential => self.chain(terms, 0..a.len(), start),
            Order::Reverse => self.chain(terms, (0..a.len()).rev(), start),
            Order::Permuted(seed) => {
                self.chain(terms, permutation(a.len(), seed).into_iter().map(|i| i as usize), start)
            }
            Order::Pairwise => {
                if a.is_empty() {
                    return start;
                }
                let total = self.halves(terms, 0, a.len());
                self.join(start, total)
            }
            Order::Lanes(lanes) => {
                let lanes = usize::from(lanes.max(1));
                let mut total = start;
                for lane in 0..lanes.min(a.len()) {
                    total = self.join(total, self.chain(terms, (lane..a.len()).step_by(lanes), 0.0));
                }
                total
            }
        }
    }

    fn chain(self, terms: Terms, order: impl Iterator<Item = usize>, start: f32) -> f32 {
        let mut total = start;
        match terms.b {
            Some(b) => order.for_each(|i| total = self.step(total, terms.a[i], b[i])),
            None => order.for_each(|i| total = self.join(total, terms.a[i])),
        }
        total
    }

    fn halves(self, terms: Terms, from: usize, to: usize) -> f32 {
        if to - from == 1 {
            return terms.b.map_or(terms.a[from], |b| self.product(terms.a[from], b[from]));
        }
        let middle = from.midpoint(to);
        self.join(self.halves(terms, from, middle), self.halves(terms, middle, to))
    }

    #[inline]
    fn accumulator(self, x: f32) -> f32 {
        match self.model.accumulator {
            Accumulator::F16 => self.narrow(x),
            Accumulator::F32 => x,
        }
    }

    #[inline]
    fn product(self, a: f32, b: f32) -> f32 {
        self.accumulator(a * b)
    }

    #[inline]
    fn join(self, a: f32, b: f32) -> f32 {
        self.accumulator(a + b)
    }

    #[inline]
    fn step(self, total: f32, a: f32, b: f32) -> f32 {
        if !self.model.fma {
            return self.join(total, self.product(a, b));
        }
        match self.model.accumulator {
            Accumulator::F32 => libm::fmaf(a, b, total),
            // The product is exact in f64. The sum is too unless the product is far below half an ulp of the total,
            // where it cannot decide a tie. So rounding to f64 first is harmless, to binary32 it would not be.
            Accumulator::F16 => {
                let exact = f64::from(a) * f64::from(b) + f64::from(total);
                self.narrow(crate::half::round(exact) as f32)
            }
        }
    }
}

/// A permutation of 0..n that depends on the seed and on n alone (Fisher and Yates).
fn permutation(n: usize, seed: u64) -> Vec<u32> {
    let mut order: Vec<u32> = (0..u32::try_from(n).unwrap_or(u32::MAX)).collect();
    let mut state = seed ^ n as u64;
    for i in (1..order.len()).rev() {
        state = scramble(state);
        let other = (state % (i as u64 + 1)) as usize;
        order.swap(i, other);
    }
    order
}
