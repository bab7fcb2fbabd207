//! FULLY_CONNECTED and BATCH_MATMUL.
//!
//! # Definition
//! FULLY_CONNECTED reads operand 0 as rows of the length of a weight row; the weights are [units, length], and the
//! result is `rows * weights^T + bias`, of shape [rows, units], or of the operand's shape with its last axis replaced
//! under `keep_num_dims`. BATCH_MATMUL multiplies matrices in the last two axes (`adj_x`, `adj_y` transpose them) and
//! broadcasts the leading ones.
//!
//! # Edge cases
//! The bias may be absent. Shuffled weight formats are for quantized kernels and refused.
//!
//! # Numerics
//! One [`Arith::dot`] per result element with the bias as its start, then the fused activation, then the store.

use super::activation::Fused;
use super::broadcast;
use super::error::{Fault, ensure};
use super::movement::Movement;
use super::operands::{Done, Exec};
use super::plan::{self, Call, Planned, table, whole};
use crate::arith::Arith;

/// A planned FULLY_CONNECTED.
#[derive(Clone, Copy, Debug)]
pub(super) struct FullyConnected {
    length: usize,
    units: usize,
    fused: Fused,
}

/// A planned BATCH_MATMUL.
#[derive(Clone, Debug)]
pub(super) struct BatchMatMul {
    rows: usize,
    inner: usize,
    columns: usize,
    /// Rearranges the left operand to rows of `inner` elements; `None` when it already has them.
    left: Option<Movement>,
    /// Rearranges the right operand to columns of `inner` elements; `None` when it already has them.
    right: Option<Movement>,
    /// Which left and right matrix each matrix of the result multiplies.
    pairs: Vec<(usize, usize)>,
}

/// Plans FULLY_CONNECTED.
pub(super) fn plan_fully_connected(call: &Call<'_>) -> Result<Planned, Fault> {
    call.arity(2, 3, 1)?;
    let o = table!(call, FullyConnected)?;
    let (x, weights) = (call.float(0)?, call.float(1)?);
    if o.weights_format != 0 {
        return Err(Fault::unsupported("shuffled weights"));
    }
    plan::rank("the weights", weights.shape, 2)?;
    let (units, length) = (weights.shape[0], weights.shape[1]);
    ensure!(
        length > 0 && x.len() % length == 0,
        "an operand of shape {:?} is no rows of {length} elements",
        x.shape
    );
    if let Some(bias) = call.optional_float(2)? {
        ensure!(bias.len() == units, "bias of shape {:?} for {units} units", bias.shape);
    }
    let shape = if o.keep_num_dims {
        ensure!(x.shape.last() == Some(&length), "last axis of {:?} is not {length}", x.shape);
        let mut shape = x.shape.to_vec();
        if let Some(last) = shape.last_mut() {
            *last = units;
        }
        shape
    } else {
        vec![x.len() / length, units]
    };
    let shape = plan::shape(&shape.iter().map(|&e| whole(e)).collect::<Vec<_>>())?;
    let fused = Fused::new(o.fused_activation_function)?;
    Planned::one(FullyConnected { length, units, fused }, shape)
}

/// Plans BATCH_MATMUL.
pub(super) fn plan_batch_matmul(call: &Call<'_>) -> Result<Planned, Fault> {
    call.arity(2, 2, 1)?;
    let o = table!(call, BatchMatMul)?;
    let (x, y) = (call.float(0)?, call.float(1)?);
    ensure!(x.rank() >= 2 && y.rank() >= 2, "shapes {:?} and {:?}, needs matrices", x.shape, y.shape);
    let (x_batch, x_matrix) = x.shape.split_at(x.rank() - 2);
    let (y_batch, y_matrix) = y.shape.split_at(y.rank() - 2);
    let (rows, inner) = if o.adj_x { (x_matrix[1], x_matrix[0]) } else { (x_matrix[0], x_matrix[1]) };
    let (depth, columns) = if o.adj_y { (y_matrix[1], y_matrix[0]) } else { (y_matrix[0], y_matrix[1]) };
    ensure!(inner == depth, "inner extents {inner} and {depth}");
    let mut shape = broadcast::shape(&[x_batch, y_batch])?;
    let (from_x, from_y) = (broadcast::steps(x_batch, &shape), broadcast::steps(y_batch, &shape));
    let matrices: usize = shape.iter().product();
    let mut pairs = Vec::with_capacity(matrices);
    for i in 0..matrices {
        let (mut rest, mut pair) = (i, (0, 0));
        for axis in (0..shape.len()).rev() {
            let at = rest % shape[axis];
            rest /= shape[axis];
            pair = (pair.0 + at * from_x[axis], pair.1 + at * from_y[axis]);
        }
        pairs.push(pair);
    }
    shape.extend([rows, columns]);
    let shape = plan::shape(&shape.iter().map(|&e| whole(e)).collect::<Vec<_>>())?;
    let transposed = |batch: &[usize], [height, width]: [usize; 2]| {
        let count: usize = batch.iter().product();
        Movement::new(vec![
            (0..count).map(|b| b * height * width).collect(),
            (0..width).collect(),
            (0..height).map(|r| r * width).collect(),
        ])
    };
    let left = o.adj_x.then(|| transposed(x_batch, [inner, rows]));
    let right = (!o.adj_y).then(|| transposed(y_batch, [inner, columns]));
    Planned::one(BatchMatMul { rows, inner, columns, left, right, pairs }, shape)
}

impl FullyConnected {
    pub(super) fn run<A: Arith>(self, exec: &Exec<'_, A>) -> Done<A::E> {
        let FullyConnected { length, units, fused } = self;
        let (x, weights) = (&exec.floats(0)?.data, &exec.floats(1)?.data);
        let bias = exec.optional_floats(2)?.map(|b| b.data.as_slice());
        let mut result = Vec::with_capacity(x.len() / length * units);
        for row in x.chunks_exact(length) {
            for (unit, weights) in weights.chunks_exact(length).enumerate() {
                let y = exec.arith.dot(row, weights, bias.map(|b| b[unit]));
                result.push(exec.store(fused.apply(exec.arith, y)));
            }
        }
        exec.floats_done(result)
    }
}

impl BatchMatMul {
    pub(super) fn run<A: Arith>(&self, exec: &Exec<'_, A>) -> Done<A::E> {
        let (x, y) = (&exec.floats(0)?.data, &exec.floats(1)?.data);
        let zero = exec.arith.exact(0.0);
        let (left, right);
        let x = match &self.left {
            None => x.as_slice(),
            Some(m) => {
                left = m.apply(x, zero);
                &left
            }
        };
        let y = match &self.right {
            None => y.as_slice(),
            Some(m) => {
                right = m.apply(y, zero);
                &right
            }
        };
        let (rows, inner, columns) = (self.rows, self.inner, self.columns);
        let mut result = Vec::with_capacity(self.pairs.len() * rows * columns);
        for &(a, b) in &self.pairs {
            for row in 0..rows {
                let row = &x[(a * rows + row) * inner..][..inner];
                for column in 0..columns {
                    let column = &y[(b * columns + column) * inner..][..inner];
                    result.push(exec.store(exec.arith.dot(row, column, None)));
                }
            }
        }
        exec.floats_done(result)
    }
}
