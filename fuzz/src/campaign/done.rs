//! Which tests a campaign has run. Threads finish out of order, so this is a beginning without gaps and what lies beyond.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A set of test indices, kept as ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    next: u64,
    beyond: BTreeMap<u64, u64>,
}

impl Done {
    /// The first index that was not run.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// True when all of `from..to` was run.
    pub fn contains(&self, from: u64, to: u64) -> bool {
        to <= self.next || self.beyond.get(&from).is_some_and(|&end| to <= end)
    }

    /// Adds `from..to`.
    pub fn add(&mut self, from: u64, to: u64) {
        if from > self.next {
            self.beyond.insert(from, to);
            return;
        }
        self.next = self.next.max(to);
        while let Some(entry) = self.beyond.first_entry().filter(|e| *e.key() <= self.next) {
            self.next = self.next.max(entry.remove());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_arrive_out_of_order_close_the_gap() {
        let mut done = Done::default();
        done.add(16, 32);
        done.add(48, 60);
        assert_eq!(done.next(), 0);
        assert!(done.contains(16, 32) && !done.contains(0, 16) && !done.contains(48, 64));
        done.add(0, 16);
        assert_eq!(done.next(), 32);
        done.add(32, 48);
        assert_eq!((done.next(), done.beyond.len()), (60, 0));
        assert!(done.contains(0, 60) && !done.contains(48, 64));
    }
}
