//! Means whose sums, or whose squares, would overflow: compute them on operands scaled down by a power of two.
//!
//! mean(x) = 2^k mean(2^-k x). In a normalization c / sqrt(mean(c^2) + e) the scale cancels: with c' = 2^-k c and
//! e' = 4^-k e it is c' / sqrt(mean(c'^2) + e'), so nothing has to be scaled back. Scaling by a power of two rounds
//! nothing but what becomes subnormal.

use super::{Editor, Stand, View, mul, shown};
use crate::constants::MIN_NORMAL;
use crate::precision::epsilons::MUCH;
use crate::target::{Constant, TensorId};
use halfproof_ir::{DType, Role};
use halfproof_wire::tflite::Builtin;

/// Sums are brought below this: half of what float16 holds, because every partial sum is rounded.
const ROOM: f64 = 32768.0;
/// Beyond this scale too much of small elements is lost.
const LARGEST_SCALE: i32 = 12;

/// Scales the mean of number `i` if it needs that.
pub(super) fn mean(editor: &mut Editor<'_>, i: usize) {
    let view = editor.view;
    let Some((x, y)) = view.operand(i, 0).zip(view.result(i)) else { return };
    let range = view.ranges.tensors[x.index()];
    let needed = range.is_wide() || view.ranges.inside[i].is_some();
    if !needed || view.fixed[i] || view.operand(i, 1).is_none() {
        return;
    }
    if let Some(norm) = Norm::find(view, i, x) {
        norm.scale(editor);
    } else if !range.is_wide() {
        plain(editor, i, x, y);
    }
}

/// How many elements one result of the mean sees.
fn count(view: View<'_>, x: TensorId, y: TensorId) -> f64 {
    let size = |id: TensorId| view.target.tensor(id).shape.iter().product::<usize>().max(1) as f64;
    (size(x) / size(y)).max(1.0)
}

/// The least k with 4^-k (or 2^-k, for `power` 1) times `total` at most [`ROOM`].
fn exponent(total: f64, power: f64) -> Option<i32> {
    let k = (libm::log2(total / ROOM) / power).ceil();
    (k >= 1.0 && k <= f64::from(LARGEST_SCALE)).then_some(k as i32)
}

fn power_of_two(k: i32) -> f64 {
    libm::exp2(f64::from(k))
}

fn plain(editor: &mut Editor<'_>, i: usize, x: TensorId, y: TensorId) {
    let view = editor.view;
    let n = count(view, x, y);
    let Some(k) = exponent(n * view.ranges.tensors[x.index()].reach(), 1.0) else { return };
    let small = scaled(editor, i, x, k);
    let shape = view.target.tensor(y).shape.clone();
    let name = editor.named(y, "scaled");
    let result = editor.tensor(name, shape, DType::F32);
    let name = editor.named(y, "scale");
    let back = editor.constant(name, vec![], vec![power_of_two(k)], Role::Scale);
    let op = editor.op_mut(i);
    op.inputs[0] = Some(small);
    op.outputs[0] = result;
    editor.emit(Stand::After(i), Builtin::Mul, &[result, back], y, mul());
    let reach = n * view.ranges.tensors[x.index()].reach();
    let (down, up) = (shown(power_of_two(-k)), shown(power_of_two(k)));
    editor
        .note(i, format!("MEAN sums {down} x and is multiplied by {up}: the sum of x may reach {reach:.2e}"));
}

/// A tensor times 2^-k, made before operator `i`.
fn scaled(editor: &mut Editor<'_>, i: usize, x: TensorId, k: i32) -> TensorId {
    let shape = editor.view.target.tensor(x).shape.clone();
    let name = editor.named(x, "scaled");
    let result = editor.tensor(name, shape, DType::F32);
    let name = editor.named(x, "scale");
    let scale = editor.constant(name, vec![], vec![power_of_two(-k)], Role::Scale);
    editor.emit(Stand::Before(i), Builtin::Mul, &[x, scale], result, mul());
    result
}

