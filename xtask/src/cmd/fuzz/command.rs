//! A campaign's options as its run.json says them, and as the command that repeats it.

use super::{Args, MOST_NODES, SHARE};
use crate::cmd::systems;
use halfproof_fuzz::campaign::Until;
use halfproof_fuzz::triage::shell;
use std::collections::BTreeMap;

/// The options that change results.
pub(super) fn options(args: &Args, scouts: u64) -> BTreeMap<String, String> {
    let mut map = BTreeMap::new();
    let mut put = |name: &str, value: String| map.insert(name.to_string(), value);
    match args.until() {
        Until::Runs(n) => put("runs", n.to_string()),
        Until::Time(time) => put("time", format!("{}s", time.as_secs_f64())),
    };
    put("converter", args.converter.clone());
    put("runtime", args.runtime.join(","));
    put("precision", args.precision.clone());
    put("max-nodes", args.max_nodes.to_string());
    put("ops", args.ops.join(","));
    put("share", args.share.to_string());
    put("scout", scouts.to_string());
    put("shard", format!("{}/{}", args.shard.0, args.shard.1));
    map
}

/// The command that repeats the run.
pub(super) fn command(args: &Args) -> String {
    let mut words = vec!["cargo xtask fuzz".to_string()];
    match args.until() {
        Until::Runs(n) => words.push(format!("--runs {n}")),
        Until::Time(time) => words.push(format!("--time {}s", time.as_secs_f64())),
    }
    words.push(format!("--seed {}", args.seed));
    if args.converter != "in-tree" {
        words.push(shell::option("converter", &args.converter));
    }
    if args.precision != "all" {
        words.push(format!("--precision {}", args.precision));
    }
    if args.max_nodes != MOST_NODES {
        words.push(format!("--max-nodes {}", args.max_nodes));
    }
    if !args.ops.is_empty() {
        words.push(format!("--ops {}", args.ops.join(",")));
    }
    if args.runtime != systems::DEFAULT_RUNTIMES {
        words.push(format!("--runtime {}", args.runtime.join(",")));
    }
    if args.share != SHARE {
        words.push(format!("--share {}", args.share));
    }
    if let Some(scout) = args.scout {
        words.push(format!("--scout {scout}"));
    }
    if args.shard != (0, 1) {
        words.push(format!("--shard {}/{}", args.shard.0, args.shard.1));
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_repeats_whatever_changes_results() {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            args: Args,
        }
        for line in [
            "cargo xtask fuzz --runs 5 --seed 7",
            "cargo xtask fuzz --runs 5 --seed 7 --precision full --max-nodes 3 --runtime interp-f16,tract --share 4 --scout 1 --shard 1/3",
        ] {
            let words = line.split(' ').skip(2);
            let parsed = <Line as clap::Parser>::try_parse_from(words).unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(command(&parsed.args), line);
        }
    }
}
