//! The weights of Resize by its definition, at sizes where they can be worked out by hand.

use super::matrix::{Line, Matrix};
use halfproof_ir::ops::{CoordinateMode, NearestMode, Resize, ResizeMode};

/// An axis whose scale is the quotient of its extents.
fn line(input: u16, output: u16) -> Line {
    let scale = f64::from(output) / f64::from(input);
    Line { input: input.into(), output: output.into(), scale, roi: (0.0, 1.0) }
}

fn linear(coordinate_transformation_mode: CoordinateMode) -> Resize {
    Resize { mode: ResizeMode::Linear, coordinate_transformation_mode, ..Resize::default() }
}

fn cubic() -> Resize {
    Resize { mode: ResizeMode::Cubic, ..Resize::default() }
}

fn close(a: &[f64], b: &[f64]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-12)
}

/// Row by row, with weights that are multiples of one `n`-th.
#[track_caller]
fn assert_rows<const N: usize>(matrix: &Matrix, n: f64, rows: &[[f64; N]]) {
    assert_eq!(matrix.inputs, N);
    let expected: Vec<f64> = rows.iter().flatten().map(|w| w / n).collect();
    assert!(close(&matrix.weights, &expected), "{:?}\nis not\n{expected:?}", matrix.weights);
}

/// Where each output lies: linear weights say it, as long as that is inside.
fn positions(line: Line, mode: CoordinateMode) -> Vec<f64> {
    let matrix = line.matrix(&linear(mode));
    let at = |row: &[f64]| {
        assert!(close(&[row.iter().sum()], &[1.0]), "{row:?}");
        row.iter().zip([0.0, 1.0, 2.0, 3.0, 4.0]).map(|(w, i)| w * i).sum()
    };
    matrix.weights.chunks(line.input).map(at).collect()
}

#[track_caller]
fn assert_positions(line: Line, mode: CoordinateMode, expected: &[f64]) {
    let found = positions(line, mode);
    assert!(close(&found, expected), "{mode:?}: {found:?} is not {expected:?}");
}

#[test]
fn coordinates_are_those_of_the_definition() {
    use CoordinateMode::*;
    // (o + 0.5) / 2 - 0.5, cut to the image.
    let halves = [0.0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3.0];
    assert_positions(line(4, 8), HalfPixel, &halves);
    assert_positions(line(4, 8), PytorchHalfPixel, &halves);
    assert_positions(line(4, 8), HalfPixelSymmetric, &halves);
    // (o + 0.5) * 2 - 0.5.
    assert_positions(line(4, 2), HalfPixel, &[0.5, 2.5]);
    assert_positions(line(4, 2), PytorchHalfPixel, &[0.5, 2.5]);
    // PyTorch gives a single element the first place, not the middle.
    assert_positions(line(4, 1), HalfPixel, &[1.5]);
    assert_positions(line(4, 1), PytorchHalfPixel, &[0.0]);
    assert_positions(line(4, 8), Asymmetric, &[0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.0]);
    assert_positions(line(4, 2), Asymmetric, &[0.0, 2.0]);
    // The first lies on the first, the last on the last; a single one on the first.
    assert_positions(line(4, 7), AlignCorners, &[0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0]);
    assert_positions(line(5, 3), AlignCorners, &[0.0, 2.0, 4.0]);
    assert_positions(line(5, 2), AlignCorners, &[0.0, 4.0]);
    assert_positions(line(4, 1), AlignCorners, &[0.0]);
}

#[test]
fn a_scale_that_is_no_quotient_of_lengths_is_taken_as_it_is() {
    // 5 * 0.7 = 3.5, so there are 3: (o + 0.5) / 0.7 - 0.5.
    let odd = Line { scale: 0.7, ..line(5, 3) };
    let plain = [3.0 / 14.0, 23.0 / 14.0, 43.0 / 14.0];
    assert_positions(odd, CoordinateMode::HalfPixel, &plain);
    assert_positions(odd, CoordinateMode::Asymmetric, &[0.0, 10.0 / 7.0, 20.0 / 7.0]);
    // Symmetric about the middle of the image, 2: moved by 2.5 * (1 - 3 / 3.5) = 5 / 14.
    assert_positions(odd, CoordinateMode::HalfPixelSymmetric, &[8.0 / 14.0, 2.0, 48.0 / 14.0]);
}

