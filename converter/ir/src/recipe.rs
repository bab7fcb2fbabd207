//! Constants by recipe: elements that follow from a few characters of text, so that a readable graph needs no
//! second file. Elements are the same on every machine: only integer arithmetic and exact divisions make them.

use crate::{DType, Data, Tensor};
use half::f16;

/// How to make the elements of a constant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Recipe {
    /// Small multiples of a quarter, exact in float16, neighbors distinct: element i is (((7 i + seed) mod 17) - 8) / 4.
    /// In integer types without the division, in unsigned ones without the subtraction.
    Lattice(u64),
    /// Nearly normal with mean 0 and deviation 1: the sum of twelve uniform numbers, less 6. Rounded in integer types.
    Gaussian(u64),
    /// One value everywhere.
    Fill(f64),
}

impl Recipe {
    /// The tensor of this type and shape, `None` when the shape has more than 2^28 elements or when `Fill` does not
    /// fit the type exactly.
    pub fn make(self, dtype: DType, shape: &[usize]) -> Option<Tensor> {
        let len = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d)).filter(|&n| n <= 1 << 28)?;
        let data = match self {
            Recipe::Lattice(seed) => {
                let start = seed % 17;
                let signed = |i: usize| ((7 * (i as u64 % 17) + start) % 17) as i64 - 8;
                let shift = if dtype.is_float() { 0.25 } else { 1.0 };
                let up =
                    if matches!(dtype, DType::U8 | DType::U16 | DType::U32 | DType::U64) { 8 } else { 0 };
                data(dtype, (0..len).map(|i| (signed(i) + up) as f64 * shift))
            }
            Recipe::Gaussian(seed) => {
                let mut state = seed;
                data(dtype, (0..len).map(|_| gaussian(&mut state)))
            }
            Recipe::Fill(value) => {
                let data = data(dtype, (0..len).map(|_| value));
                let first = Tensor { shape: vec![1], data: self::data(dtype, std::iter::once(value)) };
                let back =
                    first.floats().or_else(|| Some(first.integers()?.iter().map(|&i| i as f64).collect()))?;
                if back[0].to_bits() != value.to_bits() && !(back[0].is_nan() && value.is_nan()) {
                    return None;
                }
                data
            }
        };
        Some(Tensor::new(shape, data))
    }
}

/// The sum of twelve uniform numbers of 32 bits each, less 6: exact in f64.
fn gaussian(state: &mut u64) -> f64 {
    let sum: u64 = (0..6)
        .map(|_| {
            let x = split_mix(state);
            (x >> 32) + (x & 0xffff_ffff)
        })
        .sum();
    sum as f64 / 4_294_967_296.0 - 6.0
}

/// The SplitMix64 generator (Steele, Lea and Flood 2014).
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn data(dtype: DType, elements: impl Iterator<Item = f64>) -> Data {
    match dtype {
        DType::F16 => Data::F16(elements.map(f16::from_f64).collect()),
        DType::F32 => Data::F32(elements.map(|x| x as f32).collect()),
        DType::F64 => Data::F64(elements.collect()),
        DType::I8 => Data::I8(elements.map(|x| x as i8).collect()),
        DType::I16 => Data::I16(elements.map(|x| x as i16).collect()),
        DType::I32 => Data::I32(elements.map(|x| x as i32).collect()),
        DType::I64 => Data::I64(elements.map(|x| x as i64).collect()),
        DType::U8 => Data::U8(elements.map(|x| x as u8).collect()),
        DType::U16 => Data::U16(elements.map(|x| x as u16).collect()),
        DType::U32 => Data::U32(elements.map(|x| x as u32).collect()),
        DType::U64 => Data::U64(elements.map(|x| x as u64).collect()),
        DType::Bool => Data::Bool(elements.map(|x| x >= 1.0).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lattice_is_exact_in_float16_and_neighbors_differ() {
        let wide = Recipe::Lattice(7).make(DType::F64, &[40]).unwrap().floats().unwrap();
        let half = Recipe::Lattice(7).make(DType::F16, &[40]).unwrap().floats().unwrap();
        assert_eq!(wide, half);
        assert!(wide.windows(2).all(|w| w[0] != w[1]));
        assert_eq!(wide[..3], [-0.25, 1.5, -1.0]);
    }

    #[test]
    fn a_gaussian_has_the_moments_it_should_and_follows_from_its_seed() {
        let x = Recipe::Gaussian(1).make(DType::F64, &[10_000]).unwrap().floats().unwrap();
        let mean = x.iter().sum::<f64>() / 1e4;
        let square = x.iter().map(|x| x * x).sum::<f64>() / 1e4;
        assert!(mean.abs() < 0.05 && (square - 1.0).abs() < 0.05, "{mean} {square}");
        assert_ne!(Recipe::Gaussian(2).make(DType::F64, &[10_000]).unwrap().floats().unwrap(), x);
    }

    #[test]
    fn a_fill_that_does_not_fit_its_type_is_no_tensor() {
        assert!(Recipe::Fill(0.1).make(DType::F16, &[2]).is_none());
        assert!(Recipe::Fill(300.0).make(DType::U8, &[2]).is_none());
        assert_eq!(Recipe::Fill(3.0).make(DType::U8, &[2]), Some(Tensor::new([2], Data::U8(vec![3, 3]))));
    }

    #[test]
    fn a_shape_beyond_memory_is_no_tensor() {
        assert!(Recipe::Lattice(0).make(DType::F32, &[1 << 40, 1 << 40]).is_none());
    }
}
