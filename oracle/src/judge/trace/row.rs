//! What a trace says about one tensor.

use super::cause::{Cause, LOSS};
use crate::arith::Enclosure;
use crate::half;
use crate::judge::compare::Tally;
use crate::judge::compare::numbers;
use crate::judge::subject::Subject;
use crate::value::Value;
use crate::verdict::{Numbers, Strength};
use halfproof_ir::{DType, Tensor};

/// Whether a tensor carries what the source says.
#[derive(Clone, Debug, PartialEq)]
pub enum Meaning {
    /// It does.
    Agrees,
    /// It does not.
    Differs {
        /// Row-major index of the worst element.
        element: u64,
        /// Its numbers: what the source says, what the converted graph says, both without rounding.
        numbers: Numbers,
        /// Elements that differ.
        outside: u64,
        /// Elements compared.
        judged: u64,
    },
    /// The source has that many elements or that shape, the converted model another.
    Shape(Vec<usize>, Vec<usize>),
    /// f64 cannot tell.
    Undecidable,
    /// The tensor is not known to carry any value of the source.
    Unmapped,
    /// It was not compared.
    Unknown,
}

/// The most important thing about a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Within its bound, nothing lost to speak of.
    Fine,
    /// Within its bound, but many bits are lost here.
    Loses,
    /// An infinity where the exact result is finite.
    Overflows,
    /// NaN where the exact result is a number.
    Nan,
    /// Outside the bound of its own operator.
    Outside,
    /// Does not mean what the source says.
    Differs,
}

impl State {
    /// The word in tables.
    pub fn name(self) -> &'static str {
        match self {
            State::Fine => "ok",
            State::Loses => "loses",
            State::Overflows => "overflow",
            State::Nan => "NaN",
            State::Outside => "WRONG KERNEL",
            State::Differs => "WRONG MEANING",
        }
    }
}

/// One element of a plot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Row-major index.
    pub element: u64,
    /// actual - expected.
    pub error: f64,
    /// Least that the bound allows, minus expected.
    pub low: f64,
    /// Greatest that the bound allows, minus expected.
    pub high: f64,
}

/// Elements of a plot.
const SAMPLES: usize = 48;

/// One result of one operator.
#[derive(Clone, Debug)]
pub struct Row {
    /// Index of the operator in subgraph 0.
    pub operator: usize,
    /// Its name as TFLite prints it.
    pub builtin: &'static str,
    /// The source nodes, or the value that the tensor carries.
    pub source: Option<String>,
    /// The tensor.
    pub tensor: u32,
    /// Its name.
    pub name: String,
    /// Its type.
    pub dtype: DType,
    /// Its shape.
    pub shape: Vec<usize>,
    /// True when the execution holds it in float16, whatever its type.
    pub is_half: bool,
    /// Least finite exact element.
    pub least: f64,
    /// Greatest finite exact element.
    pub greatest: f64,
    /// Bits lost since the inputs: log2 of the largest error in half units in the last place of the tensor's largest
    /// element. Infinite where something finite is not.
    pub lost: f64,
    /// The most that an operand has lost.
    pub carried: f64,
    /// Error of this operator alone, from its own operands, over its bound; above 1 is outside.
    pub bound_used: Option<f64>,
    /// Error since the inputs over the bound of the whole program.
    pub whole_bound_used: Option<f64>,
    /// Elements for which the bound of the whole program says nothing.
    pub undecidable: u64,
    /// Whether it means what the source says.
    pub meaning: Meaning,
    /// The worst element outside the one-operator bound.
    pub outside: Option<(u64, Numbers)>,
    /// Elements that are not finite though the exact ones are.
    pub ruined: u64,
    /// The first of them.
    pub first_ruined: Option<(u64, Numbers)>,
    /// The element with the largest error.
    pub worst: Option<(u64, Numbers)>,
    /// Elements around the worst one, with what its bound allows, where something is wrong or lost; at most 48.
    pub points: Vec<Sample>,
    /// Elements.
    pub elements: usize,
    /// What the one-operator bound rests on.
    pub strength: Strength,
    /// Why something goes wrong here.
    pub cause: Option<Cause>,
}

impl Row {
    pub(super) fn new(subject: &Subject<'_>, operator: usize, tensor: u32) -> Row {
        let builtin = subject.program.operators().nth(operator).map_or("", |op| op.builtin.name());
        let (dtype, shape) = subject.program.form(tensor).unwrap_or((DType::F32, &[]));
        Row {
            operator,
            builtin,
            source: subject.source_of_operator(operator),
            tensor,
            name: subject.tensor_name(tensor).unwrap_or_default(),
            dtype,
            shape: shape.to_vec(),
            is_half: dtype == DType::F16,
            least: f64::INFINITY,
            greatest: f64::NEG_INFINITY,
            lost: 0.0,
            carried: 0.0,
            bound_used: None,
            whole_bound_used: None,
            undecidable: 0,
            meaning: Meaning::Unknown,
            outside: None,
            ruined: 0,
            first_ruined: None,
            worst: None,
            points: vec![],
            elements: shape.iter().product(),
            strength: Strength::Unknown,
            cause: None,
        }
    }

