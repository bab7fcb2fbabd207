//! Decides how worker processes are started, limited, watched and replaced, and what is said of one that died.
//!
//! A death or a hang is data: the job that was running gets [`Status::Crashed`] or [`Status::TimedOut`], a new worker
//! takes over, and the other jobs are answered as if nothing had happened. The fatal job is first run once more, alone
//! in a fresh worker that names its calls, so that the record says where it died and does not depend on its neighbors.

use crate::Unavailable;
use crate::ffi::TRACE_MARK;
use crate::protocol::{self, Greeting, Job, Outcome};
use halfproof_oracle::record::Status;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// What a worker may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Address space, in bytes (`RLIMIT_AS`).
    pub memory_bytes: u64,
    /// Wall-clock time of one job, and of the start.
    pub time: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { memory_bytes: 4 << 30, time: Duration::from_secs(20) }
    }
}

/// How a worker is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// The executable.
    pub path: PathBuf,
    /// Its first arguments; the limits follow.
    pub args: Vec<String>,
    /// Variables of its environment, beside those of this process.
    pub environment: Vec<(&'static str, OsString)>,
}

impl Program {
    /// That executable with these first arguments, in the environment of this process.
    pub fn new(path: impl Into<PathBuf>, args: Vec<String>) -> Program {
        Program { path: path.into(), args, environment: vec![] }
    }

    /// The worker executable that belongs to this process: `HALFPROOF_WORKER`, else this executable when it is xtask
    /// (which holds the same entry, as `xtask worker`), else `halfproof-worker` or `xtask` beside it, as Cargo puts
    /// executables next to tests and examples.
    ///
    /// # Errors
    /// [`Unavailable`] when there is none, with the command that builds it.
    pub fn find() -> Result<Program, Unavailable> {
        if let Some(path) = std::env::var_os("HALFPROOF_WORKER") {
            return Ok(Program::new(path, vec![]));
        }
        let own = std::env::current_exe().ok();
        let candidates = own.iter().flat_map(|own| {
            let near = own.ancestors().skip(1).take(2);
            [own.clone()]
                .into_iter()
                .chain(near.flat_map(|folder| ["halfproof-worker", "xtask"].map(|name| folder.join(name))))
        });
        let known = |path: &PathBuf| match path.file_name()?.to_str()? {
            "halfproof-worker" => Some(vec![]),
            "xtask" => Some(vec!["worker".to_string()]),
            _ => None,
        };
        let mut programs = candidates
            .filter_map(|path| known(&path).map(|args| Program::new(path, args)))
            .filter(|program| program.path.is_file());
        let why = "there is no worker executable: run `cargo build --release -p halfproof-systems --bins`";
        programs
            .next()
            .ok_or_else(|| Unavailable { system: "halfproof-worker".to_string(), why: why.to_string() })
    }
}

/// A supply of interchangeable workers, one per thread that asks at the same time. They are started when needed, kept
/// while they live, and end with the pool.
#[derive(Debug)]
pub struct Pool {
    program: Program,
    limits: Limits,
    idle: Mutex<Vec<Worker>>,
    deaths: std::sync::atomic::AtomicU64,
}

/// Why an exchange with a worker ended early.
enum Loss {
    /// The process is gone (or talks nonsense and was ended); how it went, and its last words.
    Died { how: String, log: String },
    /// It was too slow and was ended.
    Slow,
}

impl Pool {
    /// A pool without workers yet.
    pub fn new(program: Program, limits: Limits) -> Pool {
        Pool { program, limits, idle: Mutex::default(), deaths: 0.into() }
    }

    /// Runs jobs in one worker and answers them in order: one outcome per input set of each.
    ///
    /// Never fails: when no worker can be started, every outcome says [`Status::Cannot`] and why.
    pub fn run(&self, jobs: &[Job<'_>]) -> Vec<Vec<Outcome>> {
        let mut answers = Vec::with_capacity(jobs.len());
        while answers.len() < jobs.len() {
            let mut worker = match self.lease() {
                Ok(worker) => worker,
                Err(why) => {
                    let rest = &jobs[answers.len()..];
                    answers.extend(rest.iter().map(|job| all(job, &Status::Cannot { why: why.clone() })));
                    break;
                }
            };
            match worker.exchange(&jobs[answers.len()..], self.limits.time, &mut answers) {
                None => self.give_back(worker),
                Some(loss) => {
                    drop(worker);
                    self.deaths.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    answers.push(self.autopsy(&jobs[answers.len()], loss));
                }
            }
        }
        answers
    }

    /// How many workers died or were ended so far.
    pub fn deaths(&self) -> u64 {
        self.deaths.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Process ids of the workers that wait for a job: for tests that end one from outside.
    pub fn idle_pids(&self) -> Vec<u32> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|w| w.child.id()).collect()
    }

