//! Reductions over axes, and CUMSUM.
//!
//! # Definition
//! SUM, MEAN, REDUCE_MAX, REDUCE_MIN, REDUCE_PROD, REDUCE_ANY, REDUCE_ALL over the axes in operand 1, which keep
//! extent 1 under `keep_dims` and disappear otherwise. CUMSUM gives running sums along one axis, from the end under
//! `reverse`, without the element itself under `exclusive`.
//!
//! # Edge cases
//! Axes may repeat and count from the end; no axis at all copies. Over no element the sum is 0 and the product 1; the
//! other reductions are refused. The MEAN of integers truncates towards zero.
//!
//! # Numerics
//! SUM and MEAN are one rule of the arithmetic; REDUCE_PROD multiplies in order; CUMSUM adds in order.

use super::error::{Fault, ensure};
use super::movement::{Movement, line};
use super::operands::{Done, Exec};
use super::plan::{self, Call, Planned, strides, table, whole};
use crate::arith::Arith;
use crate::value::{Value, Whole};
use halfproof_ir::DType;
use halfproof_wire::tflite::Builtin;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Sum,
    Mean,
    Max,
    Min,
    Product,
    Any,
    All,
}

/// A planned reduction.
#[derive(Clone, Debug)]
pub(super) struct Reduce {
    kind: Kind,
    /// Brings the elements of every group side by side; `None` when they are.
    order: Option<Movement>,
    /// Elements per group.
    group: usize,
}

/// A planned CUMSUM.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cumsum {
    extent: usize,
    inner: usize,
    reverse: bool,
    exclusive: bool,
}

/// Plans a reduction.
pub(super) fn plan(call: &Call<'_>) -> Result<Planned, Fault> {
    call.arity(2, 2, 1)?;
    let o = table!(call, Reducer)?;
    let x = call.alike(0)?;
    let kind = match call.builtin {
        Builtin::Sum => Kind::Sum,
        Builtin::Mean => Kind::Mean,
        Builtin::ReduceMax => Kind::Max,
        Builtin::ReduceMin => Kind::Min,
        Builtin::ReduceProd => Kind::Product,
        Builtin::ReduceAny => Kind::Any,
        _ => Kind::All,
    };
    let logical = matches!(kind, Kind::Any | Kind::All);
    ensure!((x.dtype == DType::Bool) == logical, "operand 0 is {}", x.dtype);
    let mut reduced = vec![false; x.rank()];
    if x.rank() > 0 {
        for &axis in call.ints(1, "the axes")? {
            reduced[plan::axis(axis, x.rank())?] = true;
        }
    }
    let strides = strides(x.shape);
    let axis = |a: usize| line(0, 1, x.shape[a], strides[a]);
    let (mut kept_axes, mut reduced_axes, mut shape, mut group) = (vec![], vec![], vec![], 1);
    let mut sorted = true;
    for a in 0..x.rank() {
        if reduced[a] {
            group *= x.shape[a];
            reduced_axes.push(axis(a));
            if o.keep_dims {
                shape.push(1);
            }
        } else {
            sorted &= reduced_axes.is_empty() || x.shape[a] == 1;
            kept_axes.push(axis(a));
            shape.push(x.shape[a]);
        }
    }
    ensure!(
        group > 0 || matches!(kind, Kind::Sum | Kind::Product | Kind::Any | Kind::All),
        "a reduction of shape {:?} over no element",
        x.shape
    );
    kept_axes.extend(reduced_axes);
    let order = (!sorted).then(|| Movement::new(kept_axes));
    Planned::one(Reduce { kind, order, group }, shape)
}

/// Plans CUMSUM.
pub(super) fn plan_cumsum(call: &Call<'_>) -> Result<Planned, Fault> {
    call.arity(2, 2, 1)?;
    let o = table!(call, Cumsum)?;
    let x = call.alike(0)?;
    ensure!(x.dtype != DType::Bool, "operand 0 is BOOL");
    let axis = plan::axis(call.int(1, "the axis")?, x.rank())?;
    let inner = x.shape[axis + 1..].iter().product();
    let cumsum = Cumsum { extent: x.shape[axis], inner, reverse: o.reverse, exclusive: o.exclusive };
    Planned::one(cumsum, x.shape)
}

