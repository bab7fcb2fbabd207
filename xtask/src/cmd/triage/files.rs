//! What triage leaves behind: the small case, its inputs, scripts that show it, the issue text, the whole table, a report.

use super::{Args, Case, issue, screen};
use crate::cmd::report;
use crate::exit::Failure;
use crate::folder::{self, Named};
use crate::words::counted;
use halfproof_fuzz::localise::{
    Examination, Piece, Set, SourceModel, Systems, examine, interpreter, recognised, source_piece,
    target_piece,
};
use halfproof_fuzz::minimise::{Budget, Specimen, minimise};
use halfproof_fuzz::triage::{drawing, plotted, shell};
use halfproof_ir::{DType, Precision, Tensor, text};
use halfproof_oracle::arith::half::Half;
use halfproof_oracle::judge::Subject;
use halfproof_oracle::judge::trace::{Row, Run as Executed};
use halfproof_oracle::verdict::{Blame, Class};
use halfproof_reports::schema::{Evidence, Files, Finding, Spot};
use halfproof_reports::{Run, drawing_svg};
use halfproof_systems::{Converter, Outcome, Runtime, Source};
use halfproof_wire::file::write_atomically;
use halfproof_wire::onnx::{self, Opset};
use halfproof_wire::{npz, tflite};
use std::path::Path;

/// Most conversions and executions that minimising may take.
const ATTEMPTS: usize = 400;
/// Nodes above the first bad one that are tried, until the case shows the same.
const ABOVE: [usize; 5] = [0, 1, 3, 8, 20];

/// The graph around the first bad operator as SVG.
pub(super) fn draw(path: &Path, case: &Case, found: &Examination) -> Result<(), Failure> {
    let drawn = picture(case, found);
    let svg = drawing_svg(&drawn).ok_or_else(|| Failure::bad_input("there is nothing to draw"))?;
    write_atomically(path, svg.as_bytes()).map_err(Failure::writing)?;
    anstream::println!("\n  drawn      {}", path.display());
    Ok(())
}

/// Nodes near the first bad one, of a model of any size.
fn picture(case: &Case, found: &Examination) -> halfproof_reports::schema::Drawing {
    let bad = found.diagnosis.verdict.place.source.clone().unwrap_or_default();
    let is_bad = |name: &str| bad.split(", ").any(|b| b == name);
    let graph = &case.source.graph;
    if graph.nodes.len() <= 40 {
        return drawing(graph, |n| is_bad(&n.name));
    }
    let at = graph.nodes.iter().position(|n| is_bad(&n.name)).unwrap_or(0);
    let mut part = graph.clone();
    part.nodes = graph.nodes[at.saturating_sub(8)..(at + 9).min(graph.nodes.len())].to_vec();
    let made: Vec<_> = part.nodes.iter().flat_map(|n| n.outputs.iter().flatten().copied()).collect();
    let read: Vec<_> = part.nodes.iter().flat_map(|n| n.inputs.iter().flatten().copied()).collect();
    part.inputs = vec![];
    for id in &read {
        if !made.contains(id) && graph.constant(*id).is_none() && !part.inputs.contains(id) {
            part.inputs.push(*id);
        }
    }
    part.outputs = made.iter().copied().filter(|id| !read.contains(id)).collect();
    drawing(&part, |n| is_bad(&n.name))
}

/// Every file that a triage may write: what of them stands in the folder from a former one says nothing of this one.
const FILES: [&str; 13] = [
    "model.onnx",
    "inputs.npz",
    "converted.tflite",
    "operator.tflite",
    "operator-inputs.npz",
    "repro.py",
    "repro.sh",
    "operators.tsv",
    "issue.md",
    "run.json",
    "report.html",
    "report.md",
    "junit.xml",
];

/// Refuses a folder in which what is triaged would be replaced.
pub(super) fn check(out: &Path, args: &Args) -> Result<(), Failure> {
    let read = [Some(&args.model), args.converted.as_ref(), args.inputs.as_ref()];
    for given in read.into_iter().flatten() {
        if folder::same(out, given) || FILES.iter().any(|name| folder::same(&out.join(name), given)) {
            return Err(Failure::bad_input(format!(
                "{}: the results in {} would replace it; name another folder with --out, or say --no-files",
                given.display(),
                out.display()
            )));
        }
    }
    Ok(())
}

/// What a former triage left in the folder; nothing where the folder is not one of triage.
fn former(out: &Path) -> &'static [&'static str] {
    if report::former(out).is_some_and(|r| r.command.starts_with("cargo xtask triage ")) {
        &FILES
    } else {
        &[]
    }
}