    /// Runs the job that a worker was lost with again, alone and traced.
    fn autopsy(&self, job: &Job<'_>, first: Loss) -> Vec<Outcome> {
        let mut worker = match Worker::start(&self.program, self.limits) {
            Ok(worker) => worker,
            Err(why) => return all(job, &Status::Cannot { why }),
        };
        let mut answers = vec![];
        let second = worker.exchange(&[Job { trace: true, ..*job }], self.limits.time, &mut answers);
        let status = match (second, first) {
            (Some(Loss::Slow), _) => Status::TimedOut,
            (Some(Loss::Died { how, log }), _) => Status::Crashed { how: describe(&how, &log) },
            // Alone it was quick enough: the machine was busy.
            (None, Loss::Slow) => {
                self.give_back(worker);
                return answers.remove(0);
            }
            (None, Loss::Died { how, log }) => {
                Status::Crashed { how: format!("{}; not when run alone", describe(&how, &log)) }
            }
        };
        all(job, &status)
    }

    fn lease(&self) -> Result<Worker, String> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match idle {
            Some(worker) => Ok(worker),
            None => Worker::start(&self.program, self.limits),
        }
    }

    fn give_back(&self, worker: Worker) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(worker);
    }
}

fn all(job: &Job<'_>, status: &Status) -> Vec<Outcome> {
    job.sets.iter().map(|_| Outcome::of(status.clone())).collect()
}

/// One living process.
#[derive(Debug)]
struct Worker {
    child: Child,
    socket: UnixStream,
    /// What the process writes on standard output and error.
    log: File,
}

impl Worker {
    fn start(program: &Program, limits: Limits) -> Result<Worker, String> {
        let shown = program.path.display();
        Worker::spawn(program, limits)
            .map_err(|e| format!("cannot start the worker {shown}: {e}"))?
            .greeted(limits)
    }

    fn spawn(program: &Program, limits: Limits) -> io::Result<Worker> {
        let (socket, theirs) = UnixStream::pair()?;
        // Appending, so that the process and this side may both read it from anywhere.
        let (log, path) = tempfile::Builder::new().append(true).prefix("halfproof-").tempfile()?.into_parts();
        drop(path);
        let child = Command::new(&program.path)
            .args(&program.args)
            .envs(program.environment.iter().map(|(name, value)| (name, value)))
            .args(["--memory", &limits.memory_bytes.to_string()])
            // Longer than this side waits, so that it is this side that ends a slow worker.
            .args(["--seconds", &(2 * limits.time.as_secs() + 30).to_string()])
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::from(log.try_clone()?))
            .stderr(Stdio::from(log.try_clone()?))
            // Ctrl-C at a terminal is for the campaign, which ends its workers itself: their death is no finding.
            .process_group(0)
            .spawn()?;
        Ok(Worker { child, socket, log })
    }

    fn greeted(mut self, limits: Limits) -> Result<Worker, String> {
        let frame = self.receive(limits.time);
        match frame.map(|f| protocol::decode_greeting(&f)) {
            Ok(Ok(Greeting::Ready)) => Ok(self),
            Ok(Ok(Greeting::Unable(why))) => Err(why),
            Ok(Err(_)) => Err("the worker greets with something else".to_string()),
            Err(loss) => Err(match loss {
                Loss::Slow => "the worker does not start in time".to_string(),
                Loss::Died { how, log } => format!("the worker died at its start: {}", describe(&how, &log)),
            }),
        }
    }

    /// Sends all jobs, then adds the answers one by one. `None` when all are answered.
    fn exchange(
        &mut self,
        jobs: &[Job<'_>],
        time: Duration,
        answers: &mut Vec<Vec<Outcome>>,
    ) -> Option<Loss> {
        let batch = protocol::encode_jobs(jobs);
        let sent = self
            .socket
            .set_write_timeout(Some(time))
            .and_then(|()| protocol::write_parts(&mut self.socket, &batch));
        if let Err(e) = sent {
            return Some(self.lost(&e));
        }
        for job in jobs {
            let frame = match self.receive(time) {
                Ok(frame) => frame,
                Err(loss) => return Some(loss),
            };
            match protocol::decode_outcomes(&frame) {
                Ok(outcomes) if outcomes.len() == job.sets.len() => answers.push(outcomes),
                _ => {
                    let log = self.end().1;
                    return Some(Loss::Died { how: "a malformed answer".to_string(), log });
                }
            }
        }
        None
    }

    fn receive(&mut self, time: Duration) -> Result<Vec<u8>, Loss> {
        let frame =
            self.socket.set_read_timeout(Some(time)).and_then(|()| protocol::read_frame(&mut self.socket));
        frame.map_err(|e| self.lost(&e))
    }

    fn lost(&mut self, error: &io::Error) -> Loss {
        if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) {
            self.end();
            return Loss::Slow;
        }
        await_end(&mut self.child);
        let (how, log) = self.end();
        Loss::Died { how, log }
    }

    /// Ends the process if it still lives; how it ended and what it said.
    fn end(&mut self) -> (String, String) {
        // Both fail only for a process that has ended and been waited for.
        let _ = self.child.kill();
        let how = self.child.wait().map_or("an unknown end".to_string(), ended);
        (how, last_words(&mut self.log))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.socket.flush();
        self.end();
    }
}

