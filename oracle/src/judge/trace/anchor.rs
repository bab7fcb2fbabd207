//! Which tensor of a converted model carries which value of the source, where the converter does not say: found by
//! evaluation. The tensors of the source that were computed last are candidates; a result of the converted model that
//! encloses one of them, in the same order or with permuted axes, carries it.
//!
//! Constants that are not recognised are intervals around what is stored, so results are intervals; a tensor that is
//! recognised starts again from the source's exact values, so intervals do not grow from operator to operator. Where it
//! may carry several values of the source, it starts from all of them.

use super::row::{Meaning, Row};
use super::source::Walk;
use crate::arith::{Enclosure, Nan};
use crate::judge::compare::Tally;
use crate::judge::layout::source_order;
use crate::judge::recognise::{Strided, permutations};
use crate::judge::semantics::{self, largest};
use crate::tflite::Program;
use crate::value::{Array, Value};
use crate::verdict::{Numbers, Strength};
use std::collections::{BTreeMap, BTreeSet};

/// Source operators that are kept before and after the last one recognised.
pub(super) const WINDOW: usize = 48;
/// The radius, relative to the largest element, of a result whose constants are all known.
const TIGHT: f64 = 1e-9;
/// Bits that a tensor's intervals must tell about a value before it counts as recognised, and bits per element: wider ones
/// enclose much of what has the same magnitude, as a tensor some layers after a fault that fades.
const TELLING: f64 = 8.0;
const TELLING_EACH: f64 = 4.0;
/// Bits that one element can tell.
const ELEMENT_BITS: f64 = 24.0;
/// Elements that are looked at to find what a wrong tensor should have been.
const SAMPLE: usize = 4096;

/// What is recognised so far.
#[derive(Default)]
pub(super) struct Anchors {
    /// Source values by tensor.
    pub(super) matched: BTreeMap<u32, usize>,
    /// The last source operator whose result is recognised.
    last: usize,
    /// What tensors that carry nothing may have been meant to be.
    suspects: BTreeMap<u32, Suspect>,
}

/// What the roundings of two evaluations in f64 are measured against.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Measure {
    /// Each element.
    Element,
    /// The largest element, which others may be a difference of.
    Tensor,
}

struct Suspect {
    id: usize,
    element: u64,
    numbers: Numbers,
    outside: u64,
    judged: u64,
}

impl Anchors {
    /// The source value that a result carries, with the target's shape, and how certain that is; `None` when it carries none.
    pub(super) fn find(
        &mut self,
        walk: &mut Walk<'_>,
        tensor: u32,
        target: &Value<Enclosure>,
    ) -> Result<Option<(Value<Enclosure>, Strength)>, String> {
        walk.advance(self.last + WINDOW)?;
        walk.release(self.last.saturating_sub(WINDOW));
        let mut candidates: Vec<(usize, usize)> = walk
            .alive()
            .filter(|(_, v)| v.len() == target.len())
            .map(|(id, _)| (walk.maker(id).map_or(0, |m| m + 1).abs_diff(self.last + 1), id))
            .collect();
        candidates.sort_unstable();
        // Beside an element like -3.4e38 all others are nothing: first each is held to its own magnitude.
        for measure in [Measure::Element, Measure::Tensor] {
            let mut found: Option<(usize, Value<Enclosure>)> = None;
            for (_, id) in &candidates {
                let Some(source) = walk.get(*id) else { continue };
                let orders = orders(source.shape(), target.shape());
                let Some(one) = orders.iter().find_map(|p| carried(source, target, p, measure)) else {
                    continue;
                };
                match &mut found {
                    None => found = Some((*id, one)),
                    Some((_, all)) => join(all, &one),
                }
            }
            if let Some((id, carried)) = found {
                self.matched.insert(tensor, id);
                self.last = self.last.max(walk.maker(id).unwrap_or(0));
                return Ok(Some((carried, certainty(target))));
            }
        }
        // Only what stands near the last recognised operator can be what this was meant to be.
        if self.suspects.len() < 64 {
            let taken: BTreeSet<usize> = self.matched.values().copied().collect();
            let open = candidates.iter().map(|(_, id)| *id).filter(|id| !taken.contains(id));
            let best = open
                .filter(|&id| walk.maker(id).is_some())
                .filter_map(|id| Some((id, suspect(walk.get(id)?, target)?)))
                .min_by(|a, b| (a.1.3 * b.1.2.max(1)).cmp(&(b.1.3 * a.1.2.max(1))));
            if let Some((id, (element, numbers, judged, outside))) = best {
                self.suspects.insert(tensor, Suspect { id, element, numbers, outside, judged });
            }
        }
        Ok(None)
    }

