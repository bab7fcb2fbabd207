//! Decides how our own interpreter appears as a runtime: `interp-f16` (float16 storage and results, float32 sums) and
//! `interp-f32` (float32 arithmetic, FLOAT16 only where tensors are).

use crate::capabilities::Capabilities;
use crate::{Job, Runtime, Taps};
use halfproof_ir::Tensor;
use halfproof_oracle::arith::half::{ExecutionModel, Half};
use halfproof_oracle::record::{Execution, Status};
use halfproof_oracle::tflite::{self as dialect, Constants, Kind, Program};
use halfproof_wire::tflite;

/// The interpreter under one execution model.
#[derive(Clone, Debug)]
pub struct Interpreter {
    name: &'static str,
    arith: Half,
    capabilities: Capabilities,
}

impl Interpreter {
    /// `interp-f16`.
    pub fn f16() -> Interpreter {
        Interpreter::new("interp-f16", ExecutionModel::HALF)
    }

    /// `interp-f32`.
    pub fn f32() -> Interpreter {
        Interpreter::new("interp-f32", ExecutionModel::SINGLE)
    }

    /// Under any execution model, with a name for the records.
    pub fn new(name: &'static str, model: ExecutionModel) -> Interpreter {
        Interpreter { name, arith: Half::new(model), capabilities: Capabilities::default() }
    }

    fn execution(&self, status: Status) -> Execution {
        Execution { system: self.name.to_string(), status, outputs: vec![], taps: vec![], accelerated: None }
    }

    /// Runs a program that is already planned.
    pub fn execute(&self, program: &Program, set: &[Tensor], taps: Taps) -> Execution {
        let refused = |text: String| self.execution(Status::Refused { stage: "run".to_string(), text });
        let tensor = |value| dialect::tensor(value, &self.arith);
        if taps == Taps::None {
            return match program.results(set, Constants::Stored, &self.arith) {
                Ok(values) => {
                    Execution { outputs: values.iter().map(tensor).collect(), ..self.execution(Status::Ok) }
                }
                Err(e) => refused(e.to_string()),
            };
        }
        match program.run(set, Constants::Stored, &self.arith) {
            Ok(run) => {
                let mut results: Vec<u32> =
                    program.operators().flat_map(|o| o.results.iter().copied()).collect();
                results.sort_unstable();
                results.dedup();
                let shown = |t: u32| Some(tensor(run.tensors.get(t as usize)?.as_ref()?));
                let taps: Vec<(u32, Tensor)> =
                    results.into_iter().filter_map(|t| Some((t, shown(t)?))).collect();
                let output = |t: &u32| match taps.binary_search_by_key(t, |(tap, _)| *tap) {
                    Ok(at) => Some(taps[at].1.clone()),
                    Err(_) => shown(*t),
                };
                Execution {
                    outputs: program.outputs().iter().filter_map(output).collect(),
                    taps,
                    ..self.execution(Status::Ok)
                }
            }
            Err(e) => refused(e.to_string()),
        }
    }
}

impl Runtime for Interpreter {
    fn name(&self) -> &str {
        self.name
    }

    fn version(&self) -> &str {
        env!("CARGO_PKG_VERSION")
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn run_all(&mut self, jobs: &[Job<'_>]) -> Vec<Vec<Execution>> {
        let run = |job: &Job<'_>| {
            let planned = tflite::read(job.model).map_err(|e| ("load", e.to_string())).and_then(|model| {
                Program::new(&model).map_err(|e| match e.kind() {
                    Kind::Unsupported => ("cannot", e.to_string()),
                    Kind::Malformed | Kind::Unwritten => ("prepare", e.to_string()),
                })
            });
            let program = match planned {
                Ok(program) => program,
                Err((stage, text)) => {
                    let status = match stage {
                        "cannot" => Status::Cannot { why: text },
                        stage => Status::Refused { stage: stage.to_string(), text },
                    };
                    return job.sets.iter().map(|_| self.execution(status.clone())).collect();
                }
            };
            job.sets.iter().map(|set| self.execute(&program, set, job.taps)).collect()
        };
        jobs.iter().map(run).collect()
    }
}
