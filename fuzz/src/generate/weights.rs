//! Elements of constants and inputs by recipe.

use super::dna::Stream;
use half::f16;

/// What the elements of a graph's constants look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElementKind {
    /// Small integers and halves: exactly representable, and so are sums of their products, in float16 in any order.
    Lattice,
    /// Gaussian, scaled by 1/sqrt(fan-in) so that values keep their size from node to node; not on the float16 grid.
    Gaussian,
    /// As `Gaussian`, but already rounded to float16, so that narrowing them loses nothing.
    Rounded,
}

/// `n` elements with scale about `scale`.
pub(super) fn elements(kind: ElementKind, seed: u64, n: usize, scale: f64) -> Vec<f32> {
    let mut stream = Stream::new(seed ^ 0x5eed_0f0e_1e3e_4175);
    (0..n)
        .map(|_| match kind {
            // Never zero: a zero weight hides whatever it multiplies.
            ElementKind::Lattice => [-2.0, -1.0, -0.5, 0.5, 1.0, 1.5, 2.0, 3.0][stream.below(8) as usize],
            ElementKind::Gaussian => (stream.gaussian() * scale) as f32,
            ElementKind::Rounded => f16::from_f64(stream.gaussian() * scale).to_f32(),
        })
        .collect()
}

/// `n` positive elements around `scale` (variances, divisors).
pub(super) fn positive_elements(kind: ElementKind, seed: u64, n: usize, scale: f64) -> Vec<f32> {
    let mut stream = Stream::new(seed ^ 0x0005_17e0_9051_71fe);
    (0..n)
        .map(|_| match kind {
            ElementKind::Lattice => [0.25, 1.0, 4.0, 2.0][stream.below(4) as usize],
            ElementKind::Gaussian => ((0.25 + 1.5 * stream.unit()) * scale) as f32,
            ElementKind::Rounded => f16::from_f64((0.25 + 1.5 * stream.unit()) * scale).to_f32(),
        })
        .collect()
}
