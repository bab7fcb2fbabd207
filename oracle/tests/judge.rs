//! A correct conversion and its faulty neighbors: each fault is named, with the right class and the right blame.

mod tflite_models;

use half::f16;
use halfproof_ir::ops::{Gemm, Softmax};
use halfproof_ir::{
    ConstantOrigin, Conversion, DType, Data, Graph, Op, Precision, Provenance, Refusal, Request, Rewrite,
    Role, Tensor, TensorOrigin,
};
use halfproof_oracle::arith::{Accumulator, ExecutionModel, Half};
use halfproof_oracle::judge::{self, Answer, Evidence, Question, Subject};
use halfproof_oracle::record::{Execution, Status};
use halfproof_oracle::tflite::{Constants, tensor};
use halfproof_oracle::verdict::{Blame, Class, Strength, Verdict};
use halfproof_wire::tflite::{self, Builtin, Model, Options, TensorType, options};
use std::sync::Arc;
use tflite_models::{Builder, halves};

const F16: TensorType = TensorType::Float16;
/// Not a binary16 number: rounding it is visible.
const WEIGHTS: [f64; 6] = [0.1, -0.7, 1.3, 2.2, 0.05, -1.9];
const BIAS: [f64; 2] = [0.3, -0.15];
const X: [f32; 6] = [0.5, -1.25, 2.0, 3.0, 0.125, -0.75];

/// Softmax(x W^T + b), the weights in float32.
fn source() -> Graph {
    let mut g = Graph::new("dense");
    let x = g.add_input("x", DType::F32, &[2, 3]);
    let w = g.add_constant("w", Tensor::f32([2, 3], WEIGHTS.map(|v| v as f32).to_vec()));
    let b = g.add_constant("b", Tensor::f32([2], BIAS.map(|v| v as f32).to_vec()));
    let y = g.add_node(Gemm { transB: true, ..Gemm::default() }, &[x, w, b], "y");
    let z = g.add_node(Softmax::default(), &[y], "z");
    g.outputs.push(z);
    g
}

fn exact(values: &[f64]) -> Vec<f64> {
    values.iter().map(|&v| f64::from(v as f32)).collect()
}

/// Its conversion, with constants and the softmax's beta as given.
fn model(weights: &[f64], bias: &[f64], beta: f32) -> Model {
    let mut b = Builder::new();
    let x = b.input(F16, &[2, 3]);
    let w = b.constant(&halves(&[2, 3], weights));
    let bias = b.constant(&halves(&[2], bias));
    let y = b.op(Builtin::FullyConnected, &[x, w, bias], options::FullyConnected::default(), F16, &[2, 2]);
    let z = b.op(Builtin::Softmax, &[y], options::Softmax { beta }, F16, &[2, 2]);
    b.finish(&[z])
}

fn conversion(model: &Model) -> Conversion {
    let origin = |source: &str, tensor| TensorOrigin { source: source.into(), tensor, permutation: None };
    let constant =
        |tensor, values: &[f64]| ConstantOrigin { tensor, role: Role::Weight, exact: exact(values).into() };
    let provenance = Provenance {
        tensors: vec![origin("x", 0), origin("y", 3), origin("z", 4)],
        constants: vec![constant(1, &WEIGHTS), constant(2, &BIAS)],
        operators: vec![],
        rewrites: vec![],
    };
    Conversion { model: tflite::write(model), provenance, notes: vec![] }
}

fn right() -> Model {
    model(&exact(&WEIGHTS), &exact(&BIAS), 1.0)
}

fn request() -> Request {
    Request::new(Precision::Full)
}

fn inputs() -> Vec<Tensor> {
    vec![Tensor::f32([2, 3], X.to_vec())]
}

/// What an execution model makes of a converted model.
fn execute(conversion: &Conversion, system: &str, execution: ExecutionModel) -> Execution {
    let (graph, request) = (source(), request());
    let subject = Subject::new(&graph, &request, conversion).expect("a planned program runs");
    let arith = Half::new(execution);
    let inputs = subject.model_inputs(&inputs()).expect("a planned program runs");
    let run = subject.program.run(&inputs, Constants::Stored, &arith).expect("a planned program runs");
    Execution {
        system: system.to_string(),
        status: Status::Ok,
        outputs: run.outputs().map(|v| tensor(v, &arith)).collect(),
        taps: (0u32..)
            .zip(&run.tensors)
            .filter_map(|(i, v)| v.as_ref().map(|v| (i, tensor(v, &arith))))
            .collect(),
        accelerated: None,
    }
}

