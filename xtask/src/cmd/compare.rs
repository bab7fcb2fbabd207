//! `compare OLD NEW`: new, fixed, and less precise.

use crate::exit::{Exit, Failure, Outcome};
use halfproof_reports::schema::SystemKind;
use halfproof_reports::{Run, compare};
use halfproof_wire::file::write_atomically;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

/// Options of `compare`.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The earlier run.json.
    old: PathBuf,
    /// The later run.json.
    new: PathBuf,
    /// Refuse runs of another converter than this one.
    #[arg(long)]
    converter: Option<String>,
    /// Print Markdown, for a job summary.
    #[arg(long)]
    markdown: bool,
    /// Afterwards put NEW in the place of OLD, for the next comparison; an OLD that is not there yet is no error.
    #[arg(long)]
    keep: bool,
}

/// Reads a run.json.
pub(crate) fn read_run(path: &Path) -> Result<Run, Failure> {
    let bytes = halfproof_wire::file::read(path).map_err(Failure::bad_input)?;
    let text =
        String::from_utf8(bytes).map_err(|_| Failure::bad_input(format!("{}: not text", path.display())))?;
    Run::from_json(&text).map_err(|e| Failure::bad_input(format!("{}: {e}", path.display())))
}

/// Reads the run of a converter; a nightly job per converter must not compare one with another.
fn read(path: &Path, converter: Option<&str>) -> Result<Run, Failure> {
    let run = read_run(path)?;
    let found = run.systems.iter().find(|s| s.kind == SystemKind::Converter).map(|s| s.name.as_str());
    match (converter, found) {
        (Some(wanted), found) if found != Some(wanted) => Err(Failure::bad_input(format!(
            "{} is a run of {}, not of {wanted}",
            path.display(),
            found.unwrap_or("no converter")
        ))),
        _ => Ok(run),
    }
}

/// Compares two runs; exit code 1 when something new is certain or an output has become less precise.
pub(crate) fn run(args: &Args) -> Outcome {
    let new = read(&args.new, args.converter.as_deref())?;
    if args.keep && !args.old.exists() {
        keep(&args.old, &new)?;
        anstream::println!("nothing to compare with yet; kept as {}", args.old.display());
        return Ok(Exit::Clean);
    }
    let comparison = compare::compare(&read(&args.old, args.converter.as_deref())?, &new);
    if args.markdown {
        anstream::println!("{}", compare::markdown(&comparison));
    } else {
        anstream::println!("{}", compare::terminal(&comparison, std::io::stdout().is_terminal()));
    }
    if args.keep {
        keep(&args.old, &new)?;
    }
    Ok(if comparison.is_red() { Exit::NewFindings } else { Exit::Clean })
}

fn keep(path: &Path, run: &Run) -> Result<(), Failure> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)
            .map_err(|e| Failure::bad_input(format!("{}: cannot be created: {e}", folder.display())))?;
    }
    write_atomically(path, run.to_json().as_bytes()).map_err(Failure::writing)
}
