//! Decides how a converter behind the adapter protocol appears as one under test: in which form it gets the source, and
//! which adapter stands behind a name.

use super::in_tree::InTree;
use crate::adapter::{Adapter, Form, Gives, Launch};
use crate::setup::python;
use crate::worker::Limits;
use crate::{Converter, Outcome, Source, Unavailable, emit};
use halfproof_converter::infer;
use halfproof_ir::{Conversion, DType, Dim, Graph, Precision, Provenance, Refusal, Request};
use halfproof_wire::onnx;
use std::borrow::Cow;
use std::time::Duration;

/// An adapter that comes with halfproof.
struct Row {
    name: &'static str,
    /// What `setup` calls its environment.
    environment: &'static str,
    /// The script in `fuzz/systems/adapters` and its argument.
    script: &'static str,
    argument: Option<&'static str>,
    /// Address space in GiB. PyTorch and TensorFlow reserve far more than they use.
    memory_gib: u64,
    /// Longest time of one conversion, in seconds.
    seconds: u64,
}

const ROWS: [Row; 8] = [
    Row {
        name: "quantizer",
        environment: "quantizer",
        script: "quantizer.py",
        argument: None,
        memory_gib: 8,
        seconds: 60,
    },
    Row {
        name: "litert-torch",
        environment: "litert-torch",
        script: "torch_module.py",
        argument: Some("half"),
        memory_gib: 24,
        seconds: 120,
    },
    Row {
        name: "litert-torch+quantizer",
        environment: "litert-torch",
        script: "torch_module.py",
        argument: Some("quantizer"),
        memory_gib: 24,
        seconds: 120,
    },
    Row {
        name: "litert-torch+mixed",
        environment: "litert-torch",
        script: "torch_module.py",
        argument: Some("mixed"),
        memory_gib: 24,
        seconds: 120,
    },
    Row {
        name: "tensorflow",
        environment: "tensorflow",
        script: "tensorflow_function.py",
        argument: None,
        memory_gib: 24,
        seconds: 120,
    },
    Row {
        name: "onnx2tf",
        environment: "onnx2tf",
        script: "onnx2tf_file.py",
        argument: None,
        memory_gib: 24,
        seconds: 120,
    },
    Row {
        name: "onnx2tf-direct",
        environment: "onnx2tf-direct",
        script: "onnx2tf_file.py",
        argument: Some("direct"),
        memory_gib: 24,
        seconds: 120,
    },
    Row {
        name: "modelopt-autocast",
        environment: "modelopt-autocast",
        script: "autocast.py",
        argument: None,
        memory_gib: 24,
        seconds: 120,
    },
];

/// The environment of every adapter: the same results on every run, no graphics card, no chatter.
const ENVIRONMENT: [(&str, &str); 5] = [
    ("PYTHONHASHSEED", "0"),
    ("PYTHONDONTWRITEBYTECODE", "1"),
    ("CUDA_VISIBLE_DEVICES", ""),
    ("TF_CPP_MIN_LOG_LEVEL", "2"),
    ("OMP_NUM_THREADS", "1"),
];

/// The names of the converters that come with halfproof and need an environment.
pub fn names() -> Vec<&'static str> {
    ROWS.iter().map(|r| r.name).collect()
}

/// A converter behind the adapter protocol.
#[derive(Debug)]
pub struct Outside {
    name: String,
    adapter: Adapter,
}

impl Outside {
    /// Opens one of [`names`].
    ///
    /// # Errors
    /// [`Unavailable`] when its environment is not installed or it does not start; the text says what to do.
    pub fn named(name: &str) -> Result<Outside, Unavailable> {
        let unavailable = |why: String| Unavailable { system: name.to_string(), why };
        let row = ROWS
            .iter()
            .find(|r| r.name == name)
            .ok_or_else(|| unavailable(format!("there are: {}, cmd:PROGRAM", names().join(", "))))?;
        let python = python::interpreter(row.environment);
        if !python.is_file() {
            let why = format!("not installed; run `cargo xtask setup {}`", row.environment);
            return Err(unavailable(why));
        }
        let words = [python, python::adapters().join(row.script)].map(|p| p.to_string_lossy().into_owned());
        let command = words.into_iter().chain(row.argument.map(str::to_string)).collect();
        let launch = Launch { command, environment: ENVIRONMENT.to_vec() };
        let limits = Limits { memory_bytes: row.memory_gib << 30, time: Duration::from_secs(row.seconds) };
        Ok(Outside { name: name.to_string(), adapter: Adapter::start(name, launch, limits)? })
    }

    /// Opens anybody's adapter by its command: the program and its arguments, separated by blanks.
    ///
    /// # Errors
    /// [`Unavailable`] when it does not start or greet.
    pub fn command(command: &str) -> Result<Outside, Unavailable> {
        let words: Vec<String> = command.split_whitespace().map(str::to_string).collect();
        let name = format!("cmd:{command}");
        if words.is_empty() {
            let why = "name a program after `cmd:`".to_string();
            return Err(Unavailable { system: name, why });
        }
        let launch = Launch { command: words, environment: vec![] };
        let limits = Limits { memory_bytes: 32 << 30, time: Duration::from_secs(120) };
        let adapter = Adapter::start(&name, launch, limits)?;
        Ok(Outside { name, adapter })
    }
}

