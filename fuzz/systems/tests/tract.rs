//! tract in its worker: what its float32 functions are worth, and what happens to what it does not know. Skipped, and
//! loudly, when tract is not built (`cargo xtask setup tract`).

use halfproof_ir::{DType, Data, Graph, Tensor, text};
use halfproof_oracle::judge::{Reference, second_opinion};
use halfproof_oracle::record::{Execution, Status};
use halfproof_oracle::verdict::{Class, Strength};
use halfproof_systems::runtimes::tract::Tract;
use halfproof_systems::worker::Limits;
use halfproof_systems::{Runtime, Taps};
use halfproof_wire::onnx::{self, Opset};
use std::io::Write;

#[expect(clippy::unwrap_used, reason = "a test")]
fn tract() -> Option<Tract> {
    match Tract::new(Limits::default()) {
        Ok(tract) => Some(tract),
        Err(why) => {
            std::io::stderr().write_all(format!("SKIPPED, nothing was tested: {why}\n").as_bytes()).unwrap();
            None
        }
    }
}

/// Runs a source program on inputs and asks for the second opinion.
#[expect(clippy::unwrap_used, reason = "a test")]
fn opinion(
    tract: &mut Tract,
    graph: &Graph,
    inputs: &[Tensor],
) -> (Execution, halfproof_oracle::verdict::Verdict) {
    let bytes = onnx::write(graph, Opset::of(graph)).unwrap();
    let reference = Reference::new(graph, inputs).unwrap();
    let execution = tract.run(&bytes, inputs, Taps::None);
    assert_eq!(execution.status, Status::Ok, "{:?}", execution.status);
    let verdict = second_opinion(&reference, graph, &execution);
    (execution, verdict)
}

/// Every float16 number between two magnitudes, with both signs, as float32.
fn arguments(least: f32, greatest: f32) -> Tensor {
    let all = (0..=u16::MAX).map(half::f16::from_bits).map(|x| x.to_f32());
    let kept: Vec<f32> = all.filter(|x| (least..=greatest).contains(&x.abs())).collect();
    Tensor::f32([kept.len()], kept)
}

/// `y = FUNCTION(x)` over all those arguments agrees with the reference under tract's contract.
#[expect(clippy::unwrap_used, reason = "a test")]
fn sweep(call: &str, arguments: &Tensor) {
    let Some(mut tract) = tract() else { return };
    let arguments = match call.starts_with("Log") || call.starts_with("Sqrt") {
        true => {
            let positive: Vec<f32> = arguments.floats().unwrap().iter().map(|x| x.abs() as f32).collect();
            Tensor::f32([positive.len()], positive)
        }
        false => arguments.clone(),
    };
    let source = format!("x = input f32[{}]\ny = {call}\noutput y", arguments.len());
    let graph = text::parse(&source).unwrap();
    let (_, verdict) = opinion(&mut tract, &graph, &[arguments]);
    assert_eq!(verdict.class, Class::Pass, "{call}: {} {:?}", verdict.text, verdict.numbers);
    assert!(verdict.judged > 1000);
}

#[test]
fn functions_stay_within_what_their_contract_allows() {
    let everywhere = arguments(0.0, 60.0);
    for call in [
        "Sigmoid(x)",
        "Tanh(x)",
        "Erf(x)",
        "Exp(x)",
        "Log(x)",
        "Sqrt(x)",
        "Sin(x)",
        "Cos(x)",
        "Softplus(x)",
        "Elu(x)",
        "HardSwish(x)",
        "Mish(x)",
        "Gelu(x)",
    ] {
        sweep(call, &everywhere);
    }
}

#[test]
fn a_wrong_reference_would_be_noticed() {
    let Some(mut tract) = tract() else { return };
    let right = text::parse("x = input f32[4]\ny = Relu(x)\noutput y").expect("a graph");
    let wrong = text::parse("x = input f32[4]\ny = Abs(x)\noutput y").expect("a graph");
    let inputs = [Tensor::f32([4], vec![1.0, -2.0, 0.5, 3.0])];
    let (execution, verdict) = opinion(&mut tract, &right, &inputs);
    assert_eq!((verdict.class, verdict.judged), (Class::Pass, 4));
    let reference = Reference::new(&wrong, &inputs).expect("a reference");
    let verdict = second_opinion(&reference, &wrong, &execution);
    // Somebody is wrong, and nobody can say who: never by itself red.
    assert_eq!((verdict.class, verdict.strength), (Class::Kernel, Strength::Unknown));
}

#[test]
fn what_tract_does_not_know_is_refused_and_the_worker_lives_on() {
    let Some(mut tract) = tract() else { return };
    let strange = "x = input f32[2]\np = const i64[2] {1, 1}\ny = Pad(x, p) mode=\"wrap\"\noutput y";
    let strange = text::parse(strange).expect("a graph");
    let bytes = onnx::write(&strange, Opset::of(&strange)).expect("bytes");
    let run = tract.run(&bytes, &[Tensor::f32([2], vec![0.0, 1.0])], Taps::None);
    assert!(matches!(run.status, Status::Refused { .. }), "{:?}", run.status);
    let graph = text::parse("x = input i64[2]\ny = Add(x, x)\noutput y").expect("a graph");
    let inputs = [Tensor::new(vec![2], Data::I64(vec![3, -4]))];
    let (execution, verdict) = opinion(&mut tract, &graph, &inputs);
    assert_eq!((verdict.class, execution.outputs[0].dtype()), (Class::Pass, DType::I64));
}
