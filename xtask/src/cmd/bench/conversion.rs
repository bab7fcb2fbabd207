//! `bench --convert`: seconds and memory of conversions of a large model, ours and other people's, in one run.

use crate::exit::{Exit, Failure, Outcome};
use halfproof_ir::{DType, Graph, Op, Precision, Tensor, ops};
use halfproof_systems::setup;
use halfproof_wire::{file, onnx, tflite};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Measures conversions of a generated model of about `megabytes`.
pub(super) fn run(megabytes: usize) -> Outcome {
    let folder = tempfile::tempdir().map_err(Failure::harness)?;
    let path = folder.path().join("large.onnx");
    let graph = generated(megabytes);
    let bytes = onnx::write(&graph, onnx::Opset::of(&graph)).map_err(Failure::harness)?;
    file::write_atomically(&path, &bytes).map_err(Failure::harness)?;
    let size = bytes.len() as f64;
    drop((bytes, graph));
    anstream::println!("  {:.1} MB of convolutions, dense layers and a table, float32", size / 1e6);
    anstream::println!("  {:<34} {:>8} {:>10} {:>8}", "converter", "seconds", "peak MB", "x model");
    let xtask = std::env::current_exe().map_err(Failure::harness)?;
    for precision in Precision::ALL {
        let out = folder.path().join(format!("{precision}.tflite"));
        let mut command = Command::new(&xtask);
        command.arg("convert").arg(&path).arg("-o").arg(&out).args(["--precision", precision.name()]);
        line(&format!("in-tree, {precision}"), &mut command, size)?;
    }
    // The quantizer starts from a float32 .tflite: ours, with every operator kept.
    let source = folder.path().join("float32.tflite");
    float32(&path, &source)?;
    let mut command = Command::new(&xtask);
    let out = folder.path().join("again.tflite");
    command.arg("convert").arg(&source).arg("-o").arg(&out).args(["--precision", "weights"]);
    line("in-tree, weights, from .tflite", &mut command, size)?;
    for (name, module, script, argument) in OTHERS {
        match python(module) {
            Some(python) => {
                let mut command = Command::new(python);
                let model: &Path = if *argument == "tflite" { &source } else { &path };
                command.args(["-c", script]).arg(model).arg(folder.path().join("other.tflite"));
                line(name, &mut command, size)?;
            }
            None => anstream::println!("  {name:<34} not installed"),
        }
    }
    Ok(Exit::Clean)
}

/// Name, the module that must be there, what to run with the model and the result as arguments, and what it reads.
const OTHERS: &[(&str, &str, &str, &str)] = &[
    (
        "ai-edge-quantizer, float16",
        "ai_edge_quantizer",
        "import sys\n\
         from ai_edge_quantizer import quantizer, recipe_manager, qtyping\n\
         from ai_edge_quantizer import algorithm_manager\n\
         r = recipe_manager.RecipeManager()\n\
         r.add_weight_only_config(regex='.*', operation_name=qtyping.TFLOperationName.ALL_SUPPORTED, num_bits=16,\n\
           algorithm_key=algorithm_manager.AlgorithmName.FLOAT_CASTING)\n\
         q = quantizer.Quantizer(sys.argv[1], r.get_quantization_recipe()).quantize()\n\
         open(sys.argv[2], 'wb').write(q.quantized_model)\n",
        "tflite",
    ),
    (
        "onnx2tf, float16",
        "onnx2tf",
        "import sys, onnx2tf, os\n\
         onnx2tf.convert(input_onnx_file_path=sys.argv[1], output_folder_path=os.path.dirname(sys.argv[2]) + '/o',\n\
           non_verbose=True)\n",
        "onnx",
    ),
];

/// A Python that has a module: of `target/systems`, or the one on the path.
fn python(module: &str) -> Option<PathBuf> {
    let mut candidates: Vec<PathBuf> = ["quantizer", "onnx2tf", "litert-torch", "zoo"]
        .iter()
        .map(|system| setup::systems_dir().join(system).join("venv/bin/python"))
        .collect();
    candidates.push("python3".into());
    let has = |python: &PathBuf| {
        let find = format!("import importlib.util as u, sys; sys.exit(u.find_spec('{module}') is None)");
        Command::new(python)
            .args(["-c", &find])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|s| s.success())
    };
    candidates.into_iter().find(has)
}

