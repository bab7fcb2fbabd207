//! Makes a finding out of a group: minimises its first test, and writes the folder that shows it again.

use super::{Signature, shell};
use crate::campaign::{Group, Seen};
use crate::minimise::{Budget, Minimised, Specimen, minimise};
use crate::pipeline::{Pipeline, Plan, Report, Trial, Turn, operator_of};
use halfproof_ir::{DType, Graph, Node, Tensor, text};
use halfproof_oracle::judge::{Subject, trace};
use halfproof_oracle::verdict::{Class, Verdict};
use halfproof_reports::finding::text as finding_text;
use halfproof_reports::schema::{Drawing, Edge, Evidence, Files, Finding, KnownIssue, NodeBox, Point, Spot};
use halfproof_wire::file::{FileError, write_atomically};
use halfproof_wire::{npz, onnx};
use std::collections::BTreeMap;
use std::path::Path;

/// A finding with everything that its folder holds.
#[derive(Clone, Debug)]
pub struct Record {
    /// What goes into `run.json`.
    pub finding: Finding,
    /// The smallest test that shows it.
    pub trial: Trial,
    converted: Option<Vec<u8>>,
    onnx: Vec<u8>,
    nearest_good: Option<Specimen>,
}

/// Runtimes in workers take part where the finding is of one of them.
fn turn_of(pipeline: &Pipeline, system: &str) -> Turn {
    if pipeline.runtimes.iter().any(|r| r.name() == system) { Turn::ALL } else { Turn::NONE }
}

/// Makes records of groups, in the order of their first tests: one for each cause. A group whose cause is that of another
/// one (see [`cause`]) is counted there.
pub fn records(
    pipeline: &mut Pipeline,
    plan: &Plan,
    groups: &BTreeMap<Signature, Group>,
    known: &dyn Fn(&Signature, &Verdict) -> Option<KnownIssue>,
    budget: &dyn Fn(&Signature) -> Budget,
    mut say: impl FnMut(usize, usize),
) -> Vec<Record> {
    let mut ordered: Vec<(&Signature, &Group)> = groups.iter().collect();
    ordered.sort_by_key(|&(signature, group)| (group.index, signature));
    let mut all: Vec<(Signature, Record)> = vec![];
    for (i, &(signature, group)) in ordered.iter().enumerate() {
        say(i, ordered.len());
        let form = signature.clone().known_as(None);
        let issue = |verdict: &Verdict| known(&form, verdict);
        let budget = budget(signature);
        let mut one = record(pipeline, plan, signature, group, &issue, budget);
        let mut name = signature.clone();
        if let Some((cause, trial, verdict)) = cause(pipeline, &one, signature, &issue, budget) {
            let group = Group { verdict, ..group.clone() };
            let is_it = |s: &Seen| s.signature == cause;
            one = described(pipeline, trial, &cause, &group, None, one.nearest_good, &is_it);
            name = cause;
        }
        if one.trial.graph.nodes.len() == 1 && name.known.is_none() {
            name = alone(&mut one, name, &group.verdict, known);
        }
        match all.iter_mut().find(|(s, _)| *s == name) {
            Some((_, there)) => there.finding.occurrences += group.occurrences,
            None => all.push((name, one)),
        }
    }
    absorbed(all)
}

/// The name of a finding whose smallest case has one operator: a meaning that only the outputs show is that operator's, and so
/// is a failure, in which a converter names none. Known issues go by it.
fn alone(
    one: &mut Record,
    mut name: Signature,
    verdict: &Verdict,
    known: &dyn Fn(&Signature, &Verdict) -> Option<KnownIssue>,
) -> Signature {
    let operator = one.trial.graph.nodes[0].op.name().to_string();
    let mut verdict = verdict.clone();
    match name.class {
        Class::Semantics => {
            name.pattern = operator;
            name = name.of_lowering();
        }
        Class::Legalization | Class::Crash | Class::InvalidModel
            if name.operator.is_empty() && one.finding.system.is_none() =>
        {
            name.operator.clone_from(&operator);
            verdict.place.operator = Some(operator.clone());
            one.finding.operator = Some(operator.clone());
            one.finding.place.operator = Some(operator);
        }
        _ => return name,
    }
    one.finding.known_issue = known(&name, &verdict);
    name = name.known_as(one.finding.known_issue.as_ref().map(|k| k.file.clone()));
    one.rename(&name);
    name
}