fn judged(conversion: &Conversion, executions: &[Execution]) -> Vec<Answer> {
    judge::judge(&Evidence {
        graph: &source(),
        request: &request(),
        conversion: Ok(conversion),
        inputs: &inputs(),
        executions,
    })
}

fn answer(answers: &[Answer], question: Question) -> &Verdict {
    &answers.iter().find(|a| a.question == question).expect("the question was asked").verdict
}

#[test]
fn a_correct_conversion_and_execution_pass_every_question() {
    let conversion = conversion(&right());
    let run = execute(&conversion, "interp-f16", ExecutionModel::HALF);
    let answers = judged(&conversion, &[run]);
    assert_eq!(answers.len(), 5);
    for a in &answers {
        assert!(matches!(a.verdict.class, Class::Pass | Class::Explained), "{a:?}");
        assert!(a.verdict.judged > 0 && a.verdict.excluded == 0, "{a:?}");
        assert_eq!(a.verdict.strength, Strength::Certified, "{a:?}");
    }
}

#[test]
fn a_refusal_is_a_legalization_with_its_node() {
    let refusal = Refusal {
        nodes: vec![halfproof_ir::RefusedNode {
            op: "Einsum".into(),
            node: "e".into(),
            dtype: None,
            reason: "three operands".into(),
        }],
    };
    let answers = judge::judge(&Evidence {
        graph: &source(),
        request: &request(),
        conversion: Err(&refusal),
        inputs: &inputs(),
        executions: &[],
    });
    assert_eq!(answers[0].verdict.class, Class::Legalization);
    assert_eq!(answers[0].verdict.place.source.as_deref(), Some("e"));
}

#[test]
fn bytes_that_are_no_model_are_an_invalid_model() {
    let mut conversion = conversion(&right());
    conversion.model.truncate(40);
    assert_eq!(judged(&conversion, &[])[0].verdict.class, Class::InvalidModel);
}

/// litert-torch writes STABLEHLO_SCATTER, whose options the reader does not hold: 32 tests of a campaign accused it of broken files.
#[test]
fn what_the_reader_does_not_hold_accuses_nobody() {
    let mut model = right();
    model.version = 2;
    let verdict = &judged(&conversion(&model), &[])[0].verdict;
    assert_eq!((verdict.class, verdict.blame), (Class::Undecidable, Blame::Nobody), "{verdict:?}");
}

#[test]
fn a_float32_tensor_in_a_full_model_is_impure() {
    let mut model = right();
    model.subgraphs[0].tensors.push(tflite::Tensor {
        name: "stray".into(),
        shape: vec![2],
        dtype: TensorType::Float32,
        buffer: 3,
        has_rank: true,
        ..tflite::Tensor::default()
    });
    model.buffers.push(Arc::new(vec![0; 8]));
    model.subgraphs[0].operators[0].inputs[2] = 5;
    let answers = judged(&conversion(&model), &[]);
    let verdict = &answers[0].verdict;
    // The interpreter may refuse the mixture of types outright; either way it is the converter's fault.
    assert!(matches!(verdict.class, Class::Impure | Class::InvalidModel), "{verdict:?}");
    assert_eq!(verdict.blame, Blame::Converter);
}

#[test]
fn a_quantized_constant_is_impure_though_the_interpreter_does_not_evaluate_it() {
    let mut model = right();
    let weights = &mut model.subgraphs[0].tensors[1];
    weights.dtype = TensorType::Int8;
    weights.quantization = Some(tflite::Quantization {
        scale: vec![0.02],
        zero_point: vec![0],
        ..tflite::Quantization::default()
    });
    let buffer = weights.buffer as usize;
    model.buffers[buffer] = Arc::new(vec![5; 6]);
    let answers = judged(&conversion(&model), &[]);
    let verdict = &answers[0].verdict;
    assert_eq!((verdict.class, verdict.blame), (Class::Impure, Blame::Converter), "{verdict:?}");
    assert_eq!(verdict.place.tensor_index, Some(1));
}

