//! The folder that a campaign writes to: one campaign at a time, and nothing is lost or left over from earlier ones.

use crate::cmd::report;
use crate::exit::Failure;
use halfproof_fuzz::campaign::Journal;
use halfproof_fuzz::triage::Record;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

/// Where the journal of a campaign that has not ended is, inside its folder.
pub(super) const UNFINISHED: &str = "unfinished";

/// Stays in the folder: removing it would let a third campaign lock another file of that name.
const LOCK: &str = ".lock";

/// A folder that no other campaign takes while this lives.
#[derive(Debug)]
pub(super) struct Taken {
    _lock: Option<File>,
}

/// Takes the folder of a new campaign. One that was killed or interrupted there is moved aside; what is left of one that
/// ended is removed, since the new report would not speak of it.
pub(super) fn begin(out: &Path) -> Result<Taken, Failure> {
    std::fs::create_dir_all(out).map_err(|e| cannot("be created", out, &e))?;
    let taken = lock(out)?;
    if !Journal::is_in(&out.join(UNFINISHED)) {
        clear(out)?;
        return Ok(taken);
    }
    let aside = aside(out);
    move_aside(out, &aside).map_err(|e| {
        Failure::bad_input(format!(
            "{}: holds a campaign that has not ended and cannot be moved to {} ({e}); choose another --out, or go on with it: \
             `cargo xtask fuzz --resume {0}`",
            out.display(),
            aside.display()
        ))
    })?;
    anstream::eprintln!(
        "{} held a campaign that had not ended; it is now {}, and `cargo xtask fuzz --resume {1}` goes on with it",
        out.display(),
        aside.display()
    );
    std::fs::create_dir_all(out).map_err(|e| cannot("be created", out, &e))?;
    // Nobody else takes the folder in between: the first lock is held until now.
    lock(out)
}

fn cannot(what: &str, path: &Path, e: &std::io::Error) -> Failure {
    Failure::bad_input(format!("{}: cannot {what}: {e}", path.display()))
}

/// Takes a folder as it is; refused while another campaign has it.
pub(super) fn lock(out: &Path) -> Result<Taken, Failure> {
    let path = out.join(LOCK);
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|e| cannot("be created", &path, &e))?;
    match file.try_lock() {
        Ok(()) => Ok(Taken { _lock: Some(file) }),
        Err(TryLockError::WouldBlock) => Err(Failure::bad_input(format!(
            "another campaign writes into {}; choose another --out",
            out.display()
        ))),
        // Some network file systems have no locks: the campaign can do without.
        Err(TryLockError::Error(_)) => Ok(Taken { _lock: None }),
    }
}

fn move_aside(out: &Path, aside: &Path) -> std::io::Result<()> {
    // The folder in which the command runs would move with it, and every path that is relative to it.
    if std::env::current_dir()?.starts_with(std::fs::canonicalize(out)?) {
        return Err(std::io::Error::other("the command runs in it"));
    }
    std::fs::rename(out, aside)
}

/// DIR.unfinished, DIR.unfinished-2, …: the first that is not there.
fn aside(out: &Path) -> PathBuf {
    // `reports/latest/` and `.` have a name only when they are resolved.
    let whole = std::fs::canonicalize(out).unwrap_or_else(|_| out.to_path_buf());
    let plain = if out.file_name().is_some() { out } else { &whole };
    let name = |n: u32| {
        let mut name = plain.file_name().unwrap_or_default().to_os_string();
        name.push(if n == 1 { ".unfinished".to_string() } else { format!(".unfinished-{n}") });
        plain.with_file_name(name)
    };
    let is_free = |path: &PathBuf| path.symlink_metadata().is_err();
    (1..).map(name).find(is_free).unwrap_or_else(|| name(1))
}