#[test]
fn a_crop_begins_and_ends_where_its_region_does() {
    let crop = |input, output, roi| Line { roi, ..line(input, output) };
    let mode = CoordinateMode::TfCropAndResize;
    assert_positions(crop(5, 3, (0.25, 1.0)), mode, &[1.0, 2.5, 4.0]);
    assert_positions(crop(5, 2, (0.25, 0.5)), mode, &[1.0, 2.0]);
    assert_positions(crop(5, 3, (0.0, 1.0)), mode, &[0.0, 2.0, 4.0]);
    // A single one lies in the middle of the region.
    assert_positions(crop(5, 1, (0.25, 1.0)), mode, &[2.5]);

    // -1, 1, 3 and 5 of an image from 0 to 4.
    let matrix = crop(5, 4, (-0.25, 1.25)).matrix(&linear(mode));
    assert_eq!(matrix.outside, [true, false, false, true]);
    assert_rows(&matrix, 1.0, &[[0.0; 5], [0.0, 1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0, 0.0], [0.0; 5]]);
    assert_eq!(matrix.inside(), 1..3);
    // Its corners are in the image.
    assert_eq!(crop(5, 3, (0.0, 1.0)).matrix(&linear(mode)).inside(), 0..3);
    assert_eq!(crop(5, 3, (1.5, 2.0)).matrix(&linear(mode)).inside(), 0..0);
    // Every other mode repeats the border.
    assert_eq!(line(4, 8).matrix(&linear(CoordinateMode::HalfPixel)).inside(), 0..8);
}

/// Which element each output takes.
fn picks(matrix: &Matrix) -> Vec<usize> {
    let one = |row: &[f64]| {
        assert!(row.iter().all(|&w| w == 0.0 || w == 1.0), "{row:?}");
        row.iter().position(|&w| w == 1.0).expect("an element")
    };
    matrix.weights.chunks(matrix.inputs).map(one).collect()
}

fn nearest(
    line: Line,
    coordinate_transformation_mode: CoordinateMode,
    nearest_mode: NearestMode,
) -> Vec<usize> {
    picks(&line.matrix(&Resize { coordinate_transformation_mode, nearest_mode, ..Resize::default() }))
}

#[test]
fn the_nearest_element_is_rounded_as_the_node_says() {
    use NearestMode::*;
    // 0, 1/4, 1/2, 3/4, 1, ..., 2 3/4.
    let quarters = |mode| nearest(line(3, 12), CoordinateMode::Asymmetric, mode);
    assert_eq!(quarters(RoundPreferFloor), [0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 2]);
    assert_eq!(quarters(RoundPreferCeil), [0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2]);
    assert_eq!(quarters(Floor), [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]);
    assert_eq!(quarters(Ceil), [0, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2]);
}

#[test]
fn a_tie_is_a_tie_although_its_scale_is_rounded() {
    // 3 of 10: the second lies at 1.5 / 0.3 - 0.5 = 4.5. In binary64 that comes out above, with the float32 0.3 below.
    for scale in [0.3, f64::from(0.3_f32)] {
        let three = Line { scale, ..line(10, 3) };
        assert_eq!(nearest(three, CoordinateMode::HalfPixel, NearestMode::RoundPreferFloor), [1, 4, 8]);
        assert_eq!(nearest(three, CoordinateMode::HalfPixel, NearestMode::RoundPreferCeil), [1, 5, 8]);
    }
}

#[test]
fn linear_weights_fall_with_the_distance() {
    let matrix = line(2, 4).matrix(&linear(CoordinateMode::HalfPixel));
    assert_rows(&matrix, 4.0, &[[4.0, 0.0], [3.0, 1.0], [1.0, 3.0], [0.0, 4.0]]);
}

