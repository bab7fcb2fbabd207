//! The set of nodes that bisection keeps in float32 is as small as the smallest of all sets.

#[path = "broken/build.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod build;

use build::Net;
use halfproof_fuzz::localise::{On, Set, SourceModel, bisect, interpreter, pattern};
use halfproof_ir::{Graph, Op, Precision, Request, Tensor, ops};
use halfproof_oracle::judge::Subject;
use halfproof_oracle::judge::trace::{Plan, Run, Source};
use halfproof_systems::converters::in_tree::InTree;

/// A product overflows in the middle and comes back.
fn overflow() -> (Graph, Vec<Tensor>, f64) {
    let mut n = Net::new("overflow", &[1, 16]);
    let (up, down) = (n.scalar("up", 300.0), n.scalar("down", 1e-5));
    let x = n.at;
    let a = n.node(Op::Mul, &[x, up], "a".into());
    let b = n.node(Op::Mul, &[a, up], "b".into());
    let c = n.node(Op::Mul, &[b, down], "c".into());
    n.at = n.node(Op::Tanh, &[c], "d".into());
    let inputs = vec![n.input(2.0)];
    (n.finish(), inputs, 4.0)
}

fn cancellation() -> (Graph, Vec<Tensor>, f64) {
    let (graph, inputs) = build::cancellation();
    (graph, inputs, 3.0)
}

/// A layer norm of numbers whose squares do not fit, behind products that need nothing.
fn norm() -> (Graph, Vec<Tensor>, f64) {
    let mut n = Net::new("norm", &[1, 4, 16]);
    let w = n.weight("w", &[16, 16], 0.0, 0.3);
    let scale = n.weight("scale", &[16], 1.0, 0.1);
    let large = n.scalar("large", 900.0);
    let x = n.at;
    let y = n.node(Op::MatMul, &[x, w], "proj".into());
    let y = n.node(Op::Relu, &[y], "relu".into());
    let y = n.node(Op::Mul, &[y, large], "grown".into());
    let y = n.node(ops::LayerNormalization::default(), &[y, scale], "norm".into());
    n.at = n.node(Op::MatMul, &[y, w], "out".into());
    let inputs = vec![n.input(1.0)];
    (n.finish(), inputs, 4.0)
}

/// Bits that the outputs lose when these nodes are kept.
fn lost(graph: &Graph, inputs: &[Tensor], keep: &[&str]) -> f64 {
    let keep_fp32 = (!keep.is_empty()).then(|| pattern(&keep.join(", ")));
    let request = Request { keep_fp32, ..Request::new(Precision::Full) };
    let conversion = halfproof_converter::convert(graph, &request).expect("converts");
    let subject = Subject::new(graph, &request, &conversion).expect("reads back");
    let (system, arith) = interpreter("interp-f16").expect("ours");
    let plan = Plan { source: Some(Source::Onnx(graph)), inputs, run: Run::Live { system, arith } };
    let trace = subject.trace(&plan, &mut |_| ()).expect("runs");
    let outputs = subject.program.outputs();
    trace.rows.iter().filter(|r| outputs.contains(&r.tensor)).map(|r| r.lost).fold(0.0, f64::max)
}

/// The size of the smallest sufficient set, by trying all.
fn smallest(graph: &Graph, inputs: &[Tensor], limit: f64) -> Option<usize> {
    let names: Vec<&str> = graph.nodes.iter().map(|n| n.name.as_str()).collect();
    let chosen = |set: usize| -> Vec<&str> {
        names.iter().enumerate().filter(|(i, _)| set >> i & 1 == 1).map(|(_, n)| *n).collect()
    };
    (0..1usize << names.len())
        .map(chosen)
        .filter(|keep| lost(graph, inputs, keep) <= limit)
        .map(|keep| keep.len())
        .min()
}

#[test]
fn no_smaller_set_would_do() {
    for (graph, inputs, limit) in [overflow(), cancellation(), norm()] {
        let least = smallest(&graph, &inputs, limit).expect("float32 everywhere is enough");
        assert!(least > 0, "{}: nothing has to be kept", graph.name);
        let source = SourceModel::onnx(graph.clone());
        let set = Set::given(inputs.clone());
        let (system, arith) = interpreter("interp-f16").expect("ours");
        let on = &mut On::Ours(system, arith);
        let request = Request::new(Precision::Full);
        let found = bisect(&source, &[], &mut InTree, &request, &set, on, limit).expect("converts");
        let keep = found.keep.expect("a set");
        let kept: Vec<&str> = keep.iter().map(String::as_str).collect();
        assert!(lost(&graph, &inputs, &kept) <= limit, "{}: {keep:?} is not enough", graph.name);
        assert_eq!(keep.len(), least, "{}: {keep:?}", graph.name);
    }
}
