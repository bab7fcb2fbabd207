//! Bad input, through the built program: exit code 2, one clear line, no panic, nothing half-written.
#![allow(clippy::unwrap_used, reason = "tests")]

use halfproof_ir::{Data, Tensor, text};
use halfproof_wire::{npz, onnx, tflite};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is in the workspace").to_path_buf()
}

/// Runs a command to its end; a hang is a failure.
fn xtask(args: &[&str]) -> Output {
    const LIMIT: Duration = Duration::from_secs(60);
    let mut child = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(args)
        .current_dir(root())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let begin = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begin.elapsed() > LIMIT {
            child.kill().unwrap();
            panic!("{args:?} does not end");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    child.wait_with_output().unwrap()
}

fn graph(source: &str) -> Vec<u8> {
    let graph = text::parse(source).unwrap();
    onnx::write(&graph, onnx::Opset::of(&graph)).unwrap()
}

/// A convolution, an activation, a reshape and a matrix product: a kilobyte of structure.
fn small_onnx() -> Vec<u8> {
    graph(
        "graph \"small\"
        x = input f32[1,2,6,6]
        w = const f32[3,2,3,3] lattice(1)
        b = const f32[3] {0, 0.5, -1}
        c = Conv(x, w, b) pads=[1,1,1,1] strides=[2,2]
        r = Relu(c)
        shape = const i64[2] {1, 27}
        flat = Reshape(r, shape)
        m = const f32[27,4] lattice(2)
        y = MatMul(flat, m)
        output y",
    )
}

/// A deterministic stream of numbers below a bound.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

/// Files that are almost `bytes`: cut anywhere, or with some bits turned.
fn mutants(bytes: &[u8], cuts: usize, flips: usize, seed: u64) -> Vec<Vec<u8>> {
    let mut dice = Dice(seed);
    let mut all: Vec<Vec<u8>> = (0..cuts).map(|i| bytes[..i * bytes.len() / cuts].to_vec()).collect();
    for i in 0..flips {
        let mut mutant = bytes.to_vec();
        for _ in 0..1 + i % 4 {
            let at = dice.below(mutant.len());
            mutant[at] ^= 1 << dice.below(8);
        }
        all.push(mutant);
    }
    all
}

/// A refusal of the input: exit code 2, and one line that names the file. Nodes that cannot be converted stand on lines of
/// their own.
fn assert_refused(output: &Output, named: &str, what: &str) {
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{what}: {:?} {error}", output.status);
    let mut lines = error.lines().filter(|l| !l.starts_with("SKIPPED "));
    let first = lines.next().unwrap_or_default();
    assert!(first.starts_with("error: ") && first.contains(named), "{what}: {error}");
    let listed = first.ends_with("cannot be converted (see docs/limits.md):");
    assert!(lines.next().is_none() || listed, "{what}: more than a line: {error}");
    assert!(!error.contains("panicked"), "{what}: {error}");
}

/// Converts a mutant: either a whole valid file comes out, or nothing and a clear line.
fn convert_mutant(folder: &TempDir, name: &str, bytes: &[u8], what: &str) {
    let (model, out) = (folder.path().join(name), folder.path().join("out.tflite"));
    std::fs::write(&model, bytes).unwrap();
    let output = xtask(&["convert", model.to_str().unwrap(), "-o", out.to_str().unwrap()]);
    if output.status.success() {
        let converted = std::fs::read(&out).unwrap();
        assert!(tflite::read(&converted).is_ok(), "{what}: the file is broken");
        std::fs::remove_file(&out).unwrap();
    } else if output.status.code() != Some(3) {
        assert_refused(&output, name, what);
    } else {
        // A tensor whose extents were damaged beyond its elements is noticed only in what it became.
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(error.starts_with("error: the converted model does not read back"), "{what}: {error}");
    }
    std::fs::remove_file(&model).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{what}: something was left behind");
}

#[test]
fn damaged_onnx_files_convert_cleanly_or_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (i, mutant) in mutants(&small_onnx(), 60, 150, 1).iter().enumerate() {
        convert_mutant(&folder, "mutant.onnx", mutant, &format!("mutant {i} of the small .onnx"));
    }
    let exported = std::fs::read(root().join("corpus/models/founding.onnx")).unwrap();
    for (i, mutant) in mutants(&exported, 10, 20, 2).iter().enumerate() {
        convert_mutant(&folder, "mutant.onnx", mutant, &format!("mutant {i} of the exported .onnx"));
    }
}