/// Writes the answer that nothing is wrong: the run and its reports.
pub(super) fn write_clean(out: &Path, run: &Run) -> Result<(), Failure> {
    let mut all = vec![("run.json", run.to_json().into_bytes())];
    all.extend(report::renderings(run, &[])?);
    folder::write(out, &all, former(out))?;
    anstream::println!("\n  {}/", out.display());
    anstream::println!("    {:<16} the answer", "report.html");
    Ok(())
}

/// Writes everything into `out`.
pub(super) fn write(
    out: &Path,
    args: &Args,
    mut run: Run,
    (case, found): (&Case, &Examination),
    converter: &mut dyn Converter,
    outside: &mut [Box<dyn Runtime>],
    ours: &[(&'static str, Half)],
) -> Result<(), Failure> {
    let mut all: Vec<Named> = vec![];
    let mut put = |name: &'static str, bytes: Vec<u8>| all.push((name, bytes));
    let small = if case.given { None } else { smaller(case, found, converter, outside, ours) };
    let mut lines: Vec<(String, String)> = vec![];
    let mut files = Files::default();
    if let Some((specimen, attempts, is_small)) = &small {
        let graph = &specimen.graph;
        let bytes = onnx::write(graph, Opset::of(graph)).map_err(Failure::harness)?;
        put("inputs.npz", named_inputs(specimen)?);
        let how = if *is_small { "minimised" } else { "cut out" };
        lines.push((
            "model.onnx".into(),
            format!("{}, {how} in {}", counted(graph.nodes.len(), "node"), counted(*attempts, "test")),
        ));
        (files.model, files.inputs) = (Some("model.onnx".into()), Some("inputs.npz".into()));
        if let Outcome::Converted(c) = converter.convert(Source { graph, onnx: &bytes }, &case.request) {
            put("converted.tflite", c.model);
            files.converted = Some("converted.tflite".into());
        }
        put("model.onnx", bytes);
    } else if let Some(set) = &found.set {
        let inputs = Specimen { graph: case.source.graph.clone(), inputs: set.tensors.clone() };
        put("inputs.npz", named_inputs(&inputs)?);
        files.inputs = Some("inputs.npz".into());
    }
    if let Some(piece) = piece(case, found, ours) {
        put("operator.tflite", tflite::write(&piece.model));
        put("operator-inputs.npz", npz::write(&piece.inputs).map_err(Failure::harness)?);
        let what = match found.kept {
            Some(_) => "the operators that are wrong together, with what they read",
            None => "the first bad operator alone, with what it read",
        };
        lines.push(("operator.tflite".into(), what.into()));
        files.converted.get_or_insert("operator.tflite".into());
        put("repro.py", issue::python(found, &piece).into_bytes());
        files.repro_alone = Some("repro.py".into());
        lines.push(("repro.py".into(), "the same in LiteRT alone (pip install ai-edge-litert numpy)".into()));
    }
    put("repro.sh", script(args, case, found, small.is_some()).into_bytes());
    files.repro = Some("repro.sh".into());
    lines.push(("repro.sh".into(), "triage again".into()));
    put("operators.tsv", table(found).into_bytes());
    lines.push(("operators.tsv".into(), "every operator".into()));
    let graph = small.as_ref().map_or(&case.source.graph, |(s, _, _)| &s.graph);
    let report_files = files.clone();
    let finding = finding(case, found, graph, small.is_some(), files, out);
    put("issue.md", issue::text(args, case, found, &finding, &report_files).into_bytes());
    lines.push(("issue.md".into(), "a text for the authors".into()));
    run.findings.push(finding);
    put("run.json", run.to_json().into_bytes());
    lines.push(("report.html".into(), "all of it, drawn".into()));
    all.extend(report::renderings(&run, &[])?);
    folder::write(out, &all, former(out))?;
    anstream::println!("\n  {}/", out.display());
    for (name, what) in lines {
        anstream::println!("    {name:<16} {what}");
    }
    Ok(())
}

fn named_inputs(specimen: &Specimen) -> Result<Vec<u8>, Failure> {
    let names = specimen.graph.inputs.iter().map(|&id| specimen.graph.value(id).name.clone());
    let named: Vec<(String, Tensor)> = names.zip(specimen.inputs.iter().cloned()).collect();
    npz::write(&named).map_err(Failure::harness)
}

/// The smallest case that shows the same: what it takes of the model, then what minimising leaves. Says how many tests it
/// took, and whether it was made smaller than it was cut.
fn smaller(
    case: &Case,
    found: &Examination,
    converter: &mut dyn Converter,
    outside: &mut [Box<dyn Runtime>],
    ours: &[(&'static str, Half)],
) -> Option<(Specimen, usize, bool)> {
    let set = found.set.as_ref()?;
    let wanted = &found.diagnosis.verdict;
    let nodes = wanted.place.source.as_deref()?;
    let operator = nodes.split(", ").find_map(|n| case.source.operator_of(n));
    let system = found.diagnosis.system.clone();
    let mut tests = 0;
    let mut shows = |s: &Specimen| -> bool {
        tests += 1;
        let source = SourceModel::onnx(s.graph.clone());
        let Ok(bytes) = onnx::write(&s.graph, Opset::of(&s.graph)) else { return false };
        let Outcome::Converted(conversion) =
            converter.convert(Source { graph: &s.graph, onnx: &bytes }, &case.request)
        else {
            return false;
        };
        let conversion = recognised(&source, conversion);
        let live: Vec<_> = ours
            .iter()
            .filter(|(name, _)| system.as_deref().is_none_or(|s| s == *name))
            .take(1)
            .copied()
            .collect();
        let runtime = system.as_deref().and_then(|name| super::named(outside, name));
        let runtimes: &mut [Box<dyn Runtime>] = runtime.map(std::slice::from_mut).unwrap_or_default();
        let mut systems = Systems { ours: live, outside: runtimes };
        let sets = [Set::given(s.inputs.clone())];
        let seen = examine(&source, &case.request, &conversion, &sets, &mut systems, &mut |_, _, _| ());
        let v = &seen.diagnosis.verdict;
        let kind = v.place.source.as_deref().and_then(|n| n.split(", ").find_map(|n| source.operator_of(n)));
        let same_cause = match (&seen.diagnosis.cause, &found.diagnosis.cause) {
            (Some(a), Some(b)) => std::mem::discriminant(&a.fault) == std::mem::discriminant(&b.fault),
            (None, None) => true,
            _ => false,
        };
        v.class == wanted.class && v.blame == wanted.blame && kind == operator && same_cause
    };
    let mut first = None;
    for above in ABOVE {
        let Ok(Some(specimen)) = source_piece(&case.source, &set.tensors, nodes, above) else { continue };
        if first.is_none() {
            first = Some(specimen.clone());
        }
        if shows(&specimen) {
            let small = minimise(specimen, Budget { attempts: ATTEMPTS }, &mut shows);
            return Some((small.specimen, tests, true));
        }
    }
    first.map(|s| (s, tests, false))
}

/// The first bad operator of the converted model, or the two that are wrong together, with what was read in the execution.
fn piece(case: &Case, found: &Examination, ours: &[(&'static str, Half)]) -> Option<Piece> {
    let operator = found.diagnosis.verdict.place.operator_index? as usize;
    let set = found.set.as_ref()?;
    let execution = found.executions.iter().find(|e| Some(&e.system) == found.diagnosis.system.as_ref());
    let run = match execution {
        Some(execution) if found.kept.is_none() => Executed::Recorded(execution),
        // What goes into operators that are wrong together was not shown: the exact results, rounded, do as well.
        _ => {
            let (system, arith) = ours.first().copied().or_else(|| interpreter("interp-f16"))?;
            Executed::Live { system, arith }
        }
    };
    // A large model is held once: planned first, and read again for what is cut out.
    let chosen: Vec<usize> = found.kept.map(|k| k.maker).into_iter().chain([operator]).collect();
    let operands = {
        let subject = Subject::new(&case.source.graph, &case.request, &case.conversion).ok()?;
        let read = chosen.iter().map(|&op| subject.operands(op, &set.tensors, run).ok());
        read.collect::<Option<Vec<_>>>()?.concat()
    };
    let model = tflite::read(&case.conversion.model).ok()?;
    target_piece(&model, &chosen, &operands)
}

fn script(args: &Args, case: &Case, found: &Examination, small: bool) -> String {
    let v = &found.diagnosis.verdict;
    let full = |p: &Path| shell::path(&std::fs::canonicalize(p).unwrap_or_else(|_| p.to_path_buf()));
    let model = if small { "\"$here/model.onnx\"".to_string() } else { full(&args.model) };
    let converted = match &args.converted {
        Some(path) => format!(" --converted {}", full(path)),
        None => String::new(),
    };
    let inputs = if found.set.is_some() { " --inputs \"$here/inputs.npz\"" } else { "" };
    let keep = args.keep_fp32.as_deref().map(|k| format!(" {}", shell::option("keep-fp32", k)));
    // The small case has no symbolic dimensions left.
    let dims = args.dims.iter().filter(|_| !small).map(|d| format!(" {}", shell::option("dim", d)));
    let dims: String = dims.collect();
    let system = found.diagnosis.system.as_deref().unwrap_or("interp-f16");
    format!(
        "#!/usr/bin/env bash\n# {}: {}\n# Run it from a checkout of halfproof.\nset -eu\n\
         here=\"$(cd -- \"$(dirname -- \"$0\")\" && pwd)\"\n\
         exec cargo xtask triage {model}{converted}{inputs}{dims} --precision {} {}{} --runtime {} --no-files\n",
        v.class,
        shell::comment(&v.text),
        case.request.precision,
        shell::option("converter", if case.given { "in-tree" } else { &case.converter }),
        keep.unwrap_or_default(),
        shell::word(system),
    )
}

/// Every operator on every system, tab-separated.
fn table(found: &Examination) -> String {
    let mut text = String::from(
        "system\toperator\tbuiltin\tsource\ttensor\ttype\tshape\tleast\tgreatest\tbits_lost\tbits_lost_here\tbound_used\t\
         whole_bound_used\tnot_finite\tundecidable\tstate\tcause\n",
    );
    for trace in &found.traces {
        for r in &trace.rows {
            let shape: Vec<String> = r.shape.iter().map(ToString::to_string).collect();
            let ratio = |x: Option<f64>| x.map(|x| format!("{x:.4}")).unwrap_or_default();
            let plain = |s: &str| s.replace(['\t', '\n'], " ");
            text += &format!(
                "{}\t{}\t{}\t{}\t{}\t{}\t{}\t{:e}\t{:e}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\n",
                trace.system,
                r.operator,
                r.builtin,
                plain(r.source.as_deref().unwrap_or_default()),
                plain(&r.name),
                r.dtype,
                shape.join("x"),
                r.least,
                r.greatest,
                screen::bits(r.lost),
                screen::bits(r.jump()),
                ratio(r.bound_used),
                ratio(r.whole_bound_used),
                r.ruined,
                r.undecidable,
                screen::state(r),
                r.cause.as_ref().map(|c| plain(&c.text)).unwrap_or_default()
            );
        }
    }
    text
}

/// The diagnosis as a finding of a run, for the report.
fn finding(
    case: &Case,
    found: &Examination,
    graph: &halfproof_ir::Graph,
    small: bool,
    files: Files,
    out: &Path,
) -> Finding {
    let v = &found.diagnosis.verdict;
    let node = v.place.source.clone().unwrap_or_default();
    let operator =
        node.split(", ").find_map(|n| case.source.operator_of(n)).or_else(|| v.place.operator.clone());
    let signature = format!(
        "{} | {} | {} | {} | {} | {}",
        v.class,
        v.blame,
        found.diagnosis.system.as_deref().unwrap_or(&case.converter),
        operator.as_deref().unwrap_or_default(),
        case.request.precision,
        v.text
    );
    let dtype = if case.request.precision == Precision::Weights { DType::F32 } else { DType::F16 };
    let drawn = if small {
        drawing(graph, |n| operator.as_deref() == Some(n.op.name()))
    } else {
        picture(case, found)
    };
    let shape = bad_row(found).map(|r| r.shape.clone());
    Finding {
        id: Finding::id_of(operator.as_deref(), &signature),
        class: v.class,
        blame: v.blame,
        strength: v.strength,
        system: found.diagnosis.system.clone(),
        converter: case.converter.clone(),
        precision: Some(case.request.precision),
        operator,
        title: v.text.clone(),
        because: found.diagnosis.cause.as_ref().map(|c| c.text.clone()).unwrap_or_default(),
        place: Spot::new(&v.place, shape.as_deref()),
        evidence: v.numbers.as_ref().map(|n| Evidence::new(dtype, n)),
        points: bad_row(found).map(plotted).unwrap_or_default(),
        controls: vec![],
        notes: v.notes.clone(),
        signature,
        related: vec![],
        occurrences: 1,
        first_test: 0,
        replay: format!("bash {}", shell::path(&out.join("repro.sh"))),
        files,
        graph: if small || graph.nodes.len() <= 40 { text::print(graph) } else { String::new() },
        drawing: drawn,
        known_issue: None,
    }
}

/// What the trace says about the tensor to blame.
fn bad_row(found: &Examination) -> Option<&Row> {
    let place = found.diagnosis.verdict.place.tensor_index;
    screen::main_trace(found).and_then(|t| t.rows.iter().find(|r| Some(r.tensor) == place))
}

/// True when the fault shows in LiteRT alone.
pub(super) fn is_runtime_fault(found: &Examination) -> bool {
    let v = &found.diagnosis.verdict;
    v.blame == Blame::Kernel && v.class != Class::Undecidable
}
