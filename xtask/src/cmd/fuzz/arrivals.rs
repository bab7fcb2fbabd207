//! Whether new findings have stopped coming: when they came, and how often another is to be expected.

use halfproof_oracle::verdict::Class;
use halfproof_reports::schema::{Finding, Run};

const PARTS: u64 = 4;

/// When the new certified findings of a campaign were first seen.
pub(super) struct Arrivals {
    /// How many of them came in each quarter of the tests.
    parts: [u64; PARTS as usize],
    /// How many tests were drawn, rather than trying an operator alone because it is its turn.
    drawn: u64,
    /// How many findings only a single drawn test has seen.
    once: u64,
    /// Those of `once` that are more than a refusal.
    wrong: u64,
}

impl Arrivals {
    /// Of a campaign's tests the first `scouts` tried operators alone; all were shared by `shards`, of which this is one.
    pub(super) fn of(run: &Run, scouts: u64, shards: u64) -> Arrivals {
        // Indices of a shard lie that many apart, those of scouting tests do not.
        let drawn = run.totals.tests.saturating_sub(scouts);
        let indices = (scouts + drawn * shards).max(1);
        let mut seen = Arrivals { parts: [0; PARTS as usize], drawn, once: 0, wrong: 0 };
        for finding in run.new_findings().filter(|f| f.is_certified()) {
            seen.parts[(finding.first_test * PARTS / indices).min(PARTS - 1) as usize] += 1;
            let is_single = finding.occurrences == 1 && finding.first_test >= scouts;
            seen.once += u64::from(is_single);
            seen.wrong += u64::from(is_single && !is_refusal(finding));
        }
        seen
    }

    /// What there is to say of them, a line each.
    pub(super) fn lines(&self) -> Vec<String> {
        if self.parts.iter().sum::<u64>() == 0 {
            return vec![];
        }
        let listed = self.parts.map(|n| n.to_string()).join(", ");
        let quarters = format!("new certified findings by quarter of the tests: {listed}");
        // Leaving one test out, what that test alone has seen would be new: the share of such tests estimates how
        // likely the next one shows something new (Good 1953; for fuzzing, Boehme, STADS, 2018).
        let every = |n: u64| match n {
            0 => format!("none in {}", self.drawn),
            n => format!("one in {}", (self.drawn / n).max(1)),
        };
        let next = format!(
            "of further tests about {} would show a new one, and {} one that is no refusal ({} and {} of {} drawn tests did)",
            every(self.once),
            every(self.wrong),
            self.once,
            self.wrong,
            self.drawn
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

    fn arrivals(once: u64, wrong: u64, drawn: u64) -> Arrivals {
        Arrivals { parts: [9, 1, 0, 2], drawn, once, wrong }
    }

    #[test]
    fn a_campaign_without_news_says_nothing() {
        let none = Arrivals { parts: [0; 4], ..arrivals(0, 0, 100) };
        assert!(none.lines().is_empty());
        assert_eq!(Arrivals::of(&Run::new("cargo xtask fuzz".to_string(), 1), 284, 1).drawn, 0);
    }

    #[test]
    fn what_was_seen_once_tells_what_is_still_to_come() {
        let lines = arrivals(4, 1, 1000).lines();
        assert!(lines[0].ends_with(": 9, 1, 0, 2"), "{lines:?}");
        assert!(
            lines[1].contains("about one in 250 would show a new one, and one in 1000 one that is no"),
            "{lines:?}"
        );
        let quiet = arrivals(0, 0, 1000).lines();
        assert!(quiet[1].contains("about none in 1000 would"), "{quiet:?}");
    }

    #[test]
    fn tests_of_operators_alone_tell_nothing_of_drawn_ones() {
        assert_eq!(arrivals(0, 0, 0).lines().len(), 1);
    }
}
