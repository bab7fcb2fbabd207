//! The smallest set of nodes to keep in float32 for a wanted accuracy.
//!
//! Guided by what the trace measured: nodes are ranked by where numbers stop being finite and by how many bits they lose
//! themselves, so a prefix of the ranking is usually enough and is found by halving; then every node of it that the
//! others make superfluous is taken out again. Each step is a conversion and an execution: a test.

use super::words::pattern;
use super::{Set, SourceModel, recognised, taps};
use halfproof_ir::{Conversion, Request};
use halfproof_oracle::arith::half::Half;
use halfproof_oracle::judge::trace::{Plan, Run, Source, Trace};
use halfproof_oracle::judge::{Subject, ended};
use halfproof_systems::{Converter, Outcome, Runtime};
use std::collections::BTreeSet;

/// What came of it.
#[derive(Clone, Debug)]
pub struct Bisection {
    /// Nodes to keep in float32, in source order; `None` when even all of them are not enough.
    pub keep: Option<Vec<String>>,
    /// Bits lost with nothing kept, and with these.
    pub before: f64,
    /// See `before`.
    pub after: f64,
    /// Conversions and executions that it took.
    pub tests: usize,
    /// Tests that halving in source order takes for the same question (first nodes kept, as float16-to-float32
    /// bisection by position does), and how many nodes that keeps.
    pub by_position: (usize, usize),
}

