//! The reference against answers from outside: the test cases of the PyPI package `onnx`, packed by `golden/make.py`.
//!
//! Each is evaluated in ideal arithmetic and compared with the expected outputs to the accuracy of their element type.

use halfproof_ir::ops::OPS;
use halfproof_ir::{Data, Graph, Tensor};
use halfproof_oracle::arith::Ideal;
use halfproof_oracle::onnx;
use halfproof_oracle::value::Value;
use halfproof_wire::{npz, onnx as wire};
use std::collections::{BTreeMap, BTreeSet};

/// Cases of which the reference says something else, by name or by prefix (`…*`), with the reason. An entry that matches no
/// failing case fails the test.
const SKIPPED: &[(&str, &str)] = &[
    (
        "test_PReLU_1d_multiparam",
        "opset 6 broadcast the slope along the channel; the package's version converter leaves it",
    ),
    ("test_PReLU_2d_multiparam", "as test_PReLU_1d_multiparam"),
    ("test_PReLU_3d_multiparam", "as test_PReLU_1d_multiparam"),
    ("test_batchnorm_epsilon_training_mode", "training is not in the table"),
    ("test_batchnorm_example_training_mode", "training is not in the table"),
    ("test_dft_irfft*", "an inverse one-sided transform is not in the reference"),
    ("test_training_dropout*", "training is not in the table"),
    (
        "test_resize_downsample_scales_cubic_align_corners",
        "the package divides by `scale * length - 1`, the text by `length_resized - 1`, a whole number, as ONNX Runtime and PyTorch do",
    ),
    ("test_resize_downsample_scales_linear_align_corners", "as in cubic mode"),
    ("test_spacetodepth_crd_mode_example", "the mode attribute of SpaceToDepth is newer than the table"),
];

/// Cases whose expected outputs have fewer digits than their type, with the relative error of the digits given.
const ROUGH: &[(&str, f64)] =
    &[("test_averagepool_2d_ceil_last_window_starts_on_pad", 5e-4), ("test_gridsample_bicubic", 1e-4)];

/// Operators of which the package has no case; `onnx_semantics` has one for each.
const UNTESTED_OUTSIDE: [&str; 1] = ["GlobalLpPool"];

struct Case {
    name: String,
    model: Vec<u8>,
    data: Vec<u8>,
}

fn cases() -> Vec<Case> {
    let arrays: BTreeMap<String, Tensor> =
        npz::read(include_bytes!("golden/onnx.npz")).expect("a readable archive").into_iter().collect();
    let bytes = |name: &str| match &arrays[name].data {
        Data::U8(v) => v.clone(),
        other => panic!("{name} is {}", other.dtype()),
    };
    let (files, names) = (bytes("files"), String::from_utf8(bytes("names")).expect("text"));
    let lengths = arrays["lengths"].integers().expect("integers");
    let mut rest = files.as_slice();
    let mut next = |n: i64| {
        let (file, after) = rest.split_at(usize::try_from(n).expect("a length"));
        rest = after;
        file.to_vec()
    };
    let cases: Vec<Case> = names
        .lines()
        .zip(lengths.chunks(2))
        .map(|(name, n)| Case { name: name.to_string(), model: next(n[0]), data: next(n[1]) })
        .collect();
    assert_eq!(2 * cases.len(), lengths.len());
    assert!(rest.is_empty());
    cases
}

/// The constant of that name, an output of the data graph.
fn held(data: &Graph, name: &str) -> Result<Tensor, String> {
    let id = data.outputs.iter().find(|&&id| data.value(id).name == name);
    id.and_then(|&id| data.constant(id)).cloned().ok_or(format!("{name} is not in the file"))
}

/// Largest allowed difference from an expected output: a few roundings of its type at the largest magnitude in the
/// tensor. The package computes some of them in several steps of that type.
fn allowance(expected: &Tensor, largest: f64) -> f64 {
    match expected.data {
        Data::F16(_) => 4e-3 * largest,
        Data::F64(_) => 1e-6 * largest,
        _ => 4e-6 * largest,
    }
}

