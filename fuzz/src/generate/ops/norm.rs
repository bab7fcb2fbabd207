//! Normalisations. Variances are kept away from zero by an epsilon that matters, or by the data.

use super::super::graph::{Builder, Item, Span};
use super::conv::image;
use halfproof_ir::DType;
use halfproof_ir::ops::{
    BatchNormalization, GroupNormalization, InstanceNormalization, LRN, LayerNormalization, LpNormalization,
    MeanVarianceNormalization, RMSNormalization,
};

const EPSILONS: [f32; 5] = [1e-5, 1e-3, 1e-5, 1e-6, 0.1];

/// Sizes of normalised values: sqrt(n) is never reached for the axes drawn here.
const NORMALISED: Span = Span { low: -6.0, high: 6.0 };

pub(super) fn batch(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.float(|i| (2..=5).contains(&i.rank()) && i.span.radius() < 2e3)?;
    let c = [x.shape[1]];
    let epsilon = *b.dna.pick(&EPSILONS);
    let (scale, _) = b.weights(&c, 1.0);
    let (bias, _) = b.weights(&c, 0.5);
    let (mean, _) = b.weights(&c, 0.5);
    let (variance, _) = b.positive_weights(&c, 1.0);
    let span = Span::around_zero(x.span.radius() * 8.0 + 4.0);
    b.emit(BatchNormalization { epsilon }, &[x.id, scale, bias, mean, variance], DType::F32, x.shape, span)
}

pub(super) fn instance(b: &mut Builder<'_>) -> Option<Item> {
    let x = image(b)?;
    let c = [x.shape[1]];
    let epsilon = *b.dna.pick(&EPSILONS);
    let (scale, _) = b.weights(&c, 1.0);
    let (bias, _) = b.weights(&c, 0.5);
    b.emit(InstanceNormalization { epsilon }, &[x.id, scale, bias], DType::F32, x.shape, NORMALISED)
}

pub(super) fn layer(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.float(|i| i.rank() >= 1 && i.span.radius() < 2e3)?;
    let axis = if b.dna.chance(2, 3) { x.rank() - 1 } else { b.dna.below(x.rank()) };
    let epsilon = *b.dna.pick(&EPSILONS);
    let shape = x.shape[axis..].to_vec();
    let (scale, _) = b.weights(&shape, 1.0);
    let mut inputs = vec![x.id, scale];
    if b.dna.chance(2, 3) {
        inputs.push(b.weights(&shape, 0.5).0);
    }
    let axis = if b.dna.chance(1, 2) { axis as i64 - x.rank() as i64 } else { axis as i64 };
    b.emit(LayerNormalization { axis, epsilon, stash_type: 1 }, &inputs, DType::F32, x.shape, NORMALISED)
}

pub(super) fn rms(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.float(|i| i.rank() >= 1 && i.span.radius() < 2e3)?;
    let axis = if b.dna.chance(2, 3) { x.rank() - 1 } else { b.dna.below(x.rank()) };
    let epsilon = *b.dna.pick(&EPSILONS);
    let (scale, _) = b.weights(&x.shape[axis..], 1.0);
    let op = RMSNormalization { axis: axis as i64, epsilon, stash_type: 1 };
    b.emit(op, &[x.id, scale], DType::F32, x.shape, NORMALISED)
}

pub(super) fn group(b: &mut Builder<'_>) -> Option<Item> {
    let x = image(b)?;
    let channels = x.shape[1];
    let divisors: Vec<usize> = (1..=channels).filter(|g| channels.is_multiple_of(*g)).collect();
    let num_groups = *b.dna.pick(&divisors) as i64;
    let epsilon = *b.dna.pick(&EPSILONS);
    let (scale, _) = b.weights(&[channels], 1.0);
    let (bias, _) = b.weights(&[channels], 0.5);
    let op = GroupNormalization { epsilon, num_groups, per_group_scale: false, stash_type: 1 };
    b.emit(op, &[x.id, scale, bias], DType::F32, x.shape, NORMALISED)
}

pub(super) fn lrn(b: &mut Builder<'_>) -> Option<Item> {
    let x = image(b)?;
    let (alpha, beta, bias) = *b.dna.pick(&[(1e-4, 0.75, 1.0), (0.1, 0.75, 2.0), (0.05, 0.5, 1.0)]);
    let size = *b.dna.pick(&[5, 3, 1, 7]);
    b.emit(LRN { alpha, beta, bias, size }, &[x.id], DType::F32, x.shape, x.span)
}

pub(super) fn lp(b: &mut Builder<'_>) -> Option<Item> {
    let x = b.positive()?;
    if x.rank() == 0 {
        return None;
    }
    let axis = if b.dna.chance(1, 2) { -1 } else { b.dna.below(x.rank()) as i64 };
    let p = *b.dna.pick(&[2, 1]);
    b.emit(LpNormalization { axis, p }, &[x.id], DType::F32, x.shape, Span::new(0.001, 1.0))
}

pub(super) fn mean_variance(b: &mut Builder<'_>) -> Option<Item> {
    // Over at least two elements, so that the deviation is hardly ever 0.
    let x = b.float(|i| i.rank() >= 2 && i.span.radius() < 2e3)?;
    let mut axes: Vec<usize> = (0..x.rank()).filter(|_| b.dna.chance(1, 2)).collect();
    if axes.iter().all(|&a| x.shape[a] < 3) {
        axes = (0..x.rank()).filter(|&a| x.shape[a] >= 3).collect();
    }
    if axes.is_empty() {
        return None;
    }
    let axes = axes.into_iter().map(|a| a as i64).collect();
    b.emit(MeanVarianceNormalization { axes }, &[x.id], DType::F32, x.shape, NORMALISED)
}
