//! Which test an index is: graph, strategy, inputs, and the opset of its file.

use crate::generate::{Dna, InputKind, Options, Stream, generate, inputs};
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
        let graph = generate(Dna::from_seed(stream.next_u64()), &self.generator);
        let precision = self.precisions[(index % self.precisions.len() as u64) as usize];
        let kind = self.kinds[stream.below(self.kinds.len() as u64) as usize];
        let inputs = inputs(&graph, kind, stream.next_u64());
        let opset = if stream.below(4) == 0 { Opset(9 + stream.below(13) as u16) } else { Opset::of(&graph) };
        Trial { graph, request: Request::new(precision), kind, inputs, opset }
    }
}

/// The ONNX operator of a node, or of the node that makes a value.
pub fn operator_of<'g>(graph: &'g Graph, source: &str) -> Option<&'g str> {
    let makes = |n: &&halfproof_ir::Node| {
        n.name == source || n.outputs.iter().flatten().any(|&id| graph.value(id).name == source)
    };
    graph.nodes.iter().find(makes).map(|n| n.op.name())
}
