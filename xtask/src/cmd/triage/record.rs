//! What `run.json` says of a triage beside its finding: how to repeat it, who took part, and what was counted.

use super::{Args, Case};
use crate::cmd::fuzz::host;
use crate::cmd::systems::{self, Opened};
use halfproof_fuzz::campaign::Tally;
use halfproof_fuzz::localise::FILE;
use halfproof_fuzz::triage::shell;
use halfproof_reports::Run;
use halfproof_reports::schema::{System, SystemKind};
use halfproof_systems::Converter;
use std::collections::BTreeMap;
use std::path::Path;

/// A run in which nothing has been counted yet. A given file was made by somebody who did not take part.
pub(super) fn begin(args: &Args, opened: &Opened, converter: &dyn Converter) -> Run {
    let mut run = Run::new(command(args), 1);
    run.timings.started = crate::clock::now();
    run.systems = opened.systems();
    if args.converted.is_none() {
        run.systems.push(System {
            name: converter.name().to_string(),
            kind: SystemKind::Converter,
            version: converter.version().to_string(),
        });
    }
    run.skipped = opened.skipped.clone();
    run.options = options(args);
    run.host = host();
    run
}

/// Writes the counts of all strategies that were tried; what was said about files is the converter's.
pub(super) fn fill(run: &mut Run, tally: Tally, case: &Case) {
    tally.fill(run, &[]);
    if let Some(classes) = run.totals.verdicts.remove(FILE) {
        run.totals.verdicts.insert(case.converter.clone(), classes);
    }
    for cell in run.cells.iter_mut().filter(|c| c.system == FILE) {
        cell.system.clone_from(&case.converter);
    }
}

fn path(p: &Option<std::path::PathBuf>) -> String {
    p.as_deref().map(Path::display).map(|p| p.to_string()).unwrap_or_default()
}

/// The options that change the answer.
fn options(args: &Args) -> BTreeMap<String, String> {
    let all = [
        ("converted", path(&args.converted)),
        ("inputs", path(&args.inputs)),
        ("precision", args.precision.clone().unwrap_or_default()),
        ("converter", args.converter.clone()),
        ("runtime", args.runtime.join(",")),
        ("dim", args.dims.join(",")),
        ("keep-fp32", args.keep_fp32.clone().unwrap_or_default()),
        ("bisect-precision", args.bisect_precision.to_string()),
        ("max-bits-lost", args.max_bits_lost.to_string()),
    ];
    all.into_iter().map(|(name, value)| (name.to_string(), value)).collect()
}

/// The command that asks the same again.
fn command(args: &Args) -> String {
    let mut words = vec!["cargo xtask triage".to_string(), shell::path(&args.model)];
    let mut put = |name: &str, value: &str| words.push(shell::option(name, value));
    if args.converted.is_some() {
        put("converted", &path(&args.converted));
    }
    if args.inputs.is_some() {
        put("inputs", &path(&args.inputs));
    }
    if let Some(precision) = &args.precision {
        put("precision", precision);
    }
    if args.converter != "in-tree" {
        put("converter", &args.converter);
    }
    if args.runtime != systems::DEFAULT_RUNTIMES {
        put("runtime", &args.runtime.join(","));
    }
    for dim in &args.dims {
        put("dim", dim);
    }
    if let Some(keep) = &args.keep_fp32 {
        put("keep-fp32", keep);
    }
    if args.bisect_precision {
        words.push("--bisect-precision".to_string());
        words.push(shell::option("max-bits-lost", &args.max_bits_lost.to_string()));
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_repeats_whatever_changes_the_answer() {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            args: Args,
        }
        for line in [
            "cargo xtask triage model.onnx",
            "cargo xtask triage a/model.onnx --converted model.tflite --inputs in.npz --precision full --converter onnx2tf \
             --runtime interp-f16,tract --dim batch=1 --dim n=2 --keep-fp32=-x",
            "cargo xtask triage model.onnx --bisect-precision --max-bits-lost 2.5",
        ] {
            let words = line.split(' ').skip(2);
            let parsed = <Line as clap::Parser>::try_parse_from(words).unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(command(&parsed.args), line);
            assert_eq!(options(&parsed.args).len(), 9);
        }
    }
}