    /// Says of the first tensor that carries nothing, and from which nothing recognised follows, that it is wrong.
    /// `fixed` tensors depend on constants alone: what they were meant to be is not known.
    pub(super) fn accuse(&self, program: &Program, fixed: &BTreeSet<u32>, rows: &mut [Row], walk: &Walk<'_>) {
        let wrong_output =
            rows.iter().any(|r| program.outputs().contains(&r.tensor) && r.is_meant_otherwise());
        if !wrong_output {
            return;
        }
        // From the end: tensors from which a recognised one follows.
        let mut right: BTreeSet<u32> = self.matched.keys().copied().collect();
        let operators: Vec<_> = program.operators().collect();
        for op in operators.iter().rev() {
            if op.results.iter().any(|t| right.contains(t)) {
                right.extend(op.operands.iter().flatten());
            }
        }
        let known = |t: &u32| {
            right.contains(t) || fixed.contains(t) || program.is_constant(*t) || program.inputs().contains(t)
        };
        let first = operators.iter().position(|op| {
            !op.results.iter().any(|t| right.contains(t) || fixed.contains(t))
                && op.operands.iter().flatten().all(known)
        });
        let Some(at) = first else { return };
        let Some(row) = rows.iter_mut().find(|r| r.operator == at) else { return };
        let operands: Vec<usize> =
            operators[at].operands.iter().flatten().filter_map(|t| self.matched.get(t).copied()).collect();
        let done: BTreeSet<usize> = self.matched.values().copied().collect();
        row.source = self
            .suspects
            .get(&row.tensor)
            .map(|s| walk.since(s.id, &done).join(", "))
            .filter(|names| !names.is_empty())
            .or_else(|| walk.first_reader(&operands, &done))
            .or_else(|| row.source.take());
        match self.suspects.get(&row.tensor) {
            Some(s) => {
                let (element, numbers, outside, judged) = (s.element, s.numbers, s.outside, s.judged);
                row.meaning = Meaning::Differs { element, numbers, outside, judged };
            }
            None if !matches!(row.meaning, Meaning::Differs { .. }) => {
                row.meaning = Meaning::Shape(vec![], row.shape.clone());
            }
            None => {}
        }
    }
}

/// Orders of the source's axes that give the target's shape, and those of a target that is reshaped.
fn orders(source: &[usize], target: &[usize]) -> Vec<Vec<usize>> {
    let long = |shape: &[usize]| shape.iter().copied().filter(|&d| d > 1).collect::<Vec<_>>();
    let wanted = long(target);
    let all = permutations(source);
    let same_rank = long(source).len() == wanted.len();
    all.into_iter()
        .enumerate()
        .filter(|(i, p)| *i == 0 || !same_rank || p.iter().map(|&a| source[a]).eq(wanted.iter().copied()))
        .map(|(_, p)| p)
        .collect()
}

/// Certain where no element of a result is an interval wider than what f64 loses.
fn certainty(target: &Value<Enclosure>) -> Strength {
    let Value::Float(_, t) = target else { return Strength::Certified };
    let scale = largest(target);
    let is_tight = |e: &Enclosure| !e.v.is_finite() || e.radius() <= TIGHT * scale;
    if t.data.iter().all(is_tight) { Strength::Certified } else { Strength::Unknown }
}