/// Counts a wrong meaning whose smallest case holds an operator that is wrong in a smaller one where that is: what a later
/// operator shows is not its own fault. Should it be one, it is found again when the first is mended.
fn absorbed(all: Vec<(Signature, Record)>) -> Vec<Record> {
    let is_new = |s: &Signature| s.class == Class::Semantics && s.known.is_none();
    let size = |r: &Record| r.trial.graph.nodes.len();
    let into = |(signature, record): &(Signature, Record)| {
        let holds = |operator: &str| record.trial.graph.nodes.iter().any(|n| n.op.name() == operator);
        // The pattern of a wrong meaning is the operator that is wrong.
        let explains = |(s, r): &(Signature, Record)| {
            is_new(s) && s.system == signature.system && size(r) < size(record) && holds(&s.pattern)
        };
        let first =
            all.iter().enumerate().filter(|(_, one)| explains(one)).min_by_key(|(_, one)| size(&one.1));
        first.map(|(i, _)| i).filter(|_| is_new(signature))
    };
    let target: Vec<Option<usize>> = all.iter().map(into).collect();
    let counts: Vec<u64> = all.iter().map(|(_, r)| r.finding.occurrences).collect();
    let mut kept = vec![];
    for (i, (_, mut record)) in all.into_iter().enumerate() {
        if target[i].is_some() {
            continue;
        }
        // What explains may be explained itself: sizes fall along a chain, so it ends.
        let end = |j: usize| std::iter::successors(Some(j), |&k| target[k]).last();
        let others = (0..counts.len()).filter(|&j| j != i && end(j) == Some(i));
        record.finding.occurrences += others.map(|j| counts[j]).sum::<u64>();
        kept.push(record);
    }
    kept
}

/// Minimises the first test of a group and describes it. `known` says which known issue a verdict is, if any: a smaller case
/// that only shows a known issue is another fault with the same signature, and is not taken.
pub fn record(
    pipeline: &mut Pipeline,
    plan: &Plan,
    signature: &Signature,
    group: &Group,
    known: &dyn Fn(&Verdict) -> Option<KnownIssue>,
    budget: Budget,
) -> Record {
    let trial = plan.trial(group.index);
    let form = signature.clone().known_as(None);
    let is_new = |s: &Seen| s.signature == form && known(&s.verdict).is_none();
    let known = known(&group.verdict);
    // A known issue needs no smaller case: it has one in the corpus.
    let minimised =
        if known.is_some() { None } else { smaller(pipeline, &trial, &signature.system, &is_new, budget) };
    let nearest_good = minimised.as_ref().and_then(|m| m.nearest_good.clone());
    let trial = match minimised {
        Some(m) => Trial { graph: m.specimen.graph, inputs: m.specimen.inputs, ..trial },
        None => trial,
    };
    described(pipeline, trial, signature, group, known, nearest_good, &is_new)
}

/// The record of a case as it is.
fn described(
    pipeline: &mut Pipeline,
    trial: Trial,
    signature: &Signature,
    group: &Group,
    known: Option<KnownIssue>,
    nearest_good: Option<Specimen>,
    is_new: &dyn Fn(&Seen) -> bool,
) -> Record {
    let form = signature.clone().known_as(None);
    let report = pipeline.examine(&trial, Turn::ALL);
    let same = |s: &&Seen| s.signature == form;
    let seen = report.findings.iter().find(|s| is_new(s)).or_else(|| report.findings.iter().find(same));
    let verdict = seen.map_or_else(|| group.verdict.clone(), |s| s.verdict.clone());
    let seen = Seen { signature: signature.clone(), verdict };
    let mut finding = describe(pipeline, &trial, &seen, group, known);
    finding.points = points(&trial, &report, &seen);
    let Report { conversion, onnx, .. } = report;
    Record { finding, trial, converted: conversion.map(|c| c.model), onnx, nearest_good }
}

