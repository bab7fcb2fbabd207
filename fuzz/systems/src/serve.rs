//! Decides how a worker process works: it limits itself, greets, then answers batch after batch until its caller hangs
//! up. What the engine does with a job is its own affair; it may take the process down.

use crate::protocol::{self, Greeting, Outcome, OwnedJob};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What a worker does with one job: one outcome per input set.
pub trait Engine {
    /// Runs a job. May never return.
    fn run(&mut self, job: &OwnedJob<'_>) -> Vec<Outcome>;
}

/// The limits a worker puts on itself, from its arguments `--memory BYTES --seconds N`.
#[derive(Clone, Copy, Debug)]
pub struct OwnLimits {
    memory_bytes: u64,
    seconds: u64,
}

impl OwnLimits {
    /// Reads the two arguments; what is missing is unlimited memory and ten minutes.
    pub fn from_args(args: impl Iterator<Item = String>) -> OwnLimits {
        let args: Vec<String> = args.collect();
        let number = |name: &str| {
            let at = args.iter().position(|a| a == name)?;
            args.get(at + 1)?.parse().ok()
        };
        OwnLimits {
            memory_bytes: number("--memory").unwrap_or(rlimit::INFINITY),
            seconds: number("--seconds").unwrap_or(600),
        }
    }
}

/// Serves jobs from the socket that is this process's standard input, until its other end closes.
///
/// # Errors
/// When the socket is not one, or the caller is gone in the middle of a message.
pub fn serve<E: Engine>(limits: OwnLimits, start: impl FnOnce() -> Result<E, String>) -> io::Result<()> {
    let mut socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    // Failing to lower a limit leaves the caller's clock, which also ends a worker.
    let _ = rlimit::setrlimit(rlimit::Resource::AS, limits.memory_bytes, limits.memory_bytes);
    let _ = rlimit::setrlimit(rlimit::Resource::CORE, 0, 0);
    let heart = Heart::beating(limits.seconds);
    let mut engine = match start() {
        Ok(engine) => engine,
        Err(why) => {
            return protocol::write_frame(&mut socket, &protocol::encode_greeting(&Greeting::Unable(why)));
        }
    };
    protocol::write_frame(&mut socket, &protocol::encode_greeting(&Greeting::Ready))?;
    let mut answer = Vec::new();
    loop {
        heart.rest();
        let batch = match protocol::read_frame(&mut socket) {
            Ok(batch) => batch,
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(e) => return Err(e),
        };
        let jobs =
            protocol::decode_jobs(&batch).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?;
        for job in &jobs {
            heart.beat();
            let outcomes = protocol::encode_outcomes(&engine.run(job));
            answer.clear();
            protocol::write_frame(&mut answer, &outcomes)?;
            socket.write_all(&answer)?;
        }
    }
}

/// Ends the process when one job takes far longer than its caller would wait: the caller is dead then, and nobody else
/// would end a worker that hangs.
struct Heart {
    /// Twice the number of jobs begun, plus one while a job runs.
    state: Arc<AtomicU64>,
}

impl Heart {
    fn beating(seconds: u64) -> Heart {
        let state = Arc::new(AtomicU64::new(0));
        let watched = Arc::clone(&state);
        let watch = move || {
            let mut last = 0;
            loop {
                std::thread::sleep(Duration::from_secs(seconds.max(1)));
                let now = watched.load(Ordering::Relaxed);
                if now == last && now % 2 == 1 {
                    std::process::abort();
                }
                last = now;
            }
        };
        // Without the thread only orphans are in danger of living on.
        let _ = std::thread::Builder::new().name("watchdog".into()).stack_size(1 << 16).spawn(watch);
        Heart { state }
    }

    fn beat(&self) {
        self.state.fetch_add(2, Ordering::Relaxed);
        self.state.fetch_or(1, Ordering::Relaxed);
    }

    fn rest(&self) {
        self.state.fetch_and(!1, Ordering::Relaxed);
    }
}

/// What the library wrote on this process's standard output and error, when that is a file (as the caller arranges).
pub struct Log {
    file: Option<File>,
    seen: u64,
}

impl Log {
    /// Starts to listen from here on.
    pub fn new() -> Log {
        let file = io::stderr().as_fd().try_clone_to_owned().ok().map(File::from);
        let file = file.filter(|f| f.metadata().is_ok_and(|m| m.is_file()));
        let mut log = Log { file, seen: 0 };
        log.mark();
        log
    }

    /// Forgets what was written so far, and keeps the file small.
    pub fn mark(&mut self) {
        const LARGE: u64 = 1 << 20;
        let Some(file) = &self.file else { return };
        self.seen = file.metadata().map_or(self.seen, |m| m.len());
        if self.seen > LARGE && file.set_len(0).is_ok() {
            self.seen = 0;
        }
    }

    /// What was written since the last mark.
    pub fn since_mark(&mut self) -> String {
        let Some(file) = &mut self.file else { return String::new() };
        let mut text = Vec::new();
        let read = file.seek(SeekFrom::Start(self.seen)).and_then(|_| file.read_to_end(&mut text));
        match read {
            Ok(_) => String::from_utf8_lossy(&text).into_owned(),
            Err(_) => String::new(),
        }
    }
}

impl Default for Log {
    fn default() -> Log {
        Log::new()
    }
}
