//! Decides what the LiteRT worker does with one job: compile once, then write, run and read per input set.

use super::{Mode, taps};
use crate::ffi::{self, Buffer, CallError, Compiled, Environment, Library, Model, Options, Port, TensorType};
use crate::protocol::{Outcome, OwnedJob};
use crate::serve::{Engine, Log, OwnLimits, serve};
use crate::setup;
use halfproof_ir::{Data, Tensor};
use halfproof_oracle::record::{REJECTION, Status};
use std::ffi::CString;
use std::io;
use std::path::Path;

/// The worker's main function; its arguments are `--library PATH`, `--accelerators FOLDER` for the GPU, and the limits.
///
/// # Errors
/// When the caller is gone in the middle of a message, or the system gives no thread.
pub fn main(args: &[String]) -> io::Result<()> {
    let limits = OwnLimits::from_args(args.iter().cloned());
    let named = |name: &str| args.iter().position(|a| a == name).and_then(|at| args.get(at + 1)).cloned();
    let (library, accelerators) = (named("--library"), named("--accelerators"));
    let (send, receive) = std::sync::mpsc::channel();
    ffi::on_bare_thread(move || {
        // A send fails only when nobody waits any more.
        let _ = send.send(work(limits, library, accelerators));
    })?;
    receive.recv().map_err(io::Error::other)?
}

fn work(limits: OwnLimits, path: Option<String>, accelerators: Option<String>) -> io::Result<()> {
    let mut library = None;
    let start = || {
        let path = path.ok_or("the worker needs --library PATH")?;
        let opened = Library::open(Path::new(&path), setup::LITERT_SHA256).map_err(|e| e.to_string())?;
        let library = library.insert(opened);
        let accelerators = accelerators.map(CString::new).transpose().map_err(|e| e.to_string())?;
        let environment = Environment::new(library, accelerators.clone()).map_err(|e| e.to_string())?;
        Ok(LiteRtEngine { library, accelerators, environment, log: Log::new() })
    };
    serve(limits, start)
}

struct LiteRtEngine<'l> {
    library: &'l Library,
    accelerators: Option<CString>,
    environment: Environment<'l>,
    log: Log,
}

/// Where every message of a kernel is logged: not worth repeating.
const REPORTER: &str = "[error_reporter.cc:27] ";

/// True for what the GPU accelerator logs below a warning: `I0000 00:00:1795780266.172669 …`.
fn is_information(line: &str) -> bool {
    let digits = line.strip_prefix('I').and_then(|rest| rest.get(..4));
    digits.is_some_and(|d| d.bytes().all(|b| b.is_ascii_digit()))
}

/// What WebGPU says of commands behind one that it has left out.
const FOLLOWS: &str = "is invalid due to a previous error.";

/// What the GPU accelerator logged of commands that were left out: the first of them, of which the others follow. One line
/// without positions in a shader, the same on every run.
fn left_out(words: &str) -> Option<String> {
    let mut said = words.lines().filter_map(|line| Some(line.split_once(REJECTION)?.1.trim()));
    let first = said.next()?;
    // What was rejected before is only said to be invalid.
    let line = std::iter::once(first).chain(said).find(|line| !line.ends_with(FOLLOWS)).unwrap_or(first);
    let Some((parsing, message)) = line.split_once(" error: ") else { return Some(line.to_string()) };
    let is_position =
        |word: &str| word.starts_with(':') && word[1..].starts_with(|c: char| c.is_ascii_digit());
    let parsing: Vec<&str> = parsing.split(' ').filter(|word| !is_position(word)).collect();
    Some(format!("{} {message}", parsing.join(" ")))
}

