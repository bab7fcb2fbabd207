//! Which test an index is: graph, strategy, inputs, and the opset of its file.

use super::scout::Scouting;
use crate::generate::{Dna, InputKind, Options, Stream, alone, generate, inputs};
use halfproof_ir::{Graph, Precision, Request, Tensor};
use halfproof_wire::onnx::Opset;

/// What a campaign draws its tests from.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The seed from which every test follows.
    pub seed: u64,
    /// What graphs are wanted.
    pub generator: Options,
    /// Strategies, in turn.
    pub precisions: Vec<Precision>,
    /// Kinds of inputs, in turn.
    pub kinds: Vec<InputKind>,
    /// The tests that come first, and what they showed.
    pub scouting: Scouting,
}

/// One test.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The source program.
    pub graph: Graph,
    /// What is asked of the converter.
    pub request: Request,
    /// The kind of its inputs.
    pub kind: InputKind,
    /// Its inputs.
    pub inputs: Vec<Tensor>,
    /// The operator set that its file is written in, where the graph's operators exist there.
    pub opset: Opset,
}

impl Plan {
    /// The test of an index.
    pub fn trial(&self, index: u64) -> Trial {
        let mut stream = Stream::new(
            self.seed.wrapping_mul(0x9e37_79b9).wrapping_add(index.wrapping_mul(0xd134_2543_de82_ef95)),
        );
        let graph = self.graph(index, stream.next_u64());
        let precision = self.precisions[(index % self.precisions.len() as u64) as usize];
        let kind = self.kinds[stream.below(self.kinds.len() as u64) as usize];
        let inputs = inputs(&graph, kind, stream.next_u64());
        let opset = if stream.below(4) == 0 { Opset(9 + stream.below(13) as u16) } else { Opset::of(&graph) };
        Trial { graph, request: Request::new(precision), kind, inputs, opset }
    }

    fn graph(&self, index: u64, dna: u64) -> Graph {
        if let Some(operator) = self.scouted(index) {
            return alone(operator, dna);
        }
        let mut options = self.generator.clone();
        if self.scouting.cases > 0 {
            let drawn = self.scouting.drawn(index, &options.names());
            options.ops = drawn.into_iter().map(String::from).collect();
        }
        if index % 2 == 1 && options.max_nodes >= 3 {
            options.pair = pair(index / 2, &options.names());
        }
        generate(Dna::from_seed(dna), &options)
    }

    /// How many tests come first that try one operator alone.
    pub fn scouts(&self) -> u64 {
        self.scouting.cases * self.generator.names().len() as u64
    }

    /// The operator that the test of an index tries alone, if it is one of those.
    pub(super) fn scouted(&self, index: u64) -> Option<&'static str> {
        if self.scouting.cases == 0 {
            return None;
        }
        let all = self.generator.names();
        (index < self.scouts()).then(|| all[(index % all.len() as u64) as usize])
    }
}

/// The pair of operators that a directed test is to contain: all of them in turn, in an order in which neighbors
/// have nothing in common, so that any stretch of tests sees a fair sample.
fn pair(turn: u64, names: &[&'static str]) -> Option<(&'static str, &'static str)> {
    if names.is_empty() {
        return None;
    }
    let n = names.len() as u64;
    // A stride without a factor in common with n^2 visits every pair once before any comes again.
    let stride = [7919u64, 7907, 7901].into_iter().find(|p| !n.is_multiple_of(*p))?;
    let at = (u128::from(turn) * u128::from(stride) % u128::from(n * n)) as u64;
    Some((names[(at / n) as usize], names[(at % n) as usize]))
}

/// The ONNX operator of a node, or of the node that makes a value.
pub fn operator_of<'g>(graph: &'g Graph, source: &str) -> Option<&'g str> {
    let makes = |n: &&halfproof_ir::Node| {
        n.name == source || n.outputs.iter().flatten().any(|&id| graph.value(id).name == source)
    };
    graph.nodes.iter().find(makes).map(|n| n.op.name())
}
