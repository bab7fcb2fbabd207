//! `corpus`: what is done to the corpus itself.

use super::libfuzzer;
use crate::exit::Outcome;

/// Options of `corpus`.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand, Debug)]
enum Action {
    /// Keep in corpus/seeds a small set of files that covers what libFuzzer's collection covers.
    Minimise {
        /// The target; all of them where none is named.
        target: Option<String>,
    },
}

/// Does it.
pub(crate) fn run(args: &Args) -> Outcome {
    match &args.action {
        Action::Minimise { target } => libfuzzer::minimise(target.as_deref()),
    }
}
