//! What the zoo finds out about a file and its runs without bounds: distances, sizes, what somebody else reads in it.

use super::{Purity, Row};
use crate::strategies::measure::Loss;
use crate::strategies::purity;
use crate::strategies::samples::elements;
use halfproof_ir::{Conversion, Precision, Tensor};
use halfproof_oracle::arith::Ideal;
use halfproof_oracle::judge::{Question, Subject};
use halfproof_oracle::record::{Execution, Status};
use halfproof_oracle::tflite::{Constants, Operation, Program};
use halfproof_oracle::verdict::{Blame, Class, Strength, Verdict};
use halfproof_wire::tflite::Builtin;
use std::path::Path;

/// The bits by which an execution misses the exact results of the source.
pub(super) fn lost(execution: &Execution, wanted: &[Vec<f64>]) -> Option<f64> {
    if execution.status != Status::Ok || wanted.is_empty() {
        return None;
    }
    let mut loss = Loss::default();
    for (exact, actual) in wanted.iter().zip(&execution.outputs) {
        if let Some(actual) = actual.floats() {
            loss.add(exact, &actual);
        }
    }
    Some(loss.charged())
}

/// Reads a converted file back with code that is not ours.
pub(super) fn read_back(python: Option<&Path>, conversion: &Conversion, precision: Precision) -> Purity {
    let Some(python) = python else { return Purity::Unread };
    let read = || -> Result<Option<String>, String> {
        let file = tempfile::NamedTempFile::new().map_err(|e| e.to_string())?;
        std::fs::write(file.path(), &conversion.model).map_err(|e| e.to_string())?;
        purity::impurity(python, file.path(), precision)
    };
    match read() {
        Ok(None) => Purity::Pure,
        Ok(Some(text)) | Err(text) => Purity::Impure(text),
    }
}

/// Compares the outputs of source and converted graph, both in f64 and with unrounded constants: quick, and without bounds.
pub(super) fn in_f64(subject: &Subject<'_>, model_inputs: &[Tensor], wanted: &[Vec<f64>], row: &mut Row) {
    let constants = Constants::Exact(subject.exact_constants());
    match subject.program.results(model_inputs, constants, &Ideal) {
        Ok(values) if !wanted.is_empty() => {
            let found: Vec<Vec<f64>> = values.iter().map(elements).collect();
            let apart = wanted.iter().zip(&found).map(|(a, b)| distance(a, b)).fold(0.0, worse);
            row.apart = Some(apart);
            if apart.is_nan() || apart > 1e-9 {
                let text = "the outputs are not those of the source graph";
                let verdict = Verdict::new(Class::Semantics, Blame::Converter, Strength::Certified, text);
                row.about_file(Question::Semantics, verdict);
            }
        }
        Ok(_) => {}
        Err(e) => row.notes.push(format!("the interpreter cannot run the converted model: {e}")),
    }
}

/// The larger of two distances; one that cannot be told is the worst.
fn worse(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) }
}

/// Largest difference over the largest magnitude; NaN where lengths or infinities differ.
fn distance(a: &[f64], b: &[f64]) -> f64 {
    if a.len() != b.len() {
        return f64::NAN;
    }
    let size = a.iter().chain(b).fold(0.0, |m: f64, x| m.max(x.abs())).max(f64::MIN_POSITIVE);
    a.iter().zip(b).filter(|(x, y)| x != y).map(|(x, y)| (x - y).abs() / size).fold(0.0, f64::max)
}

/// The multiply-adds of one inference: convolutions and matrix products.
pub(super) fn multiply_adds(program: &Program) -> u64 {
    let shape = |t: Option<u32>| t.and_then(|t| program.form(t)).map_or(&[][..], |(_, s)| s);
    let product = |s: &[usize]| s.iter().map(|&d| d as u64).product::<u64>();
    let one = |op: Operation<'_>| {
        let result = product(shape(op.results.first().copied()));
        let (x, w) =
            (shape(op.operands.first().copied().flatten()), shape(op.operands.get(1).copied().flatten()));
        match op.builtin {
            Builtin::Conv2d | Builtin::FullyConnected => result * product(w.get(1..).unwrap_or(&[])),
            Builtin::DepthwiseConv2d => result * product(w.get(1..3).unwrap_or(&[])),
            Builtin::TransposeConv => product(w),
            Builtin::BatchMatmul => result * x.last().map_or(1, |&d| d as u64),
            _ => 0,
        }
    };
    program.operators().map(one).sum()
}
