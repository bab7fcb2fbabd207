//! What the recurrent operators share: operand shapes, the walk over time, and where each state is written.

use super::super::error::{OpError, attribute, shape};
use super::super::operands::Operands;
use super::super::strided::elements;
use crate::arith::Arith;
use crate::value::{Array, Value};
use halfproof_ir::DType;
use halfproof_ir::ops::Direction;

/// The attributes that all three operators have.
pub(super) struct Common {
    pub(super) gates: usize,
    pub(super) direction: Direction,
    pub(super) layout: i64,
    pub(super) hidden_size: i64,
}

/// The operands of one layer, checked.
pub(super) struct Layer<'a, E> {
    pub(super) dtype: DType,
    pub(super) directions: usize,
    pub(super) hidden: usize,
    gates: usize,
    /// True for the directions that walk backwards.
    backward: Vec<bool>,
    batch_first: bool,
    steps: usize,
    batch: usize,
    input: usize,
    x: &'a Array<E>,
    w: &'a Array<E>,
    r: &'a Array<E>,
    bias: Option<&'a Array<E>>,
    lengths: Vec<usize>,
    initial_h: Option<&'a Array<E>>,
    initial_c: Option<&'a Array<E>>,
}

fn shaped<'a, E>(
    name: &str,
    array: Option<&'a Array<E>>,
    dims: &[usize],
) -> Result<Option<&'a Array<E>>, OpError> {
    match array {
        Some(a) if a.shape != dims => Err(shape(format!("{name} has shape {:?}, not {dims:?}", a.shape))),
        other => Ok(other),
    }
}