/// Leaves a process that has hung up the time to end by itself, for its own signal tells more than ours.
pub(crate) fn await_end(child: &mut Child) {
    for _ in 0..100 {
        if let Ok(Some(_)) = child.try_wait() {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The end of what a process wrote.
pub(crate) fn last_words(log: &mut File) -> String {
    const TAIL: u64 = 4096;
    let mut text = vec![];
    let len = log.metadata().map_or(0, |m| m.len());
    let read = log.seek(SeekFrom::Start(len.saturating_sub(TAIL))).and_then(|_| log.read_to_end(&mut text));
    read.map_or(String::new(), |_| String::from_utf8_lossy(&text).into_owned())
}

/// An exit status in words: `SIGSEGV`, `exit code 3`.
pub(crate) fn ended(status: ExitStatus) -> String {
    match status.signal() {
        Some(signal) => match signal {
            4 => "SIGILL".to_string(),
            6 => "SIGABRT".to_string(),
            7 => "SIGBUS".to_string(),
            8 => "SIGFPE".to_string(),
            9 => "SIGKILL".to_string(),
            11 => "SIGSEGV".to_string(),
            24 => "SIGXCPU".to_string(),
            other => format!("signal {other}"),
        },
        None => format!("exit code {}", status.code().unwrap_or_default()),
    }
}

/// How a worker ended, in which call, and its last words: one line without addresses, the same on every run.
fn describe(how: &str, log: &str) -> String {
    let call = log.lines().rev().find_map(|line| line.strip_prefix(TRACE_MARK));
    let after =
        call.and_then(|name| log.rsplit_once(&format!("{TRACE_MARK}{name}\n"))).map_or(log, |(_, rest)| rest);
    let words: Vec<&str> =
        after.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with("INFO:")).collect();
    let mut text = how.to_string();
    if let Some(call) = call {
        text += &format!(" in {call}");
    }
    if !words.is_empty() {
        text += &format!(": {}", words.join("; "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_death_is_described_by_signal_last_call_and_words() {
        let log =
            format!("INFO: hello\n{TRACE_MARK}A\nnoise\n{TRACE_MARK}B\nterminate called\n  what():  no\n");
        assert_eq!(describe("SIGABRT", &log), "SIGABRT in B: terminate called; what():  no");
        assert_eq!(describe("SIGSEGV", ""), "SIGSEGV");
    }

    #[test]
    fn a_program_that_is_not_there_makes_every_outcome_say_so() {
        let program = Program::new("/nonexistent/worker", vec![]);
        let pool = Pool::new(program, Limits::default());
        let sets = [vec![], vec![]];
        let job = Job { mode: 0, trace: false, taps: crate::Taps::None, model: b"", sets: &sets };
        let answers = pool.run(&[job]);
        assert_eq!(answers[0].len(), 2);
        assert!(
            matches!(&answers[0][1].status, Status::Cannot { why } if why.contains("/nonexistent/worker"))
        );
    }
}
