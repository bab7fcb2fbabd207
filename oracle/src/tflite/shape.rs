//! Operators about shapes: the same elements under another shape, elements repeated, and tensors made from shapes.
//!
//! # Definition
//! RESHAPE (to operand 1 or the option `new_shape`; one extent may be -1), SQUEEZE (the listed axes of extent 1, or all
//! of them), EXPAND_DIMS (a new axis before operand 1, counted from the end when negative), SHAPE, RANK, FILL, RANGE
//! (`start + i * delta` while short of the limit), BROADCAST_TO, BROADCAST_ARGS, TILE, ONE_HOT.
//!
//! # Edge cases
//! ONE_HOT gives `off` everywhere for an index outside [0, depth). A new shape of one 0 means a scalar in files of old
//! converters; it is taken as such when the operand has one element.
//!
//! # Numerics
//! Copies. RANGE computes each element from its index.

use super::broadcast;
use super::error::{Fault, ensure};
use super::movement::Moves;
use super::operands::{Done, Exec};
use super::plan::{self, Call, Planned, strides, table, whole};
use crate::arith::Arith;
use crate::value::{Value, Whole};
use halfproof_ir::{DType, Tensor};

/// The same elements under the shape of the result.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reshape;

/// Integers that follow from shapes alone.
#[derive(Clone, Debug)]
pub(super) struct Known(Vec<i64>);

/// A planned FILL.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fill;

/// A planned RANGE.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range;

/// A planned ONE_HOT.
#[derive(Clone, Copy, Debug)]
pub(super) struct OneHot {
    depth: usize,
    /// Elements of the indices after the new axis.
    inner: usize,
}

/// Plans RESHAPE.
pub(super) fn plan_reshape(call: &Call<'_>) -> Result<Planned, Fault> {
    call.arity(1, 2, 1)?;
    let x = call.alike(0)?;
    let wanted: Vec<i64> = match call.optional(1) {
        Some(_) => call.ints(1, "the new shape")?.to_vec(),
        None => table!(call, Reshape)?.new_shape.iter().map(|&e| e.into()).collect(),
    };
    if wanted == [0] && x.len() == 1 {
        return Planned::one(Reshape, vec![]);
    }
    let open = wanted.iter().filter(|&&e| e == -1).count();
    ensure!(open <= 1, "new shape {wanted:?} leaves {open} extents open");
    let ones: Vec<i64> = wanted.iter().map(|&e| if e == -1 { 1 } else { e }).collect();
    let mut shape = plan::shape(&ones)?;
    if let Some(at) = wanted.iter().position(|&e| e == -1) {
        let rest: usize = shape.iter().product();
        ensure!(rest > 0 && x.len() % rest == 0, "shape {:?} to {wanted:?}", x.shape);
        shape[at] = x.len() / rest;
    }
    ensure!(shape.iter().product::<usize>() == x.len(), "shape {:?} to {wanted:?}", x.shape);
    Planned::one(Reshape, shape)
}

/// Plans SQUEEZE.
pub(super) fn plan_squeeze(call: &Call<'_>) -> Result<Planned, Fault> {
    call.arity(1, 1, 1)?;
    let x = call.alike(0)?;
    let o = table!(call, Squeeze)?;
    let mut gone: Vec<bool> = x.shape.iter().map(|&e| o.squeeze_dims.is_empty() && e == 1).collect();
    for &axis in &o.squeeze_dims {
        let axis = plan::axis(axis.into(), x.rank())?;
        ensure!(x.shape[axis] == 1, "axis {axis} of shape {:?} is squeezed", x.shape);
        gone[axis] = true;
    }
    let kept: Vec<usize> = x.shape.iter().zip(gone).filter(|(_, gone)| !gone).map(|(&e, _)| e).collect();
    Planned::one(Reshape, kept)
}

/// Plans EXPAND_DIMS.
pub(super) fn plan_expand_dims(call: &Call<'_>) -> Result<Planned, Fault> {
    call.arity(2, 2, 1)?;
    let x = call.alike(0)?;
    let axis = plan::axis(call.int(1, "the axis")?, x.rank() + 1)?;
    let mut shape = x.shape.to_vec();
    shape.insert(axis, 1);
    Planned::one(Reshape, shape)
}

/// Plans SHAPE.
pub(super) fn plan_shape(call: &Call<'_>) -> Result<Planned, Fault> {
    call.arity(1, 1, 1)?;
    let x = call.operand(0)?;
    ensure!(matches!(call.results[0], DType::I32 | DType::I64), "result is {}", call.results[0]);
    let extents: Vec<i64> = x.shape.iter().map(|&e| whole(e)).collect();
    Planned::one(Known(extents), vec![x.rank()])
}

