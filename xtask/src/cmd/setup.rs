//! `setup NAME`: installs an outside system under target/.

use crate::exit::{Exit, Failure, Outcome};
use halfproof_systems::setup;

/// Options of `setup`.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The system.
    name: Name,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug)]
enum Name {
    /// Google's LiteRT: the runtime library of the pinned wheel of ai-edge-litert (about 20 MB to download).
    Litert,
    /// LiteRT's WebGPU accelerator and Mesa's software Vulkan, as runtimes on a machine without a GPU (50 MB to download).
    LitertGpu,
    /// LiteRT's other front, the Interpreter of Python, as runtimes (39 MB to download).
    LitertInterpreter,
    /// The test cases of the onnx package, for `conformance` (about 35 MB to download).
    Conformance,
    /// The nine light_*.onnx models of the onnx package, for `zoo --light` (9 MB to download).
    Onnx,
    /// tract, the fp32 voter: built from source (several minutes).
    Tract,
    /// Real architectures with random weights, exported from PyTorch (1.7 GB, some minutes).
    Zoo,
    /// ai-edge-quantizer, as a converter under test.
    Quantizer,
    /// litert-torch and PyTorch, as three converters under test.
    LitertTorch,
    /// NNSmith, another generator of models, for `bench --nnsmith`.
    Nnsmith,
    /// NNSmith with TensorFlow and its TFLite back end, for `bench --nnsmith`; needs python3.11 (0.6 GB to download).
    NnsmithTflite,
    /// TensorFlow's TFLiteConverter, as a converter under test.
    Tensorflow,
    /// onnx2tf 1.29 with TensorFlow, as a converter under test.
    Onnx2tf,
    /// NVIDIA's ModelOpt AutoCast with PyTorch, as a converter under test.
    ModeloptAutocast,
    /// onnx2tf 2.6, which writes .tflite itself, as a converter under test; needs python3.12.
    Onnx2tfDirect,
}

/// Installs it; does nothing when it is there.
pub(crate) fn run(args: &Args) -> Outcome {
    let mut say = |line: &str| anstream::eprintln!("{line}");
    let path = match args.name {
        Name::Litert => setup::litert(&mut say),
        Name::LitertGpu => setup::gpu::install_all(&mut say),
        Name::LitertInterpreter => setup::python::install(setup::python::LITERT_INTERPRETER, &mut say),
        Name::Conformance => setup::conformance::install(&mut say),
        Name::Onnx => setup::onnx(&mut say),
        Name::Tract => setup::tract(&mut say),
        Name::Zoo => setup::zoo::install(&mut say),
        Name::Quantizer => setup::python::install("quantizer", &mut say),
        Name::LitertTorch => setup::python::install("litert-torch", &mut say),
        Name::Nnsmith => setup::python::install("nnsmith", &mut say),
        Name::NnsmithTflite => setup::python::install("nnsmith-tflite", &mut say),
        Name::Tensorflow => setup::python::install("tensorflow", &mut say),
        Name::Onnx2tf => setup::python::install("onnx2tf", &mut say),
        Name::ModeloptAutocast => setup::python::install("modelopt-autocast", &mut say),
        Name::Onnx2tfDirect => setup::python::install("onnx2tf-direct", &mut say),
    };
    let path = path.map_err(Failure::harness)?;
    anstream::println!("{}", path.display());
    Ok(Exit::Clean)
}
