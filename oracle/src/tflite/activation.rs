//! Activation operators, and activations fused into other operators.
//!
//! # Definition
//! RELU max(x, 0); RELU6 min(max(x, 0), 6); RELU_N1_TO_1 min(max(x, -1), 1); RELU_0_TO_1 min(max(x, 0), 1); ELU x for
//! x >= 0, exp(x) - 1 below; LEAKY_RELU x for x >= 0, alpha x below; PRELU the same with a tensor alpha that broadcasts
//! to x; HARD_SWISH x min(max(x + 3, 0), 6) / 6; GELU x Phi(x), or its tanh approximation with `approximate`.
//! A fused activation is applied to the result of its operator before that result is written.
//!
//! # Edge cases
//! NaN stays NaN. The schema has fused TANH and SIGN_BIT; the kernels implement neither, so both are refused.
//!
//! # Numerics
//! Clamps are exact, so clamping before or after the rounding of the store gives the same element.

use super::broadcast::Broadcast;
use super::error::{Fault, ensure};
use super::operands::{Done, Exec};
use super::plan::{Call, Planned, table};
use crate::arith::{Arith, Comparison, Function};
use halfproof_wire::tflite::{Activation, Builtin};

/// A clamp, alone or fused into an operator.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fused {
    None,
    Relu,
    /// To an interval.
    Clamp(f64, f64),
}

impl Fused {
    /// The meaning of an option.
    pub(super) fn new(activation: Activation) -> Result<Fused, Fault> {
        Ok(match activation {
            Activation::None => Fused::None,
            Activation::Relu => Fused::Relu,
            Activation::ReluN1To1 => Fused::Clamp(-1.0, 1.0),
            Activation::Relu6 => Fused::Clamp(0.0, 6.0),
            Activation::Tanh | Activation::SignBit => {
                return Err(Fault::unsupported(format!("fused activation {activation:?} has no kernel")));
            }
        })
    }

    /// Applies it to one element.
    #[inline]
    pub(super) fn apply<A: Arith>(self, arith: &A, x: A::E) -> A::E {
        match self {
            Fused::None => x,
            Fused::Relu => arith.apply(Function::Relu, x),
            Fused::Clamp(low, high) => arith.min(arith.max(x, arith.exact(low)), arith.exact(high)),
        }
    }
}

/// A planned activation.
#[derive(Clone, Debug)]
pub(super) enum Activate {
    Clamp(Fused),
    Smooth(Function),
    Prelu(Broadcast),
}

/// Plans an activation operator.
pub(super) fn plan(call: &Call<'_>) -> Result<Planned, Fault> {
    if call.builtin == Builtin::Prelu {
        call.arity(2, 2, 1)?;
        let (x, alpha) = (call.float(0)?, call.float(1)?);
        let (plan, shape) = Broadcast::new(x.shape, alpha.shape)?;
        ensure!(shape == x.shape, "alpha of shape {:?} does not broadcast to {:?}", alpha.shape, x.shape);
        return Planned::one(Activate::Prelu(plan), shape);
    }
    call.arity(1, 1, 1)?;
    let kernel = match call.builtin {
        Builtin::Relu => Activate::Clamp(Fused::Relu),
        Builtin::Relu6 => Activate::Clamp(Fused::Clamp(0.0, 6.0)),
        Builtin::ReluN1To1 => Activate::Clamp(Fused::Clamp(-1.0, 1.0)),
        Builtin::Relu0To1 => Activate::Clamp(Fused::Clamp(0.0, 1.0)),
        Builtin::Elu => Activate::Smooth(Function::Elu { alpha: 1.0 }),
        Builtin::LeakyRelu => {
            Activate::Smooth(Function::LeakyRelu { alpha: table!(call, LeakyRelu)?.alpha.into() })
        }
        Builtin::HardSwish => Activate::Smooth(Function::HardSwish),
        Builtin::Gelu if table!(call, Gelu)?.approximate => Activate::Smooth(Function::GeluTanh),
        Builtin::Gelu => Activate::Smooth(Function::Gelu),
        other => return Err(Fault::unsupported(format!("{other} is no activation"))),
    };
    Planned::one(kernel, call.float(0)?.shape)
}

impl Activate {
    pub(super) fn run<A: Arith>(&self, exec: &Exec<'_, A>) -> Done<A::E> {
        let x = exec.floats(0)?;
        let arith = exec.arith;
        let data = match self {
            Activate::Clamp(fused) => x.data.iter().map(|&x| exec.store(fused.apply(arith, x))).collect(),
            Activate::Smooth(f) => x.data.iter().map(|&x| exec.store(arith.apply(*f, x))).collect(),
            Activate::Prelu(plan) => {
                let zero = arith.exact(0.0);
                plan.zip(&x.data, &exec.floats(1)?.data, |x, alpha| {
                    let (sign, decided) = arith.compare(x, zero);
                    let scaled = || arith.mul(x, alpha);
                    exec.store(match (sign, decided) {
                        (Comparison::Greater | Comparison::Equal, true) => x,
                        (Comparison::Greater | Comparison::Equal, false) => arith.either(x, scaled()),
                        (Comparison::Less, false) => arith.either(scaled(), x),
                        (Comparison::Less, true) | (Comparison::Unordered, _) => scaled(),
                    })
                })
            }
        };
        exec.floats_done(data)
    }
}
