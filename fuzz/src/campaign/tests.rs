//! The scheduler and its journal on tests that cost nothing.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use halfproof_oracle::verdict::{Blame, Class, Strength};

/// Every seventh test shows one of three faults.
fn examine(index: u64, tally: &mut Tally) -> Vec<Seen> {
    if !index.is_multiple_of(7) {
        return vec![];
    }
    tally.totals.judged += index;
    let text = format!("fault {}", ["a", "b", "c"][(index / 7 % 3) as usize]);
    let verdict = Verdict::new(Class::Kernel, Blame::Kernel, Strength::Certified, text);
    vec![Seen { signature: Signature::of("sut", &verdict, "f32"), verdict }]
}

fn campaign(jobs: usize, runs: u64) -> Outcome {
    let schedule = Schedule { until: Until::Runs(runs), jobs, before: None, shard: (0, 1) };
    let outcome = run(&schedule, Outcome::default(), &AtomicBool::new(false), |_| examine, |_| {});
    assert!(schedule.is_over(&outcome));
    outcome
}

#[test]
fn the_outcome_does_not_depend_on_the_number_of_threads() {
    let (one, four) = (campaign(1, 5000), campaign(4, 5000));
    assert_eq!(one.tally.totals, four.tally.totals);
    let summary = |o: &Outcome| -> Vec<_> {
        o.groups.iter().map(|(s, g)| (s.clone(), g.index, g.occurrences)).collect()
    };
    assert_eq!(summary(&one), summary(&four));
    assert_eq!(one.tally.totals.tests, 5000);
    assert_eq!(one.done.next(), 5000);
}

#[test]
fn each_group_is_represented_by_its_first_test() {
    let o = campaign(2, 1000);
    let mut first: Vec<u64> = o.groups.values().map(|g| g.index).collect();
    first.sort_unstable();
    assert_eq!(first, [0, 7, 14]);
    assert_eq!(o.groups.values().map(|g| g.occurrences).sum::<u64>(), 143);
}

#[test]
fn shards_split_the_tests_without_overlap() {
    let shard = |i| {
        let schedule = Schedule { until: Until::Runs(1000), jobs: 2, before: None, shard: (i, 3) };
        run(&schedule, Outcome::default(), &AtomicBool::new(false), |_| examine, |_| {}).tally.totals.tests
    };
    assert_eq!(shard(0) + shard(1) + shard(2), 1000);
}

#[test]
fn a_canceled_campaign_keeps_what_it_has() {
    let cancel = AtomicBool::new(false);
    let schedule =
        Schedule { until: Until::Time(Duration::from_secs(3600)), jobs: 2, before: None, shard: (0, 1) };
    let o = run(
        &schedule,
        Outcome::default(),
        &cancel,
        |_| examine,
        |e| {
            if let Event::Progress(so_far) = e
                && so_far.tally.totals.tests > 500
            {
                cancel.store(true, Ordering::Relaxed);
            }
        },
    );
    assert!(o.tally.totals.tests > 500);
    assert_eq!(o.groups.len(), 3);
    assert!(!schedule.is_over(&o));
    // Every test that was begun is in it: so many runs are the same ones.
    assert_eq!(o.done.next(), o.tally.totals.tests);
    assert_eq!(summary(&campaign(1, o.done.next())), summary(&o));
}

/// What does not depend on time.
fn summary(o: &Outcome) -> (u64, Vec<(Signature, Group)>) {
    (o.tally.totals.judged, o.groups.clone().into_iter().collect())
}

/// Runs until `kill` says so, and forgets everything but the journal: what a killed process leaves.
fn killed(folder: &std::path::Path, kill: impl Fn(&Outcome) -> bool, keep_counts: bool) {
    let mut journal = Journal::create(folder, "{}").unwrap();
    let cancel = AtomicBool::new(false);
    let schedule = Schedule { until: Until::Runs(5000), jobs: 3, before: None, shard: (0, 1) };
    let _ = run(
        &schedule,
        Outcome::default(),
        &cancel,
        |_| examine,
        |event| match event {
            _ if cancel.load(Ordering::Relaxed) => {}
            Event::New { signature, group } => journal.found(signature, group),
            Event::Progress(outcome) => {
                if keep_counts {
                    journal.save(outcome);
                }
                cancel.store(kill(outcome), Ordering::Relaxed);
            }
        },
    );
    assert_eq!(journal.failure(), None);
}

fn resumed(folder: &std::path::Path) -> Outcome {
    let (_, plan, begun) = Journal::resume(folder).unwrap();
    assert_eq!(plan, "{}");
    let schedule = Schedule { until: Until::Runs(5000), jobs: 2, before: None, shard: (0, 1) };
    run(&schedule, begun, &AtomicBool::new(false), |_| examine, |_| {})
}

#[test]
fn a_killed_campaign_goes_on_to_the_same_end() {
    let whole = campaign(1, 5000);
    for (at, keep_counts) in [(0, true), (700, true), (700, false), (4990, true)] {
        let folder = tempfile::tempdir().unwrap();
        killed(folder.path(), |o| o.tally.totals.tests > at, keep_counts);
        assert_eq!(summary(&resumed(folder.path())), summary(&whole), "killed at {at}");
    }
}

#[test]
fn a_finding_is_kept_although_its_test_never_runs_again() {
    let folder = tempfile::tempdir().unwrap();
    killed(folder.path(), |o| !o.groups.is_empty(), false);
    let (_, _, begun) = Journal::resume(folder.path()).unwrap();
    assert!(!begun.groups.is_empty());
    assert_eq!(begun.done.next(), 0);
}

#[test]
fn a_record_that_was_cut_off_is_ignored() {
    let folder = tempfile::tempdir().unwrap();
    killed(folder.path(), |o| o.groups.len() == 3, false);
    let path = folder.path().join("found");
    let bytes = std::fs::read(&path).unwrap();
    for end in 0..bytes.len() {
        std::fs::write(&path, &bytes[..end]).unwrap();
        assert!(Journal::resume(folder.path()).unwrap().2.groups.len() <= 2);
    }
}

#[test]
fn a_full_disk_is_said_and_survived() {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/dev/full", folder.path().join("found")).unwrap();
    let mut journal = Journal::open(folder.path()).unwrap();
    let (signature, group) = campaign(1, 100).groups.into_iter().next().unwrap();
    journal.found(&signature, &group);
    assert!(journal.failure().unwrap().contains("No space left"), "{:?}", journal.failure());
}

#[test]
fn a_checkpoint_of_another_version_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    Journal::create(folder.path(), "{}").unwrap();
    std::fs::write(folder.path().join("checkpoint"), b"something else").unwrap();
    let error = Journal::resume(folder.path()).unwrap_err().to_string();
    assert!(error.contains("not a checkpoint of this version"), "{error}");
}