/// Plans RANK.
pub(super) fn plan_rank(call: &Call<'_>) -> Result<Planned, Fault> {
    call.arity(1, 1, 1)?;
    call.result_is(0, DType::I32)?;
    Planned::one(Known(vec![whole(call.operand(0)?.rank())]), vec![])
}

/// Plans BROADCAST_ARGS: the shape that two shapes broadcast to.
pub(super) fn plan_broadcast_args(call: &Call<'_>) -> Result<Planned, Fault> {
    call.arity(2, 2, 1)?;
    call.alike(0)?;
    call.alike(1)?;
    let (a, b) = (plan::shape(call.ints(0, "a shape")?)?, plan::shape(call.ints(1, "a shape")?)?);
    let both = broadcast::shape(&[&a, &b])?;
    let rank = both.len();
    Planned::one(Known(both.into_iter().map(whole).collect()), vec![rank])
}

/// Plans FILL.
pub(super) fn plan_fill(call: &Call<'_>) -> Result<Planned, Fault> {
    call.arity(2, 2, 1)?;
    let value = call.alike(1)?;
    ensure!(value.len() == 1, "the value has shape {:?}", value.shape);
    Planned::one(Fill, plan::shape(call.ints(0, "the shape")?)?)
}

/// Plans RANGE. Its operands must be constants, because the shape of the result follows from them.
pub(super) fn plan_range(call: &Call<'_>) -> Result<Planned, Fault> {
    call.arity(3, 3, 1)?;
    let mut bounds = [0.0; 3];
    for (i, bound) in bounds.iter_mut().enumerate() {
        let operand = call.alike(i)?;
        ensure!(operand.len() == 1, "operand {i} has shape {:?}, needs one element", operand.shape);
        let floats = operand.floats.and_then(|d| Tensor { shape: vec![], data: d.clone() }.floats());
        #[expect(clippy::cast_precision_loss, reason = "a range has far fewer than 2^53 elements")]
        let known = operand.known.map(|k| k[0] as f64).or(floats.map(|f| f[0]));
        *bound = known.ok_or_else(|| {
            Fault::unsupported(format!("operand {i} is computed at run time and the shape depends on it"))
        })?;
    }
    let [start, limit, delta] = bounds;
    ensure!(delta != 0.0, "range with a step of 0");
    let count = ((limit - start) / delta).ceil().max(0.0);
    ensure!(count.is_finite(), "range from {start} to {limit} by {delta}");
    if count > plan::MAX_EXTENT as f64 {
        return Err(Fault::unsupported(format!("a range of {count} elements")));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked just before")]
    Planned::one(Range, vec![count as usize])
}

/// Plans BROADCAST_TO.
pub(super) fn plan_broadcast_to(call: &Call<'_>) -> Result<Planned, Fault> {
    call.arity(2, 2, 1)?;
    let x = call.alike(0)?;
    let shape = plan::shape(call.ints(1, "the shape")?)?;
    ensure!(shape.len() >= x.rank(), "shape {:?} to {shape:?}", x.shape);
    let tail = &shape[shape.len() - x.rank()..];
    ensure!(
        x.shape.iter().zip(tail).all(|(&from, &to)| from == to || from == 1),
        "shape {:?} to {shape:?}",
        x.shape
    );
    let steps = broadcast::steps(x.shape, &shape);
    let axes = steps.iter().zip(&shape).map(|(&s, &e)| (0..e).map(|i| i * s).collect()).collect();
    Planned::one(Moves::new(axes), shape)
}

/// Plans TILE.
pub(super) fn plan_tile(call: &Call<'_>) -> Result<Planned, Fault> {
    call.arity(2, 2, 1)?;
    let x = call.alike(0)?;
    let times = plan::shape(call.ints(1, "the multiples")?)?;
    ensure!(times.len() == x.rank(), "{} multiples for shape {:?}", times.len(), x.shape);
    let extents: Vec<i64> =
        x.shape.iter().zip(&times).map(|(&e, &t)| whole(e).saturating_mul(whole(t))).collect();
    let shape = plan::shape(&extents)?;
    let axes = (0..x.rank())
        .map(|a| {
            let stride = strides(x.shape)[a];
            (0..shape[a]).map(|i| i % x.shape[a] * stride).collect()
        })
        .collect();
    Planned::one(Moves::new(axes), shape)
}

/// Plans ONE_HOT: operands are indices, depth, the value at an index and the value elsewhere.
pub(super) fn plan_one_hot(call: &Call<'_>) -> Result<Planned, Fault> {
    call.arity(4, 4, 1)?;
    let indices = call.operand(0)?;
    ensure!(indices.dtype.is_integer(), "the indices are {}", indices.dtype);
    for i in [2, 3] {
        ensure!(call.alike(i)?.len() == 1, "operand {i} has shape {:?}", call.alike(i)?.shape);
    }
    let depth = plan::shape(&[call.int(1, "the depth")?])?[0];
    let axis = match table!(call, OneHot)?.axis {
        -1 => indices.rank(),
        axis => {
            ensure!(axis >= 0, "axis {axis}, needs -1 or more");
            plan::axis(axis.into(), indices.rank() + 1)?
        }
    };
    let mut extents: Vec<i64> = indices.shape.iter().map(|&e| whole(e)).collect();
    extents.insert(axis, whole(depth));
    let inner = indices.shape[axis..].iter().product();
    Planned::one(OneHot { depth, inner }, plan::shape(&extents)?)
}

impl Reshape {
    pub(super) fn run<A: Arith>(self, exec: &Exec<'_, A>) -> Done<A::E> {
        Ok(vec![match exec.value(0)? {
            Value::Float(_, a) => exec.float_result(0, a.data.clone()),
            Value::Whole(_, a) => exec.whole_result(0, a.data.clone()),
        }])
    }
}

impl Known {
    pub(super) fn run<A: Arith>(&self, exec: &Exec<'_, A>) -> Done<A::E> {
        exec.wholes_done(self.0.iter().map(|&x| Whole::known(x)).collect())
    }
}

impl Fill {
    pub(super) fn run<A: Arith>(self, exec: &Exec<'_, A>) -> Done<A::E> {
        let len = exec.shape(0).iter().product();
        match exec.value(1)? {
            Value::Float(_, a) => exec.floats_done(vec![*a.data.first().ok_or("no value")?; len]),
            Value::Whole(_, a) => exec.wholes_done(vec![*a.data.first().ok_or("no value")?; len]),
        }
    }
}

impl Range {
    pub(super) fn run<A: Arith>(self, exec: &Exec<'_, A>) -> Done<A::E> {
        let len: usize = exec.shape(0).iter().product();
        let arith = exec.arith;
        if let Value::Whole(_, start) = exec.value(0)? {
            let (start, delta) = (start.data[0], exec.wholes(2)?.data[0]);
            let decided = start.decided && delta.decided;
            let element = |i| start.value.wrapping_add(delta.value.wrapping_mul(whole(i)));
            return exec.wholes_done((0..len).map(|i| Whole { value: element(i), decided }).collect());
        }
        let (start, delta) = (exec.floats(0)?.data[0], exec.floats(2)?.data[0]);
        let element = |i| {
            let index = arith.from_whole(Whole::known(whole(i)));
            exec.store(arith.add(start, arith.mul(index, delta)))
        };
        exec.floats_done((0..len).map(element).collect())
    }
}

impl OneHot {
    pub(super) fn run<A: Arith>(self, exec: &Exec<'_, A>) -> Done<A::E> {
        let indices = &exec.wholes(0)?.data;
        let at = |i: usize| {
            let (inner, rest) = (i % self.inner, i / self.inner);
            let (position, outer) = (rest % self.depth, rest / self.depth);
            let index = indices[outer * self.inner + inner];
            (index.value == whole(position), index.decided)
        };
        let len = exec.shape(0).iter().product();
        match exec.value(2)? {
            Value::Float(_, on) => {
                let (on, off) = (on.data[0], exec.floats(3)?.data[0]);
                let element = |i| match at(i) {
                    (true, true) => on,
                    (false, true) => off,
                    (true, false) => exec.arith.either(on, off),
                    (false, false) => exec.arith.either(off, on),
                };
                exec.floats_done((0..len).map(element).collect())
            }
            Value::Whole(_, on) => {
                let (on, off) = (on.data[0], exec.wholes(3)?.data[0]);
                let element = |i| {
                    let (hit, decided) = at(i);
                    let chosen = if hit { on } else { off };
                    Whole { value: chosen.value, decided: chosen.decided && (decided || on == off) }
                };
                exec.wholes_done((0..len).map(element).collect())
            }
        }
    }
}
