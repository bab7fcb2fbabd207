//! SOFTMAX and LOG_SOFTMAX.
//!
//! # Definition
//! Along the last axis, exp(beta (x - max)) / sum of them, and the logarithm of that with beta 1.
//!
//! # Edge cases
//! A row that holds NaN or only -inf gives NaN.
//!
//! # Numerics
//! One rule of the arithmetic, [`Arith::softmax`].

use super::error::{Fault, ensure};
use super::operands::{Done, Exec};
use super::plan::{Call, Planned, table};
use crate::arith::Arith;
use halfproof_wire::tflite::Builtin;

/// A planned SOFTMAX or LOG_SOFTMAX.
#[derive(Clone, Copy, Debug)]
pub(super) struct Softmax {
    length: usize,
    beta: f64,
    log: bool,
}

/// Plans SOFTMAX and LOG_SOFTMAX.
pub(super) fn plan(call: &Call<'_>) -> Result<Planned, Fault> {
    call.arity(1, 1, 1)?;
    let x = call.float(0)?;
    let log = call.builtin == Builtin::LogSoftmax;
    let beta = if log { 1.0 } else { table!(call, Softmax)?.beta };
    ensure!(beta.is_finite(), "beta is {beta}");
    ensure!(x.rank() >= 1, "the operand is a scalar");
    let length = x.shape[x.rank() - 1];
    Planned::one(Softmax { length, beta: beta.into(), log }, x.shape)
}

impl Softmax {
    pub(super) fn run<A: Arith>(self, exec: &Exec<'_, A>) -> Done<A::E> {
        let x = &exec.floats(0)?.data;
        let mut result = Vec::with_capacity(x.len());
        for row in x.chunks_exact(self.length.max(1)) {
            let row = exec.arith.softmax(row, self.beta, self.log);
            result.extend(row.into_iter().map(|x| exec.store(x)));
        }
        exec.floats_done(result)
    }
}