/// The finding that a record really is: a case with fewer nodes that shows a fault of the same class, system and blame under
/// another signature. A wrong shape, say, is first seen where a later operator's result is compared; without that operator
/// the one that makes it is named. Only the nodes of a minimised case are removed, so two faults that met in one test by
/// chance stay apart.
pub fn cause(
    pipeline: &mut Pipeline,
    record: &Record,
    signature: &Signature,
    known: &dyn Fn(&Verdict) -> Option<KnownIssue>,
    budget: Budget,
) -> Option<(Signature, Trial, Verdict)> {
    let trial = &record.trial;
    let is_alike = |s: &Seen| {
        let (a, b) = (&s.signature, signature);
        (a.class, a.blame, &a.system) == (b.class, b.blame, &b.system) && known(&s.verdict).is_none()
    };
    if trial.graph.nodes.len() < 2 || record.finding.known_issue.is_some() {
        return None;
    }
    let small = smaller(pipeline, trial, &signature.system, &is_alike, budget)?.specimen;
    let trial = Trial { graph: small.graph, inputs: small.inputs, ..trial.clone() };
    if trial.graph.nodes.len() == record.trial.graph.nodes.len() {
        return None;
    }
    let turn = turn_of(pipeline, &signature.system);
    let seen = pipeline.examine(&trial, turn).findings.into_iter().find(is_alike)?;
    (seen.signature != signature.clone().known_as(None)).then_some((seen.signature, trial, seen.verdict))
}

/// Elements around the worst one with their bounds, for a plot: those of the operator that an execution shows.
fn points(trial: &Trial, report: &Report, seen: &Seen) -> Vec<Point> {
    let execution = report.execution(&seen.signature.system);
    let (Some(execution), Some(conversion)) = (execution, &report.conversion) else { return vec![] };
    let Ok(subject) = Subject::new(&trial.graph, &trial.request, conversion) else { return vec![] };
    let plan = trace::Plan { source: None, inputs: &trial.inputs, run: trace::Run::Recorded(execution) };
    let Ok(trace) = subject.trace(&plan, &mut |_| ()) else { return vec![] };
    let place = seen.verdict.place.tensor_index;
    let row = trace.rows.iter().find(|r| Some(r.tensor) == place && !r.points.is_empty());
    let row = row.or_else(|| trace.rows.iter().find(|r| !r.points.is_empty()));
    row.map(plotted).unwrap_or_default()
}

/// A row's samples as a report holds them.
pub fn plotted(row: &trace::Row) -> Vec<Point> {
    let point = |s: &trace::Sample| Point {
        element: s.element,
        error: s.error.into(),
        low: s.low.into(),
        high: s.high.into(),
    };
    row.points.iter().map(point).collect()
}

/// The smallest case that still shows it; `None` when the test does not show it again.
pub(crate) fn smaller(
    pipeline: &mut Pipeline,
    trial: &Trial,
    system: &str,
    is_it: &dyn Fn(&Seen) -> bool,
    budget: Budget,
) -> Option<Minimised> {
    let mut shows = |s: &Specimen| {
        let candidate = Trial { graph: s.graph.clone(), inputs: s.inputs.clone(), ..trial.clone() };
        let turn = turn_of(pipeline, system);
        pipeline.examine(&candidate, turn).findings.iter().any(is_it)
    };
    let start = Specimen { graph: trial.graph.clone(), inputs: trial.inputs.clone() };
    if !shows(&start) {
        return None;
    }
    Some(minimise(start, budget, shows))
}

