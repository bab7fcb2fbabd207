//! Folds reductions.

use super::strided::View;
use crate::infer::{self, Operand, Type};
use halfproof_ir::{Data, Op};

/// Evaluates a reduction of constants.
pub(super) fn evaluate(op: &Op, operands: &[Option<Operand<'_>>], result: &Type) -> Option<Data> {
    let x = operands.first().copied().flatten()?.constant?;
    let rank = x.shape.len();
    let (_, noop) = infer::reduction(op)?;
    let axes = infer::reduced_axes(rank, operands.get(1).copied().flatten(), noop).ok()?;
    if axes.is_empty() {
        // Nothing to reduce. What becomes of the squares and logarithms of the others is not the same in all versions.
        let plain = matches!(
            op,
            Op::ReduceSum(_) | Op::ReduceMean(_) | Op::ReduceMax(_) | Op::ReduceMin(_) | Op::ReduceProd(_)
        );
        return plain.then(|| x.data.clone());
    }
    let order: Vec<usize> = (0..rank).filter(|a| !axes.contains(a)).chain(axes.iter().copied()).collect();
    let view = View::transpose(&x.shape, &order);
    let count: usize = axes.iter().map(|&a| x.shape[a]).product();
    if count == 0 {
        return None;
    }
    if let Some(floats) = x.floats() {
        let f = float(op)?;
        return Some(Data::F64(view.read(&floats).chunks(count).map(f).collect()));
    }
    let f = integer(op)?;
    let reduced = view.read(&x.integers()?).chunks(count).map(f).collect::<Option<_>>()?;
    super::integers(result.dtype, reduced)
}

fn float(op: &Op) -> Option<fn(&[f64]) -> f64> {
    fn sum(v: &[f64]) -> f64 {
        v.iter().sum()
    }
    fn max(v: &[f64]) -> f64 {
        v.iter().copied().fold(f64::NEG_INFINITY, |a, b| if a.is_nan() || a > b { a } else { b })
    }
    fn min(v: &[f64]) -> f64 {
        v.iter().copied().fold(f64::INFINITY, |a, b| if a.is_nan() || a < b { a } else { b })
    }
    Some(match op {
        Op::ReduceSum(_) => sum,
        Op::ReduceMean(_) => |v| sum(v) / v.len() as f64,
        Op::ReduceMax(_) => max,
        Op::ReduceMin(_) => min,
        Op::ReduceProd(_) => |v| v.iter().product(),
        Op::ReduceL1(_) => |v| v.iter().map(|x| x.abs()).sum(),
        Op::ReduceL2(_) => |v| v.iter().map(|x| x * x).sum::<f64>().sqrt(),
        Op::ReduceSumSquare(_) => |v| v.iter().map(|x| x * x).sum(),
        Op::ReduceLogSum(_) => |v| libm::log(sum(v)),
        Op::ReduceLogSumExp(_) => |v| {
            let top = max(v);
            if top.is_finite() { top + libm::log(v.iter().map(|x| libm::exp(x - top)).sum()) } else { top }
        },
        _ => return None,
    })
}

/// What becomes of one group of integers; `None` on overflow.
type Reduction = fn(&[i64]) -> Option<i64>;

fn integer(op: &Op) -> Option<Reduction> {
    Some(match op {
        Op::ReduceSum(_) => |v| v.iter().try_fold(0i64, |a, &b| a.checked_add(b)),
        Op::ReduceProd(_) => |v| v.iter().try_fold(1i64, |a, &b| a.checked_mul(b)),
        Op::ReduceMax(_) => |v| v.iter().copied().max(),
        Op::ReduceMin(_) => |v| v.iter().copied().min(),
        _ => return None,
    })
}
