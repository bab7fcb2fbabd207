//! The meaning of a converted graph, settled by two plain evaluations as far as they agree: a bound is worked out only for
//! tensors in which they do not, and only from those on in which they do.

use super::compare::Tally;
use super::layout::{permuted_shape, source_order};
use super::plain;
use super::semantics::{FOLDING, LEAST, compare};
use super::subject::Point;
use crate::arith::{Bound, Enclosure};
use crate::contract::Runtime;
use crate::half;
use crate::onnx;
use crate::tflite::Constants;
use crate::value::{Array, Value};
use crate::verdict::{Blame, Class, Strength, Verdict};
use halfproof_ir::ValueId;
use std::borrow::Cow;

/// A tensor that carries a source value, and how.
struct Carrier<'a> {
    id: ValueId,
    tensor: u32,
    permutation: Option<Cow<'a, [usize]>>,
    is_output: bool,
}

impl Point<'_> {
    /// The verdict where two plain evaluations agree in every tensor that carries a source value, to the least tolerance
    /// that any bound leaves, or else within the bounds of those tensors in which they do not; `None` where that is no
    /// agreement, or something else is wrong.
    pub(super) fn agreement(&self) -> Option<Verdict> {
        let subject = self.subject;
        let runs = self.runs()?;
        let mut total = Tally::default();
        let (mut open, mut settled) = (Vec::new(), Vec::new());
        for (&tensor, &id) in subject.program.outputs().iter().zip(&subject.graph.outputs) {
            let (source, target) = (self.reference.plain.value(id)?, runs.exact(tensor)?);
            let permutation = subject.interface_permutation(id, tensor, source.shape());
            if permuted_shape(source.shape(), permutation.as_deref()) != target.shape() {
                return None;
            }
            if plain::agree(source, target, permutation.as_deref(), LEAST) {
                total.judged += target.len() as u64;
            } else {
                open.push(Carrier { id, tensor, permutation: permutation.map(Cow::Owned), is_output: true });
            }
        }
        for (id, origin) in &subject.origins {
            let Some((source, target)) = self.reference.plain.value(*id).zip(runs.exact(origin.tensor))
            else {
                continue;
            };
            let permutation = origin.permutation.as_deref();
            let comparable = source.len() == target.len() && subject.producer(origin.tensor).is_some();
            if comparable {
                let carrier = Carrier {
                    id: *id,
                    tensor: origin.tensor,
                    permutation: permutation.map(Cow::Borrowed),
                    is_output: false,
                };
                let agrees = plain::agree(source, target, permutation, LEAST);
                if agrees { &mut settled } else { &mut open }.push(carrier);
            }
        }
        if !open.is_empty() {
            total.add(&self.bounded(&open, &settled)?);
        }
        if total.judged == 0 {
            return None;
        }
        let mut verdict =
            Verdict::new(Class::Pass, Blame::Nobody, Strength::Certified, "source and converted graph agree");
        (verdict.judged, verdict.excluded) = (total.judged, total.excluded);
        verdict.numbers = total.worst.map(|(_, n)| n);
        Some(verdict)
    }

    /// The outputs among tensors in which two plain evaluations differ, by their bounds; `None` where one of the tensors is
    /// outside, or cannot be compared.
    ///
    /// Both evaluations start from the tensors in which the plain ones agree: a bound around a number is narrower than one
    /// around all that the whole graph may have made of it, so that what is inside this one is inside that, but for half a unit
    /// in the last place of f64 (see [`points`]).
    fn bounded(&self, open: &[Carrier<'_>], settled: &[Carrier<'_>]) -> Option<Tally> {
        let subject = self.subject;
        let graph = subject.source();
        let runs = self.runs()?;
        let bound = Bound::new(Runtime::Double);
        let mut is_settled = vec![false; graph.values.len()];
        let mut is_carrier = vec![false; subject.tensor_count()];
        // A value that another tensor carries otherwise is not settled.
        let is_open = |id: ValueId| open.iter().any(|o| o.id == id);
        for carrier in settled.iter().filter(|c| !is_open(c.id)) {
            is_settled[carrier.id.index()] = true;
            is_carrier[carrier.tensor as usize] = true;
        }
        for (&id, &tensor) in graph.inputs.iter().zip(subject.program.inputs()) {
            is_settled[id.index()] = true;
            is_carrier[tensor as usize] = true;
        }
        let ids: Vec<ValueId> = open.iter().map(|o| o.id).collect();
        let behind = onnx::behind(graph, &ids, &is_settled);
        let behind_tensor = subject.program.behind(open.iter().map(|o| o.tensor), &is_carrier);
        let mut given = vec![None; graph.values.len()];
        let mut tensors = vec![None; subject.tensor_count()];
        for (&id, &tensor) in graph.inputs.iter().zip(subject.program.inputs()) {
            given[id.index()] = Some(points(self.reference.plain.value(id)?, None));
            tensors[tensor as usize] = Some(points(runs.exact(tensor)?, None));
        }
        for carrier in settled.iter().filter(|c| is_settled[c.id.index()]) {
            let (at, tensor) = (carrier.id.index(), carrier.tensor as usize);
            let (source, target) = (self.reference.plain.value(carrier.id)?, runs.exact(carrier.tensor)?);
            let order = source_order(source.shape(), carrier.permutation.as_deref());
            if behind_tensor[tensor] && tensors[tensor].is_none() {
                tensors[tensor] = Some(points(target, Some((source, order.as_deref()))));
            }
            if behind[at] && given[at].is_none() {
                let inverse = order.map(|order| inverse(&order));
                given[at] = Some(points(source, Some((target, inverse.as_deref()))));
            }
        }
        let enclosed = onnx::evaluate_from(graph, given, &bound, &ids).ok()?;
        let constants = Constants::Exact(&subject.exact);
        let run = subject.program.run_from(tensors, constants, &bound, open.iter().map(|o| o.tensor)).ok()?;
        let scales = self.scales();
        let mut outputs = Tally::default();
        for o in open {
            let (source, target) = (enclosed.value(o.id)?, run.tensors[o.tensor as usize].as_ref()?);
            let tally = compare(source, target, o.permutation.as_deref(), scales[o.id.index()])?;
            if tally.outside > 0 {
                return None;
            }
            if o.is_output {
                outputs.add(&tally);
            }
        }
        Some(outputs)
    }
}

