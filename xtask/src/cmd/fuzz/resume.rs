//! `fuzz --resume DIR`: a campaign's options and journal, kept in the folder that it writes to.

use super::Args;
use crate::exit::Failure;
use halfproof_fuzz::campaign::{Journal, Outcome};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// What a campaign is: the same options give the same tests only in the same version.
#[derive(Serialize, Deserialize)]
struct Stored {
    version: String,
    args: Args,
}

/// The folder of the journal inside that of the campaign.
const FOLDER: &str = "unfinished";

/// Begins a journal; this is also where a folder that takes no files is noticed.
pub(super) fn create(args: &Args) -> Result<Journal, Failure> {
    let stored = Stored { version: env!("CARGO_PKG_VERSION").to_string(), args: args.clone() };
    let plan = serde_json::to_string_pretty(&stored).map_err(Failure::harness)? + "\n";
    Journal::create(&args.out.join(FOLDER), &plan).map_err(Failure::bad_input)
}

/// The options of the campaign in `folder`, with what `given` says anew, its journal, and what it had learnt.
pub(super) fn open(given: &Args, folder: &Path) -> Result<(Args, Option<Journal>, Outcome), Failure> {
    let inside = folder.join(FOLDER);
    if !inside.is_dir() {
        return Err(Failure::bad_input(format!(
            "{}: holds no unfinished campaign; start one with `cargo xtask fuzz --out {0}`",
            folder.display()
        )));
    }
    let (journal, plan, outcome) = Journal::resume(&inside).map_err(Failure::bad_input)?;
    let named = |why: String| Failure::bad_input(format!("{}: {why}", inside.join("plan.json").display()));
    let stored: Stored = serde_json::from_str(&plan).map_err(|e| named(e.to_string()))?;
    if stored.version != env!("CARGO_PKG_VERSION") {
        return Err(named(format!(
            "the campaign was begun by version {}, this is {}; its tests would be others",
            stored.version,
            env!("CARGO_PKG_VERSION")
        )));
    }
    let mut args = Args { out: folder.to_path_buf(), ..stored.args };
    if given.time.is_some() || given.runs.is_some() {
        (args.time, args.runs) = (given.time, given.runs);
    }
    args.jobs = given.jobs.or(args.jobs);
    Ok((args, Some(journal), outcome))
}
