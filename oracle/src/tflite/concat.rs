//! CONCATENATION and PACK.
//!
//! # Definition
//! CONCATENATION puts its operands side by side along an existing axis, PACK along a new one.
//!
//! # Edge cases
//! Operands may be empty along the axis. Quantized concatenation is refused with every quantized tensor.
//!
//! # Numerics
//! Copies; a fused activation of CONCATENATION clamps them.

use super::activation::Fused;
use super::error::{Fault, ensure};
use super::operands::{Done, Exec};
use super::plan::{self, Call, Planned, table, whole};
use crate::arith::Arith;

/// Operands whose blocks alternate in the result.
#[derive(Clone, Debug)]
pub(super) struct Concat {
    /// Blocks per operand.
    outer: usize,
    /// Elements of one block of every operand.
    blocks: Vec<usize>,
    fused: Fused,
}

/// Plans CONCATENATION.
pub(super) fn plan(call: &Call<'_>) -> Result<Planned, Fault> {
    call.arity(1, usize::MAX, 1)?;
    let o = table!(call, Concatenation)?;
    let first = call.alike(0)?;
    let axis = plan::axis(o.axis.into(), first.rank())?;
    let fused = Fused::new(o.fused_activation_function)?;
    ensure!(fused == Fused::None || first.dtype.is_float(), "a fused activation of {}", first.dtype);
    let (mut extent, mut blocks) = (0i64, vec![]);
    for i in 0..call.operands.len() {
        let x = call.alike(i)?;
        let fits =
            x.rank() == first.rank() && (0..x.rank()).all(|a| a == axis || x.shape[a] == first.shape[a]);
        ensure!(fits, "operand {i} has shape {:?}, operand 0 {:?}", x.shape, first.shape);
        extent = extent.saturating_add(whole(x.shape[axis]));
        blocks.push(x.shape[axis..].iter().product());
    }
    let mut extents: Vec<i64> = first.shape.iter().map(|&e| whole(e)).collect();
    extents[axis] = extent;
    let outer = first.shape[..axis].iter().product();
    Planned::one(Concat { outer, blocks, fused }, plan::shape(&extents)?)
}

/// Plans PACK.
pub(super) fn plan_pack(call: &Call<'_>) -> Result<Planned, Fault> {
    call.arity(1, usize::MAX, 1)?;
    let o = table!(call, Pack)?;
    let first = call.alike(0)?;
    let count = call.operands.len();
    ensure!(
        i64::from(o.values_count) == whole(count),
        "{count} operands, the option says {}",
        o.values_count
    );
    let axis = plan::axis(o.axis.into(), first.rank() + 1)?;
    for i in 1..count {
        let x = call.alike(i)?;
        ensure!(x.shape == first.shape, "operand {i} has shape {:?}, operand 0 {:?}", x.shape, first.shape);
    }
    let mut extents: Vec<i64> = first.shape.iter().map(|&e| whole(e)).collect();
    extents.insert(axis, whole(count));
    let outer = first.shape[..axis].iter().product();
    let block = first.shape[axis..].iter().product();
    Planned::one(Concat { outer, blocks: vec![block; count], fused: Fused::None }, plan::shape(&extents)?)
}

impl Concat {
    pub(super) fn run<A: Arith>(&self, exec: &Exec<'_, A>) -> Done<A::E> {
        let operands = 0..self.blocks.len();
        if !exec.dtype(0).is_float() {
            let all = operands.map(|i| Ok(exec.wholes(i)?.data.as_slice()));
            return exec.wholes_done(self.join(&all.collect::<Result<Vec<_>, String>>()?));
        }
        let all = operands.map(|i| Ok(exec.floats(i)?.data.as_slice()));
        let mut data = self.join(&all.collect::<Result<Vec<_>, String>>()?);
        if self.fused != Fused::None {
            data.iter_mut().for_each(|x| *x = exec.store(self.fused.apply(exec.arith, *x)));
        }
        exec.floats_done(data)
    }

    fn join<T: Copy>(&self, operands: &[&[T]]) -> Vec<T> {
        let mut data = Vec::with_capacity(operands.iter().map(|x| x.len()).sum());
        for outer in 0..self.outer {
            for (x, &block) in operands.iter().zip(&self.blocks) {
                data.extend_from_slice(&x[outer * block..][..block]);
            }
        }
        data
    }
}
