//! `bench`: microseconds per stage and tests per second per core, by size of the graph.

mod conversion;
mod nnsmith;

use super::systems;
use crate::exit::{Exit, Outcome};
use halfproof_fuzz::campaign::Tally;
use halfproof_fuzz::generate::{InputKind, Options};
use halfproof_fuzz::pipeline::{Pipeline, Plan, Scouting};
use halfproof_ir::Precision;
use std::time::Instant;

/// Options of `bench`.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Tests per size.
    #[arg(long, default_value_t = 5000, value_parser = clap::value_parser!(u64).range(1..))]
    runs: u64,
    /// The seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Measures conversions of a large generated model instead, ours and those of other tools that are installed.
    #[arg(long)]
    convert: bool,
    /// Size of that model.
    #[arg(long, default_value_t = 100)]
    megabytes: usize,
    /// Runs NNSmith (`setup nnsmith`, and `setup nnsmith-tflite` for its TFLite back end) for so many seconds a mode, in turns
    /// with our pipeline, at 5 nodes on one core.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    nnsmith: Option<u64>,
}

/// Measures on one thread; every figure is of this machine and this run.
pub(crate) fn run(args: &Args) -> Outcome {
    if args.convert {
        return conversion::run(args.megabytes);
    }
    if let Some(seconds) = args.nnsmith {
        return nnsmith::run(args, seconds);
    }
    let ours = ["interp-f16".to_string()];
    let all = systems::DEFAULT_RUNTIMES.map(String::from);
    for nodes in [5, 10] {
        let _ = measure(args, nodes, &ours, 0, args.runs);
        let _ = measure(args, nodes, &all, 1, args.runs.div_ceil(10));
    }
    Ok(Exit::Clean)
}

/// Prints tests per second and the share of each stage, and answers the former; nothing where a runtime that is asked for is absent.
fn measure(args: &Args, nodes: usize, runtimes: &[String], share: u64, runs: u64) -> Option<f64> {
    let opened = systems::open(runtimes);
    opened.warn();
    if share > 0 && opened.outside.is_empty() {
        return None;
    }
    let converter = systems::converter("in-tree").ok()?;
    let mut pipeline =
        Pipeline { converter, interpreters: opened.interpreters, runtimes: opened.outside, share };
    let plan = Plan {
        seed: args.seed,
        generator: Options { max_nodes: nodes, ..Options::default() },
        precisions: Precision::ALL.to_vec(),
        kinds: InputKind::ALL.to_vec(),
        scouting: Scouting::default(),
    };
    let mut tally = Tally::default();
    let mut seconds = 0.0;
    let (mut index, mut done) = (0, 0);
    while done < runs {
        // Only graphs of just that size; looking for the next one is not part of the figures.
        if plan.trial(index).graph.nodes.len() == nodes {
            let begin = Instant::now();
            pipeline.test(&plan, index, &mut tally);
            seconds += begin.elapsed().as_secs_f64();
            done += 1;
        }
        index += 1;
    }
    let what = if share > 0 { "every test also in LiteRT's modes" } else { "in-tree pipeline" };
    anstream::println!(
        "{nodes} nodes, {what}: {:.0} tests/s on one core ({runs} tests, {seconds:.1} s)",
        runs as f64 / seconds
    );
    let mut stages: Vec<_> = tally.stages.iter().collect();
    stages.sort_by_key(|(_, (time, _))| std::cmp::Reverse(*time));
    for (name, (time, _)) in stages {
        // A stage may come several times in one test (a judgement per runtime): all of them count.
        let share = 100.0 * time.as_secs_f64() / seconds;
        anstream::println!(
            "  {name:<22} {:>9.1} us/test {share:>5.1} %",
            time.as_secs_f64() * 1e6 / runs as f64
        );
    }
    Some(runs as f64 / seconds)
}
