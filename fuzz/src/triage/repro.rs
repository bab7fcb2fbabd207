//! `repro.py`: shows a finding of an outside converter again with public packages only, for its maintainers.

use super::shell;
use crate::pipeline::Trial;
use halfproof_ir::{Data, Tensor};
use halfproof_reports::schema::Finding;
use halfproof_systems::adapter::Form;
use halfproof_systems::converters::outside;
use halfproof_systems::{Source, emit};

/// The lines that make `converted` of the .tflite `single` with ai-edge-quantizer's float16 recipe.
macro_rules! float_casting {
    () => {
        "from ai_edge_quantizer import qtyping, quantizer, recipe_manager\n\
         manager = recipe_manager.RecipeManager()\n\
         manager.add_weight_only_config(regex=\".*\", operation_name=qtyping.TFLOperationName.ALL_SUPPORTED, \
         num_bits=16, algorithm_key=\"float_casting\")\n\
         recipe = manager.get_quantization_recipe()\n\
         converted = quantizer.Quantizer(bytearray(single), recipe).quantize()\n"
    };
}

/// How a converter is asked from Python: its name, the packages, and the line that makes the file from `model` and `inputs`.
const WAYS: [(&str, &str, &str); 3] = [
    (
        "litert-torch",
        "litert-torch==0.10.0",
        "model = model.half()\ninputs = tuple(x.half() if x.is_floating_point() else x for x in inputs)\n\
         converted = litert_torch.convert(model, inputs).model_content()\n",
    ),
    (
        "litert-torch+quantizer",
        "litert-torch==0.10.0",
        concat!(
            "single = litert_torch.convert(model, inputs).model_content()\n",
            float_casting!(),
            "converted = bytes(converted.quantized_model)\n"
        ),
    ),
    (
        "litert-torch+mixed",
        "\"litert-torch==0.10.0\" \"ai-edge-litert[model-utils]==2.3.0\"",
        "from litert_torch.generative.export_hf.core.mu import mixed_precision\n\
         litert_torch.convert(model, inputs).export(\"/tmp/single.tflite\")\n\
         converted = bytes(mixed_precision.convert_model_to_fp16(\"/tmp/single.tflite\", None))\n",
    ),
];

/// How a converter that reads .onnx files is asked from Python: its name, the packages, what is imported, and the lines that
/// leave its results in `got`, in a dictionary by the names of outputs.
const ONNX_WAYS: [(&str, &str, &str, &str); 3] = [
    (
        "onnx2tf",
        "onnx2tf==1.29.24 tensorflow==2.19.0",
        "import onnx2tf\nimport tensorflow as tf\nInterpreter = tf.lite.Interpreter\n",
        ONNX2TF,
    ),
    (
        "onnx2tf-direct",
        "onnx2tf==2.6.9 ai-edge-litert",
        "import onnx2tf\nfrom ai_edge_litert.interpreter import Interpreter\n",
        ONNX2TF,
    ),
    (
        "modelopt-autocast",
        "\"nvidia-modelopt[onnx]==0.47.0\"",
        "import onnxruntime\nfrom modelopt.onnx.autocast import convert_to_mixed_precision\n",
        "file = convert_to_mixed_precision(str(here / \"model.onnx\"), low_precision_type=\"fp16\").SerializeToString()\n\
         session = onnxruntime.InferenceSession(file)\n\
         wanted = {i.name: np.float16 if \"float16\" in i.type else arrays[i.name].dtype for i in session.get_inputs()}\n\
         results = session.run(None, {name: arrays[name].astype(dtype) for name, dtype in wanted.items()})\n\
         got = {o.name: x for o, x in zip(session.get_outputs(), results)}\n",
    ),
];

/// The file that a converter of .tflite files gets, beside its script.
pub(super) const SINGLE: &str = "float32.tflite";

