//! LiteRT in its worker: what runs, what is refused, and what happens when the worker dies. Skipped, and loudly, when
//! LiteRT is not installed.

mod models;

use halfproof_ir::{DType, Tensor};
use halfproof_oracle::record::Status;
use halfproof_systems::runtimes::litert::{LiteRt, Mode};
use halfproof_systems::worker::{Limits, Program};
use halfproof_systems::{Job, Runtime, Taps};
use halfproof_wire::tflite::{self, Builtin};
use models::chain;
use std::io::Write;

fn program() -> Program {
    Program::new(env!("CARGO_BIN_EXE_halfproof-worker"), vec![])
}

/// All modes, or `None` after saying so on standard error.
#[expect(clippy::unwrap_used, reason = "a test")]
fn litert(limits: Limits) -> Option<Vec<LiteRt>> {
    match LiteRt::all(program(), limits) {
        Ok(modes) => Some(modes),
        Err(why) => {
            // Not by a macro: those are captured when a test passes.
            std::io::stderr().write_all(format!("SKIPPED, nothing was tested: {why}\n").as_bytes()).unwrap();
            None
        }
    }
}

fn vector(data: &[f32]) -> Vec<Tensor> {
    vec![Tensor::f32(vec![1, data.len()], data.to_vec())]
}

#[test]
fn every_mode_runs_a_chain_and_agrees() {
    let Some(modes) = litert(Limits::default()) else { return };
    let model = tflite::write(&chain(&[Builtin::Neg, Builtin::Relu], DType::F32, 4));
    for mut runtime in modes {
        let run = runtime.run(&model, &vector(&[1.0, -2.0, 0.5, -0.0]), Taps::None);
        assert_eq!(run.status, Status::Ok, "{}", runtime.name());
        assert_eq!(run.system, runtime.name());
        assert_eq!(run.outputs, vector(&[0.0, 2.0, 0.0, 0.0]), "{}", runtime.name());
        assert_eq!(run.accelerated, runtime.mode().delegates().then_some(true), "{}", runtime.name());
        assert!(run.taps.is_empty());
    }
}

#[test]
fn taps_show_every_intermediate_and_leave_the_outputs_alone() {
    let Some(modes) = litert(Limits::default()) else { return };
    let model = tflite::write(&chain(&[Builtin::Neg, Builtin::Tanh, Builtin::Relu], DType::F32, 4));
    let inputs = vector(&[1.0, -2.0, 0.5, 3.0]);
    for mut runtime in modes {
        let plain = runtime.run(&model, &inputs, Taps::None);
        for taps in [Taps::All, Taps::Checked] {
            let tapped = runtime.run(&model, &inputs, taps);
            assert_eq!(tapped.outputs, plain.outputs, "{}", runtime.name());
            let seen: Vec<u32> = tapped.taps.iter().map(|(t, _)| *t).collect();
            assert_eq!(seen, [1, 2, 3], "{}", runtime.name());
            assert_eq!(tapped.taps[0].1, vector(&[-1.0, 2.0, -0.5, -3.0])[0]);
            assert_eq!(tapped.taps[2].1, plain.outputs[0]);
        }
    }
}

#[test]
fn float16_is_forced_only_where_it_was_asked_for() {
    let Some(modes) = litert(Limits::default()) else { return };
    let model = tflite::write(&chain(&[Builtin::Tanh], DType::F32, 4));
    for mut runtime in modes {
        let run = runtime.run(&model, &vector(&[0.1, 0.2, 0.3, 0.7]), Taps::None);
        let on_grid =
            run.outputs[0].floats().unwrap().iter().all(|&x| halfproof_oracle::half::is_representable(x));
        assert_eq!(on_grid, runtime.mode() == Mode::XnnpackFp16, "{}", runtime.name());
    }
}

#[test]
fn a_known_refusal_is_cannot_and_says_why() {
    let Some(modes) = litert(Limits::default()) else { return };
    let model = tflite::write(&chain(&[Builtin::Exp], DType::F16, 4));
    let half = halfproof_ir::Data::from_le_bytes(DType::F16, &[0; 8]).unwrap();
    let inputs = vec![Tensor::new(vec![1, 4], half)];
    for mut runtime in modes {
        let run = runtime.run(&model, &inputs, Taps::None);
        let predicted = runtime.capabilities().cannot(&tflite::read(&model).unwrap());
        if runtime.mode().delegates() {
            assert_eq!((run.status, predicted), (Status::Ok, None), "{}", runtime.name());
        } else {
            assert!(
                matches!(&run.status, Status::Cannot { why } if why.starts_with("EXP: ") && why.contains("Type 10")),
                "{}: {:?}",
                runtime.name(),
                run.status
            );
            assert!(predicted.is_some());
        }
    }
}

#[test]
fn an_unknown_refusal_keeps_its_stage_and_words() {
    let Some(modes) = litert(Limits::default()) else { return };
    for mut runtime in modes {
        let run = runtime.run(b"this is no flatbuffer at all", &[], Taps::All);
        assert!(
            matches!(&run.status, Status::Refused { stage, text } if stage == "load" && text.contains("InvalidFlatbuffer")),
            "{:?}",
            run.status
        );
        let run = runtime.run(&tflite::write(&models::misshapen()), &vector(&[1.0; 4]), Taps::None);
        assert!(
            matches!(&run.status, Status::Refused { stage, text } if stage == "prepare" && text.contains("failed to prepare")),
            "{:?}",
            run.status
        );
    }
}