/// Whose executions are measured.
pub enum On<'r> {
    /// Our interpreter, by the name of the system.
    Ours(&'static str, Half),
    /// A runtime in a worker.
    Outside(&'r mut dyn Runtime),
}

/// Finds the set; at most `limit` bits may be lost at any output.
///
/// # Errors
/// When the model cannot be converted or executed.
pub fn bisect(
    source: &SourceModel,
    onnx: &[u8],
    converter: &mut dyn Converter,
    request: &Request,
    set: &Set,
    on: &mut On<'_>,
    limit: f64,
) -> Result<Bisection, String> {
    let mut tests = 0;
    let mut lost = |keep: &[String]| -> Result<(f64, Trace), String> {
        tests += 1;
        tried(source, onnx, converter, request, set, on, keep)
    };
    let (before, trace) = lost(&[])?;
    let names: Vec<String> = source.graph.nodes.iter().map(|n| n.name.clone()).collect();
    if before <= limit {
        return Ok(Bisection { keep: Some(vec![]), before, after: before, tests, by_position: (1, 0) });
    }
    let ranking = ranking(&trace, &names);
    let mut after = before;
    let mut enough = |keep: &[String], after: &mut f64| -> Result<bool, String> {
        let (bits, _) = lost(keep)?;
        if bits <= limit {
            *after = bits;
        }
        Ok(bits <= limit)
    };
    let Some(prefix) = least(ranking.len(), |n| enough(&ranking[..n], &mut after))? else {
        return Ok(Bisection { keep: None, before, after: before, tests, by_position: (0, names.len()) });
    };
    let mut keep: Vec<String> = ranking[..prefix].to_vec();
    // Least likely first: the last of the ranking are there only because of the order.
    let mut at = keep.len();
    while at > 0 && keep.len() > 1 {
        at -= 1;
        let mut fewer = keep.clone();
        fewer.remove(at);
        if enough(&fewer, &mut after)? {
            keep = fewer;
        }
    }
    let guided = tests;
    let mut unused = after;
    let mut positional = 0;
    let mut by_position = |n: usize| -> Result<bool, String> {
        positional += 1;
        let keep = names[..n].to_vec();
        let (bits, _) = tried(source, onnx, converter, request, set, on, &keep)?;
        unused = unused.min(bits);
        Ok(bits <= limit)
    };
    let kept = least(names.len(), &mut by_position)?.unwrap_or(names.len());
    let order = |name: &String| names.iter().position(|n| n == name);
    keep.sort_by_key(order);
    Ok(Bisection { keep: Some(keep), before, after, tests: guided, by_position: (positional, kept) })
}

/// Bits lost with these nodes in float32.
fn tried(
    source: &SourceModel,
    onnx: &[u8],
    converter: &mut dyn Converter,
    request: &Request,
    set: &Set,
    on: &mut On<'_>,
    keep: &[String],
) -> Result<(f64, Trace), String> {
    let keep_fp32 = (!keep.is_empty()).then(|| pattern(&keep.join(", ")));
    let request = Request { keep_fp32, ..request.clone() };
    let outcome = converter.convert(halfproof_systems::Source { graph: &source.graph, onnx }, &request);
    let conversion = match outcome {
        Outcome::Converted(c) => recognised(source, c),
        Outcome::Refused(r) => return Err(r.to_string()),
        Outcome::Failed(text) | Outcome::Cannot { why: text } => return Err(text),
        Outcome::Crashed { how } => return Err(how),
        Outcome::TimedOut => return Err("the converter gave no answer in time".to_string()),
    };
    measure(source, &request, &conversion, set, on)
}

/// The least `n` for which `holds(n)`, assuming that more never hurts; `None` when not even `most` does.
fn least(most: usize, mut holds: impl FnMut(usize) -> Result<bool, String>) -> Result<Option<usize>, String> {
    // Doubling first: the answer is usually small.
    let (mut below, mut above) = (0, 1);
    while above < most && !holds(above)? {
        below = above;
        above *= 2;
    }
    if above >= most {
        above = most;
        if !holds(most)? {
            return Ok(None);
        }
    }
    while above - below > 1 {
        let middle = below + (above - below) / 2;
        if holds(middle)? { above = middle } else { below = middle }
    }
    Ok(Some(above))
}

fn measure(
    source: &SourceModel,
    request: &Request,
    conversion: &Conversion,
    set: &Set,
    on: &mut On<'_>,
) -> Result<(f64, Trace), String> {
    let subject = Subject::new(&source.graph, request, conversion).map_err(|v| v.text)?;
    let from = match source.tflite {
        Some(_) => source.source(),
        None => Source::Onnx(subject.source()),
    };
    let execution;
    let run = match on {
        On::Ours(system, arith) => Run::Live { system, arith: *arith },
        On::Outside(runtime) => {
            let inputs = subject.model_inputs(&set.tensors).map_err(|v| v.text)?;
            execution = runtime.run(&conversion.model, &inputs, taps(&subject.program));
            if let Some(verdict) = ended(&execution) {
                let said = verdict.notes.first().and_then(|n| n.lines().next()).unwrap_or_default();
                return Err(format!("{}: {}: {said}", execution.system, verdict.text));
            }
            Run::Recorded(&execution)
        }
    };
    let plan = Plan { source: Some(from), inputs: &set.tensors, run };
    let trace = subject.trace(&plan, &mut |_| ()).map_err(|v| v.text)?;
    let outputs: BTreeSet<u32> = subject.program.outputs().iter().copied().collect();
    let bits = trace.rows.iter().filter(|r| outputs.contains(&r.tensor)).map(|r| r.lost).fold(0.0, f64::max);
    Ok((bits, trace))
}

/// Nodes, most guilty first: what ruins numbers, in execution order, then by the bits that are lost there, then the
/// others in order.
fn ranking(trace: &Trace, names: &[String]) -> Vec<String> {
    let mut scored: Vec<(f64, usize, &str)> = vec![];
    for row in &trace.rows {
        let fresh = row.ruined > 0 && row.carried.is_finite();
        let score = if fresh {
            f64::INFINITY
        } else if row.jump().is_finite() {
            row.jump()
        } else {
            0.0
        };
        // What comes after a ruined tensor can be ruined by it alone.
        let score = if row.jump().is_nan() { 0.0 } else { score };
        for node in row.source.as_deref().unwrap_or_default().split(", ") {
            scored.push((score, row.operator, node));
        }
    }
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut seen = BTreeSet::new();
    let known: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    let ranked = scored.into_iter().map(|(_, _, n)| n).filter(|n| known.contains(n));
    ranked
        .chain(names.iter().map(String::as_str))
        .filter(|n| seen.insert(n.to_string()))
        .map(str::to_string)
        .collect()
}
