//! `ci`: everything that must hold before a change lands, in the order in which it fails fastest.

use crate::exit::{Exit, Failure, Outcome};
use std::process::Command;

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
    /// What is left out when it fails; `None` where everything depends on it.
    else_skipped: Option<&'static str>,
}

impl Step {
    const fn new(name: &'static str, args: &'static [&'static str]) -> Step {
        Step { name, args, else_skipped: None }
    }
}

const STEPS: &[Step] = &[
    Step::new("formatting", &["fmt", "--all", "--check"]),
    Step::new(
        "lints",
        &["clippy", "--workspace", "--exclude", "halfproof-tract", "--all-targets", "--", "-D", "warnings"],
    ),
    Step::new("LiteRT", &["xtask", "setup", "litert"]),
    Step {
        name: "LiteRT's Interpreter",
        args: &["xtask", "setup", "litert-interpreter"],
        else_skipped: Some("LiteRT's Interpreter as a runtime (it could not be installed)"),
    },
    // An outside converter that is light enough to be tested on every run.
    Step {
        name: "ai-edge-quantizer",
        args: &["xtask", "setup", "quantizer"],
        else_skipped: Some("the ai-edge-quantizer converter (it could not be installed)"),
    },
    Step::new(
        "tests",
        &["test", "--release", "--workspace", "--exclude", "halfproof-tract", "--no-fail-fast"],
    ),
    Step::new(
        "a short campaign with a fixed seed",
        &["xtask", "fuzz", "--runs", "20000", "--seed", "20261123", "--out", "target/ci-fuzz"],
    ),
    Step::new("the corpus", &["xtask", "regress"]),
];

/// Steps that need the tract worker, whose cold build takes longer than all the others together.
const TRACT: &[Step] = &[
    Step::new(
        "lints of the tract worker",
        &["clippy", "--release", "-p", "halfproof-tract", "--all-targets", "--", "-D", "warnings"],
    ),
    Step::new("tract, the fp32 voter", &["xtask", "setup", "tract"]),
    Step::new(
        "its tests",
        &["test", "--release", "-p", "halfproof-systems", "--test", "tract", "--test", "smoke"],
    ),
    Step::new(
        "a short campaign in which it votes",
        &[
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
    ),
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

/// Runs every step and stops at the first that fails.
pub(crate) fn run(args: &Args) -> Outcome {
    install_browser();
    let optional: &[Step] = if args.with_tract { TRACT } else { &[] };
    let steps: Vec<&Step> = STEPS.iter().chain(optional).collect();
    for (i, step) in steps.iter().enumerate() {
        anstream::eprintln!("── {} of {}: {} (cargo {})", i + 1, steps.len(), step.name, step.args.join(" "));
        let status = Command::new(env!("CARGO"))
            .args(step.args)
            .status()
            .map_err(|e| Failure::harness(format!("cargo could not be started: {e}")))?;
        if status.success() {
            continue;
        }
        if let Some(what) = step.else_skipped {
            anstream::eprintln!("SKIPPED: {what}");
        } else {
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