/// Removes the findings and renderings of a run of ours, and nothing else.
pub(super) fn clear(out: &Path) -> Result<(), Failure> {
    let Some(run) = report::former(out) else { return Ok(()) };
    for finding in &run.findings {
        Record::remove(out, &finding.id).map_err(Failure::bad_input)?;
    }
    // Still there where somebody put something else into it.
    let _ = std::fs::remove_dir(out.join("findings"));
    for path in report::NAMES.iter().map(|name| out.join(name)).chain([out.join("run.json")]) {
        match std::fs::remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(cannot("be removed", &path, &e));
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use halfproof_reports::Run;

    fn put(folder: &Path, name: &str, text: &str) {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Every file of a folder but the lock.
    fn files(folder: &Path) -> Vec<String> {
        let (mut found, mut folders) = (vec![], vec![folder.to_path_buf()]);
        while let Some(inside) = folders.pop() {
            for entry in std::fs::read_dir(inside).unwrap() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(folder).unwrap().display().to_string();
                if path.is_dir() {
                    folders.push(path);
                } else if name != LOCK {
                    found.push(name);
                }
            }
        }
        found.sort();
        found
    }

    #[test]
    fn one_campaign_at_a_time_writes_into_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let first = begin(folder.path()).unwrap();
        for second in [begin(folder.path()), lock(folder.path())] {
            let failure = second.unwrap_err();
            assert_eq!(failure.exit as u8, 2);
            assert!(failure.message.contains("another campaign writes into "), "{}", failure.message);
        }
        drop(first);
        begin(folder.path()).unwrap();
    }

    #[test]
    fn a_campaign_that_has_not_ended_is_moved_aside_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("night");
        for (round, aside) in
            ["night.unfinished", "night.unfinished-2", "night.unfinished-3"].iter().enumerate()
        {
            put(&out, "unfinished/plan.json", &format!("{round}"));
            put(&out, "theirs.txt", "x");
            drop(begin(&out).unwrap());
            assert_eq!(files(&out), [""; 0]);
            let aside = folder.path().join(aside);
            assert_eq!(files(&aside), ["theirs.txt", "unfinished/plan.json"]);
            assert_eq!(
                std::fs::read_to_string(aside.join("unfinished/plan.json")).unwrap(),
                format!("{round}")
            );
            // Both may run at once.
            drop((lock(&aside).unwrap(), begin(&out).unwrap()));
        }
    }

    fn run_with(id: &str) -> String {
        let mut run: serde_json::Value =
            serde_json::from_str(&Run::new("cargo xtask fuzz", 1).to_json()).unwrap();
        run["findings"] = serde_json::json!([{
            "id": id, "class": "kernel", "blame": "runtime kernel", "strength": "certified", "system": null,
            "converter": "in-tree", "precision": null, "operator": null, "title": "", "because": "",
            "place": { "source": null, "operator": null, "operator_index": null, "tensor": null, "tensor_index": null,
                "element": null, "coordinates": null },
            "evidence": null, "points": [], "controls": [], "notes": [], "signature": "", "related": [],
            "occurrences": 1, "first_test": 0, "replay": "", "graph": "", "known_issue": null,
            "files": { "model": null, "converted": null, "inputs": null, "repro": null, "repro_alone": null,
                "nearest_good": null },
            "drawing": { "nodes": [], "edges": [] }
        }]);
        Run::from_json(&run.to_string()).unwrap().to_json()
    }

    #[test]
    fn what_a_finished_run_left_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path();
        put(out, "run.json", &run_with("SO-3f2a91"));
        for name in ["report.html", "report.md", "junit.xml", "findings/SO-3f2a91/model.onnx"] {
            put(out, name, "x");
        }
        let theirs = ["findings/SO-000000/model.onnx", "findings/note.txt", "model.onnx", "notes.md"];
        theirs.iter().for_each(|name| put(out, name, "x"));
        drop(begin(out).unwrap());
        assert_eq!(files(out), theirs);

        put(out, "run.json", &run_with("SO-3f2a91"));
        put(out, "findings/SO-3f2a91/finding.json", "x");
        put(out, "findings/SO-3f2a91/my-thoughts.md", "x");
        drop(begin(out).unwrap());
        assert!(files(out).contains(&"findings/SO-3f2a91/my-thoughts.md".to_string()));
        assert!(!out.join("findings/SO-3f2a91/finding.json").exists());
    }

    #[test]
    fn a_folder_without_a_run_of_ours_is_left_alone() {
        for text in [None, Some("{}"), Some("not JSON")] {
            let folder = tempfile::tempdir().unwrap();
            if let Some(text) = text {
                put(folder.path(), "run.json", text);
            }
            put(folder.path(), "report.html", "x");
            put(folder.path(), "findings/SO-3f2a91/model.onnx", "x");
            let before = files(folder.path());
            drop(begin(folder.path()).unwrap());
            assert_eq!(files(folder.path()), before);
        }
    }

    #[test]
    fn a_name_in_a_run_leads_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        put(folder.path(), "else/model.onnx", "x");
        for id in ["../../else", "..", "", "/", "a/../../../else"] {
            put(&out, "run.json", &run_with(id));
            put(&out, "model.onnx", "x");
            drop(begin(&out).unwrap());
            assert!(
                folder.path().join("else/model.onnx").exists() && out.join("model.onnx").exists(),
                "{id}"
            );
        }
    }
}
