//! LSTM, GRU and RNN over a short sequence, in all directions, with and without bias and initial state.

use super::super::graph::{Builder, Item, Span};
use halfproof_ir::ops::{Direction, GRU, LSTM, RNN};
use halfproof_ir::{DType, Op, ValueId};

/// What the three operators share: X [seq, batch, input], W, R, B, initial states; results Y and Y_h (and Y_c).
fn recurrent(
    b: &mut Builder<'_>,
    gates: usize,
    biases: usize,
    cell: bool,
    make: impl Fn(Direction, i64, bool) -> Op,
) -> Option<Item> {
    let x = b.float(|i| i.rank() == 3 && i.shape[0] <= 8 && i.shape[2] <= 16 && i.span.radius() < 100.0)?;
    let (steps, batch, input) = (x.shape[0], x.shape[1], x.shape[2]);
    let hidden = *b.dna.pick(&[3, 2, 4, 1]);
    let direction = *b.dna.pick(Direction::ALL);
    let d = if direction == Direction::Bidirectional { 2 } else { 1 };
    let flag = b.dna.chance(1, 2);
    let (w, _) = b.weights(&[d, gates * hidden, input], 1.0 / (input as f64).sqrt());
    let (r, _) = b.weights(&[d, gates * hidden, hidden], 1.0 / (hidden as f64).sqrt());
    let mut inputs: Vec<Option<ValueId>> = vec![Some(x.id), Some(w), Some(r)];
    let bias = b.dna.chance(2, 3);
    let initial = b.dna.chance(1, 3);
    if bias || initial {
        inputs.push(if bias { Some(b.weights(&[d, biases * hidden], 0.5).0) } else { None });
    }
    if initial {
        inputs.push(None);
        inputs.push(Some(b.weights(&[d, batch, hidden], 0.5).0));
        if cell {
            inputs.push(Some(b.weights(&[d, batch, hidden], 0.5).0));
        }
    }
    let unit = Span::around_zero(1.0);
    let state = Some((DType::F32, vec![d, batch, hidden], unit));
    let all = Some((DType::F32, vec![steps, d, batch, hidden], unit));
    let mut results = match b.dna.below(3) {
        0 => vec![all],
        1 => vec![None, state.clone()],
        _ => vec![all, state.clone()],
    };
    if cell && b.dna.chance(1, 3) {
        results.resize(2, None);
        results.push(state.map(|(t, s, _)| (t, s, Span::around_zero(8.0))));
    }
    b.emit_many(make(direction, hidden as i64, flag), inputs, results).map(|mut items| items.remove(0))
}

pub(super) fn lstm(b: &mut Builder<'_>) -> Option<Item> {
    recurrent(b, 4, 8, true, |direction, hidden_size, _| {
        LSTM { direction, hidden_size, ..LSTM::default() }.into()
    })
}

pub(super) fn gru(b: &mut Builder<'_>) -> Option<Item> {
    recurrent(b, 3, 6, false, |direction, hidden_size, linear_before_reset| {
        GRU { direction, hidden_size, linear_before_reset, ..GRU::default() }.into()
    })
}

pub(super) fn rnn(b: &mut Builder<'_>) -> Option<Item> {
    recurrent(b, 1, 2, false, |direction, hidden_size, relu| {
        let activations = match (relu, direction) {
            (false, _) => vec![],
            (true, Direction::Bidirectional) => vec!["Relu".to_string(); 2],
            (true, _) => vec!["Relu".to_string()],
        };
        RNN { direction, hidden_size, activations, ..RNN::default() }.into()
    })
}
