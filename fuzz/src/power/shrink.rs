//! What one bug becomes in a campaign: how many findings, and how small the minimiser makes each.
//!
//! Every fault is one that a system has wherever it meets one operator (`planted`). A small campaign runs against that
//! system, its findings are grouped and minimised as those of any campaign, and counted: a bug is one finding, of one
//! or two nodes.

use super::case::Draws;
use super::faults::{FAULTS, Inject};
use super::planted::{BrokenConverter, BrokenRuntime, Place, Planted, kernel};
use crate::campaign::{Group, Seen};
use crate::generate::{Dna, InputKind, Stream, extend, generate, inputs};
use crate::minimise::Budget;
use crate::pipeline::{Pipeline, Plan, Scouting, Trial, Turn};
use crate::triage::{Record, Signature, records, smaller};
use halfproof_ir::{Graph, Precision, Request};
use halfproof_oracle::tflite::Program;
use halfproof_systems::converters::in_tree::InTree;
use halfproof_systems::runtimes::interp::Interpreter;
use halfproof_wire::onnx::Opset;
use serde::Serialize;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Mutex;
use std::time::Instant;

/// Fewest and most nodes of a test.
const NODES: (usize, usize) = (5, 12);

/// Tests of one campaign.
const TESTS: u64 = 400;
/// Tests that show the fault, after which a campaign ends.
const ENOUGH: u64 = 40;
/// Tests of which the campaign takes those that hold the broken operator.
const LOOKED_AT: u64 = 6000;
/// Cases that are drawn before a fault is given up.
const ATTEMPTS: u64 = 400;

/// One finding of a campaign.
#[derive(Clone, Debug, Serialize)]
pub struct Small {
    /// Its signature.
    pub signature: String,
    /// Tests that showed it.
    pub occurrences: u64,
    /// Nodes of the first test that showed it.
    pub nodes_before: usize,
    /// Nodes of the case that is kept.
    pub nodes: usize,
    /// The case as text.
    pub graph: String,
    /// How long minimising took, on average over the campaign's groups.
    pub seconds: f64,
}

/// One fault and its campaign.
#[derive(Clone, Debug, Serialize)]
pub struct Shrunk {
    /// The number of the injection.
    pub index: u64,
    /// The class of the fault.
    pub class: &'static str,
    /// Where it sits: the lowering of an ONNX operator, or the kernel of a builtin.
    pub place: String,
    /// Tests of the campaign.
    pub tests: u64,
    /// Tests that showed it.
    pub shown: u64,
    /// What the campaign found.
    pub findings: Vec<Small>,
}

/// All faults.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Shrinking {
    /// In the order of their numbers.
    pub faults: Vec<Shrunk>,
    /// Injections for which no case was found that shows them.
    pub nowhere: Vec<&'static str>,
}

impl Shrinking {
    /// Median of the nodes of all findings; `None` without any.
    pub fn median_nodes(&self) -> Option<usize> {
        median(self.findings().map(|f| f.nodes))
    }

    /// The same of the tests that first showed them.
    pub fn median_nodes_before(&self) -> Option<usize> {
        median(self.findings().map(|f| f.nodes_before))
    }

    /// Findings for each fault, on average.
    pub fn findings_per_fault(&self) -> f64 {
        self.findings().count() as f64 / self.faults.len().max(1) as f64
    }

    /// Every finding.
    pub fn findings(&self) -> impl Iterator<Item = &Small> {
        self.faults.iter().flat_map(|f| &f.findings)
    }
}

fn median(numbers: impl Iterator<Item = usize>) -> Option<usize> {
    let mut numbers: Vec<usize> = numbers.collect();
    numbers.sort_unstable();
    numbers.get(numbers.len().saturating_sub(1) / 2).copied()
}

/// Plants `runs` faults, one after another of each class, and runs a campaign against each.
pub fn shrinking(options: &super::Options, progress: impl Fn(u64, u64) + Sync) -> Shrinking {
    let draws = Draws { seed: options.seed, generator: options.generator.clone() };
    let all = Mutex::new(BTreeMap::new());
    let step = |index: u64| {
        let one = one(&draws, index);
        if let Ok(mut all) = all.lock() {
            all.insert(index, one);
        }
    };
    super::steps(options.jobs, options.runs, &|| false, &step, &progress);
    let mut shrinking = Shrinking::default();
    for (index, one) in all.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
        match one {
            Some(fault) => shrinking.faults.push(fault),
            None => shrinking.nowhere.push(FAULTS[(index % FAULTS.len() as u64) as usize].name),
        }
    }
    shrinking
}

