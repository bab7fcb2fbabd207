//! LSTM, GRU and RNN.

use super::{Site, Type, Types};
use halfproof_ir::ops::Direction;

/// `gates` weights for each hidden unit, at most `most` results.
pub(super) fn recurrent(
    (gates, most): (usize, usize),
    hidden: i64,
    direction: Direction,
    layout: i64,
    site: &Site<'_>,
) -> Types {
    let (x, w) = (site.need(0)?, site.need(1)?);
    let (&[a, b, _], &[_, rows, _]) = (x.shape(), w.shape()) else {
        return Err("operands have the wrong rank".into());
    };
    let hidden = if hidden > 0 { usize::try_from(hidden).unwrap_or(0) } else { rows / gates };
    if rows != hidden * gates {
        return Err(format!("weights {:?} do not fit {hidden} hidden units", w.shape()));
    }
    let directions = if direction == Direction::Bidirectional { 2 } else { 1 };
    let (y, last) = match layout {
        0 => (vec![a, directions, b, hidden], vec![directions, b, hidden]),
        1 => (vec![a, b, directions, hidden], vec![a, directions, hidden]),
        _ => return Err("layout is neither 0 nor 1".into()),
    };
    let ty = |shape: Vec<usize>| Type::new(x.ty.dtype, shape);
    Ok([ty(y), ty(last.clone()), ty(last)].into_iter().take(most.min(site.results)).collect())
}