fn describe(
    pipeline: &Pipeline,
    trial: &Trial,
    seen: &Seen,
    group: &Group,
    known: Option<KnownIssue>,
) -> Finding {
    let verdict = &seen.verdict;
    let signature = seen.signature.to_string();
    let source = verdict
        .place
        .source
        .as_deref()
        .and_then(|s| s.split(", ").find_map(|s| operator_of(&trial.graph, s)));
    let operator = source.map(str::to_string).or_else(|| verdict.place.operator.clone());
    let id = Finding::id_of(operator.as_deref(), &signature);
    let is_converter = seen.signature.system == pipeline.converter.name();
    let dtype =
        if trial.request.precision == halfproof_ir::Precision::Weights { DType::F32 } else { DType::F16 };
    let mut lines = verdict.text.lines();
    Finding {
        replay: format!("bash findings/{id}/repro.sh"),
        title: seen.signature.title(lines.next().unwrap_or_default()),
        because: lines.collect::<Vec<_>>().join("; "),
        class: verdict.class,
        blame: verdict.blame,
        strength: verdict.strength,
        system: (!is_converter).then(|| seen.signature.system.clone()),
        converter: pipeline.converter.name().to_string(),
        precision: Some(trial.request.precision),
        place: Spot::new(&verdict.place, None),
        evidence: verdict.numbers.as_ref().map(|n| Evidence::new(dtype, n)),
        points: vec![],
        controls: vec![],
        notes: verdict.notes.clone(),
        related: vec![],
        occurrences: group.occurrences,
        first_test: group.index,
        files: Files::default(),
        graph: text::print(&trial.graph),
        drawing: drawing(&trial.graph, |n| source == Some(n.op.name())),
        known_issue: known,
        signature,
        operator,
        id,
    }
}

impl Record {
    /// Gives the finding the signature that its smallest case shows it to have.
    fn rename(&mut self, signature: &Signature) {
        self.finding.signature = signature.to_string();
        self.finding.id = Finding::id_of(self.finding.operator.as_deref(), &self.finding.signature);
        self.finding.replay = format!("bash findings/{}/repro.sh", self.finding.id);
    }

    /// Writes the finding's folder below `out` and names its files in the finding.
    ///
    /// # Errors
    /// When a file cannot be written; files are whole or absent.
    pub fn write(&mut self, out: &Path) -> Result<(), FileError> {
        let id = self.finding.id.clone();
        let folder = out.join("findings").join(&id);
        std::fs::create_dir_all(&folder).map_err(|source| FileError {
            path: folder.clone(),
            action: "create",
            source,
        })?;
        let relative = |name: &str| Some(format!("findings/{id}/{name}"));
        write_atomically(&folder.join("model.onnx"), &self.onnx)?;
        self.finding.files.model = relative("model.onnx");
        if let Some(bytes) = &self.converted {
            write_atomically(&folder.join("converted.tflite"), bytes)?;
            self.finding.files.converted = relative("converted.tflite");
        }
        let graph = &self.trial.graph;
        let named: Vec<(String, Tensor)> = graph
            .inputs
            .iter()
            .zip(&self.trial.inputs)
            .map(|(&id, t)| (graph.value(id).name.clone(), t.clone()))
            .collect();
        if let Ok(bytes) = npz::write(&named) {
            write_atomically(&folder.join("inputs.npz"), &bytes)?;
            self.finding.files.inputs = relative("inputs.npz");
        }
        if let Some(good) = &self.nearest_good
            && let Ok(bytes) = onnx::write(&good.graph, onnx::Opset::of(&good.graph))
        {
            write_atomically(&folder.join("nearest_good.onnx"), &bytes)?;
            self.finding.files.nearest_good = relative("nearest_good.onnx");
        }
        self.finding.files.repro = relative("repro.sh");
        self.finding.replay = format!("bash {}", shell::path(&folder.join("repro.sh")));
        write_atomically(&folder.join("repro.sh"), self.script().as_bytes())?;
        if let Some(bytes) = super::repro::single(&self.finding, &self.trial, &self.onnx) {
            write_atomically(&folder.join(super::repro::SINGLE), &bytes)?;
        }
        if let Some(script) = super::repro::script(&self.finding, &self.trial) {
            write_atomically(&folder.join("repro.py"), script.as_bytes())?;
            self.finding.files.repro_alone = relative("repro.py");
        }
        let json = serde_json::to_string_pretty(&self.finding).unwrap_or_default() + "\n";
        write_atomically(&folder.join("finding.json"), json.as_bytes())?;
        write_atomically(&folder.join("finding.txt"), finding_text(&self.finding).as_bytes())
    }

