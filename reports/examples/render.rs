//! Renders a run in every form: `render RUN.json DIR`, or `render sample DIR` for the run that the tests use.

#[path = "../tests/sample/mod.rs"]
mod sample;

use halfproof_reports::{Run, html, junit, markdown, terminal};
use std::error::Error;
use std::path::Path;

#[expect(clippy::print_stdout, reason = "an example program")]
fn main() -> Result<(), Box<dyn Error>> {
    let [_, from, to] = <[String; 3]>::try_from(std::env::args().collect::<Vec<_>>())
        .map_err(|_| "two arguments, please: a run.json and a folder")?;
    let run = if from == "sample" { sample::run() } else { Run::from_json(&std::fs::read_to_string(from)?)? };
    let folder = Path::new(&to);
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("run.json"), run.to_json())?;
    std::fs::write(folder.join("report.html"), html(&run)?)?;
    std::fs::write(folder.join("report.md"), markdown(&run))?;
    std::fs::write(folder.join("report.xml"), junit(&run))?;
    print!("{}", terminal(&run, false));
    Ok(())
}
