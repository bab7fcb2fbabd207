//! Draws graphs that become different operators of TFLite and prints them:
//! `cargo run --release -p halfproof-fuzz --example choice_graphs > converter/tests/choices/graphs.txt`.
//! Only for new operators: a graph that is there already is worth more than another one.

#[path = "../../converter/tests/choices/mod.rs"]
mod choice;

use halfproof_fuzz::generate::{DRAWS, Dna, Options, generate};
use halfproof_ir::text;
use std::collections::BTreeSet;
use std::io::Write;

/// Draws of graphs around one operator, and most that are kept.
const DRAWN: (u64, usize) = (150, 6);
/// Draws of larger graphs, and most that are kept.
const LARGE: (u64, usize) = (6000, 250);
/// Longest text of a graph.
const LONGEST: usize = 900;

fn main() -> std::io::Result<()> {
    let mut seen = BTreeSet::new();
    for draw in DRAWS {
        let options = Options { ops: vec![draw.name.to_string()], max_nodes: 1, ..Options::default() };
        kept(&options, DRAWN, &mut seen)?;
    }
    kept(&Options { max_nodes: 5, ..Options::default() }, LARGE, &mut seen)
}

/// Prints graphs whose choices are new.
fn kept(options: &Options, (draws, most): (u64, usize), seen: &mut BTreeSet<String>) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    let mut left = most;
    for seed in 0..draws {
        let text = text::print(&generate(Dna::from_seed(seed), options));
        // As the test will read it.
        let choices: String = choice::graphs(&text).iter().map(choice::choices).collect();
        if left > 0 && text.len() <= LONGEST && seen.insert(choices) {
            writeln!(out, "{text}")?;
            left -= 1;
        }
    }
    Ok(())
}
