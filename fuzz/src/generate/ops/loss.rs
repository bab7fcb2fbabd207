//! Losses of constant and computed labels.

use super::super::graph::{Builder, Item, Span};
use super::super::shapes::count;
use halfproof_ir::ops::{NegativeLogLikelihoodLoss, SoftmaxCrossEntropyLoss};
use halfproof_ir::{DType, Tensor};

struct Drawn {
    inputs: Vec<halfproof_ir::ValueId>,
    labels: Vec<usize>,
    ignore_index: Option<i64>,
    reduction: String,
    x: Item,
}

fn draw(b: &mut Builder<'_>) -> Option<Drawn> {
    let x = b.float(|i| (2..=4).contains(&i.rank()) && i.span.radius() < 100.0)?;
    let classes = x.shape[1];
    let labels: Vec<usize> = [&x.shape[..1], &x.shape[2..]].concat();
    let limit = classes as f64;
    let held = b.any(|i| {
        matches!(i.dtype, DType::I64 | DType::I32)
            && i.shape == labels
            && i.span.low >= 0.0
            && i.span.high < limit
    });
    let target = match held {
        Some(i) => i.id,
        None => {
            let list: Vec<i64> = (0..count(&labels)).map(|_| b.dna.below(classes) as i64).collect();
            b.constant(Tensor::i64(labels.clone(), list))
        }
    };
    let mut inputs = vec![x.id, target];
    if b.dna.chance(1, 2) {
        inputs.push(b.positive_weights(&[classes], 1.0).0);
    }
    let reduction = (*b.dna.pick(&["none", "mean", "sum"])).to_string();
    // A mean over nothing is 0 / 0: only losses that are not averaged ignore a class.
    let ignore_index =
        if reduction != "mean" && b.dna.chance(1, 3) { Some(b.dna.below(classes) as i64) } else { None };
    Some(Drawn { inputs, labels, ignore_index, reduction, x })
}

pub(super) fn negative_log_likelihood(b: &mut Builder<'_>) -> Option<Item> {
    let d = draw(b)?;
    let n = if d.reduction == "sum" { count(&d.labels) as f64 } else { 1.0 };
    let shape = if d.reduction == "none" { d.labels } else { vec![] };
    let op = NegativeLogLikelihoodLoss { ignore_index: d.ignore_index, reduction: d.reduction };
    b.emit(op, &d.inputs, DType::F32, shape, Span::around_zero(d.x.span.radius() * 4.0 * n))
}

pub(super) fn cross_entropy(b: &mut Builder<'_>) -> Option<Item> {
    let d = draw(b)?;
    let n = if d.reduction == "sum" { count(&d.labels) as f64 } else { 1.0 };
    let shape = if d.reduction == "none" { d.labels } else { vec![] };
    let op = SoftmaxCrossEntropyLoss { ignore_index: d.ignore_index, reduction: d.reduction };
    let radius = 2.0 * d.x.span.radius() + 4.0;
    let logs = (DType::F32, d.x.shape.clone(), Span::new(-radius, 0.0));
    let results = vec![
        Some((DType::F32, shape, Span::around_zero(radius * 4.0 * n))),
        b.dna.chance(1, 2).then_some(logs),
    ];
    let inputs = d.inputs.into_iter().map(Some).collect();
    b.emit_many(op, inputs, results).map(|mut items| items.remove(0))
}
