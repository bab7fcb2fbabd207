//! Recurrent layers: RNN GRU LSTM.
//!
//! # Definition
//! The equations of ONNX RNN-14, GRU-14 and LSTM-14 (unchanged in 22), per direction and batch entry, with gates in the order i; z r h; i o f c.
//! Bidirectional layers have the backward weights behind the forward ones.
//! # Edge cases
//! With `sequence_lens`, a shorter sequence stops early: its later rows of Y are 0 and Y_h is its last state (the specification leaves both
//! open); the backward direction starts at its own end. `clip` bounds the input of every activation. `input_forget` couples the gates:
//! `f = 1 - i`. `layout = 1` puts the batch first.
//! # Numerics
//! Two `dot`s per gate, each started at its bias; states are stored after every step.

mod activate;
mod layer;

use super::error::OpError;
use super::operands::Operands;
use crate::arith::Arith;
use crate::value::Value;
use activate::activations;
use halfproof_ir::ops::{GRU, LSTM, RNN};
use layer::{Common, Layer};

/// RNN: H = f(x W' + h R' + Wb + Rb).
pub(super) fn rnn<A: Arith>(op: &RNN, x: &Operands<A::E>, arith: &A) -> Result<Vec<Value<A::E>>, OpError> {
    let common = Common { gates: 1, direction: op.direction, layout: op.layout, hidden_size: op.hidden_size };
    let layer = Layer::new(&common, x)?;
    let functions = activations(
        &op.activations,
        &["Tanh"],
        layer.directions,
        &op.activation_alpha,
        &op.activation_beta,
        op.clip,
    )?;
    let n = layer.hidden;
    layer.run(arith, |d, row, h, _| {
        let f = &functions[d][0];
        (0..n).map(|j| f.apply(arith, layer.gate(arith, d, 0, j, row, h))).collect()
    })
}

/// GRU.
pub(super) fn gru<A: Arith>(op: &GRU, x: &Operands<A::E>, arith: &A) -> Result<Vec<Value<A::E>>, OpError> {
    let common = Common { gates: 3, direction: op.direction, layout: op.layout, hidden_size: op.hidden_size };
    let layer = Layer::new(&common, x)?;
    let functions = activations(
        &op.activations,
        &["Sigmoid", "Tanh"],
        layer.directions,
        &op.activation_alpha,
        &op.activation_beta,
        op.clip,
    )?;
    let n = layer.hidden;
    let one = arith.exact(1.0);
    layer.run(arith, |d, row, h, _| {
        let (f, g) = (&functions[d][0], &functions[d][1]);
        let gate = |index: usize| -> Vec<A::E> {
            (0..n).map(|j| f.apply(arith, layer.gate(arith, d, index, j, row, h))).collect()
        };
        let (z, r) = (gate(0), gate(1));
        let reset: Vec<A::E> = h.iter().zip(&r).map(|(&h, &r)| arith.intermediate(arith.mul(r, h))).collect();
        (0..n)
            .map(|j| {
                let input = layer.input_part(arith, d, 2, j, row);
                let recurrent = if op.linear_before_reset {
                    arith.intermediate(arith.mul(r[j], layer.state_part(arith, d, 2, j, h)))
                } else {
                    layer.state_part(arith, d, 2, j, &reset)
                };
                let candidate = g.apply(arith, arith.intermediate(arith.add(input, recurrent)));
                let fresh = arith.mul(arith.intermediate(arith.sub(one, z[j])), candidate);
                arith.add(arith.intermediate(fresh), arith.intermediate(arith.mul(z[j], h[j])))
            })
            .collect()
    })
}

/// LSTM.
pub(super) fn lstm<A: Arith>(op: &LSTM, x: &Operands<A::E>, arith: &A) -> Result<Vec<Value<A::E>>, OpError> {
    let common = Common { gates: 4, direction: op.direction, layout: op.layout, hidden_size: op.hidden_size };
    let layer = Layer::new(&common, x)?;
    let functions = activations(
        &op.activations,
        &["Sigmoid", "Tanh", "Tanh"],
        layer.directions,
        &op.activation_alpha,
        &op.activation_beta,
        op.clip,
    )?;
    let n = layer.hidden;
    let peepholes = layer.peepholes(x)?;
    // The weight from the cell to gate i (0: input, 1: output, 2: forget).
    let peep = |d: usize, gate: usize, j: usize, c: A::E, sum: A::E| match peepholes {
        None => sum,
        Some(p) => {
            let seen = arith.mul(p.data[(d * 3 + gate) * n + j], c);
            arith.intermediate(arith.add(sum, arith.intermediate(seen)))
        }
    };
    layer.run(arith, |d, row, h, c| {
        let (f, g, last) = (&functions[d][0], &functions[d][1], &functions[d][2]);
        (0..n)
            .map(|j| {
                let gate = |index: usize| layer.gate(arith, d, index, j, row, h);
                let input = f.apply(arith, peep(d, 0, j, c[j], gate(0)));
                let forget = if op.input_forget {
                    arith.intermediate(arith.sub(arith.exact(1.0), input))
                } else {
                    f.apply(arith, peep(d, 2, j, c[j], gate(2)))
                };
                let candidate = g.apply(arith, gate(3));
                let kept = arith.intermediate(arith.mul(forget, c[j]));
                let fresh = arith.intermediate(arith.mul(input, candidate));
                c[j] = arith.store(arith.add(kept, fresh), layer.dtype);
                let output = f.apply(arith, peep(d, 1, j, c[j], gate(1)));
                arith.mul(output, last.apply(arith, c[j]))
            })
            .collect()
    })
}