/// The purpose of the draws.
const PURPOSE: u64 = 7;

/// The first fault of the injection's class that its campaign shows.
fn one(draws: &Draws, index: u64) -> Option<Shrunk> {
    (0..ATTEMPTS).find_map(|attempt| {
        let (planted, mut pipeline) = plant(draws, index, attempt)?;
        let plan = Plan {
            seed: draws.seed ^ index.rotate_left(40),
            generator: crate::generate::Options { max_nodes: NODES.1, ..draws.generator.clone() },
            precisions: Precision::ALL.to_vec(),
            kinds: InputKind::ALL.to_vec(),
            scouting: Scouting::default(),
        };
        let shrunk = campaign(index, &planted, &mut pipeline, &plan);
        (!shrunk.findings.is_empty()).then_some(shrunk)
    })
}

/// A small campaign against systems of which one has the fault.
fn campaign(index: u64, planted: &Planted, pipeline: &mut Pipeline, plan: &Plan) -> Shrunk {
    let mut groups: BTreeMap<Signature, Group> = BTreeMap::new();
    let (mut tests, mut shown) = (0, 0);
    for at in 0..LOOKED_AT {
        if tests == TESTS || shown == ENOUGH {
            break;
        }
        let trial = plan.trial(at);
        if !holds(&trial, &planted.place) {
            continue;
        }
        tests += 1;
        let found = pipeline.examine(&trial, Turn::ALL).findings;
        shown += u64::from(!found.is_empty());
        for Seen { signature, verdict } in found {
            match groups.entry(signature) {
                Entry::Vacant(slot) => _ = slot.insert(Group { index: at, verdict, occurrences: 1 }),
                Entry::Occupied(mut slot) => slot.get_mut().occurrences += 1,
            }
        }
    }
    let begin = Instant::now();
    let all = records(pipeline, plan, &groups, &|_, _| None, &|_| Budget::default(), |_, _| ());
    let seconds = begin.elapsed().as_secs_f64() / groups.len().max(1) as f64;
    let small = |record: Record| Small {
        signature: record.finding.signature,
        occurrences: record.finding.occurrences,
        nodes_before: plan.trial(record.finding.first_test).graph.nodes.len(),
        nodes: record.trial.graph.nodes.len(),
        graph: record.finding.graph,
        seconds,
    };
    let findings = all.into_iter().map(small).collect();
    let class = FAULTS[planted.class].name;
    Shrunk { index, class, place: planted.place.to_string(), tests, shown, findings }
}

/// True for a test of the wanted size that may show the fault.
fn holds(trial: &Trial, place: &Place) -> bool {
    let nodes = &trial.graph.nodes;
    (NODES.0..=NODES.1).contains(&nodes.len())
        && match place {
            Place::Lowering(operator) => nodes.iter().any(|n| n.op.name() == *operator),
            Place::Kernel(..) => true,
        }
}

/// A fault of the injection's class that one drawn case shows, in an operator that is drawn from that case.
fn plant(draws: &Draws, index: u64, attempt: u64) -> Option<(Planted, Pipeline)> {
    let class = (index % FAULTS.len() as u64) as usize;
    let case = draws.case(PURPOSE, index, attempt)?;
    let mut stream = case.stream.clone();
    let seed = stream.next_u64();
    let place = match FAULTS[class].inject {
        Inject::Model(_) => {
            let node = &case.graph.nodes[stream.below(case.graph.nodes.len() as u64) as usize];
            Place::Lowering(node.op.name().to_string())
        }
        Inject::Execution(_) => {
            let program = Program::new(&case.model).ok()?;
            let at = stream.below(program.operators().len() as u64) as usize;
            let (builtin, dtype) = kernel(&program, at)?;
            Place::Kernel(builtin, dtype)
        }
    };
    let planted = Planted { class, place, seed };
    let mut pipeline = pipeline(&planted);
    let shows = case.sets.iter().any(|(kind, inputs)| {
        let trial = Trial {
            graph: case.graph.clone(),
            request: case.request.clone(),
            kind: *kind,
            inputs: inputs.clone(),
            opset: Opset::of(&case.graph),
        };
        !pipeline.examine(&trial, Turn::ALL).findings.is_empty()
    });
    shows.then_some((planted, pipeline))
}

