//! L2_NORMALIZATION and LOCAL_RESPONSE_NORMALIZATION.
//!
//! # Definition
//! L2_NORMALIZATION divides every row of the last axis by max(sqrt(sum of its squares), 1e-6).
//! LOCAL_RESPONSE_NORMALIZATION divides every element by (bias + alpha * sum of squares)^beta, where the sum runs over
//! the channels from `c - radius` to `c + radius` that exist.
//!
//! # Edge cases
//! A row of zeros stays zero, because of the 1e-6. LiteRT's *reference* kernel leaves channel `c + radius` out of the
//! window; the optimized kernel and this definition have it.
//!
//! # Numerics
//! Composites: a dot product of the row with itself, the root or power, and one division or product.

use super::activation::Fused;
use super::error::{Fault, ensure};
use super::operands::{Done, Exec};
use super::plan::{self, Call, Planned, table};
use crate::arith::{Arith, Function};

/// The smallest divisor of L2_NORMALIZATION, as its kernel has it.
const L2_EPSILON: f32 = 1e-6;

/// A planned L2_NORMALIZATION.
#[derive(Clone, Copy, Debug)]
pub(super) struct L2Normalization {
    length: usize,
    fused: Fused,
}

/// A planned LOCAL_RESPONSE_NORMALIZATION.
#[derive(Clone, Copy, Debug)]
pub(super) struct LocalResponse {
    channels: usize,
    radius: usize,
    bias: f32,
    alpha: f32,
    beta: f32,
}

/// Plans L2_NORMALIZATION.
pub(super) fn plan_l2(call: &Call<'_>) -> Result<Planned, Fault> {
    call.arity(1, 1, 1)?;
    let o = table!(call, L2Norm)?;
    let x = call.float(0)?;
    ensure!(x.rank() >= 1, "the operand is a scalar");
    let fused = Fused::new(o.fused_activation_function)?;
    Planned::one(L2Normalization { length: x.shape[x.rank() - 1], fused }, x.shape)
}

/// Plans LOCAL_RESPONSE_NORMALIZATION.
pub(super) fn plan_local_response(call: &Call<'_>) -> Result<Planned, Fault> {
    call.arity(1, 1, 1)?;
    let o = table!(call, LocalResponseNormalization)?;
    let x = call.float(0)?;
    plan::rank("the operand", x.shape, 4)?;
    let radius = usize::try_from(o.radius).map_err(|_| Fault::malformed(format!("radius {}", o.radius)))?;
    let kernel = LocalResponse { channels: x.shape[3], radius, bias: o.bias, alpha: o.alpha, beta: o.beta };
    Planned::one(kernel, x.shape)
}

impl L2Normalization {
    pub(super) fn run<A: Arith>(self, exec: &Exec<'_, A>) -> Done<A::E> {
        let arith = exec.arith;
        let x = &exec.floats(0)?.data;
        let least = arith.exact(L2_EPSILON.into());
        let mut result = Vec::with_capacity(x.len());
        for row in x.chunks_exact(self.length.max(1)) {
            let squares = arith.intermediate(arith.dot(row, row, None));
            let norm = arith.max(arith.intermediate(arith.apply(Function::Sqrt, squares)), least);
            result.extend(row.iter().map(|&x| exec.store(self.fused.apply(arith, arith.div(x, norm)))));
        }
        exec.floats_done(result)
    }
}

impl LocalResponse {
    pub(super) fn run<A: Arith>(self, exec: &Exec<'_, A>) -> Done<A::E> {
        let arith = exec.arith;
        let x = &exec.floats(0)?.data;
        let [bias, alpha, power] = [self.bias, self.alpha, -self.beta].map(|x| arith.option(x));
        let mut result = Vec::with_capacity(x.len());
        for row in x.chunks_exact(self.channels.max(1)) {
            for (c, &x) in row.iter().enumerate() {
                let last = c.saturating_add(self.radius).min(row.len() - 1);
                let window = &row[c.saturating_sub(self.radius)..=last];
                let squares = arith.intermediate(arith.dot(window, window, None));
                let base = arith.intermediate(arith.add(bias, arith.mul(alpha, squares)));
                let scale = arith.intermediate(arith.pow(base, power));
                result.push(exec.store(arith.mul(x, scale)));
            }
        }
        exec.floats_done(result)
    }
}
