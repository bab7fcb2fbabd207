//! What each libFuzzer target checks, as plain functions of bytes: `fuzz_targets/` is glue, and `cargo test` runs every one
//! of them on stable Rust.
//!
//! A target panics when something is wrong and returns when nothing is. Input that means nothing to it is no failure.

pub mod graph;
pub mod interpreter;
pub mod onnx_bytes;
pub mod read_back;
pub mod round_trip;
pub mod tflite_bytes;

use std::path::PathBuf;

/// One target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name: that of its module, of its file in `fuzz_targets/` and of its folder in `corpus/seeds/`.
    pub name: &'static str,
    /// What it checks.
    pub checks: &'static str,
    /// The check.
    pub run: fn(&[u8]),
    /// Folders of the repository with files that are good seeds.
    pub seeds: &'static [&'static str],
}

/// Every target.
pub const TARGETS: &[Target] = &[
    Target {
        name: "graph",
        checks: "a graph in an .onnx file, converted, executed and judged: no certified fault of ours",
        run: graph::run,
        seeds: &[],
    },
    Target {
        name: "onnx_bytes",
        checks: "any bytes as an .onnx file: refused, or read and converted by every strategy, without a panic",
        run: onnx_bytes::run,
        seeds: &["converter/wire/tests/data/onnx"],
    },
    Target {
        name: "tflite_bytes",
        checks: "any bytes as a .tflite file: refused, or read, written, read again the same, and retyped",
        run: tflite_bytes::run,
        seeds: &["converter/wire/tests/data"],
    },
    Target {
        name: "interpreter",
        checks: "any bytes as a .tflite file: refused, or executed in float16 without a panic",
        run: interpreter::run,
        seeds: &["converter/wire/tests/data"],
    },
    Target {
        name: "round_trip",
        checks: "any bytes as an .onnx file: what is read is written and read again as the same graph",
        run: round_trip::run,
        seeds: &["converter/wire/tests/data/onnx"],
    },
    Target {
        name: "read_back",
        checks: "the generator's decisions: the graph converts, and the model reads back legal, pure and planned",
        run: read_back::run,
        seeds: &[],
    },
];

/// The main function of a target that was built without libFuzzer: runs it on the named files, so that a crash is seen
/// with a debugger, on stable Rust.
pub fn replay(run: fn(&[u8])) -> std::process::ExitCode {
    let files: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    for file in &files {
        match halfproof_wire::file::read(file) {
            Ok(bytes) => run(&bytes),
            Err(_) => return std::process::ExitCode::from(2),
        }
    }
    std::process::ExitCode::from(if files.is_empty() { 2 } else { 0 })
}

/// Bytes that look like what a target reads: those of the repository's files, damaged by a seed; for smoke tests.
#[cfg(test)]
fn damaged(target: &Target, rounds: u64) -> impl Iterator<Item = Vec<u8>> {
    use crate::generate::Stream;
    let root =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_path_buf();
    let mut files: Vec<PathBuf> = target
        .seeds
        .iter()
        .flat_map(|folder| std::fs::read_dir(root.join(folder)).expect("a folder of seeds"))
        .map(|e| e.expect("a file").path())
        .filter(|p| p.is_file())
        .collect();
    files.sort();
    let seeds: Vec<Vec<u8>> = files.iter().map(|p| std::fs::read(p).expect("a seed")).collect();
    (0..rounds).map(move |round| {
        let mut stream = Stream::new(round);
        let mut bytes = match seeds.len() {
            0 => (0..stream.below(300)).map(|_| stream.below(256) as u8).collect(),
            n => seeds[round as usize % n].clone(),
        };
        for _ in 0..stream.below(4) {
            if bytes.is_empty() {
                break;
            }
            let at = stream.below(bytes.len() as u64) as usize;
            match stream.below(4) {
                0 => bytes.truncate(at),
                1 => bytes[at] ^= 1 << stream.below(8),
                2 => bytes[at] = stream.below(256) as u8,
                _ => bytes.insert(at, stream.below(256) as u8),
            }
        }
        bytes
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_survives_files_and_damaged_files() {
        for target in TARGETS.iter().filter(|t| t.name != "graph") {
            for bytes in damaged(target, 300) {
                (target.run)(&bytes);
            }
        }
    }

    #[test]
    fn every_kept_seed_is_survived() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
        let mut files = 0;
        for target in TARGETS {
            let Ok(folder) = std::fs::read_dir(root.join("corpus/seeds").join(target.name)) else { continue };
            for file in folder {
                (target.run)(&std::fs::read(file.expect("a file").path()).expect("a seed"));
                files += 1;
            }
        }
        assert!(files > 0, "corpus/seeds holds at least what crashed");
    }

    #[test]
    fn every_target_has_its_glue_its_binary_its_seeds_and_a_paragraph() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).expect("a file of the fuzz crate");
        let (manifest, readme) = (read("Cargo.toml"), read("README.md"));
        for target in TARGETS {
            let glue = read(&format!("fuzz_targets/{}.rs", target.name));
            assert!(glue.contains(&format!("targets::{}::run", target.name)), "{}", target.name);
            assert!(manifest.contains(&format!("name = \"{}\"", target.name)), "{}", target.name);
            assert!(readme.contains(&format!("`{}`", target.name)), "{}", target.name);
        }
        // ClusterFuzzLite's script starts every target from the same folders.
        let script = folder.parent().expect("the workspace").join(".clusterfuzzlite/build.sh");
        let script = std::fs::read_to_string(script).expect("the build script");
        for target in TARGETS {
            for seeds in target.seeds {
                let line = script.lines().find(|l| l.contains(&format!("({seeds})"))).unwrap_or_default();
                let names = line.split(')').next().unwrap_or_default();
                assert!(names.split([' ', '|']).any(|n| n == target.name), "{} {seeds}", target.name);
            }
        }
        let glue = std::fs::read_dir(folder.join("fuzz_targets")).expect("the folder").count();
        assert_eq!(glue, TARGETS.len());
    }
}
