//! Stores constant data so that equal bytes are stored once.

use halfproof_wire::tflite::Buffer;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The buffers of a file under construction; number 0 is the empty one.
#[derive(Debug)]
pub(crate) struct Buffers {
    list: Vec<Buffer>,
    /// First buffer of that length and hash.
    known: BTreeMap<(usize, u64), u32>,
}

impl Default for Buffers {
    fn default() -> Self {
        Buffers { list: vec![Buffer::default()], known: BTreeMap::new() }
    }
}

impl Buffers {
    /// The number of a buffer with these bytes.
    pub(crate) fn add(&mut self, bytes: Arc<Vec<u8>>) -> u32 {
        if bytes.is_empty() {
            // A constant without elements still is one: it must not look like "no data".
            return self.push(bytes);
        }
        let key = (bytes.len(), hash(&bytes));
        match self.known.get(&key) {
            Some(&i) if self.list[i as usize] == bytes => i,
            Some(_) => self.push(bytes),
            None => {
                let i = self.push(bytes);
                self.known.insert(key, i);
                i
            }
        }
    }

    pub(crate) fn into_vec(self) -> Vec<Buffer> {
        self.list
    }

    fn push(&mut self, bytes: Arc<Vec<u8>>) -> u32 {
        self.list.push(bytes);
        u32::try_from(self.list.len() - 1).expect("fewer than 2^32 buffers")
    }
}

/// Only finds candidates; equality is checked on the bytes.
fn hash(bytes: &[u8]) -> u64 {
    const MULTIPLIER: u64 = 0x9E37_79B9_7F4A_7C15;
    let (words, rest) = bytes.as_chunks::<8>();
    let mut state = bytes.len() as u64;
    for word in words {
        state = (state.rotate_left(5) ^ u64::from_le_bytes(*word)).wrapping_mul(MULTIPLIER);
    }
    for &byte in rest {
        state = (state.rotate_left(5) ^ u64::from(byte)).wrapping_mul(MULTIPLIER);
    }
    state
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_bytes_are_stored_once_and_buffer_zero_stays_empty() {
        let mut buffers = Buffers::default();
        let a = buffers.add(Arc::new(vec![1, 2, 3]));
        let b = buffers.add(Arc::new(vec![1, 2, 4]));
        let c = buffers.add(Arc::new(vec![1, 2, 3]));
        assert_eq!((a, b, c), (1, 2, 1));
        let list = buffers.into_vec();
        assert_eq!(list.len(), 3);
        assert!(list[0].is_empty());
    }

    /// Two contents with one hash would both be right, and the second would be stored each time.
    #[test]
    fn a_content_is_stored_once_whatever_else_has_its_length() {
        for length in [1, 2, 4, 7, 8, 9, 16, 20] {
            for place in 0..length {
                let mut buffers = Buffers::default();
                for _ in 0..2 {
                    for byte in 0..=255 {
                        let mut bytes = vec![1; length];
                        bytes[place] = byte;
                        buffers.add(Arc::new(bytes));
                    }
                }
                assert_eq!(buffers.into_vec().len(), 1 + 256, "byte {place} of {length}");
            }
        }
    }

    #[test]
    fn the_empty_content_is_a_buffer_of_its_own_each_time() {
        let mut buffers = Buffers::default();
        let empty = || Arc::new(vec![]);
        assert_eq!((buffers.add(empty()), buffers.add(empty())), (1, 2));
    }
}
