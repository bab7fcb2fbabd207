//! What a triage counts, for its `run.json`: as a campaign does, one test for each set of inputs that was tried.

use super::{Examination, SourceModel};
use crate::campaign::Tally;
use halfproof_ir::Precision;
use halfproof_oracle::judge::diagnosis::diagnose;
use halfproof_oracle::judge::trace::Trace;
use halfproof_oracle::tflite::Program;
use halfproof_oracle::verdict::{Blame, Verdict};

/// The name under which verdicts about the file are counted; whoever knows the converter gives its own.
pub const FILE: &str = "file";

/// Counts one test. The executions of runtimes in workers are counted where they end.
pub(super) fn count(
    tally: &mut Tally,
    source: &SourceModel,
    program: &Program,
    precision: Precision,
    inputs: &str,
    found: &Examination,
) {
    tally.totals.tests += 1;
    tally.cover(&source.graph, inputs);
    for (system, verdict) in &found.verdicts {
        one(tally, source, precision, system, verdict);
    }
    for trace in &found.traces {
        let verdict = diagnose(program, &[], std::slice::from_ref(trace)).verdict;
        // What a tensor means is the file's matter, whoever ran it.
        let about = if verdict.blame == Blame::Converter { FILE } else { &trace.system };
        one(tally, source, precision, about, &verdict);
        let live = !found.executions.iter().any(|e| e.system == trace.system);
        if live {
            tally.totals.executions.entry(trace.system.clone()).or_default().ok += 1;
        }
        let (judged, excluded) = elements(trace);
        tally.totals.judged += judged;
        tally.totals.excluded += excluded;
    }
}

/// The counts of a file about which there is something to say before it runs.
pub(super) fn of_file(source: &SourceModel, precision: Precision, verdict: &Verdict) -> Tally {
    let mut tally = Tally::default();
    tally.totals.tests = 1;
    one(&mut tally, source, precision, FILE, verdict);
    tally
}

/// Counts one verdict, in the cells of all operators or of the one to blame.
fn one(tally: &mut Tally, source: &SourceModel, precision: Precision, system: &str, verdict: &Verdict) {
    let operators: Vec<&str> = source.graph.nodes.iter().map(|n| n.op.name()).collect();
    let nodes = verdict.place.source.as_deref().unwrap_or_default();
    let blamed = nodes.split(", ").find_map(|n| source.operator_of(n));
    tally.verdict(system, precision, &operators, blamed.as_deref(), verdict);
}

/// Elements of an execution that were held to a bound, and those that the bound says nothing of.
fn elements(trace: &Trace) -> (u64, u64) {
    let seen = trace.rows.iter().filter(|r| r.bound_used.is_some() || r.whole_bound_used.is_some());
    seen.fold((0, 0), |(judged, excluded), row| {
        (judged + (row.elements as u64).saturating_sub(row.undecidable), excluded + row.undecidable)
    })
}
