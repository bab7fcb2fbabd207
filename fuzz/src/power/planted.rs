//! A fault of one class that a system has wherever it meets one operator: a broken lowering of an ONNX operator, or a broken
//! kernel of a TFLite builtin at one element type. A campaign against it shows what one bug of a real system becomes.

use super::draft::{Draft, reach};
use super::faults::{FAULTS, Inject};
use super::runtime::{self, Scene};
use crate::generate::Stream;
use halfproof_ir::{Conversion, DType, Data, Request, Tensor};
use halfproof_oracle::arith::{ExecutionModel, Half};
use halfproof_oracle::record::{Execution, Status};
use halfproof_oracle::tflite::Program;
use halfproof_oracle::value::Value;
use halfproof_systems::capabilities::Capabilities;
use halfproof_systems::converters::in_tree::InTree;
use halfproof_systems::{Converter, Job, Outcome, Runtime, Source, Taps};
use halfproof_wire::tflite::{self, Builtin};
use std::fmt;

/// Where a fault sits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In how the converter writes this ONNX operator.
    Lowering(String),
    /// In how the runtime computes this builtin where its first result has this type.
    Kernel(Builtin, DType),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Lowering(operator) => write!(f, "lowering of {operator}"),
            Place::Kernel(builtin, dtype) => write!(f, "{} kernel of {}", dtype.short(), builtin.name()),
        }
    }
}

/// A fault, as data: the systems below have it.
#[derive(Clone, Debug)]
pub(super) struct Planted {
    /// Index into the table of classes.
    pub(super) class: usize,
    pub(super) place: Place,
    /// What the fault draws from, the same every time: one bug is wrong in one way.
    pub(super) seed: u64,
}

/// Our converter with the fault.
pub(super) struct BrokenConverter(pub(super) Planted);

impl BrokenConverter {
    /// The spoilt conversion; `None` where the fault does not apply.
    fn spoilt(&self, source: Source<'_>, request: &Request, right: &Conversion) -> Option<Conversion> {
        let (Inject::Model(inject), Place::Lowering(operator)) = (FAULTS[self.0.class].inject, &self.0.place)
        else {
            return None;
        };
        let model = tflite::read(&right.model).ok()?;
        let reach = reach(&model, &right.provenance, source.graph, operator);
        let mut draft = Draft {
            model,
            claim: &right.provenance,
            precision: request.precision,
            stream: Stream::new(self.0.seed),
            reach: Some(reach),
        };
        inject(&mut draft)?;
        Some(Conversion { model: draft.finish().ok()?, ..right.clone() })
    }
}

impl Converter for BrokenConverter {
    fn name(&self) -> &str {
        InTree.name()
    }

    fn version(&self) -> &str {
        "broken on purpose"
    }

    fn convert(&mut self, source: Source<'_>, request: &Request) -> Outcome {
        match InTree.convert(source, request) {
            Outcome::Converted(right) => {
                Outcome::Converted(self.spoilt(source, request, &right).unwrap_or(right))
            }
            other => other,
        }
    }
}

/// Our interpreter with the fault.
pub(super) struct BrokenRuntime {
    planted: Planted,
    capabilities: Capabilities,
}

/// Its name in records.
pub(super) const BROKEN: &str = "broken-runtime";

impl BrokenRuntime {
    pub(super) fn new(planted: Planted) -> BrokenRuntime {
        BrokenRuntime { planted, capabilities: Capabilities::default() }
    }

    /// The record of a run in which every operator of that kind is computed wrongly; `None` where the model does not run.
    fn execute(&self, model: &[u8], set: &[Tensor]) -> Option<Execution> {
        let (Inject::Execution(inject), &Place::Kernel(builtin, dtype)) =
            (FAULTS[self.planted.class].inject, &self.planted.place)
        else {
            return None;
        };
        let model = tflite::read(model).ok()?;
        let program = Program::new(&model).ok()?;
        let arith = Half::new(ExecutionModel::HALF);
        let mut tensors = runtime::execute(&program, set, &arith).ok()?;
        let earlier = runtime::execute(&program, &other(set), &arith).unwrap_or_else(|_| tensors.clone());
        for at in 0..program.operators().len() {
            if kernel(&program, at) != Some((builtin, dtype)) {
                continue;
            }
            let scene = Scene {
                model: &model,
                program: &program,
                arith: &arith,
                at,
                tensors: &tensors,
                earlier: &earlier,
            };
            let wrong: Option<Vec<Value<f32>>> = inject(&scene, &mut Stream::new(self.planted.seed));
            if let Some(wrong) = wrong {
                tensors = runtime::continued(&program, &tensors, at, wrong, &arith).ok()?;
            }
        }
        Some(runtime::record(BROKEN, &program, &tensors, &arith))
    }
}

/// Which kernel computes an operator.
pub(super) fn kernel(program: &Program, at: usize) -> Option<(Builtin, DType)> {
    let op = program.operators().nth(at)?;
    let (dtype, _) = program.form(*op.results.first()?)?;
    Some((op.builtin, dtype))
}

/// The inputs of the run before: the same numbers, negated.
fn other(set: &[Tensor]) -> Vec<Tensor> {
    let negated = |t: &Tensor| match &t.data {
        Data::F32(v) => Tensor::new(t.shape.clone(), Data::F32(v.iter().map(|x| -x).collect())),
        Data::F16(v) => Tensor::new(t.shape.clone(), Data::F16(v.iter().map(|&x| -x).collect())),
        _ => t.clone(),
    };
    set.iter().map(negated).collect()
}

impl Runtime for BrokenRuntime {
    fn name(&self) -> &str {
        BROKEN
    }

    fn version(&self) -> &str {
        "broken on purpose"
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn run_all(&mut self, jobs: &[Job<'_>]) -> Vec<Vec<Execution>> {
        let one = |model: &[u8], set: &[Tensor], taps: Taps| match self.execute(model, set) {
            Some(mut execution) => {
                if taps == Taps::None {
                    execution.taps.clear();
                }
                execution
            }
            None => Execution {
                system: BROKEN.to_string(),
                status: Status::Cannot { why: "the model does not run".to_string() },
                outputs: vec![],
                taps: vec![],
                accelerated: None,
            },
        };
        jobs.iter().map(|job| job.sets.iter().map(|set| one(job.model, set, job.taps)).collect()).collect()
    }
}