fn differs(actual: &Value<f64>, expected: &Tensor, rough: f64) -> Option<String> {
    if actual.dtype() != expected.dtype() || actual.shape() != expected.shape {
        return Some(format!(
            "{} {:?} instead of {} {:?}",
            actual.dtype(),
            actual.shape(),
            expected.dtype(),
            expected.shape
        ));
    }
    match actual {
        Value::Whole(_, a) => {
            let expected = expected.integers().expect("integers");
            let at = (0..expected.len()).find(|&i| a.data[i].value != expected[i])?;
            Some(format!("element {at}: {:?} instead of {}", a.data[at], expected[at]))
        }
        Value::Float(_, a) => {
            let all = expected.floats().expect("floats");
            let largest = all.iter().filter(|x| x.is_finite()).fold(1e-30f64, |m, x| m.max(x.abs()));
            let slack = allowance(expected, largest).max(rough * largest);
            let same = |x: f64, y: f64| x == y || (x.is_nan() && y.is_nan()) || (x - y).abs() <= slack;
            let at = (0..all.len()).find(|&i| !same(a.data[i], all[i]))?;
            Some(format!("element {at}: {:e} instead of {:e}, slack {slack:e}", a.data[at], all[at]))
        }
    }
}

fn check(case: &Case) -> Result<BTreeSet<String>, String> {
    let data = wire::read(&case.data).expect("the data graph");
    let graph = wire::read(&case.model).map_err(|e| e.to_string())?;
    let given = |&id| held(&data, &format!("given/{}", graph.value(id).name));
    let given = graph.inputs.iter().map(given).collect::<Result<Vec<_>, _>>()?;
    let result = onnx::evaluate(&graph, &given, &Ideal).map_err(|e| e.to_string())?;
    let rough = ROUGH.iter().find(|(name, _)| *name == case.name).map_or(0.0, |(_, error)| *error);
    for (&id, actual) in graph.outputs.iter().zip(result.outputs()) {
        let name = &graph.value(id).name;
        if let Some(difference) = differs(actual, &held(&data, &format!("expected/{name}"))?, rough) {
            return Err(format!("{name} {difference}"));
        }
    }
    assert_eq!(result.outputs().count(), graph.outputs.len());
    Ok(graph.nodes.iter().map(|n| n.op.name().to_string()).collect())
}

fn skip(name: &str) -> Option<usize> {
    SKIPPED.iter().position(|(pattern, _)| match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == *pattern,
    })
}

#[test]
fn the_reference_agrees_with_the_onnx_package_on_every_operator() {
    let (mut passed, mut skipped, mut failures) = (0, 0, Vec::new());
    let mut used = vec![0; SKIPPED.len()];
    let mut covered = BTreeSet::new();
    for case in cases() {
        let name = &case.name;
        match (check(&case), skip(name)) {
            (Ok(operators), None) => {
                passed += 1;
                covered.extend(operators);
            }
            (Ok(_), Some(_)) => {}
            (Err(_), Some(i)) => {
                skipped += 1;
                used[i] += 1;
            }
            (Err(why), None) => failures.push(format!("{name}: {why}")),
        }
    }
    println!("{passed} cases agree, {skipped} are skipped with a reason");
    assert!(failures.is_empty(), "{} cases differ:\n{}", failures.len(), failures.join("\n"));
    for (i, (pattern, _)) in SKIPPED.iter().enumerate() {
        assert!(used[i] > 0, "\"{pattern}\" can be deleted from SKIPPED");
    }
    let missing: Vec<&str> = OPS.iter().map(|row| row.name).filter(|name| !covered.contains(*name)).collect();
    assert_eq!(missing, UNTESTED_OUTSIDE, "operators without a case from outside");
    assert!(passed > 800);
}