impl Converter for Outside {
    fn name(&self) -> &str {
        &self.name
    }

    fn version(&self) -> &str {
        &self.adapter.greeting().version
    }

    fn precisions(&self) -> &[Precision] {
        &self.adapter.greeting().precisions
    }

    fn form(&self) -> Option<Form> {
        Some(self.adapter.greeting().takes)
    }

    fn convert(&mut self, source: Source<'_>, request: &Request) -> Outcome {
        if !self.precisions().contains(&request.precision) {
            let why = format!("{} does not follow the strategy {}", self.name, request.precision);
            return Outcome::Cannot { why };
        }
        match program(source, self.adapter.greeting().takes) {
            Ok(bytes) => match self.adapter.convert(&bytes, request.precision) {
                Outcome::Converted(file) if self.adapter.greeting().gives == Gives::Onnx => {
                    lowered(&file.model)
                }
                outcome => outcome,
            },
            Err(why) => Outcome::Cannot { why },
        }
    }
}

/// The .tflite of an .onnx file that a converter answered with: what is float16 there is FLOAT16, what is float32 stays. The
/// map from source to model that our converter draws ends at that file, and says nothing of the program that the converter
/// was given.
fn lowered(file: &[u8]) -> Outcome {
    let graph = match onnx::read(file) {
        Ok(graph) => graph,
        Err(e) => return Outcome::Failed(format!("its .onnx file cannot be read: {e}")),
    };
    let graph = declared(&graph);
    let single = graph.nodes.iter().flat_map(|n| n.outputs.iter().flatten());
    let single = single.map(|&id| graph.value(id)).filter(|v| v.dtype == Some(DType::F32));
    let names: Vec<String> = single.map(|v| regex::escape(&v.name)).collect();
    let keep_fp32 = (!names.is_empty()).then(|| format!("^({})$", names.join("|")));
    let request = Request { keep_fp32, ..Request::new(Precision::Full) };
    match InTree.convert(Source { graph: &graph, onnx: file }, &request) {
        Outcome::Converted(c) => Outcome::Converted(Conversion { provenance: Provenance::default(), ..c }),
        Outcome::Refused(refusal) => {
            Outcome::Cannot { why: format!("no .tflite form of its .onnx file: {}", first(&refusal)) }
        }
        other => other,
    }
}

fn first(refusal: &Refusal) -> String {
    refusal.nodes.first().map_or(String::new(), |n| format!("{}: {}", n.op, n.reason))
}

/// The source program as an adapter takes it.
///
/// # Errors
/// When the program has no such form; that says nothing about the converter.
pub fn program(source: Source<'_>, form: Form) -> Result<Vec<u8>, String> {
    match form {
        Form::Onnx => Ok(source.onnx.to_vec()),
        Form::Tflite => {
            single(source).map_err(|refusal| format!("no float32 .tflite form: {}", first(&refusal)))
        }
        Form::Tensorflow => emit::tensorflow::function(&declared(source.graph))
            .map(String::into_bytes)
            .map_err(|why| format!("no TensorFlow form: {why}")),
        Form::Torch => emit::torch::module(&declared(source.graph))
            .map(String::into_bytes)
            .map_err(|why| format!("no PyTorch form: {why}")),
    }
}

/// The graph with the type and shape of every value: a file need not declare those between its inputs and outputs, and
/// some operators have another spelling for every rank. Unchanged where they cannot be told.
fn declared(graph: &Graph) -> Cow<'_, Graph> {
    if graph.values.iter().all(|v| v.dtype.is_some() && v.shape.is_some()) {
        return Cow::Borrowed(graph);
    }
    let Ok(types) = infer::graph(graph) else { return Cow::Borrowed(graph) };
    let mut graph = graph.clone();
    for (value, ty) in graph.values.iter_mut().zip(types) {
        let Some(ty) = ty else { continue };
        value.dtype.get_or_insert(ty.dtype);
        value.shape.get_or_insert_with(|| ty.shape.into_iter().map(Dim::Fixed).collect());
    }
    Cow::Owned(graph)
}

/// The program as a float32 .tflite, by our own converter.
fn single(source: Source<'_>) -> Result<Vec<u8>, Refusal> {
    let everything = Request { keep_fp32: Some(String::new()), ..Request::new(Precision::Weights) };
    halfproof_converter::convert(source.graph, &everything).map(|c| c.model)
}

#[cfg(test)]
mod tests {
    use super::*;
    use halfproof_ir::text;

    #[test]
    fn shapes_that_the_file_does_not_declare_are_told() {
        let graph = text::parse("x = input f32[1,2,3]\na = Relu(x)\ny = Flatten(a)\noutput y").unwrap();
        for form in [Form::Torch, Form::Tensorflow] {
            let source = Source { graph: &graph, onnx: &[] };
            assert!(program(source, form).is_ok(), "{form:?}: {:?}", program(source, form));
        }
    }
}
