//! Operators that a converter does not take are found first, each alone, so that graphs of several are not refused for one
//! of them: where half of the operators are refused, so are all but one in thirty graphs of five.

use super::{Report, Trial};
use crate::campaign::Scouted;

/// A campaign's first tests: every operator alone, once, then once more, and so on.
#[derive(Clone, Debug, Default)]
pub struct Scouting {
    /// Tests of each operator; 0 for none.
    pub cases: u64,
    /// What they showed; empty until they are done.
    pub seen: Scouted,
}

/// One test in so many draws from all operators all the same: what is refused in one shape may be taken in another.
const OF_ALL: u64 = 16;

impl Scouting {
    /// The operators out of `all` that a test behind the scouting tests draws from.
    pub(super) fn drawn<'n>(&self, index: u64, all: &[&'n str]) -> Vec<&'n str> {
        let is_taken = |name: &&&str| self.seen.get(**name).is_none_or(|t| t.is_taken());
        let taken: Vec<&str> = all.iter().filter(is_taken).copied().collect();
        if taken.is_empty() || index.is_multiple_of(OF_ALL) { all.to_vec() } else { taken }
    }
}

/// Counts what became of the test of `operator`; where it fitted nowhere, another stands in its place and says nothing of it.
pub(super) fn count(operator: &str, trial: &Trial, report: &Report, scouted: &mut Scouted) {
    if trial.graph.nodes.iter().any(|n| n.op.name() == operator) {
        let tried = scouted.entry(operator.to_string()).or_default();
        tried.tests += 1;
        tried.converted += u64::from(report.conversion.is_some());
    }
}
