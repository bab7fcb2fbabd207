//! The weights with which each output element of a resized axis takes input elements, by the ONNX definition of Resize
//! and by the definitions of TFLite's two resizes, to be compared.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "extents are far below 2^53"
)]

use halfproof_ir::ops::{CoordinateMode, NearestMode, Resize, ResizeMode};
use std::ops::Range;

/// One axis.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    pub(super) input: usize,
    pub(super) output: usize,
    /// As the node gives it; not always the ratio of the extents.
    pub(super) scale: f64,
    /// Normalised start and end of the region of interest.
    pub(super) roi: (f64, f64),
}

/// Weights by output (rows) and input (columns).
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Matrix {
    pub(super) inputs: usize,
    pub(super) weights: Vec<f64>,
    /// Outputs that lie outside the input; their rows are zero.
    pub(super) outside: Vec<bool>,
}

impl Matrix {
    fn zeros(line: &Line) -> Matrix {
        Matrix {
            inputs: line.input,
            weights: vec![0.0; line.input * line.output],
            outside: vec![false; line.output],
        }
    }

    /// Adds a weight; what lies outside takes the nearest element inside.
    fn put(&mut self, output: usize, input: i64, weight: f64) {
        let last = self.inputs.cast_signed() as i64 - 1;
        let input = usize::try_from(input.clamp(0, last)).unwrap_or(0);
        self.weights[output * self.inputs + input] += weight;
    }

    /// The outputs that lie inside the input. Coordinates are monotone, so these lie together.
    pub(super) fn inside(&self) -> Range<usize> {
        let first = self.outside.iter().position(|&o| !o).unwrap_or(0);
        let end = self.outside.iter().rposition(|&o| !o).map_or(first, |last| last + 1);
        first..end
    }

    /// The input elements of every output inside, with their weights: as many for each, and none with weight 0 (an
    /// infinite element times 0 is no number). Where an output has fewer, its largest weight is split into equal halves.
    pub(super) fn taps(&self) -> Vec<Vec<(usize, f64)>> {
        let row = |o: usize| -> Vec<(usize, f64)> {
            let weights = &self.weights[o * self.inputs..(o + 1) * self.inputs];
            weights.iter().copied().enumerate().filter(|&(_, w)| w != 0.0).collect()
        };
        let mut taps: Vec<_> = self.inside().map(row).collect();
        let most = taps.iter().map(Vec::len).max().unwrap_or(0);
        for row in &mut taps {
            while row.len() < most {
                let largest = row.iter().copied().enumerate().max_by(|(_, a), (_, b)| a.1.total_cmp(&b.1));
                let (at, (input, weight)) = largest.unwrap_or((0, (0, 0.0)));
                match row.get_mut(at) {
                    Some(tap) => tap.1 = weight / 2.0,
                    None => row.push((input, weight)),
                }
                row.insert((at + 1).min(row.len()), (input, weight / 2.0));
            }
            row.truncate(most);
        }
        taps
    }

    /// The same weights, but for the rounding of coordinates in binary64.
    pub(super) fn agrees(&self, other: &Matrix) -> bool {
        const ROUNDING: f64 = 1e-12;
        self.outside == other.outside
            && self.weights.iter().zip(&other.weights).all(|(a, b)| (a - b).abs() <= ROUNDING)
    }
}

impl Line {
    /// Whether nothing is resized.
    pub(super) fn is_copy(&self) -> bool {
        self.input == self.output && self.scale == 1.0 && self.roi == (0.0, 1.0)
    }

    /// Where output `o` lies in the input, as a quotient: ties and fractions stay exact that way.
    fn coordinate(&self, o: usize, mode: CoordinateMode) -> (f64, f64) {
        let (input, x) = (self.input as f64, o as f64);
        let wide = self.scale * input;
        // Where the scale is the quotient of the lengths, or what float32 makes of it, whole numbers keep ties exact.
        let output = self.output as f64;
        let whole = [output / input, f64::from((output / input) as f32)].contains(&self.scale);
        let (over, under) = if whole { (output, input) } else { (self.scale, 1.0) };
        let half_pixel = ((2.0 * x + 1.0) * under - over, 2.0 * over);
        match mode {
            CoordinateMode::HalfPixel => half_pixel,
            CoordinateMode::HalfPixelSymmetric => {
                let adjustment = output / wide;
                let shift = input / 2.0 * (1.0 - adjustment);
                (shift * half_pixel.1 + half_pixel.0, half_pixel.1)
            }
            CoordinateMode::PytorchHalfPixel if self.output > 1 => half_pixel,
            // `length_resized` of the formulas is the (whole) length of the result, as ONNX Runtime reads them too; the
            // onnx package's own reference uses the length before it is rounded down.
            CoordinateMode::AlignCorners if self.output > 1 => (x * (input - 1.0), output - 1.0),
            CoordinateMode::PytorchHalfPixel | CoordinateMode::AlignCorners => (0.0, 1.0),
            CoordinateMode::Asymmetric => (x * under, over),
            CoordinateMode::TfCropAndResize => {
                let (start, end) = self.roi;
                if self.output > 1 {
                    let steps = output - 1.0;
                    (start * (input - 1.0) * steps + x * (end - start) * (input - 1.0), steps)
                } else {
                    (0.5 * (start + end) * (input - 1.0), 1.0)
                }
            }
        }
    }

