//! `report RUN.json`: HTML, Markdown and JUnit XML beside it.

use super::compare::read_run;
use crate::exit::{Exit, Failure, Outcome};
use crate::folder::Named;
use halfproof_reports::{Run, html_after, junit, markdown};
use halfproof_wire::file::write_atomically;
use std::path::{Path, PathBuf};

/// Options of `report`.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The run to render.
    #[arg(default_value = "reports/latest/run.json")]
    run: PathBuf,
    /// Where to write; the folder of the run by default.
    #[arg(long)]
    out: Option<PathBuf>,
    /// A folder of earlier runs (run.json files, in it or in folders of it) for the trend, oldest first by their start.
    #[arg(long)]
    history: Option<PathBuf>,
}

/// What is written beside a run.json.
pub(crate) const NAMES: [&str; 3] = ["report.html", "report.md", "junit.xml"];

/// Renders a run.
pub(crate) fn run(args: &Args) -> Outcome {
    let run = read_run(&args.run)?;
    let out = args.out.clone().or_else(|| args.run.parent().map(Path::to_path_buf)).unwrap_or_default();
    let history =
        args.history.as_deref().map(|folder| earlier(folder, &run)).transpose()?.unwrap_or_default();
    std::fs::create_dir_all(&out)
        .map_err(|e| Failure::bad_input(format!("{}: cannot be created: {e}", out.display())))?;
    for path in write_after(&run, &history, &out)? {
        anstream::println!("{}", path.display());
    }
    Ok(Exit::Clean)
}

/// The runs of a folder that began before this one; files that are no run are left out, with a word.
fn earlier(folder: &Path, run: &Run) -> Result<Vec<Run>, Failure> {
    let cannot = |e: std::io::Error| Failure::bad_input(format!("cannot read {}: {e}", folder.display()));
    let mut paths = vec![];
    for entry in std::fs::read_dir(folder).map_err(cannot)? {
        let path = entry.map_err(cannot)?.path();
        let path = if path.is_dir() { path.join("run.json") } else { path };
        if path.is_file() && path.extension().is_some_and(|e| e == "json") {
            paths.push(path);
        }
    }
    paths.sort();
    let mut runs = vec![];
    for path in paths {
        match read_run(&path) {
            Ok(old) if old == *run => {}
            Ok(old) if began_later(&old, run) => {
                anstream::eprintln!("left out of the trend: {} began later", path.display());
            }
            Ok(old) => runs.push(old),
            Err(e) => anstream::eprintln!("left out of the trend: {}", e.message),
        }
    }
    // RFC 3339 in UTC sorts as text.
    runs.sort_by(|a, b| a.timings.started.cmp(&b.timings.started));
    Ok(runs)
}

/// Runs of older versions do not say when they began.
fn began_later(other: &Run, run: &Run) -> bool {
    !run.timings.started.is_empty() && other.timings.started > run.timings.started
}

/// The run that a folder holds; `None` where it holds none of ours.
pub(crate) fn former(out: &Path) -> Option<Run> {
    Run::from_json(&std::fs::read_to_string(out.join("run.json")).ok()?).ok()
}

/// The three renderings by the names of their files.
pub(crate) fn renderings(run: &Run, history: &[Run]) -> Result<[Named; 3], Failure> {
    let page = html_after(run, history).map_err(Failure::harness)?;
    let [html, md, xml] = NAMES;
    Ok([(html, page), (md, markdown(run)), (xml, junit(run))].map(|(name, text)| (name, text.into_bytes())))
}

/// Writes the three renderings into a folder.
pub(crate) fn write(run: &Run, out: &Path) -> Result<Vec<PathBuf>, Failure> {
    write_after(run, &[], out)
}

fn write_after(run: &Run, history: &[Run], out: &Path) -> Result<Vec<PathBuf>, Failure> {
    renderings(run, history)?
        .into_iter()
        .map(|(name, bytes)| {
            let path = out.join(name);
            write_atomically(&path, &bytes).map_err(Failure::writing)?;
            Ok(path)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn begun(started: &str, tests: u64) -> Run {
        let mut run = Run::new("cargo xtask fuzz", 1);
        run.timings.started = started.to_string();
        run.totals.tests = tests;
        run
    }

    #[test]
    fn the_trend_is_in_the_order_in_which_runs_began() {
        let folder = tempfile::tempdir().unwrap();
        let runs = [
            ("a.json", begun("2026-11-03T00:00:00Z", 3)),
            ("b.json", begun("2026-11-01T10:00:00Z", 2)),
            ("c.json", begun("", 1)),
            ("d.json", begun("2026-11-05T00:00:00Z", 5)),
            ("e.json", begun("2026-11-04T00:00:00Z", 4)),
        ];
        for (name, run) in &runs {
            std::fs::write(folder.path().join(name), run.to_json()).unwrap();
        }
        let earlier = earlier(folder.path(), &runs[4].1).unwrap();
        assert_eq!(earlier.iter().map(|r| r.totals.tests).collect::<Vec<_>>(), [1, 2, 3]);
    }

    #[test]
    fn the_folder_for_a_report_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.json");
        std::fs::write(&path, begun("", 1).to_json()).unwrap();
        let out = folder.path().join("new/deeper");
        run(&Args { run: path, out: Some(out.clone()), history: None }).unwrap();
        assert!(NAMES.iter().all(|name| out.join(name).is_file()));
    }
}
