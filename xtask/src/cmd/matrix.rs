//! `matrix`: operator by strategy by runtime, from executed cases: what converts, what runs, what is right.
//!
//! Each cell rests on generated graphs that hold the operator, alone or behind the few that keep its operands in range, on three
//! kinds of ordinary inputs. Nothing comes from a table: a converter's refusal is its own text, a runtime's as well, and right
//! means that no answer of the judge about this system is a fault.

mod cell;

use super::regress::Known;
use super::systems;
use crate::exit::{Exit, Failure, Outcome};
use crate::folder;
use cell::Cell;
use halfproof_fuzz::generate::{DRAWS, Dna, InputKind, Options, generate, inputs};
use halfproof_fuzz::pipeline::{Pipeline, Trial, Turn};
use halfproof_ir::{Graph, Precision, Request};
use halfproof_wire::onnx::Opset;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Options of `matrix`.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The converter.
    #[arg(long, default_value = "in-tree")]
    converter: String,
    /// Only these operators (ONNX names); all unless given.
    #[arg(long, value_delimiter = ',')]
    ops: Vec<String>,
    /// Strategies.
    #[arg(long, default_value = "all")]
    precision: String,
    /// Runtimes.
    #[arg(long, value_delimiter = ',', default_values_t = systems::DEFAULT_RUNTIMES.map(String::from))]
    runtime: Vec<String>,
    /// Cases in each cell.
    #[arg(long, default_value_t = 12)]
    cases: usize,
    /// Seed of the cases.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Folder for matrix.json, matrix.md and matrix.html.
    #[arg(long, default_value = "reports/matrix")]
    out: PathBuf,
}

/// Kinds of inputs, in turn; edges are for campaigns.
const KINDS: [InputKind; 3] = [InputKind::Lattice, InputKind::Gaussian, InputKind::Scaled];
/// Graphs looked through for each case that is wanted.
const PATIENCE: u64 = 400;

/// Executes the cells and prints the table; exit code 1 when something is wrong in one.
pub(crate) fn run(args: &Args) -> Outcome {
    systems::check_runtimes(&args.runtime)?;
    let converter = systems::converter(&args.converter)?;
    let precisions = systems::followed(converter.as_ref(), super::fuzz::precisions(&args.precision)?)?;
    let operators = super::fuzz::operators(&args.ops)?;
    if args.cases == 0 {
        return Err(Failure::bad_input("--cases 0 leaves every cell empty"));
    }
    folder::make(&args.out)?;
    let mut opened = systems::open(&args.runtime);
    opened.warn();
    let mut pipeline = Pipeline {
        converter,
        interpreters: std::mem::take(&mut opened.interpreters),
        runtimes: std::mem::take(&mut opened.outside),
        share: 1,
    };
    let converter = (args.converter.clone(), pipeline.converter.version().to_string());
    let mut names: Vec<&str> = DRAWS.iter().map(|d| d.name).collect();
    names.retain(|name| operators.is_empty() || operators.iter().any(|o| o == name));
    names.sort_unstable();
    let known = Known::of("corpus".as_ref())?;
    let mut cells: BTreeMap<(String, Precision, String), Cell> = BTreeMap::new();
    let mut short = Vec::new();
    for name in &names {
        let graphs = graphs(name, args.cases, args.seed);
        if graphs.len() < args.cases {
            short.push(format!("{name} ({})", graphs.len()));
        }
        for &precision in &precisions {
            for (i, graph) in graphs.iter().enumerate() {
                let kind = KINDS[i % KINDS.len()];
                let trial = Trial {
                    inputs: inputs(graph, kind, args.seed.wrapping_add(i as u64)),
                    request: Request::new(precision),
                    opset: Opset::of(graph),
                    kind,
                    graph: graph.clone(),
                };
                let report = pipeline.examine(&trial, Turn::ALL);
                cell::count(&mut cells, (name, precision), &args.runtime, &known, &converter, &report);
            }
        }
    }
    let matrix = cell::Matrix {
        converter: &args.converter,
        runtimes: &args.runtime,
        precisions: &precisions,
        cells: &cells,
    };
    anstream::println!("{}", matrix.text());
    if !short.is_empty() {
        anstream::println!("fewer cases than asked for: {}", short.join(", "));
    }
    let json = matrix.json(args.cases, args.seed).to_string();
    let html = matrix.sheet(args.cases).html().map_err(Failure::harness)?;
    let files = [
        ("matrix.json", json.into_bytes()),
        ("matrix.md", matrix.page(args.cases).into_bytes()),
        ("matrix.html", html.into_bytes()),
    ];
    folder::write(&args.out, &files, &[])?;
    let wrong = cells.values().any(|c| c.wrong > 0);
    Ok(if wrong { Exit::NewFindings } else { Exit::Clean })
}

/// Graphs of few nodes that hold the operator, those with the fewest first.
fn graphs(name: &str, wanted: usize, seed: u64) -> Vec<Graph> {
    let alone = Options { max_nodes: 3, ops: vec![name.to_string()], ..Options::default() };
    let mixed = Options { max_nodes: 4, ..Options::default() };
    let mut found = Vec::new();
    for options in [alone, mixed] {
        for i in 0..PATIENCE * wanted as u64 {
            if found.len() == wanted {
                return found;
            }
            let graph = generate(Dna::from_seed(seed.wrapping_mul(0x9e37_79b9).wrapping_add(i)), &options);
            if graph.nodes.iter().any(|n| n.op.name() == name) {
                found.push(graph);
            }
        }
    }
    found
}