#[test]
fn damaged_tflite_files_convert_cleanly_or_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let small = std::fs::read(root().join("converter/wire/tests/data/plain.tflite")).unwrap();
    for (i, mutant) in mutants(&small, 40, 120, 3).iter().enumerate() {
        convert_mutant(&folder, "mutant.tflite", mutant, &format!("mutant {i} of the small .tflite"));
    }
}

#[test]
fn files_that_are_not_there_or_no_models_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let out = path("out.tflite");
    for command in
        [["convert", &path("missing.onnx"), "-o", &out].as_slice(), &["triage", &path("missing.onnx")]]
    {
        assert_refused(&xtask(command), "missing.onnx", "a missing file");
    }
    for command in ["report", "compare"] {
        let run = path("missing.json");
        let args = if command == "compare" { vec![command, &run, &run] } else { vec![command, &run] };
        assert_refused(&xtask(&args), "missing.json", command);
    }
    std::fs::write(path("text.onnx"), "this is no model").unwrap();
    assert_refused(&xtask(&["convert", &path("text.onnx"), "-o", &out]), "text.onnx", "a text file");
    assert_refused(&xtask(&["triage", &path("text.onnx")]), "text.onnx", "a text file");
    assert_refused(&xtask(&["convert", &path(""), "-o", &out]), "", "a folder");
    assert!(!Path::new(&out).exists());
}

#[test]
fn every_node_that_cannot_be_converted_is_listed_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("strange.onnx");
    // Our writer knows no unknown operators: two known ones get other names of the same length.
    let mut bytes = graph(
        "x = input f32[2,3]
        a = Relu(x)
        b = Reciprocal(a) @\"first\"
        c = Sigmoid(x) @\"second\"
        output b
        output c",
    );
    for (known, unknown) in [("Reciprocal", "Frobnicate"), ("Sigmoid", "Twiddle")] {
        let at = bytes.windows(known.len()).position(|w| w == known.as_bytes()).unwrap();
        bytes[at..at + known.len()].copy_from_slice(unknown.as_bytes());
    }
    std::fs::write(&model, bytes).unwrap();
    let out = folder.path().join("out.tflite");
    let output = xtask(&["convert", model.to_str().unwrap(), "-o", out.to_str().unwrap()]);
    assert_refused(&output, "strange.onnx", "unknown operators");
    let error = String::from_utf8_lossy(&output.stderr);
    for word in ["2 nodes", "Frobnicate", "first", "Twiddle", "second"] {
        assert!(error.contains(word), "{word} is not in: {error}");
    }
    assert!(!out.exists());
}

#[test]
fn inputs_that_do_not_fit_are_refused_with_what_the_model_needs() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("small.onnx");
    std::fs::write(&model, small_onnx()).unwrap();
    let cases = [
        ("shape", "x", Tensor::f32([1, 2, 6, 5], vec![0.0; 60]), "[1, 2, 6, 6]"),
        ("name", "z", Tensor::f32([1, 2, 6, 6], vec![0.0; 72]), "no array \"x\""),
        ("type", "x", Tensor::new(vec![1, 2, 6, 6], Data::I64(vec![0; 72])), "needs FLOAT32"),
    ];
    for (what, name, tensor, needed) in cases {
        let file = folder.path().join(format!("{what}.npz"));
        std::fs::write(&file, npz::write(&[(name.to_string(), tensor)]).unwrap()).unwrap();
        let args = ["triage", model.to_str().unwrap(), "--inputs", file.to_str().unwrap()];
        let output = xtask(&[args.as_slice(), &["--runtime", "interp-f32"]].concat());
        assert_refused(&output, &format!("{what}.npz"), what);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(error.contains(needed), "{what}: {error}");
    }
    let broken = folder.path().join("broken.npz");
    std::fs::write(&broken, "no archive").unwrap();
    let args = ["triage", model.to_str().unwrap(), "--inputs", broken.to_str().unwrap()];
    assert_refused(&xtask(&args), "broken.npz", "no archive");
}