#[test]
fn a_float32_constant_that_is_only_cast_to_float16_is_impure_in_every_strategy() {
    let mut b = Builder::new();
    let x = b.input(F16, &[2, 3]);
    let values: Vec<f32> = exact(&WEIGHTS).iter().map(|&v| v as f32).collect();
    let single = b.constant(&Tensor::f32([2, 3], values));
    let cast = options::Cast { in_data_type: TensorType::Float32, out_data_type: F16 };
    let w = b.op(Builtin::Cast, &[single], cast, F16, &[2, 3]);
    let bias = b.constant(&halves(&[2], &exact(&BIAS)));
    let y = b.op(Builtin::FullyConnected, &[x, w, bias], options::FullyConnected::default(), F16, &[2, 2]);
    let z = b.op(Builtin::Softmax, &[y], options::Softmax { beta: 1.0 }, F16, &[2, 2]);
    let provenance = Provenance::default();
    let conversion = Conversion { model: tflite::write(&b.finish(&[z])), provenance, notes: vec![] };
    let graph = source();
    for precision in [Precision::Full, Precision::Mixed] {
        let request = Request::new(precision);
        let subject = Subject::new(&graph, &request, &conversion).expect("the model is planned");
        assert_eq!(subject.legality().class, Class::Impure, "{precision}");
    }
}

#[test]
fn an_index_out_of_range_is_a_semantic_fault() {
    let mut g = Graph::new("gather");
    let x = g.add_input("x", DType::F32, &[2, 3]);
    let i = g.add_constant("i", Tensor::ints([1]));
    let y = g.add_node(halfproof_ir::ops::Gather { axis: 0 }, &[x, i], "y");
    g.outputs.push(y);
    let request = request();
    for (index, class) in [(1, Class::Pass), (2, Class::Semantics)] {
        let mut b = Builder::new();
        let x = b.input(F16, &[2, 3]);
        let i = b.constant(&Tensor::new([1], Data::I32(vec![index])));
        let y = b.op(Builtin::Gather, &[x, i], options::Gather::default(), F16, &[1, 3]);
        let provenance = Provenance::default();
        let conversion = Conversion { model: tflite::write(&b.finish(&[y])), provenance, notes: vec![] };
        let subject = Subject::new(&g, &request, &conversion).expect("the model is planned");
        let verdict = subject.at(&inputs(), None).expect("the interface fits").semantics();
        assert_eq!(verdict.class, class, "{verdict:?}");
    }
}

#[test]
fn a_narrow_sum_in_a_mean_is_outside_the_contract_of_wide_sums() {
    let n = 600;
    let mut b = Builder::new();
    let x = b.input(F16, &[1, n]);
    let axes = b.constant(&Tensor::new([1], Data::I32(vec![1])));
    let y = b.op(Builtin::Mean, &[x, axes], options::Reducer { keep_dims: false }, F16, &[1]);
    let model = tflite::write(&b.finish(&[y]));
    let mut g = Graph::new("mean");
    let x = g.add_input("x", DType::F32, &[1, n]);
    let axes = g.add_constant("axes", Tensor::ints([1]));
    let y =
        g.add_node(halfproof_ir::ops::ReduceMean { keepdims: false, ..Default::default() }, &[x, axes], "y");
    g.outputs.push(y);
    let request = request();
    let conversion = Conversion { model, provenance: Provenance::default(), notes: vec![] };
    let subject = Subject::new(&g, &request, &conversion).expect("the model is planned");
    let values = (0..n).map(|i| 1.0 + (i % 7) as f32 / 1024.0).collect();
    let mut point = subject.at(&[Tensor::f32([1, n], values)], None).expect("the interface fits");
    for (model, fine) in [(ExecutionModel::HALF, true), (ExecutionModel::HALF_ACCUMULATOR, false)] {
        let arith = Half::new(model);
        let run = subject.program.run(&point.inputs, Constants::Stored, &arith).expect("it runs");
        let record = Execution {
            system: "interp-f16".to_string(),
            status: Status::Ok,
            outputs: run.outputs().map(|v| tensor(v, &arith)).collect(),
            taps: vec![],
            accelerated: None,
        };
        let verdict = point.precision(&record);
        assert_eq!(verdict.class.is_fine(), fine, "{verdict:?}");
    }
}