impl<'a, E: Copy> Layer<'a, E> {
    pub(super) fn new(common: &Common, x: &Operands<'a, E>) -> Result<Layer<'a, E>, OpError> {
        let (dtype, data) = x.floats(0)?;
        let batch_first = match common.layout {
            0 => false,
            1 => true,
            other => return Err(attribute(format!("layout {other}"))),
        };
        let &[first, second, input] = &data.shape[..] else {
            return Err(shape(format!("a sequence of shape {:?}", data.shape)));
        };
        let (steps, batch) = if batch_first { (second, first) } else { (first, second) };
        let backward = match common.direction {
            Direction::Forward => vec![false],
            Direction::Reverse => vec![true],
            Direction::Bidirectional => vec![false, true],
        };
        let directions = backward.len();
        let (_, r) = x.floats(2)?;
        let hidden = r.shape.last().copied().unwrap_or(0);
        if common.hidden_size != 0 && usize::try_from(common.hidden_size) != Ok(hidden) {
            return Err(attribute(format!("hidden_size {}, R has {hidden}", common.hidden_size)));
        }
        let gates = common.gates;
        let (_, w) = x.floats(1)?;
        shaped("W", Some(w), &[directions, gates * hidden, input])?;
        shaped("R", Some(r), &[directions, gates * hidden, hidden])?;
        let bias = shaped("B", x.optional_floats(3)?, &[directions, 2 * gates * hidden])?;
        let lengths = match x.optional_ints(4)? {
            None => vec![steps; batch],
            Some(list) => {
                let lengths: Option<Vec<usize>> =
                    list.iter().map(|&n| usize::try_from(n).ok().filter(|&n| n <= steps)).collect();
                lengths
                    .filter(|l| l.len() == batch)
                    .ok_or_else(|| shape(format!("sequence_lens {list:?} of {batch} sequences of {steps}")))?
            }
        };
        let state = if batch_first { [batch, directions, hidden] } else { [directions, batch, hidden] };
        let initial_h = shaped("initial_h", x.optional_floats(5)?, &state)?;
        let initial_c = match gates {
            4 => shaped("initial_c", x.optional_floats(6)?, &state)?,
            _ => None,
        };
        Ok(Layer {
            dtype,
            directions,
            hidden,
            gates,
            backward,
            batch_first,
            steps,
            batch,
            input,
            x: data,
            w,
            r,
            bias,
            lengths,
            initial_h,
            initial_c,
        })
    }

    /// The weights from the cell to the gates of an LSTM.
    pub(super) fn peepholes(&self, x: &Operands<'a, E>) -> Result<Option<&'a Array<E>>, OpError> {
        shaped("P", x.optional_floats(7)?, &[self.directions, 3 * self.hidden])
    }

    /// x W' + Wb for one unit of one gate.
    pub(super) fn input_part<A: Arith<E = E>>(
        &self,
        arith: &A,
        d: usize,
        gate: usize,
        unit: usize,
        row: &[E],
    ) -> E {
        let at = gate * self.hidden + unit;
        let weights = &self.w.data[(d * self.gates * self.hidden + at) * self.input..][..self.input];
        let bias = self.bias.map(|b| b.data[d * 2 * self.gates * self.hidden + at]);
        arith.intermediate(arith.dot(row, weights, bias))
    }

    /// h R' + Rb for one unit of one gate.
    pub(super) fn state_part<A: Arith<E = E>>(
        &self,
        arith: &A,
        d: usize,
        gate: usize,
        unit: usize,
        h: &[E],
    ) -> E {
        let at = gate * self.hidden + unit;
        let weights = &self.r.data[(d * self.gates * self.hidden + at) * self.hidden..][..self.hidden];
        let bias = self.bias.map(|b| b.data[(d * 2 + 1) * self.gates * self.hidden + at]);
        arith.intermediate(arith.dot(h, weights, bias))
    }

    /// The sum of both: the input of one gate's activation.
    pub(super) fn gate<A: Arith<E = E>>(
        &self,
        arith: &A,
        d: usize,
        gate: usize,
        unit: usize,
        row: &[E],
        h: &[E],
    ) -> E {
        let input = self.input_part(arith, d, gate, unit, row);
        arith.intermediate(arith.add(input, self.state_part(arith, d, gate, unit, h)))
    }

    /// Walks over time: `step(direction, row of X, previous H, C)` gives the next H and updates C in place.
    /// The results are Y, Y_h and, for an LSTM, Y_c.
    pub(super) fn run<A: Arith<E = E>>(
        &self,
        arith: &A,
        step: impl Fn(usize, &[E], &[E], &mut [E]) -> Vec<E>,
    ) -> Result<Vec<Value<E>>, OpError> {
        let (n, zero) = (self.hidden, arith.exact(0.0));
        let dims = match self.batch_first {
            true => vec![self.batch, self.steps, self.directions, n],
            false => vec![self.steps, self.directions, self.batch, n],
        };
        let state = match self.batch_first {
            true => vec![self.batch, self.directions, n],
            false => vec![self.directions, self.batch, n],
        };
        let mut y = vec![zero; elements(&dims)?];
        let mut last_h = vec![zero; elements(&state)?];
        let mut last_c = last_h.clone();
        for d in 0..self.directions {
            for b in 0..self.batch {
                let at = n * if self.batch_first { b * self.directions + d } else { d * self.batch + b };
                let initial = |a: Option<&Array<E>>| match a {
                    Some(a) => a.data[at..][..n].to_vec(),
                    None => vec![zero; n],
                };
                let (mut h, mut c) = (initial(self.initial_h), initial(self.initial_c));
                for i in 0..self.lengths[b] {
                    let t = if self.backward[d] { self.lengths[b] - 1 - i } else { i };
                    let (row, out) = match self.batch_first {
                        true => (b * self.steps + t, (b * self.steps + t) * self.directions + d),
                        false => (t * self.batch + b, (t * self.directions + d) * self.batch + b),
                    };
                    let row = &self.x.data[row * self.input..][..self.input];
                    h = step(d, row, &h, &mut c);
                    for e in &mut h {
                        *e = arith.store(*e, self.dtype);
                    }
                    y[out * n..][..n].copy_from_slice(&h);
                }
                last_h[at..][..n].copy_from_slice(&h);
                last_c[at..][..n].copy_from_slice(&c);
            }
        }
        let mut results = vec![
            Value::Float(self.dtype, Array { shape: dims, data: y }),
            Value::Float(self.dtype, Array { shape: state.clone(), data: last_h }),
        ];
        if self.gates == 4 {
            results.push(Value::Float(self.dtype, Array { shape: state, data: last_c }));
        }
        Ok(results)
    }
}
