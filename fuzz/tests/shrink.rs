//! One bug is one small finding: faults that a system has throughout a campaign.

use halfproof_fuzz::power::{Options, Shrinking, large, shrinking};

fn measured(jobs: usize) -> Shrinking {
    shrinking(&Options { jobs, ..Options::new(8, 0, 3) }, |_, _| ())
}

#[test]
fn a_bug_becomes_about_one_finding_of_at_most_two_nodes() {
    let measured = measured(2);
    assert_eq!(measured.faults.len() + measured.nowhere.len(), 8);
    assert!(measured.faults.len() >= 6, "{:?}", measured.nowhere);
    assert!(measured.median_nodes().is_some_and(|n| n <= 2), "{measured:#?}");
    assert!(measured.findings_per_fault() <= 1.5, "{measured:#?}");
    for finding in measured.findings() {
        assert!(finding.nodes <= finding.nodes_before && finding.nodes_before >= 5, "{finding:#?}");
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let found = |s: Shrinking| -> Vec<(String, usize)> {
        s.findings().map(|f| (f.signature.clone(), f.nodes)).collect()
    };
    assert_eq!(found(measured(1)), found(measured(2)));
}

#[test]
fn a_fault_in_a_large_model_is_made_small() {
    let found = large(150, 4).expect("a fault shows");
    assert!(found.nodes_before >= 150 && found.nodes <= 4, "{found:#?}");
}