#[test]
fn inputs_of_the_wrong_shape_are_refused_before_they_are_written() {
    let Some(modes) = litert(Limits::default()) else { return };
    let model = tflite::write(&chain(&[Builtin::Neg], DType::F32, 4));
    for mut runtime in modes {
        let run = runtime.run(&model, &vector(&[1.0; 5]), Taps::None);
        assert!(
            matches!(&run.status, Status::Refused { stage, text } if stage == "inputs" && text.contains("[1, 4]")),
            "{:?}",
            run.status
        );
    }
}

#[test]
fn many_jobs_and_sets_come_back_in_order() {
    let Some(modes) = litert(Limits::default()) else { return };
    let model = tflite::write(&chain(&[Builtin::Neg], DType::F32, 1));
    let sets: Vec<Vec<_>> =
        (0..50).map(|job| (0..3).map(|set| vector(&[(job * 3 + set) as f32])).collect()).collect();
    let jobs: Vec<Job<'_>> = sets.iter().map(|sets| Job { model: &model, sets, taps: Taps::None }).collect();
    for mut runtime in modes {
        let answers = runtime.run_all(&jobs);
        let got: Vec<f64> = answers.iter().flatten().flat_map(|e| e.outputs[0].floats().unwrap()).collect();
        let expected: Vec<f64> = (0..150).map(|i| -f64::from(i)).collect();
        assert_eq!(got, expected, "{}", runtime.name());
    }
}

#[test]
fn a_model_that_kills_the_worker_is_a_crash_and_its_neighbors_are_answered() {
    let Some(modes) = litert(Limits::default()) else { return };
    let good = tflite::write(&chain(&[Builtin::Neg], DType::F32, 4));
    let bad = tflite::write(&models::confused_signature());
    let sets = [vector(&[1.0; 4])];
    let jobs = [&good, &bad, &good, &bad, &good].map(|model| Job { model, sets: &sets, taps: Taps::None });
    for mut runtime in modes {
        let first = runtime.run_all(&jobs);
        for (i, answer) in first.iter().enumerate() {
            if i % 2 == 0 {
                assert_eq!(answer[0].status, Status::Ok, "job {i}");
            } else {
                assert!(
                    matches!(&answer[0].status, Status::Crashed { how } if how.starts_with("SIGABRT in LiteRt") && how.contains("logic_error")),
                    "job {i}: {:?}",
                    answer[0].status
                );
            }
        }
        assert_eq!(runtime.run_all(&jobs), first, "a death reads the same every time");
    }
}

#[test]
fn workers_are_not_in_the_group_that_a_terminal_interrupts() {
    let Some(mut modes) = litert(Limits::default()) else { return };
    let model = tflite::write(&chain(&[Builtin::Neg], DType::F32, 4));
    let runtime = &mut modes[1];
    runtime.run(&model, &vector(&[1.0; 4]), Taps::None);
    for pid in runtime.pool().idle_pids() {
        let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap());
        assert_ne!(rustix::process::getpgid(pid).unwrap(), rustix::process::getpgid(None).unwrap());
    }
}

#[test]
fn a_worker_killed_from_outside_is_replaced() {
    let Some(mut modes) = litert(Limits::default()) else { return };
    let model = tflite::write(&chain(&[Builtin::Neg], DType::F32, 4));
    let runtime = &mut modes[1];
    assert_eq!(runtime.run(&model, &vector(&[1.0; 4]), Taps::None).status, Status::Ok);
    for pid in runtime.pool().idle_pids() {
        let killed = std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap();
        assert!(killed.success());
    }
    let run = runtime.run(&model, &vector(&[1.0; 4]), Taps::None);
    // The job was not at fault, and alone it runs.
    assert!(
        matches!(&run.status, Status::Crashed { how } if how.contains("SIGKILL") && how.ends_with("not when run alone")),
        "{:?}",
        run.status
    );
    assert_eq!(runtime.pool().deaths(), 1);
    assert_eq!(runtime.run(&model, &vector(&[1.0; 4]), Taps::None).status, Status::Ok);
}

#[test]
fn a_model_that_wants_all_memory_does_not_get_it() {
    let Some(modes) = litert(Limits { memory_bytes: 512 << 20, ..Limits::default() }) else { return };
    // 8 GB per tensor.
    let model = tflite::write(&models::broadcast_to(&[1 << 11, 1 << 20]));
    for mut runtime in modes {
        let run = runtime.run(&model, &[Tensor::f32(vec![1], vec![1.0])], Taps::None);
        assert!(!matches!(run.status, Status::Ok), "{:?}", run.status);
        let small = tflite::write(&chain(&[Builtin::Neg], DType::F32, 4));
        assert_eq!(runtime.run(&small, &vector(&[1.0; 4]), Taps::None).status, Status::Ok);
    }
}

#[test]
fn a_model_that_takes_too_long_is_a_timeout() {
    let Some(modes) = litert(Limits { time: std::time::Duration::from_millis(300), ..Limits::default() })
    else {
        return;
    };
    let model = tflite::write(&models::endless());
    for mut runtime in modes {
        let run = runtime.run(&model, &[Tensor::new(vec![1], halfproof_ir::Data::I32(vec![1]))], Taps::None);
        assert_eq!(run.status, Status::TimedOut, "{}", runtime.name());
    }
}
