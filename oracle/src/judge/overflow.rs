//! Overflow: whose doing an infinity or NaN is, or a finite output that one on the way has ruined.
//!
//! Where an execution shows its tensors, they say what overflowed and where: the questions are then about that execution
//! from there on, and cost a part of a bound of the whole program.

use super::compare::numbers;
use super::plain;
use super::region::has_unrounded;
use super::subject::Point;
use crate::arith::{Arith, Bound, Enclosure, Ideal};
use crate::contract::Runtime;
use crate::half;
use crate::record::Execution;
use crate::tflite::{Constants, value};
use crate::value::Value;
use crate::verdict::{Blame, Class, Numbers, Strength, Verdict};
use halfproof_ir::{DType, Elements, Tensor};
use halfproof_wire::tflite::Builtin;
use std::cell::OnceCell;

impl Point<'_> {
    /// Finite outputs that only an overflow on the way explains: in formats that have no largest number they would be others.
    /// The inverse root of an infinite variance is such a 0. The first element, and how many there are, of the outputs that
    /// are `suspect`, by position.
    pub(super) fn ruined(
        &self,
        runtime: Runtime,
        execution: &Execution,
        suspect: &[bool],
    ) -> (Option<(u64, Numbers)>, u64) {
        if !suspect.contains(&true) {
            return (None, 0);
        }
        let shown = self.shown(execution);
        if shown.as_ref().is_some_and(|shown| self.reaches_no_number(shown, execution, suspect)) {
            return (None, 0);
        }
        let bound = Bound::new(runtime).without_overflow();
        let wide = match shown.and_then(|shown| self.continued(&bound, &shown, suspect)) {
            Some(tensors) => tensors,
            None => match self.evaluate(&bound) {
                Ok(run) => run.tensors,
                Err(_) => return (None, 0),
            },
        };
        let (mut first, mut count) = (None, 0);
        for (position, (&tensor, actual)) in
            self.subject.program.outputs().iter().zip(&execution.outputs).enumerate()
        {
            if !suspect[position] {
                continue;
            }
            let (Some(Value::Float(dtype, wide)), Some(values)) =
                (wide[tensor as usize].as_ref(), actual.floats())
            else {
                continue;
            };
            let source = OnceCell::new();
            let exact = |i, e: &Enclosure| self.source_element(&source, position, tensor, i).unwrap_or(e.v);
            for (i, (e, &x)) in wide.data.iter().zip(&values).enumerate() {
                if x.is_finite() && e.is_finite() && !e.contains(x) && exact(i, e).abs() < largest(*dtype) {
                    count += 1;
                    first.get_or_insert((i as u64, numbers(e, x)));
                }
            }
        }
        (first, count)
    }

    /// How an execution that shows its tensors would have gone on in `bound` from the operators whose results are not finite.
    fn continued(
        &self,
        bound: &Bound,
        shown: &[Option<&Tensor>],
        suspect: &[bool],
    ) -> Option<Vec<Option<Value<Enclosure>>>> {
        let program = &self.subject.program;
        self.behind_overflow(shown, suspect, bound, |index, operands, _| {
            program.step(index, operands, bound).ok()
        })
    }

    /// True when no finite number of an output of `suspect` is computed from one of an execution that is not finite. False
    /// where that is not certain.
    fn reaches_no_number(&self, shown: &[Option<&Tensor>], execution: &Execution, suspect: &[bool]) -> bool {
        let program = &self.subject.program;
        // NaN in the place of every infinity, and of all that is computed from it.
        let marked = self.behind_overflow(shown, suspect, &Ideal, |index, operands, depends| {
            let op = program.operators().nth(index)?;
            let held = op.results.iter().map(|&t| shown[t as usize].map(|tensor| value(tensor, &Ideal)));
            let held = held.collect::<Option<Vec<_>>>()?;
            let results = match depends {
                true if keeps_nan(op.builtin) => program.step(index, operands, &Ideal).ok()?,
                true => return None,
                false => held.clone(),
            };
            results.into_iter().zip(&held).map(|(result, held)| marked(result, held)).collect()
        });
        let Some(marked) = marked else { return false };
        let is_marked = |(position, &tensor): (usize, &u32)| {
            let (Some(Value::Float(_, marks)), Some(held)) =
                (&marked[tensor as usize], execution.outputs[position].floats())
            else {
                return false;
            };
            suspect[position] && marks.data.iter().zip(&held).any(|(mark, x)| mark.is_nan() && x.is_finite())
        };
        !program.outputs().iter().enumerate().any(is_marked)
    }

    /// Every tensor that depends on an operator of an execution whose results are not finite, and on which an output of
    /// `suspect` depends, as `step` makes it: of an operator's index, its operands, and whether one of them is such a tensor.
    /// `None` where `step` gives none.
    fn behind_overflow<A: Arith>(
        &self,
        shown: &[Option<&Tensor>],
        suspect: &[bool],
        arith: &A,
        step: impl Fn(usize, &[Option<&Value<A::E>>], bool) -> Option<Vec<Value<A::E>>>,
    ) -> Option<Vec<Option<Value<A::E>>>> {
        let program = &self.subject.program;
        let outputs = program.outputs().iter().zip(suspect);
        let suspects = outputs.filter(|(_, is_suspect)| **is_suspect).map(|(&t, _)| t);
        let wanted = program.behind(suspects, &[]);
        let mut tensors: Vec<Option<Value<A::E>>> = vec![None; shown.len()];
        for (index, op) in program.operators().enumerate() {
            let depends = op.operands.iter().flatten().any(|&t| tensors[t as usize].is_some());
            let overflows =
                op.results.iter().any(|&t| shown[t as usize].is_some_and(|tensor| !plain::is_finite(tensor)));
            let is_wanted = op.results.iter().any(|&t| wanted[t as usize]);
            if !is_wanted || !depends && !overflows {
                continue;
            }
            // Constants are read by the operator itself.
            let seen = |t: u32| match shown[t as usize] {
                Some(tensor) => Some(value(tensor, arith)),
                None => self.subject.widened(t, arith),
            };
            let own: Vec<Option<Value<A::E>>> = op
                .operands
                .iter()
                .map(|t| t.filter(|&t| tensors[t as usize].is_none()).and_then(seen))
                .collect();
            let operands: Vec<Option<&Value<A::E>>> = op
                .operands
                .iter()
                .zip(&own)
                .map(|(t, own)| own.as_ref().or_else(|| tensors[(*t)? as usize].as_ref()))
                .collect();
            for (&t, result) in op.results.iter().zip(step(index, &operands, depends)?) {
                tensors[t as usize] = Some(result);
            }
        }
        Some(tensors)
    }

    /// The tensors of an execution by index; `None` where not every one is shown that an operator computes, or operators may
    /// read others than those.
    fn shown<'t>(&'t self, execution: &'t Execution) -> Option<Vec<Option<&'t Tensor>>> {
        let subject = self.subject;
        let runtime = Runtime::of_system(&execution.system).unwrap_or(Runtime::AnyHalf);
        if execution.taps.is_empty() || has_unrounded(runtime, &subject.unrounded(runtime)) {
            return None;
        }
        let tensors = self.visible(execution);
        let is_known = |&t: &u32| tensors[t as usize].is_some() || subject.widened.contains_key(&t);
        subject.program.operators().all(|op| op.results.iter().all(is_known)).then_some(tensors)
    }

    /// True when rounding alone, and no overflow, makes an element of an output what it is.
    pub(super) fn is_out_of_domain(
        &self,
        runtime: Runtime,
        execution: &Execution,
        (tensor, element, actual): (u32, u64, f64),
    ) -> bool {
        self.has_pole(execution) && self.is_without_range(runtime, tensor, element, actual)
    }

    /// True when an operator makes an infinity or NaN of finite operands even in f64: not everything that is not finite in an
    /// execution has then become so because a type has a largest number. Also where that cannot be told.
    fn has_pole(&self, execution: &Execution) -> bool {
        let (Some(shown), Some(runs)) = (self.shown(execution), self.runs()) else { return true };
        let program = &self.subject.program;
        // A number in the place of an infinity or NaN: what is still not finite does not come from there.
        let operand = |t: u32| {
            let mut value = match shown[t as usize] {
                Some(tensor) => value(tensor, &Ideal),
                None => runs.stored(t)?.clone(),
            };
            if let Value::Float(_, array) = &mut value {
                array.data.iter_mut().filter(|x| !x.is_finite()).for_each(|x| *x = 1.0);
            }
            Some(value)
        };
        program.operators().enumerate().any(|(index, op)| {
            if op.results.iter().all(|&t| shown[t as usize].is_none_or(plain::is_finite)) {
                return false;
            }
            let own: Vec<Option<Value<f64>>> = op.operands.iter().map(|t| operand((*t)?)).collect();
            let operands: Vec<Option<&Value<f64>>> = own.iter().map(Option::as_ref).collect();
            program
                .step(index, &operands, &Ideal)
                .map_or(true, |results| !results.iter().all(plain::has_only_numbers))
        })
    }

    /// True when an element may be what it is even in formats that hold every magnitude: no overflow and no underflow is
    /// behind it, but rounding alone, which carried an operand out of the domain of an operator.
    fn is_without_range(&self, runtime: Runtime, tensor: u32, element: u64, actual: f64) -> bool {
        let subject = &self.subject;
        // What became 0 or infinite when it was stored, or when the runtime narrowed it, is a matter of range.
        let restored = |held: &[f64], exact: &[f64]| {
            let lost = |held: f64| held == 0.0 || !held.is_finite();
            let all = held.iter().zip(exact).map(|(&h, &e)| if lost(h) { e } else { h });
            Elements::from(all.collect::<Vec<f64>>())
        };
        let mut constants = subject.narrowed_constants(runtime);
        for (tensor, held) in &mut constants {
            *held = restored(&held.to_vec(), &subject.constant_elements(*tensor));
        }
        for (&tensor, exact) in &subject.exact {
            if subject.program.form(tensor).is_some_and(|(dtype, _)| dtype == DType::F16) {
                constants.insert(tensor, restored(&subject.constant_elements(tensor), &exact.to_vec()));
            }
        }
        let bound = Bound::new(runtime).without_range();
        let run = subject.program.run(&self.inputs, Constants::Exact(&constants), &bound);
        let value = run.ok().and_then(|mut run| run.tensors[tensor as usize].take());
        matches!(value, Some(Value::Float(_, a)) if a.data.get(element as usize).is_some_and(|e| e.contains(actual)))
    }
}