#[test]
fn one_truncated_element_is_a_wrong_constant() {
    let mut weights = exact(&WEIGHTS);
    // One step towards zero: what truncating 0.1 instead of rounding it could give.
    weights[0] = halfproof_oracle::half::next_down(halfproof_oracle::half::round(weights[0]));
    let answers = judged(&conversion(&model(&weights, &exact(&BIAS), 1.0)), &[]);
    let verdict = answer(&answers, Question::Constants);
    assert_eq!((verdict.class, verdict.blame), (Class::Constant, Blame::Converter));
    assert_eq!((verdict.place.tensor_index, verdict.place.element), (Some(1), Some(0)));
    // The semantics question puts the exact constants in their place, so it does not repeat the accusation.
    assert_eq!(answer(&answers, Question::Semantics).class, Class::Pass);
}

#[test]
fn a_recorded_rewrite_excuses_its_element_and_no_other() {
    let smallest = 2f64.powi(-14);
    for (rule, from, to) in [("raise-epsilon", 1e-6, smallest), ("clamp-constant", -1e30, -16384.0)] {
        let mut bias = exact(&BIAS);
        bias[1] = to;
        let mut conversion = conversion(&model(&exact(&WEIGHTS), &bias, 1.0));
        bias[1] = from;
        conversion.provenance.constants[1].exact = bias.into();
        let class = |c: &Conversion| answer(&judged(c, &[]), Question::Constants).class;
        assert_eq!(class(&conversion), Class::Constant);
        conversion.provenance.rewrites.push(Rewrite { at: "t2".into(), rule: rule.into(), from, to });
        assert_eq!(class(&conversion), Class::Pass);
        conversion.provenance.rewrites[0].from = from * 2.0;
        assert_eq!(class(&conversion), Class::Constant);
    }
}

#[test]
fn a_recorded_rewrite_excuses_nothing_that_its_rule_is_not_for() {
    let smallest = 2f64.powi(-14);
    let wrong = [
        ("raise-epsilon", 1e-6, 2.0 * smallest),
        ("raise-epsilon", -0.5, smallest),
        ("clamp-constant", -0.5, -16384.0),
        ("clamp-constant", -1e30, 16384.0),
        ("clamp-constant", -1e30, -1.0),
        ("anything", -0.5, -0.25),
    ];
    for (rule, from, to) in wrong {
        let mut bias = exact(&BIAS);
        bias[1] = to;
        let mut conversion = conversion(&model(&exact(&WEIGHTS), &bias, 1.0));
        bias[1] = from;
        conversion.provenance.constants[1].exact = bias.into();
        conversion.provenance.rewrites.push(Rewrite { at: "t2".into(), rule: rule.into(), from, to });
        assert_eq!(answer(&judged(&conversion, &[]), Question::Constants).class, Class::Constant, "{rule}");
    }
}

#[test]
fn a_wrong_beta_is_named_with_its_operator_and_source() {
    let answers = judged(&conversion(&model(&exact(&WEIGHTS), &exact(&BIAS), 1.001)), &[]);
    let verdict = answer(&answers, Question::Semantics);
    assert_eq!((verdict.class, verdict.blame), (Class::Semantics, Blame::Converter));
    assert_eq!(verdict.place.operator.as_deref(), Some("SOFTMAX"));
    assert_eq!(verdict.place.source.as_deref(), Some("z"));
    assert!(verdict.numbers.unwrap().ratio > 1e6);
}

