//! MAX_POOL_2D, AVERAGE_POOL_2D and L2_POOL_2D.
//!
//! # Definition
//! Over the window of every result position and each channel: the largest element; the sum divided by the number of
//! elements; the square root of the mean square. Windows are those of `window.rs`, with dilation 1.
//!
//! # Edge cases
//! Elements outside the input are absent: they are no zeros, and the divisor counts only the elements inside.
//!
//! # Numerics
//! AVERAGE_POOL_2D is one [`Arith::mean`] per element; L2_POOL_2D the root of the mean of squares.

use super::activation::Fused;
use super::error::{Fault, ensure};
use super::operands::{Done, Exec};
use super::plan::{self, Call, Planned, strides, table, whole};
use super::window::{Geometry, Window};
use crate::arith::{Arith, Function};
use halfproof_wire::tflite::Builtin;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Max,
    Average,
    L2,
}

/// A planned pooling.
#[derive(Clone, Debug)]
pub(super) struct Pool {
    kind: Kind,
    batch: usize,
    rows: Vec<Window>,
    columns: Vec<Window>,
    channels: usize,
    /// Elements between neighbours of the input along batch, height and width.
    strides: [usize; 3],
    fused: Fused,
}

/// Plans a pooling.
pub(super) fn plan(call: &Call<'_>) -> Result<Planned, Fault> {
    call.arity(1, 1, 1)?;
    let o = table!(call, Pool2D)?;
    let x = call.float(0)?;
    plan::rank("the operand", x.shape, 4)?;
    let kind = match call.builtin {
        Builtin::MaxPool2d => Kind::Max,
        Builtin::AveragePool2d => Kind::Average,
        _ => Kind::L2,
    };
    let axis = |input, filter: i32, stride| {
        let filter = usize::try_from(filter).unwrap_or(0);
        Geometry { input, filter, stride, dilation: 1, padding: o.padding }.sliding()
    };
    let rows = axis(x.shape[1], o.filter_height, o.stride_h)?;
    let columns = axis(x.shape[2], o.filter_width, o.stride_w)?;
    ensure!(rows.iter().chain(&columns).all(|w| w.count > 0), "a window has no element");
    let shape = plan::shape(&[x.shape[0], rows.len(), columns.len(), x.shape[3]].map(whole))?;
    let s = strides(x.shape);
    let pool = Pool {
        kind,
        batch: x.shape[0],
        rows,
        columns,
        channels: x.shape[3],
        strides: [s[0], s[1], s[2]],
        fused: Fused::new(o.fused_activation_function)?,
    };
    Planned::one(pool, shape)
}

impl Pool {
    pub(super) fn run<A: Arith>(&self, exec: &Exec<'_, A>) -> Done<A::E> {
        let x = &exec.floats(0)?.data;
        let mut result = Vec::with_capacity(exec.shape(0).iter().product());
        let mut window = vec![];
        let mut terms = vec![];
        for batch in 0..self.batch {
            for row in &self.rows {
                for column in &self.columns {
                    window.clear();
                    for (_, h) in row.pairs() {
                        let line = batch * self.strides[0] + h * self.strides[1];
                        window.extend(column.pairs().map(|(_, w)| line + w * self.strides[2]));
                    }
                    for channel in 0..self.channels {
                        terms.clear();
                        terms.extend(window.iter().map(|&at| x[at + channel]));
                        let y = self.reduce(exec.arith, &mut terms);
                        result.push(exec.store(self.fused.apply(exec.arith, y)));
                    }
                }
            }
        }
        exec.floats_done(result)
    }

    fn reduce<A: Arith>(&self, arith: &A, terms: &mut [A::E]) -> A::E {
        match self.kind {
            Kind::Max => {
                let largest = terms[1..].iter().fold(terms[0], |largest, &x| arith.max(largest, x));
                arith.extremum_among(largest, terms)
            }
            Kind::Average => arith.mean(terms),
            Kind::L2 => {
                terms.iter_mut().for_each(|x| *x = arith.apply(Function::Square, *x));
                arith.apply(Function::Sqrt, arith.intermediate(arith.mean(terms)))
            }
        }
    }
}
