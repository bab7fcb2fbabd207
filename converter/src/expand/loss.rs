//! Losses: the element of each target's class is the one sum in which all others are 0.

use super::Builder;
use super::scatter::signed;
use halfproof_ir::ops::{LogSoftmax, ReduceMean, ReduceSum};
use halfproof_ir::{Node, Op, ValueId};

pub(super) fn negative_log_likelihood(b: &mut Builder, node: &Node) -> Result<Vec<ValueId>, String> {
    let Op::NegativeLogLikelihoodLoss(op) = &node.op else {
        return Err("it is no NegativeLogLikelihoodLoss".into());
    };
    let x = b.need(node, 0)?;
    Ok(vec![loss(b, node, x, op.ignore_index, &op.reduction)?])
}

pub(super) fn cross_entropy(b: &mut Builder, node: &Node) -> Result<Vec<ValueId>, String> {
    let Op::SoftmaxCrossEntropyLoss(op) = &node.op else {
        return Err("it is no SoftmaxCrossEntropyLoss".into());
    };
    let x = b.need(node, 0)?;
    let logs = b.emit(LogSoftmax { axis: 1, coerce_2d: false }, &[x])?;
    Ok(vec![loss(b, node, logs, op.ignore_index, &op.reduction)?, logs])
}

fn loss(
    b: &mut Builder,
    node: &Node,
    x: ValueId,
    ignored: Option<i64>,
    reduction: &str,
) -> Result<ValueId, String> {
    let (ty, target) = (b.ty(x)?, b.need(node, 1)?);
    let labels = b.ty(target)?;
    let &[batch, classes, ref spatial @ ..] = &ty.shape[..] else { return Err("it has no classes".into()) };
    let apart: Vec<usize> = [batch, 1].iter().chain(spatial).copied().collect();
    let along: Vec<usize> = [1, classes].into_iter().chain(spatial.iter().map(|_| 1)).collect();
    let spread = b.reshape(target, &apart)?;
    let names = b.numbers(labels.dtype, &along, (0..signed(classes)).collect())?;
    let mut hit = b.emit(Op::Equal, &[spread, names])?;
    if let Some(ignored) = ignored {
        let ignored = b.numbers(labels.dtype, &[], vec![ignored])?;
        let same = b.emit(Op::Equal, &[spread, ignored])?;
        let counts = b.emit(Op::Not, &[same])?;
        hit = b.emit(Op::And, &[hit, counts])?;
    }
    let zero = b.float(ty.dtype, 0.0);
    let class_axis = b.ints(&[1]);
    let chosen = |b: &mut Builder, values: ValueId| {
        let kept = b.emit(Op::Where, &[hit, values, zero])?;
        b.emit(ReduceSum { keepdims: false, noop_with_empty_axes: false }, &[kept, class_axis])
    };
    let minus = b.emit(Op::Neg, &[x])?;
    let mut losses = chosen(b, minus)?;
    let weights = match node.inputs.get(2).copied().flatten() {
        Some(weights) => Some(b.reshape(weights, &along)?),
        None if ignored.is_some() => Some(b.floats(ty.dtype, &along, vec![1.0; classes])),
        None => None,
    };
    let factors = match weights {
        Some(weights) => Some(chosen(b, weights)?),
        None => None,
    };
    if let (Some(factors), Some(_)) = (factors, node.inputs.get(2).copied().flatten()) {
        losses = b.emit(Op::Mul, &[losses, factors])?;
    }
    let all = |b: &mut Builder, x| b.emit(ReduceSum { keepdims: false, noop_with_empty_axes: false }, &[x]);
    match (reduction, factors) {
        ("none", _) => Ok(losses),
        ("sum", _) => all(b, losses),
        ("mean", None) => b.emit(ReduceMean { keepdims: false, noop_with_empty_axes: false }, &[losses]),
        ("mean", Some(factors)) => {
            let (sum, total) = (all(b, losses)?, all(b, factors)?);
            b.emit(Op::Div, &[sum, total])
        }
        (other, _) => Err(format!("reduction {other:?} is not defined")),
    }
}