/// c * rsqrt(mean(c^2) + e), or c / sqrt(mean(c^2) + e).
struct Norm {
    /// The centered operand.
    c: TensorId,
    /// Makes its square.
    square: usize,
    mean: usize,
    /// Adds the epsilon, at this operand.
    guard: usize,
    slot: usize,
    root: usize,
    /// Multiply c by the root, or divide it.
    ends: Vec<usize>,
    k: i32,
}

impl Norm {
    fn find(view: View<'_>, mean: usize, squares: TensorId) -> Option<Norm> {
        use Builtin::{Add, Div, Mean, Mul, Pow, Rsqrt, Sqrt, Square};
        view.sole_reader(squares, &[Mean])?;
        let square = view.uses.producer(squares)?;
        if !view.is_plain(square, &[Mul, Pow, Square]) {
            return None;
        }
        let c = view.operand(square, 0)?;
        let is_square = match view.op(square).builtin {
            Mul => view.operand(square, 1) == Some(c),
            Pow => elements(view, view.operand(square, 1)?)? == [2.0],
            _ => true,
        };
        let variance = view.result(mean)?;
        let guard = view.sole_reader(variance, &[Add])?;
        let slot = (0..2).find(|&s| view.operand(guard, s) != Some(variance))?;
        elements(view, view.operand(guard, slot)?)?;
        let root = view.sole_reader(view.result(guard)?, &[Rsqrt, Sqrt])?;
        let end = if view.op(root).builtin == Rsqrt { Mul } else { Div };
        let result = view.result(root)?;
        let ends = view.inner(result)?.to_vec();
        let closes = |i: usize| {
            let (a, b) = (view.operand(i, 0), view.operand(i, 1));
            let ordered = (a, b) == (Some(c), Some(result));
            view.is_plain(i, &[end]) && (ordered || end == Mul && (a, b) == (Some(result), Some(c)))
        };
        if !is_square || ends.is_empty() || !ends.iter().all(|&i| closes(i)) {
            return None;
        }
        let range = view.ranges.tensors[c.index()];
        let k = exponent(count(view, squares, variance) * range.reach().powi(2), 2.0)?;
        // What is left of the variance must still dwarf the smallest epsilon that float16 holds.
        let left = view.ranges.tensors[squares.index()].mean * power_of_two(-2 * k);
        (!range.is_wide() && left >= MUCH * MIN_NORMAL).then_some(Norm {
            c,
            square,
            mean,
            guard,
            slot,
            root,
            ends,
            k,
        })
    }

    fn scale(&self, editor: &mut Editor<'_>) {
        let view = editor.view;
        let Some(epsilon) = view.operand(self.guard, self.slot) else { return };
        let Some(elements) = elements(view, epsilon) else { return };
        let small = scaled(editor, self.square, self.c, self.k);
        for &i in self.ends.iter().chain([&self.square]) {
            for operand in &mut editor.op_mut(i).inputs {
                if *operand == Some(self.c) {
                    *operand = Some(small);
                }
            }
        }
        let shape = view.target.tensor(epsilon).shape.clone();
        let name = editor.named(epsilon, "scaled");
        let factor = power_of_two(-2 * self.k);
        let elements = elements.iter().map(|x| x * factor).collect();
        let guard = editor.constant(name, shape, elements, Role::Epsilon);
        editor.op_mut(self.guard).inputs[self.slot] = Some(guard);
        for i in [self.square, self.mean, self.guard, self.root] {
            if let Some(id) = view.result(i) {
                editor.detach(id);
            }
        }
        let down = shown(power_of_two(-self.k));
        editor.note(
            self.mean,
            format!(
                "normalizes {down} x instead of x: the sum of squares may exceed 65504, and the scale cancels"
            ),
        );
    }
}

/// The elements of a float constant.
fn elements(view: View<'_>, id: TensorId) -> Option<Vec<f64>> {
    match view.target.tensor(id).constant.as_ref()? {
        Constant::Exact(exact) => Some(exact.to_vec()),
        Constant::Stored(_) => None,
    }
}
