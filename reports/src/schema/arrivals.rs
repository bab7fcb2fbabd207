//! Whether new findings have stopped coming: when they came, and how often another is to be expected.

use super::{Finding, Run};
use crate::table::thousands;
use halfproof_oracle::verdict::Class;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// When the new certified findings of a campaign were first seen, and what an estimate of those to come rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Arrivals {
    /// How many of them came in each quarter of the tests.
    pub quarters: [u64; 4],
    /// Tests that were drawn, rather than trying an operator alone because it was its turn.
    pub drawn: u64,
    /// Findings that only a single drawn test has seen. Good and Turing: `once / drawn` of further tests show a new one.
    pub once: u64,
    /// Those of `once` that are more than a refusal.
    pub once_wrong: u64,
}

impl Arrivals {
    /// Of a campaign's tests the first `scouts` tried operators alone; all were shared by `shards`, of which this is one.
    pub fn of(run: &Run, scouts: u64, shards: u64) -> Arrivals {
        // Indices of a shard lie that many apart, those of scouting tests do not.
        let drawn = run.totals.tests.saturating_sub(scouts);
        let indices = u128::from((scouts + drawn * shards).max(1));
        let mut seen = Arrivals { quarters: [0; 4], drawn, once: 0, once_wrong: 0 };
        for finding in run.new_findings().filter(|f| f.is_certified()) {
            let quarter = u128::from(finding.first_test) * 4 / indices;
            seen.quarters[quarter.min(3) as usize] += 1;
            let is_single = finding.occurrences == 1 && finding.first_test >= scouts;
            seen.once += u64::from(is_single);
            seen.once_wrong += u64::from(is_single && !is_refusal(finding));
        }
        seen
    }

    /// What there is to say of them, a line each.
    pub fn lines(&self) -> Vec<String> {
        if self.quarters.iter().sum::<u64>() == 0 {
            return vec![];
        }
        let listed = self.quarters.map(|n| n.to_string()).join(", ");
        let quarters = format!("new certified findings by quarter of the tests: {listed}");
        // Leaving one test out, what that test alone has seen would be new: the share of such tests estimates how
        // likely the next one shows something new (Good 1953; for fuzzing, Boehme, STADS, 2018).
        let every = |n: u64| match n {
            0 => format!("none in {}", thousands(self.drawn)),
            n => format!("one in {}", thousands((self.drawn / n).max(1))),
        };
        let next = format!(
            "of further tests about {} would show a new one, and {} one that is no refusal ({} and {} of {} drawn tests did)",
            every(self.once),
            every(self.once_wrong),
            thousands(self.once),
            thousands(self.once_wrong),
            thousands(self.drawn)
        );
        if self.drawn == 0 { vec![quarters] } else { vec![quarters, next] }
    }
}

fn is_refusal(finding: &Finding) -> bool {
    finding.class == Class::Legalization
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrivals(once: u64, once_wrong: u64, drawn: u64) -> Arrivals {
        Arrivals { quarters: [9, 1, 0, 2], drawn, once, once_wrong }
    }

    #[test]
    fn a_campaign_without_news_says_nothing() {
        let none = Arrivals { quarters: [0; 4], ..arrivals(0, 0, 100) };
        assert!(none.lines().is_empty());
        assert_eq!(Arrivals::of(&Run::new("cargo xtask fuzz".to_string(), 1), 284, 1).drawn, 0);
    }

    #[test]
    fn what_was_seen_once_tells_what_is_still_to_come() {
        let lines = arrivals(4, 1, 1000).lines();
        assert!(lines[0].ends_with(": 9, 1, 0, 2"), "{lines:?}");
        assert!(
            lines[1].contains("about one in 250 would show a new one, and one in 1,000 one that is no"),
            "{lines:?}"
        );
        let quiet = arrivals(0, 0, 1000).lines();
        assert!(quiet[1].contains("about none in 1,000 would"), "{quiet:?}");
    }

    #[test]
    fn tests_of_operators_alone_tell_nothing_of_drawn_ones() {
        assert_eq!(arrivals(0, 0, 0).lines().len(), 1);
    }
}
