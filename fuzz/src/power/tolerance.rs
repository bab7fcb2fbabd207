//! What everybody does: |actual - expected| <= atol + rtol |expected|, on the outputs, with the source graph in exact
//! arithmetic as the expected result. Run beside the judge on the same cases, for comparison.

use halfproof_ir::Tensor;
use halfproof_oracle::value::Value;

/// The fixed tolerances (rtol = atol).
pub(super) const TOLERANCES: [f64; 2] = [1e-3, 1e-2];

/// Which tolerances raise an alarm.
pub(super) fn alarms(expected: &[&Value<f64>], actual: &[Tensor]) -> [bool; 2] {
    TOLERANCES
        .map(|t| expected.len() != actual.len() || expected.iter().zip(actual).any(|(e, a)| !close(e, a, t)))
}

fn close(expected: &Value<f64>, actual: &Tensor, tolerance: f64) -> bool {
    if expected.shape() != actual.shape {
        return false;
    }
    match (expected, actual.floats()) {
        (Value::Float(_, e), Some(values)) => e.data.iter().zip(&values).all(|(&e, &x)| {
            e == x || e.is_nan() && x.is_nan() || (x - e).abs() <= tolerance * (1.0 + e.abs())
        }),
        (Value::Whole(_, e), None) => {
            let values = actual.integers().unwrap_or_default();
            e.data.iter().map(|e| e.value).eq(values)
        }
        _ => false,
    }
}
