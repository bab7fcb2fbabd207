//! `power`: the oracle's own score.

mod shrink;

use super::fuzz::{cores, operators};
use crate::exit::{Exit, Failure, Outcome};
use crate::words::counted;
use halfproof_fuzz::power::score::{ClassScore, tolerance_names};
use halfproof_fuzz::power::{self, Options, Score};
use halfproof_wire::file::write_atomically;
use indicatif::{ProgressBar, ProgressStyle};
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Options of `power`.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  cargo xtask power\n  cargo xtask power --runs 20000 --executions 1000000\n  cargo xtask power --only 1234 --seed 1\n  cargo xtask power --shrink 100"
)]
pub(crate) struct Args {
    /// Injections of faults.
    #[arg(long, default_value_t = 5000)]
    runs: u64,
    /// Correct executions, at least.
    #[arg(long, default_value_t = 100_000)]
    executions: u64,
    /// The seed from which everything follows.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Threads; one per core by default.
    #[arg(long)]
    jobs: Option<usize>,
    /// Only these operators (ONNX names, any case), separated by commas.
    #[arg(long, value_delimiter = ',')]
    ops: Vec<String>,
    /// Replay one injection, as the list of misses says.
    #[arg(long)]
    only: Option<u64>,
    /// Replay one case of correct executions, as the list of false alarms says.
    #[arg(long)]
    case: Option<u64>,
    /// Instead: so many faults that a system has throughout a small campaign; counts findings, and the nodes of each when it
    /// is minimised, and minimises a fault in large models.
    #[arg(long, value_name = "FAULTS")]
    shrink: Option<u64>,
    /// Cases of the cost measurement; 0 for none.
    #[arg(long, default_value_t = 300)]
    cost: u64,
    /// Where to write power.json.
    #[arg(long, default_value = "reports/power")]
    out: PathBuf,
}

/// Least detection of all classes together, and of each.
const WANTED: (f64, f64) = (0.99, 0.95);

/// Measures, prints and writes; exit code 1 when a correct execution is accused or detection is below the target.
pub(crate) fn run(args: &Args) -> Outcome {
    let mut options = Options::new(args.runs, args.executions, args.seed);
    options.jobs = args.jobs.unwrap_or_else(cores).max(1);
    options.generator.ops = operators(&args.ops)?;
    if let Some(index) = args.only {
        anstream::println!("{}", power::replay(&options, index));
        return Ok(Exit::Clean);
    }
    if let Some(index) = args.case {
        anstream::println!("{}", power::replay_case(&options, index));
        return Ok(Exit::Clean);
    }
    crate::folder::make(&args.out)?;
    if let Some(faults) = args.shrink {
        return shrink::run(&Options { runs: faults, ..options }, &args.out);
    }
    let cancel = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&cancel);
    // A second handler cannot be set in tests that call this twice; the first one then stays.
    let _ = ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed));
    let bar = ProgressBar::new(1);
    let style = ProgressStyle::with_template("{bar:24} {elapsed:>5}  {pos} of {len} cases");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let mut score = power::run(&options, &cancel, |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    if args.cost > 0 && !cancel.load(Ordering::Relaxed) {
        score.cost = Some(power::cost(&options, args.cost));
    }
    let json = serde_json::to_string_pretty(&score).map_err(Failure::harness)?;
    let path = args.out.join("power.json");
    write_atomically(&path, json.as_bytes()).map_err(Failure::writing)?;
    anstream::println!("{}", text(&score));
    anstream::println!("written: {}", path.display());
    let low = |c: &ClassScore, wanted: f64| c.visible() > 0 && c.detection() < wanted;
    let red = score.correct.false_alarms > 0
        || low(&score.total, WANTED.0)
        || score.classes.iter().any(|c| low(c, WANTED.1));
    Ok(if red { Exit::NewFindings } else { Exit::Clean })
}

