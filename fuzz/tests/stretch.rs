//! A graph that XNNPACK is forced to compute in float16, and part of which it computes in float32: whether that part reads
//! inputs as they are or rounded depends on where the delegate cuts the graph, so neither is a fault.

use halfproof_ir::{Data, Graph, Precision, Request, Tensor, text};
use halfproof_oracle::arith::ExecutionModel;
use halfproof_oracle::judge::diagnosis::diagnose;
use halfproof_oracle::judge::trace::{Plan, Run, Source};
use halfproof_oracle::judge::{Depth, Subject};
use halfproof_oracle::record::Execution;
use halfproof_systems::Taps;
use halfproof_systems::runtimes::interp::Interpreter;

/// A norm: XNNPACK makes one float32 operator of the square and the sum, and computes in float32 whatever follows.
const NORM: &str = "x = input f32[2,4]\naxes = const i64[1] {-1}\nfloor = const f32[] {1e-12}\n\
                    n = ReduceL2(x, axes)\nf = Max(n, floor)\ny = Div(x, f)\noutput y\n";

/// An operator that XNNPACK does not have reads what its graph gets; two elements are one float16 number.
const LARGEST: &str = "x = input f32[2,4]\ny = ArgMax(x) axis=1\noutput y\n";

/// Hears of a graph as a file of float32, of inputs none of which is a float16 number, and of its execution in float32.
fn with_execution(graph: &str, taps: Taps, hear: impl FnOnce(&Graph, &Subject<'_>, &[Tensor], Execution)) {
    let graph = text::parse(graph).expect("a graph");
    let request = Request { keep_fp32: Some(String::new()), ..Request::new(Precision::Weights) };
    let conversion = halfproof_converter::convert(&graph, &request).expect("it converts");
    let subject = Subject::new(&graph, &request, &conversion).expect("our own file");
    let set = [Tensor::f32([2, 4], vec![0.1234567, 0.2469, 0.37037, 0.3703701, 0.6, 0.7, 0.864, 0.9])];
    let runtime = Interpreter::new("litert-xnnpack-fp16", ExecutionModel::SINGLE);
    let execution = runtime.execute(&subject.program, &set, taps);
    hear(&graph, &subject, &set, execution);
}

#[test]
fn a_float32_stretch_may_read_its_inputs_unrounded() {
    with_execution(NORM, Taps::All, |graph, subject, set, execution| {
        for depth in [Depth::Bounds, Depth::Verdicts] {
            let mut point = subject.at(set, None).expect("a point").with(depth);
            for answer in point.execution(&execution) {
                assert!(answer.verdict.class.is_fine(), "{:?}", answer.verdict);
            }
        }
        let plan = Plan { source: Some(Source::Onnx(graph)), inputs: set, run: Run::Recorded(&execution) };
        let trace = subject.trace(&plan, &mut |_| {}).expect("a trace");
        let diagnosis = diagnose(&subject.program, &[], &[trace]);
        assert!(diagnosis.verdict.class.is_fine(), "{:?}", diagnosis.verdict);
    });
}

#[test]
fn what_is_wrong_in_such_a_stretch_is_still_seen() {
    with_execution(NORM, Taps::None, |_, subject, set, mut execution| {
        if let Data::F32(y) = &mut execution.outputs[0].data {
            y[3] *= 1.01;
        }
        let mut point = subject.at(set, None).expect("a point");
        assert!(point.precision(&execution).accuses());
    });
}

#[test]
fn an_operator_that_is_not_forced_reads_its_operands_unrounded() {
    with_execution(LARGEST, Taps::All, |_, subject, set, mut execution| {
        assert_eq!(execution.outputs[0].integers(), Some(vec![3, 3]));
        let judged = |execution: &Execution, depth| {
            let mut point = subject.at(set, None).expect("a point").with(depth);
            point.execution(execution).iter().any(|answer| answer.verdict.accuses())
        };
        assert!(![Depth::Bounds, Depth::Verdicts].map(|depth| judged(&execution, depth)).contains(&true));
        let wrong = Tensor::new(execution.outputs[0].shape.clone(), Data::I64(vec![3, 1]));
        let tap = execution.taps.iter_mut().find(|(_, t)| t.integers() == Some(vec![3, 3]));
        if let Some((_, tap)) = tap {
            *tap = wrong.clone();
        }
        execution.outputs[0] = wrong;
        assert_eq!([Depth::Bounds, Depth::Verdicts].map(|depth| judged(&execution, depth)), [true, true]);
    });
}
