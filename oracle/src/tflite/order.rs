//! Operators about order: ARG_MAX, ARG_MIN and TOPK_V2.
//!
//! # Definition
//! ARG_MAX and ARG_MIN give the index of the first largest or smallest element along an axis, which disappears. TOPK_V2
//! gives the k largest elements of every row in descending order, and their indices; of equal elements the first is
//! first.
//!
//! # Edge cases
//! NaN compares with nothing. Whom ARG_MAX keeps then is said nowhere (LiteRT 2.3.0 passes over a NaN, NumPy gives its
//! index): the index of a row with a NaN is undecided. TOPK_V2 puts NaN last.
//!
//! # Numerics
//! An index is decided when every comparison that it follows from is. A value of TOPK_V2 is one of all the elements that
//! rounding could bring to its place: those linked to it by a chain of undecided comparisons.

use super::error::{Fault, ensure};
use super::operands::{Done, Exec};
use super::plan::{self, Call, Planned, whole};
use crate::arith::{Arith, Comparison};
use crate::value::{Value, Whole};
use halfproof_ir::DType;
use halfproof_wire::tflite::Builtin;
use std::cmp::Ordering;

/// A planned ARG_MAX or ARG_MIN.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arg {
    smallest: bool,
    extent: usize,
    inner: usize,
}

/// A planned TOPK_V2.
#[derive(Clone, Copy, Debug)]
pub(super) struct TopK {
    extent: usize,
    k: usize,
}

/// Plans ARG_MAX and ARG_MIN.
pub(super) fn plan_arg(call: &Call<'_>) -> Result<Planned, Fault> {
    call.arity(2, 2, 1)?;
    let x = call.operand(0)?;
    ensure!(matches!(call.results[0], DType::I32 | DType::I64), "result is {}", call.results[0]);
    let axis = plan::axis(call.int(1, "the axis")?, x.rank())?;
    ensure!(x.shape[axis] > 0, "axis {axis} of shape {:?} is empty", x.shape);
    let mut shape = x.shape.to_vec();
    let extent = shape.remove(axis);
    let inner = shape[axis..].iter().product();
    Planned::one(Arg { smallest: call.builtin == Builtin::ArgMin, extent, inner }, shape)
}

/// Plans TOPK_V2.
pub(super) fn plan_top_k(call: &Call<'_>) -> Result<Planned, Fault> {
    call.arity(2, 2, 2)?;
    let x = call.alike(0)?;
    ensure!(matches!(call.results[1], DType::I32 | DType::I16), "result 1 is {}", call.results[1]);
    let k = call.int(1, "k")?;
    ensure!(x.rank() >= 1, "the operand is a scalar");
    let mut shape = x.shape.to_vec();
    let last = shape.len() - 1;
    let extent = shape[last];
    ensure!((0..=whole(extent)).contains(&k), "k is {k} for an axis of extent {extent}");
    let k = usize::try_from(k).unwrap_or(0);
    shape[last] = k;
    Ok(Planned { kernel: TopK { extent, k }.into(), shapes: vec![shape.clone(), shape] })
}

/// How two elements compare, and whether that is decided.
fn wholes(a: Whole, b: Whole) -> (Comparison, bool) {
    let order = match a.value.cmp(&b.value) {
        Ordering::Less => Comparison::Less,
        Ordering::Equal => Comparison::Equal,
        Ordering::Greater => Comparison::Greater,
    };
    (order, a.decided && b.decided)
}

impl Arg {
    pub(super) fn run<A: Arith>(self, exec: &Exec<'_, A>) -> Done<A::E> {
        exec.wholes_done(match exec.value(0)? {
            Value::Float(_, x) => self.find(&x.data, |a, b| exec.arith.compare(a, b)),
            Value::Whole(_, x) => self.find(&x.data, wholes),
        })
    }

