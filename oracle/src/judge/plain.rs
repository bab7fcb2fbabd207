//! What two plain evaluations, or one and an execution, settle without any bound.
//!
//! Each test here is stricter than the bound that it stands for: what it takes for right is inside that bound, and what it
//! does not take for right is open until the bound is worked out.

use super::layout::source_order;
use super::subject::Subject;
use crate::arith::Ideal;
use crate::half;
use crate::tflite::{RunError, value};
use crate::value::{Array, Value, Whole};
use halfproof_ir::{DType, Data, Tensor};

/// Tensors of the converted model by index, in f64.
type Values = Vec<Option<Value<f64>>>;

/// The smaller constants of the converted model: what is the same for all inputs.
#[derive(Debug)]
pub(super) struct Held {
    /// As they are stored.
    stored: Values,
    /// Before they were rounded, where that is another.
    exact: Values,
}

/// The converted model in f64, with unrounded and with stored constants. What depends on no rounded constant is computed
/// and kept once.
#[derive(Debug)]
pub(super) struct Runs<'s> {
    held: &'s Held,
    /// With stored constants.
    stored: Values,
    /// With unrounded constants, where that is another computation.
    exact: Values,
}

/// Constants of more elements are converted when they are read, so that a large model is not held a second time in f64.
const HELD: usize = 1 << 14;
/// No more elements than these are held in all.
const HELD_IN_ALL: usize = 1 << 20;

impl Held {
    pub(super) fn new(subject: &Subject<'_>) -> Held {
        let count = subject.tensor_count();
        let mut held = Held { stored: vec![None; count], exact: vec![None; count] };
        let mut room = HELD_IN_ALL;
        for t in 0..count as u32 {
            let elements = subject.program.form(t).map_or(0, |(_, shape)| shape.iter().product());
            if elements > HELD.min(room) || !subject.program.is_constant(t) {
                continue;
            }
            room -= elements;
            held.stored[t as usize] = subject.program.stored(t, &Ideal);
            if subject.rounded.contains(&t) {
                held.exact[t as usize] = unrounded(subject, t);
            }
        }
        held
    }
}

impl<'s> Runs<'s> {
    pub(super) fn new(subject: &'s Subject<'_>, inputs: &[Tensor]) -> Result<Runs<'s>, RunError> {
        let program = &subject.program;
        let count = subject.tensor_count();
        let held = subject.held_constants();
        let mut runs = Runs { held, stored: vec![None; count], exact: vec![None; count] };
        for (&t, input) in program.inputs().iter().zip(inputs) {
            runs.stored[t as usize] = Some(value(input, &Ideal));
        }
        for &t in subject.rounded.iter().filter(|&&t| held.exact[t as usize].is_none()) {
            runs.exact[t as usize] = unrounded(subject, t);
        }
        for (index, op) in program.operators().enumerate() {
            let step = |of: fn(&Self, u32) -> Option<&Value<f64>>| {
                let operands: Vec<Option<&Value<f64>>> =
                    op.operands.iter().map(|t| of(&runs, (*t)?)).collect();
                program.trusted(index, &operands, &Ideal)
            };
            let stored = step(Self::stored)?;
            let is_other = op.operands.iter().flatten().any(|&t| runs.own_exact(t).is_some());
            let exact = if is_other { step(Self::exact)? } else { Vec::new() };
            for (&t, result) in op.results.iter().zip(stored) {
                runs.stored[t as usize] = Some(result);
            }
            for (&t, result) in op.results.iter().zip(exact) {
                runs.exact[t as usize] = Some(result);
            }
        }
        Ok(runs)
    }

    /// A tensor computed with stored constants; `None` for a large constant, and where there is none.
    pub(super) fn stored(&self, tensor: u32) -> Option<&Value<f64>> {
        let at = tensor as usize;
        self.stored[at].as_ref().or(self.held.stored[at].as_ref())
    }

    /// A tensor computed with unrounded constants; `None` as for [`Runs::stored`].
    pub(super) fn exact(&self, tensor: u32) -> Option<&Value<f64>> {
        self.own_exact(tensor).or_else(|| self.stored(tensor))
    }

    /// The same where it is another than with stored constants.
    fn own_exact(&self, tensor: u32) -> Option<&Value<f64>> {
        let at = tensor as usize;
        self.exact[at].as_ref().or(self.held.exact[at].as_ref())
    }
}

