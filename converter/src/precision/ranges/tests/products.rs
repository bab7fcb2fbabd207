//! Sums weighted by constants: per output channel, then over all.

use super::{Bounds, Program, assert_bounds, assert_ends, bounds, fixed};
use halfproof_wire::tflite::options::{
    BatchMatMul, Conv2D, Conv3D, DepthwiseConv2D, FullyConnected, TransposeConv,
};
use halfproof_wire::tflite::{Builtin, Options, Padding};

/// What an operator makes of x and constant weights of this shape.
fn weighted(builtin: Builtin, options: impl Into<Options>, x: Bounds, shape: &[usize], w: &[f64]) -> Bounds {
    let mut p = Program::default();
    let (x, w) = (p.tensor(&[1, 1, 1, 2], x), p.constant(shape, w));
    p.with(builtin, options, &[x, w], &[1, 1, 1, 2]).1
}

const UNIT: Bounds = Bounds { low: 0.0, high: 2.0, mean: 1.0, deviation: 0.5 };

#[test]
fn every_channel_counts_with_its_bias() {
    let dense = |bias: &[f64]| {
        let mut p = Program::default();
        let (x, w) = (p.tensor(&[1, 2], UNIT), p.constant(&[2, 2], &[1.0, -3.0, 2.0, 2.0]));
        let b = p.constant(&[bias.len()], bias);
        p.with(Builtin::FullyConnected, FullyConnected::default(), &[x, w, b], &[1, 2]).1
    };
    // x - 3x' + 10 from 4 to 12, about 8, deviating by half the root of 10; 2x + 2x' + 20 from 20 to 28, about 24, its terms
    // alike and so deviating by 4 halves. Over both: about 16, by the mean variance (2.5 + 4) / 2 and 8 squared.
    assert_bounds(dense(&[10.0, 20.0]), bounds(4.0, 28.0, 16.0, 67.25_f64.sqrt()));
    // A bias may be shorter than there are channels: 0 to 8 about 4 is left of the second.
    assert_bounds(dense(&[10.0]), bounds(0.0, 12.0, 6.0, 7.25_f64.sqrt()));
}

#[test]
fn windows_that_reach_over_the_border_see_zeros() {
    let positive = bounds(1.0, 3.0, 2.0, 0.5);
    let negative = bounds(-3.0, -1.0, -2.0, 0.5);
    let both = |builtin: Builtin, options: Options, shape: &[usize], padded: bool| {
        let ends = |x| {
            let y = weighted(builtin, options.clone(), x, shape, &[2.0]);
            (y.low, y.high)
        };
        let (near, far) = if padded { (0.0, 0.0) } else { (2.0, -2.0) };
        assert_eq!(ends(positive), (near, 6.0), "{builtin:?}");
        assert_eq!(ends(negative), (-6.0, far), "{builtin:?}");
    };
    for (padding, padded) in [(Padding::Same, true), (Padding::Valid, false)] {
        both(Builtin::Conv2d, Conv2D { padding, ..Conv2D::default() }.into(), &[1, 1, 1, 1], padded);
        let options = DepthwiseConv2D { padding, ..DepthwiseConv2D::default() };
        both(Builtin::DepthwiseConv2d, options.into(), &[1, 1, 1, 1], padded);
        both(Builtin::Conv3d, Conv3D { padding, ..Conv3D::default() }.into(), &[1, 1, 1, 1, 1], padded);
    }
    both(Builtin::FullyConnected, FullyConnected::default().into(), &[1, 1], false);
}

#[test]
fn a_transposed_convolution_has_its_operand_third_and_leaves_gaps() {
    let mut p = Program::default();
    let (size, w) = (p.tensor(&[4], fixed(9.0)), p.constant(&[1, 1, 1, 1], &[2.0]));
    let (x, b) = (p.tensor(&[1, 1, 1, 1], bounds(1.0, 3.0, 2.0, 0.5)), p.constant(&[1], &[10.0]));
    let options = TransposeConv { padding: Padding::Valid, ..TransposeConv::default() };
    let (_, y, _) = p.with(Builtin::TransposeConv, options, &[size, w, x, b], &[1, 2, 2, 1]);
    assert_ends(y, 10.0, 16.0);
}

/// Between 0 and 1, so that a channel reaches from the sum of its negative weights to that of its positive ones.
const SHARE: Bounds = Bounds { low: 0.0, high: 1.0, mean: 0.5, deviation: 1.0 };

#[test]
fn channels_are_rows_or_columns_of_the_weights() {
    // Rows: 0 to 3 and -5 to 6; columns: -5 to 1 and 0 to 8.
    let w = [1.0, 2.0, -5.0, 6.0];
    let ends = |builtin, options: Options, shape: &[usize]| {
        let y = weighted(builtin, options, SHARE, shape, &w);
        (y.low, y.high)
    };
    let rows = (-5.0, 6.0);
    let columns = (-5.0, 8.0);
    let valid = || Conv2D { padding: Padding::Valid, ..Conv2D::default() };
    assert_eq!(ends(Builtin::FullyConnected, FullyConnected::default().into(), &[2, 2]), rows);
    assert_eq!(ends(Builtin::Conv2d, valid().into(), &[2, 1, 1, 2]), rows);
    assert_eq!(ends(Builtin::DepthwiseConv2d, DepthwiseConv2D::default().into(), &[1, 1, 2, 2]), columns);
    assert_eq!(ends(Builtin::BatchMatmul, BatchMatMul::default().into(), &[2, 2]), columns);
    let transposed = BatchMatMul { adj_y: true, ..BatchMatMul::default() };
    assert_eq!(ends(Builtin::BatchMatmul, transposed.into(), &[2, 2]), rows);
}

#[test]
fn each_matrix_of_a_batch_has_channels_of_its_own() {
    // Two matrices of 3 rows and 2 columns: their columns add up to 6 and 60, and to the negatives of that.
    let w = [1.0, 10.0, 2.0, 20.0, 3.0, 30.0, -1.0, -10.0, -2.0, -20.0, -3.0, -30.0];
    let plain = weighted(Builtin::BatchMatmul, BatchMatMul::default(), SHARE, &[2, 3, 2], &w);
    assert_ends(plain, -60.0, 60.0);
    // Means of 3, 30, -3 and -30, and as deviations of terms alike 6, 60, 6 and 60: 454.5 and 1818.
    assert_bounds(plain, bounds(-60.0, 60.0, 0.0, (454.5 + 1818.0_f64).sqrt()));
    // The same transposed: rows of 3, however the batch is cut.
    let w = [1.0, 2.0, 3.0, 10.0, 20.0, 30.0, -1.0, -2.0, -3.0, -10.0, -20.0, -30.0];
    let options = BatchMatMul { adj_y: true, ..BatchMatMul::default() };
    assert_bounds(weighted(Builtin::BatchMatmul, options, SHARE, &[2, 2, 3], &w), plain);
    // Two matrices of a single row: means of half of 1, 4 and 8 and their negatives.
    let row = weighted(
        Builtin::BatchMatmul,
        BatchMatMul::default(),
        SHARE,
        &[2, 1, 3],
        &[1.0, 4.0, 8.0, -1.0, -4.0, -8.0],
    );
    assert_bounds(row, bounds(-8.0, 8.0, 0.0, (81.0 / 3.0 + 81.0 / 12.0_f64).sqrt()));
}
