//! `compare OLD NEW`: new, fixed, and less precise.

use crate::exit::{Exit, Failure, Outcome};
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

/// Compares two runs; exit code 1 when something new is certain or an output has become less precise.
pub(crate) fn run(args: &Args) -> Outcome {
    let new = read_run(&args.new)?;
    if args.keep && !args.old.exists() {
        keep(&args.old, &new)?;
        anstream::println!("nothing to compare with yet; kept as {}", args.old.display());
        return Ok(Exit::Clean);
    }
    let comparison = compare::compare(&read_run(&args.old)?, &new);
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
    write_atomically(path, run.to_json().as_bytes()).map_err(Failure::bad_input)
}
