//! `report RUN.json`: HTML, Markdown and JUnit XML beside it.

use super::compare::read_run;
use crate::exit::{Exit, Failure, Outcome};
use halfproof_reports::{Run, html, junit, markdown};
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
}

/// Renders a run.
pub(crate) fn run(args: &Args) -> Outcome {
    let run = read_run(&args.run)?;
    let out = args.out.clone().or_else(|| args.run.parent().map(Path::to_path_buf)).unwrap_or_default();
    for path in write(&run, &out)? {
        anstream::println!("{}", path.display());
    }
    Ok(Exit::Clean)
}

/// Writes the three renderings into a folder.
pub(crate) fn write(run: &Run, out: &Path) -> Result<Vec<PathBuf>, Failure> {
    let page = html(run).map_err(Failure::harness)?;
    [("report.html", page), ("report.md", markdown(run)), ("junit.xml", junit(run))]
        .into_iter()
        .map(|(name, text)| {
            let path = out.join(name);
            write_atomically(&path, text.as_bytes()).map_err(Failure::bad_input)?;
            Ok(path)
        })
        .collect()
}