#[test]
fn models_that_are_too_large_to_evaluate_are_refused_before_anything_is_allocated() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.tflite").to_str().unwrap().to_string();
    let relu = |shape: &str| graph(&format!("x = input f32[{shape}]\ny = Relu(x)\noutput y"));
    let expand = "x = input f32[1]\ns = const i64[2] {1048576,1048576}\ny = Expand(x, s)\noutput y";
    let models = [
        ("line.onnx", relu("1099511627776"), "\"x\" of shape [1099511627776]"),
        ("cube.onnx", relu("2147483648,2147483648,2147483648"), "\"x\" of shape [2147483648, "),
        ("expand.onnx", graph(expand), "\"y\" of shape [1048576, 1048576]"),
    ];
    for (name, bytes, tensor) in models {
        let model = folder.path().join(name);
        std::fs::write(&model, bytes).unwrap();
        let model = model.to_str().unwrap();
        for command in [
            ["triage", model, "--no-files"].as_slice(),
            &["strategies", model],
            &["zoo", model, "--runtime", "interp-f32"],
            &["convert", model, "-o", &out, "--compare"],
            &["convert", model, "-o", &out, "--precision", "mixed", "--max-bits-lost", "1"],
        ] {
            let output = xtask(command);
            let error = String::from_utf8_lossy(&output.stderr);
            let refused = error.lines().find(|l| l.starts_with("error: ")).unwrap_or_default();
            assert_eq!(output.status.code(), Some(2), "{command:?}: {error}");
            let limit = "the limit is 33554432 elements";
            for word in [name, tensor, limit] {
                assert!(refused.contains(word), "{command:?}: {word} is not in: {error}");
            }
        }
        assert!(!Path::new(&out).exists());
    }
}

#[test]
fn the_model_itself_is_not_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("small.onnx");
    std::fs::write(&model, small_onnx()).unwrap();
    let again = folder.path().join(".").join("small.onnx");
    let output = xtask(&["convert", model.to_str().unwrap(), "-o", again.to_str().unwrap()]);
    assert_refused(&output, "small.onnx", "onto itself");
    assert_eq!(std::fs::read(&model).unwrap(), small_onnx());
}

#[test]
fn options_about_nothing_of_the_model_are_bad_usage() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("small.onnx");
    std::fs::write(&model, small_onnx()).unwrap();
    let out = folder.path().join("out.tflite");
    for (options, said) in [
        (["--keep-fp32", "nomatch"].as_slice(), "matches no node and no tensor; there are: "),
        (&["--keep-fp32", "["], "is no regular expression"),
        (&["--dim", "typo=7"], "no dimension is called \"typo\""),
        (&["--dim", "n=1", "--dim", "n=2"], "--dim gives n twice"),
        (
            &["--precision", "mixed", "--max-bits-lost", "-3"],
            "--max-bits-lost is a number of bits, 0 or more",
        ),
    ] {
        let convert = ["convert", model.to_str().unwrap(), "-o", out.to_str().unwrap()];
        let output = xtask(&[&convert, options].concat());
        assert_refused(&output, said, &options.join(" "));
        assert!(!out.exists());
    }
    let output = xtask(&["triage", model.to_str().unwrap(), "--keep-fp32", "nomatch", "--no-files"]);
    assert_refused(&output, "matches no node", "triage --keep-fp32");
    let output = xtask(&["triage", model.to_str().unwrap(), "--bisect-precision", "--max-bits-lost", "-3"]);
    assert_refused(&output, "--max-bits-lost is a number of bits, 0 or more", "triage --max-bits-lost");
}

#[test]
fn compare_measures_every_strategy() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("small.onnx");
    std::fs::write(&model, small_onnx()).unwrap();
    let out = folder.path().join("out.tflite");
    let output = xtask(&["convert", model.to_str().unwrap(), "-o", out.to_str().unwrap(), "--compare"]);
    let table = String::from_utf8_lossy(&output.stdout);
    for strategy in ["weights", "full", "mixed", "mixed --calibrate"] {
        let row = |l: &str| {
            l.trim_start().strip_prefix("small").is_some_and(|l| l.trim_start().starts_with(strategy))
        };
        assert!(table.lines().any(row), "{strategy} is not in: {table}");
    }
}