    /// Removes what [`Record::write`] has put into the folder of a finding, and the folder when nothing else is in it.
    ///
    /// # Errors
    /// When a file cannot be removed; the error names it.
    pub fn remove(out: &Path, id: &str) -> Result<(), FileError> {
        // An id that was read from a file must not lead elsewhere, and neither must a link of that name.
        let is_plain =
            !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        let folder = out.join("findings").join(id);
        if !is_plain || !folder.symlink_metadata().is_ok_and(|m| m.is_dir()) {
            return Ok(());
        }
        for path in WRITTEN.iter().map(|name| folder.join(name)) {
            match std::fs::remove_file(&path) {
                Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                    return Err(FileError { path, action: "remove", source });
                }
                _ => {}
            }
        }
        let _ = std::fs::remove_dir(folder);
        Ok(())
    }

    /// Replays the finding's own files: it does not depend on the generator or its seed.
    fn script(&self) -> String {
        let precision = self.trial.request.precision;
        let system = self.finding.system.as_deref().unwrap_or("interp-f16");
        format!(
            "#!/usr/bin/env bash\n# {}\n# Shows finding {} again; run it from a checkout of halfproof.\n\
             set -eu\nhere=\"$(cd -- \"$(dirname -- \"$0\")\" && pwd)\"\n\
             exec cargo xtask triage \"$here/model.onnx\" --inputs \"$here/inputs.npz\" --precision {precision} \
             {} --runtime {}\n",
            shell::comment(&self.finding.title),
            self.finding.id,
            shell::option("converter", &self.finding.converter),
            shell::word(system)
        )
    }
}

/// Every file that a finding may have.
const WRITTEN: [&str; 9] = [
    "model.onnx",
    "converted.tflite",
    "inputs.npz",
    "nearest_good.onnx",
    "repro.sh",
    super::repro::SINGLE,
    "repro.py",
    "finding.json",
    "finding.txt",
];

/// The graph as boxes and arrows; constants are named in the box that reads them.
pub fn drawing(graph: &Graph, is_bad: impl Fn(&Node) -> bool) -> Drawing {
    let mut d = Drawing::default();
    let mut maker: Vec<Option<u32>> = vec![None; graph.values.len()];
    let form = |id: halfproof_ir::ValueId| {
        let v = graph.value(id);
        let shape = v.static_shape().unwrap_or_default();
        let dims: Vec<String> = shape.iter().map(ToString::to_string).collect();
        format!("{}[{}]", v.dtype.map_or("?", DType::short), dims.join(","))
    };
    for &id in &graph.inputs {
        maker[id.index()] = Some(d.nodes.len() as u32);
        d.nodes.push(NodeBox {
            label: graph.value(id).name.clone(),
            detail: form(id),
            is_interface: true,
            is_bad: false,
        });
    }
    for node in &graph.nodes {
        let at = d.nodes.len() as u32;
        let mut detail: Vec<String> = vec![];
        for &id in node.inputs.iter().flatten() {
            match maker[id.index()] {
                Some(from) => d.edges.push(Edge { from, to: at, label: form(id) }),
                None => detail.push(form(id)),
            }
        }
        for &id in node.outputs.iter().flatten() {
            maker[id.index()] = Some(at);
        }
        let is_bad = is_bad(node);
        d.nodes.push(NodeBox {
            label: node.op.name().to_string(),
            detail: detail.join(" "),
            is_interface: false,
            is_bad,
        });
    }
    for &id in &graph.outputs {
        let at = d.nodes.len() as u32;
        d.nodes.push(NodeBox {
            label: graph.value(id).name.clone(),
            detail: String::new(),
            is_interface: true,
            is_bad: false,
        });
        if let Some(from) = maker[id.index()] {
            d.edges.push(Edge { from, to: at, label: form(id) });
        }
    }
    d
}
