//! Every decision of the generator is a draw from here: from bytes (libFuzzer steers them) or from a seed.
//!
//! Bytes that run out give the smallest choice, never an error, so that a short string is a small graph and a small
//! change of the string is a small change of the graph.

/// A source of decisions.
#[derive(Clone, Debug)]
pub struct Dna<'a> {
    source: Source<'a>,
}

#[derive(Clone, Debug)]
enum Source<'a> {
    Bytes(&'a [u8]),
    Seed(Stream),
}

/// SplitMix64 (Steele, Lea, Flood 2014): a small generator whose streams of nearby seeds are unrelated.
#[derive(Clone, Debug)]
pub struct Stream(u64);

impl Stream {
    /// The stream of a seed.
    pub fn new(seed: u64) -> Stream {
        Stream(seed)
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n` (0 for `n` = 0). The bias is below n / 2^64.
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(n)) >> 64) as u64
    }

    /// Uniform in [0, 1).
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Close to the standard normal distribution: the sum of twelve uniforms less six (so |x| <= 6). Uses no
    /// transcendental function, so the same on every machine.
    pub fn gaussian(&mut self) -> f64 {
        let mut sum = 0.0;
        for _ in 0..3 {
            let mut bits = self.next_u64();
            for _ in 0..4 {
                sum += f64::from((bits & 0xffff) as u16) / 65536.0;
                bits >>= 16;
            }
        }
        sum - 6.0
    }
}

impl<'a> Dna<'a> {
    /// Decisions from bytes.
    pub fn from_bytes(bytes: &'a [u8]) -> Dna<'a> {
        Dna { source: Source::Bytes(bytes) }
    }

    /// Decisions from a seed.
    pub fn from_seed(seed: u64) -> Dna<'static> {
        Dna { source: Source::Seed(Stream::new(seed)) }
    }

    /// A number below `n`; 0 when the bytes have run out or `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        if n <= 1 {
            return 0;
        }
        match &mut self.source {
            Source::Seed(stream) => stream.below(n as u64) as usize,
            Source::Bytes(bytes) => {
                let width = if n <= 256 { 1 } else { 2 };
                let (head, tail) = bytes.split_at(width.min(bytes.len()));
                *bytes = tail;
                head.iter().fold(0usize, |acc, &b| acc << 8 | usize::from(b)) % n
            }
        }
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high - low + 1)
    }

    /// One of the items.
    ///
    /// # Panics
    /// When there is none.
    pub fn pick<'i, T>(&mut self, items: &'i [T]) -> &'i T {
        &items[self.below(items.len())]
    }

    /// True in `hits` of `of` cases; false when the bytes have run out.
    pub fn chance(&mut self, hits: usize, of: usize) -> bool {
        self.below(of) + hits >= of
    }

    /// A seed for a stream of elements (weights, inputs): two bytes, so that strings stay short.
    pub fn element_seed(&mut self) -> u64 {
        self.below(1 << 16) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exhausted_bytes_give_the_smallest_choice() {
        let mut dna = Dna::from_bytes(&[]);
        assert_eq!(dna.below(10), 0);
        assert_eq!(dna.between(3, 9), 3);
        assert!(!dna.chance(1, 2));
    }

    #[test]
    fn bytes_steer_each_draw_by_itself() {
        let mut dna = Dna::from_bytes(&[7, 1, 0, 255]);
        assert_eq!(dna.below(10), 7);
        assert_eq!(dna.below(1000), 256);
        assert!(dna.chance(1, 256));
    }

    #[test]
    fn the_gaussian_has_mean_zero_and_variance_one() {
        let mut stream = Stream::new(1);
        let n = 100_000;
        let (mut sum, mut squares) = (0.0, 0.0);
        for _ in 0..n {
            let x = stream.gaussian();
            sum += x;
            squares += x * x;
        }
        assert!((sum / f64::from(n)).abs() < 0.02);
        assert!((squares / f64::from(n) - 1.0).abs() < 0.02);
    }

    #[test]
    fn nearby_seeds_give_unrelated_streams() {
        let firsts: Vec<u64> = (0..100).map(|s| Stream::new(s).next_u64() % 16).collect();
        assert!((0..16).all(|v| firsts.contains(&v)));
    }
}
