//! Options that name something of the model: what it does not have is said, never passed over.

use super::Source;
use crate::exit::Failure;
use halfproof_converter::bind_dims;
use halfproof_converter::precision::keep;
use halfproof_ir::{Dim, Graph};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Names that an error lists before it only counts.
const LISTED: usize = 8;

/// The graph with its symbolic dimensions bound by `NAME=VALUE` pairs.
pub(crate) fn bound(path: &Path, graph: &Graph, pairs: &[String]) -> Result<Graph, Failure> {
    let dims = dims(pairs)?;
    let shapes = graph.values.iter().filter_map(|v| v.shape.as_ref());
    let known: BTreeSet<&str> = shapes
        .flatten()
        .filter_map(|d| if let Dim::Named(name) = d { Some(name.as_str()) } else { None })
        .filter(|name| !name.is_empty())
        .collect();
    if let Some(name) = dims.keys().find(|name| !known.contains(name.as_str())) {
        let there = listed(&known.into_iter().collect::<Vec<_>>());
        return Err(Failure::bad_input(format!(
            "{}: --dim: no dimension is called \"{name}\"; there are: {there}",
            path.display()
        )));
    }
    Ok(bind_dims(graph, &dims))
}

/// `NAME=VALUE` pairs, each name once.
fn dims(pairs: &[String]) -> Result<BTreeMap<String, usize>, Failure> {
    let mut dims = BTreeMap::new();
    for pair in pairs {
        let parsed = pair.split_once('=').and_then(|(name, value)| Some((name, value.parse().ok()?)));
        let Some((name, value)) = parsed else {
            return Err(Failure::bad_input(format!("\"{pair}\" is no dimension; write NAME=VALUE")));
        };
        if dims.insert(name.to_string(), value).is_some() {
            return Err(Failure::bad_input(format!("--dim gives {name} twice; give it one value")));
        }
    }
    Ok(dims)
}

/// Refuses a pattern of `--keep-fp32` that is none, or that matches nothing of the model.
pub(crate) fn keeps(path: &Path, source: &Source, pattern: Option<&str>) -> Result<(), Failure> {
    let Some(pattern) = pattern else { return Ok(()) };
    let (nodes, tensors): (Vec<&str>, Vec<&str>) = match source {
        Source::Onnx(graph) => {
            let made = |(i, _): &(usize, _)| !graph.inputs.iter().any(|id| id.index() == *i);
            let tensors = graph.values.iter().enumerate().filter(made).map(|(_, v)| v.name.as_str());
            (graph.nodes.iter().map(|n| n.name.as_str()).collect(), tensors.collect())
        }
        Source::Tflite(model) => {
            let tensors = model.subgraphs.iter().flat_map(|g| &g.tensors).map(|t| t.name.as_str());
            (vec![], tensors.collect())
        }
    };
    let found = keep::matches(pattern, nodes.iter().chain(&tensors).copied());
    match found {
        Err(reason) => {
            Err(Failure::bad_input(format!("--keep-fp32 \"{pattern}\" is no regular expression: {reason}")))
        }
        Ok(true) => Ok(()),
        Ok(false) => Err(Failure::bad_input(format!(
            "{}: --keep-fp32 \"{pattern}\" matches no node and no tensor; there are: {}",
            path.display(),
            listed(if nodes.is_empty() { &tensors } else { &nodes })
        ))),
    }
}

/// Refuses to write over a file that is read, whatever its path is spelt like.
pub(crate) fn spared(output: &Path, read: &[PathBuf]) -> Result<(), Failure> {
    // What is not there yet is nobody's file.
    let Ok(real) = output.canonicalize() else { return Ok(()) };
    let itself = |path: &&PathBuf| {
        path.canonicalize().is_ok_and(|path| real == path || (path.is_dir() && real.starts_with(path)))
    };
    match read.iter().find(itself) {
        None => Ok(()),
        Some(path) => Err(Failure::bad_input(format!(
            "{}: would be written over {}, which is read; choose another file",
            output.display(),
            path.display()
        ))),
    }
}

fn listed(names: &[&str]) -> String {
    let mut text = names.iter().take(LISTED).copied().collect::<Vec<_>>().join(", ");
    match names.len() {
        0 => text.push_str("none"),
        n if n > LISTED => text.push_str(&format!(" and {} more", n - LISTED)),
        _ => {}
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use halfproof_ir::{DType, Op};

    fn relu() -> Graph {
        let mut graph = Graph::new("g");
        let x = graph.add_input("x", DType::F32, &[1, 4]);
        graph.values[x.index()].shape = Some(vec![Dim::Named("batch".into()), Dim::Fixed(4)]);
        let y = graph.add_node(Op::Relu, &[x], "y");
        graph.outputs.push(y);
        graph
    }

    fn said<T>(result: Result<T, Failure>) -> String {
        result.err().map_or_else(String::new, |failure| failure.message)
    }

    #[test]
    fn a_dimension_is_one_of_the_model_and_given_once() {
        let bind = |pairs: &[&str]| {
            let pairs: Vec<String> = pairs.iter().map(|p| (*p).to_string()).collect();
            bound(Path::new("m.onnx"), &relu(), &pairs)
        };
        let graph = bind(&["batch=3"]).expect("a dimension of the model");
        assert_eq!(graph.value(graph.inputs[0]).static_shape(), Some(vec![3, 4]));
        let typo = said(bind(&["typo=7"]));
        assert_eq!(typo, "m.onnx: --dim: no dimension is called \"typo\"; there are: batch");
        assert_eq!(said(bind(&["batch=1", "batch=2"])), "--dim gives batch twice; give it one value");
        assert!(said(bind(&["batch"])).contains("write NAME=VALUE"));
    }

    #[test]
    fn a_pattern_is_a_regular_expression_that_matches_something_made() {
        let source = Source::Onnx(Box::new(relu()));
        let keep = |pattern: &str| said(keeps(Path::new("m.onnx"), &source, Some(pattern)));
        assert_eq!(keep("^y$"), "");
        assert_eq!(keep(""), "");
        assert!(keep("nomatch").ends_with("matches no node and no tensor; there are: y"));
        assert!(keep("^x$").contains("matches no node"), "an input is not kept");
        assert!(keep("[").starts_with("--keep-fp32 \"[\" is no regular expression: "));
    }

    #[test]
    fn what_is_read_is_not_written_over_however_it_is_spelt() {
        let folder = tempfile::tempdir().expect("a folder");
        let model = folder.path().join("model.onnx");
        std::fs::write(&model, "model").expect("a file");
        let read = [model.clone()];
        let other = folder.path().join("out.tflite");
        assert!(spared(&other, &read).is_ok());
        assert!(said(spared(&model, &read)).contains("would be written over"));
        let name = folder.path().file_name().expect("a name");
        let roundabout = folder.path().join("..").join(name).join("model.onnx");
        assert!(spared(&roundabout, &read).is_err());
        assert!(spared(&model, &[folder.path().to_path_buf()]).is_err(), "a part of a case");
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(&model, &other).expect("a link");
            assert!(spared(&other, &read).is_err());
        }
    }
}