/// The whole score as text.
fn text(score: &Score) -> String {
    let mut t = String::new();
    if let Some(asked) = &score.interrupted {
        let _ = writeln!(
            t,
            "INTERRUPTED: {} of {}, {} of {}",
            score.total.injected + score.total.nowhere + score.total.unclean,
            counted(asked.runs, "injection"),
            score.correct.executions,
            counted(asked.executions, "correct execution"),
        );
    }
    let [strict, loose] = tolerance_names();
    let _ = writeln!(
        t,
        "{:<26} {:>8} {:>6} {:>8} {:>6} {:>9}  {:>6} {:>6} {:>6} {:>6} {:>6}  {:>8} {:>8}",
        "fault",
        "injected",
        "equiv.",
        "detected",
        "missed",
        "detection",
        "legal.",
        "const.",
        "seman.",
        "kernel",
        "prec.",
        format!("tol {strict}"),
        format!("tol {loose}"),
    );
    for c in score.classes.iter().chain([&score.total]) {
        let [legality, constants, semantics, kernels, precision] = c.by;
        let _ = writeln!(
            t,
            "{:<26} {:>8} {:>6} {:>8} {:>6} {:>9}  {legality:>6} {constants:>6} {semantics:>6} {kernels:>6} \
             {precision:>6}  {:>8} {:>8}",
            c.name,
            c.injected,
            c.equivalent,
            c.detected,
            c.missed,
            percent_of(c.visible(), c.detection()),
            percent_of(c.visible(), c.tolerance(0)),
            percent_of(c.visible(), c.tolerance(1)),
        );
    }
    let total = &score.total;
    let _ = writeln!(
        t,
        "\n{} spoilt files contradicted themselves and were drawn again, {} injections found no case, {} models were accused without a fault",
        total.redrawn, total.nowhere, total.unclean
    );
    let kept = 40;
    for m in score.misses.iter().take(kept) {
        let _ = writeln!(t, "missed {}: {}\n    {}", m.class, m.words, m.command);
    }
    if score.misses.len() > kept {
        let _ = writeln!(t, "and {} more in power.json", score.misses.len() - kept);
    }
    let c = &score.correct;
    let _ = writeln!(
        t,
        "\n{} in {} ({}) of {}",
        counted(c.false_alarms, "false alarm"),
        counted(c.executions, "correct execution"),
        counted(c.verdicts, "verdict"),
        counted(c.cases, "model")
    );
    for alarm in c.alarms.iter().take(10) {
        let _ = writeln!(t, "  {alarm}");
    }
    let _ = writeln!(
        t,
        "{:<10} {:>10} {:>9} {:>13} {:>10}  {:>15} {:>15}",
        "inputs",
        "executions",
        "excluded",
        "any contract",
        "semantics",
        format!("alarms at {strict}"),
        format!("alarms at {loose}"),
    );
    for k in &c.kinds {
        let _ = writeln!(
            t,
            "{:<10} {:>10} {:>9} {:>13} {:>10}  {:>15} {:>15}",
            k.kind,
            k.executions,
            percent_of(k.executions, k.excluded),
            percent_of(k.executions, k.excluded_any),
            percent_of(k.executions, k.excluded_semantics),
            percent_of(k.executions, k.tolerance_alarms[0]),
            percent_of(k.executions, k.tolerance_alarms[1]),
        );
    }
    let _ = writeln!(t, "\n{:<30} {:>10} {:>8} {:>8}", "bound over error", "executions", "median", "p90");
    for b in &c.tightness {
        let _ = writeln!(t, "{:<30} {:>10} {:>8.2} {:>8.1}", b.bound, b.n, b.median, b.p90);
    }
    if let Some(c) = &score.cost {
        let _ = writeln!(
            t,
            "\ncost over plain f64 ({} input sets, {:.0} us each): bound {:.2}, operators {:.2}, semantics {:.2}, everything with every bound {:.2}, all verdicts {:.2}",
            c.sets, c.plain_us, c.bound, c.kernels, c.semantics, c.bounds, c.verdicts
        );
    }
    t
}

/// A share of so many; nothing is no share of nothing.
fn percent_of(all: u64, share: f64) -> String {
    if all == 0 { "-".to_string() } else { format!("{:.2} %", 100.0 * share) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(cancelled: bool) -> Score {
        let options = Options { runs: 3, executions: 1, seed: 1, ..Options::new(0, 0, 1) };
        power::run(&options, &AtomicBool::new(cancelled), |_, _| ())
    }

    #[test]
    fn an_interrupted_score_says_so_and_nothing_is_no_share_of_nothing() {
        let stopped = score(true);
        assert!(stopped.command.contains("--runs 0 --executions 0 "), "{}", stopped.command);
        let text = text(&stopped);
        assert!(text.starts_with("INTERRUPTED: 0 of 3 injections, 0 of 1 correct execution\n"), "{text}");
        assert!(!text.contains(" %"), "{text}");
        assert_eq!(score(false).interrupted, None);
    }
}
