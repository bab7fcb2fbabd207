//! Ranges of weighted sums with constant weights: per output channel, then over all of them.

use super::{Bounds, DEVIATIONS};
use halfproof_ir::Elements;

/// Sums over the weights of one output channel.
#[derive(Clone, Copy, Debug, Default)]
struct Channel {
    positive: f64,
    negative: f64,
    squares: f64,
}

/// How the weights of one output channel are found in a row-major tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Channels {
    /// Channel `c` is the `c`-th of this many equal runs (first axis).
    Rows(usize),
    /// Channel `c` is every n-th element from `c` on (last axis).
    Columns(usize),
    /// So many matrices, one after the other, each with that many columns.
    Matrices(usize, usize),
}

/// The range of `sum(w * x) + bias` over all output channels. `padded` windows also see zeros.
pub(super) fn weighted(
    x: Bounds,
    weights: &Elements,
    channels: Channels,
    bias: Option<&Elements>,
    padded: bool,
) -> Bounds {
    let x = if padded { Bounds { low: x.low.min(0.0), high: x.high.max(0.0), ..x } } else { x };
    let sums = match weights {
        // Sums of no terms, however many channels an empty tensor has beside its axis without elements.
        w if w.is_empty() => vec![Channel::default(); bias.map_or(1, Elements::len).max(1)],
        Elements::Single(v) => sums(v, channels, f64::from),
        Elements::Double(v) => sums(v, channels, |w| w),
        Elements::Bytes(b) => sums(b.as_chunks().0, channels, Elements::number),
    };
    let mut all = Bounds { low: f64::INFINITY, high: f64::NEG_INFINITY, mean: 0.0, deviation: 0.0 };
    let (mut means, mut variances) = (0.0, 0.0);
    for (c, s) in sums.iter().enumerate() {
        let b = bias.filter(|b| c < b.len()).map_or(0.0, |b| b.get(c));
        let mean = (s.positive + s.negative) * x.mean + b;
        let deviation = s.spread() * x.deviation;
        let high = s.positive * x.high + s.negative * x.low + b;
        let low = s.positive * x.low + s.negative * x.high + b;
        all.high = all.high.max(high.min(mean + DEVIATIONS * deviation));
        all.low = all.low.min(low.max(mean - DEVIATIONS * deviation));
        all.mean += mean;
        means += mean * mean;
        variances += deviation * deviation;
    }
    let n = sums.len().max(1) as f64;
    all.mean /= n;
    all.deviation = (variances / n + (means / n - all.mean * all.mean).max(0.0)).sqrt();
    all
}

/// Sums side by side, so that one addition need not wait for the one before.
const LANES: usize = 4;

fn sums<T: Copy>(weights: &[T], channels: Channels, wide: impl Fn(T) -> f64 + Copy) -> Vec<Channel> {
    match channels {
        Channels::Matrices(n, columns) => {
            let matrices = weights.chunks((weights.len() / n.max(1)).max(1));
            matrices.flat_map(|m| sums(m, Channels::Columns(columns), wide)).collect()
        }
        Channels::Rows(n) => {
            weights.chunks((weights.len() / n.max(1)).max(1)).map(|r| row(r, wide)).collect()
        }
        Channels::Columns(n) => {
            let mut sums = vec![Channel::default(); n];
            for row in weights.chunks(n.max(1)) {
                sums.iter_mut().zip(row).for_each(|(s, &w)| s.add(wide(w)));
            }
            sums
        }
    }
}

fn row<T: Copy>(weights: &[T], wide: impl Fn(T) -> f64) -> Channel {
    let mut lanes = [Channel::default(); LANES];
    let (whole, rest) = weights.as_chunks::<LANES>();
    for chunk in whole {
        lanes.iter_mut().zip(chunk).for_each(|(s, &w)| s.add(wide(w)));
    }
    lanes.iter_mut().zip(rest).for_each(|(s, &w)| s.add(wide(w)));
    lanes.iter().fold(Channel::default(), |a, b| Channel {
        positive: a.positive + b.positive,
        negative: a.negative + b.negative,
        squares: a.squares + b.squares,
    })
}

/// From this share of the magnitudes on, the weights of a channel count as of one sign.
const ALIKE: f64 = 0.95;

impl Channel {
    /// Standard deviation of the sum in units of that of a term. Independent terms partly cancel; where the weights have one sign,
    /// as in an average, what the terms have in common adds up, as it does in a plain sum.
    fn spread(&self) -> f64 {
        let (sum, all) = ((self.positive + self.negative).abs(), self.positive - self.negative);
        if sum >= ALIKE * all { sum } else { self.squares.sqrt() }
    }

    #[inline]
    fn add(&mut self, w: f64) {
        self.positive += if w > 0.0 { w } else { 0.0 };
        self.negative += if w < 0.0 { w } else { 0.0 };
        self.squares += w * w;
    }
}

/// The range of a sum of `n` products of independent elements.
pub(super) fn products(a: Bounds, b: Bounds, n: f64) -> Bounds {
    let corners = [a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high];
    let low = corners.iter().copied().fold(f64::INFINITY, f64::min) * n;
    let high = corners.iter().copied().fold(f64::NEG_INFINITY, f64::max) * n;
    let variance =
        (a.deviation * b.deviation).powi(2) + (a.deviation * b.mean).powi(2) + (a.mean * b.deviation).powi(2);
    Bounds { low, high, mean: n * a.mean * b.mean, deviation: (n * variance).sqrt() }.tightened()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_weights_give_the_interval_and_many_the_deviations() {
        let x = Bounds::ASSUMED;
        let y = weighted(x, &vec![1.0, -2.0].into(), Channels::Rows(1), Some(&vec![0.5].into()), false);
        assert_eq!((y.low, y.high), (-47.5, 48.5));
        let signs: Vec<f32> = (0..4096).map(|i| if i % 2 == 0 { 1.0 } else { -1.0 }).collect();
        let y = weighted(x, &signs.into(), Channels::Rows(1), None, false);
        assert_eq!((y.high, y.deviation), (8.0 * 4.0 * 64.0, 4.0 * 64.0));
    }

    #[test]
    fn terms_of_one_sign_do_not_cancel() {
        let x = Bounds::ASSUMED;
        let y = weighted(x, &vec![1.0; 4096].into(), Channels::Rows(1), None, false);
        assert_eq!((y.high, y.deviation), (16.0 * 4096.0, 4.0 * 4096.0));
    }

    #[test]
    fn the_widest_channel_counts_whichever_way_weights_are_laid_out() {
        let x = Bounds::within(0.0, 1.0);
        let rows = weighted(x, &vec![1.0, 1.0, 5.0, 5.0].into(), Channels::Rows(2), None, false);
        let columns = weighted(x, &vec![1.0, 5.0, 1.0, 5.0].into(), Channels::Columns(2), None, false);
        assert_eq!(rows, columns);
        assert_eq!(rows.high, 10.0);
    }

    #[test]
    fn without_weights_the_bias_is_left() {
        let none: Elements = Vec::<f64>::new().into();
        let bias: Elements = vec![-2.0, 3.0].into();
        for channels in [Channels::Rows(2), Channels::Columns(usize::MAX), Channels::Matrices(0, 5)] {
            let y = weighted(Bounds::ASSUMED, &none, channels, Some(&bias), true);
            assert_eq!((y.low, y.high), (-2.0, 3.0), "{channels:?}");
            let y = weighted(Bounds::ASSUMED, &none, channels, None, true);
            assert_eq!((y.low, y.high), (0.0, 0.0), "{channels:?}");
        }
    }
}