#[test]
fn antialiasing_widens_the_filter_where_the_image_shrinks() {
    let op = Resize { antialias: true, ..linear(CoordinateMode::HalfPixel) };
    // At 0.5 and 2.5, two elements wide on either side: 1/4, 3/4, 3/4 and 1/4, one of them beyond the border.
    assert_rows(&line(4, 2).matrix(&op), 8.0, &[[4.0, 3.0, 1.0, 0.0], [0.0, 1.0, 3.0, 4.0]]);
    // At 1 and 4, three elements wide: 1/3, 2/3, 1, 2/3 and 1/3.
    let rows = [[3.0, 3.0, 2.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 2.0, 3.0, 3.0]];
    assert_rows(&line(6, 2).matrix(&op), 9.0, &rows);
    // At 1.5 and 5.5, four elements wide: 1/8, 3/8, 5/8, 7/8 and back.
    let rows = [[9.0, 7.0, 7.0, 5.0, 3.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 3.0, 5.0, 7.0, 7.0, 9.0]];
    assert_rows(&line(8, 2).matrix(&op), 32.0, &rows);
    // An image that grows is filtered as ever.
    assert_eq!(line(2, 4).matrix(&op), line(2, 4).matrix(&linear(CoordinateMode::HalfPixel)));
    // Weights of what lies outside go to the border, or nowhere.
    let op = Resize { exclude_outside: true, ..op };
    assert_rows(&line(4, 2).matrix(&op), 7.0, &[[3.0, 3.0, 1.0, 0.0], [0.0, 1.0, 3.0, 3.0]]);
}

/// The cubic weights at a quarter, in 512ths, with a = -3/4: at distances 1 1/4, 1/4, 3/4 and 1 3/4.
const QUARTER: [f64; 4] = [-54.0, 450.0, 134.0, -18.0];

#[test]
fn cubic_weights_are_those_of_the_polynomials() {
    let [a, b, c, d] = QUARTER;
    assert_eq!(a + b + c + d, 512.0);
    // -1/4, 1/4, 3/4, ..., 4 1/4. What lies outside is the border again.
    let rows = [
        [d + c + b, a, 0.0, 0.0, 0.0],
        [a + b, c, d, 0.0, 0.0],
        [d + c, b, a, 0.0, 0.0],
        [a, b, c, d, 0.0],
        [d, c, b, a, 0.0],
        [0.0, a, b, c, d],
        [0.0, d, c, b, a],
        [0.0, 0.0, a, b, c + d],
        [0.0, 0.0, d, c, b + a],
        [0.0, 0.0, 0.0, a, b + c + d],
    ];
    assert_rows(&line(5, 10).matrix(&cubic()), 512.0, &rows);

    // In the middle between two, with another coefficient: -1/16 and 9/16.
    let half = Resize { cubic_coeff_a: -0.5, ..cubic() };
    assert_rows(&line(4, 2).matrix(&half), 16.0, &[[8.0, 9.0, -1.0, 0.0], [0.0, -1.0, 9.0, 8.0]]);
}

#[test]
fn cubic_weights_outside_can_be_left_out() {
    let [a, b, c, d] = QUARTER;
    let matrix = line(5, 10).matrix(&Resize { exclude_outside: true, ..cubic() });
    let row = |o: usize| &matrix.weights[5 * o..5 * o + 5];
    let share = |part: &[f64]| -> Vec<f64> { part.iter().map(|w| w / part.iter().sum::<f64>()).collect() };
    assert!(close(row(0), &share(&[b, a, 0.0, 0.0, 0.0])));
    assert!(close(row(1), &share(&[b, c, d, 0.0, 0.0])));
    assert!(close(row(2), &share(&[c, b, a, 0.0, 0.0])));
    assert!(close(row(3), &share(&[a, b, c, d, 0.0])));
    assert!(close(row(6), &share(&[0.0, d, c, b, a])));
    assert!(close(row(9), &share(&[0.0, 0.0, 0.0, a, b])));
}

#[test]
fn a_cubic_filter_is_widened_too() {
    let [a, b, c, d] = QUARTER;
    let matrix = line(4, 2).matrix(&Resize { antialias: true, ..cubic() });
    // At 0.5 with distances of 1/4, 3/4, 1 1/4 and 1 3/4 on either side.
    let left = [a + b + c + d, b, c, a + d];
    assert_rows(&matrix, 1024.0, &[left, [left[3], left[2], left[1], left[0]]]);
}

