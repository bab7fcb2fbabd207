//! `mixed` on generated graphs, judged: the file is right, and nothing overflows on ordinary inputs.
#![allow(clippy::unwrap_used, reason = "tests")]

use halfproof_converter::{Budget, convert, convert_within};
use halfproof_fuzz::generate::{Dna, InputKind, Options, generate, inputs};
use halfproof_ir::{Conversion, Data, Graph, Io, Observation, Precision, Request, Tensor};
use halfproof_oracle::judge::Subject;
use halfproof_oracle::judge::{Evidence, Question, judge};
use halfproof_oracle::onnx::ideal;
use halfproof_oracle::record::{Execution, Status};
use halfproof_oracle::tflite::Program;
use halfproof_oracle::value::Value;
use halfproof_oracle::verdict::Class;
use halfproof_systems::Taps;
use halfproof_systems::runtimes::interp::Interpreter;
use halfproof_wire::tflite;

fn observed(graph: &Graph, set: &[Tensor]) -> Option<Vec<Observation>> {
    let run = ideal(graph, set).ok()?;
    let one = |(value, declared): (&Option<Value<f64>>, &halfproof_ir::Value)| {
        let Value::Float(_, array) = value.as_ref()? else { return None };
        let finite: Vec<f64> = array.data.iter().copied().filter(|x| x.is_finite()).collect();
        let n = finite.len() as f64;
        let mean = finite.iter().sum::<f64>() / n;
        let deviation = (finite.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt();
        let low = finite.iter().copied().reduce(f64::min)?;
        let high = finite.iter().copied().reduce(f64::max)?;
        Some(Observation { tensor: declared.name.clone(), low, high, mean, deviation })
    };
    Some(run.values.iter().zip(&graph.values).filter_map(one).collect())
}

/// Every answer about a conversion and its execution in our float16 interpreter; `None` where nothing can be judged.
fn classes(
    graph: &Graph,
    request: &Request,
    conversion: &Conversion,
    set: &[Tensor],
) -> Option<Vec<(Question, Class, String)>> {
    let subject = Subject::new(graph, request, conversion).ok()?;
    let inputs = subject.model_inputs(set).ok()?;
    let program = Program::new(&tflite::read(&conversion.model).unwrap()).unwrap();
    let execution: Execution = Interpreter::f16().execute(&program, &inputs, Taps::None);
    assert_eq!(execution.status, Status::Ok);
    let executions = [execution];
    let evidence =
        Evidence { graph, request, conversion: Ok(conversion), inputs: set, executions: &executions };
    let answer = |a: halfproof_oracle::judge::Answer| (a.question, a.verdict.class, a.verdict.text);
    Some(judge(&evidence).into_iter().map(answer).collect())
}

#[test]
fn mixed_is_judged_right_with_and_without_samples_and_with_a_float32_interface() {
    let (mut judged, mut rewritten, mut islands) = (0, 0, 0);
    for seed in 0..1500 {
        let graph = generate(Dna::from_seed(seed), &Options::default());
        let set = inputs(&graph, InputKind::Gaussian, seed);
        let Some(seen) = observed(&graph, &set) else { continue };
        let plain = Request::new(Precision::Mixed);
        let requests = [
            Request { io: Io::Float32, ..plain.clone() },
            Request { observed: seen, ..plain.clone() },
            plain,
        ];
        for request in &requests {
            let Ok(conversion) = convert(&graph, request) else { continue };
            rewritten += usize::from(!conversion.provenance.rewrites.is_empty());
            islands += usize::from(conversion.notes.iter().any(|n| n.text.contains("stays float32")));
            let Some(classes) = classes(&graph, request, &conversion, &set) else { continue };
            judged += 1;
            for (question, class, text) in classes {
                assert!(class.is_fine(), "seed {seed}, {request:?}, {question:?}: {class:?}, {text}");
            }
        }
    }
    assert!(judged > 3000 && islands > 300, "{judged} judged, {rewritten} rewritten, {islands} with islands");
}

/// x * 1000 - y * 1000 for close x and y: float16 loses nearly everything.
fn cancellation() -> Graph {
    use halfproof_ir::{DType, Op};
    let mut g = Graph::new("g");
    let x = g.add_input("x", DType::F32, &[64]);
    let y = g.add_input("y", DType::F32, &[64]);
    let c = g.add_constant("c", Tensor::f32([1], vec![0.999]));
    let a = g.add_node(Op::Mul, &[x, c], "a");
    let b = g.add_node(Op::Mul, &[y, c], "b");
    let d = g.add_node(Op::Sub, &[a, b], "d");
    let e = g.add_node(Op::Tanh, &[x], "e");
    g.outputs.extend([d, e]);
    g
}

#[test]
fn a_budget_keeps_float32_where_a_cancellation_needs_it_and_nowhere_else() {
    let graph = cancellation();
    let x: Vec<f32> = (0..64).map(|i| 1.0 + i as f32 / 64.0).collect();
    let y: Vec<f32> = x.iter().map(|x| x - 1.0 / 1024.0).collect();
    let set = [Tensor::f32([64], x), Tensor::f32([64], y)];
    let request = Request::new(Precision::Mixed);
    let lost = |c: &Conversion| {
        let program = Program::new(&tflite::read(&c.model).unwrap()).unwrap();
        let subject = Subject::new(&graph, &request, c).unwrap();
        let inputs = subject.model_inputs(&set).unwrap();
        let ideal = halfproof_oracle::arith::Ideal;
        let exact = program.results(&inputs, halfproof_oracle::tflite::Constants::Stored, &ideal).unwrap();
        let run = Interpreter::f16().execute(&program, &inputs, Taps::None);
        let worst = |(e, a): (&Value<f64>, &Tensor)| {
            let Value::Float(_, e) = e else { panic!("a float") };
            let Data::F16(a) = &a.data else { panic!("float16") };
            let largest = e.data.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
            let error = e.data.iter().zip(a).map(|(e, a)| (e - a.to_f64()).abs()).fold(0.0, f64::max);
            (error / (0.5 * halfproof_oracle::half::ulp(largest))).log2()
        };
        exact.iter().zip(&run.outputs).map(worst).fold(0.0, f64::max)
    };
    let plain = convert(&graph, &request).unwrap();
    assert!(lost(&plain) > 3.0, "{}", lost(&plain));
    let mut measure = |c: &Conversion| lost(c);
    let fitted = convert_within(&graph, &request, &mut Budget { bits: 1.0, measure: &mut measure }).unwrap();
    assert!(lost(&fitted) <= 1.0);
    let kept: Vec<&str> =
        fitted.notes.iter().filter(|n| n.text.contains("budget")).map(|n| n.text.as_str()).collect();
    assert_eq!(kept.len(), 2, "{kept:?}");
    assert!(!kept.iter().any(|text| text.contains("TANH")));
}