/// A result with NaN where an execution's is not finite; `None` for integers.
fn marked(result: Value<f64>, held: &Value<f64>) -> Option<Value<f64>> {
    let (Value::Float(dtype, mut array), Value::Float(_, held)) = (result, held) else { return None };
    for (x, _) in array.data.iter_mut().zip(&held.data).filter(|(_, held)| !held.is_finite()) {
        *x = f64::NAN;
    }
    Some(Value::Float(dtype, array))
}

/// True for operators of which in f64 every result that depends on a NaN is one.
fn keeps_nan(builtin: Builtin) -> bool {
    use Builtin::*;
    matches!(
        builtin,
        Add | Sub
            | Mul
            | Div
            | Neg
            | Square
            | SquaredDifference
            | Sqrt
            | Rsqrt
            | Exp
            | Log
            | Sin
            | Cos
            | Tanh
            | Logistic
            | Relu
            | Relu6
            | Gelu
            | Elu
            | Maximum
            | Minimum
            | FullyConnected
            | Conv2d
            | DepthwiseConv2d
            | BatchMatmul
            | Sum
            | Mean
            | ReduceMax
            | ReduceMin
            | Softmax
            | LogSoftmax
            | AveragePool2d
            | MaxPool2d
            | Reshape
            | Transpose
            | Concatenation
            | Slice
            | StridedSlice
            | Pad
            | ExpandDims
            | Squeeze
            | BroadcastTo
            | Tile
            | Dequantize
    )
}

