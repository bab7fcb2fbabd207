//! What a campaign has learnt so far, on disk: whenever the process is killed, no finding is lost and the campaign can
//! go on.
//!
//! A folder of three files. `plan.json` says what the campaign is; it is written once. `checkpoint` holds everything
//! that was counted, replaced as a whole every few seconds. `found` holds each new finding, appended the moment it is
//! seen: those since the last checkpoint would otherwise be lost if the campaign never came to their tests again.
//! Counts since the last checkpoint are not kept: their tests run again, with the same results.
//!
//! Both are MessagePack, which unlike JSON has infinities and NaN. A record cut off by the kill is ignored.

use super::{Group, Outcome};
use crate::triage::Signature;
use halfproof_wire::file::{self, FileError, write_atomically};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A journal that cannot be made or read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// A checkpoint that this version cannot read.
    #[error("{}: not a checkpoint of this version of halfproof ({why})", path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

/// The journal of a running campaign.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    found: Option<File>,
    saved: Instant,
    failure: Option<String>,
}

/// How much work a kill may cost.
const EVERY: Duration = Duration::from_secs(3);

const PLAN: &str = "plan.json";
const CHECKPOINT: &str = "checkpoint";
const FOUND: &str = "found";

impl Journal {
    /// Begins the journal of a new campaign in `folder`, whose older journal is forgotten.
    ///
    /// # Errors
    /// When the folder or its files cannot be written.
    pub fn create(folder: &Path, plan: &str) -> Result<Journal, JournalError> {
        let fail = |source| FileError { path: folder.into(), action: "create", source };
        std::fs::create_dir_all(folder).map_err(fail)?;
        for old in [PLAN, CHECKPOINT, FOUND] {
            match std::fs::remove_file(folder.join(old)) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(fail(e).into()),
                _ => {}
            }
        }
        write_atomically(&folder.join(PLAN), plan.as_bytes())?;
        Journal::open(folder)
    }

    /// True when a folder holds the journal of a campaign.
    pub fn is_in(folder: &Path) -> bool {
        folder.join(PLAN).is_file()
    }

    /// Goes on with the journal in `folder`: its plan, and what was learnt before.
    ///
    /// # Errors
    /// When there is no journal, or one of another version.
    pub fn resume(folder: &Path) -> Result<(Journal, String, Outcome), JournalError> {
        let plan = file::read(&folder.join(PLAN))?;
        let plan = String::from_utf8_lossy(&plan).into_owned();
        let path = folder.join(CHECKPOINT);
        let mut outcome = match file::read(&path) {
            Ok(bytes) => rmp_serde::from_slice(&bytes)
                .map_err(|e| JournalError::Checkpoint { path, why: e.to_string() })?,
            Err(e) if e.source.kind() == std::io::ErrorKind::NotFound => Outcome::default(),
            Err(e) => return Err(e.into()),
        };
        let found = folder.join(FOUND);
        if found.exists() {
            recall(&file::read(&found)?, &mut outcome);
        }
        Ok((Journal::open(folder)?, plan, outcome))
    }

    /// Opens the files for writing, whatever they hold.
    pub(super) fn open(folder: &Path) -> Result<Journal, JournalError> {
        let path = folder.join(FOUND);
        let found = OpenOptions::new().create(true).append(true).open(&path);
        let found = found.map_err(|source| FileError { path, action: "create", source })?;
        Ok(Journal { folder: folder.into(), found: Some(found), saved: Instant::now(), failure: None })
    }

    /// Keeps a finding that was seen for the first time.
    pub fn found(&mut self, signature: &Signature, group: &Group) {
        let Some(file) = &mut self.found else { return };
        let record = rmp_serde::to_vec_named(&(signature, group)).map_err(std::io::Error::other);
        // One write, so that a kill cuts off the end of the file and nothing else.
        let written = record.and_then(|bytes| file.write_all(&bytes).and_then(|()| file.sync_data()));
        if let Err(e) = written {
            self.fail(format!("{}: {e}", self.folder.join(FOUND).display()));
        }
    }

    /// Keeps everything, every few seconds.
    pub fn progress(&mut self, outcome: &Outcome) {
        if self.saved.elapsed() >= EVERY {
            self.save(outcome);
        }
    }

    /// Keeps everything now.
    pub fn save(&mut self, outcome: &Outcome) {
        self.saved = Instant::now();
        let path = self.folder.join(CHECKPOINT);
        let written = match rmp_serde::to_vec_named(outcome) {
            Ok(bytes) => write_atomically(&path, &bytes).map_err(|e| e.to_string()),
            Err(e) => Err(format!("{}: {e}", path.display())),
        };
        match written {
            Ok(()) => self.failure = None,
            Err(why) => self.fail(why),
        }
    }

    fn fail(&mut self, why: String) {
        self.failure.get_or_insert(why);
    }

    /// Why the journal cannot be written at the moment (a full disk); the campaign goes on in memory.
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// Ends the journal of a campaign whose report is written.
    pub fn finish(self) {
        drop(self.found);
        // What cannot be removed does no harm: resuming it would end at once with the same report.
        let _ = std::fs::remove_dir_all(self.folder);
    }
}

/// Findings that the checkpoint does not have. Their tests have not been counted yet, so they have no occurrences.
fn recall(bytes: &[u8], outcome: &mut Outcome) {
    let mut rest = bytes;
    while !rest.is_empty() {
        let Ok((signature, group)) = rmp_serde::from_read::<_, (Signature, Group)>(&mut rest) else { return };
        outcome.groups.entry(signature).or_insert(Group { occurrences: 0, ..group });
    }
}
