//! One living adapter: started within limits, written to, listened to with a clock, ended with everything it started.

use super::Loss;
use crate::worker::{Limits, await_end, ended, last_words};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;
use tempfile::TempDir;

/// The longest line that is listened to.
const LINE: u64 = 1 << 20;

/// How an adapter is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    /// The program and its arguments; never empty.
    pub command: Vec<String>,
    /// Variables of its environment.
    pub environment: Vec<(&'static str, &'static str)>,
}

#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    /// Where orders go; taken when the process ends.
    orders: Option<ChildStdin>,
    lines: Receiver<Vec<u8>>,
    /// What the process writes on standard error.
    log: File,
    /// Where it finds room for temporary files, which a process that is killed cannot remove.
    _temporary: TempDir,
}

impl Process {
    pub(super) fn start(launch: &Launch, limits: Limits) -> io::Result<Process> {
        let (program, arguments) =
            launch.command.split_first().ok_or_else(|| io::Error::other("there is no program to start"))?;
        let log = tempfile::tempfile()?;
        let temporary = tempfile::Builder::new().prefix("halfproof-adapter-").tempdir()?;
        let mut child = Command::new(program)
            .args(arguments)
            .envs(launch.environment.iter().copied())
            .env("TMPDIR", temporary.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::from(log.try_clone()?))
            // A group of its own, so that all that it starts ends with it, and Ctrl-C reaches only us.
            .process_group(0)
            .spawn()?;
        limit(&child, limits.memory_bytes);
        let (send, lines) = sync_channel(4);
        if let Some(stdout) = child.stdout.take() {
            std::thread::Builder::new().name("adapter".into()).spawn(move || listen(stdout, &send))?;
        }
        let orders = child.stdin.take();
        Ok(Process { child, orders, lines, log, _temporary: temporary })
    }

    /// Writes one line. A process that is gone or does not read is noticed when its answer is awaited.
    pub(super) fn tell(&mut self, line: &str) {
        if let Some(orders) = &mut self.orders {
            let _ = writeln!(orders, "{line}").and_then(|()| orders.flush());
        }
    }

    /// The next line that the process writes.
    pub(super) fn hear(&mut self, time: Duration) -> Result<String, Loss> {
        match self.lines.recv_timeout(time) {
            Ok(line) => String::from_utf8(line).map_err(|_| self.nonsense("not UTF-8")),
            Err(RecvTimeoutError::Timeout) => {
                self.end();
                Err(Loss::Slow)
            }
            Err(RecvTimeoutError::Disconnected) => {
                await_end(&mut self.child);
                let how = self.end();
                Err(Loss::Died { how: self.described(how) })
            }
        }
    }

    /// Ends a process that does not speak the protocol.
    pub(super) fn nonsense(&mut self, what: &str) -> Loss {
        self.end();
        Loss::Died { how: self.described(format!("a line that is no answer ({what})")) }
    }

    /// Process id, for tests.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends the process and what it started; how it ended.
    fn end(&mut self) -> String {
        self.orders = None;
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw) {
            // Fails only where nobody of the group is left.
            let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
        }
        self.child.wait().map_or("an unknown end".to_string(), ended)
    }

    /// An end with the last line that the process wrote on standard error.
    fn described(&mut self, how: String) -> String {
        const SHOWN: usize = 300;
        match last_words(&mut self.log).lines().rev().map(str::trim).find(|l| !l.is_empty()) {
            Some(last) => format!("{how}: {}", last.chars().take(SHOWN).collect::<String>()),
            None => how,
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// Address space only: memory that is reserved and never used counts too, so limits of Python adapters are wide.
#[cfg(target_os = "linux")]
fn limit(child: &Child, memory_bytes: u64) {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let wanted = Rlimit { current: Some(memory_bytes), maximum: Some(memory_bytes) };
    // Failing to lower it leaves the clock, which also ends an adapter.
    let _ = prlimit(pid, Resource::As, wanted);
}

#[cfg(not(target_os = "linux"))]
fn limit(_: &Child, _: u64) {}

/// Passes lines on until the process closes its standard output or nobody listens any more.
fn listen(stdout: ChildStdout, send: &SyncSender<Vec<u8>>) {
    let mut reader = BufReader::new(stdout);
    loop {
        let mut line = vec![];
        match reader.by_ref().take(LINE).read_until(b'\n', &mut line) {
            Ok(n) if n > 0 => {
                if send.send(line).is_err() {
                    return;
                }
            }
            _ => return,
        }
    }
}
