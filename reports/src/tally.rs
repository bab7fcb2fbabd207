//! Collects bits lost in fixed room, so that the figures do not depend on the order in which tests finish.

use crate::schema::{Figure, Loss};
use halfproof_ir::Precision;
use serde::{Deserialize, Serialize};

/// Eighths of a bit from 0 to 11, and one bucket for more.
const STEPS: usize = 8 * 11 + 2;

/// Counts of tensors by bits lost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LossTally {
    /// Bucket 0: none. Bucket i: more than (i-1)/8 and at most i/8 bits. The last: more than 11 bits.
    steps: Vec<u64>,
    max: f64,
}

impl Default for LossTally {
    fn default() -> LossTally {
        LossTally { steps: vec![0; STEPS], max: 0.0 }
    }
}

impl LossTally {
    /// Counts one tensor. A NaN counts as infinitely many bits.
    pub fn add(&mut self, bits: f64) {
        let bits = if bits.is_nan() { f64::INFINITY } else { bits };
        let step = if bits <= 0.0 {
            0
        } else if bits <= 11.0 {
            (bits * 8.0).ceil() as usize
        } else {
            STEPS - 1
        };
        self.steps[step] += 1;
        self.max = self.max.max(bits);
    }

    /// Adds the counts of another tally.
    pub fn merge(&mut self, other: &LossTally) {
        for (a, b) in self.steps.iter_mut().zip(&other.steps) {
            *a += b;
        }
        self.max = self.max.max(other.max);
    }

    /// The distribution; `None` when nothing was counted.
    pub fn finish(&self, operator: &str, precision: Precision, system: &str) -> Option<Loss> {
        let count: u64 = self.steps.iter().sum();
        if count == 0 {
            return None;
        }
        let mut histogram = vec![self.steps[0]];
        histogram.extend(self.steps[1..STEPS - 1].chunks(8).map(|eighths| eighths.iter().sum::<u64>()));
        histogram.push(self.steps[STEPS - 1]);
        Some(Loss {
            operator: operator.into(),
            precision,
            system: system.into(),
            count,
            median: self.quantile(count.div_ceil(2)),
            p90: self.quantile((count * 9).div_ceil(10)),
            max: Figure(self.max),
            histogram,
        })
    }

    /// The upper edge of the bucket that holds the tensor of that rank (1 is the least).
    fn quantile(&self, rank: u64) -> Figure {
        let mut seen = 0;
        let step = self.steps.iter().position(|n| {
            seen += n;
            seen >= rank
        });
        Figure(match step {
            Some(i) if i < STEPS - 1 => (i as f64 / 8.0).min(self.max),
            _ => self.max,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(bits: &[f64]) -> LossTally {
        let mut tally = LossTally::default();
        bits.iter().for_each(|b| tally.add(*b));
        tally
    }

    #[test]
    fn quantiles_are_those_of_the_sorted_list_to_an_eighth() {
        let loss = tally(&[0.0, 0.0, 0.3, 1.0, 1.01, 2.0, 3.0, 4.0, 5.0, 12.5]);
        let loss = loss.finish("Softmax", Precision::Full, "interp-f16").expect("ten tensors");
        assert_eq!(loss.count, 10);
        assert_eq!([loss.median, loss.p90, loss.max], [1.125, 5.0, 12.5].map(Figure));
        assert_eq!(loss.histogram, [2, 2, 2, 1, 1, 1, 0, 0, 0, 0, 0, 0, 1]);
    }

    #[test]
    fn order_and_sharing_out_do_not_matter() {
        let mut left = tally(&[0.1, 7.0]);
        left.merge(&tally(&[f64::INFINITY, 0.0]));
        let mut right = tally(&[0.0, f64::INFINITY]);
        right.merge(&tally(&[7.0, 0.1]));
        assert_eq!(left, right);
    }

    #[test]
    fn nothing_counted_is_no_distribution() {
        assert_eq!(LossTally::default().finish("Conv", Precision::Full, "interp-f16"), None);
    }
}