    /// Bits lost here, beyond what the operands had lost.
    pub fn jump(&self) -> f64 {
        self.lost - self.carried
    }

    /// True when it does not mean what the source says.
    pub fn is_meant_otherwise(&self) -> bool {
        matches!(self.meaning, Meaning::Differs { .. } | Meaning::Shape(..))
    }

    /// The most important thing about it.
    pub fn state(&self) -> State {
        if self.is_meant_otherwise() {
            State::Differs
        } else if self.outside.is_some() {
            State::Outside
        } else if let Some((_, n)) = self.first_ruined {
            if n.actual.is_nan() { State::Nan } else { State::Overflows }
        } else if self.jump() >= LOSS {
            State::Loses
        } else {
            State::Fine
        }
    }

    /// Ranges and distances. `exact` has unrounded constants; where it is unknown, the centre of the bound stands for it.
    pub(super) fn observe(
        &mut self,
        exact: Option<&Value<Enclosure>>,
        bound: &Value<Enclosure>,
        actual: Option<&Tensor>,
        forced: bool,
    ) {
        let Value::Float(_, allowed) = bound else { return };
        let reference = match exact {
            Some(Value::Float(_, a)) if a.data.len() == allowed.data.len() => &a.data,
            _ => &allowed.data,
        };
        for e in reference.iter().filter(|e| e.v.is_finite()) {
            self.least = self.least.min(e.v);
            self.greatest = self.greatest.max(e.v);
        }
        self.undecidable = allowed.data.iter().filter(|e| e.v.is_finite() && !e.is_finite()).count() as u64;
        let Some(values) = actual.and_then(Tensor::floats) else { return };
        if values.len() != allowed.data.len() {
            return;
        }
        let largest = self.least.abs().max(self.greatest.abs());
        self.is_half = self.dtype == DType::F16 || forced;
        // Float32 tensors are measured by float16's significand too, without its limits.
        let ulp =
            if self.is_half { half::ulp(largest) } else { half::power_of_two(half::exponent(largest) - 10) };
        let (mut error, mut used) = (0.0f64, 0.0f64);
        for (i, ((r, e), &x)) in reference.iter().zip(&allowed.data).zip(&values).enumerate() {
            if !r.v.is_finite() {
                continue;
            }
            if !x.is_finite() {
                self.ruined += 1;
                self.first_ruined.get_or_insert((i as u64, Numbers { expected: r.v, ..numbers(e, x) }));
                continue;
            }
            if e.is_finite() {
                used = used.max(e.ratio(x));
            }
            if (x - r.v).abs() > error {
                error = (x - r.v).abs();
                self.worst = Some((i as u64, Numbers { expected: r.v, ..numbers(e, x) }));
            }
        }
        self.whole_bound_used = Some(used);
        let half_units = error / (0.5 * ulp);
        self.lost = if self.ruined > 0 {
            f64::INFINITY
        } else if half_units > 1.0 {
            half_units.log2()
        } else {
            0.0
        };
    }

    /// Holds it to the bound of its own operator.
    pub(super) fn hold(&mut self, expected: &Value<Enclosure>, actual: &Tensor, tally: &Tally) {
        self.bound_used = tally.worst.map(|(_, n)| n.ratio).filter(|_| tally.judged > 0);
        if tally.outside > 0 || expected.shape() != actual.shape {
            self.sample(expected, actual, tally.worst.map_or(0, |(e, _)| e));
            let none = Numbers { expected: 0.0, actual: 0.0, low: 0.0, high: 0.0, ratio: f64::INFINITY };
            self.outside = Some(tally.worst.unwrap_or((0, none)));
        }
    }
}

impl Row {
    /// Keeps the elements around one of them.
    pub(super) fn sample(&mut self, expected: &Value<Enclosure>, actual: &Tensor, worst: u64) {
        let (Value::Float(_, e), Some(values)) = (expected, actual.floats()) else { return };
        if e.data.len() != values.len() {
            return;
        }
        let worst = usize::try_from(worst).unwrap_or(0);
        let from = worst.saturating_sub(SAMPLES / 2).min(values.len().saturating_sub(SAMPLES));
        self.points = (from..values.len().min(from + SAMPLES))
            .map(|i| {
                let e = &e.data[i];
                Sample { element: i as u64, error: values[i] - e.v, low: e.lo - e.v, high: e.hi - e.v }
            })
            .collect();
    }
}

/// The exact elements.
pub(super) fn centres(value: &Value<Enclosure>) -> Option<Vec<f64>> {
    match value {
        Value::Float(_, a) => Some(a.data.iter().map(|e| e.v).collect()),
        Value::Whole(..) => None,
    }
}