    /// The weights that ONNX defines.
    pub(super) fn matrix(&self, op: &Resize) -> Matrix {
        let mut matrix = Matrix::zeros(self);
        if self.is_copy() {
            for o in 0..self.output {
                matrix.put(o, o.cast_signed() as i64, 1.0);
            }
            return matrix;
        }
        let crop = op.coordinate_transformation_mode == CoordinateMode::TfCropAndResize;
        for o in 0..self.output {
            let (over, under) = self.coordinate(o, op.coordinate_transformation_mode);
            let x = over / under;
            if crop && (x < 0.0 || x > self.input as f64 - 1.0) {
                matrix.outside[o] = true;
                continue;
            }
            if op.mode == ResizeMode::Nearest {
                let nearest = match op.nearest_mode {
                    NearestMode::RoundPreferFloor => (x - 0.5).ceil(),
                    NearestMode::RoundPreferCeil => (x + 0.5).floor(),
                    NearestMode::Floor => x.floor(),
                    NearestMode::Ceil => x.ceil(),
                };
                matrix.put(o, nearest as i64, 1.0);
                continue;
            }
            let floor = x.floor();
            let (first, mut taps) = self.taps(op, (over - floor * under) / under);
            let first = floor as i64 + first;
            if op.exclude_outside {
                for (k, w) in taps.iter_mut().enumerate() {
                    let at = first + k.cast_signed() as i64;
                    if at < 0 || at >= self.input.cast_signed() as i64 {
                        *w = 0.0;
                    }
                }
            }
            let sum = if op.exclude_outside || op.antialias { taps.iter().sum() } else { 1.0 };
            for (k, w) in taps.iter().enumerate() {
                matrix.put(o, first + k.cast_signed() as i64, w / sum);
            }
        }
        matrix
    }

    /// Weights of the input elements from `floor + first` on, for a coordinate `fraction` above its floor.
    fn taps(&self, op: &Resize, fraction: f64) -> (i64, Vec<f64>) {
        let shrink = if op.antialias { self.scale.min(1.0) } else { 1.0 };
        let support = if op.mode == ResizeMode::Linear { 1.0 } else { 2.0 };
        let a = f64::from(op.cubic_coeff_a);
        let filter = |distance: f64| {
            let d = distance.abs();
            match (op.mode, d) {
                (ResizeMode::Linear, d) => (1.0 - d).max(0.0),
                // The polynomials of the definition, divided by their roots: small weights keep their bits.
                (_, d) if d <= 1.0 => (1.0 - d) * (1.0 + d - (a + 2.0) * d * d),
                (_, d) if d < 2.0 => a * (d - 1.0) * (2.0 - d) * (2.0 - d),
                _ => 0.0,
            }
        };
        let first = (-support / shrink).floor() as i64;
        let last = (support / shrink).ceil() as i64 + 1;
        (first, (first..=last).map(|k| filter((k as f64 - fraction) * shrink)).collect())
    }

    /// The weights of RESIZE_BILINEAR.
    pub(super) fn tflite_bilinear(&self, align_corners: bool, half_pixel: bool) -> Matrix {
        let mut matrix = Matrix::zeros(self);
        let (input, output) = (self.input as f64, self.output as f64);
        let scale =
            if align_corners && self.output > 1 { (input - 1.0) / (output - 1.0) } else { input / output };
        for o in 0..self.output {
            let x = if half_pixel { (o as f64 + 0.5) * scale - 0.5 } else { o as f64 * scale };
            let lower = x.floor().max(0.0);
            let weight = x - lower;
            matrix.put(o, lower as i64, 1.0 - weight);
            matrix.put(o, x.ceil() as i64, weight);
        }
        matrix
    }

    /// The elements that RESIZE_NEAREST_NEIGHBOR takes; `None` where its binary32 coordinates could round otherwise.
    pub(super) fn tflite_nearest(&self, align_corners: bool, half_pixel: bool) -> Option<Matrix> {
        let mut matrix = Matrix::zeros(self);
        let exact = self.nearest_positions(align_corners, half_pixel, |x| x);
        let single = self.nearest_positions(align_corners, half_pixel, |x| f64::from(x as f32));
        if exact != single {
            return None;
        }
        for (o, p) in exact.into_iter().enumerate() {
            matrix.put(o, p, 1.0);
        }
        Some(matrix)
    }

    fn nearest_positions(&self, align_corners: bool, half_pixel: bool, round: fn(f64) -> f64) -> Vec<i64> {
        let (input, output) = (self.input as f64, self.output as f64);
        let scale = round(if align_corners && self.output > 1 {
            (input - 1.0) / (output - 1.0)
        } else {
            input / output
        });
        let offset = if half_pixel { 0.5 } else { 0.0 };
        let place = |o: usize| {
            let x = round((o as f64 + offset) * scale);
            (if align_corners { x.round() } else { x.floor() }) as i64
        };
        (0..self.output).map(place).collect()
    }
}
