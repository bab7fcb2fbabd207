//! The line that says how far a campaign is.

use halfproof_fuzz::campaign::Tally;
use indicatif::{ProgressBar, ProgressStyle};
use std::time::Duration;

/// A progress bar on a terminal, nothing elsewhere.
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A bar of so many steps: seconds, or tests.
    pub(crate) fn new(steps: u64) -> Progress {
        let bar = ProgressBar::new(steps);
        let style = ProgressStyle::with_template("{bar:24} {elapsed:>5}  {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style);
        Progress { bar }
    }

    /// Shows where the campaign is.
    pub(crate) fn update(&self, position: u64, tally: &Tally, elapsed: Duration) {
        let rate = tally.totals.tests as f64 / elapsed.as_secs_f64().max(1e-9);
        let findings = if tally.findings.is_empty() {
            "no findings".to_string()
        } else {
            tally.findings.iter().map(|(class, n)| format!("{class} {n}")).collect::<Vec<_>>().join(", ")
        };
        self.bar.set_position(position);
        self.bar.set_message(format!("{} tests, {rate:.0}/s, {findings}", tally.totals.tests));
    }

    /// Says one thing while something else is done.
    pub(crate) fn say(&self, text: String) {
        self.bar.set_message(text);
        self.bar.tick();
    }

    /// Removes the line.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
