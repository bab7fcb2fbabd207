//! The elements of a float constant before any rounding to float16.

use std::sync::Arc;

/// Exact elements: as float32 where all of them are float32 numbers, which weights are, at half of the memory.
#[derive(Clone, Debug)]
pub enum Elements {
    /// Float32 numbers.
    Single(Arc<Vec<f32>>),
    /// Any numbers.
    Double(Arc<Vec<f64>>),
    /// Float32 numbers as a file holds them, little-endian: shared with it.
    Bytes(Arc<Vec<u8>>),
}

/// Shorter constants are not worth looking at.
const SHORT: usize = 1024;

impl Elements {
    /// The number that four bytes of a file are.
    #[inline]
    pub fn number(bytes: [u8; 4]) -> f64 {
        f64::from(f32::from_le_bytes(bytes))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Elements::Single(v) => v.len(),
            Elements::Double(v) => v.len(),
            Elements::Bytes(b) => b.len() / 4,
        }
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One of them.
    ///
    /// # Panics
    /// When there are not so many.
    pub fn get(&self, i: usize) -> f64 {
        match self {
            Elements::Single(v) => f64::from(v[i]),
            Elements::Double(v) => v[i],
            Elements::Bytes(b) => Elements::number(b.as_chunks().0[i]),
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = f64> + ExactSizeIterator + Clone + '_ {
        (0..self.len()).map(|i| self.get(i))
    }

    /// A copy with something made of each.
    pub fn map<T>(&self, make: impl Fn(f64) -> T) -> Vec<T> {
        match self {
            Elements::Single(v) => v.iter().map(|&x| make(f64::from(x))).collect(),
            Elements::Double(v) => v.iter().map(|&x| make(x)).collect(),
            Elements::Bytes(b) => b.as_chunks().0.iter().map(|&x| make(Elements::number(x))).collect(),
        }
    }

    /// A copy.
    pub fn to_vec(&self) -> Vec<f64> {
        self.map(|x| x)
    }
}

impl From<Vec<f64>> for Elements {
    fn from(v: Vec<f64>) -> Elements {
        let single = |x: &f64| f64::from(*x as f32).to_bits() == x.to_bits();
        if v.len() > SHORT && v.iter().all(single) {
            return Elements::Single(Arc::new(v.into_iter().map(|x| x as f32).collect()));
        }
        Elements::Double(Arc::new(v))
    }
}

impl From<Vec<f32>> for Elements {
    fn from(v: Vec<f32>) -> Elements {
        Elements::Single(Arc::new(v))
    }
}

/// Equal elements, however they are held.
impl PartialEq for Elements {
    fn eq(&self, other: &Elements) -> bool {
        self.len() == other.len() && self.iter().zip(other.iter()).all(|(a, b)| a == b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn float32_numbers_are_held_as_such_and_give_back_what_they_were() {
        let mut values: Vec<f64> = (0..2000).map(|i| f64::from(i as f32 * 0.1)).collect();
        values[7] = f64::NEG_INFINITY;
        let held = Elements::from(values.clone());
        assert!(matches!(held, Elements::Single(_)));
        assert_eq!(held.to_vec(), values);
        assert_eq!((held.get(1), held.len()), (values[1], 2000));
        values[3] = 0.1;
        let held = Elements::from(values.clone());
        assert!(matches!(held, Elements::Double(_)));
        assert_eq!(held.map(|x| -x), values.iter().map(|x| -x).collect::<Vec<f64>>());
    }

    #[test]
    fn how_elements_are_held_makes_no_difference() {
        assert_eq!(Elements::from(vec![0.5f32, 1.0]), Elements::from(vec![0.5f64, 1.0]));
        let bytes: Vec<u8> = [0.5f32, 1.0].iter().flat_map(|x| x.to_le_bytes()).collect();
        let held = Elements::Bytes(Arc::new(bytes));
        assert_eq!(held, Elements::from(vec![0.5f64, 1.0]));
        assert_eq!((held.len(), held.get(1), held.to_vec()), (2, 1.0, vec![0.5, 1.0]));
        assert_ne!(Elements::from(vec![0.1f32]), Elements::from(vec![0.1f64]));
    }
}
