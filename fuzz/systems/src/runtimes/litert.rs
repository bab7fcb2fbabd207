//! Decides how a model runs in LiteRT: four modes of one library, in worker processes.

pub mod engine;
pub mod taps;

use crate::capabilities::Capabilities;
use crate::protocol::Job as WireJob;
use crate::worker::{Limits, Pool, Program};
use crate::{Job, Runtime, Unavailable, setup};
use halfproof_oracle::record::Execution;
use std::ffi::CStr;
use std::path::PathBuf;
use std::sync::Arc;

/// How LiteRT is asked to run a model on the CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// The reference kernels.
    Reference,
    /// The optimized builtin kernels, without a delegate.
    Builtin,
    /// XNNPACK in float32; what it does not take runs in the builtin kernels.
    Xnnpack,
    /// XNNPACK with float16 forced; what it does not take runs in the builtin kernels, in float32.
    XnnpackFp16,
}

impl Mode {
    /// All modes, in the order of tables and reports. The position is the mode's number in the protocol.
    pub const ALL: [Mode; 4] = [Mode::Reference, Mode::Builtin, Mode::Xnnpack, Mode::XnnpackFp16];

    /// The runtime's name in every report.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Reference => "litert-reference",
            Mode::Builtin => "litert-builtin",
            Mode::Xnnpack => "litert-xnnpack",
            Mode::XnnpackFp16 => "litert-xnnpack-fp16",
        }
    }

    /// The inverse of [`Mode::name`].
    pub fn from_name(name: &str) -> Option<Mode> {
        Mode::ALL.into_iter().find(|m| m.name() == name)
    }

    /// True when operators may be taken by XNNPACK.
    pub fn delegates(self) -> bool {
        matches!(self, Mode::Xnnpack | Mode::XnnpackFp16)
    }

    /// The payload of the CPU options. Flag 4 is FORCE_FP16.
    fn payload(self) -> &'static CStr {
        match self {
            Mode::Reference => c"num_threads = 1\nkernel_mode = \"reference\"\n",
            Mode::Builtin => c"num_threads = 1\nkernel_mode = \"builtin\"\n",
            Mode::Xnnpack => c"num_threads = 1\nkernel_mode = \"delegate\"\nflags = 0\n",
            Mode::XnnpackFp16 => c"num_threads = 1\nkernel_mode = \"delegate\"\nflags = 4\n",
        }
    }

    fn number(self) -> u8 {
        self as u8
    }
}

/// Finds the library: `HALFPROOF_LITERT` (a path), or where `cargo xtask setup litert` puts it.
///
/// # Errors
/// [`Unavailable`], with what to do.
pub fn locate() -> Result<PathBuf, Unavailable> {
    let (path, told) = match std::env::var_os("HALFPROOF_LITERT") {
        Some(path) => (PathBuf::from(path), true),
        None => (setup::litert_library(), false),
    };
    if path.is_file() {
        return Ok(path);
    }
    let why = match told {
        true => format!("HALFPROOF_LITERT names {}, which is no file", path.display()),
        false => "not installed: run `cargo xtask setup litert`".to_string(),
    };
    Err(Unavailable { system: "litert".to_string(), why })
}

/// One mode of LiteRT. Clones share their workers.
#[derive(Clone, Debug)]
pub struct LiteRt {
    mode: Mode,
    pool: Arc<Pool>,
    capabilities: Arc<Capabilities>,
}

impl LiteRt {
    /// All four modes over one pool of workers, which are started with `program`.
    ///
    /// # Errors
    /// [`Unavailable`] when the library is not installed.
    pub fn all(mut program: Program, limits: Limits) -> Result<Vec<LiteRt>, Unavailable> {
        let library = locate()?;
        program.args.extend(["litert".to_string(), "--library".to_string(), library.display().to_string()]);
        let pool = Arc::new(Pool::new(program, limits));
        let one = |mode: Mode| LiteRt {
            mode,
            pool: Arc::clone(&pool),
            capabilities: Arc::new(Capabilities::of_litert(mode)),
        };
        Ok(Mode::ALL.into_iter().map(one).collect())
    }

    /// The mode.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The workers.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }
}

impl Runtime for LiteRt {
    fn name(&self) -> &str {
        self.mode.name()
    }

    fn version(&self) -> &str {
        setup::LITERT_VERSION
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn run_all(&mut self, jobs: &[Job<'_>]) -> Vec<Vec<Execution>> {
        let mode = self.mode.number();
        let wire: Vec<WireJob<'_>> = jobs
            .iter()
            .map(|j| WireJob { mode, trace: false, taps: j.taps, model: j.model, sets: j.sets })
            .collect();
        let answers = self.pool.run(&wire);
        let record = |(job, outcomes): (&Job<'_>, Vec<crate::protocol::Outcome>)| {
            let executions = outcomes.into_iter().map(|o| o.into_execution(self.mode.name()));
            executions.map(|e| self.capabilities.excuse(job.model, e)).collect()
        };
        jobs.iter().zip(answers).map(record).collect()
    }
}