/// How a converter that reads .tflite files is asked from Python: its name, the packages, and the lines that print what LiteRT
/// makes of the file before and behind it.
const TFLITE_WAYS: [(&str, &str, &str); 1] = [(
    "quantizer",
    "ai-edge-quantizer==0.10.0 ai-edge-litert==2.3.0",
    concat!(
        "from ai_edge_litert.interpreter import Interpreter\n\n\
         here = pathlib.Path(__file__).resolve().parent\n\
         arrays = list(np.load(here / \"inputs.npz\").values())\n\n\n\
         def run(model):\n    \
         interpreter = Interpreter(model_content=model)\n    \
         interpreter.allocate_tensors()\n    \
         for detail, x in zip(interpreter.get_input_details(), arrays):\n        \
         interpreter.set_tensor(detail[\"index\"], x.astype(detail[\"dtype\"]).reshape(detail[\"shape\"]))\n    \
         interpreter.invoke()\n    \
         return [interpreter.get_tensor(d[\"index\"]) for d in interpreter.get_output_details()]\n\n\n\
         single = (here / \"float32.tflite\").read_bytes()\n\
         print(\"float32:\", run(single))\n",
        float_casting!(),
        "print(\"converted:\", run(bytes(converted.quantized_model)))\n"
    ),
)];

/// Inputs with channels keep the order of their axes, as the adapter asks for; onnx2tf turns those of outputs, so they are made
/// flat inside the program. Where a runtime has no kernel for the float16 file, the float32 one of the same conversion shows what
/// is wrong in both.
const ONNX2TF: &str = "channelled = [name for name, x in arrays.items() if 3 <= x.ndim <= 5]\n\
     folder, model = tempfile.TemporaryDirectory(), onnx.load(here / \"model.onnx\")\n\
     model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([-1]), \"flat\"))\n\
     for y in model.graph.output:\n    \
     model.graph.node.append(onnx.helper.make_node(\"Reshape\", [y.name, \"flat\"], [y.name + \"_flat\"]))\n    \
     y.CopyFrom(onnx.helper.make_tensor_value_info(y.name + \"_flat\", y.type.tensor_type.elem_type, [None]))\n\
     onnx.save(model, folder.name + \"/model.onnx\")\n\
     onnx2tf.convert(input_onnx_file_path=folder.name + \"/model.onnx\", output_folder_path=folder.name, non_verbose=True,\n\
     \x20               not_use_onnxsim=True, copy_onnx_input_output_names_to_tflite=True, \
     keep_ncw_or_nchw_or_ncdhw_input_names=channelled or None,\n\
     \x20               keep_shape_absolutely_input_names=[name for name in arrays if name not in channelled] or None)\n\
     for kind in (\"float16\", \"float32\"):\n    \
     try:\n        \
     interpreter = Interpreter(model_path=f\"{folder.name}/model_{kind}.tflite\")\n        \
     interpreter.allocate_tensors()\n        \
     for detail in interpreter.get_input_details():\n            \
     x = arrays[next(n for n in sorted(arrays, key=len, reverse=True) if n in detail[\"name\"])]\n            \
     interpreter.set_tensor(detail[\"index\"], x.astype(detail[\"dtype\"]).reshape(detail[\"shape\"]))\n        \
     interpreter.invoke()\n        \
     break\n    \
     except RuntimeError as error:\n        \
     print(f\"the {kind} file does not run:\", error)\n\
     got = {d[\"name\"]: interpreter.get_tensor(d[\"index\"]) for d in interpreter.get_output_details()}\n";

/// What ONNX's own evaluator makes of the program; last, since it does not know every operator.
const REFERENCE: &str = "onnx.reference.ReferenceEvaluator(str(here / \"model.onnx\")).run(None, arrays)";

/// The script, which stands beside the finding's files; `None` for a converter that is not reached from Python, or a program
/// that has no form there.
pub(super) fn script(finding: &Finding, trial: &Trial) -> Option<String> {
    through_torch(finding, trial)
        .or_else(|| through_tensorflow(finding, trial))
        .or_else(|| through_onnx(finding))
        .or_else(|| through_tflite(finding))
}

/// The float32 .tflite that the converter got, where it reads those: the script stands beside it.
pub(super) fn single(finding: &Finding, trial: &Trial, onnx: &[u8]) -> Option<Vec<u8>> {
    let source = Source { graph: &trial.graph, onnx };
    TFLITE_WAYS.iter().find(|(name, ..)| *name == finding.converter)?;
    outside::program(source, Form::Tflite).ok()
}