/// Why an element is not finite that the source's is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Its type does not hold it.
    Inherent,
    /// Its type holds it: something on the way did not.
    Avoidable,
}

/// How many elements had which fate.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fates {
    pub(super) inherent: u64,
    pub(super) avoidable: u64,
}

impl Fates {
    /// Counts an element that is not finite by what the source has there; NaN is where that is not certain.
    pub(super) fn note(&mut self, source: f64, dtype: DType) -> Option<Fate> {
        if !source.is_finite() {
            return None;
        }
        // A kernel computes in float32 at best, so that a result just below the limit may be rounded to it.
        let is_inherent = half::nearest(source, DType::F32).abs() >= largest(dtype);
        *(if is_inherent { &mut self.inherent } else { &mut self.avoidable }) += 1;
        Some(if is_inherent { Fate::Inherent } else { Fate::Avoidable })
    }

    pub(super) fn add(&mut self, other: &Fates) {
        self.inherent += other.inherent;
        self.avoidable += other.avoidable;
    }

    pub(super) fn remark(&self, verdict: &mut Verdict) {
        if self.inherent > 0 {
            verdict.notes.push(format!("result not representable: {} elements", self.inherent));
        }
    }
}

/// The text of a [`Class::Nonfinite`] verdict that no range of numbers would avoid.
pub const OUT_OF_DOMAIN: &str = "rounding carries an operand out of the domain of an operator";