/// A refusal: the stage, and what went wrong. The library's own words are on standard error then.
struct Refused(&'static str, Problem);

enum Problem {
    Call(CallError),
    Ours(String),
}

impl Refused {
    fn at(stage: &'static str) -> impl Fn(CallError) -> Refused {
        move |error| Refused(stage, Problem::Call(error))
    }

    /// The library's words when it has any, else the status of the call.
    fn into_status(self, log: &mut Log) -> Status {
        let Refused(stage, problem) = self;
        let text = match problem {
            Problem::Ours(text) => text,
            Problem::Call(error) => {
                let words = log.since_mark();
                let lines = words
                    .lines()
                    .map(|l| l.trim().trim_start_matches("ERROR: ").trim_start_matches(REPORTER));
                let said = |l: &&str| {
                    !l.is_empty()
                        && !l.starts_with("INFO:")
                        && !l.starts_with(ffi::TRACE_MARK)
                        && !is_information(l)
                };
                let lines: Vec<&str> = lines.filter(said).collect();
                if lines.is_empty() { error.to_string() } else { lines.join("; ") }
            }
        };
        Status::Refused { stage: stage.to_string(), text }
    }
}

impl Engine for LiteRtEngine<'_> {
    fn run(&mut self, job: &OwnedJob<'_>) -> Vec<Outcome> {
        ffi::trace(job.trace);
        let Some(&mode) = Mode::ALL.get(job.mode as usize) else {
            let why = format!("mode {} is not known to this worker", job.mode);
            return job.sets.iter().map(|_| Outcome::of(Status::Cannot { why: why.clone() })).collect();
        };
        taps::run(job.taps, job.model, |model, patched| {
            self.attempt(mode, job, &Aligned::copy(model), patched)
        })
    }
}

impl LiteRtEngine<'_> {
    fn attempt(
        &mut self,
        mode: Mode,
        job: &OwnedJob<'_>,
        model: &Aligned,
        patched: Option<&taps::Patched>,
    ) -> Vec<Outcome> {
        self.log.mark();
        match self.execute(mode, job, model, patched) {
            Ok(outcomes) => {
                // A device remembers the shaders that it rejected, and does not say again what is wrong with them.
                if outcomes.iter().any(|o| matches!(o.status, Status::Undone { .. }))
                    && let Ok(fresh) = Environment::new(self.library, self.accelerators.clone())
                {
                    self.environment = fresh;
                }
                outcomes
            }
            Err(refused) => {
                let status = refused.into_status(&mut self.log);
                job.sets.iter().map(|_| Outcome::of(status.clone())).collect()
            }
        }
    }

    fn execute(
        &mut self,
        mode: Mode,
        job: &OwnedJob<'_>,
        model: &Aligned,
        patched: Option<&taps::Patched>,
    ) -> Result<Vec<Outcome>, Refused> {
        let interface = taps::interface(job.model);
        let environment = &self.environment;
        let model = Model::from_buffer(environment, model.bytes()).map_err(Refused::at("load"))?;
        let (inputs, outputs) = model.ports().map_err(Refused::at("load"))?;
        let options = options(environment, mode).map_err(Refused::at("prepare"))?;
        let mut compiled = Compiled::new(&model, &options).map_err(Refused::at("prepare"))?;
        let mut ready = Ready::new(&compiled, &inputs, &outputs).map_err(Refused::at("prepare"))?;
        let accelerated = mode.delegates().then(|| compiled.is_fully_accelerated().ok()).flatten();
        let order = Order::new(&interface, &inputs, &outputs, patched);
        let mut undone = mode.is_gpu().then(|| left_out(&self.log.since_mark())).flatten();
        let mut outcomes = Vec::with_capacity(job.sets.len());
        for set in &job.sets {
            self.log.mark();
            let outcome = match ready.run(&mut compiled, set, &order) {
                Ok((outputs, taps)) => {
                    if mode.is_gpu() && undone.is_none() {
                        undone = left_out(&self.log.since_mark());
                    }
                    match &undone {
                        None => Outcome { status: Status::Ok, outputs, taps, accelerated },
                        Some(text) => {
                            Outcome { accelerated, ..Outcome::of(Status::Undone { text: text.clone() }) }
                        }
                    }
                }
                Err(refused) => Outcome { accelerated, ..Outcome::of(refused.into_status(&mut self.log)) },
            };
            outcomes.push(outcome);
        }
        Ok(outcomes)
    }
}

