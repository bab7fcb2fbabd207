//! Faults that are in no operator alone: which tensor has to be kept to put an output right.
#![expect(clippy::unwrap_used, reason = "tests")]

use halfproof_fuzz::localise::kept::{Fault, Kept, Run};
use halfproof_ir::Tensor;
use halfproof_oracle::record::{Execution, Status};
use halfproof_oracle::tflite::Program;
use halfproof_oracle::verdict::{Blame, Class, Numbers, Place, Strength, Verdict};
use halfproof_systems::capabilities::Capabilities;
use halfproof_systems::runtimes::litert::taps;
use halfproof_systems::{Job, Runtime, Taps};
use halfproof_wire::tflite::{self, Buffer, Builtin, Model, Operator, Options, SubGraph, TensorType};

/// NEG, TANH, ABS, SQUARE in a row: tensor 0 is the input, operator i writes tensor i + 1.
const CHAIN: [Builtin; 4] = [Builtin::Neg, Builtin::Tanh, Builtin::Abs, Builtin::Square];

fn chain() -> Model {
    let tensor = |name: usize| tflite::Tensor {
        name: format!("t{name}"),
        shape: vec![1],
        dtype: TensorType::Float32,
        has_rank: true,
        ..tflite::Tensor::default()
    };
    let operators = CHAIN
        .iter()
        .zip(0..)
        .map(|(&builtin, i): (_, i32)| Operator::builtin(builtin, [i], [i + 1], Options::None))
        .collect();
    let graph = SubGraph {
        name: "main".into(),
        tensors: (0..=CHAIN.len()).map(tensor).collect(),
        inputs: vec![0],
        outputs: vec![4],
        operators,
    };
    Model { version: 3, subgraphs: vec![graph], buffers: vec![Buffer::default()], ..Model::default() }
}

/// Says 1 where all is well and 0 otherwise.
struct Faulty {
    /// Whether a model with these outputs, by name, goes wrong.
    is_wrong: fn(model: &Model, outputs: &[&str]) -> bool,
    runs: usize,
}

impl Runtime for Faulty {
    fn name(&self) -> &str {
        "faulty"
    }

    fn version(&self) -> &str {
        "1"
    }

    fn capabilities(&self) -> &Capabilities {
        unreachable!("nobody asks")
    }

    fn run_all(&mut self, jobs: &[Job<'_>]) -> Vec<Vec<Execution>> {
        let one = |job: &Job<'_>| {
            self.runs += 1;
            let file = match job.taps {
                Taps::None => job.model.to_vec(),
                Taps::All | Taps::Checked => taps::expose(job.model).unwrap().model,
            };
            let model = tflite::read(&file).unwrap();
            let graph = model.main();
            let names: Vec<&str> =
                graph.outputs.iter().map(|&t| graph.tensors[t as usize].name.as_str()).collect();
            let value = Tensor::f32(vec![1], vec![f32::from(u8::from(!(self.is_wrong)(&model, &names)))]);
            let own = taps::interface(job.model).unwrap().outputs.len();
            let shown = if job.taps == Taps::None { 0..0 } else { 1..5 };
            vec![Execution {
                system: "faulty".into(),
                status: Status::Ok,
                outputs: vec![value.clone(); own],
                taps: shown.map(|t| (t, value.clone())).collect(),
                accelerated: None,
            }]
        };
        jobs.iter().map(one).collect()
    }
}

fn wrong_output() -> Verdict {
    let mut verdict = Verdict::new(Class::Precision, Blame::Kernel, Strength::Certified, "wrong");
    verdict.place = Place { tensor_index: Some(4), element: Some(0), ..Place::default() };
    verdict.numbers = Some(Numbers { expected: 1.0, actual: 0.0, low: 1.0, high: 1.0, ratio: f64::INFINITY });
    verdict
}

fn found(is_wrong: fn(&Model, &[&str]) -> bool) -> (Option<Fault>, Verdict, usize) {
    let model = chain();
    let program = Program::new(&model).unwrap();
    let bytes = tflite::write(&model);
    let mut runtime = Faulty { is_wrong, runs: 0 };
    let mut verdict = wrong_output();
    let inputs = [Tensor::f32(vec![1], vec![0.5])];
    let run = Run { model: &bytes, program: &program, inputs: &inputs };
    (run.explain(&mut runtime, &mut verdict), verdict, runtime.runs)
}

/// True where two operators stand one behind the other and the tensor in between is no output.
fn fuses(model: &Model, outputs: &[&str], middle: &str) -> bool {
    let graph = model.main();
    let number = graph.tensors.iter().zip(0..).find(|(t, _)| t.name == middle).map(|(_, i)| i);
    let (made, read) = number.map_or((false, false), |i| {
        let operators = || graph.operators.iter();
        (operators().any(|op| op.outputs.contains(&i)), operators().any(|op| op.inputs.contains(&i)))
    });
    made && read && !outputs.contains(&middle)
}

#[test]
fn two_operators_that_are_fused_wrongly_are_named() {
    let (fault, verdict, _) = found(|model, outputs| fuses(model, outputs, "t2"));
    assert_eq!(fault, Some(Fault::Pair(Kept { maker: 1, reader: 2 })));
    assert_eq!((verdict.class, verdict.blame), (Class::Kernel, Blame::Kernel));
    assert_eq!(verdict.text, "TANH and ABS are wrong together: right when the tensor in between is kept");
    assert_eq!(verdict.place.operator.as_deref(), Some("ABS"));
    assert_eq!(verdict.place.operator_index, Some(2));
}

#[test]
fn of_two_pairs_at_once_the_first_is_named() {
    let both = |model: &Model, outputs: &[&str]| fuses(model, outputs, "t1") || fuses(model, outputs, "t3");
    assert_eq!(found(both).0, Some(Fault::Pair(Kept { maker: 0, reader: 1 })));
}

#[test]
fn what_keeping_tensors_does_not_put_right_stays_as_it_was() {
    let (kept, verdict, runs) = found(|_, _| true);
    assert_eq!((kept, runs), (None, 1));
    assert_eq!(verdict, wrong_output());
}

#[test]
fn a_tensor_that_only_the_whole_model_needs_is_a_matter_of_memory() {
    let reuses =
        |model: &Model, outputs: &[&str]| model.main().operators.len() == 4 && !outputs.contains(&"t2");
    let (fault, verdict, _) = found(reuses);
    assert_eq!(fault, Some(Fault::Memory));
    assert_eq!(verdict.text, "an output is wrong and changes when intermediate tensors are kept");
    assert_eq!((verdict.class, verdict.place.operator), (Class::Precision, None));
}

/// What the pair of t2 reads is changed by t3 as well, whose own pair is right.
#[test]
fn of_several_tensors_that_help_the_one_of_a_wrong_pair_counts() {
    let wrong = |model: &Model, outputs: &[&str]| {
        let by_chance = outputs.contains(&"t3") && model.main().operators.len() == 4;
        fuses(model, outputs, "t2") && !by_chance
    };
    assert_eq!(found(wrong).0, Some(Fault::Pair(Kept { maker: 1, reader: 2 })));
}
