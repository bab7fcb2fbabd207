//! The scheduler on tests that cost nothing.

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
    let schedule = Schedule { until: Until::Runs(runs), jobs, start: 0, shard: (0, 1) };
    run(&schedule, &AtomicBool::new(false), |_| examine, |_| {})
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
    assert_eq!(one.next, 5000);
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
        let schedule = Schedule { until: Until::Runs(1000), jobs: 2, start: 0, shard: (i, 3) };
        run(&schedule, &AtomicBool::new(false), |_| examine, |_| {}).tally.totals.tests
    };
    assert_eq!(shard(0) + shard(1) + shard(2), 1000);
}

#[test]
fn a_canceled_campaign_keeps_what_it_has() {
    let cancel = AtomicBool::new(false);
    let schedule =
        Schedule { until: Until::Time(Duration::from_secs(3600)), jobs: 2, start: 0, shard: (0, 1) };
    let o = run(
        &schedule,
        &cancel,
        |_| examine,
        |e| {
            if let Event::Progress { tally, .. } = e
                && tally.totals.tests > 500
            {
                cancel.store(true, Ordering::Relaxed);
            }
        },
    );
    assert!(o.tally.totals.tests > 500);
    assert_eq!(o.groups.len(), 3);
}