#[cfg(unix)]
#[test]
fn where_nothing_can_be_written_nothing_is() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("small.onnx");
    std::fs::write(&model, small_onnx()).unwrap();
    let model = model.to_str().unwrap();

    let closed = folder.path().join("closed");
    std::fs::create_dir(&closed).unwrap();
    std::fs::set_permissions(&closed, PermissionsExt::from_mode(0o555)).unwrap();
    // The superuser may write anywhere, but not here.
    let is_superuser = std::fs::write(closed.join("probe"), "").is_ok();
    let closed = if is_superuser { PathBuf::from("/proc") } else { closed };
    let out = closed.join("out.tflite");
    let output = xtask(&["convert", model, "-o", out.to_str().unwrap()]);
    assert_refused(&output, "out.tflite", "a read-only folder");
    let campaign = closed.join("campaign");
    let output =
        xtask(&["fuzz", "--runs", "1", "--runtime", "interp-f32", "--out", campaign.to_str().unwrap()]);
    assert_refused(&output, "campaign", "a read-only folder for a campaign");

    let nowhere = folder.path().join("missing").join("out.tflite");
    let output = xtask(&["convert", model, "-o", nowhere.to_str().unwrap()]);
    assert_refused(&output, "missing/out.tflite", "a folder that is not there");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_said_and_a_device_stays_one() {
    use std::os::unix::fs::FileTypeExt;
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("small.onnx");
    std::fs::write(&model, small_onnx()).unwrap();
    let output = xtask(&["convert", model.to_str().unwrap(), "-o", "/dev/full"]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{error}");
    assert!(error.starts_with("error: ") && error.contains("/dev/full"), "{error}");
    assert!(error.contains("No space left") && error.lines().count() == 1, "{error}");
    let is_device = |path| std::fs::metadata(path).unwrap().file_type().is_char_device();
    assert!(is_device("/dev/full"));
    assert!(xtask(&["convert", model.to_str().unwrap(), "-o", "/dev/null"]).status.success());
    assert!(is_device("/dev/null"));
}

#[test]
fn words_that_mean_nothing_are_bad_usage() {
    for args in [
        ["fuzz", "--time", "soon"].as_slice(),
        &["fuzz", "--runs", "1", "--runtime", "nonsense"],
        &["fuzz", "--runs", "1", "--converter", "nonsense"],
        &["fuzz", "--runs", "1", "--precision", "half"],
        &["fuzz", "--runs", "1", "--ops", "Frobnicate"],
        &["fuzz", "--runs", "0"],
        &["fuzz", "--time", "0s"],
        &["fuzz", "--runs", "1", "--runtime", "interp-f16,interp-f16"],
        &["fuzz", "--runs", "1", "--target", "graph"],
        &["fuzz", "--runs", "1", "--sanitizer", "address"],
        &["fuzz", "--engine", "libfuzzer", "--runs", "1", "--converter", "tensorflow"],
        &["fuzz", "--resume", "no/such/folder", "--seed", "5"],
        &["fuzz", "--resume", "no/such/folder", "--max-nodes", "4"],
        &["fuzz", "--resume", "no/such/folder", "--target", "graph"],
        &["bench", "--runs", "0"],
        &["regress", "--corpus", "no/such/folder"],
        &["zoo", "no/such/model.onnx", "--runtime", "interp-f32"],
        &["nonsense"],
    ] {
        let output = xtask(args);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {error}");
        assert!(error.starts_with("error: ") && !error.contains("panicked"), "{args:?}: {error}");
    }
}

#[test]
fn a_zoo_without_models_is_bad_usage() {
    let folder = tempfile::tempdir().unwrap();
    let output = xtask(&["zoo", folder.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.starts_with("error: no .onnx model"), "{error}");
    if halfproof_systems::setup::zoo::models().is_dir() {
        eprintln!("SKIPPED: `zoo` without arguments takes the models of `setup zoo`, which are installed");
        return;
    }
    let output = xtask(&["zoo"]);
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.starts_with("error: no models: "), "{error}");
}

/// `strategies --docs MODEL` took the model for the page, and wrote over it.
#[test]
fn a_model_after_docs_is_not_written_over() {
    let folder = TempDir::new().unwrap();
    let model = folder.path().join("model.onnx");
    std::fs::write(&model, small_onnx()).unwrap();
    let page = format!("--docs={}", folder.path().join("page.md").display());
    let path = model.to_str().unwrap();
    assert!(xtask(&["strategies", &page, path]).status.success());
    assert!(folder.path().join("page.md").exists());
    assert_eq!(std::fs::read(&model).unwrap(), small_onnx());
    // Without the equals sign the page is the usual one, and the path is a model: that there is none is said.
    let output = xtask(&["zoo", "--docs", folder.path().join("none.onnx").to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn the_run_of_another_converter_is_not_compared() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().to_string_lossy().into_owned();
    let fuzzed = xtask(&["fuzz", "--runs", "2", "--jobs", "1", "--runtime", "interp-f16", "--out", &out]);
    assert_eq!(fuzzed.status.code(), Some(0));
    let run = folder.path().join("run.json").to_string_lossy().into_owned();
    let same = xtask(&["compare", &run, &run, "--converter", "in-tree"]);
    assert_eq!(same.status.code(), Some(0));
    let other = xtask(&["compare", &run, &run, "--converter", "tensorflow"]);
    assert_eq!(other.status.code(), Some(2));
    let said = String::from_utf8_lossy(&other.stderr).into_owned();
    assert!(said.contains("is a run of in-tree, not of tensorflow"), "{said}");
}
