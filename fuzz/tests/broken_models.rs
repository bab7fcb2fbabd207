//! Triage names the first bad operator and the blame in ten prepared broken models; a comparison with fixed tolerances,
//! given the very same tensors, is shown beside it.

mod broken;

use broken::Broken;
use halfproof_fuzz::localise::{
    Examination, Set, SourceModel, Systems, examine, interpreter, recognised, sets,
};
use halfproof_oracle::arith::Ideal;
use halfproof_oracle::judge::Subject;
use halfproof_oracle::onnx;
use halfproof_oracle::value::Value;
use halfproof_systems::runtimes::{self, interp::Interpreter};
use halfproof_systems::worker::{Limits, Program};
use halfproof_systems::{Runtime, Taps};
use std::io::Write;

fn say(text: &str) {
    std::io::stderr().write_all(format!("{text}\n").as_bytes()).expect("stderr");
}

/// `None` after saying loudly that the runtime is missing.
fn triage(b: &Broken) -> Option<Examination> {
    let mut outside: Vec<Box<dyn Runtime>> = vec![];
    if let Some(name) = b.runtime {
        let program = Program::find().ok()?;
        match runtimes::open(&[name], &program, Limits::default()).remove(0) {
            Ok(runtime) => outside.push(runtime),
            Err(why) => {
                say(&format!("SKIPPED, not tested: {}: {why}", b.name));
                return None;
            }
        }
    }
    let source = SourceModel::onnx(b.graph.clone());
    let conversion = recognised(&source, b.conversion.clone());
    let tried = match &b.inputs {
        Some(inputs) => vec![Set::given(inputs.clone())],
        None => sets(&b.graph),
    };
    let ours = vec![interpreter("interp-f16").expect("ours")];
    let mut systems = Systems { ours, outside: &mut outside };
    Some(examine(&source, &b.request, &conversion, &tried, &mut systems, &mut |_, _, _| ()))
}