/// A constant before it was rounded.
fn unrounded(subject: &Subject<'_>, tensor: u32) -> Option<Value<f64>> {
    let (dtype, shape) = subject.program.form(tensor)?;
    let elements = subject.exact.get(&tensor)?;
    Some(Value::Float(dtype, Array::new(shape, elements.map(|x| x))))
}

/// True when a test holds of every float element beside the exact one; false for integers and booleans.
pub(super) fn every(
    exact: impl Iterator<Item = f64>,
    actual: &Data,
    test: impl Fn(f64, f64) -> bool,
) -> bool {
    match actual {
        Data::F16(v) => exact.zip(v).all(|(e, &x)| test(e, half::value(x))),
        Data::F32(v) => exact.zip(v).all(|(e, &x)| test(e, f64::from(x))),
        Data::F64(v) => exact.zip(v).all(|(e, &x)| test(e, x)),
        _ => false,
    }
}

/// [`every`] of elements that lie side by side, for tests that cost less than a branch: sixteen are tested before the next are
/// looked at, first by a `quick` test that holds only where the other does.
fn all_of(
    exact: &[f64],
    actual: &[f64],
    quick: impl Fn(f64, f64) -> bool,
    test: impl Fn(f64, f64) -> bool,
) -> bool {
    fn whole(exact: &[f64], actual: &[f64], test: impl Fn(f64, f64) -> bool) -> bool {
        exact.iter().zip(actual).fold(true, |all, (&e, &x)| all & test(e, x))
    }
    let (exacts, exact_rest) = exact.as_chunks::<16>();
    let (actuals, actual_rest) = actual.as_chunks::<16>();
    let sixteen = |(e, x): (&[f64; 16], &[f64; 16])| whole(e, x, &quick) || whole(e, x, &test);
    exacts.iter().zip(actuals).all(sixteen) && whole(exact_rest, actual_rest, &test)
}

/// The very same bits.
#[inline]
fn same_bits(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits()
}

/// Equal, or both NaN.
#[inline]
fn equal(a: f64, b: f64) -> bool {
    (a == b) | (a.is_nan() & b.is_nan())
}

/// The same in the sign of zero too.
#[inline]
pub(super) fn same_number(a: f64, b: f64) -> bool {
    same_bits(a, b) | (a.is_nan() & b.is_nan())
}

/// True when a tensor of an execution, in f64, holds the very numbers of a value.
pub(super) fn is_same(exact: &Value<f64>, shown: &Value<f64>) -> bool {
    match (exact, shown) {
        (Value::Float(_, e), Value::Float(_, x)) => all_of(&e.data, &x.data, same_bits, same_number),
        (Value::Whole(_, e), Value::Whole(_, x)) => same_integers(&e.data, &x.data),
        _ => false,
    }
}

fn same_integers(exact: &[Whole], shown: &[Whole]) -> bool {
    exact.iter().zip(shown).all(|(e, x)| e.value == x.value)
}

/// True when each infinity and NaN of a tensor is also one of the exact value: none is there because a type has a largest
/// number.
pub(super) fn is_as_finite(exact: &Value<f64>, actual: &Tensor) -> bool {
    let kept = |e: f64, x: f64| x.is_finite() || equal(e, x);
    match exact {
        Value::Float(_, e) if !is_finite(actual) => every(e.data.iter().copied(), &actual.data, kept),
        _ => true,
    }
}

/// True when a tensor has no infinity and no NaN.
pub(super) fn is_finite(tensor: &Tensor) -> bool {
    // Looking at all of them takes fewer steps than stopping at the first.
    match &tensor.data {
        Data::F16(v) => v.iter().fold(true, |all, x| all & x.is_finite()),
        Data::F32(v) => v.iter().fold(true, |all, x| all & x.is_finite()),
        Data::F64(v) => v.iter().fold(true, |all, x| all & x.is_finite()),
        _ => true,
    }
}

/// True when a value has no infinity and no NaN.
pub(super) fn has_only_numbers(value: &Value<f64>) -> bool {
    match value {
        Value::Float(_, array) => array.data.iter().fold(true, |all, x| all & x.is_finite()),
        Value::Whole(..) => true,
    }
}

