//! Every operator by itself and behind every other, and every graph of `converter/tests/choices`, by every strategy and judged on inputs in which each
//! element is another one. A campaign draws larger graphs, in which a wrong lowering of one attribute is rarely met, and often
//! hidden by what reads its result.

use halfproof_fuzz::generate::{DRAWS, Dna, InputKind, Options, generate, inputs};
use halfproof_fuzz::pipeline::{Pipeline, Trial, Turn};
use halfproof_ir::ops::OPS;
use halfproof_ir::{Graph, Io, Precision, Request, text};
use halfproof_oracle::verdict::Class;
use halfproof_systems::converters::in_tree::InTree;
use halfproof_systems::runtimes::interp::Interpreter;
use halfproof_wire::onnx::Opset;
use rayon::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Graphs of each operator.
const DRAWN: u64 = 48;

/// Operators of which some nodes have no lowering (docs/limits.md).
const DOCUMENTED: [&str; 4] = ["Col2Im", "MatMul", "Pad", "Slice"];

/// How a graph is converted: all strategies, and one with borders at the interface.
fn requests() -> [Request; 4] {
    let [weights, full, mixed] = Precision::ALL.map(Request::new);
    let borders = Request { io: Io::Float32, ..full.clone() };
    [weights, full, mixed, borders]
}

fn pipeline() -> Pipeline {
    Pipeline {
        converter: Box::new(InTree),
        interpreters: vec![Interpreter::f16()],
        runtimes: vec![],
        share: 0,
    }
}

/// A graph, its inputs, and how it is converted.
struct Case {
    graph: Graph,
    kind: InputKind,
    requests: Vec<Request>,
}

/// What is wrong with a graph's conversion, if anything is; `judged` counts those that have verdicts.
fn fault(pipeline: &mut Pipeline, case: &Case, judged: &AtomicUsize) -> Option<String> {
    let Case { graph, kind, requests } = case;
    let (kind, set) = (*kind, inputs(graph, *kind, 1));
    requests.iter().cloned().find_map(|request| {
        let strategy = request.precision.name();
        let (graph, inputs, opset) = (graph.clone(), set.clone(), Opset::of(graph));
        let report = pipeline.examine(&Trial { graph, request, kind, inputs, opset }, Turn::NONE);
        let refused = report.answers.iter().find(|(_, a)| a.verdict.class == Class::Legalization);
        match (refused, report.findings.first(), &report.discarded) {
            (Some((_, answer)), ..) => {
                let operator = answer.verdict.place.operator.as_deref().unwrap_or_default();
                (!DOCUMENTED.contains(&operator)).then(|| format!("{strategy}: {}", answer.verdict.text))
            }
            (_, Some(seen), _) => Some(format!("{strategy}: {}: {:#?}", seen.signature, seen.verdict)),
            (_, _, Some(why)) => Some(format!("{strategy}: {why}")),
            _ => {
                judged.fetch_add(1, Ordering::Relaxed);
                None
            }
        }
    })
}

/// Judges all of them, with all processors; the first fault in their order is the one that is told.
fn judge(cases: Vec<Case>, least: usize) {
    let judged = AtomicUsize::new(0);
    let told = cases.par_iter().map_init(pipeline, |pipeline, case| {
        let what = fault(pipeline, case, &judged)?;
        Some(format!("{what}\n{}", text::print(&case.graph)))
    });
    if let Some(what) = told.find_map_first(|told| told) {
        panic!("{what}");
    }
    let judged = judged.into_inner();
    assert!(judged >= least, "only {judged} conversions have verdicts");
}

#[test]
fn stored_graphs_convert_to_what_they_mean() {
    let all = include_str!("../../converter/tests/choices/graphs.txt");
    let one = |text: &str| text::parse(text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let graphs = all.split("\n\n").filter(|t| !t.trim().is_empty()).map(one);
    let case = |graph| Case { graph, kind: InputKind::Lattice, requests: requests().to_vec() };
    judge(graphs.map(case).collect(), 2_500);
}

#[test]
fn each_operator_by_itself_converts_to_what_it_means() {
    let mut cases = vec![];
    for row in OPS {
        let ops = vec![row.name.to_string()];
        let options = Options { max_nodes: 4, max_elements: 256, ops, ..Options::default() };
        for seed in 0..DRAWN {
            let graph = generate(Dna::from_seed(seed), &options);
            let kind = InputKind::ALL[(seed % 3) as usize];
            cases.push(Case { graph, kind, requests: requests().to_vec() });
        }
    }
    judge(cases, 4 * 6_500);
}

/// What is fused, and what a layout or a type does to the next, shows behind another operator only.
#[test]
fn each_operator_behind_each_other_converts_to_what_it_means() {
    let pairs = DRAWS.iter().flat_map(|a| DRAWS.iter().map(|b| (a.name, b.name)));
    let case = |(pair, seed): ((&'static str, &'static str), u64)| {
        let options = Options { max_nodes: 4, max_elements: 256, pair: Some(pair), ..Options::default() };
        let graph = generate(Dna::from_seed(seed), &options);
        let request = requests()[(seed % 4) as usize].clone();
        Case { graph, kind: InputKind::ALL[(seed % 3) as usize], requests: vec![request] }
    };
    judge(pairs.zip(0..).map(case).collect(), 20_000);
}
