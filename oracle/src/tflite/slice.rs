//! Parts of tensors: SLICE, STRIDED_SLICE, SPLIT, SPLIT_V, UNPACK, DYNAMIC_UPDATE_SLICE.
//!
//! # Definition
//! SLICE takes `size` elements from `begin` along every axis (-1: all that remain). STRIDED_SLICE follows NumPy's
//! `begin:end:stride` with TensorFlow's masks: bit i of `begin_mask`/`end_mask` ignores that bound, of
//! `ellipsis_mask` stands for all axes not mentioned, of `new_axis_mask` adds an axis of extent 1 (ignored where the
//! ellipsis is), of `shrink_axis_mask` takes one element and drops the axis; with `offset`, `end` counts from `begin`.
//! SPLIT cuts equal parts, SPLIT_V parts of the given extents (one may be -1), UNPACK parts of extent 1 whose axis is
//! dropped. DYNAMIC_UPDATE_SLICE overwrites a part that begins at given indices, clamped so that it fits.
//!
//! # Edge cases
//! Bounds of STRIDED_SLICE are clamped to the axis; a shrunk axis needs an index inside it. Parts may be empty.
//!
//! # Numerics
//! Copies.

use super::error::{Fault, ensure};
use super::movement::{Movement, Moves, Shares, identity, line};
use super::operands::{Done, Exec};
use super::plan::{self, Call, Planned, strides, table, whole};
use crate::arith::Arith;
use crate::value::{Value, Whole};
use halfproof_wire::tflite::options::StridedSlice;

/// A planned DYNAMIC_UPDATE_SLICE.
#[derive(Clone, Debug)]
pub(super) struct UpdateSlice {
    /// Extents of the operand and of the update.
    operand: Vec<usize>,
    update: Vec<usize>,
}

/// Plans SLICE.
pub(super) fn plan_slice(call: &Call<'_>) -> Result<Planned, Fault> {
    call.arity(3, 3, 1)?;
    let x = call.alike(0)?;
    let (begin, size) = (call.ints(1, "begin")?, call.ints(2, "size")?);
    let rank = x.rank();
    ensure!(begin.len() == rank && size.len() == rank, "{} bounds for shape {:?}", begin.len(), x.shape);
    let strides = strides(x.shape);
    let (mut axes, mut shape) = (vec![], vec![]);
    for a in 0..rank {
        let extent = whole(x.shape[a]);
        let count = if size[a] == -1 { extent.saturating_sub(begin[a]) } else { size[a] };
        let inside = begin[a] >= 0 && count >= 0 && begin[a].saturating_add(count) <= extent;
        ensure!(inside, "begin {begin:?} and size {size:?} for shape {:?}", x.shape);
        let (begin, count) = (natural(begin[a])?, natural(count)?);
        axes.push(line(begin, 1, count, strides[a]));
        shape.push(count);
    }
    Planned::one(Moves::new(axes), shape)
}

fn natural(x: i64) -> Result<usize, Fault> {
    usize::try_from(x).map_err(|_| Fault::malformed(format!("{x} where a natural number is needed")))
}

/// What STRIDED_SLICE does with one axis of the operand, or with none.
enum Cut {
    /// Keeps an axis: first coordinate, step, count.
    Keep(usize, i64, usize),
    /// Takes one coordinate and drops the axis.
    Shrink(usize),
    /// Adds an axis of extent 1.
    New,
}

/// Plans STRIDED_SLICE.
pub(super) fn plan_strided_slice(call: &Call<'_>) -> Result<Planned, Fault> {
    call.arity(4, 4, 1)?;
    let x = call.alike(0)?;
    let o = table!(call, StridedSlice)?;
    let (begin, end, step) = (call.ints(1, "begin")?, call.ints(2, "end")?, call.ints(3, "strides")?);
    ensure!(
        begin.len() == end.len() && begin.len() == step.len() && begin.len() <= 32,
        "{} begins, {} ends and {} strides",
        begin.len(),
        end.len(),
        step.len()
    );
    let source = strides(x.shape);
    let (mut axes, mut shape, mut axis) = (vec![], vec![], 0);
    for cut in cuts(&o, x.shape, begin, end, step)? {
        match cut {
            Cut::New => {
                axes.push(vec![0]);
                shape.push(1);
                continue;
            }
            Cut::Shrink(at) => axes.push(vec![at * source[axis]]),
            Cut::Keep(at, step, count) => {
                axes.push(line(at, step, count, source[axis]));
                shape.push(count);
            }
        }
        axis += 1;
    }
    Planned::one(Moves::new(axes), shape)
}

