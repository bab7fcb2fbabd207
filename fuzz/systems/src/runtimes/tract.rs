//! Decides how tract-onnx votes: .onnx bytes in, float32 on the CPU, in a worker process of its own. It takes minutes to
//! build, so `cargo xtask setup tract` builds it on request.

use crate::capabilities::Capabilities;
use crate::protocol::{Job as WireJob, Outcome};
use crate::worker::{Limits, Pool, Program};
use crate::{Job, Runtime, Taps, Unavailable, setup};
use halfproof_oracle::record::Execution;
use std::path::PathBuf;
use std::sync::Arc;

/// Finds the worker: `HALFPROOF_TRACT` (a path), or where `cargo xtask setup tract` puts it.
///
/// # Errors
/// [`Unavailable`], with what to do.
pub fn locate() -> Result<PathBuf, Unavailable> {
    let unavailable = |why| Unavailable { system: "tract".to_string(), why };
    match std::env::var_os("HALFPROOF_TRACT").map(PathBuf::from) {
        Some(path) if path.is_file() => Ok(path),
        Some(path) => Err(unavailable(format!("HALFPROOF_TRACT names {}, which is no file", path.display()))),
        None if setup::tract_worker().is_file() => Ok(setup::tract_worker()),
        None => Err(unavailable("not installed: run `cargo xtask setup tract`".to_string())),
    }
}

/// tract-onnx. Clones share their workers.
#[derive(Clone, Debug)]
pub struct Tract {
    pool: Arc<Pool>,
    capabilities: Capabilities,
}

impl Tract {
    /// Over a pool of its own.
    ///
    /// # Errors
    /// [`Unavailable`] when its worker is not built.
    pub fn new(limits: Limits) -> Result<Tract, Unavailable> {
        let program = Program::new(locate()?, vec![]);
        Ok(Tract { pool: Arc::new(Pool::new(program, limits)), capabilities: Capabilities::default() })
    }
}

impl Runtime for Tract {
    fn name(&self) -> &str {
        "tract"
    }

    fn version(&self) -> &str {
        setup::TRACT_VERSION
    }

    fn runs_source(&self) -> bool {
        true
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// Models are .onnx bytes here, and there are no taps.
    fn run_all(&mut self, jobs: &[Job<'_>]) -> Vec<Vec<Execution>> {
        let wire: Vec<WireJob<'_>> = jobs
            .iter()
            .map(|j| WireJob { mode: 0, trace: false, taps: Taps::None, model: j.model, sets: j.sets })
            .collect();
        let record =
            |outcomes: Vec<Outcome>| outcomes.into_iter().map(|o| o.into_execution("tract")).collect();
        self.pool.run(&wire).into_iter().map(record).collect()
    }
}