fn options<'l>(environment: &Environment<'l>, mode: Mode) -> Result<Options<'l>, CallError> {
    let mut options = Options::new(environment)?;
    if let Some(gpu) = mode.gpu_payload() {
        options.attach(c"gpu_options", gpu)?;
    }
    // The accelerator looks for the payload under the first name, the interpreter's set-up under the second.
    let cpu = mode.cpu_payload();
    options.attach(c"xnnpack", cpu)?;
    options.attach(c"cpu_delegate", cpu)?;
    // 1: messages go to standard error. Collected ones (2) are lost when there is no compiled model to ask for them.
    options.attach(c"runtime_options_string", c"error_reporter_mode = 1\n")?;
    Ok(options)
}

/// Where in the signature the interface's inputs and outputs and the taps stand.
struct Order {
    /// Per input of the signature: its position in an input set.
    inputs: Vec<usize>,
    /// Per output of the model: its position in the signature.
    outputs: Vec<usize>,
    /// Positions in the signature to report as taps, with their tensors.
    taps: Vec<(u32, usize)>,
}

impl Order {
    /// Signatures may order inputs and outputs in their own way; records go by the subgraph's order. Where the file
    /// cannot say, the signature's order stands.
    fn new(
        interface: &Option<taps::Interface>,
        inputs: &[Port],
        outputs: &[Port],
        patched: Option<&taps::Patched>,
    ) -> Order {
        let place = |ports: &[Port], tensor: u32| ports.iter().position(|p| p.tensor == tensor);
        let by_file = |wanted: &[u32], ports: &[Port]| -> Option<Vec<usize>> {
            wanted.iter().map(|&t| place(ports, t)).collect()
        };
        let in_order = interface
            .as_ref()
            .filter(|i| i.inputs.len() == inputs.len())
            .and_then(|i| inputs.iter().map(|p| i.inputs.iter().position(|&t| t == p.tensor)).collect())
            .unwrap_or_else(|| (0..inputs.len()).collect());
        let out_order = interface
            .as_ref()
            .and_then(|i| by_file(&i.outputs, outputs))
            .unwrap_or_else(|| (0..outputs.len()).collect());
        let taps = patched.map_or(vec![], |p| {
            p.visible.iter().filter_map(|&t| place(outputs, t).map(|at| (t, at))).collect()
        });
        Order { inputs: in_order, outputs: out_order, taps }
    }
}

