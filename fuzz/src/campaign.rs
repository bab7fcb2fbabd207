//! Runs many tests and keeps what they showed.
//!
//! Test *i* of seed *s* is the same test whatever the number of threads: threads only take turns at drawing the next
//! index. Groups of equal findings are represented by their smallest index, so the outcome does not depend on arrival.
//!
//! What a test does is the caller's (`pipeline`); what is printed is the caller's too: this module emits [`Event`]s.

mod tally;

pub use tally::Tally;

use crate::triage::Signature;
use halfproof_oracle::verdict::Verdict;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
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

/// A verdict that is a finding.
#[derive(Clone, Debug)]
pub struct Seen {
    /// What makes it the same finding as another.
    pub signature: Signature,
    /// The verdict.
    pub verdict: Verdict,
}

/// All findings with one signature.
#[derive(Clone, Debug)]
pub struct Group {
    /// The smallest index of a test that showed it.
    pub index: u64,
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
        tally: &'a Tally,
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
    pub tally: Tally,
    /// Groups by signature.
    pub groups: BTreeMap<Signature, Group>,
    /// The first index that was not run.
    pub next: u64,
    /// How long it took.
    pub elapsed: Duration,
}

/// Tests handed out at a time: few enough that the end is sharp, many enough that threads seldom meet.
const CHUNK: u64 = 16;

/// Runs a campaign. `worker` makes each thread's own state; the state's function runs the test of an index, counts it
/// and gives its findings.
///
/// Stops early when `cancel` becomes true; what was done until then is kept.
pub fn run<F>(
    schedule: &Schedule,
    cancel: &AtomicBool,
    worker: impl Fn(usize) -> F + Sync,
    mut on_event: impl FnMut(Event<'_>),
) -> Outcome
where
    F: FnMut(u64, &mut Tally) -> Vec<Seen>,
{
    let begin = Instant::now();
    let next = AtomicU64::new(schedule.start);
    let mut outcome = Outcome { next: schedule.start, ..Outcome::default() };
    let (send, receive) = mpsc::sync_channel::<(u64, Tally, Vec<(u64, Seen)>)>(64);
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
                    let (mut tally, mut found) = (Tally::default(), vec![]);
                    for index in (from..to).filter(|i| i % shards == shard) {
                        tally.totals.tests += 1;
                        found.extend(examine(index, &mut tally).into_iter().map(|seen| (index, seen)));
                    }
                    if send.send((to, tally, found)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(send);
        for (to, mut tally, found) in receive {
            outcome.next = outcome.next.max(to);
            for (index, seen) in found {
                *tally.findings.entry(seen.verdict.class).or_default() += 1;
                let group = Group { index, verdict: seen.verdict, occurrences: 1 };
                match outcome.groups.entry(seen.signature) {
                    Entry::Vacant(slot) => {
                        on_event(Event::New { signature: slot.key(), group: &group });
                        slot.insert(group);
                    }
                    Entry::Occupied(mut slot) => {
                        let old = slot.get_mut();
                        let occurrences = old.occurrences + 1;
                        if index < old.index {
                            *old = group;
                        }
                        old.occurrences = occurrences;
                    }
                }
            }
            outcome.tally.merge(tally);
            on_event(Event::Progress { tally: &outcome.tally, elapsed: begin.elapsed() });
        }
    });
    outcome.elapsed = begin.elapsed();
    outcome
}

#[cfg(test)]
mod tests;