fn through_tflite(finding: &Finding) -> Option<String> {
    let (_, packages, lines) = TFLITE_WAYS.iter().find(|(name, ..)| *name == finding.converter)?;
    Some(format!("{}import pathlib\nimport numpy as np\n{lines}{}", head(finding, packages), exact(finding)))
}

/// The first lines: what is wrong, and what is needed.
fn head(finding: &Finding, packages: &str) -> String {
    let title = shell::docstring(&finding.title);
    format!("\"\"\"{}: {title}\n\nNeeds: pip install {packages}\n\"\"\"\n", finding.converter)
}

/// What the finding says of its worst element, as a line that prints it.
fn exact(finding: &Finding) -> String {
    let tensor = finding.place.tensor.as_deref().or(finding.place.source.as_deref()).unwrap_or("the output");
    match (&finding.evidence, finding.place.element) {
        (Some(e), Some(element)) => {
            let text = format!(
                "exact: {:e} in element {element} of {tensor}; halfproof saw {:e}",
                e.expected.0, e.actual.0
            );
            format!("print({})\n", shell::python(&text))
        }
        _ => String::new(),
    }
}

fn through_onnx(finding: &Finding) -> Option<String> {
    let (_, packages, imports, lines) = ONNX_WAYS.iter().find(|(name, ..)| *name == finding.converter)?;
    Some(format!(
        "{}import pathlib\nimport tempfile\nimport numpy as np\nimport onnx.reference\n{imports}\n\
         here = pathlib.Path(__file__).resolve().parent\narrays = dict(np.load(here / \"inputs.npz\"))\n{lines}\
         print(\"converted:\", got)\n{}print(\"ONNX's reference:\", {REFERENCE})\n",
        head(finding, packages),
        exact(finding)
    ))
}

fn through_tensorflow(finding: &Finding, trial: &Trial) -> Option<String> {
    if finding.converter != "tensorflow" {
        return None;
    }
    let function = emit::tensorflow::function(&trial.graph).ok()?;
    Some(format!(
        "{}import pathlib\nimport numpy as np\n{}\n\n\
         arrays = np.load(pathlib.Path(__file__).resolve().parent / \"inputs.npz\")\n\
         inputs = [tf.constant(arrays[name], spec.dtype) for name, spec in zip(arrays.files, model.input_signature)]\n\
         print(\"TensorFlow float32:\", model(*inputs))\n\
         converter = tf.lite.TFLiteConverter.from_concrete_functions([model.get_concrete_function()])\n\
         converter.optimizations = [tf.lite.Optimize.DEFAULT]\n\
         converter.target_spec.supported_types = [tf.float16]\n\
         interpreter = tf.lite.Interpreter(model_content=converter.convert())\n\
         interpreter.allocate_tensors()\n\
         details = sorted(interpreter.get_input_details(), key=lambda d: d[\"name\"])\n\
         for detail, x in zip(details, inputs):\n    \
         interpreter.set_tensor(detail[\"index\"], x.numpy())\ninterpreter.invoke()\n\
         print(\"LiteRT:\", [interpreter.get_tensor(d[\"index\"]) for d in interpreter.get_output_details()])\n{}",
        head(finding, "tensorflow-cpu==2.21.0"),
        function.trim_end(),
        exact(finding)
    ))
}

fn through_torch(finding: &Finding, trial: &Trial) -> Option<String> {
    let (_, packages, conversion) = WAYS.iter().find(|(name, ..)| *name == finding.converter)?;
    let module = emit::torch::module(&trial.graph).ok()?;
    // The example inputs of the module make way for those of the finding.
    let (class, _) = module.split_once("\n\ndef inputs")?;
    let body = class.split_once("import torch.nn.functional as F\n")?.1.trim_end();
    let tensors: Vec<String> = trial.inputs.iter().map(literal).collect::<Option<_>>()?;
    Some(format!(
        "{}import torch\nimport torch.nn.functional as F\n\
         import litert_torch\nfrom ai_edge_litert.interpreter import Interpreter\n{body}\n\n\n\
         inputs = ({},)\nmodel = Model().eval()\nexpected = model(*inputs)\n{conversion}\
         interpreter = Interpreter(model_content=converted)\ninterpreter.allocate_tensors()\n\
         details = sorted(interpreter.get_input_details(), key=lambda d: d[\"name\"])\n\
         for detail, x in zip(details, inputs):\n    \
         interpreter.set_tensor(detail[\"index\"], x.numpy().astype(detail[\"dtype\"]))\ninterpreter.invoke()\n\
         print(\"PyTorch float32:\", expected)\n\
         print(\"LiteRT:\", [interpreter.get_tensor(d[\"index\"]) for d in interpreter.get_output_details()])\n",
        head(finding, packages),
        tensors.join(", ")
    ))
}

