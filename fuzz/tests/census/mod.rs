//! What generated graphs become, counted: operators by result type, table of options, fused activation and padding, with the
//! elements that they compute; constants by type and role; rewrites, notes and refusals.

use halfproof_converter::convert;
use halfproof_fuzz::generate::{DRAWS, Dna, InputKind, Options, generate, inputs};
use halfproof_ir::{Conversion, Graph, Io, IoLayout, Observation, Precision, Request};
use halfproof_oracle::onnx::ideal;
use halfproof_oracle::value::Value;
use halfproof_wire::tflite::{self, Model};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Graphs of each operator by itself.
const ALONE: u64 = 24;

/// Rows, each with how many of it there are and how many elements they hold.
type Counts = BTreeMap<String, (u64, u64)>;

/// Small graphs: every operator by itself, and behind every other.
fn graphs() -> Vec<(u64, Options)> {
    let small = |ops, pair| Options { max_nodes: 4, max_elements: 256, ops, pair };
    let alone = DRAWS.iter().flat_map(|d| (0..ALONE).map(|s| (s, small(vec![d.name.to_string()], None))));
    let pairs = DRAWS.iter().flat_map(|a| DRAWS.iter().map(|b| (a.name, b.name)));
    let pairs = pairs.zip(0..).map(|(pair, seed)| (seed, small(vec![], Some(pair))));
    alone.chain(pairs).collect()
}

/// How a graph is asked for: by every strategy, and in turn with every other part of a request. A pair has `mixed` and one more.
fn requests(graph: &Graph, seed: u64, is_pair: bool) -> Vec<(&'static str, Request)> {
    let [weights, full, mixed] = Precision::ALL.map(Request::new);
    let other = match seed % if is_pair { 6 } else { 4 } {
        0 => ("kept", Request { keep_fp32: Some("0$".to_string()), ..full.clone() }),
        1 => ("nhwc", Request { io_layout: IoLayout::Nhwc, ..full.clone() }),
        2 => ("float32", Request { io: Io::Float32, ..mixed.clone() }),
        3 => ("seen", Request { observed: observed(graph, seed), ..mixed.clone() }),
        4 => ("weights", weights.clone()),
        _ => ("full", full.clone()),
    };
    match is_pair {
        true => vec![("mixed", mixed), other],
        false => vec![("weights", weights), ("full", full), ("mixed", mixed), other],
    }
}

/// What the tensors of a graph hold for inputs of any size.
fn observed(graph: &Graph, seed: u64) -> Vec<Observation> {
    let Ok(run) = ideal(graph, &inputs(graph, InputKind::Edges, seed)) else { return vec![] };
    let one = |(value, declared): (&Option<Value<f64>>, &halfproof_ir::Value)| {
        let Value::Float(_, array) = value.as_ref()? else { return None };
        let finite: Vec<f64> = array.data.iter().copied().filter(|x| x.is_finite()).collect();
        let n = finite.len() as f64;
        let mean = finite.iter().sum::<f64>() / n;
        let deviation = (finite.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt();
        let (low, high) =
            (finite.iter().copied().reduce(f64::min)?, finite.iter().copied().reduce(f64::max)?);
        Some(Observation { tensor: declared.name.clone(), low, high, mean, deviation })
    };
    run.values.iter().zip(&graph.values).filter_map(one).collect()
}

/// A word of the options, where they have it.
fn option(options: &str, name: &str) -> Option<String> {
    let (_, rest) = options.split_once(&format!("{name}: "))?;
    Some(rest.split([',', ' ', '}']).next()?.to_lowercase())
}

fn add(counts: &mut Counts, row: String, elements: u64) {
    let (count, sum) = counts.entry(row).or_default();
    *count += 1;
    *sum += elements;
}

fn size(model: &Model, tensor: i32) -> (&'static str, u64) {
    let Some(t) = usize::try_from(tensor).ok().and_then(|t| model.main().tensors.get(t)) else {
        return ("?", 0);
    };
    let elements = t.shape.iter().map(|&d| u64::try_from(d).unwrap_or(0)).product();
    (t.dtype.dtype().map_or("?", halfproof_ir::DType::short), elements)
}

fn count(counts: &mut Counts, name: &str, conversion: &Conversion) {
    let model = tflite::read(&conversion.model).expect("our own file");
    for op in &model.main().operators {
        let (dtype, elements) = size(&model, op.outputs[0]);
        let options = format!("{:?}", op.options);
        let table = options.split('(').next().unwrap_or_default();
        let mut row = format!("{name} {}:{dtype} {table}", op.name());
        for word in ["fused_activation_function", "padding"] {
            let word = option(&options, word).filter(|w| w != "none");
            write!(row, "{}", word.map_or(String::new(), |w| format!(" {w}"))).expect("a string");
        }
        add(counts, row, elements);
    }
    for constant in &conversion.provenance.constants {
        let (dtype, elements) = size(&model, i32::try_from(constant.tensor).expect("few tensors"));
        add(counts, format!("{name} constant {:?}:{dtype}", constant.role).to_lowercase(), elements);
    }
    for rewrite in &conversion.provenance.rewrites {
        add(counts, format!("{name} rewrite {}", rewrite.rule), 0);
    }
    for note in &conversion.notes {
        add(counts, format!("{name} note {:?}", note.level).to_lowercase(), 0);
    }
}

fn one(seed: u64, options: &Options) -> Counts {
    let mut counts = Counts::new();
    let graph = generate(Dna::from_seed(seed), options);
    for (name, request) in requests(&graph, seed, options.pair.is_some()) {
        match convert(&graph, &request) {
            Ok(conversion) => count(&mut counts, name, &conversion),
            Err(refusal) => {
                for node in refusal.nodes {
                    add(&mut counts, format!("{name} refused {}", node.op), 0);
                }
            }
        }
    }
    counts
}

/// The table.
pub(crate) fn census() -> String {
    let join = |mut a: Counts, b: Counts| {
        for (row, (count, elements)) in b {
            let sum = a.entry(row).or_default();
            *sum = (sum.0 + count, sum.1 + elements);
        }
        a
    };
    let all = graphs().par_iter().map(|(seed, options)| one(*seed, options)).reduce(Counts::new, join);
    all.into_iter().map(|(row, (count, elements))| format!("{row} {count} {elements}\n")).collect()
}
