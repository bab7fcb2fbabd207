//! Runs many tests and keeps what they showed.
//!
//! Test *i* of seed *s* is the same test whatever the number of threads: threads only take turns at drawing the next
//! index. Groups of equal findings are represented by their smallest index, so the outcome does not depend on arrival.
//!
//! What a test does is the caller's (`pipeline`); what is printed is the caller's too: this module emits [`Event`]s.
//! A campaign that was killed goes on from its [`Journal`].

mod done;
mod journal;
mod tally;

pub use done::Done;
pub use journal::{Journal, JournalError};
pub(crate) use tally::KEPT;
pub use tally::{Scouted, Tally, Tried};

use crate::triage::Signature;
use halfproof_oracle::verdict::Verdict;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// When a campaign ends; what was done before it was resumed counts.
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
    /// The first index that is not run, whenever it ends.
    pub before: Option<u64>,
    /// This shard and the number of shards: test i belongs to shard i mod n.
    pub shard: (u64, u64),
}

impl Schedule {
    /// True when that was all; false where a campaign was stopped on its way.
    pub fn is_over(&self, outcome: &Outcome) -> bool {
        match self.until {
            Until::Runs(n) => outcome.done.next() >= n.min(self.before.unwrap_or(n)),
            Until::Time(limit) => outcome.elapsed >= limit,
        }
    }
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// Tests were done; this is everything so far.
    Progress(&'a Outcome),
    /// A signature was seen for the first time (another test may yet show it with a smaller index).
    New {
        /// The signature.
        signature: &'a Signature,
        /// Its first group.
        group: &'a Group,
    },
}

/// What a campaign learnt.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// Counts.
    pub tally: Tally,
    /// Groups by signature.
    pub groups: BTreeMap<Signature, Group>,
    /// Which tests were run.
    pub done: Done,
    /// How long it took.
    pub elapsed: Duration,
}

impl Outcome {
    /// Adds a finding; true when its signature is new.
    fn add(&mut self, index: u64, seen: Seen) -> bool {
        *self.tally.findings.entry(seen.verdict.class).or_default() += 1;
        let group = Group { index, verdict: seen.verdict, occurrences: 1 };
        match self.groups.entry(seen.signature) {
            Entry::Vacant(slot) => {
                slot.insert(group);
                true
            }
            Entry::Occupied(mut slot) => {
                let old = slot.get_mut();
                let occurrences = old.occurrences + 1;
                // A group without occurrences was read from a journal; the test that showed it has run again.
                if index < old.index || old.occurrences == 0 {
                    *old = group;
                }
                old.occurrences = occurrences;
                false
            }
        }
    }
}

/// Tests handed out at a time: few enough that the end is sharp, many enough that threads seldom meet.
const CHUNK: u64 = 16;

/// Runs a campaign, or goes on with one: `begun` is what was done before (nothing, by default). `worker` makes each
/// thread's own state; the state's function runs the test of an index, counts it and gives its findings.
///
/// Stops early when `cancel` becomes true; what was done until then is kept.
pub fn run<F>(
    schedule: &Schedule,
    begun: Outcome,
    cancel: &AtomicBool,
    worker: impl Fn(usize) -> F + Sync,
    mut on_event: impl FnMut(Event<'_>),
) -> Outcome
where
    F: FnMut(u64, &mut Tally) -> Vec<Seen>,
{
    let begin = Instant::now();
    let before = begun.elapsed;
    let next = AtomicU64::new(begun.done.next());
    let done = begun.done.clone();
    let mut outcome = begun;
    let (send, receive) = mpsc::sync_channel::<(u64, u64, Tally, Vec<(u64, Seen)>)>(64);
    let (shard, shards) = schedule.shard;
    let until = schedule.until;
    let most = schedule.before.unwrap_or(u64::MAX);
    std::thread::scope(|scope| {
        for job in 0..schedule.jobs.max(1) {
            let (send, next, done, worker) = (send.clone(), &next, &done, &worker);
            scope.spawn(move || {
                let mut examine = worker(job);
                loop {
                    let late = matches!(until, Until::Time(limit) if before + begin.elapsed() >= limit);
                    if late || cancel.load(Ordering::Relaxed) {
                        return;
                    }
                    let from = next.fetch_add(CHUNK, Ordering::Relaxed);
                    let to = match until {
                        Until::Runs(n) => (from + CHUNK).min(n.min(most)),
                        Until::Time(_) => (from + CHUNK).min(most),
                    };
                    if from >= to {
                        return;
                    }
                    if done.contains(from, to) {
                        continue;
                    }
                    let (mut tally, mut found) = (Tally::default(), vec![]);
                    for index in (from..to).filter(|i| i % shards == shard) {
                        tally.totals.tests += 1;
                        found.extend(examine(index, &mut tally).into_iter().map(|seen| (index, seen)));
                    }
                    if send.send((from, to, tally, found)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(send);
        for (from, to, tally, found) in receive {
            for (index, seen) in found {
                let signature = seen.signature.clone();
                if outcome.add(index, seen) {
                    on_event(Event::New { signature: &signature, group: &outcome.groups[&signature] });
                }
            }
            outcome.tally.merge(tally);
            outcome.done.add(from, to);
            outcome.elapsed = before + begin.elapsed();
            on_event(Event::Progress(&outcome));
        }
    });
    outcome.elapsed = before + begin.elapsed();
    outcome
}

#[cfg(test)]
mod tests;
