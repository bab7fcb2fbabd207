//! One axis of Resize: its extent, the original coordinate of every output index, and the cells and weights there.
//!
//! Coordinates are computed from ratios of whole numbers where the operator has them, so that a coordinate that is a whole
//! number or a half comes out as one. A float32 scale that is the nearest to `output / input` stands for that ratio.
//! `align_corners`, `pytorch_half_pixel` and `tf_crop_and_resize` use the (whole) length of the result, as their formulas read;
//! `half_pixel_symmetric` also its fractional length.

use halfproof_ir::ops::{CoordinateMode, NearestMode, Resize, ResizeMode};

/// One axis.
pub(super) struct Axis {
    /// Input extent.
    pub(super) input: usize,
    /// Output extent.
    pub(super) output: usize,
    /// The scale as numerator and denominator.
    pub(super) ratio: (f64, f64),
    /// Start and end of the region of interest, as fractions of the extent.
    pub(super) roi: (f64, f64),
}

/// The cells that one output index reads.
pub(super) enum Taps {
    /// Input index and weight; no weight is 0.
    Inside(Vec<(usize, f64)>),
    /// The coordinate is outside and takes the extrapolation value.
    Outside,
}

impl Axis {
    /// An axis that keeps its extent.
    pub(super) fn whole(n: usize) -> Axis {
        Axis { input: n, output: n, ratio: (1.0, 1.0), roi: (0.0, 1.0) }
    }

    /// Sets the extent from a scale; `None` when the scale has no meaning.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the operation is in float32"
    )]
    pub(super) fn scale_by(&mut self, scale: f64) -> Option<()> {
        if !(scale > 0.0 && scale < 1e9) {
            return None;
        }
        let part = (self.roi.1 - self.roi.0) as f32;
        let length = (self.input as f32 * part * scale as f32).floor();
        if !(0.0..1e9).contains(&length) {
            return None;
        }
        self.output = length as usize;
        let nearest = (self.output as f64 / self.input as f64) as f32;
        self.ratio = match f64::from(nearest) == scale {
            true => (self.output as f64, self.input as f64),
            false => (scale, 1.0),
        };
        Some(())
    }

    /// True when every output index reads its own cell alone.
    pub(super) fn is_identity(&self, op: &Resize) -> bool {
        self.input == self.output
            && self.ratio.0 == self.ratio.1
            && (op.coordinate_transformation_mode != CoordinateMode::TfCropAndResize
                || self.roi == (0.0, 1.0))
    }

    /// The cells of every output index.
    pub(super) fn taps(&self, op: &Resize) -> Vec<Taps> {
        (0..self.output).map(|o| self.tap(op, o)).collect()
    }

    /// The coordinate in the input of an output index, as a quotient. Distances from it are taken before the division:
    /// those from a rounded coordinate would lose as many bits as the coordinate has before its point.
    fn original(&self, mode: CoordinateMode, o: usize) -> (f64, f64) {
        let (over, under) = self.ratio;
        let (o, n, m) = (o as f64, self.input as f64, self.output as f64);
        match mode {
            CoordinateMode::HalfPixel => ((2.0 * o + 1.0) * under - over, 2.0 * over),
            CoordinateMode::HalfPixelSymmetric => {
                let fractional = n * over / under;
                let offset = n / 2.0 * (1.0 - m / fractional);
                (offset * 2.0 * over + ((2.0 * o + 1.0) * under - over), 2.0 * over)
            }
            CoordinateMode::PytorchHalfPixel if m > 1.0 => ((2.0 * o + 1.0) * under - over, 2.0 * over),
            CoordinateMode::AlignCorners if m > 1.0 => (o * (n - 1.0), m - 1.0),
            CoordinateMode::PytorchHalfPixel | CoordinateMode::AlignCorners => (0.0, 1.0),
            CoordinateMode::Asymmetric => (o * under, over),
            CoordinateMode::TfCropAndResize => {
                let (start, end) = self.roi;
                match m > 1.0 {
                    true => (start * (n - 1.0) * (m - 1.0) + o * (end - start) * (n - 1.0), m - 1.0),
                    false => (0.5 * (start + end) * (n - 1.0), 1.0),
                }
            }
        }
    }

    fn tap(&self, op: &Resize, o: usize) -> Taps {
        let (over, under) = self.original(op.coordinate_transformation_mode, o);
        let x = over / under;
        let last = self.input as f64 - 1.0;
        if op.coordinate_transformation_mode == CoordinateMode::TfCropAndResize && !(0.0..=last).contains(&x)
        {
            return Taps::Outside;
        }
        let clamped = |i: f64| whole(i.clamp(0.0, last));
        let radius = match op.mode {
            ResizeMode::Nearest => return Taps::Inside(vec![(clamped(nearest(op.nearest_mode, x)), 1.0)]),
            ResizeMode::Linear => 1.0,
            ResizeMode::Cubic => 2.0,
        };
        // Antialiasing stretches the filter when the axis shrinks.
        let stretch = if op.antialias { (self.ratio.0 / self.ratio.1).min(1.0) } else { 1.0 };
        let filter = |i: f64| {
            let distance = (i * under - over).abs() * stretch;
            if op.mode == ResizeMode::Linear {
                ((under - distance) / under).max(0.0)
            } else {
                cubic(distance, under, op.cubic_coeff_a.into())
            }
        };
        let (first, end) = ((x - radius / stretch).floor(), (x + radius / stretch).ceil());
        let mut taps: Vec<(usize, f64)> = Vec::new();
        let mut total = 0.0;
        let mut i = first;
        while i <= end {
            let w = filter(i);
            let counts = !op.exclude_outside || (0.0..=last).contains(&i);
            if counts && w != 0.0 {
                total += w;
                let at = clamped(i);
                match taps.last_mut() {
                    Some((same, sum)) if *same == at => *sum += w,
                    _ => taps.push((at, w)),
                }
            }
            i += 1.0;
        }
        if op.antialias || op.exclude_outside {
            for (_, w) in &mut taps {
                *w /= total;
            }
        }
        taps.retain(|&(_, w)| w != 0.0);
        Taps::Inside(taps)
    }
}

fn nearest(mode: NearestMode, x: f64) -> f64 {
    match mode {
        NearestMode::RoundPreferFloor => (x - 0.5).ceil(),
        NearestMode::RoundPreferCeil => (x + 0.5).floor(),
        NearestMode::Floor => x.floor(),
        NearestMode::Ceil => x.ceil(),
    }
}

/// Keys' cubic convolution kernel at the distance `over / under`, by its roots: small weights keep their bits.
fn cubic(over: f64, under: f64, a: f64) -> f64 {
    let (x, beyond_one, beyond_two) = (over / under, (over - under) / under, (over - 2.0 * under) / under);
    if x <= 1.0 {
        beyond_one * (((a + 2.0) * x - 1.0) * x - 1.0)
    } else if x < 2.0 {
        a * beyond_one * beyond_two * beyond_two
    } else {
        0.0
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to the indices of the axis"
)]
fn whole(i: f64) -> usize {
    i as usize
}