    fn find<T: Copy>(self, x: &[T], compare: impl Fn(T, T) -> (Comparison, bool)) -> Vec<Whole> {
        let wanted = if self.smallest { Comparison::Less } else { Comparison::Greater };
        let mut result = Vec::with_capacity(x.len() / self.extent);
        for block in x.chunks_exact((self.extent * self.inner).max(1)) {
            for inner in 0..self.inner {
                let at = |i: usize| block[i * self.inner + inner];
                let best = (1..self.extent)
                    .fold(0, |best, i| if compare(at(i), at(best)).0 == wanted { i } else { best });
                let certain = |i: usize| {
                    let (order, decided) = compare(at(i), at(best));
                    decided && order != Comparison::Unordered
                };
                let decided = (0..self.extent).all(|i| i == best || certain(i));
                result.push(Whole { value: whole(best), decided });
            }
        }
        result
    }
}

/// One row in descending order.
struct Ranked<T> {
    index: usize,
    x: T,
    /// True when rounding could exchange it with the element before it, or a chain of such elements.
    linked: bool,
}

impl TopK {
    pub(super) fn run<A: Arith>(self, exec: &Exec<'_, A>) -> Done<A::E> {
        let mut indices = vec![];
        let values = match exec.value(0)? {
            Value::Float(_, x) => {
                let mut values = vec![];
                for row in x.data.chunks_exact(self.extent.max(1)) {
                    self.rank(
                        row,
                        |a, b| exec.arith.compare(a, b),
                        |x| exec.arith.is_nan(x),
                        |a, b| exec.arith.either(a, b),
                        |row| {
                            for (x, index) in row {
                                values.push(x);
                                indices.push(index);
                            }
                        },
                    );
                }
                exec.float_result(0, values)
            }
            Value::Whole(_, x) => {
                let mut values = vec![];
                let either = |a: Whole, b: Whole| if a == b { a } else { Whole { decided: false, ..a } };
                for row in x.data.chunks_exact(self.extent.max(1)) {
                    self.rank(
                        row,
                        wholes,
                        |_| (false, true),
                        either,
                        |row| {
                            for (x, index) in row {
                                values.push(x);
                                indices.push(index);
                            }
                        },
                    );
                }
                exec.whole_result(0, values)
            }
        };
        Ok(vec![values, exec.whole_result(1, indices)])
    }

    /// Hands the first k elements of a row with their indices to `take`.
    fn rank<T: Copy>(
        self,
        row: &[T],
        compare: impl Fn(T, T) -> (Comparison, bool),
        is_nan: impl Fn(T) -> (bool, bool),
        either: impl Fn(T, T) -> T,
        take: impl FnOnce(Vec<(T, Whole)>),
    ) {
        let mut ranked: Vec<Ranked<T>> =
            row.iter().enumerate().map(|(index, &x)| Ranked { index, x, linked: false }).collect();
        ranked.sort_by(|a, b| match compare(a.x, b.x).0 {
            Comparison::Greater => Ordering::Less,
            Comparison::Less => Ordering::Greater,
            Comparison::Equal => a.index.cmp(&b.index),
            Comparison::Unordered => is_nan(a.x).0.cmp(&is_nan(b.x).0).then(a.index.cmp(&b.index)),
        });
        // NaN stands last, so where one of two is NaN it matters whether the other is.
        let decided = |a: T, b: T| match compare(a, b) {
            (Comparison::Unordered, decided) => decided && is_nan(a).1 && is_nan(b).1,
            (_, decided) => decided,
        };
        for i in 0..ranked.len() {
            for j in i + 1..ranked.len() {
                if !decided(ranked[i].x, ranked[j].x) {
                    ranked[i + 1..=j].iter_mut().for_each(|r| r.linked = true);
                }
            }
        }
        let mut result = Vec::with_capacity(self.k);
        for chain in ranked.chunk_by(|_, next| next.linked) {
            for one in chain {
                let x = chain
                    .iter()
                    .fold(one.x, |x, other| if chain.len() == 1 { x } else { either(x, other.x) });
                let decided = chain.len() == 1;
                result.push((x, Whole { value: whole(one.index), decided }));
            }
        }
        result.truncate(self.k);
        take(result);
    }
}
