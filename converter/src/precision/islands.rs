//! Joins float32 islands over the cheap operators between them wherever that saves casts.

use super::plan::is_narrowable;
use crate::target::{Target, TargetOperator, TensorId};
use halfproof_wire::tflite::Builtin;

/// Most operators that are taken in at once to close a gap.
const LONGEST_GAP: usize = 4;

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

    /// True when the model gives this tensor to its caller.
    pub(super) fn is_output(&self, id: TensorId) -> bool {
        self.output[id.index()]
    }

    /// How many CASTs a tensor needs.
    fn casts(&self, id: TensorId, single: &[bool], single_interface: bool) -> usize {
        let made = self.producer[id.index()].map_or(single_interface, |i| single[i]);
        let other = self.readers(id).iter().any(|&i| single[i] != made);
        usize::from(other || (self.is_output(id) && single_interface != made))
    }
}

/// True when an operator does little work and holds no weights, so that float32 costs little.
fn is_cheap(op: &TargetOperator) -> bool {
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

/// Takes operators into the islands as long as that removes casts; gives the indices of those taken in, ascending.
pub(super) fn join(target: &Target, uses: &Uses, single: &mut [bool], single_interface: bool) -> Vec<usize> {
    let mut joined = Vec::new();
    let mut changed = true;
    while changed {
        changed = false;
        for start in 0..target.operators.len() {
            if let Some(gap) = gap(target, uses, single, single_interface, start) {
                for i in gap {
                    single[i] = true;
                    joined.push(i);
                }
                changed = true;
            }
        }
    }
    joined.sort_unstable();
    joined
}

/// A chain of float16 operators from `start` on whose change to float32 saves casts.
fn gap(
    target: &Target,
    uses: &Uses,
    single: &mut [bool],
    single_interface: bool,
    start: usize,
) -> Option<Vec<usize>> {
    // Only next to an island can there be anything to save.
    let op = &target.operators[start];
    let next_to_island =
        op.inputs.iter().flatten().any(|id| uses.producer[id.index()].is_some_and(|i| single[i]));
    let feeds_island = op.outputs.iter().any(|&id| uses.readers(id).iter().any(|&i| single[i]));
    if !(next_to_island || feeds_island) {
        return None;
    }
    let mut chain = Vec::new();
    let mut at = start;
    while chain.len() < LONGEST_GAP && !single[at] && is_cheap(&target.operators[at]) && !chain.contains(&at)
    {
        chain.push(at);
        if saves(target, uses, single, single_interface, &chain) {
            return Some(chain);
        }
        let readers = target.operators[at].outputs.iter().flat_map(|&id| uses.readers(id));
        at = *readers.copied().collect::<Vec<_>>().iter().find(|&&i| !single[i])?;
    }
    None
}

fn saves(target: &Target, uses: &Uses, single: &mut [bool], single_interface: bool, chain: &[usize]) -> bool {
    let mut tensors: Vec<TensorId> = chain
        .iter()
        .flat_map(|&i| target.operators[i].inputs.iter().flatten().chain(&target.operators[i].outputs))
        .copied()
        .filter(|&id| is_narrowable(target.tensor(id)) && target.tensor(id).constant.is_none())
        .collect();
    tensors.sort_unstable();
    tensors.dedup();
    let casts =
        |single: &[bool]| tensors.iter().map(|&id| uses.casts(id, single, single_interface)).sum::<usize>();
    let before = casts(single);
    chain.iter().for_each(|&i| single[i] = true);
    let after = casts(single);
    chain.iter().for_each(|&i| single[i] = false);
    after < before
}