#[test]
fn only_an_axis_that_nothing_changes_is_a_copy() {
    assert!(line(4, 4).is_copy());
    assert!(!line(4, 5).is_copy());
    assert!(!Line { scale: 1.1, ..line(4, 4) }.is_copy(), "4 * 1.1 is 4.4, and the elements move");
    assert!(!Line { scale: 1.0, ..line(4, 5) }.is_copy());
    assert!(!Line { roi: (0.1, 1.0), ..line(4, 4) }.is_copy());
    let matrix = line(3, 3).matrix(&linear(CoordinateMode::HalfPixel));
    assert_rows(&matrix, 1.0, &[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]);
}

#[test]
fn every_output_is_given_as_many_elements_by_halving_its_largest_weight() {
    let weights = vec![1.0, 0.0, 0.0, 0.5, 0.25, 0.25, 0.0, 0.75, 0.25, 0.0, 0.0, 0.0];
    let matrix = Matrix { inputs: 3, weights, outside: vec![false, false, false, true] };
    let expected = [
        vec![(0, 0.5), (0, 0.25), (0, 0.25)],
        vec![(0, 0.5), (1, 0.25), (2, 0.25)],
        vec![(1, 0.375), (1, 0.375), (2, 0.25)],
    ];
    assert_eq!(matrix.taps(), expected);
}

#[test]
fn matrices_agree_up_to_the_rounding_of_coordinates() {
    let of = |w: f64, out: bool| Matrix { inputs: 1, weights: vec![0.5, w], outside: vec![false, out] };
    let one = of(1.0, false);
    assert!(one.agrees(&of(1.0 + 1e-13, false)));
    assert!(one.agrees(&of(1.0 - 1e-13, false)));
    assert!(!one.agrees(&of(1.0 + 1e-11, false)));
    assert!(!one.agrees(&of(1.0 - 1e-11, false)));
    assert!(!one.agrees(&of(1.0, true)));
}

#[test]
fn tflite_interpolates_in_three_ways() {
    let halves = [[4.0, 0.0], [3.0, 1.0], [1.0, 3.0], [0.0, 4.0]];
    assert_rows(&line(2, 4).tflite_bilinear(false, true), 4.0, &halves);
    let corners = [[2.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.0, 2.0, 0.0], [0.0, 1.0, 1.0], [0.0, 0.0, 2.0]];
    assert_rows(&line(3, 5).tflite_bilinear(true, false), 2.0, &corners);
    let plain = [[2.0, 0.0], [1.0, 1.0], [0.0, 2.0], [0.0, 2.0]];
    assert_rows(&line(2, 4).tflite_bilinear(false, false), 2.0, &plain);
    assert_rows(&line(4, 1).tflite_bilinear(true, false), 1.0, &[[1.0, 0.0, 0.0, 0.0]]);
}

#[test]
fn tflite_takes_the_nearest_in_three_ways() {
    let picks = |line: Line, corners, half| {
        line.tflite_nearest(corners, half).map(|m| picks(&m)).expect("one answer")
    };
    assert_eq!(picks(line(4, 2), false, false), [0, 2]);
    assert_eq!(picks(line(4, 2), false, true), [1, 3]);
    assert_eq!(picks(line(4, 2), true, false), [0, 3]);
    assert_eq!(picks(line(3, 6), false, false), [0, 0, 1, 1, 2, 2]);
    // 0, 1/2, 1, 3/2 and 2, halves away from zero.
    assert_eq!(picks(line(3, 5), true, false), [0, 1, 1, 2, 2]);
    assert_eq!(picks(line(4, 1), true, false), [0]);
}

#[test]
fn where_binary32_takes_another_element_there_is_no_answer() {
    // 11 * 26 / 22 is 13, but 12.999999 in binary32; 11 * 13 / 22 is 6.5, and rounds down there.
    assert!(line(26, 22).tflite_nearest(false, false).is_none());
    assert!(line(14, 23).tflite_nearest(true, false).is_none());
    assert!(line(26, 23).tflite_nearest(false, false).is_some());
}