#[test]
fn a_fault_that_the_outputs_hide_is_still_found_inside() {
    // Adding the same number to all scores of a row changes no probability.
    let mut bias = exact(&BIAS);
    bias.iter_mut().for_each(|b| *b += 1.0);
    let mut conversion = conversion(&model(&exact(&WEIGHTS), &bias, 1.0));
    conversion.provenance.constants[1].exact = bias.into();
    let verdict = answer(&judged(&conversion, &[]), Question::Semantics).clone();
    assert_eq!(verdict.class, Class::Semantics);
    assert_eq!(verdict.place.operator.as_deref(), Some("FULLY_CONNECTED"));
    assert!(verdict.notes.iter().any(|n| n.contains("hide")), "{verdict:?}");
}

#[test]
fn a_lost_rank_is_a_semantic_fault() {
    let mut b = Builder::new();
    let x = b.input(F16, &[2, 3]);
    let w = b.constant(&halves(&[2, 3], &exact(&WEIGHTS)));
    let bias = b.constant(&halves(&[2], &exact(&BIAS)));
    let y = b.op(Builtin::FullyConnected, &[x, w, bias], options::FullyConnected::default(), F16, &[2, 2]);
    let z = b.op(Builtin::Softmax, &[y], options::Softmax { beta: 1.0 }, F16, &[2, 2]);
    let shape = b.ints(&[1], &[4]);
    let flat = b.op(Builtin::Reshape, &[z, shape], Options::None, F16, &[4]);
    let verdict = answer(&judged(&conversion(&b.finish(&[flat])), &[]), Question::Semantics).clone();
    assert_eq!(verdict.class, Class::Semantics);
    assert!(verdict.text.contains("shape"), "{verdict:?}");
}

#[test]
fn a_bad_kernel_is_named_and_its_successors_are_not() {
    let conversion = conversion(&right());
    let mut run = execute(&conversion, "interp-f16", ExecutionModel::HALF);
    // The dense operator is wrong in one element; the softmax that follows is right for what it got.
    for (index, tap) in &mut run.taps {
        if let (3, Data::F16(v)) = (*index, &mut tap.data) {
            v[2] = f16::from_f64(v[2].to_f64() * 1.01);
        }
    }
    let verdict = answer(&judged(&conversion, &[run]), Question::Kernels).clone();
    assert_eq!((verdict.class, verdict.blame), (Class::Kernel, Blame::Kernel));
    assert_eq!(verdict.place.operator.as_deref(), Some("FULLY_CONNECTED"));
    assert_eq!(verdict.place.element, Some(2));
    assert!(verdict.numbers.unwrap().ratio > 1.0);
}

#[test]
fn an_output_outside_the_bound_is_a_precision_fault() {
    let conversion = conversion(&right());
    let mut run = execute(&conversion, "interp-f16", ExecutionModel::HALF);
    run.taps.clear();
    if let Data::F16(v) = &mut run.outputs[0].data {
        v[1] = f16::from_f64(v[1].to_f64() + 0.01);
    }
    let verdict = answer(&judged(&conversion, &[run]), Question::Precision).clone();
    assert_eq!((verdict.class, verdict.strength), (Class::Precision, Strength::Certified));
    assert_eq!(verdict.place.element, Some(1));
}

#[test]
fn a_nan_where_the_bound_is_finite_is_the_kernels() {
    let conversion = conversion(&right());
    let mut run = execute(&conversion, "interp-f16", ExecutionModel::HALF);
    run.taps.clear();
    if let Data::F16(v) = &mut run.outputs[0].data {
        v[0] = f16::NAN;
    }
    let verdict = answer(&judged(&conversion, &[run]), Question::Precision).clone();
    assert_eq!((verdict.class, verdict.blame), (Class::Nonfinite, Blame::Kernel));
}

#[test]
fn narrow_sums_are_held_to_their_own_contract() {
    let conversion = conversion(&right());
    let narrow = ExecutionModel { accumulator: Accumulator::F16, flush: true, ..ExecutionModel::HALF };
    let run = execute(&conversion, "interp-f16+acc16+ftz", narrow);
    for a in judged(&conversion, &[run]) {
        assert!(a.verdict.class.is_fine(), "{a:?}");
    }
}