fn literal(tensor: &Tensor) -> Option<String> {
    match tensor.data {
        Data::F64(_) | Data::U16(_) | Data::U32(_) | Data::U64(_) => None,
        _ => emit::torch::constant(tensor).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::InputKind;
    use halfproof_ir::{DType, Precision, Request, text};
    use halfproof_oracle::verdict::{Blame, Class, Numbers, Place, Strength};
    use halfproof_reports::schema::{Drawing, Evidence, Files, Spot};
    use halfproof_wire::onnx::Opset;

    fn trial() -> Trial {
        let graph = text::parse("x = input f32[2]\ny = Selu(x)\noutput y").unwrap();
        let inputs = vec![Tensor::f32(vec![2], vec![0.5, f32::NAN])];
        let opset = Opset::of(&graph);
        Trial { graph, request: Request::new(Precision::Full), kind: InputKind::Gaussian, inputs, opset }
    }

    fn finding(converter: &str) -> Finding {
        let numbers = Numbers { expected: 1.5, actual: 2.0, low: 1.4, high: 1.6, ratio: 5.0 };
        let place = Place { tensor: Some("y".into()), element: Some(1), ..Place::default() };
        Finding {
            replay: String::new(),
            title: "wrong \"here\"".into(),
            because: String::new(),
            class: Class::Semantics,
            blame: Blame::Converter,
            strength: Strength::Certified,
            system: None,
            converter: converter.into(),
            precision: Some(Precision::Full),
            place: Spot::new(&place, None),
            evidence: Some(Evidence::new(DType::F16, &numbers)),
            points: vec![],
            controls: vec![],
            notes: vec![],
            related: vec![],
            occurrences: 1,
            first_test: 0,
            files: Files::default(),
            graph: String::new(),
            drawing: Drawing::default(),
            known_issue: None,
            signature: String::new(),
            operator: None,
            id: "SE-123456".into(),
        }
    }

    #[test]
    fn a_repro_holds_the_program_the_inputs_and_the_conversion_in_few_lines() {
        let torch = ["F.selu(x0)", "torch.tensor([0.5, float('nan')]", "litert_torch.convert"];
        let tensorflow = ["@tf.function", "tf.float16", "inputs.npz"];
        let onnx =
            ["model.onnx", "inputs.npz", "print(\"exact: 1.5e0 in element 1 of y; halfproof saw 2e0\")"];
        let parts = |name: &str| match name {
            "tensorflow" => tensorflow,
            "quantizer" => [SINGLE, "inputs.npz", "float_casting"],
            name if name.starts_with("litert-torch") => torch,
            _ => onnx,
        };
        let names = WAYS.iter().map(|w| w.0).chain(ONNX_WAYS.iter().map(|w| w.0));
        for name in names.chain(["tensorflow", "quantizer"]) {
            let script = script(&finding(name), &trial()).unwrap();
            for part in parts(name).into_iter().chain(["wrong 'here'", "pip install"]) {
                assert!(script.contains(part), "{name}: no {part} in\n{script}");
            }
            assert!(script.lines().count() < 40, "{name}: {}", script.lines().count());
        }
        assert_eq!(script(&finding("in-tree"), &trial()), None);
    }

    #[test]
    fn a_converter_of_tflite_files_gets_one_beside_its_script() {
        let file = single(&finding("quantizer"), &trial(), &[]).unwrap();
        assert_eq!(&file[4..8], b"TFL3");
        assert_eq!(single(&finding("onnx2tf"), &trial(), &[]), None);
    }
}
