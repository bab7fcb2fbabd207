//! What an execution may choose: where it rounds, in which order it sums, what it does to subnormals.

/// The precision that sums or intermediate results are held in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accumulator {
    /// binary16: every partial result is rounded.
    F16,
    /// binary32.
    F32,
}

/// In which order the terms of a sum are added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// First to last.
    Sequential,
    /// Last to first.
    Reverse,
    /// By halves, recursively.
    Pairwise,
    /// That many interleaved partial sums, then those first to last.
    Lanes(u8),
    /// In an order drawn from the seed.
    Permuted(u64),
}

/// One way to execute a float16 model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExecutionModel {
    /// What dot products and sums accumulate in.
    pub accumulator: Accumulator,
    /// In which order they do.
    pub order: Order,
    /// True when a multiplication and the addition of its result round once.
    pub fma: bool,
    /// True when a subnormal binary16 result becomes zero.
    pub flush: bool,
    /// What elementwise results and the steps of composite kernels (softmax, normalisation) are held in.
    pub intermediates: Accumulator,
    /// Largest error that is added to each transcendental function, in units in the last place of binary16 (of binary32
    /// where intermediates are binary32 and nothing is forced to float16). Drawn from the argument, so repeatable.
    pub kernel_noise_ulp: f64,
    /// True when FLOAT32 tensors are stored and computed as binary16 too (XNNPACK's FORCE_FP16).
    pub force_f16: bool,
}

impl ExecutionModel {
    /// binary32 everywhere but in FLOAT16 storage; sums first to last.
    pub const SINGLE: ExecutionModel = ExecutionModel {
        accumulator: Accumulator::F32,
        order: Order::Sequential,
        fma: false,
        flush: false,
        intermediates: Accumulator::F32,
        kernel_noise_ulp: 0.0,
        force_f16: false,
    };

    /// binary16 for every result, binary32 accumulators.
    pub const HALF: ExecutionModel =
        ExecutionModel { intermediates: Accumulator::F16, ..ExecutionModel::SINGLE };

    /// binary16 for every result and every partial sum.
    pub const HALF_ACCUMULATOR: ExecutionModel =
        ExecutionModel { accumulator: Accumulator::F16, ..ExecutionModel::HALF };

    /// Models that differ in accumulator, order, fused multiply-add, flushing and intermediates: the ones that an
    /// oracle without knowledge of the runtime must all accept.
    pub fn catalog() -> Vec<ExecutionModel> {
        let orders =
            [Order::Sequential, Order::Reverse, Order::Pairwise, Order::Lanes(8), Order::Permuted(0x5eed)];
        let mut models = Vec::new();
        for accumulator in [Accumulator::F32, Accumulator::F16] {
            for order in orders {
                for fma in [false, true] {
                    for flush in [false, true] {
                        for intermediates in [Accumulator::F16, Accumulator::F32] {
                            let base = ExecutionModel { accumulator, order, fma, ..ExecutionModel::HALF };
                            models.push(ExecutionModel { flush, intermediates, ..base });
                        }
                    }
                }
            }
        }
        models
    }

    /// The model inside an operator on FLOAT32 tensors: nothing narrower than binary32.
    pub fn widened(self) -> ExecutionModel {
        ExecutionModel {
            accumulator: Accumulator::F32,
            intermediates: Accumulator::F32,
            flush: false,
            ..self
        }
    }

    /// `exact` off by up to `kernel_noise_ulp` units in the last place, the same for the same argument `x`.
    pub(super) fn noise(&self, x: f32, exact: f64) -> f64 {
        let drawn = scramble(u64::from(x.to_bits()) ^ exact.to_bits().rotate_left(17));
        let fraction = (drawn >> 11) as f64 / (1u64 << 53) as f64 * 2.0 - 1.0;
        let unit = match self.intermediates {
            Accumulator::F16 => crate::half::UNIT,
            Accumulator::F32 => crate::half::UNIT_SINGLE,
        };
        // One unit in the last place is at least 1 and at most 2 unit roundoffs of the value.
        exact * (1.0 + self.kernel_noise_ulp * fraction * unit)
    }
}

impl Default for ExecutionModel {
    fn default() -> ExecutionModel {
        ExecutionModel::HALF
    }
}

/// One step of splitmix64: a well mixed number from any other.
pub(super) fn scramble(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