/// The source's values in the target's order, if the target encloses every one of them.
fn carried(
    source: &Value<Enclosure>,
    target: &Value<Enclosure>,
    permutation: &[usize],
    measure: Measure,
) -> Option<Value<Enclosure>> {
    let mut walk = Strided::new(source.shape(), permutation);
    match (source, target) {
        (Value::Float(_, s), Value::Float(dtype, t)) => {
            let scale = largest(source);
            let mut data = Vec::with_capacity(t.data.len());
            let mut bits = 0.0;
            for t in &t.data {
                let s = s.data[walk.next_index()];
                let magnitude = if measure == Measure::Element { s.v.abs() } else { scale };
                if !encloses(&s, t, magnitude) {
                    return None;
                }
                bits += told(t, scale);
                // A point: the bound of the whole source would grow from operator to operator, and enclose anything. But beside an
                // element of 1e34, one that is 0 looks like one that is 1: it may be either, and so may one that its own interval
                // does not pin down.
                let point = Enclosure::point(s.v);
                let is_dwarfed = s.v.abs() < TIGHT * scale;
                let is_pinned = !is_dwarfed || t.radius() <= TIGHT * s.v.abs();
                let is_point = is_pinned && encloses(&s, t, s.v.abs());
                data.push(if is_point { point } else { Enclosure::hull(point, *t) });
            }
            if bits < TELLING.max(TELLING_EACH * data.len() as f64) && !data.is_empty() {
                return None;
            }
            Some(Value::Float(*dtype, Array { shape: t.shape.clone(), data }))
        }
        (Value::Whole(..), Value::Whole(dtype, t)) => {
            let Value::Whole(_, s) = source else { return None };
            let mut data = Vec::new();
            for t in &t.data {
                let s = s.data[walk.next_index()];
                if s.value != t.value {
                    return None;
                }
                data.push(s);
            }
            Some(Value::Whole(*dtype, Array { shape: t.shape.clone(), data }))
        }
        _ => None,
    }
}

/// What a tensor holds that may carry either of two values, as a sum with an epsilon that float16 made 0.
fn join(all: &mut Value<Enclosure>, other: &Value<Enclosure>) {
    let (Value::Float(_, all), Value::Float(_, other)) = (all, other) else { return };
    for (a, b) in all.data.iter_mut().zip(&other.data) {
        *a = Enclosure::hull(*a, *b);
    }
}

/// Bits that an element tells by enclosing a value: how much narrower its interval is than what numbers of that magnitude
/// span.
fn told(t: &Enclosure, scale: f64) -> f64 {
    if t.is_point() || t.nan == Nan::Certain {
        return ELEMENT_BITS;
    }
    let width = 2.0 * t.radius();
    // 0 where anything is possible, and for a tensor of zeros: any interval around them is as wide as they can be told from others.
    let bits = (2.0 * scale / width).log2();
    if bits.is_nan() { 0.0 } else { bits.clamp(0.0, ELEMENT_BITS) }
}

/// True when an element of the converted graph can be that of the source, whatever its constants were before rounding.
pub(super) fn encloses(s: &Enclosure, t: &Enclosure, scale: f64) -> bool {
    if s.v == t.v || s.v.is_nan() && t.v.is_nan() {
        return true;
    }
    // Nothing is near an infinity.
    if !s.v.is_finite() || !t.v.is_finite() {
        return t.lo <= s.v && s.v <= t.hi;
    }
    // What the roundings of f64 have made of a sum that cancels may be anything as small.
    let noise = if s.radius() >= s.v.abs() && s.radius().is_finite() { 16.0 * s.radius() } else { 0.0 };
    let slack = 1e-12 * scale + noise;
    let inside = t.lo - slack <= s.v && s.v <= t.hi + slack;
    // Two evaluations of the same in f64 may differ by a few roundings even where constants are exact.
    inside || (s.v - t.v).abs() <= 16.0 * t.radius().min(1e-10 * scale) + slack
}