impl Reduce {
    pub(super) fn run<A: Arith>(&self, exec: &Exec<'_, A>) -> Done<A::E> {
        let groups: usize = exec.shape(0).iter().product();
        let arith = exec.arith;
        match exec.value(0)? {
            Value::Float(_, x) => {
                let moved = self.order.as_ref().map(|m| m.apply(&x.data, arith.exact(0.0)));
                let x = moved.as_deref().unwrap_or(&x.data);
                let one = |i: usize| exec.store(self.floats(arith, &x[i * self.group..][..self.group]));
                exec.floats_done((0..groups).map(one).collect())
            }
            Value::Whole(_, x) => {
                let moved = self.order.as_ref().map(|m| m.apply(&x.data, Whole::known(0)));
                let x = moved.as_deref().unwrap_or(&x.data);
                let one = |i: usize| self.wholes(&x[i * self.group..][..self.group]);
                exec.wholes_done((0..groups).map(one).collect())
            }
        }
    }

    fn floats<A: Arith>(&self, arith: &A, x: &[A::E]) -> A::E {
        let fold = |f: fn(&A, A::E, A::E) -> A::E, none: f64| match x.split_first() {
            Some((&first, rest)) => rest.iter().fold(first, |a, &b| f(arith, a, b)),
            None => arith.exact(none),
        };
        match self.kind {
            Kind::Sum => arith.sum(x),
            Kind::Mean => arith.mean(x),
            Kind::Max => arith.extremum_among(fold(A::max, f64::NAN), x),
            Kind::Min => arith.extremum_among(fold(A::min, f64::NAN), x),
            Kind::Product | Kind::Any | Kind::All => {
                fold(|arith, a, b| arith.intermediate(arith.mul(a, b)), 1.0)
            }
        }
    }

    fn wholes(&self, x: &[Whole]) -> Whole {
        let all_decided = x.iter().all(|x| x.decided);
        let values = x.iter().map(|x| x.value);
        let settled = |truth: bool| x.iter().any(|x| x.decided && (x.value != 0) == truth);
        let (value, decided) = match self.kind {
            Kind::Sum => (values.fold(0, i64::wrapping_add), all_decided),
            Kind::Mean => {
                (values.fold(0, i64::wrapping_add).wrapping_div(whole(x.len()).max(1)), all_decided)
            }
            Kind::Max => (values.max().unwrap_or(0), all_decided),
            Kind::Min => (values.min().unwrap_or(0), all_decided),
            Kind::Product => (values.fold(1, i64::wrapping_mul), all_decided),
            Kind::Any => (i64::from(x.iter().any(|x| x.value != 0)), all_decided || settled(true)),
            Kind::All => (i64::from(x.iter().all(|x| x.value != 0)), all_decided || settled(false)),
        };
        Whole { value, decided }
    }
}

impl Cumsum {
    pub(super) fn run<A: Arith>(self, exec: &Exec<'_, A>) -> Done<A::E> {
        let arith = exec.arith;
        match exec.value(0)? {
            Value::Float(_, x) => {
                let add = |a, b| arith.intermediate(arith.add(a, b));
                let sums = self.sums(&x.data, arith.exact(0.0), add);
                exec.floats_done(sums.into_iter().map(|x| exec.store(x)).collect())
            }
            Value::Whole(_, x) => {
                let add = |a: Whole, b: Whole| Whole {
                    value: a.value.wrapping_add(b.value),
                    decided: a.decided && b.decided,
                };
                exec.wholes_done(self.sums(&x.data, Whole::known(0), add))
            }
        }
    }

    fn sums<T: Copy>(self, x: &[T], zero: T, add: impl Fn(T, T) -> T) -> Vec<T> {
        let mut result = x.to_vec();
        let block = self.extent * self.inner;
        for from in (0..x.len()).step_by(block.max(1)) {
            for inner in 0..self.inner {
                let mut sum: Option<T> = None;
                for i in 0..self.extent {
                    let i = if self.reverse { self.extent - 1 - i } else { i };
                    let at = from + i * self.inner + inner;
                    let next = sum.map_or(x[at], |sum| add(sum, x[at]));
                    result[at] = if self.exclusive { sum.unwrap_or(zero) } else { next };
                    sum = Some(next);
                }
            }
        }
        result
    }
}
