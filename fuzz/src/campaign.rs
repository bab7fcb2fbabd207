//! Runs many tests and keeps what they showed.
//!
//! Test *i* of seed *s* is the same test whatever the number of threads: threads only take turns at drawing the next
//! index. Groups of equal findings are represented by their smallest index, so the outcome does not depend on arrival.
//!
//! What a test does is the caller's (`pipeline`); what is printed is the caller's too: this module emits [`Event`]s.

mod stats;

pub use stats::{Coverage, Totals};

use crate::triage::Signature;
use halfproof_oracle::verdict::Verdict;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// When a campaign ends.
#[derive(Clone, Copy, Debug)]
pub enum Until {
    /// After that many tests.
    Runs(u64),
    /// After that long.
    Time(Duration),
}

/// A campaign's schedule.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// When it ends.
    pub until: Until,
    /// Worker threads.
    pub jobs: usize,
    /// First test index: where a resumed campaign goes on.
    pub start: u64,
    /// This shard and the number of shards: test i belongs to shard i mod n.
    pub shard: (u64, u64),
}

/// What one verdict was about.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The system under test that it is about: a converter or a runtime.
    pub system: String,
    /// The verdict.
    pub verdict: Verdict,
    /// What makes it the same finding as another; `None` for verdicts that are no findings.
    pub signature: Option<Signature>,
}

/// What one test showed.
#[derive(Clone, Debug, Default)]
pub struct Examined {
    /// Everything that was said.
    pub observed: Vec<Observed>,
    /// Executions by system.
    pub executions: Vec<(String, u64)>,
    /// What the test covered.
    pub coverage: Coverage,
}

/// All findings with one signature.
#[derive(Clone, Debug)]
pub struct Group {
    /// The smallest index of a test that showed it.
    pub index: u64,
    /// The system it is about.
    pub system: String,
    /// The verdict of that test.
    pub verdict: Verdict,
    /// How often it was seen.
    pub occurrences: u64,
}

/// What a campaign tells while it runs.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// Tests were done.
    Progress {
        /// So far.
        totals: &'a Totals,
        /// Time since the start.
        elapsed: Duration,
    },
    /// A signature was seen for the first time (another test may yet show it with a smaller index).
    New {
        /// The signature.
        signature: &'a Signature,
        /// Its first group.
        group: &'a Group,
    },
}

/// What a campaign learnt.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Counts.
    pub totals: Totals,
    /// Groups by signature.
    pub groups: BTreeMap<Signature, Group>,
    /// The first index that was not run.
    pub next: u64,
    /// How long it took.
    pub elapsed: Duration,
}

/// Tests handed out at a time: few enough that the end is sharp, many enough that threads seldom meet.
const CHUNK: u64 = 16;

/// Runs a campaign. `worker` makes each thread's own state; the state's function examines the test of an index.
///
/// Stops early when `cancel` becomes true; what was done until then is kept.
pub fn run<F>(
    schedule: &Schedule,
    cancel: &AtomicBool,
    worker: impl Fn(usize) -> F + Sync,
    mut on_event: impl FnMut(Event<'_>),
) -> Outcome
where
    F: FnMut(u64) -> Examined,
{
    let begin = Instant::now();
    let next = AtomicU64::new(schedule.start);
    let mut outcome = Outcome { next: schedule.start, ..Outcome::default() };
    let (send, receive) = mpsc::sync_channel::<(u64, Vec<(u64, Examined)>)>(64);
    let (shard, shards) = schedule.shard;
    std::thread::scope(|scope| {
        for job in 0..schedule.jobs.max(1) {
            let (send, next, worker) = (send.clone(), &next, &worker);
            let until = schedule.until;
            let start = schedule.start;
            scope.spawn(move || {
                let mut examine = worker(job);
                loop {
                    if cancel.load(Ordering::Relaxed) {
                        return;
                    }
                    let size = match until {
                        Until::Runs(_) => CHUNK,
                        Until::Time(limit) if begin.elapsed() >= limit => return,
                        Until::Time(_) => CHUNK,
                    };
                    let from = next.fetch_add(size, Ordering::Relaxed);
                    let to = match until {
                        Until::Runs(n) => (from + size).min(start + n),
                        Until::Time(_) => from + size,
                    };
                    if from >= to {
                        return;
                    }
                    let done = (from..to).filter(|i| i % shards == shard).map(|i| (i, examine(i))).collect();
                    if send.send((to, done)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(send);
        for (to, chunk) in receive {
            outcome.next = outcome.next.max(to);
            for (index, examined) in chunk {
                outcome.totals.add(&examined);
                for seen in examined.observed {
                    let Some(signature) = seen.signature else { continue };
                    let group = Group { index, system: seen.system, verdict: seen.verdict, occurrences: 1 };
                    match outcome.groups.entry(signature) {
                        std::collections::btree_map::Entry::Vacant(slot) => {
                            on_event(Event::New { signature: slot.key(), group: &group });
                            slot.insert(group);
                        }
                        std::collections::btree_map::Entry::Occupied(mut slot) => {
                            let old = slot.get_mut();
                            let occurrences = old.occurrences + 1;
                            if index < old.index {
                                *old = group;
                            }
                            old.occurrences = occurrences;
                        }
                    }
                }
            }
            on_event(Event::Progress { totals: &outcome.totals, elapsed: begin.elapsed() });
        }
    });
    outcome.elapsed = begin.elapsed();
    outcome
}

#[cfg(test)]
mod tests;
