//! Decides how a model runs in LiteRT's other front, the Interpreter that most people call from Python: the same kernels,
//! another library, another way to plan memory and to apply delegates. Its workers are
//! `fuzz/systems/adapters/interpreter.py`.

use super::{Mode, taps};
use crate::capabilities::Capabilities;
use crate::protocol::{Job as WireJob, Outcome};
use crate::worker::{Limits, Pool, Program};
use crate::{Job, Runtime, Taps, Unavailable, setup};
use halfproof_oracle::record::Execution;
use std::sync::Arc;
use std::time::Duration;

/// One mode of the Interpreter. Clones share their workers.
#[derive(Clone, Debug)]
pub struct PythonInterpreter {
    mode: Mode,
    pool: Arc<Pool>,
    capabilities: Arc<Capabilities>,
}

/// A worker imports numpy and LiteRT before it greets.
const TIME: Duration = Duration::from_secs(60);

impl PythonInterpreter {
    /// The modes that this front has. XNNPACK is what it applies by itself; its options cannot be set from Python, so
    /// there is no forced float16.
    pub const MODES: [Mode; 3] = [Mode::Reference, Mode::Builtin, Mode::Xnnpack];

    /// The runtime's name in every report: that of the mode in the other front, and `-interpreter`.
    pub fn name_of(mode: Mode) -> Option<&'static str> {
        match mode {
            Mode::Reference => Some("litert-reference-interpreter"),
            Mode::Builtin => Some("litert-builtin-interpreter"),
            Mode::Xnnpack => Some("litert-xnnpack-interpreter"),
            Mode::XnnpackFp16 | Mode::Gpu | Mode::GpuFp16 => None,
        }
    }

    /// All modes over one pool of workers.
    ///
    /// # Errors
    /// [`Unavailable`] when its environment is not installed.
    pub fn all(limits: Limits) -> Result<Vec<PythonInterpreter>, Unavailable> {
        let python = setup::python::interpreter(setup::python::LITERT_INTERPRETER);
        if !python.is_file() {
            let why = "not installed: run `cargo xtask setup litert-interpreter`".to_string();
            return Err(Unavailable { system: setup::python::LITERT_INTERPRETER.to_string(), why });
        }
        let script = setup::python::adapters().join("interpreter.py");
        let program = Program::new(python, vec![script.display().to_string()]);
        let pool = Arc::new(Pool::new(program, Limits { time: limits.time.max(TIME), ..limits }));
        let one = |mode| PythonInterpreter {
            mode,
            pool: Arc::clone(&pool),
            capabilities: Arc::new(Capabilities::of_litert(mode)),
        };
        Ok(Self::MODES.map(one).to_vec())
    }

    /// The mode.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The workers.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Runs a file as it is; of a copy with taps, the outputs that are the original's and the taps come apart.
    fn attempt(&self, job: &Job<'_>, model: &[u8], patched: Option<&taps::Patched>) -> Vec<Outcome> {
        let wire =
            WireJob { mode: self.mode.number(), trace: false, taps: Taps::None, model, sets: job.sets };
        let mut outcomes = self.pool.run(&[wire]).remove(0);
        let own = taps::interface(job.model).map_or(0, |i| i.outputs.len());
        if let Some(patched) = patched {
            for outcome in &mut outcomes {
                let value = |t: &u32| {
                    let at = patched.outputs.iter().position(|output| output == t)?;
                    Some((*t, outcome.outputs.get(at)?.clone()))
                };
                outcome.taps = patched.visible.iter().filter_map(value).collect();
                outcome.outputs.truncate(own);
            }
        }
        outcomes
    }
}

impl Runtime for PythonInterpreter {
    fn name(&self) -> &str {
        Self::name_of(self.mode).unwrap_or_else(|| self.mode.name())
    }

    fn version(&self) -> &str {
        setup::LITERT_VERSION
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn run_all(&mut self, jobs: &[Job<'_>]) -> Vec<Vec<Execution>> {
        let one = |job: &Job<'_>| {
            let outcomes = taps::run(job.taps, job.model, |model, patched| self.attempt(job, model, patched));
            let executions = outcomes.into_iter().map(|o| o.into_execution(self.name()));
            executions.map(|e| self.capabilities.excuse(job.model, e)).collect()
        };
        jobs.iter().map(one).collect()
    }
}