fn cuts(
    o: &StridedSlice,
    shape: &[usize],
    begin: &[i64],
    end: &[i64],
    step: &[i64],
) -> Result<Vec<Cut>, Fault> {
    let bit = |mask: i32, i: usize| mask >> i & 1 == 1;
    let entries = begin.len();
    let ellipsis = (0..entries).find(|&i| bit(o.ellipsis_mask, i));
    ensure!(
        (0..entries).filter(|&i| bit(o.ellipsis_mask, i)).count() <= 1,
        "ellipsis mask {:#b} has more than one bit",
        o.ellipsis_mask
    );
    let mentioned = (0..entries).filter(|&i| Some(i) != ellipsis && !bit(o.new_axis_mask, i)).count();
    ensure!(mentioned <= shape.len(), "{mentioned} axes of shape {shape:?} are sliced");
    let all = |extent: usize| Cut::Keep(0, 1, extent);
    let (mut cuts, mut axis) = (vec![], 0);
    for i in 0..entries {
        if Some(i) == ellipsis {
            let skipped = shape.len() - mentioned;
            cuts.extend(shape[axis..axis + skipped].iter().map(|&e| all(e)));
            axis += skipped;
        } else if bit(o.new_axis_mask, i) {
            cuts.push(Cut::New);
        } else {
            cuts.push(one_axis(o, shape[axis], i, [begin[i], end[i], step[i]])?);
            axis += 1;
        }
    }
    cuts.extend(shape[axis..].iter().map(|&e| all(e)));
    Ok(cuts)
}

fn one_axis(o: &StridedSlice, extent: usize, i: usize, [begin, end, step]: [i64; 3]) -> Result<Cut, Fault> {
    let bit = |mask: i32| mask >> i & 1 == 1;
    ensure!(step != 0, "a stride of 0");
    let extent = whole(extent);
    let (low, high) = if step > 0 { (0, extent) } else { (-1, extent - 1) };
    let bound = |x: i64| (if x < 0 { x.saturating_add(extent) } else { x }).clamp(low, high);
    let ends = if step > 0 { (0, extent) } else { (extent - 1, -1) };
    let first = if bit(o.begin_mask) { ends.0 } else { bound(begin) };
    if bit(o.shrink_axis_mask) {
        ensure!((0..extent).contains(&first), "index {begin} of an axis of extent {extent}");
        return Ok(Cut::Shrink(natural(first)?));
    }
    let last = match (bit(o.end_mask), o.offset) {
        (true, _) => ends.1,
        (false, true) => bound(first.saturating_add(end)),
        (false, false) => bound(end),
    };
    let distance = if step > 0 { last - first } else { first - last };
    let pace = step.saturating_abs();
    let count = if distance <= 0 { 0 } else { (distance - 1) / pace + 1 };
    Ok(Cut::Keep(natural(first.max(0))?, step, natural(count)?))
}

/// Plans SPLIT: operands are the axis and the tensor.
pub(super) fn plan_split(call: &Call<'_>) -> Result<Planned, Fault> {
    let parts = call.results.len();
    call.arity(2, 2, parts)?;
    let o = table!(call, Split)?;
    let x = call.operand(1)?;
    let axis = plan::axis(call.int(0, "the axis")?, x.rank())?;
    ensure!(i64::from(o.num_splits) == whole(parts), "{parts} results, the option says {}", o.num_splits);
    ensure!(x.shape[axis].is_multiple_of(parts), "axis {axis} of shape {:?} into {parts} parts", x.shape);
    shares(call, 0, 1, axis, &vec![x.shape[axis] / parts; parts])
}

/// Plans SPLIT_V: operands are the tensor, the extents and the axis.
pub(super) fn plan_split_v(call: &Call<'_>) -> Result<Planned, Fault> {
    let parts = call.results.len();
    call.arity(3, 3, parts)?;
    let x = call.operand(0)?;
    let axis = plan::axis(call.int(2, "the axis")?, x.rank())?;
    let sizes = call.ints(1, "the extents")?;
    ensure!(sizes.len() == parts, "{} extents for {parts} results", sizes.len());
    let open = sizes.iter().filter(|&&s| s == -1).count();
    ensure!(open <= 1 && sizes.iter().all(|&s| s >= -1), "extents {sizes:?}");
    let known = sizes.iter().filter(|&&s| s != -1).fold(0i64, |sum, &s| sum.saturating_add(s));
    let rest = whole(x.shape[axis]) - known;
    ensure!(if open == 1 { rest >= 0 } else { rest == 0 }, "extents {sizes:?} of shape {:?}", x.shape);
    let extents: Result<Vec<usize>, Fault> =
        sizes.iter().map(|&s| natural(if s == -1 { rest } else { s })).collect();
    shares(call, 0, 0, axis, &extents?)
}

