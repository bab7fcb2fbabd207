//! The commands of halfproof: `cargo xtask COMMAND`.

mod clock;
mod cmd;
mod exit;
mod folder;
mod progress;
mod strategies;
mod words;

use clap::{Parser, Subcommand};
use mimalloc::MiMalloc;
use std::process::ExitCode;

/// A test makes some two thousand small allocations that live for microseconds: glibc's allocator takes a quarter of its time.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Is this float16 TFLite model right, and if not, whose fault is it?
#[derive(Parser, Debug)]
#[command(name = "cargo xtask", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Generate graphs, convert, run and judge them, minimise what is wrong.
    Fuzz(cmd::fuzz::Args),
    /// Convert an .onnx or fp32 .tflite model to float16.
    Convert(cmd::convert::Args),
    /// Say whether a converted model is right, and if not, whose fault it is.
    Triage(cmd::triage::Args),
    /// Replay the corpus: regressions, real models, known issues.
    Regress(cmd::regress::Args),
    /// Real models through every strategy, runtime and question.
    Zoo(cmd::zoo::Args),
    /// Work on the corpus itself.
    Corpus(cmd::corpus::Args),
    /// Tell new, fixed and less precise from one run to another.
    Compare(cmd::compare::Args),
    /// Run every finite float16 input of every unary operator through every runtime.
    Exhaustive(cmd::exhaustive::Args),
    /// What converts, runs and is right: operator by strategy by runtime, from executed cases.
    Matrix(cmd::matrix::Args),
    /// The test cases of the onnx package through our converter.
    Conformance(cmd::conformance::Args),
    /// Render a run as HTML, Markdown and JUnit XML.
    Report(cmd::report::Args),
    /// The oracle's own score: injected faults that it sees, false alarms, cost.
    Power(cmd::power::Args),
    /// Mutation testing: changes the converter, which the campaign and the tests must notice.
    Mutants(cmd::mutants::Args),
    /// Microseconds per stage and tests per second.
    Bench(cmd::bench::Args),
    /// Compare the strategies, and other people's rules, on models.
    Strategies(cmd::strategies::Args),
    /// Install an outside system under target/.
    Setup(cmd::setup::Args),
    /// Everything that must hold before a change lands.
    Ci(cmd::ci::Args),
    /// The other end of a worker process.
    #[command(hide = true)]
    Worker {
        /// Which worker, and its arguments.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = exit::printing(|| run(&cli.command));
    match outcome {
        Ok(exit) => exit.into(),
        Err(failure) => {
            anstream::eprintln!("error: {}", failure.message);
            failure.exit.into()
        }
    }
}

fn run(command: &Command) -> exit::Outcome {
    match command {
        Command::Fuzz(args) => cmd::fuzz::run(args),
        Command::Convert(args) => cmd::convert::run(args),
        Command::Triage(args) => cmd::triage::run(args),
        Command::Regress(args) => cmd::regress::run(args),
        Command::Zoo(args) => cmd::zoo::run(args),
        Command::Corpus(args) => cmd::corpus::run(args),
        Command::Compare(args) => cmd::compare::run(args),
        Command::Exhaustive(args) => cmd::exhaustive::run(args),
        Command::Matrix(args) => cmd::matrix::run(args),
        Command::Conformance(args) => cmd::conformance::run(args),
        Command::Report(args) => cmd::report::run(args),
        Command::Power(args) => cmd::power::run(args),
        Command::Mutants(args) => cmd::mutants::run(args),
        Command::Bench(args) => cmd::bench::run(args),
        Command::Strategies(args) => cmd::strategies::run(args),
        Command::Setup(args) => cmd::setup::run(args),
        Command::Ci(args) => cmd::ci::run(args),
        Command::Worker { args } => {
            halfproof_systems::worker_main(args).map(|()| exit::Exit::Clean).map_err(exit::Failure::harness)
        }
    }
}
