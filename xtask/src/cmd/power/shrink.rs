//! `power --shrink`: what one bug becomes in a campaign, and how small the minimiser makes it.

use crate::exit::{Exit, Failure, Outcome};
use crate::words::counted;
use halfproof_fuzz::power::{Large, Options, Shrinking, large, shrinking};
use halfproof_wire::file::write_atomically;
use indicatif::ProgressBar;
use serde::Serialize;
use std::path::Path;

/// Large models, and their nodes.
const LARGE: (u64, usize) = (5, 500);
/// Largest median of nodes, most findings for a fault, longest minimisation of a large model in seconds.
const WANTED: (usize, f64, f64) = (2, 1.1, 120.0);

#[derive(Serialize)]
struct Measured {
    seed: u64,
    small: Shrinking,
    large: Vec<Large>,
}

/// Measures, prints, writes shrink.json; exit code 1 below the targets.
pub(super) fn run(options: &Options, out: &Path) -> Outcome {
    let bar = ProgressBar::new(options.runs);
    let small = shrinking(options, |done, _| bar.set_position(done));
    bar.finish_and_clear();
    for f in &small.faults {
        anstream::println!("{:<4} {} in the {}", f.index, f.class, f.place);
        anstream::println!("     {} of {} tests show it", f.shown, f.tests);
        for s in &f.findings {
            anstream::println!(
                "     {} -> {}, {}, {:.1} s: {}",
                s.nodes_before,
                counted(s.nodes, "node"),
                counted(s.occurrences, "time"),
                s.seconds,
                s.signature
            );
        }
    }
    for class in &small.nowhere {
        anstream::println!("no case shows {class}");
    }
    let findings = small.findings().count();
    let median = small.median_nodes().unwrap_or(0);
    let each = small.findings_per_fault();
    anstream::println!(
        "\n{} faults, {} findings: {each:.2} for each; {} faults have one; median of nodes {} before, {median} after; {} of {} findings have at most two",
        small.faults.len(),
        findings,
        small.faults.iter().filter(|f| f.findings.len() == 1).count(),
        small.median_nodes_before().unwrap_or(0),
        small.findings().filter(|f| f.nodes <= 2).count(),
        findings,
    );
    let large: Vec<Large> = (0..LARGE.0).filter_map(|i| large(LARGE.1, options.seed + i)).collect();
    for l in &large {
        anstream::println!(
            "{} -> {} nodes in {:.1} s and {} attempts: {} in the {}",
            l.nodes_before,
            l.nodes,
            l.seconds,
            l.attempts,
            l.class,
            l.place
        );
    }
    let slow = large.iter().any(|l| l.seconds > WANTED.2);
    let red = median > WANTED.0 || each > WANTED.1 || slow || large.is_empty() || small.faults.is_empty();
    let measured = Measured { seed: options.seed, small, large };
    let json = serde_json::to_string_pretty(&measured).map_err(Failure::harness)? + "\n";
    let path = out.join("shrink.json");
    write_atomically(&path, json.as_bytes()).map_err(Failure::writing)?;
    anstream::println!("written: {}", path.display());
    Ok(if red { Exit::NewFindings } else { Exit::Clean })
}
