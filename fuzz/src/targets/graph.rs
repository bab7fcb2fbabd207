//! The differential target on graphs: an .onnx file, then four bytes that choose strategy, inputs and their seed.
//!
//! The corpus holds cases, not decisions of the generator: it keeps its meaning when the generator changes. Mutation works
//! on the graph (`mutate`); the file is only how libFuzzer keeps it.

use crate::generate::{Dna, InputKind, Options, Stream, generate, inputs};
use crate::mutate;
use crate::pipeline::{Pipeline, Trial, Turn};
use halfproof_ir::{Graph, Precision, Request};
use halfproof_oracle::verdict::Strength;
use halfproof_systems::converters::in_tree::InTree;
use halfproof_systems::runtimes::interp::Interpreter;
use halfproof_wire::onnx::{self, Opset};
use std::cell::RefCell;

/// Bytes after the file.
const TAIL: usize = 4;

thread_local! {
    static PIPELINE: RefCell<Pipeline> = RefCell::new(Pipeline {
        converter: Box::new(InTree),
        interpreters: vec![Interpreter::f16(), Interpreter::f32()],
        runtimes: vec![],
        share: 0,
    });
}

/// Converts, executes and judges the graph; panics on a certified fault of the converter or of our interpreters.
pub fn run(data: &[u8]) {
    let Some((graph, tail)) = decode(data) else { return };
    let precision = Precision::ALL[usize::from(tail[0]) % Precision::ALL.len()];
    let kind = InputKind::ALL[usize::from(tail[1]) % InputKind::ALL.len()];
    let seed = u64::from(u16::from_le_bytes([tail[2], tail[3]]));
    let inputs = inputs(&graph, kind, seed);
    let opset = Opset::of(&graph);
    let trial = Trial { request: Request::new(precision), kind, inputs, opset, graph };
    let report = PIPELINE.with_borrow_mut(|p| p.examine(&trial, Turn::NONE));
    let certain = report.findings.iter().find(|f| f.verdict.strength == Strength::Certified);
    if let Some(found) = certain {
        panic!("{}\n{:#?}\n{}", found.signature, found.verdict, halfproof_ir::text::print(&trial.graph));
    }
}

/// The graph and the four bytes; `None` when the file is no graph of ours or a large one.
fn decode(data: &[u8]) -> Option<(Graph, [u8; TAIL])> {
    let (file, tail) = data.split_at(data.len().checked_sub(TAIL)?);
    Some((mutate::inside(onnx::read(file).ok()?)?, tail.try_into().ok()?))
}

fn encode(graph: &Graph, tail: [u8; TAIL]) -> Option<Vec<u8>> {
    let mut bytes = onnx::write(graph, Opset::of(graph)).ok()?;
    bytes.extend(tail);
    Some(bytes)
}

/// libFuzzer's custom mutator: a neighbor of the case, or a new one where the bytes are none.
pub fn mutate(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let mut stream = Stream::new(u64::from(seed));
    let next = match decode(&data[..size]) {
        Some((graph, mut tail)) if stream.below(6) == 0 => {
            tail[stream.below(TAIL as u64) as usize] = stream.below(256) as u8;
            encode(&graph, tail)
        }
        Some((graph, tail)) => mutate::mutate(&graph, stream.next_u64()).and_then(|g| encode(&g, tail)),
        None => {
            let options = Options { max_nodes: 4, ..Options::default() };
            let graph = generate(Dna::from_seed(stream.next_u64()), &options);
            encode(&graph, (stream.next_u64() as u32).to_le_bytes())
        }
    };
    store(next, data, max_size).unwrap_or(size)
}

/// libFuzzer's custom crossover: both graphs in one.
pub fn cross(left: &[u8], right: &[u8], out: &mut [u8], seed: u32) -> usize {
    let both = decode(left)
        .zip(decode(right))
        .and_then(|((a, tail), (b, _))| encode(&mutate::cross(&a, &b, u64::from(seed))?, tail));
    let max_size = out.len();
    store(both, out, max_size).unwrap_or(0)
}

fn store(bytes: Option<Vec<u8>>, data: &mut [u8], max_size: usize) -> Option<usize> {
    let bytes = bytes.filter(|b| b.len() <= max_size.min(data.len()))?;
    data[..bytes.len()].copy_from_slice(&bytes);
    Some(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_of_the_mutator_stays_judged_and_clean() {
        let mut data = vec![0; 1 << 16];
        let (mut size, mut judged) = (0, 0);
        for seed in 0..400 {
            let max = data.len();
            size = mutate(&mut data, size, max, seed);
            judged += u32::from(decode(&data[..size]).is_some());
            run(&data[..size]);
        }
        assert!(judged > 390, "{judged} of 400 are graphs");
    }

    #[test]
    fn two_cases_cross() {
        let case = |seed| {
            let mut data = vec![0; 1 << 16];
            let max = data.len();
            let size = mutate(&mut data, 0, max, seed);
            data.truncate(size);
            data
        };
        let mut out = vec![0; 1 << 16];
        let crossed = (0..40).filter(|&s| cross(&case(s), &case(s + 100), &mut out, s) > 0).count();
        assert!(crossed > 20, "{crossed} of 40");
    }
}
