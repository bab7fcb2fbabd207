//! `fuzz --resume DIR`: a campaign's options and journal, kept in the folder that it writes to.

use super::Args;
use super::folder::{self, Taken, UNFINISHED};
use crate::clock;
use crate::exit::Failure;
use halfproof_fuzz::campaign::{Journal, Outcome};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// What a campaign is: the same options give the same tests only in the same version.
#[derive(Serialize, Deserialize)]
struct Stored {
    version: String,
    args: Args,
    /// When it began.
    #[serde(default)]
    started: String,
}

/// A campaign that is to run, from its beginning or from where it was.
pub(super) struct Campaign {
    /// Keeps what it learns.
    pub(super) journal: Journal,
    /// What it has learnt.
    pub(super) begun: Outcome,
    /// When it began, as RFC 3339.
    pub(super) started: String,
    /// Its folder, which no other campaign may take.
    pub(super) taken: Taken,
}

/// Begins a journal; this is also where a folder that takes no files is noticed.
pub(super) fn create(args: &Args) -> Result<Campaign, Failure> {
    let taken = folder::begin(&args.out)?;
    let version = env!("CARGO_PKG_VERSION").to_string();
    let stored = Stored { version, args: args.clone(), started: clock::now() };
    let plan = serde_json::to_string_pretty(&stored).map_err(Failure::harness)? + "\n";
    let journal = Journal::create(&args.out.join(UNFINISHED), &plan).map_err(Failure::bad_input)?;
    Ok(Campaign { journal, begun: Outcome::default(), started: stored.started, taken })
}

/// The options of the campaign in `folder`, with what `given` says anew, and the campaign.
pub(super) fn open(given: &Args, folder: &Path) -> Result<(Args, Campaign), Failure> {
    let inside = folder.join(UNFINISHED);
    if !Journal::is_in(&inside) {
        return Err(Failure::bad_input(format!(
            "{}: holds no unfinished campaign; start one with `cargo xtask fuzz --out {0}`",
            folder.display()
        )));
    }
    let taken = folder::lock(folder)?;
    let (journal, plan, begun) = Journal::resume(&inside).map_err(Failure::bad_input)?;
    let named = |why: String| Failure::bad_input(format!("{}: {why}", inside.join("plan.json").display()));
    let stored: Stored = serde_json::from_str(&plan).map_err(|e| named(e.to_string()))?;
    if stored.version != env!("CARGO_PKG_VERSION") {
        return Err(named(format!(
            "the campaign was begun by version {}, this is {}; its tests would be others",
            stored.version,
            env!("CARGO_PKG_VERSION")
        )));
    }
    // The folder may have been moved.
    let mut args = Args { out: folder.to_path_buf(), ..stored.args };
    if given.time.is_some() || given.runs.is_some() {
        (args.time, args.runs) = (given.time, given.runs);
    }
    args.jobs = given.jobs.or(args.jobs);
    // Only now that it goes on: a report of its interruption would be taken for that of its end.
    folder::clear(folder)?;
    Ok((args, Campaign { journal, begun, started: stored.started, taken }))
}