fn line(name: &str, command: &mut Command, size: f64) -> Result<(), Failure> {
    let (seconds, peak, ok) = watched(command).map_err(Failure::harness)?;
    let (seconds, peak) = (seconds.as_secs_f64(), peak as f64);
    let failed = if ok { "" } else { "  failed" };
    anstream::println!("  {name:<34} {seconds:>8.2} {:>10.0} {:>8.2}{failed}", peak / 1e6, peak / size);
    Ok(())
}

/// Runs a command to its end; gives its time, the largest resident set that was seen (in bytes), and whether it succeeded.
fn watched(command: &mut Command) -> std::io::Result<(Duration, u64, bool)> {
    let begin = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let mut peak = 0;
    loop {
        if let Some(exit) = child.try_wait()? {
            return Ok((begin.elapsed(), peak, exit.success()));
        }
        peak = peak.max(resident(&status));
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The high-water mark of a process; 0 where the system does not say.
fn resident(status: &Path) -> u64 {
    let Ok(text) = std::fs::read_to_string(status) else { return 0 };
    let line = text.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    line.and_then(|l| l.trim().trim_end_matches("kB").trim().parse::<u64>().ok()).map_or(0, |kb| kb * 1024)
}

/// The same model as float32 .tflite.
fn float32(path: &Path, out: &Path) -> Result<(), Failure> {
    let graph = onnx::read_file(path).map_err(Failure::harness)?;
    let request = halfproof_ir::Request {
        keep_fp32: Some(String::new()),
        ..halfproof_ir::Request::new(Precision::Weights)
    };
    let conversion = halfproof_converter::convert(&graph, &request).map_err(Failure::harness)?;
    tflite::read(&conversion.model).map_err(Failure::harness)?;
    file::write_atomically(out, &conversion.model).map_err(Failure::harness)
}

/// Convolutions (a third of the weights), dense layers, and a table that is looked up.
fn generated(megabytes: usize) -> Graph {
    let weights = |graph: &mut Graph, name: String, shape: &[usize], state: &mut u64| {
        let n: usize = shape.iter().product();
        let scale = 1.0 / (n as f32 / shape[0] as f32).sqrt();
        let mut next = || {
            *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((*state >> 40) as f32 / (1u32 << 23) as f32 - 1.0) * scale
        };
        let data = (0..n).map(|_| next()).collect();
        graph.add_constant(name, Tensor::f32(shape, data))
    };
    let mut state = 1;
    let mut graph = Graph::new("large");
    let mut x = graph.add_input("x", DType::F32, &[1, 256, 8, 8]);
    let layers = (megabytes * 1_000_000 / 4).div_ceil(256 * 256 * 9 + 2 * 512 * 512);
    for i in 0..layers {
        let w = weights(&mut graph, format!("conv{i}.weight"), &[256, 256, 3, 3], &mut state);
        let conv = ops::Conv { pads: vec![1, 1, 1, 1], ..ops::Conv::default() };
        x = graph.add_node(Op::Conv(conv), &[x, w], format!("conv{i}"));
        x = graph.add_node(Op::Relu, &[x], format!("relu{i}"));
    }
    let shape = graph.add_constant("shape", Tensor::ints(vec![1, 32, 512]));
    x = graph.add_node(Op::Reshape(ops::Reshape::default()), &[x, shape], "rows");
    for i in 0..2 * layers {
        let w = weights(&mut graph, format!("dense{i}.weight"), &[512, 512], &mut state);
        x = graph.add_node(Op::MatMul, &[x, w], format!("dense{i}"));
        x = graph.add_node(Op::Tanh, &[x], format!("tanh{i}"));
    }
    graph.outputs.push(x);
    graph
}
