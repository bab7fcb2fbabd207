//! Exponentials that are only compared with their sum: subtract the largest exponent first.
//!
//! exp(x) / sum(exp(x)) = exp(x - m) / sum(exp(x - m)), and log(sum(exp(x))) = log(sum(exp(x - m))) + m, for any m. With
//! the maximum for m no exponential exceeds 1. Where the maximum is not finite nothing is subtracted, so that rows of
//! infinities give what they gave.

use super::{Editor, Stand, View};
use crate::target::TensorId;
use halfproof_ir::{DType, Role};
use halfproof_wire::tflite::Builtin;
use halfproof_wire::tflite::options::{self, Reducer};

/// What becomes of the sum of the exponentials.
enum End {
    /// The exponentials are divided by it.
    Share,
    /// Its logarithm is taken by this operator.
    Logarithm(usize),
}

/// Shifts the exponential of number `i` if it may overflow and its readers allow it.
pub(super) fn exponential(editor: &mut Editor<'_>, i: usize) {
    let view = editor.view;
    let Some((x, e)) = view.operand(i, 0).zip(view.result(i)) else { return };
    let fits = |id: TensorId| !view.ranges.tensors[id.index()].is_wide();
    if fits(e) || !fits(x) || view.fixed[i] {
        return;
    }
    let Some((sum, end)) = end(view, e) else { return };
    let Some(axes) = view.operand(sum, 1) else { return };
    let (Some(kept), Some(total)) = (view.reduced(x, axes), view.result(sum)) else { return };
    let shift = shift(editor, i, x, axes, &kept);
    let shape = view.target.tensor(x).shape.clone();
    let name = editor.named(x, "shifted");
    let shifted = editor.tensor(name, shape, DType::F32);
    editor.emit(Stand::Before(i), Builtin::Sub, &[x, shift], shifted, options::Sub::default().into());
    editor.op_mut(i).inputs[0] = Some(shifted);
    editor.detach(e);
    editor.detach(total);
    let what = match end {
        End::Share => "its share of their sum",
        End::Logarithm(log) => {
            unshift(editor, log, shift, &kept);
            "the logarithm of their sum"
        }
    };
    let reach = view.ranges.tensors[e.index()].reach();
    editor.note(
        i,
        format!(
            "EXP computes exp(x - max(x)): exp(x) may reach {reach:.2e}, and {what} is the same function either way"
        ),
    );
}

/// The sum that an exponential goes into, and what becomes of it; `None` when the exponential is used otherwise.
fn end(view: View<'_>, e: TensorId) -> Option<(usize, End)> {
    let readers = view.inner(e)?;
    let mut sums = readers.iter().copied().filter(|&r| view.op(r).builtin == Builtin::Sum);
    let sum = sums.next()?;
    if sums.next().is_some() || view.fixed[sum] {
        return None;
    }
    let total = view.result(sum)?;
    let others: Vec<usize> = readers.iter().copied().filter(|&r| r != sum).collect();
    if others.is_empty() {
        let log = view.sole_reader(total, &[Builtin::Log])?;
        return Some((sum, End::Logarithm(log)));
    }
    // Every other reader divides by that very sum, and nobody else reads the sum.
    let divides = |r: usize| {
        view.is_plain(r, &[Builtin::Div])
            && view.operand(r, 0) == Some(e)
            && view.operand(r, 1) == Some(total)
    };
    let all = others.iter().all(|&r| divides(r)) && view.inner(total)?.iter().all(|r| others.contains(r));
    all.then_some((sum, End::Share))
}

/// The maximum over the axes where it is finite, else 0.
fn shift(editor: &mut Editor<'_>, i: usize, x: TensorId, axes: TensorId, kept: &[usize]) -> TensorId {
    let mut tensor = |suffix: &str, dtype| {
        let name = editor.named(x, suffix);
        editor.tensor(name, kept.to_vec(), dtype)
    };
    let (most, size) = (tensor("max", DType::F32), tensor("max/abs", DType::F32));
    let (finite, held) = (tensor("max/finite", DType::Bool), tensor("max/held", DType::F32));
    let name = editor.named(x, "infinity");
    let infinity = editor.constant(name, vec![], vec![f64::INFINITY], Role::Bound);
    let name = editor.named(x, "zero");
    let zero = editor.constant(name, vec![], vec![0.0], Role::Plain);
    let at = Stand::Before(i);
    editor.emit(at, Builtin::ReduceMax, &[x, axes], most, Reducer { keep_dims: true }.into());
    editor.emit(at, Builtin::Abs, &[most], size, options::Abs {}.into());
    editor.emit(at, Builtin::Less, &[size, infinity], finite, options::Less {}.into());
    editor.emit(at, Builtin::SelectV2, &[finite, most, zero], held, options::SelectV2 {}.into());
    held
}

/// Adds the shift to the logarithm again.
fn unshift(editor: &mut Editor<'_>, log: usize, shift: TensorId, kept: &[usize]) {
    let Some(result) = editor.view.result(log) else { return };
    let shape = editor.view.target.tensor(result).shape.clone();
    let name = editor.named(result, "shifted");
    let shifted = editor.tensor(name, shape.clone(), DType::F32);
    editor.op_mut(log).outputs[0] = shifted;
    let at = Stand::After(log);
    let mut back = shift;
    if shape != kept {
        let new_shape: Vec<i32> = shape.iter().map(|&d| i32::try_from(d).unwrap_or(i32::MAX)).collect();
        let name = editor.named(shift, "shape");
        let extents = editor.extents(name, &new_shape);
        let name = editor.named(result, "shift");
        back = editor.tensor(name, shape, DType::F32);
        editor.emit(at, Builtin::Reshape, &[shift, extents], back, options::Reshape { new_shape }.into());
    }
    editor.emit(at, Builtin::Add, &[shifted, back], result, options::Add::default().into());
}
