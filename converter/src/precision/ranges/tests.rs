//! The range of what every operator makes, from ranges whose arithmetic can be done by hand.

mod bounds;
mod functions;
mod patterns;
mod products;
mod sums;

use super::pattern::Producers;
use super::rules::{self, Context};
use super::{Bounds, Ranges};
use crate::target::{Constant, Target, TensorId};
use halfproof_ir::{DType, Role};
use halfproof_wire::tflite::{Builtin, Options};

/// Low, high, mean and standard deviation.
fn bounds(low: f64, high: f64, mean: f64, deviation: f64) -> Bounds {
    Bounds { low, high, mean, deviation }
}

/// Between these, spread evenly: a uniform distribution deviates by a twelfth of its width, squared.
fn even(low: f64, high: f64) -> Bounds {
    bounds(low, high, (low + high) / 2.0, (high - low) / 12f64.sqrt())
}

fn fixed(value: f64) -> Bounds {
    bounds(value, value, value, 0.0)
}

#[track_caller]
fn assert_bounds(found: Bounds, expected: Bounds) {
    let close = |a: f64, b: f64| (a - b).abs() <= 1e-9 * (1.0 + b.abs());
    let all = close(found.low, expected.low)
        && close(found.high, expected.high)
        && close(found.mean, expected.mean)
        && close(found.deviation, expected.deviation);
    assert!(all, "{found:?}\nis not\n{expected:?}");
}

#[track_caller]
fn assert_ends(found: Bounds, low: f64, high: f64) {
    assert_bounds(Bounds { mean: 0.0, deviation: 0.0, ..found }, bounds(low, high, 0.0, 0.0));
}

/// A program under construction, with the range of every tensor.
#[derive(Default)]
struct Program {
    target: Target,
    tensors: Vec<Bounds>,
}

impl Program {
    fn tensor(&mut self, shape: &[usize], range: Bounds) -> TensorId {
        self.tensors.push(range);
        self.target.activation("t", shape)
    }

    fn constant(&mut self, shape: &[usize], data: &[f64]) -> TensorId {
        self.tensors.push(Bounds::of(data.iter().copied()));
        self.target.exact("c", shape, Role::Weight, data.to_vec())
    }

    /// Adds an operator: what it makes, its range, and why it must not compute in float16.
    fn with(
        &mut self,
        builtin: Builtin,
        options: impl Into<Options>,
        inputs: &[TensorId],
        shape: &[usize],
    ) -> (TensorId, Bounds, Option<String>) {
        let result = self.target.op(builtin, inputs, "r", shape, options);
        let op = self.target.operators.last().expect("it was added");
        let ranges = Ranges { tensors: self.tensors.clone(), inside: vec![] };
        let constants = |id: TensorId| match &self.target.tensor(id).constant {
            Some(Constant::Exact(e)) => Some(e),
            _ => None,
        };
        let origins = Producers::new(&self.target);
        let context =
            Context { target: &self.target, ranges: &ranges, origins: &origins, constants: &constants };
        let (results, inside) = rules::apply(&context, op);
        let range = results[0];
        self.tensors.push(range);
        (result, range, inside)
    }

    /// Adds an operator without options.
    fn op(&mut self, builtin: Builtin, inputs: &[TensorId], shape: &[usize]) -> TensorId {
        self.with(builtin, Options::None, inputs, shape).0
    }

    fn range(&self, id: TensorId) -> Bounds {
        self.tensors[id.index()]
    }
}

/// The shape of operands where nothing else is said.
const SHAPE: [usize; 2] = [2, 4];

/// What an operator makes of operands with these ranges, and why it must not compute in float16.
fn judged(builtin: Builtin, options: impl Into<Options>, operands: &[Bounds]) -> (Bounds, Option<String>) {
    let mut p = Program::default();
    let inputs: Vec<TensorId> = operands.iter().map(|&b| p.tensor(&SHAPE, b)).collect();
    let (_, range, inside) = p.with(builtin, options, &inputs, &SHAPE);
    (range, inside)
}

/// The range that an operator may have in float16.
#[track_caller]
fn made(builtin: Builtin, operands: &[Bounds]) -> Bounds {
    let (range, inside) = judged(builtin, Options::None, operands);
    assert_eq!(inside, None);
    range
}

#[test]
fn what_has_no_rule_is_assumed_to_be_like_an_input() {
    assert_eq!(made(Builtin::ReduceProd, &[even(0.0, 1.0)]), Bounds::ASSUMED);
    assert_eq!((Bounds::ASSUMED.low, Bounds::ASSUMED.high), (-16.0, 16.0));
}

#[test]
fn what_only_moves_elements_keeps_their_range() {
    let x = bounds(-1.0, 3.0, 0.5, 0.25);
    for builtin in [Builtin::Reshape, Builtin::Transpose, Builtin::Gather, Builtin::MaxPool2d, Builtin::Slice]
    {
        assert_eq!(made(builtin, &[x]), x, "{builtin:?}");
    }
    // The first operand says where; the ids of EMBEDDING_LOOKUP stand first, too.
    assert_eq!(made(Builtin::Split, &[fixed(0.0), x]), x);
    assert_eq!(made(Builtin::EmbeddingLookup, &[fixed(0.0), x]), x);
}

#[test]
fn what_puts_elements_together_has_the_range_of_all() {
    // Means of 0 and 4 and the same deviation: 2, and the root of 1 + 2 * 2.
    let (a, b) = (bounds(-1.0, 1.0, 0.0, 1.0), bounds(3.0, 5.0, 4.0, 1.0));
    let both = bounds(-1.0, 5.0, 2.0, 5f64.sqrt());
    for builtin in [Builtin::Concatenation, Builtin::Pack, Builtin::DynamicUpdateSlice] {
        assert_bounds(made(builtin, &[a, b]), both);
    }
    let flag = fixed(1.0);
    assert_bounds(made(Builtin::SelectV2, &[flag, a, b]), both);
    assert_bounds(made(Builtin::Padv2, &[a, flag, b]), both);
    assert_bounds(made(Builtin::OneHot, &[flag, flag, a, b]), both);
    // PAD adds zeros.
    assert_bounds(made(Builtin::Pad, &[b, flag]), bounds(0.0, 5.0, 2.0, 4.5f64.sqrt()));
}

#[test]
fn a_flag_is_0_or_1_once_it_is_a_number() {
    let mut p = Program::default();
    let x = p.tensor(&SHAPE, Bounds::ASSUMED);
    assert_eq!(p.with(Builtin::Cast, Options::None, &[x], &SHAPE).1, Bounds::ASSUMED);
    p.target.tensors[x.index()].dtype = DType::Bool;
    assert_bounds(p.with(Builtin::Cast, Options::None, &[x], &SHAPE).1, even(0.0, 1.0));
}