#[test]
fn nothing_to_compare_is_not_a_pass() {
    let conversion = conversion(&right());
    let mut run = execute(&conversion, "interp-f16", ExecutionModel::HALF);
    run.taps.retain(|(t, _)| *t == 0);
    run.outputs.clear();
    let verdicts = judged(&conversion, &[run]);
    assert_eq!(answer(&verdicts, Question::Kernels).class, Class::Undecidable);
    assert_eq!(answer(&verdicts, Question::Precision).class, Class::Precision);
}

#[test]
fn crashes_timeouts_and_nondeterminism_have_their_classes() {
    let conversion = conversion(&right());
    let run = execute(&conversion, "interp-f16", ExecutionModel::HALF);
    let ended = |status| Execution { status, outputs: vec![], taps: vec![], ..run.clone() };
    for (status, class) in [
        (Status::Crashed { how: "signal 11".into() }, Class::Crash),
        (Status::Undone { text: "a shader does not compile".into() }, Class::Kernel),
        (Status::TimedOut, Class::Timeout),
        (Status::Cannot { why: "no float16 kernel".into() }, Class::Undecidable),
        (Status::Refused { stage: "prepare".into(), text: "no".into() }, Class::InvalidModel),
    ] {
        let answers = judged(&conversion, &[ended(status)]);
        assert_eq!(answer(&answers, Question::Execution).class, class);
    }
    assert_eq!(judge::nondeterminism(&run, &run), None);
    let mut other = run.clone();
    if let Data::F16(v) = &mut other.outputs[0].data {
        v[0] = f16::from_bits(v[0].to_bits() ^ 1);
    }
    assert_eq!(judge::nondeterminism(&run, &other).unwrap().class, Class::Nondeterminism);
}

#[test]
fn a_failed_check_of_a_dead_process_tells_its_crash_from_others() {
    let conversion = conversion(&right());
    let run = execute(&conversion, "interp-f16", ExecutionModel::HALF);
    let died = |how: &str| {
        let status = Status::Crashed { how: how.to_string() };
        judge::ended(&Execution { status, ..run.clone() }).unwrap().text
    };
    let log = "exit code 1 in Create: Warning: none; F0000 00:00:1795781666.491385 8617 model.cc:218] Check failed: !IsInput";
    assert_eq!(died(log), "the runtime's process died (Check failed: !IsInput)");
    let rejected = "SIGFPE in LiteRtRunCompiledModel: E0000 00:00:1 2 environment.cc:105] Validation error: The texture size is empty.; - While";
    assert_eq!(died(rejected), "the runtime's process died (The texture size is empty.)");
    assert_eq!(died("signal 11"), "the runtime's process died");
}

/// exp(x) - exp(x) + x overflows on the way for x = 12, and the result is 12.
#[test]
fn an_overflow_on_the_way_to_a_representable_result_is_the_policys() {
    let mut graph = Graph::new("overflow");
    let x = graph.add_input("x", DType::F32, &[2]);
    let e = graph.add_node(Op::Exp, &[x], "e");
    let l = graph.add_node(Op::Log, &[e], "l");
    graph.outputs.push(l);
    let mut b = Builder::new();
    let t = b.input(F16, &[2]);
    let e = b.op(Builtin::Exp, &[t], Options::None, F16, &[2]);
    let l = b.op(Builtin::Log, &[e], Options::None, F16, &[2]);
    let conversion = Conversion {
        model: tflite::write(&b.finish(&[l])),
        provenance: Provenance::default(),
        notes: vec![],
    };
    let request = request();
    let subject = Subject::new(&graph, &request, &conversion).unwrap();
    let mut point = subject.at(&[Tensor::f32([2], vec![1.0, 12.0])], None).unwrap();
    assert_eq!(point.semantics().class, Class::Pass);
    let arith = Half::default();
    let run = subject.program.run(&point.inputs, Constants::Stored, &arith).unwrap();
    let execution = Execution {
        system: "interp-f16".into(),
        status: Status::Ok,
        outputs: run.outputs().map(|v| tensor(v, &arith)).collect(),
        taps: vec![],
        accelerated: None,
    };
    let verdict = point.precision(&execution);
    assert_eq!((verdict.class, verdict.blame), (Class::Nonfinite, Blame::Policy));
    assert_eq!(verdict.place.element, Some(1));
}
