//! LiteRT's other front, the Interpreter of Python, as a runtime. Skipped, and loudly, when it is not installed.
#![expect(clippy::unwrap_used, reason = "tests")]

mod models;

use halfproof_ir::{DType, Data, Tensor};
use halfproof_oracle::record::Status;
use halfproof_systems::runtimes::litert::interpreter::PythonInterpreter;
use halfproof_systems::runtimes::litert::{LiteRt, Mode};
use halfproof_systems::worker::{Limits, Program};
use halfproof_systems::{Job, Runtime, Taps};
use halfproof_wire::tflite::{self, Builtin};
use models::chain;
use std::io::Write;

/// All modes, or none after saying so on standard error.
fn fronts() -> Vec<PythonInterpreter> {
    PythonInterpreter::all(Limits::default()).unwrap_or_else(|why| {
        // Not by a macro: those are captured when a test passes.
        std::io::stderr().write_all(format!("SKIPPED, nothing was tested: {why}\n").as_bytes()).unwrap();
        vec![]
    })
}

fn vector(data: &[f32]) -> Vec<Tensor> {
    vec![Tensor::f32(vec![1, data.len()], data.to_vec())]
}

#[test]
fn every_mode_runs_a_chain_as_the_other_front_does_bit_for_bit() {
    let model = tflite::write(&chain(&[Builtin::Neg, Builtin::Tanh, Builtin::Exp], DType::F32, 4));
    let inputs = vector(&[1.0, -2.0, 0.3, -0.0]);
    for mut front in fronts() {
        let run = front.run(&model, &inputs, Taps::None);
        assert_eq!(run.status, Status::Ok, "{}", front.name());
        assert_eq!(run.system, PythonInterpreter::name_of(front.mode()).unwrap());
        let worker = Program::new(env!("CARGO_BIN_EXE_halfproof-worker"), vec![]);
        let Ok(others) = LiteRt::all(worker, Limits::default()) else { continue };
        let mut other = others.into_iter().find(|r| r.mode() == front.mode()).unwrap();
        assert_eq!(run.outputs, other.run(&model, &inputs, Taps::None).outputs, "{}", front.name());
    }
}

#[test]
fn taps_show_every_intermediate_and_leave_the_outputs_alone() {
    let model = tflite::write(&chain(&[Builtin::Neg, Builtin::Tanh, Builtin::Relu], DType::F32, 4));
    let inputs = vector(&[1.0, -2.0, 0.5, 3.0]);
    for mut front in fronts() {
        let plain = front.run(&model, &inputs, Taps::None);
        for taps in [Taps::All, Taps::Checked] {
            let tapped = front.run(&model, &inputs, taps);
            assert_eq!(tapped.outputs, plain.outputs, "{}", front.name());
            let seen: Vec<u32> = tapped.taps.iter().map(|(t, _)| *t).collect();
            assert_eq!(seen, [1, 2, 3], "{}", front.name());
            assert_eq!(tapped.taps[0].1, vector(&[-1.0, 2.0, -0.5, -3.0])[0]);
            assert_eq!(tapped.taps[2].1, plain.outputs[0]);
        }
    }
}

#[test]
fn tensors_of_other_types_arrive_and_leave() {
    let half = |x: f32| ::half::f16::from_f32(x);
    let model = tflite::write(&chain(&[Builtin::Neg], DType::F16, 2));
    for mut front in fronts() {
        let inputs = [Tensor::new(vec![1, 2], Data::F16(vec![half(1.5), half(-3.0)]))];
        let run = front.run(&model, &inputs, Taps::None);
        let expected = Tensor::new(vec![1, 2], Data::F16(vec![half(-1.5), half(3.0)]));
        assert_eq!((run.status, run.outputs), (Status::Ok, vec![expected]), "{}", front.name());
    }
}

#[test]
fn refusals_keep_their_stage_and_known_ones_are_cannot() {
    for mut front in fronts() {
        let name = front.name().to_string();
        let run = front.run(b"this is no flatbuffer at all", &[], Taps::All);
        assert!(
            matches!(&run.status, Status::Refused { stage, .. } if stage == "load"),
            "{name}: {:?}",
            run.status
        );

        let run = front.run(&tflite::write(&models::misshapen()), &vector(&[1.0; 4]), Taps::None);
        assert!(
            matches!(&run.status, Status::Refused { stage, text } if stage == "prepare" && text.contains("failed to prepare")),
            "{name}: {:?}",
            run.status
        );

        let model = tflite::write(&chain(&[Builtin::Exp], DType::F16, 4));
        let inputs = [Tensor::new(vec![1, 4], Data::from_le_bytes(DType::F16, &[0; 8]).unwrap())];
        let run = front.run(&model, &inputs, Taps::None);
        match front.mode() {
            Mode::Xnnpack => assert_eq!(run.status, Status::Ok),
            _ => assert!(
                matches!(&run.status, Status::Cannot { why } if why.starts_with("EXP: ")),
                "{name}: {:?}",
                run.status
            ),
        }

        let model = tflite::write(&chain(&[Builtin::Neg], DType::F32, 4));
        let run = front.run(&model, &vector(&[1.0; 5]), Taps::None);
        assert!(
            matches!(&run.status, Status::Refused { stage, text } if stage == "inputs" && text.contains("[1, 4]")),
            "{name}: {:?}",
            run.status
        );
    }
}

#[test]
fn a_killed_worker_is_replaced() {
    let model = tflite::write(&chain(&[Builtin::Neg], DType::F32, 4));
    let Some(mut front) = fronts().into_iter().next() else { return };
    assert_eq!(front.run(&model, &vector(&[1.0; 4]), Taps::None).status, Status::Ok);
    let pid = i32::try_from(front.pool().idle_pids()[0]).unwrap();
    assert!(std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
    let sets = [vector(&[1.0; 4]), vector(&[2.0; 4])];
    let answers = front.run_all(&[Job { model: &model, sets: &sets, taps: Taps::All }]);
    let lost = &answers[0][1].status;
    assert!(matches!(lost, Status::Crashed { how } if how == "SIGKILL; not when run alone"), "{lost:?}");
    let next = front.run(&model, &vector(&[2.0; 4]), Taps::All);
    assert_eq!(next.outputs, vector(&[-2.0; 4]), "{next:?}");
}
