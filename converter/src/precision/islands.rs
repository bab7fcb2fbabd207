//! Draws the borders of float32 islands where they cost least.
//!
//! Operators that must be float32 are given. The others may join them: that costs little for an operator that only moves
//! or maps elements, and nobody who convolves or multiplies matrices is asked to. What is saved are CASTs: one per tensor
//! that has readers of the other type, however many. The cheapest borders are a minimum cut.

use super::cut::Cut;
use super::plan::is_narrowable;
use crate::target::{Target, TargetOperator, TensorId};
use halfproof_wire::tflite::Builtin;

/// A CAST is worth this many cheap operators in float32: it reads and writes a whole tensor and computes nothing.
const CAST: u64 = 5;

/// Who makes and who reads each tensor.
#[derive(Debug)]
pub(super) struct Uses {
    /// Index of the producing operator.
    producer: Vec<Option<usize>>,
    /// Indices of the reading operators, ascending.
    readers: Vec<Vec<usize>>,
    /// By tensor: it is a result of the model.
    output: Vec<bool>,
}

impl Uses {
    pub(super) fn new(target: &Target) -> Uses {
        let n = target.tensors.len();
        let mut uses = Uses { producer: vec![None; n], readers: vec![Vec::new(); n], output: vec![false; n] };
        for (i, op) in target.operators.iter().enumerate() {
            for id in op.inputs.iter().flatten() {
                uses.readers[id.index()].push(i);
            }
            for id in &op.outputs {
                uses.producer[id.index()] = Some(i);
            }
        }
        for &(_, id) in &target.outputs {
            uses.output[id.index()] = true;
        }
        uses
    }

    /// The operators that read a tensor.
    pub(super) fn readers(&self, id: TensorId) -> &[usize] {
        &self.readers[id.index()]
    }

    /// The operator that makes a tensor.
    pub(super) fn producer(&self, id: TensorId) -> Option<usize> {
        self.producer[id.index()]
    }

    /// True when the model gives this tensor to its caller.
    pub(super) fn is_output(&self, id: TensorId) -> bool {
        self.output[id.index()]
    }
}

/// True when an operator does little work and holds no weights, so that float32 costs little.
pub(super) fn is_cheap(op: &TargetOperator) -> bool {
    use Builtin::{
        BatchMatmul, Conv2d, Conv3d, DepthwiseConv2d, EmbeddingLookup, FullyConnected, Gather, TransposeConv,
    };
    !matches!(
        op.builtin,
        Conv2d
            | Conv3d
            | DepthwiseConv2d
            | FullyConnected
            | BatchMatmul
            | TransposeConv
            | Gather
            | EmbeddingLookup
    )
}

/// Takes operators into the islands where that is cheaper than casting; gives the indices of those taken in, ascending.
pub(super) fn join(target: &Target, uses: &Uses, single: &mut [bool], single_interface: bool) -> Vec<usize> {
    let n = single.len();
    // The interface is one more node, tied to its side.
    let interface = n;
    let mut cut = Cut::new(n + 1);
    if single_interface {
        cut.tie_first(interface);
    } else {
        cut.tie_second(interface);
    }
    for (i, op) in target.operators.iter().enumerate() {
        if single[i] {
            cut.tie_first(i);
        } else if is_cheap(op) {
            cut.price_first(i, 1);
        } else {
            cut.tie_second(i);
        }
    }
    let mut pins = Vec::new();
    for (id, tensor) in (0..).map(TensorId).zip(&target.tensors) {
        if !is_narrowable(tensor) || tensor.constant.is_some() {
            continue;
        }
        pins.clear();
        pins.push(uses.producer[id.index()].unwrap_or(interface));
        pins.extend(uses.readers(id));
        pins.extend(uses.is_output(id).then_some(interface));
        pins.sort_unstable();
        pins.dedup();
        if pins.len() > 1 {
            cut.net(&pins, CAST);
        }
    }
    let first = cut.solve(n + 1);
    let joined: Vec<usize> = (0..n).filter(|&i| first[i] && !single[i]).collect();
    joined.iter().for_each(|&i| single[i] = true);
    joined
}