/// As the judge's comparison, with what the target may have been before its constants were rounded.
pub(super) fn compare(
    source: &Value<Enclosure>,
    target: &Value<Enclosure>,
    permutation: Option<&[usize]>,
) -> Option<Tally> {
    let (Value::Float(_, s), Value::Float(_, t)) = (source, target) else {
        return semantics::compare(source, target, permutation, 0.0);
    };
    let order = source_order(source.shape(), permutation);
    let scale = largest(source);
    let mut tally = Tally::default();
    for (i, t) in t.data.iter().enumerate() {
        let s = &s.data[order.as_ref().map_or(i, |o| o[i])];
        let ratio = if t.radius() > 0.0 { (s.v - t.v).abs() / t.radius() } else { f64::INFINITY };
        let right = encloses(s, t, scale);
        let ratio = if right { ratio.min(1.0) } else { ratio };
        tally.judge(i, right, Numbers { expected: s.v, actual: t.v, low: s.v, high: s.v, ratio });
    }
    Some(tally)
}

type Compared = (u64, Numbers, u64, u64);

/// How a tensor differs from what it may have been meant to be: worst element, its numbers, compared, outside.
fn suspect(source: &Value<Enclosure>, target: &Value<Enclosure>) -> Option<Compared> {
    let (Value::Float(_, s), Value::Float(_, t)) = (source, target) else { return None };
    let scale = largest(source);
    let compared = |p: &Vec<usize>| -> Option<Compared> {
        let mut walk = Strided::new(&s.shape, p);
        let (mut worst, mut outside, mut judged): (Option<(u64, Numbers)>, u64, u64) = (None, 0, 0);
        for (i, t) in t.data.iter().enumerate().take(SAMPLE) {
            let s = s.data[walk.next_index()];
            judged += 1;
            if encloses(&s, t, scale) {
                continue;
            }
            outside += 1;
            let ratio = if t.radius() > 0.0 { (s.v - t.v).abs() / t.radius() } else { f64::INFINITY };
            let numbers = Numbers { expected: s.v, actual: t.v, low: s.v, high: s.v, ratio };
            let error = (s.v - t.v).abs();
            if worst.is_none_or(|(_, w)| error > (w.expected - w.actual).abs()) {
                worst = Some((i as u64, numbers));
            }
        }
        let (element, numbers) = worst?;
        Some((element, numbers, judged, outside))
    };
    orders(&s.shape, &t.shape).iter().filter_map(compared).min_by_key(|c| c.3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use halfproof_ir::DType;

    fn tensor(elements: &[f64], radius: f64) -> Value<Enclosure> {
        let data = elements.iter().map(|&x| Enclosure::of(x, x - radius, x + radius)).collect();
        Value::Float(DType::F32, Array { shape: vec![elements.len()], data })
    }

    #[test]
    fn intervals_as_wide_as_the_numbers_recognise_nothing() {
        let source = tensor(&[1.0, -2.0, 1.5, 0.5], 0.0);
        let other = [0.8, -1.7, 1.2, 0.9];
        assert!(carried(&source, &tensor(&other, 2.0), &[0], Measure::Tensor).is_none());
        assert!(carried(&source, &tensor(&other, 0.1), &[0], Measure::Tensor).is_none());
        // Four bits each: a radius of 1/16 of the numbers.
        let near = [1.05, -2.05, 1.45, 0.55];
        assert!(carried(&source, &tensor(&near, 0.125), &[0], Measure::Tensor).is_some());
        assert!(carried(&source, &tensor(&near, 0.13), &[0], Measure::Tensor).is_none());
    }

    #[test]
    fn beside_the_lowest_number_small_elements_tell_two_tensors_apart() {
        let lowest = f64::from(f32::MIN);
        let (mask, masked) = (tensor(&[lowest, 0.0], 0.0), tensor(&[lowest, 1.5], 0.0));
        assert!(carried(&mask, &masked, &[0], Measure::Tensor).is_some());
        assert!(carried(&mask, &masked, &[0], Measure::Element).is_none());
        assert!(carried(&masked, &masked, &[0], Measure::Element).is_some());
    }

    /// exp(elu(x)) of 0 and 256 is 1 and 1e111, and exp(x) - 1 on the way to elu(x) was taken for it, with 1 for 0: the SELECT
    /// behind it was accused (TensorFlow 2.21.0's forms of both, seed 103).
    #[test]
    fn what_a_large_element_hides_stays_open() {
        let (source, target) = (tensor(&[1.0, 256f64.exp()], 0.0), tensor(&[0.0, 256f64.exp() - 1.0], 0.0));
        let carried = carried(&source, &target, &[0], Measure::Tensor).unwrap();
        let Value::Float(_, carried) = carried else { unreachable!() };
        assert!(carried.data[0].contains(0.0) && carried.data[0].contains(1.0), "{carried:?}");
        assert!(carried.data[1].is_point());
    }

    /// acosh(exp(x)) of 1 and 256: beside 1e111 the product of two roots was taken for exp(x), and 2.7 for what is between 2.1 and
    /// 3.2; the ADD behind it was accused (ai-edge-quantizer 0.10.0, seed 7).
    #[test]
    fn what_is_wide_beside_a_large_element_stays_wide() {
        let large = 256f64.exp();
        let source = tensor(&[1f64.exp(), large], 0.0);
        let product = vec![Enclosure::of(2.6, 2.1, 3.2), Enclosure::point(large * (1.0 + 1e-13))];
        let product = Value::Float(DType::F32, Array { shape: vec![2], data: product });
        let carried = carried(&source, &product, &[0], Measure::Element).unwrap();
        let Value::Float(_, carried) = carried else { unreachable!() };
        assert!(carried.data[0].contains(2.1) && carried.data[0].contains(3.2), "{carried:?}");
    }

    /// acosh(exp(x)) of 10 and 256: sqrt((y - 1) (y + 1)) was taken for y = exp(x), and for exactly that at 10 as well, since the
    /// interval around it holds it; what it is smaller by is then missing in the logarithm (ai-edge-quantizer 0.10.0, seed 161).
    #[test]
    fn what_is_narrow_beside_a_large_element_stays_as_wide_as_it_is() {
        let (small, large) = (10f64.exp(), 256f64.exp());
        let source = tensor(&[small, large], 0.0);
        let product = vec![Enclosure::of(small, small - 0.5, small + 0.5), Enclosure::point(large)];
        let product = Value::Float(DType::F32, Array { shape: vec![2], data: product });
        let carried = carried(&source, &product, &[0], Measure::Element).unwrap();
        let Value::Float(_, carried) = carried else { unreachable!() };
        assert!(carried.data[0].contains((small * small - 1.0).sqrt()), "{carried:?}");
        assert!(carried.data[1].is_point());
    }

    /// NEG of 1 was taken for the logarithm of 0 beside it, and what follows it was accused (ai-edge-quantizer 0.10.0, seed
    /// 101).
    #[test]
    fn nothing_is_near_an_infinity() {
        let infinity = tensor(&[f64::NEG_INFINITY], 0.0);
        for measure in [Measure::Element, Measure::Tensor] {
            assert!(carried(&infinity, &tensor(&[-1.0], 0.0), &[0], measure).is_none());
            assert!(carried(&tensor(&[-1.0], 0.0), &infinity, &[0], measure).is_none());
            assert!(carried(&infinity, &infinity, &[0], measure).is_some());
        }
    }

    /// The end of a Blackman window is -1.4e-17 in f64 and 0 in what AutoCast folds.
    #[test]
    fn what_cancels_in_f64_is_any_number_as_small() {
        let window = tensor(&[-1.39e-17, 1.0], 1e-16);
        assert!(carried(&window, &tensor(&[0.0, 1.0], 0.0), &[0], Measure::Element).is_some());
        assert!(carried(&window, &tensor(&[1e-9, 1.0], 0.0), &[0], Measure::Element).is_none());
    }

    #[test]
    fn an_exact_result_is_recognised_however_short() {
        assert!(carried(&tensor(&[3.0], 0.0), &tensor(&[3.0], 0.0), &[0], Measure::Tensor).is_some());
        assert!(
            carried(&tensor(&[0.0, 0.0], 0.0), &tensor(&[0.0, 0.0], 0.0), &[0], Measure::Tensor).is_some()
        );
        assert!(
            carried(&tensor(&[0.0, 0.0], 0.0), &tensor(&[1e-9, 0.0], 1e-8), &[0], Measure::Tensor).is_none()
        );
    }
}
