//! Verdicts without bounds and with every bound accuse the same: what exact results alone settle is never another matter
//! when the bound is worked out.

use halfproof_fuzz::generate::{Dna, InputKind, Options, Stream, generate, inputs};
use halfproof_ir::{Data, Precision, Request, Tensor, text};
use halfproof_oracle::arith::{Bound, ExecutionModel};
use halfproof_oracle::contract::Runtime;
use halfproof_oracle::judge::{Answer, Depth, Subject, is_regular};
use halfproof_oracle::onnx;
use halfproof_oracle::record::Execution;
use halfproof_oracle::value::Value;
use halfproof_oracle::verdict::Class;
use halfproof_systems::Taps;
use halfproof_systems::runtimes::interp::Interpreter;
use std::collections::BTreeMap;

/// One element of one float tensor moved by one unit in the last place, in the tap and in the output that it may be.
fn spoilt(execution: &Execution, stream: &mut Stream) -> Execution {
    let mut spoilt = execution.clone();
    let count = spoilt.taps.len() as u64;
    if count == 0 {
        return spoilt;
    }
    let (_, tap) = &mut spoilt.taps[stream.below(count) as usize];
    let before = tap.clone();
    let at = stream.below(tap.len().max(1) as u64) as usize;
    match &mut tap.data {
        Data::F16(v) if at < v.len() => v[at] = half::f16::from_bits(v[at].to_bits() ^ 1),
        Data::F32(v) if at < v.len() => v[at] = f32::from_bits(v[at].to_bits() ^ 1),
        _ => {}
    }
    let after = tap.clone();
    for output in spoilt.outputs.iter_mut().filter(|o| same_bits(o, &before)) {
        *output = after.clone();
    }
    spoilt
}

fn same_bits(a: &Tensor, b: &Tensor) -> bool {
    a.shape == b.shape && a.data.to_le_bytes() == b.data.to_le_bytes()
}

/// What matters of an answer. Without bounds more is decided: `undecidable` may be anything that is no fault.
fn accusation(answer: &Answer) -> String {
    let v = &answer.verdict;
    let class = if v.class.is_fine() { "fine".to_string() } else { format!("{} by {:?}", v.class, v.blame) };
    format!(
        "{:?} {class} {:?} {:?}",
        answer.question,
        v.place.tensor.as_ref().filter(|_| !v.class.is_fine()),
        v.strength
    )
}

#[test]
fn the_same_executions_are_accused_with_and_without_bounds() {
    let models = [
        ("interp-f16", ExecutionModel::HALF),
        ("interp-f16+acc16", ExecutionModel::HALF_ACCUMULATOR),
        ("interp-f32", ExecutionModel::SINGLE),
        ("any-half", ExecutionModel::HALF),
    ];
    let (mut fine, mut accused, mut kinds) = (0, 0, BTreeMap::new());
    for seed in 0..400 {
        let graph = generate(Dna::from_seed(seed), &Options::default());
        let request = Request::new(Precision::ALL[(seed % 3) as usize]);
        let Ok(conversion) = halfproof_converter::convert(&graph, &request) else { continue };
        let subject = Subject::new(&graph, &request, &conversion).expect("our own file");
        let mut stream = Stream::new(seed);
        for kind in InputKind::ALL {
            let set = inputs(&graph, kind, seed);
            let point = |depth| subject.at(&set, None).map(|p| p.with(depth));
            let (Ok(quick), Ok(full)) = (point(Depth::Verdicts), point(Depth::Bounds)) else { continue };
            assert_eq!(
                quick.semantics().accuses(),
                full.semantics().accuses(),
                "seed {seed}, {}",
                kind.name()
            );
            for (name, model) in models {
                let right = Interpreter::new(name, model).execute(&subject.program, &quick.inputs, Taps::All);
                let wrong = spoilt(&right, &mut stream);
                for execution in [right, wrong] {
                    let answers =
                        |depth| point(depth).map(|mut p| p.execution(&execution)).unwrap_or_default();
                    let (quick, full) = (answers(Depth::Verdicts), answers(Depth::Bounds));
                    let words = |answers: &[Answer]| answers.iter().map(accusation).collect::<Vec<_>>();
                    let open = full.iter().any(|a| a.verdict.class == Class::Undecidable);
                    if !open {
                        assert_eq!(
                            words(&quick),
                            words(&full),
                            "seed {seed}, {} inputs, {name}",
                            kind.name()
                        );
                    }
                    for answer in &quick {
                        *kinds.entry(answer.verdict.class.to_string()).or_insert(0) += 1;
                        if answer.verdict.accuses() { accused += 1 } else { fine += 1 }
                    }
                }
            }
        }
    }
    assert!(fine > 1000 && accused > 100, "{fine} fine, {accused} accused: {kinds:?}");
}

/// Six and a rounding of float32: what a converter folds in the tensor's type is 6, and in f64 the next whole number.
#[test]
fn a_whole_number_made_of_constants_may_have_been_folded_in_their_type() {
    let graph = "graph \"window\"\nc = const i64[] {12}\nw: f32[12] = HannWindow(c)\nx = input f32[1]\n\
                 s: f32[1] = ReduceSum(w)\ny: f32[1] = Ceil(s)\nz: f32[1] = Add(x, y)\noutput z\n";
    let graph = text::parse(graph).expect("a graph");
    let request = Request::new(Precision::Mixed);
    let conversion = halfproof_converter::convert(&graph, &request).expect("it converts");
    let subject = Subject::new(&graph, &request, &conversion).expect("our own file");
    for depth in [Depth::Verdicts, Depth::Bounds] {
        let point = subject.at(&[Tensor::f32([1], vec![0.5])], None).expect("a point").with(depth);
        assert!(!point.semantics().accuses(), "{:?}", point.semantics());
    }
}

/// Where the judge takes a number of the source for one without a bound, the bound says so too.
#[test]
fn a_number_of_a_graph_without_poles_is_finite_whatever_f64_rounds() {
    let (mut regular, mut others) = (0, 0);
    for seed in 0..600 {
        let graph = generate(Dna::from_seed(seed), &Options::default());
        for kind in InputKind::ALL {
            let set = inputs(&graph, kind, seed);
            let Ok(plain) = onnx::ideal(&graph, &set) else { continue };
            let enclosed =
                onnx::evaluate(&graph, &set, &Bound::new(Runtime::Double)).expect("as the ideal one");
            for &id in &graph.outputs {
                let (Some(Value::Float(_, numbers)), Some(Value::Float(_, bounds))) =
                    (plain.value(id), enclosed.value(id))
                else {
                    continue;
                };
                if !is_regular(&graph, &plain, id) {
                    others += 1;
                    continue;
                }
                regular += 1;
                let certain =
                    numbers.data.iter().zip(&bounds.data).all(|(x, e)| x.is_finite() && e.is_finite());
                assert!(certain, "seed {seed}, {} inputs: {}", kind.name(), graph.value(id).name);
            }
        }
    }
    assert!(regular > 300 && others > 300, "{regular} regular outputs, {others} others");
}
