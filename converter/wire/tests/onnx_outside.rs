//! Files made by the `onnx` Python package, in the form of their opset, are read into the newest form.
//!
//! The files and the script that makes them are in `data/onnx/`. `UPDATE_EXPECT=1` rewrites the expected texts.
#![allow(clippy::unwrap_used, reason = "tests")]

use halfproof_ir::{text, validate};
use halfproof_wire::onnx::{self, Opset, ReadErrorKind};
use std::path::{Path, PathBuf};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/onnx").join(name)
}

fn models(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    paths.retain(|p| p.extension().is_some_and(|e| e == "onnx"));
    paths.sort();
    paths
}

#[test]
fn old_files_are_read_into_the_newest_form() {
    let paths = models(&data(""));
    assert!(paths.len() >= 9);
    for path in paths {
        let graph = onnx::read_file(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        validate::validate(&graph).unwrap();
        let text = text::print(&graph);
        let expected = path.with_extension("txt");
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(&expected, &text).unwrap();
        }
        assert_eq!(text, std::fs::read_to_string(&expected).unwrap(), "{}", path.display());
    }
}

#[test]
fn external_data_is_read_from_below_the_models_folder_only() {
    let bytes = std::fs::read(data("external.onnx")).unwrap();
    let error = onnx::read(&bytes).unwrap_err();
    assert_eq!(error.kind, ReadErrorKind::Unsupported);
    assert_eq!(
        error.to_string(),
        "tensor \"w\": data is in the file \"external.bin\"; read the model by its path, with that file beside it"
    );

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(onnx::read_file(&path).unwrap_err().kind, ReadErrorKind::Io);
    std::fs::write(folder.path().join("external.bin"), [0; 31]).unwrap();
    let error = onnx::read_file(&path).unwrap_err();
    assert_eq!(error.kind, ReadErrorKind::Tensor);
    assert!(error.to_string().contains("needs 24 bytes from offset 8 of "), "{error}");

    let at = bytes.windows(12).position(|w| w == b"external.bin").unwrap();
    for outside in [b"../ternal.bin", b"/tmp/nal.bin\0"] {
        let mut bytes = bytes.clone();
        bytes[at..at + 12].copy_from_slice(&outside[..12]);
        std::fs::write(&path, &bytes).unwrap();
        let error = onnx::read_file(&path).unwrap_err().to_string();
        assert!(error.ends_with("which is not below the model's folder"), "{error}");
    }
}

#[cfg(unix)]
#[test]
fn external_data_behind_a_link_or_a_pipe_is_refused() {
    use std::os::unix::fs::symlink;
    let bytes = std::fs::read(data("external.onnx")).unwrap();
    let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (model, elements) = (folder.path().join("model.onnx"), folder.path().join("external.bin"));
    std::fs::write(&model, &bytes).unwrap();
    let secret = outside.path().join("secret");
    std::fs::copy(data("external.bin"), &secret).unwrap();

    symlink(&secret, &elements).unwrap();
    let error = onnx::read_file(&model).unwrap_err().to_string();
    assert!(error.contains("is a link to ") && error.contains("not below the model's folder"), "{error}");

    // A link inside the folder is none out of it, and a model that is a link itself, as in caches, has its files
    // beside what it links to.
    std::fs::remove_file(&elements).unwrap();
    std::fs::copy(&secret, folder.path().join("blob")).unwrap();
    symlink("blob", &elements).unwrap();
    let (_, files) = onnx::read_files(&model).unwrap();
    assert_eq!(files, [folder.path().join("blob").canonicalize().unwrap()]);
    let linked = outside.path().join("linked.onnx");
    symlink(&model, &linked).unwrap();
    symlink(folder.path().join("blob"), outside.path().join("external.bin")).unwrap();
    assert!(onnx::read_file(&linked).is_ok());

    std::fs::remove_file(&elements).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&elements).status();
    if !made.is_ok_and(|status| status.success()) {
        println!("SKIPPED: mkfifo is not there");
        return;
    }
    let error = onnx::read_file(&model).unwrap_err().to_string();
    assert!(error.contains("no regular file"), "{error}");
}

/// The models of the `onnx` package itself: nine networks with their weights left out. Needs the folder that holds
/// them in ONNX_LIGHT_MODELS (onnx/backend/test/data/light of the installed package).
#[test]
fn the_light_models_of_the_onnx_package_are_read_and_written_back() {
    let Some(folder) = std::env::var_os("ONNX_LIGHT_MODELS") else {
        println!("SKIPPED: ONNX_LIGHT_MODELS does not name the folder of the light models");
        return;
    };
    let paths = models(Path::new(&folder));
    assert_eq!(paths.len(), 9);
    for path in paths {
        let graph = onnx::read_file(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        validate::validate(&graph).unwrap();
        for opset in [Opset(9), Opset(11), Opset::of(&graph)] {
            let bytes = onnx::write(&graph, opset).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            let again = onnx::read(&bytes).unwrap();
            assert!(text::print(&again) == text::print(&graph), "{} at opset {opset}", path.display());
        }
    }
}
