//! Decides how a model runs in LiteRT: six modes of one library, in worker processes.

pub mod engine;
pub mod interpreter;
pub mod taps;

use crate::capabilities::Capabilities;
use crate::protocol::Job as WireJob;
use crate::worker::{Limits, Pool, Program};
use crate::{Job, Runtime, Unavailable, setup};
use halfproof_ir::Tensor;
use halfproof_oracle::record::{Execution, Status};
use std::ffi::CStr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How LiteRT is asked to run a model.
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
    /// The WebGPU accelerator in float32; what it does not take is refused.
    Gpu,
    /// The WebGPU accelerator in float16, as phones run it; what it does not take is refused.
    GpuFp16,
}

impl Mode {
    /// All modes, in the order of tables and reports. The position is the mode's number in the protocol.
    pub const ALL: [Mode; 6] =
        [Mode::Reference, Mode::Builtin, Mode::Xnnpack, Mode::XnnpackFp16, Mode::Gpu, Mode::GpuFp16];
    /// Those of the CPU.
    pub const CPU: [Mode; 4] = [Mode::Reference, Mode::Builtin, Mode::Xnnpack, Mode::XnnpackFp16];
    /// Those of the GPU.
    pub const GPU: [Mode; 2] = [Mode::Gpu, Mode::GpuFp16];

    /// The runtime's name in every report.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Reference => "litert-reference",
            Mode::Builtin => "litert-builtin",
            Mode::Xnnpack => "litert-xnnpack",
            Mode::XnnpackFp16 => "litert-xnnpack-fp16",
            Mode::Gpu => "litert-gpu",
            Mode::GpuFp16 => "litert-gpu-fp16",
        }
    }

    /// The inverse of [`Mode::name`].
    pub fn from_name(name: &str) -> Option<Mode> {
        Mode::ALL.into_iter().find(|m| m.name() == name)
    }

    /// True when operators may be taken by an accelerator.
    pub fn delegates(self) -> bool {
        !matches!(self, Mode::Reference | Mode::Builtin)
    }

    /// True for the modes of the GPU, which have workers of their own.
    pub fn is_gpu(self) -> bool {
        matches!(self, Mode::Gpu | Mode::GpuFp16)
    }

    /// The payload of the CPU options. Flag 4 is FORCE_FP16.
    fn cpu_payload(self) -> &'static CStr {
        match self {
            Mode::Reference => c"num_threads = 1\nkernel_mode = \"reference\"\n",
            Mode::Builtin | Mode::Gpu | Mode::GpuFp16 => c"num_threads = 1\nkernel_mode = \"builtin\"\n",
            Mode::Xnnpack => c"num_threads = 1\nkernel_mode = \"delegate\"\nflags = 0\n",
            Mode::XnnpackFp16 => c"num_threads = 1\nkernel_mode = \"delegate\"\nflags = 4\n",
        }
    }

    /// The payload of the GPU options, for the modes that have any: `LiteRtDelegatePrecision`.
    fn gpu_payload(self) -> Option<&'static CStr> {
        match self {
            Mode::Gpu => Some(c"precision = 2\n"),
            Mode::GpuFp16 => Some(c"precision = 1\n"),
            _ => None,
        }
    }

    /// The mode's number in the protocol.
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

const GPU_ADDRESSES: u64 = 32 << 30;
const GPU_TIME: Duration = Duration::from_secs(60);

/// The program that serves the library's models.
fn serving(mut program: Program) -> Result<Program, Unavailable> {
    let library = locate()?;
    program.args.extend(["litert".to_string(), "--library".to_string(), library.display().to_string()]);
    Ok(program)
}

/// One mode of LiteRT. Clones share their workers.
#[derive(Clone, Debug)]
pub struct LiteRt {
    mode: Mode,
    pool: Arc<Pool>,
    capabilities: Arc<Capabilities>,
}

impl LiteRt {
    /// The four modes of the CPU over one pool of workers, which are started with `program`.
    ///
    /// # Errors
    /// [`Unavailable`] when the library is not installed.
    pub fn all(program: Program, limits: Limits) -> Result<Vec<LiteRt>, Unavailable> {
        Ok(LiteRt::over(&Mode::CPU, serving(program)?, limits))
    }

    /// The two modes of the GPU, over workers of their own: Vulkan is the driver that the environment names
    /// (`VK_DRIVER_FILES` or `VK_ICD_FILENAMES`), else the software driver that `setup litert-gpu` unpacks.
    ///
    /// # Errors
    /// [`Unavailable`] when the library, its accelerator or a driver is not installed.
    pub fn gpu(program: Program, limits: Limits) -> Result<Vec<LiteRt>, Unavailable> {
        let missing = |why: String| Unavailable { system: "litert-gpu".to_string(), why };
        let absent = || missing("not installed: run `cargo xtask setup litert-gpu`".to_string());
        let mut program = serving(program).map_err(|_| absent())?;
        let accelerator = setup::gpu::accelerator();
        let folder = accelerator.parent().filter(|_| accelerator.is_file()).ok_or_else(absent)?;
        program.args.extend(["--accelerators".to_string(), folder.display().to_string()]);
        program.environment = setup::gpu::vulkan().map_err(missing)?;
        // The driver reserves far more addresses than it uses; the first shaders of a process take seconds to compile.
        let limits =
            Limits { memory_bytes: limits.memory_bytes.max(GPU_ADDRESSES), time: limits.time.max(GPU_TIME) };
        Ok(LiteRt::over(&Mode::GPU, program, limits))
    }

    fn over(modes: &[Mode], program: Program, limits: Limits) -> Vec<LiteRt> {
        let pool = Arc::new(Pool::new(program, limits));
        let one = |&mode: &Mode| LiteRt {
            mode,
            pool: Arc::clone(&pool),
            capabilities: Arc::new(Capabilities::of_litert(mode)),
        };
        modes.iter().map(one).collect()
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

/// An execution whose results mean something: shaders may be compiled as if there were no infinities and no NaNs (WGSL,
/// section "Differences from IEEE-754"), so that nothing is said of what they make of such inputs. A crash stays one.
fn of_numbers(execution: Execution, inputs: &[Tensor]) -> Execution {
    let is_number = |t: &Tensor| t.floats().is_none_or(|values| values.iter().all(|x| x.is_finite()));
    if execution.status != Status::Ok || inputs.iter().all(is_number) {
        return execution;
    }
    let why = "an input is infinite or NaN, which WGSL promises nothing about".to_string();
    Execution { status: Status::Cannot { why }, outputs: vec![], taps: vec![], ..execution }
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

    fn rarity(&self) -> u64 {
        // Every new graph is a new shader, which takes the driver a second to compile.
        if self.mode.is_gpu() { 32 } else { 1 }
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
            let excused = executions.map(|e| self.capabilities.excuse(job.model, e));
            excused
                .zip(job.sets)
                .map(|(e, set)| if self.mode.is_gpu() { of_numbers(e, set) } else { e })
                .collect()
        };
        jobs.iter().zip(answers).map(record).collect()
    }
}
