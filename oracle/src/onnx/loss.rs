//! Losses: NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss.
//!
//! # Definition
//! ONNX NegativeLogLikelihoodLoss-13: for every target, minus the element of its class along axis 1, times the weight of the
//! class; `none` leaves them, `sum` adds them, `mean` divides the sum by the sum of the weights (1 where none are given).
//! SoftmaxCrossEntropyLoss-13 is that of the logarithm of the softmax along axis 1, which is its second result.
//! # Edge cases
//! Targets equal to `ignore_index` have the weight 0, whatever class that would be. Any other target outside the classes is an
//! error.
//! # Numerics
//! The log-softmax rule, one product per target, the `sum` rule, one division.

use super::error::{OpError, attribute, shape};
use super::operands::Operands;
use super::strided::along;
use crate::arith::{Arith, Function};
use crate::value::{Array, Value};
use halfproof_ir::DType;
use halfproof_ir::ops::{NegativeLogLikelihoodLoss, SoftmaxCrossEntropyLoss};

/// NegativeLogLikelihoodLoss.
pub(super) fn negative_log_likelihood<A: Arith>(
    op: &NegativeLogLikelihoodLoss,
    x: &Operands<A::E>,
    arith: &A,
) -> Result<Value<A::E>, OpError> {
    let (d, a) = x.floats(0)?;
    loss(a, d, op.ignore_index, &op.reduction, x, arith)
}

/// SoftmaxCrossEntropyLoss.
pub(super) fn cross_entropy<A: Arith>(
    op: &SoftmaxCrossEntropyLoss,
    x: &Operands<A::E>,
    arith: &A,
) -> Result<Vec<Value<A::E>>, OpError> {
    let (d, a) = x.floats(0)?;
    if a.shape.len() < 2 {
        return Err(shape(format!("scores of shape {:?} have no classes", a.shape)));
    }
    let logs = along(a, 1, a.shape[1], |row| {
        arith.softmax(row, 1.0, true).into_iter().map(|e| arith.store(e, d)).collect()
    })?;
    let value = loss(&logs, d, op.ignore_index, &op.reduction, x, arith)?;
    Ok(vec![value, Value::Float(d, logs)])
}

fn loss<A: Arith>(
    a: &Array<A::E>,
    d: DType,
    ignored: Option<i64>,
    reduction: &str,
    x: &Operands<A::E>,
    arith: &A,
) -> Result<Value<A::E>, OpError> {
    let &[batch, classes, ref spatial @ ..] = &a.shape[..] else {
        return Err(shape(format!("a tensor of shape {:?} has no classes", a.shape)));
    };
    let dims: Vec<usize> = std::iter::once(batch).chain(spatial.iter().copied()).collect();
    let target = x.need(1)?;
    if target.shape() != dims {
        return Err(shape(format!("targets of shape {:?} for {:?}", target.shape(), a.shape)));
    }
    let (targets, weights) = (x.ints(1)?, x.optional_floats(2)?);
    if weights.is_some_and(|w| w.shape != [classes]) {
        return Err(shape("weights are not one per class"));
    }
    let size: usize = spatial.iter().product();
    let (zero, one) = (arith.exact(0.0), arith.exact(1.0));
    let (mut losses, mut factors) = (Vec::new(), Vec::new());
    for (i, &t) in targets.iter().enumerate() {
        if Some(t) == ignored {
            losses.push(zero);
            factors.push(zero);
            continue;
        }
        let class = usize::try_from(t).ok().filter(|&t| t < classes);
        let class = class.ok_or_else(|| shape(format!("target {t} is no class")))?;
        let element = a.data[(i / size.max(1) * classes + class) * size + i % size.max(1)];
        let minus = arith.apply(Function::Neg, element);
        let weight = weights.map_or(one, |w| w.data[class]);
        losses.push(if weights.is_some() { arith.intermediate(arith.mul(minus, weight)) } else { minus });
        factors.push(weight);
    }
    let scalar = |e| Value::Float(d, Array { shape: vec![], data: vec![arith.store(e, d)] });
    Ok(match reduction {
        "none" => Value::Float(
            d,
            Array { shape: dims, data: losses.into_iter().map(|e| arith.store(e, d)).collect() },
        ),
        "sum" => scalar(arith.sum(&losses)),
        "mean" if weights.is_none() && ignored.is_none() => scalar(arith.mean(&losses)),
        "mean" => {
            let (sum, total) =
                (arith.intermediate(arith.sum(&losses)), arith.intermediate(arith.sum(&factors)));
            scalar(arith.div(sum, total))
        }
        other => return Err(attribute(format!("reduction {other:?}"))),
    })
}