#[test]
fn the_first_bad_operator_and_the_blame_are_right_in_all_ten() {
    let mut wrong = vec![];
    for b in broken::all() {
        let Some(found) = triage(&b) else { continue };
        let v = &found.diagnosis.verdict;
        let node = v.place.source.clone().unwrap_or_default();
        let named = node.split(", ").any(|n| n == b.node);
        if !named || v.class != b.class || v.blame != b.blame {
            wrong.push(format!(
                "{}: wanted {} {} at {}, got {} {} at {node} ({:?}; {:?}; {:?})",
                b.name, b.class, b.blame, b.node, v.class, v.blame, v.text, found.diagnosis.cause, v.notes
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_same_models_before_they_are_broken_are_not_accused() {
    for mut b in broken::all().into_iter().filter(|b| b.blame == halfproof_oracle::verdict::Blame::Converter)
    {
        // Without the map of our converter, as somebody else's file.
        b.conversion =
            halfproof_ir::Conversion { provenance: halfproof_ir::Provenance::default(), ..b.right.clone() };
        let Some(found) = triage(&b) else { continue };
        let v = &found.diagnosis.verdict;
        assert!(v.class.is_fine(), "{}: {} {} {:?}", b.name, v.class, v.text, v.place);
    }
}

/// The first tensor, in execution order, that a comparison with `rtol = atol = tolerance` reports, among all that carry a
/// value of the source: the best that marking every tensor as an output can do.
fn by_tolerance(b: &Broken, inputs: &[halfproof_ir::Tensor], tolerance: f64) -> String {
    let reference = onnx::evaluate(&b.graph, inputs, &Ideal).expect("evaluates");
    let graph = &b.graph;
    let subject = Subject::new(graph, &b.request, &b.right).expect("reads back");
    let given = subject.model_inputs(inputs).expect("fits");
    let broken = match Subject::new(graph, &b.request, &b.conversion) {
        Ok(s) => s,
        Err(v) => return format!("cannot run: {}", v.text),
    };
    let execution = match b.runtime {
        None => Interpreter::f16().execute(&broken.program, &given, Taps::All),
        Some(name) => {
            let Ok(program) = Program::find() else { return "not run".into() };
            match runtimes::open(&[name], &program, Limits::default()).remove(0) {
                Ok(mut runtime) => runtime.run(&b.conversion.model, &given, Taps::All),
                Err(_) => return "not run".into(),
            }
        }
    };
    let outputs = broken.program.outputs().iter().copied().zip(&execution.outputs);
    let seen: std::collections::BTreeMap<u32, &halfproof_ir::Tensor> =
        outputs.chain(execution.taps.iter().map(|(t, tap)| (*t, tap))).collect();
    let mut carried: Vec<_> = b.right.provenance.tensors.iter().collect();
    carried.sort_by_key(|o| {
        graph
            .nodes
            .iter()
            .position(|n| n.outputs.iter().flatten().any(|&id| graph.value(id).name == o.source))
    });
    for origin in carried {
        let Some(node) = graph
            .nodes
            .iter()
            .find(|n| n.outputs.iter().flatten().any(|&id| graph.value(id).name == origin.source))
        else {
            continue;
        };
        let id = node.outputs.iter().flatten().find(|&&id| graph.value(id).name == origin.source);
        let Some(Value::Float(_, expected)) = id.and_then(|&id| reference.value(id)) else { continue };
        let Some(actual) = seen.get(&origin.tensor).and_then(|t| t.floats()) else { continue };
        let mut e: Vec<f64> = expected.data.clone();
        let mut a = actual;
        // Layouts differ; sorted values are enough to be generous to the comparison.
        if origin.permutation.is_some() {
            e.sort_by(f64::total_cmp);
            a.sort_by(f64::total_cmp);
        }
        let off = |(e, a): (&f64, &f64)| {
            let close = (e - a).abs() <= tolerance + tolerance * e.abs();
            !(close || e == a || e.is_nan() && a.is_nan())
        };
        if e.iter().zip(&a).any(off) {
            return node.name.clone();
        }
    }
    "passes".to_string()
}

const HEAD: &str =
    "| model | should be | triage | rtol = atol = 1e-2 | 1e-3 |\n| --- | --- | --- | --- | --- |\n";
const HELP: &str = "docs/triaging.md is stale: run \
    `UPDATE_DOCS=1 cargo test --release -p halfproof-fuzz --test broken_models`";

/// What is named first, beside a comparison with fixed tolerances; `None` where a runtime is missing.
fn row(b: &Broken) -> Option<String> {
    let found = triage(b)?;
    let v = &found.diagnosis.verdict;
    let inputs = found
        .set
        .map(|s| s.tensors)
        .or(b.inputs.clone())
        .unwrap_or_else(|| sets(&b.graph)[0].tensors.clone());
    Some(format!(
        "| {} | {}, {} | {}, {} | {} | {} |",
        b.name,
        b.node,
        b.blame,
        v.place.source.clone().unwrap_or_default(),
        v.blame,
        by_tolerance(b, &inputs, 1e-2),
        by_tolerance(b, &inputs, 1e-3)
    ))
}

#[test]
fn the_docs_show_fixed_tolerances_beside_it() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/triaging.md");
    let text = std::fs::read_to_string(path).expect("docs/triaging.md");
    let start = text.find(HEAD).expect("the head of the table") + HEAD.len();
    let old: Vec<&str> = text[start..].lines().take_while(|l| l.starts_with('|')).collect();
    let end = start + old.iter().map(|l| l.len() + 1).sum::<usize>();
    let models = broken::all();
    // A row that cannot be made here, because a runtime is missing, stays as it is.
    let kept =
        |b: &Broken| old.iter().find(|l| l.starts_with(&format!("| {} |", b.name))).map(|l| l.to_string());
    let new: Vec<String> = models.iter().filter_map(|b| row(b).or_else(|| kept(b))).collect();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let table: String = new.iter().map(|l| format!("{l}\n")).collect();
        std::fs::write(path, format!("{}{table}{}", &text[..start], &text[end..])).expect("docs/triaging.md");
        return;
    }
    assert_eq!(old, new, "{HELP}");
}
