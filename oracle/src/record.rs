//! What a system did with a case: the judge sees records, never systems, so that any verdict can be recomputed later.

use halfproof_ir::Tensor;

/// How WebGPU says that it leaves out a command; LiteRT goes on and reports a success. What follows is the reason.
pub const REJECTION: &str = "Validation error: ";

/// How an execution ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Status {
    /// It ran to the end.
    Ok,
    /// The runtime refused the model or an operator, with its own words.
    Refused {
        /// `load`, `prepare` or `run`.
        stage: String,
        /// The runtime's text.
        text: String,
    },
    /// The runtime says that it ran the model, and logs that it did not: its outputs mean nothing.
    Undone {
        /// What it logs, without positions.
        text: String,
    },
    /// The process died.
    Crashed {
        /// Signal or exit code, and the last words.
        how: String,
    },
    /// No answer in time.
    TimedOut,
    /// The system is known not to support this, or is not installed.
    Cannot {
        /// Why.
        why: String,
    },
}

/// One system, one model, one set of inputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Execution {
    /// The system's name: `interp-f16`, `litert-xnnpack-fp16`…
    pub system: String,
    /// How it ended.
    pub status: Status,
    /// Outputs in interface order; empty unless `status` is `Ok`.
    pub outputs: Vec<Tensor>,
    /// Every tensor of subgraph 0 that was made visible, by index; empty when none was.
    pub taps: Vec<(u32, Tensor)>,
    /// True when the runtime says that its accelerated kernels took every operator; `None` where that means nothing.
    pub accelerated: Option<bool>,
}
