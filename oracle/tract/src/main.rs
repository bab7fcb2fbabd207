//! The worker process of tract-onnx: .onnx models in, float32 results out, over the protocol of `halfproof-systems`.
//!
//! tract is a voter, not the truth: its results are held to the f64 reference under a float32 contract like those of
//! any other runtime. Mode 0 runs the typed graph as it was written, mode 1 the optimized one.

mod tensor;

use halfproof_ir::Tensor;
use halfproof_oracle::record::Status;
use halfproof_systems::protocol::{Outcome, OwnedJob};
use halfproof_systems::serve::{Engine, OwnLimits, serve};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::format_err;

fn main() -> std::io::Result<()> {
    serve(OwnLimits::from_args(std::env::args().skip(1)), || Ok(Tract))
}

struct Tract;

/// A refusal: the stage, and tract's words.
type Refused = (&'static str, TractError);

impl Engine for Tract {
    fn run(&mut self, job: &OwnedJob<'_>) -> Vec<Outcome> {
        job.sets.iter().map(|set| guarded(job, set)).collect()
    }
}

/// A panic of tract is a crash of tract, not of its worker.
fn guarded(job: &OwnedJob<'_>, set: &[Tensor]) -> Outcome {
    match catch_unwind(AssertUnwindSafe(|| execute(job, set))) {
        Ok(Ok(outputs)) => Outcome { outputs, ..Outcome::of(Status::Ok) },
        Ok(Err((stage, error))) => {
            Outcome::of(Status::Refused { stage: stage.to_string(), text: format!("{error:#}") })
        }
        Err(panic) => {
            let words = panic.downcast_ref::<&str>().map(ToString::to_string);
            let words = words.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
            Outcome::of(Status::Crashed { how: format!("panic: {words}") })
        }
    }
}

fn execute(job: &OwnedJob<'_>, set: &[Tensor]) -> Result<Vec<Tensor>, Refused> {
    let model = plan(job, set)?;
    let inputs = set.iter().map(|t| Ok(tensor::to_tract(t)?.into())).collect::<TractResult<TVec<TValue>>>();
    let outputs = model.run(inputs.map_err(|e| ("inputs", e))?).map_err(|e| ("run", e))?;
    outputs.iter().map(|t| tensor::from_tract(t)).collect::<TractResult<_>>().map_err(|e| ("outputs", e))
}

/// The model with the shapes of the given inputs.
fn plan(job: &OwnedJob<'_>, set: &[Tensor]) -> Result<Arc<TypedRunnableModel>, Refused> {
    let mut model = onnx().model_for_read(&mut &*job.model).map_err(|e| ("load", e))?;
    let count = model.input_outlets().map_err(|e| ("load", e))?.len();
    if count != set.len() {
        return Err(("inputs", format_err!("the model has {count} inputs, {} were given", set.len())));
    }
    for (at, given) in set.iter().enumerate() {
        let fact = InferenceFact::dt_shape(tensor::datum_type(given.dtype()), &given.shape);
        model.set_input_fact(at, fact).map_err(|e| ("inputs", e))?;
    }
    let typed = if job.mode == 1 { model.into_optimized() } else { model.into_typed() };
    typed.and_then(IntoRunnable::into_runnable).map_err(|e| ("prepare", e))
}
