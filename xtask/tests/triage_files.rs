//! What triage leaves behind, through the built program: scripts that run nothing but triage, and no stale accusation.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "tests")]

use halfproof_ir::text;
use halfproof_reports::Run;
use halfproof_wire::onnx;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is in the workspace").to_path_buf()
}

fn xtask(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xtask")).args(args).current_dir(root()).output().unwrap()
}

/// Triage by our interpreter, which is always there.
fn triage(model: &Path, out: &Path, more: &[&str]) -> Output {
    let fixed = ["triage", model.to_str().unwrap(), "--out", out.to_str().unwrap()];
    xtask(&[&fixed, ["--runtime", "interp-f16", "--precision", "full"].as_slice(), more].concat())
}

/// A product that overflows in float16 where the factor is large.
fn model(path: &Path, factor: f32) {
    let source = format!(
        "x = input f32[1,16]\nup = const f32[1] {{{factor}}}\ndown = const f32[1] {{0.001}}\n\
         a = Mul(x, up)\nb = Mul(a, up)\ny = Mul(b, down)\noutput y"
    );
    let graph = text::parse(&source).unwrap();
    std::fs::write(path, onnx::write(&graph, onnx::Opset::of(&graph)).unwrap()).unwrap();
}

/// The names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entry = |e: std::io::Result<std::fs::DirEntry>| e.unwrap().file_name().to_string_lossy().into_owned();
    let mut names: Vec<String> = std::fs::read_dir(folder).unwrap().map(entry).collect();
    names.sort();
    names
}

fn run_json(folder: &Path) -> Run {
    Run::from_json(&std::fs::read_to_string(folder.join("run.json")).unwrap()).unwrap()
}

/// The words that a script of triage gives to cargo.
fn words(script: &Path) -> Vec<String> {
    let bin = tempfile::tempdir().unwrap();
    let cargo = bin.path().join("cargo");
    std::fs::write(&cargo, "#!/bin/sh\nprintf '%s\\0' \"$@\"\n").unwrap();
    std::fs::set_permissions(&cargo, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", bin.path().display(), std::env::var("PATH").unwrap());
    let output = Command::new("bash").arg(script).env("PATH", path).current_dir(bin.path()).output().unwrap();
    assert_eq!(names(bin.path()), ["cargo"], "the script did something else");
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_terminator('\0').map(str::to_string).collect()
}

#[test]
fn the_script_runs_triage_whatever_the_files_are_called() {
    let folder = tempfile::tempdir().unwrap();
    for (i, name) in
        ["$(touch pwned).onnx", "it's \"two\" words.onnx", "-x`touch pwned`.onnx"].iter().enumerate()
    {
        let (source, converted) = (folder.path().join(name), folder.path().join(format!("{name}.tflite")));
        model(&source, 300.0);
        let (from, to) = (source.to_str().unwrap(), converted.to_str().unwrap());
        assert!(xtask(&["convert", from, "-o", to, "--precision", "full"]).status.success());
        let out = folder.path().join(format!("out {i}"));
        let output = triage(&source, &out, &["--converted", to]);
        assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
        let heard = words(&out.join("repro.sh"));
        assert_eq!(heard[..3], ["xtask", "triage", from]);
        assert_eq!(heard[3..5], ["--converted", to]);
        let replay = &run_json(&out).findings[0].replay;
        assert_eq!(*replay, format!("bash '{}'", out.join("repro.sh").display()));
    }
}

#[test]
fn a_later_answer_leaves_nothing_of_an_earlier_one() {
    let folder = tempfile::tempdir().unwrap();
    let (bad, good) = (folder.path().join("bad.onnx"), folder.path().join("good.onnx"));
    model(&bad, 300.0);
    model(&good, 1.0);
    let out = folder.path().join("out");
    assert_eq!(triage(&bad, &out, &[]).status.code(), Some(1));
    let left = names(&out);
    assert!(["issue.md", "model.onnx", "repro.sh", "run.json"].iter().all(|n| left.iter().any(|l| l == n)));
    std::fs::write(out.join("mine.txt"), "kept").unwrap();
    let run = run_json(&out);
    assert_eq!(run.findings.len(), 1);
    assert!(run.command.ends_with("/bad.onnx --precision full --runtime interp-f16"), "{}", run.command);
    assert_eq!((run.options.len(), run.systems.len()), (9, 2));
    assert_eq!(run.totals.executions["interp-f16"].ok, run.totals.tests);
    assert!(run.totals.tests > 0 && run.totals.judged > 0);

    let output = triage(&good, &out, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(names(&out), ["junit.xml", "mine.txt", "report.html", "report.md", "run.json"]);
    let run = run_json(&out);
    assert!(run.findings.is_empty() && run.command.contains("good.onnx") && run.totals.tests > 0);
}

#[test]
fn what_is_triaged_is_not_replaced_by_the_results() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("model.onnx");
    model(&source, 300.0);
    let before = std::fs::read(&source).unwrap();
    let output = triage(&source, folder.path(), &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("would replace it"));
    assert_eq!(std::fs::read(&source).unwrap(), before);
    assert_eq!(names(folder.path()), ["model.onnx"]);
}

#[test]
fn an_answer_that_cannot_be_printed_is_one_line_and_code_3() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("model.onnx");
    model(&source, 1.0);
    let run = |to: std::process::Stdio| {
        Command::new(env!("CARGO_BIN_EXE_xtask"))
            .args(["triage", source.to_str().unwrap(), "--no-files", "--runtime", "interp-f16"])
            .current_dir(root())
            .stdout(to)
            .stderr(std::process::Stdio::piped())
            .output()
            .unwrap()
    };
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = run(full.into());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(
        said.starts_with("error: cannot write to standard output: ") && said.lines().count() == 1,
        "{said}"
    );
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    assert_eq!(run(writer.into()).status.code(), Some(0));
}