/// A compiled model with its buffers.
struct Ready<'m> {
    inputs: Vec<(TensorType, Buffer<'m>)>,
    outputs: Vec<(TensorType, Buffer<'m>)>,
}

impl<'m> Ready<'m> {
    fn new(compiled: &Compiled<'m>, inputs: &[Port], outputs: &[Port]) -> Result<Ready<'m>, CallError> {
        let typed = |ports: &[Port]| -> Result<Vec<TensorType>, CallError> {
            let unranked = CallError { call: "LiteRtGetRankedTensorType", code: 5 };
            ports.iter().map(|p| p.tensor_type.ok_or_else(|| unranked.clone())).collect()
        };
        let inputs = typed(inputs)?
            .into_iter()
            .enumerate()
            .map(|(i, t)| Ok((t, compiled.input_buffer(i, t)?)))
            .collect::<Result<_, _>>()?;
        let outputs = compiled
            .allocate(typed(outputs)?)?
            .into_iter()
            .enumerate()
            .map(|(i, t)| Ok((t, compiled.output_buffer(i, t)?)))
            .collect::<Result<_, _>>()?;
        Ok(Ready { inputs, outputs })
    }

    #[expect(clippy::type_complexity, reason = "outputs and taps")]
    fn run(
        &mut self,
        compiled: &mut Compiled<'m>,
        set: &[Tensor],
        order: &Order,
    ) -> Result<(Vec<Tensor>, Vec<(u32, Tensor)>), Refused> {
        self.write(set, order)?;
        let inputs: Vec<&Buffer<'m>> = self.inputs.iter().map(|(_, b)| b).collect();
        let outputs: Vec<&Buffer<'m>> = self.outputs.iter().map(|(_, b)| b).collect();
        if let Err(e) = compiled.run(&inputs, &outputs) {
            return Err(Refused("run", Problem::Call(e)));
        }
        let outputs = order.outputs.iter().map(|&at| self.read(at)).collect::<Result<_, _>>()?;
        let taps = order.taps.iter().filter_map(|&(t, at)| self.read(at).ok().map(|v| (t, v))).collect();
        Ok((outputs, taps))
    }

    fn write(&mut self, set: &[Tensor], order: &Order) -> Result<(), Refused> {
        if set.len() != self.inputs.len() {
            let text = format!("the model has {} inputs, {} were given", self.inputs.len(), set.len());
            return Err(Refused("inputs", Problem::Ours(text)));
        }
        for ((tensor_type, buffer), &at) in self.inputs.iter_mut().zip(&order.inputs) {
            let tensor = &set[at];
            let fits = tensor_type.dtype() == Some(tensor.dtype())
                && tensor_type.shape().as_deref() == Some(tensor.shape.as_slice());
            if !fits {
                let wanted = match (tensor_type.dtype(), tensor_type.shape()) {
                    (Some(dtype), Some(shape)) => format!("{dtype} {shape:?}"),
                    _ => "of a type or shape that halfproof does not hold".to_string(),
                };
                let text =
                    format!("input {at} is {wanted}, but {} {:?} was given", tensor.dtype(), tensor.shape);
                return Err(Refused("inputs", Problem::Ours(text)));
            }
            buffer.write(&tensor.data.to_le_bytes()).map_err(Refused::at("inputs"))?;
        }
        Ok(())
    }

    fn read(&self, at: usize) -> Result<Tensor, Refused> {
        let (tensor_type, buffer) = &self.outputs[at];
        let bytes = buffer.read().map_err(Refused::at("outputs"))?;
        let strange = || {
            let text = format!("output {at} has a type or shape that halfproof does not hold");
            Refused("outputs", Problem::Ours(text))
        };
        let (dtype, shape) = tensor_type.dtype().zip(tensor_type.shape()).ok_or_else(strange)?;
        let len = shape.iter().try_fold(dtype.size(), |n, &d| n.checked_mul(d)).ok_or_else(strange)?;
        let data = bytes.get(..len).and_then(|b| Data::from_le_bytes(dtype, b)).ok_or_else(strange)?;
        Ok(Tensor::new(shape, data))
    }
}

/// A copy of a model at an address that is a multiple of 64, as the constants inside expect.
struct Aligned {
    bytes: Vec<u8>,
    start: usize,
    len: usize,
}

impl Aligned {
    fn copy(model: &[u8]) -> Aligned {
        const ALIGNMENT: usize = 64;
        let mut bytes: Vec<u8> = Vec::with_capacity(model.len() + ALIGNMENT);
        let start = bytes.as_ptr().align_offset(ALIGNMENT);
        bytes.resize(start, 0);
        bytes.extend_from_slice(model);
        Aligned { bytes, start, len: model.len() }
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[self.start..self.start + self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::left_out;

    #[test]
    fn a_command_that_was_left_out_is_told_without_positions() {
        let log = "W0000 00:00:1795871117.161108   32115 gpu_model_builder.cc:3901] Shape mismatch\n\
            E0000 00:00:1795871115.519712   32082 environment.cc:105] Validation error: Error while parsing WGSL: :41:3 error: \
            cannot initialize 'var'\n  var false_val\n\
            E0000 00:00:1795871115.555767   32082 environment.cc:105] Validation error: [Invalid CommandBuffer] is invalid\n";
        assert_eq!(left_out(log).unwrap(), "Error while parsing WGSL: cannot initialize 'var'");
        let short = "E0000 00:00:1 2 environment.cc:105] Validation error: Binding size for [Buffer (unlabeled)] is zero.\n - While";
        assert_eq!(left_out(short).unwrap(), "Binding size for [Buffer (unlabeled)] is zero.");
        assert_eq!(left_out("WARNING: [npu_registry.cc:34] NPU accelerator could not be loaded"), None);
    }
}