/// The numbers of one plain evaluation. Beside those of the other, in the order of their elements, each is as wide as their
/// difference shall count: what a comparison multiplies a radius by, on both sides, is taken from it. One that f64 alone
/// holds has been rounded, if only in its last place: the other evaluation may go on from what it was rounded from.
fn points(value: &Value<f64>, other: Option<(&Value<f64>, Option<&[usize]>)>) -> Value<Enclosure> {
    let (dtype, a) = match value {
        Value::Float(dtype, a) => (*dtype, a),
        Value::Whole(dtype, a) => return Value::Whole(*dtype, a.clone()),
    };
    let beside = |i: usize| match other {
        Some((Value::Float(_, b), order)) => Some(b.data[order.map_or(i, |order| order[i])]),
        _ => None,
    };
    let element = |(i, &x): (usize, &f64)| {
        let radius = beside(i).map_or(0.0, |y| ((x - y).abs() / (2.0 * FOLDING)).max(last_place(x)));
        if radius > 0.0 && radius.is_finite() {
            Enclosure { lo: x - radius, hi: x + radius, ..Enclosure::point(x) }
        } else {
            Enclosure::point(x)
        }
    };
    let data = a.data.iter().enumerate().map(element).collect();
    Value::Float(dtype, Array { shape: a.shape.clone(), data })
}

/// Half a unit in the last place of a number that binary32 does not hold; 0 of one that it does.
fn last_place(x: f64) -> f64 {
    if half::round_single(x) == x { 0.0 } else { 0.5 * f64::EPSILON * x.abs() }
}

fn inverse(order: &[usize]) -> Vec<usize> {
    let mut inverse = vec![0; order.len()];
    order.iter().enumerate().for_each(|(i, &j)| inverse[j] = i);
    inverse
}
