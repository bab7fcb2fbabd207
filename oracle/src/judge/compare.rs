//! Compares tensors element by element and keeps the worst one.

use crate::arith::{Enclosure, Nan};
use crate::verdict::Numbers;

/// What a comparison of elements found so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Tally {
    /// Elements that were held to a finite bound or to a certain class.
    pub(super) judged: u64,
    /// Elements left out because nothing is certain about them.
    pub(super) excluded: u64,
    /// Elements outside.
    pub(super) outside: u64,
    /// The element with the largest ratio, and its numbers.
    pub(super) worst: Option<(u64, Numbers)>,
}

impl Tally {
    /// Notes an element that was judged.
    pub(super) fn judge(&mut self, element: usize, inside: bool, numbers: Numbers) {
        self.judged += 1;
        self.outside += u64::from(!inside);
        let better = match &self.worst {
            Some((_, worst)) => numbers.ratio > worst.ratio,
            None => true,
        };
        if better {
            self.worst = Some((element as u64, numbers));
        }
    }

    /// Holds one element to its enclosure. True when it is judged and inside.
    pub(super) fn hold(&mut self, element: usize, e: &Enclosure, actual: f64) -> bool {
        let inside = e.contains(actual);
        let decided = e.is_finite() || e.is_certainly_infinite() || e.nan == Nan::Certain;
        if inside && !decided {
            self.excluded += 1;
            return false;
        }
        // Nearly every element is inside and nearer than the worst one: no quotient is needed to see that.
        if let (true, true, Some((_, worst))) = (inside, e.is_finite(), &self.worst) {
            let side = if actual > e.v { e.hi - e.v } else { e.v - e.lo };
            let error = (actual - e.v).abs();
            if error == 0.0 || side > 0.0 && error < worst.ratio * side * (1.0 - 1e-12) {
                self.judged += 1;
                return true;
            }
        }
        self.judge(element, inside, numbers(e, actual));
        inside
    }

    /// Adds what another tensor gave; its worst element replaces ours when its ratio is larger.
    pub(super) fn add(&mut self, other: &Tally) {
        self.judged += other.judged;
        self.excluded += other.excluded;
        self.outside += other.outside;
        let better = match (&self.worst, &other.worst) {
            (Some((_, ours)), Some((_, theirs))) => theirs.ratio > ours.ratio,
            (None, Some(_)) => true,
            _ => false,
        };
        if better {
            self.worst = other.worst;
        }
    }
}

/// The numbers of one element.
pub(super) fn numbers(e: &Enclosure, actual: f64) -> Numbers {
    Numbers { expected: e.v, actual, low: e.lo, high: e.hi, ratio: e.ratio(actual) }
}

/// Numbers about integers and booleans, which have no bound.
pub(super) fn whole_numbers(expected: i64, actual: i64) -> Numbers {
    let ratio = if expected == actual { 0.0 } else { f64::INFINITY };
    let expected = expected as f64;
    Numbers { expected, actual: actual as f64, low: expected, high: expected, ratio }
}