/// True when two evaluations of one tensor, whose elements stand in the order of `permutation` in the second, differ by no
/// more than `tolerance` relative to each element.
pub(super) fn agree(
    source: &Value<f64>,
    target: &Value<f64>,
    permutation: Option<&[usize]>,
    tolerance: f64,
) -> bool {
    let order = source_order(source.shape(), permutation);
    let near = |s: f64, t: f64| {
        let within = (s - t).abs() <= tolerance * s.abs().max(t.abs());
        equal(s, t) | (s.is_finite() & t.is_finite() & within)
    };
    match (source, target, order) {
        (Value::Float(_, s), Value::Float(_, t), None) => all_of(&s.data, &t.data, same_bits, near),
        (Value::Float(_, s), Value::Float(_, t), Some(order)) => {
            let moved: Vec<f64> = order.into_iter().map(|i| s.data[i]).collect();
            all_of(&moved, &t.data, same_bits, near)
        }
        (Value::Whole(_, s), Value::Whole(_, t), order) => {
            let at = |i: usize| order.as_ref().map_or(i, |o| o[i]);
            t.data.iter().enumerate().all(|(i, t)| s.data[at(i)].value == t.value)
        }
        _ => false,
    }
}

/// True when every element of a tensor of an execution, in f64, is the exact one rounded to the tensor's type.
pub(super) fn is_rounded(exact: &Value<f64>, shown: &Value<f64>) -> bool {
    if exact.shape() != shown.shape() || exact.dtype() != shown.dtype() {
        return false;
    }
    match (exact, shown) {
        (Value::Float(dtype, e), Value::Float(_, x)) => match dtype {
            DType::F16 => {
                all_of(&e.data, &x.data, half::is_rounded_significand, |e, x| equal(half::round(e), x))
            }
            DType::F32 => all_of(&e.data, &x.data, same_bits, |e, x| equal(half::round_single(e), x)),
            _ => all_of(&e.data, &x.data, same_bits, equal),
        },
        (Value::Whole(_, e), Value::Whole(_, x)) => same_integers(&e.data, &x.data),
        _ => false,
    }
}

/// How far an output is from the exact one.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Distance {
    /// The largest error, in half units in the last place of the exact element.
    pub(super) half_units: f64,
    /// Elements more than half a unit off.
    pub(super) off: u64,
    /// Elements that are not finite.
    pub(super) not_finite: Vec<usize>,
    /// Elements that are finite where the exact one is not, and integers that are others.
    pub(super) undecided: u64,
}

/// The distance; `None` when the tensors do not fit each other.
pub(super) fn distance(exact: &Value<f64>, actual: &Tensor) -> Option<Distance> {
    if exact.shape() != actual.shape || exact.dtype() != actual.dtype() {
        return None;
    }
    let mut distance = Distance::default();
    match (exact, &actual.data) {
        (Value::Float(dtype, e), Data::F16(v)) => {
            distance.measure(&e.data, v.iter().map(|&x| half::value(x)), *dtype);
        }
        (Value::Float(dtype, e), Data::F32(v)) => {
            distance.measure(&e.data, v.iter().map(|&x| f64::from(x)), *dtype);
        }
        (Value::Float(dtype, e), Data::F64(v)) => distance.measure(&e.data, v.iter().copied(), *dtype),
        (Value::Whole(_, e), _) => {
            let others = e.data.iter().zip(actual.integers()?).filter(|(e, x)| e.value != *x);
            distance.undecided = others.count() as u64;
        }
        (Value::Float(..), _) => return None,
    }
    Some(distance)
}

impl Distance {
    fn measure(&mut self, exact: &[f64], actual: impl Iterator<Item = f64>, dtype: DType) {
        for (i, (&e, x)) in exact.iter().zip(actual).enumerate() {
            if !x.is_finite() {
                self.not_finite.push(i);
            } else if !e.is_finite() {
                self.undecided += 1;
            } else if e != x {
                let error = half_units(e, x, dtype);
                self.off += u64::from(error > 1.0);
                self.half_units = self.half_units.max(error);
            }
        }
    }
}

