//! Elements fetched and scattered by indices: GATHER, GATHER_ND, SCATTER_ND, EMBEDDING_LOOKUP.
//!
//! # Definition
//! GATHER replaces axis `axis` of operand 0 by the axes of the indices after the first `batch_dims`, which both share.
//! GATHER_ND reads, for every row of the indices, the element or slice at that coordinate. SCATTER_ND starts from zeros
//! of the shape in operand 2 and adds every update at its coordinate. EMBEDDING_LOOKUP gathers rows of operand 1 by
//! operand 0.
//!
//! # Edge cases
//! An index outside its axis (negative ones included) stops the run, as it does in TFLite.
//!
//! # Numerics
//! Copies. What an undecided index fetches is unknown. Updates that meet in SCATTER_ND are one sum.

use super::error::{Fault, ensure};
use super::operands::{Done, Exec};
use super::plan::{self, Call, Planned, strides, table, whole};
use crate::arith::Arith;
use crate::value::{Value, Whole};
use halfproof_ir::DType;

/// A planned GATHER or EMBEDDING_LOOKUP.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gather {
    /// Positions of the elements and of the indices among the operands.
    operands: [usize; 2],
    batch: usize,
    outer: usize,
    extent: usize,
    inner: usize,
    /// Indices per batch.
    indices: usize,
}

/// A planned GATHER_ND.
#[derive(Clone, Debug)]
pub(super) struct GatherNd(Coordinates);

/// A planned SCATTER_ND.
#[derive(Clone, Debug)]
pub(super) struct ScatterNd(Coordinates);

/// Rows of indices into the leading axes of a tensor.
#[derive(Clone, Debug)]
struct Coordinates {
    extents: Vec<usize>,
    strides: Vec<usize>,
    /// Elements of one slice.
    slice: usize,
    rows: usize,
}

fn product(shape: &[usize]) -> usize {
    shape.iter().product()
}

fn extents(parts: &[&[usize]]) -> Result<Vec<usize>, Fault> {
    let all: Vec<i64> = parts.iter().flat_map(|p| p.iter().map(|&e| whole(e))).collect();
    plan::shape(&all)
}

/// Plans GATHER.
pub(super) fn plan(call: &Call<'_>) -> Result<Planned, Fault> {
    call.arity(2, 2, 1)?;
    let o = table!(call, Gather)?;
    let (x, indices) = (call.alike(0)?, call.operand(1)?);
    ensure!(indices.dtype.is_integer(), "the indices are {}", indices.dtype);
    let axis = plan::axis(o.axis.into(), x.rank())?;
    let shared = if o.batch_dims == 0 { 0 } else { plan::axis(o.batch_dims.into(), indices.rank() + 1)? };
    ensure!(
        shared <= axis && shared <= indices.rank() && x.shape[..shared] == indices.shape[..shared],
        "{} batch axes of shapes {:?} and {:?} with axis {axis}",
        o.batch_dims,
        x.shape,
        indices.shape
    );
    let shape = extents(&[&x.shape[..axis], &indices.shape[shared..], &x.shape[axis + 1..]])?;
    let gather = Gather {
        operands: [0, 1],
        batch: product(&x.shape[..shared]),
        outer: product(&x.shape[shared..axis]),
        extent: x.shape[axis],
        inner: product(&x.shape[axis + 1..]),
        indices: product(&indices.shape[shared..]),
    };
    Planned::one(gather, shape)
}

/// Plans EMBEDDING_LOOKUP: operands are the indices and the table.
pub(super) fn plan_embedding(call: &Call<'_>) -> Result<Planned, Fault> {
    call.arity(2, 2, 1)?;
    let (indices, rows) = (call.operand(0)?, call.alike(1)?);
    ensure!(indices.dtype == DType::I32, "the indices are {}", indices.dtype);
    plan::rank("the indices", indices.shape, 1)?;
    ensure!(rows.rank() >= 1, "the table is a scalar");
    let shape = extents(&[indices.shape, &rows.shape[1..]])?;
    let inner = product(&rows.shape[1..]);
    let gather =
        Gather { operands: [1, 0], batch: 1, outer: 1, extent: rows.shape[0], inner, indices: indices.len() };
    Planned::one(gather, shape)
}

fn coordinates(shape: &[usize], indices: &[usize]) -> Result<(Coordinates, usize), Fault> {
    ensure!(!indices.is_empty(), "the indices are a scalar");
    let (leading, depth) = (&indices[..indices.len() - 1], indices[indices.len() - 1]);
    ensure!(depth <= shape.len(), "indices of shape {indices:?} for shape {shape:?}");
    let c = Coordinates {
        extents: shape[..depth].to_vec(),
        strides: strides(shape)[..depth].to_vec(),
        slice: product(&shape[depth..]),
        rows: product(leading),
    };
    Ok((c, depth))
}

/// Plans GATHER_ND.
pub(super) fn plan_nd(call: &Call<'_>) -> Result<Planned, Fault> {
    call.arity(2, 2, 1)?;
    let (x, indices) = (call.alike(0)?, call.operand(1)?);
    ensure!(indices.dtype.is_integer(), "the indices are {}", indices.dtype);
    let (coordinates, depth) = coordinates(x.shape, indices.shape)?;
    let shape = extents(&[&indices.shape[..indices.rank() - 1], &x.shape[depth..]])?;
    Planned::one(GatherNd(coordinates), shape)
}