/// Plans UNPACK.
pub(super) fn plan_unpack(call: &Call<'_>) -> Result<Planned, Fault> {
    let parts = call.results.len();
    call.arity(1, 1, parts)?;
    let o = table!(call, Unpack)?;
    let x = call.operand(0)?;
    let axis = plan::axis(o.axis.into(), x.rank())?;
    ensure!(
        i64::from(o.num) == whole(parts) && x.shape[axis] == parts,
        "axis {axis} of shape {:?} into {parts} results, the option says {}",
        x.shape,
        o.num
    );
    let mut planned = shares(call, 0, 0, axis, &vec![1; parts])?;
    for shape in &mut planned.shapes {
        shape.remove(axis);
    }
    Ok(planned)
}

fn shares(
    call: &Call<'_>,
    result: usize,
    operand: usize,
    axis: usize,
    extents: &[usize],
) -> Result<Planned, Fault> {
    let x = call.operand(operand)?;
    for i in result..call.results.len() {
        call.result_is(i, x.dtype)?;
    }
    let (mut from, mut movements, mut shapes) = (0, vec![], vec![]);
    for &extent in extents {
        let mut axes = identity(x.shape);
        axes[axis] = line(from, 1, extent, strides(x.shape)[axis]);
        from += extent;
        movements.push(Movement::new(axes));
        let mut shape = x.shape.to_vec();
        shape[axis] = extent;
        shapes.push(shape);
    }
    Ok(Planned { kernel: Shares { operand, movements }.into(), shapes })
}

/// Plans DYNAMIC_UPDATE_SLICE: operands are the tensor, the update and where it begins.
pub(super) fn plan_update_slice(call: &Call<'_>) -> Result<Planned, Fault> {
    call.arity(3, 3, 1)?;
    let (x, update, start) = (call.alike(0)?, call.alike(1)?, call.operand(2)?);
    ensure!(start.dtype.is_integer(), "the start indices are {}", start.dtype);
    ensure!(
        update.rank() == x.rank() && start.len() == x.rank(),
        "an update of shape {:?} with {} start indices for shape {:?}",
        update.shape,
        start.len(),
        x.shape
    );
    ensure!(
        x.shape.iter().zip(update.shape).all(|(&all, &part)| part <= all),
        "an update of shape {:?} for shape {:?}",
        update.shape,
        x.shape
    );
    Planned::one(UpdateSlice { operand: x.shape.to_vec(), update: update.shape.to_vec() }, x.shape)
}

impl UpdateSlice {
    pub(super) fn run<A: Arith>(&self, exec: &Exec<'_, A>) -> Done<A::E> {
        let start = &exec.wholes(2)?.data;
        let decided = start.iter().all(|s| s.decided);
        let steps = strides(&self.operand);
        let mut axes = identity(&self.operand);
        let mut from = 0;
        for a in 0..axes.len() {
            let room = whole(self.operand[a] - self.update[a]);
            let at = usize::try_from(start[a].value.clamp(0, room)).unwrap_or(0);
            from += at * steps[a];
            axes[a].truncate(self.update[a]);
        }
        let targets = positions(&axes);
        Ok(vec![match (exec.value(0)?, exec.value(1)?) {
            (Value::Float(_, x), Value::Float(_, update)) => {
                let mut data = overwrite(&x.data, &update.data, &targets, from);
                if !decided {
                    data.iter_mut().for_each(|x| *x = exec.arith.unknown(*x));
                }
                exec.float_result(0, data)
            }
            (Value::Whole(_, x), Value::Whole(_, update)) => {
                let mut data: Vec<Whole> = overwrite(&x.data, &update.data, &targets, from);
                data.iter_mut().for_each(|x| x.decided &= decided);
                exec.whole_result(0, data)
            }
            _ => return Err("the update has another kind of elements".into()),
        }])
    }
}

/// Every sum of one offset per axis, in row-major order.
fn positions(axes: &[Vec<usize>]) -> Vec<usize> {
    axes.iter().fold(vec![0], |sums, axis| {
        sums.iter().flat_map(|&sum| axis.iter().map(move |&offset| sum + offset)).collect()
    })
}

fn overwrite<T: Copy>(x: &[T], update: &[T], targets: &[usize], from: usize) -> Vec<T> {
    let mut data = x.to_vec();
    for (&at, &u) in targets.iter().zip(update) {
        data[from + at] = u;
    }
    data
}