/// The verdict about an output that is not finite, or is ruined, though the source's is a number of its type.
pub(super) fn not_representable(
    strength: Strength,
    element: u64,
    numbers: Numbers,
    elements: u64,
    out_of_domain: bool,
) -> Verdict {
    let text = if out_of_domain {
        OUT_OF_DOMAIN
    } else if numbers.actual.is_finite() {
        "an intermediate result is not representable in float16 and ruins a finite output"
    } else {
        "an intermediate result is not representable in float16 though the result is"
    };
    let mut verdict = Verdict::new(Class::Nonfinite, Blame::Policy, strength, text);
    verdict.numbers = Some(numbers);
    verdict.place.element = Some(element);
    verdict.notes.push(format!("intermediate not representable: {elements} elements"));
    verdict
}

/// The verdict about outputs that are not finite because their type does not hold them.
pub(super) fn inherent(strength: Strength) -> Verdict {
    Verdict::new(Class::Explained, Blame::Explained, strength, "a result is not representable in float16")
}

/// The numbers of an element that is allowed, and whose bound was not worked out.
pub(super) fn unbounded(exact: f64, actual: f64) -> Numbers {
    Numbers { expected: exact, actual, low: f64::NEG_INFINITY, high: f64::INFINITY, ratio: 0.0 }
}

/// The least magnitude that a float type does not hold.
pub(super) fn largest(dtype: DType) -> f64 {
    if dtype == DType::F16 { half::OVERFLOW } else { half::OVERFLOW_SINGLE }
}

/// True when a number of the exact computation may be an infinity in an execution.
pub(super) fn admits_overflow(value: &Value<Enclosure>) -> bool {
    match value {
        Value::Float(_, e) => e.data.iter().any(|e| e.v.is_finite() && e.may_be_infinite()),
        Value::Whole(..) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_float32_rounds_to_the_limit_of_float16_is_not_held_by_it() {
        let mut fates = Fates::default();
        assert_eq!(fates.note(65_519.999_98, DType::F16), Some(Fate::Inherent));
        assert_eq!(fates.note(65_519.9, DType::F16), Some(Fate::Avoidable));
        assert_eq!(fates.note(f64::NAN, DType::F16), None);
        assert_eq!((fates.inherent, fates.avoidable), (1, 1));
    }
}