/// Plans SCATTER_ND: operands are indices, updates and the shape.
pub(super) fn plan_scatter(call: &Call<'_>) -> Result<Planned, Fault> {
    call.arity(3, 3, 1)?;
    let (indices, updates) = (call.operand(0)?, call.alike(1)?);
    ensure!(indices.dtype.is_integer(), "the indices are {}", indices.dtype);
    ensure!(updates.dtype != DType::Bool, "the updates are BOOL");
    let shape = plan::shape(call.ints(2, "the shape")?)?;
    let (coordinates, depth) = coordinates(&shape, indices.shape)?;
    let expected = [&indices.shape[..indices.rank() - 1], &shape[depth..]].concat();
    ensure!(updates.shape == expected, "updates of shape {:?}, needs {expected:?}", updates.shape);
    Planned::one(ScatterNd(coordinates), shape)
}

/// An index inside its axis.
fn inside(index: Whole, extent: usize) -> Result<usize, String> {
    match usize::try_from(index.value) {
        Ok(i) if i < extent => Ok(i),
        _ => Err(format!("index {} of an axis of extent {extent}", index.value)),
    }
}

impl Gather {
    pub(super) fn run<A: Arith>(self, exec: &Exec<'_, A>) -> Done<A::E> {
        let [elements, indices] = self.operands;
        let indices = &exec.wholes(indices)?.data;
        Ok(vec![match exec.value(elements)? {
            Value::Float(_, x) => {
                let data = self.fetch(&x.data, indices, |x| exec.arith.unknown(x))?;
                exec.float_result(0, data)
            }
            Value::Whole(_, x) => {
                let data = self.fetch(&x.data, indices, |x| Whole { decided: false, ..x })?;
                exec.whole_result(0, data)
            }
        }])
    }

    fn fetch<T: Copy>(self, x: &[T], indices: &[Whole], unknown: impl Fn(T) -> T) -> Result<Vec<T>, String> {
        let mut data = Vec::with_capacity(self.batch * self.outer * self.indices * self.inner);
        for batch in 0..self.batch {
            for outer in 0..self.outer {
                for &index in &indices[batch * self.indices..][..self.indices] {
                    let at = inside(index, self.extent)?;
                    let from = ((batch * self.outer + outer) * self.extent + at) * self.inner;
                    let slice = &x[from..][..self.inner];
                    if index.decided {
                        data.extend_from_slice(slice);
                    } else {
                        data.extend(slice.iter().map(|&x| unknown(x)));
                    }
                }
            }
        }
        Ok(data)
    }
}

impl Coordinates {
    /// Where the slice of one row begins, and whether that is decided.
    fn start(&self, row: usize, indices: &[Whole]) -> Result<(usize, bool), String> {
        let depth = self.extents.len();
        let (mut from, mut decided) = (0, true);
        for (axis, &index) in indices[row * depth..][..depth].iter().enumerate() {
            from += inside(index, self.extents[axis])? * self.strides[axis];
            decided &= index.decided;
        }
        Ok((from, decided))
    }

    fn fetch<T: Copy>(&self, x: &[T], indices: &[Whole], unknown: impl Fn(T) -> T) -> Result<Vec<T>, String> {
        let mut data = Vec::with_capacity(self.rows * self.slice);
        for row in 0..self.rows {
            let (from, decided) = self.start(row, indices)?;
            let slice = &x[from..][..self.slice];
            if decided {
                data.extend_from_slice(slice);
            } else {
                data.extend(slice.iter().map(|&x| unknown(x)));
            }
        }
        Ok(data)
    }
}

impl GatherNd {
    pub(super) fn run<A: Arith>(&self, exec: &Exec<'_, A>) -> Done<A::E> {
        let indices = &exec.wholes(1)?.data;
        Ok(vec![match exec.value(0)? {
            Value::Float(_, x) => {
                let data = self.0.fetch(&x.data, indices, |x| exec.arith.unknown(x))?;
                exec.float_result(0, data)
            }
            Value::Whole(_, x) => {
                let data = self.0.fetch(&x.data, indices, |x| Whole { decided: false, ..x })?;
                exec.whole_result(0, data)
            }
        }])
    }
}

impl ScatterNd {
    pub(super) fn run<A: Arith>(&self, exec: &Exec<'_, A>) -> Done<A::E> {
        let indices = &exec.wholes(0)?.data;
        let mut starts = Vec::with_capacity(self.0.rows);
        let mut decided = true;
        for row in 0..self.0.rows {
            let (from, sure) = self.0.start(row, indices)?;
            starts.push(from);
            decided &= sure;
        }
        let slice = self.0.slice;
        let targets = starts.iter().flat_map(|&from| from..from + slice);
        let len = product(exec.shape(0));
        match exec.value(1)? {
            Value::Float(_, updates) => {
                let mut pairs: Vec<(usize, usize)> = targets.zip(0..updates.data.len()).collect();
                pairs.sort_unstable();
                let mut data = vec![exec.arith.exact(0.0); len];
                let mut terms = vec![];
                for meeting in pairs.chunk_by(|a, b| a.0 == b.0) {
                    terms.clear();
                    terms.extend(meeting.iter().map(|&(_, from)| updates.data[from]));
                    data[meeting[0].0] = match terms.as_slice() {
                        [only] => *only,
                        several => exec.store(exec.arith.sum(several)),
                    };
                }
                if !decided {
                    data.iter_mut().for_each(|x| *x = exec.arith.unknown(*x));
                }
                exec.floats_done(data)
            }
            Value::Whole(_, updates) => {
                let mut data = vec![Whole { value: 0, decided }; len];
                for (at, update) in targets.zip(&updates.data) {
                    data[at].value = data[at].value.wrapping_add(update.value);
                    data[at].decided &= update.decided;
                }
                exec.wholes_done(data)
            }
        }
    }
}
