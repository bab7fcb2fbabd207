//! `ci`: everything that must hold before a change lands, in the order in which it fails fastest.

use crate::exit::{Exit, Failure, Outcome};
use std::process::{Command, ExitStatus};

/// Options of `ci`.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Also build and test the tract worker, whose cold build takes minutes.
    #[arg(long)]
    with_tract: bool,
}

/// One step: what it is called and what it runs (`cargo` with these arguments).
struct Step {
    name: &'static str,
    args: &'static [&'static str],
}

const STEPS: &[Step] = &[
    Step { name: "formatting", args: &["fmt", "--all", "--check"] },
    Step {
        name: "lints",
        args: &[
            "clippy",
            "--workspace",
            "--exclude",
            "halfproof-tract",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ],
    },
    Step { name: "LiteRT", args: &["xtask", "setup", "litert"] },
    Step {
        name: "tests",
        args: &["test", "--release", "--workspace", "--exclude", "halfproof-tract", "--no-fail-fast"],
    },
    Step {
        name: "a short campaign with a fixed seed",
        args: &["xtask", "fuzz", "--runs", "20000", "--seed", "20261123", "--out", "target/ci-fuzz"],
    },
    Step { name: "the corpus", args: &["xtask", "regress"] },
];

/// An outside converter that is light enough to be tested on every run. Where it cannot be installed its tests say that they
/// skip it.
const QUANTIZER: Step = Step { name: "ai-edge-quantizer", args: &["xtask", "setup", "quantizer"] };

/// Steps that need the tract worker, whose cold build takes longer than all the others together.
const TRACT: &[Step] = &[
    Step {
        name: "lints of the tract worker",
        args: &["clippy", "--release", "-p", "halfproof-tract", "--all-targets", "--", "-D", "warnings"],
    },
    Step { name: "tract, the fp32 voter", args: &["xtask", "setup", "tract"] },
    Step {
        name: "its tests",
        args: &["test", "--release", "-p", "halfproof-systems", "--test", "tract", "--test", "smoke"],
    },
    Step {
        name: "a short campaign in which it votes",
        args: &[
            "xtask",
            "fuzz",
            "--runs",
            "4000",
            "--seed",
            "20261123",
            "--runtime",
            "interp-f32,tract",
            "--share",
            "1",
            "--out",
            "target/ci-fuzz-tract",
        ],
    },
];

/// The report is tried in Chromium; where it is missing and the system lets us, it is installed.
fn install_browser() {
    let there =
        |program: &str| Command::new(program).arg("--version").output().is_ok_and(|o| o.status.success());
    if there("chromedriver") && there("chromium") {
        return;
    }
    let apt = |args: &[&str]| Command::new("apt-get").args(args).status().is_ok_and(|s| s.success());
    let packages = ["install", "-y", "--no-install-recommends", "chromium", "chromium-driver"];
    if !(apt(&packages) || apt(&["update"]) && apt(&packages)) {
        anstream::eprintln!("SKIPPED: the report in a browser (no Chromium, and apt-get cannot install it)");
    }
}

fn start(step: &Step) -> Result<ExitStatus, Failure> {
    let status = Command::new(env!("CARGO")).args(step.args).status();
    status.map_err(|e| Failure::harness(format!("cargo could not be started: {e}")))
}

/// Runs every step and stops at the first that fails.
pub(crate) fn run(args: &Args) -> Outcome {
    install_browser();
    if !start(&QUANTIZER)?.success() {
        anstream::eprintln!("SKIPPED: the ai-edge-quantizer converter (it could not be installed)");
    }
    let optional: &[Step] = if args.with_tract { TRACT } else { &[] };
    let steps: Vec<&Step> = STEPS.iter().chain(optional).collect();
    for (i, step) in steps.iter().enumerate() {
        anstream::eprintln!("── {} of {}: {} (cargo {})", i + 1, steps.len(), step.name, step.args.join(" "));
        if !start(step)?.success() {
            return Err(Failure::harness(format!(
                "{} failed; run `cargo {}`",
                step.name,
                step.args.join(" ")
            )));
        }
    }
    if !args.with_tract {
        anstream::eprintln!("SKIPPED: tract, the fp32 voter (ask for it with --with-tract)");
    }
    Ok(Exit::Clean)
}
