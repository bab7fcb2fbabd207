//! Which faults are none, by computation.
//!
//! *A spoilt model* is equivalent when it computes the same function as the right one: both are evaluated in ideal
//! arithmetic (f64, stored constants) on the sets that were judged and on more of them, and every element of every
//! output is the same, or differs by less than 1e-12 of the largest element of its tensor: the noise of two f64
//! evaluations. A fault in a constant is never equivalent when a bit of the constant differs.
//!
//! *A spoilt execution* is equivalent when its record has the bits of the correct one on every set, or when each
//! element of the spoilt results is one that another execution under the declared contract gives: 15 orders of
//! summation, fused or not, narrow or wide intermediate results.

use super::runtime::Scene;
use halfproof_ir::Tensor;
use halfproof_oracle::arith::Ideal;
use halfproof_oracle::tflite::{Constants, Program};
use halfproof_oracle::value::Value;

/// What two f64 evaluations of one function may differ by, relative to the largest element.
const NOISE: f64 = 1e-12;

/// True when both programs give the same outputs in f64 for these model inputs.
pub(super) fn same_function(right: &Program, spoilt: &Program, inputs: &[Tensor]) -> bool {
    let run = |p: &Program| p.results(inputs, Constants::Stored, &Ideal).ok();
    let (Some(a), Some(b)) = (run(right), run(spoilt)) else { return false };
    a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| same_value(a, b))
}

fn same_value(a: &Value<f64>, b: &Value<f64>) -> bool {
    if a.shape() != b.shape() || a.dtype() != b.dtype() {
        return false;
    }
    match (a, b) {
        (Value::Float(_, a), Value::Float(_, b)) => {
            let scale = a.data.iter().map(|x| x.abs()).filter(|x| x.is_finite()).fold(0.0, f64::max);
            a.data
                .iter()
                .zip(&b.data)
                .all(|(&x, &y)| x == y || x.is_nan() && y.is_nan() || (x - y).abs() <= NOISE * scale)
        }
        (Value::Whole(_, a), Value::Whole(_, b)) => {
            a.data.iter().zip(&b.data).all(|(x, y)| x.value == y.value)
        }
        _ => false,
    }
}

/// True when two floats are the same number; the sign of a zero and the bits of a NaN do not count.
fn same(x: f32, y: f32) -> bool {
    x == y || x.is_nan() && y.is_nan()
}

/// True when results are the same numbers.
pub(super) fn same_results(a: &[Value<f32>], b: &[Value<f32>]) -> bool {
    a.len() == b.len()
        && a.iter().zip(b).all(|(a, b)| match (a, b) {
            (Value::Float(_, a), Value::Float(_, b)) => {
                a.shape == b.shape && a.data.iter().zip(&b.data).all(|(&x, &y)| same(x, y))
            }
            (a, b) => a == b,
        })
}

/// True when every element of the spoilt results is one that an allowed execution of the operator gives.
pub(super) fn attainable(scene: &Scene<'_>, spoilt: &[Value<f32>]) -> bool {
    let Some(right) = scene.right() else { return false };
    let mut all = scene.allowed();
    all.push(right);
    spoilt.iter().enumerate().all(|(result, value)| match value {
        Value::Float(_, a) => a.data.iter().enumerate().all(|(i, &x)| {
            all.iter().any(|run| match run.get(result) {
                Some(Value::Float(_, b)) => b.data.get(i).is_some_and(|&y| same(x, y)),
                _ => false,
            })
        }),
        whole => all.iter().any(|run| run.get(result) == Some(whole)),
    })
}
