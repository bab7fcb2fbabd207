//! How far the constant of a mask may be cut: to 16384 over what it is multiplied by, while that still excludes every score.

use super::super::islands::Uses;
use super::super::masks::{candidates, cut, magnitude, rewrites};
use super::super::plan::Rounded;
use super::super::ranges::{Bounds, Ranges};
use crate::target::{Constant, Target, TargetTensor, TensorId};
use halfproof_ir::{DType, Elements, Role};
use halfproof_wire::tflite::Builtin;

/// A program of one mask, and how far each of its tensors reaches.
struct Masked {
    target: Target,
    reach: Vec<f64>,
    mask: TensorId,
    last: TensorId,
}

impl Masked {
    fn new() -> Masked {
        let mut target = Target::default();
        let mask = target.exact("mask", &[4], Role::Mask, vec![-1e30; 4]);
        Masked { target, reach: vec![16384.0], mask, last: mask }
    }

    /// What the mask became goes through an operator, with another operand that reaches so far.
    fn through(mut self, builtin: Builtin, other: Option<f64>) -> Masked {
        let mut operands = vec![self.last];
        if let Some(reach) = other {
            operands.push(self.target.input("other", &[4]));
            self.reach.push(reach);
        }
        self.last = self.target.plain(builtin, &operands, "next", &[4]);
        self.reach.push(16384.0);
        self
    }

    /// A select takes it, or in its place another operand that reaches so far.
    fn selected(mut self, slot: usize, other: f64) -> Masked {
        let condition = self.target.typed("condition", &[4], DType::Bool);
        self.target.inputs.push(("condition".to_string(), condition));
        let rest = self.target.input("rest", &[4]);
        let mut operands = [condition, rest, rest];
        operands[slot] = self.last;
        self.last = self.target.plain(Builtin::SelectV2, &operands, "next", &[4]);
        self.reach.extend([1.0, other, 16384.0]);
        self
    }

    /// To what it may be cut before a softmax reads it.
    fn magnitude(self) -> Option<f64> {
        let Masked { target, reach, mask, .. } = self.through(Builtin::Softmax, None);
        let bounds = |&r: &f64| Bounds { low: -r, high: r, mean: 0.0, deviation: r };
        let tensors = reach.iter().map(bounds).collect();
        let ranges = Ranges { tensors, inside: vec![None; target.operators.len()] };
        magnitude(&target, &Uses::new(&target), &ranges, mask)
    }
}

#[test]
fn factors_on_the_way_make_it_smaller_down_to_1024() {
    use Builtin::{Add, Mul};
    assert_eq!(Masked::new().through(Add, Some(1.0)).magnitude(), Some(16384.0));
    let times =
        |factors: &[f64]| factors.iter().fold(Masked::new(), |m, &f| m.through(Mul, Some(f))).magnitude();
    assert_eq!(times(&[4.0]), Some(4096.0));
    assert_eq!(times(&[4.0, 4.0]), Some(1024.0));
    assert_eq!(times(&[2.0, 4.0, 2.0]), Some(1024.0));
    assert_eq!(times(&[17.0]), None);
    assert_eq!(times(&[0.5]), Some(16384.0), "it is never made larger");
}

#[test]
fn scores_are_at_most_a_quarter_of_it() {
    use Builtin::{Add, Mul, Sub};
    for builtin in [Add, Sub] {
        assert_eq!(Masked::new().through(builtin, Some(4096.0)).magnitude(), Some(16384.0));
        assert_eq!(Masked::new().through(builtin, Some(4097.0)).magnitude(), None);
        assert_eq!(Masked::new().through(builtin, Some(16383.0)).magnitude(), None);
        assert_eq!(Masked::new().through(builtin, Some(16384.0)).magnitude(), Some(16384.0), "another mask");
    }
    let two = |a, b| Masked::new().through(Add, Some(a)).through(Add, Some(b)).magnitude();
    assert_eq!(two(4097.0, 1.0), None);
    assert_eq!(two(1.0, 4097.0), None);
    let scaled = |scores| Masked::new().through(Add, Some(scores)).through(Mul, Some(2.0)).magnitude();
    assert_eq!(scaled(2048.0), Some(8192.0));
    assert_eq!(scaled(2049.0), None);
}

#[test]
fn what_is_selected_beside_it_are_scores_or_another_mask() {
    for slot in [1, 2] {
        let of = |other| Masked::new().selected(slot, other).magnitude();
        assert_eq!((of(1.0), of(4096.0)), (Some(16384.0), Some(16384.0)));
        assert_eq!((of(4097.0), of(16383.0)), (None, None));
        assert_eq!(of(16384.0), Some(16384.0), "another mask");
    }
    assert_eq!(Masked::new().selected(0, 1.0).magnitude(), None, "a condition is no score");
}

#[test]
fn the_way_to_the_softmax_is_short_and_every_reader_is_on_one() {
    let moved = |n: usize| (0..n).fold(Masked::new(), |m, _| m.through(Builtin::Reshape, None)).magnitude();
    assert_eq!(moved(12), Some(16384.0));
    assert_eq!(moved(13), None);
    assert_eq!(Masked::new().through(Builtin::Exp, None).magnitude(), None);
    let mut seen = Masked::new().through(Builtin::Add, Some(1.0));
    let last = seen.last;
    seen.target.output("seen", last);
    assert_eq!(seen.magnitude(), None, "somebody sees it");
    let mut read = Masked::new().through(Builtin::Add, Some(1.0));
    read.target.plain(Builtin::Tanh, &[read.mask], "else", &[4]);
    read.reach.push(1.0);
    assert_eq!(read.magnitude(), None, "somebody else reads it");
}

#[test]
fn only_finite_elements_that_overflow_are_cut_and_told_once_each() {
    let inf = f64::INFINITY;
    let exact = Elements::from(vec![-1e30, 65520.0, 65519.0, -inf, inf, 0.0, -1e30, 1e6]);
    assert_eq!(cut(&exact, 1000.0), [-1000.0, 1000.0, 65519.0, -inf, inf, 0.0, -1000.0, 1000.0]);
    let told: Vec<(f64, f64)> = rewrites("m", &exact, 1000.0).iter().map(|r| (r.from, r.to)).collect();
    assert_eq!(told, [(-1e30, -1000.0), (65520.0, 1000.0), (1e6, 1000.0)]);
}

#[test]
fn what_overflows_is_a_candidate_where_there_is_a_softmax() {
    let of = |huge: f64, softmax: bool| {
        let mut t = Target::default();
        let mask = t.exact("mask", &[2], Role::Mask, vec![huge, 0.0]);
        let x = t.input("x", &[2]);
        let sum = t.plain(Builtin::Add, &[x, mask], "sum", &[2]);
        t.plain(if softmax { Builtin::Softmax } else { Builtin::Tanh }, &[sum], "y", &[2]);
        let rounded = |t: &TargetTensor| match t.constant.as_ref()? {
            Constant::Exact(exact) => Some(Rounded::new(exact.clone())),
            Constant::Stored(_) => None,
        };
        let constants: Vec<_> = t.tensors.iter().map(rounded).collect();
        candidates(&t, &constants) == [mask]
    };
    assert!(of(-1e30, true) && of(1e5, true));
    assert!(!of(-6e4, true), "it does not overflow");
    assert!(!of(-1e30, false));
}