/// The systems of a campaign, one of which has the fault.
fn pipeline(planted: &Planted) -> Pipeline {
    let interpreters = vec![Interpreter::f16(), Interpreter::f32()];
    match planted.place {
        Place::Lowering(_) => Pipeline {
            converter: Box::new(BrokenConverter(planted.clone())),
            interpreters,
            runtimes: vec![],
            share: 1,
        },
        Place::Kernel(..) => Pipeline {
            converter: Box::new(InTree),
            interpreters,
            runtimes: vec![Box::new(BrokenRuntime::new(planted.clone()))],
            share: 1,
        },
    }
}

/// One fault in one large model, made small.
#[derive(Clone, Debug, Serialize)]
pub struct Large {
    /// The class of the fault.
    pub class: &'static str,
    /// Where it sits.
    pub place: String,
    /// Nodes of the model.
    pub nodes_before: usize,
    /// Nodes of the case that is kept.
    pub nodes: usize,
    /// Cases that were tried.
    pub attempts: usize,
    /// How long it took.
    pub seconds: f64,
}

/// Plants a fault in a model of so many nodes and minimises it; `None` when no fault of the draws shows.
pub fn large(nodes: usize, seed: u64) -> Option<Large> {
    let graph = grown(nodes, seed)?;
    let mut stream = Stream::new(seed);
    let inputs = inputs(&graph, InputKind::Gaussian, seed);
    let names: Vec<&str> = graph.nodes.iter().map(|n| n.op.name()).collect();
    (0..ATTEMPTS).find_map(|_| {
        let class = stream.below(FAULTS.len() as u64) as usize;
        let operator = names[stream.below(names.len() as u64) as usize];
        let once = names.iter().filter(|n| **n == operator).count() == 1;
        if !once || !matches!(FAULTS[class].inject, Inject::Model(_)) {
            return None;
        }
        let place = Place::Lowering(operator.to_string());
        let planted = Planted { class, place, seed: stream.next_u64() };
        let mut pipeline = pipeline(&planted);
        let trial = Trial {
            graph: graph.clone(),
            request: Request::new(Precision::Full),
            kind: InputKind::Gaussian,
            inputs: inputs.clone(),
            opset: Opset::of(&graph),
        };
        let found = pipeline.examine(&trial, Turn::ALL).findings.into_iter().next()?;
        let begin = Instant::now();
        let is_it = |s: &Seen| s.signature == found.signature;
        let system = &found.signature.system;
        let small = smaller(&mut pipeline, &trial, system, &is_it, Budget::default())?;
        Some(Large {
            class: FAULTS[class].name,
            place: planted.place.to_string(),
            nodes_before: graph.nodes.len(),
            nodes: small.specimen.graph.nodes.len(),
            attempts: small.attempts,
            seconds: begin.elapsed().as_secs_f64(),
        })
    })
}

/// A graph of so many nodes, grown one operator after another; `None` when it stops growing.
fn grown(nodes: usize, seed: u64) -> Option<Graph> {
    let options = crate::generate::Options::default();
    let mut stream = Stream::new(seed);
    let mut graph = generate(Dna::from_seed(stream.next_u64()), &options);
    for _ in 0..10 * nodes {
        if graph.nodes.len() >= nodes {
            return Some(graph);
        }
        if let Some(next) = extend(graph.clone(), Dna::from_seed(stream.next_u64()), &options) {
            graph = next;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Faults that were once several findings: a constant that stays FLOAT32 under each strategy, a bias that is dropped under
    /// `weights`, a wrong operator that overflows in both interpreters, a wrong layout that a neighbor shows too.
    #[test]
    fn one_fault_is_one_finding() {
        for (seed, index) in [(1, 44), (2, 16), (2, 24), (1, 1)] {
            let draws = Draws { seed, generator: super::super::Options::new(0, 0, seed).generator };
            let shrunk = one(&draws, index).expect("a campaign that shows the fault");
            let found: Vec<&str> = shrunk.findings.iter().map(|f| f.signature.as_str()).collect();
            assert_eq!(found.len(), 1, "{} in the {}: {found:#?}", shrunk.class, shrunk.place);
        }
    }
}