/// The error of one element in half units in the last place of the exact one.
pub(super) fn half_units(exact: f64, actual: f64, dtype: DType) -> f64 {
    (actual - exact).abs() / (0.5 * half::ulp_of(exact, dtype))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Array;
    use ::half::f16;

    fn floats(dtype: DType, data: &[f64]) -> Value<f64> {
        Value::Float(dtype, Array::new(vec![data.len()], data.to_vec()))
    }

    fn half(data: &[f64]) -> Tensor {
        let bits = data.iter().map(|&x| f16::from_bits(half::to_bits(x))).collect();
        Tensor::new(vec![data.len()], Data::F16(bits))
    }

    /// As an execution shows it, in f64.
    fn shown(tensor: &Tensor) -> Value<f64> {
        value(tensor, &Ideal)
    }

    #[test]
    fn a_rounded_result_is_the_nearest_number_of_its_type_and_no_neighbour() {
        let exact = floats(DType::F16, &[0.1, 70_000.0, f64::NAN, -0.0]);
        assert!(is_rounded(&exact, &shown(&half(&[0.1, f64::INFINITY, f64::NAN, 0.0]))));
        let neighbour = half::round(0.1) + half::ulp(0.1);
        assert!(!is_rounded(&exact, &shown(&half(&[neighbour, f64::INFINITY, f64::NAN, 0.0]))));
        let clamped = half(&[0.1, 65_504.0, f64::NAN, 0.0]);
        assert!(!is_rounded(&exact, &shown(&clamped)), "an overflow that is clamped");
        assert!(!is_rounded(&exact, &shown(&Tensor::f32(vec![4], vec![0.1; 4]))), "another type");
    }

    #[test]
    fn agreement_is_relative_to_each_element() {
        let (a, b) = (floats(DType::F32, &[1e6, 1e-6]), floats(DType::F32, &[1e6, 1e-6 + 1e-15]));
        assert!(!agree(&a, &b, None, 1e-13));
        assert!(agree(&a, &b, None, 1e-8));
    }

    #[test]
    fn the_distance_is_that_of_the_worst_element() {
        let exact = floats(DType::F16, &[1.0, 2.0, 3.0]);
        let two_units = 3.0 + 2.0 * half::ulp(3.0);
        let expected = Distance { half_units: 4.0, off: 1, ..Distance::default() };
        assert_eq!(distance(&exact, &half(&[1.0, 2.0, two_units])), Some(expected));
        let lost = Distance { not_finite: vec![2], ..Distance::default() };
        assert_eq!(distance(&exact, &half(&[1.0, 2.0, f64::INFINITY])), Some(lost));
        let infinite = floats(DType::F16, &[f64::INFINITY]);
        let tamed = Distance { undecided: 1, ..Distance::default() };
        assert_eq!(distance(&infinite, &half(&[1.0])), Some(tamed));
    }

    #[test]
    fn an_integer_that_is_another_one_is_undecided() {
        let whole = |x: &[i64]| x.iter().map(|&x| Whole::known(x)).collect::<Vec<_>>();
        let exact = Value::Whole(DType::I32, Array::new(vec![3], whole(&[1, 2, 3])));
        let actual = Tensor::new(vec![3], Data::I32(vec![1, 5, 3]));
        assert_eq!(distance(&exact, &actual), Some(Distance { undecided: 1, ..Distance::default() }));
        assert_eq!(distance(&exact, &Tensor::new(vec![3], Data::I64(vec![1, 2, 3]))), None, "another type");
    }

    #[test]
    fn an_overflow_is_told_from_an_infinity_that_was_there() {
        let infinite = floats(DType::F16, &[f64::INFINITY, 70_000.0]);
        assert!(is_as_finite(&infinite, &half(&[f64::INFINITY, 65_504.0])));
        assert!(!is_as_finite(&infinite, &half(&[f64::INFINITY, f64::INFINITY])));
    }

    #[test]
    fn zeros_of_other_signs_are_not_the_same_number() {
        let zero = floats(DType::F16, &[0.0]);
        assert!(is_same(&zero, &shown(&half(&[0.0]))));
        assert!(!is_same(&zero, &shown(&half(&[-0.0]))));
    }
}
