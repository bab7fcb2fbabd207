//! Decides in which axis order an operator that has no order of its own computes.
//!
//! Convolutions, pools and resizes of TFLite want channels last. Everything else can run in whatever order its
//! operands are already held in, if its axes, permutations and constants are renamed with it. Orders are chosen in
//! program order, by the elements that would have to be moved now and those that the consumers would move next;
//! `lower::context` puts in the TRANSPOSEs that remain.

use crate::infer::Type;
use crate::lower::context::Context;
use crate::lower::perm::Perm;
use halfproof_ir::{Graph, IoLayout, Op, ValueId};

/// In which layouts the consumers of a value will want it, seen through operators without a layout of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Demand {
    /// Somebody wants the source's order.
    pub(crate) first: bool,
    /// Somebody wants channels last.
    pub(crate) last: bool,
    /// An operator that takes nothing but channels last reads it directly: that TRANSPOSE comes in any case.
    pub(crate) bound: bool,
}

/// What an operator asks of its operands' layout.
enum Taste {
    /// Channels last for its first operand.
    Last,
    /// Whatever its result is asked for in.
    Any,
    /// Nothing: it changes only how elements are read.
    View,
    /// The source's order.
    First,
}

fn taste(op: &Op) -> Taste {
    match op {
        Op::Conv(_)
        | Op::ConvTranspose(_)
        | Op::MaxPool(_)
        | Op::AveragePool(_)
        | Op::DepthToSpace(_)
        | Op::SpaceToDepth(_)
        | Op::Resize(_)
        | Op::LRN(_) => Taste::Last,
        Op::Transpose(_) | Op::Shape(_) | Op::Size => Taste::View,
        Op::MatMul
        | Op::Gemm(_)
        | Op::Reshape(_)
        | Op::Flatten(_)
        | Op::Squeeze
        | Op::Unsqueeze
        | Op::LSTM(_)
        | Op::GRU(_)
        | Op::RNN(_)
        | Op::Unknown { .. } => Taste::First,
        _ => Taste::Any,
    }
}

/// The demand on every value, from the outputs backwards.
pub(crate) fn demand(graph: &Graph, types: &[Option<Type>], io: IoLayout) -> Vec<Demand> {
    let mut demand = vec![Demand::default(); graph.values.len()];
    for &id in &graph.outputs {
        let last = io == IoLayout::Nhwc && types[id.index()].as_ref().is_some_and(|t| t.rank() == 4);
        let d = &mut demand[id.index()];
        if last { d.last = true } else { d.first = true }
    }
    for node in graph.nodes.iter().rev() {
        let out = node.outputs.iter().flatten().fold(Demand::default(), |d, id| {
            let o = demand[id.index()];
            Demand { first: d.first || o.first, last: d.last || o.last, bound: false }
        });
        for (i, id) in node.inputs.iter().enumerate() {
            let Some(id) = id else { continue };
            let d = &mut demand[id.index()];
            match taste(&node.op) {
                Taste::Last if i == 0 => {
                    d.last = true;
                    d.bound = true;
                }
                Taste::Any => {
                    d.first |= out.first;
                    d.last |= out.last;
                }
                Taste::View => {}
                Taste::First | Taste::Last => d.first = true,
            }
        }
    }
    demand
}

/// The order in which to compute a result of that rank from these operands, all aligned at their last axes.
///
/// Operands of lower rank and constants follow any order; the others vote with their elements.
pub(crate) fn choose(cx: &Context<'_>, operands: &[ValueId], result: ValueId, rank: usize) -> Perm {
    let identity = Perm::identity(rank);
    let last = Perm::channels_last(rank);
    let mut candidates = vec![identity];
    let mut voters = Vec::new();
    for &v in operands {
        let Ok(ty) = cx.ty(v) else { continue };
        if ty.rank() != rank || cx.constant(v).is_some() || ty.len() <= 1 {
            continue;
        }
        voters.push((v, ty.len()));
        for c in cx.carriers(v) {
            if !candidates.contains(&c.perm) {
                candidates.push(c.perm);
            }
        }
        if cx.demand[v.index()].bound && !candidates.contains(&last) {
            candidates.push(last);
        }
    }
    if candidates.len() == 1 {
        return identity;
    }
    let wanted = cx.demand[result.index()];
    let size = cx.ty(result).map_or(1, Type::len);
    let cost = |perm: &Perm| {
        let moved: usize = voters
            .iter()
            .filter(|(v, _)| !(cx.holds(*v, perm) || cx.demand[v.index()].bound && *perm == last))
            .map(|(_, n)| n)
            .sum();
        let next = match () {
            () if *perm == last => usize::from(wanted.first && !wanted.last) * size,
            () if perm.is_identity() => usize::from(wanted.last && !wanted.first) * size,
            () => size,
        };
        moved + next
    };
    // At equal cost: channels last if somebody downstream wants it, else the order that is held first.
    let held = voters.first().and_then(|(v, _)| cx.carriers(*v).first()).map(|c| c.perm);
    let rank_of = |perm: &Perm| {
        let preferred = if wanted.last { *perm == last } else { Some(*perm) == held };
        (cost(perm), !preferred)
    };
    candidates.into_iter().min_by_key(rank_of).unwrap_or(identity)
}
