//! Decides how converters outside of this process are driven: as adapters, programs that read orders and write answers
//! line by line (`docs/adapter-protocol.md`).
//!
//! What an adapter does is data: a death, a hang, nonsense and a missing file are outcomes, a new process takes over,
//! and the campaign goes on. A process that dies of an order after it has filled others is not believed at once: the
//! order is tried again in a new process, so that a record depends on nothing but its own order.

mod message;
mod process;

pub use message::{Form, Gives, Greeting, PROTOCOL};
pub use process::Launch;

use crate::worker::Limits;
use crate::{Outcome, Unavailable};
use halfproof_ir::{Conversion, Precision, Provenance, Refusal, RefusedNode};
use message::{Answer, Order, Told};
use process::Process;
use std::path::Path;
use tempfile::TempDir;

/// Orders after which a process is replaced: converters leak.
const SERVICE: u64 = 400;
/// A start may take so many times as long as a conversion: PyTorch takes minutes to import on a busy machine.
const START: u32 = 5;
/// The largest file that an adapter may write.
const LARGEST: u64 = 1 << 30;

/// Why a process is no longer there.
#[derive(Debug)]
enum Loss {
    /// It ended, or spoke nonsense and was ended.
    Died { how: String },
    /// It was too slow and was ended.
    Slow,
}

/// A converter behind the protocol.
#[derive(Debug)]
pub struct Adapter {
    launch: Launch,
    limits: Limits,
    greeting: Greeting,
    process: Option<Process>,
    /// Orders that the process has been given.
    served: u64,
    orders: u64,
    deaths: u64,
    scratch: TempDir,
}

impl Adapter {
    /// Starts an adapter and listens to its greeting.
    ///
    /// # Errors
    /// [`Unavailable`] when it cannot be started, or greets with something else.
    pub fn start(system: &str, launch: Launch, limits: Limits) -> Result<Adapter, Unavailable> {
        let unavailable = |why: String| Unavailable { system: system.to_string(), why };
        let scratch = tempfile::Builder::new()
            .prefix("halfproof-")
            .tempdir()
            .map_err(|e| unavailable(format!("cannot make a folder for its files: {e}")))?;
        let (process, greeting) = open(&launch, limits).map_err(unavailable)?;
        Ok(Adapter {
            launch,
            limits,
            greeting,
            process: Some(process),
            served: 0,
            orders: 0,
            deaths: 0,
            scratch,
        })
    }

    /// What it said of itself.
    pub fn greeting(&self) -> &Greeting {
        &self.greeting
    }

    /// How many processes died or were ended so far.
    pub fn deaths(&self) -> u64 {
        self.deaths
    }

    /// The process that waits for an order, for tests that end it from outside.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::id)
    }

    /// Has one program converted.
    pub fn convert(&mut self, source: &[u8], precision: Precision) -> Outcome {
        let fresh = self.served == 0;
        match self.attempt(source, precision) {
            Ok(outcome) => outcome,
            Err(_) if !fresh => match self.attempt(source, precision) {
                Ok(outcome) => outcome,
                Err(loss) => lost(loss),
            },
            Err(loss) => lost(loss),
        }
    }

    fn attempt(&mut self, source: &[u8], precision: Precision) -> Result<Outcome, Loss> {
        if self.served >= SERVICE {
            self.process = None;
        }
        let mut process = match self.process.take() {
            Some(process) => process,
            None => match open(&self.launch, self.limits) {
                Ok((process, _)) => {
                    self.served = 0;
                    process
                }
                Err(why) => return Ok(Outcome::Cannot { why }),
            },
        };
        self.orders += 1;
        self.served += 1;
        // A folder per order: nothing of an earlier one can be taken for its result.
        let folder = self.scratch.path().join(self.orders.to_string());
        let (from, to) = (folder.join(self.greeting.takes.file()), folder.join(self.greeting.gives.file()));
        let written = std::fs::create_dir(&folder).and_then(|()| std::fs::write(&from, source));
        if let Err(e) = written {
            return Ok(Outcome::Cannot { why: format!("cannot write {}: {e}", from.display()) });
        }
        let order = Order {
            id: self.orders,
            precision,
            source: &from.to_string_lossy(),
            target: &to.to_string_lossy(),
        };
        process.tell(&serde_json::to_string(&order).unwrap_or_default());
        let told = process.hear(self.limits.time).and_then(|line| {
            let answer = serde_json::from_str::<Answer>(&line);
            match answer {
                Ok(answer) if answer.id == self.orders => Ok(answer.outcome),
                Ok(_) => Err(process.nonsense("it answers another order")),
                Err(_) => Err(process.nonsense("no JSON of the protocol")),
            }
        });
        let outcome = told.map(|told| outcome(told, &to));
        // What is left behind when this fails goes with the adapter's own folder.
        let _ = std::fs::remove_dir_all(&folder);
        match outcome {
            Ok(outcome) => {
                self.process = Some(process);
                Ok(outcome)
            }
            Err(loss) => {
                self.deaths += 1;
                self.served = 0;
                Err(loss)
            }
        }
    }
}

fn open(launch: &Launch, limits: Limits) -> Result<(Process, Greeting), String> {
    let shown = launch.command.join(" ");
    let mut process =
        Process::start(launch, limits).map_err(|e| format!("cannot start the adapter `{shown}`: {e}"))?;
    let line = process.hear(limits.time * START).map_err(|loss| match loss {
        Loss::Slow => format!("the adapter `{shown}` does not greet in time"),
        Loss::Died { how } => format!("the adapter `{shown}` ended before it greeted: {how}"),
    })?;
    let greeting: Greeting = serde_json::from_str(&line)
        .map_err(|_| format!("the adapter `{shown}` greets with something else than the protocol says"))?;
    if greeting.protocol != PROTOCOL {
        return Err(format!(
            "the adapter `{shown}` speaks version {} of the protocol, not {PROTOCOL}",
            greeting.protocol
        ));
    }
    if greeting.precisions.is_empty() {
        return Err(format!("the adapter `{shown}` follows no strategy"));
    }
    Ok((process, greeting))
}

fn lost(loss: Loss) -> Outcome {
    match loss {
        Loss::Slow => Outcome::TimedOut,
        Loss::Died { how } => Outcome::Crashed { how },
    }
}

fn outcome(told: Told, target: &Path) -> Outcome {
    match told {
        Told::Converted => match read(target) {
            Ok(model) => {
                Outcome::Converted(Conversion { model, provenance: Provenance::default(), notes: vec![] })
            }
            Err(e) => {
                Outcome::Failed(format!("the adapter says that it converted, but its file is not there: {e}"))
            }
        },
        Told::Refused { text, operator } => {
            let node = RefusedNode {
                op: operator.unwrap_or_default(),
                node: String::new(),
                dtype: None,
                reason: text,
            };
            Outcome::Refused(Refusal { nodes: vec![node] })
        }
        Told::Unusable { text } => Outcome::Cannot { why: text },
        Told::Failed { text } => Outcome::Failed(text),
    }
}

fn read(target: &Path) -> std::io::Result<Vec<u8>> {
    let size = std::fs::metadata(target)?.len();
    if size > LARGEST {
        return Err(std::io::Error::other(format!("{size} bytes are too many")));
    }
    std::fs::read(target)
}
