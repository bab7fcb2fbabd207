//! One generated graph with its conversion and its input sets, as a campaign would judge it.

use crate::generate::{Dna, InputKind, Options as Generator, Stream, generate, inputs};
use halfproof_ir::{Conversion, Graph, Precision, Request, Tensor};
use halfproof_systems::converters::in_tree::InTree;
use halfproof_systems::{Converter, Outcome, Source};
use halfproof_wire::tflite::{self, Model};

/// What cases are drawn from.
#[derive(Clone, Debug)]
pub(super) struct Draws {
    pub(super) seed: u64,
    pub(super) generator: Generator,
}

/// One case.
pub(super) struct Case {
    pub(super) graph: Graph,
    pub(super) request: Request,
    pub(super) conversion: Conversion,
    pub(super) model: Model,
    /// One set of source inputs per kind.
    pub(super) sets: Vec<(InputKind, Vec<Tensor>)>,
    /// For everything else that is drawn about the case.
    pub(super) stream: Stream,
}

/// A stream for the case of that number, and that attempt at it.
fn stream(seed: u64, purpose: u64, index: u64, attempt: u64) -> Stream {
    let mut stream = Stream::new(seed ^ purpose.rotate_left(32));
    let base = stream.next_u64();
    let mut stream = Stream::new(base ^ index.wrapping_mul(0xd134_2543_de82_ef95));
    let base = stream.next_u64();
    Stream::new(base ^ attempt.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

impl Draws {
    /// The case of that number; `None` when it has one node only or the converter refuses it.
    pub(super) fn case(&self, purpose: u64, index: u64, attempt: u64) -> Option<Case> {
        let mut stream = stream(self.seed, purpose, index, attempt);
        let graph = generate(Dna::from_seed(stream.next_u64()), &self.generator);
        if graph.nodes.len() < 2 && self.generator.max_nodes > 1 {
            return None;
        }
        let precision = Precision::ALL[stream.below(3) as usize];
        let request = Request::new(precision);
        let outcome = InTree.convert(Source { graph: &graph, onnx: &[] }, &request);
        let Outcome::Converted(conversion) = outcome else { return None };
        let model = tflite::read(&conversion.model).ok()?;
        let seed = stream.next_u64();
        let sets = InputKind::ALL.map(|kind| (kind, inputs(&graph, kind, seed))).into();
        Some(Case { graph, request, conversion, model, sets, stream })
    }
}

impl Case {
    /// More input sets, to tell functions apart: other draws of every kind, and a wide one.
    pub(super) fn more_sets(&self) -> Vec<Vec<Tensor>> {
        let mut stream = self.stream.clone();
        let kinds = [InputKind::Gaussian, InputKind::Scaled, InputKind::Scaled, InputKind::Scaled];
        kinds.map(|kind| inputs(&self.graph, kind, stream.next_u64())).into()
    }
}
