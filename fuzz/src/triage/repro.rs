//! `repro.py`: shows a finding of an outside converter again with public packages only, for its maintainers.

use crate::pipeline::Trial;
use halfproof_ir::{Data, Tensor};
use halfproof_systems::emit;

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
        "from ai_edge_quantizer import qtyping, quantizer, recipe_manager\n\
         single = litert_torch.convert(model, inputs).model_content()\n\
         manager = recipe_manager.RecipeManager()\n\
         manager.add_weight_only_config(regex=\".*\", operation_name=qtyping.TFLOperationName.ALL_SUPPORTED, \
         num_bits=16, algorithm_key=\"float_casting\")\n\
         recipe = manager.get_quantization_recipe()\n\
         converted = bytes(quantizer.Quantizer(bytearray(single), recipe).quantize().quantized_model)\n",
    ),
    (
        "litert-torch+mixed",
        "\"litert-torch==0.10.0\" \"ai-edge-litert[model-utils]==2.3.0\"",
        "from litert_torch.generative.export_hf.core.mu import mixed_precision\n\
         litert_torch.convert(model, inputs).export(\"/tmp/single.tflite\")\n\
         converted = bytes(mixed_precision.convert_model_to_fp16(\"/tmp/single.tflite\", None))\n",
    ),
];

/// The script; `None` for a converter that is not reached through PyTorch, or a program that has no PyTorch form.
pub(super) fn script(converter: &str, title: &str, trial: &Trial) -> Option<String> {
    let (_, packages, conversion) = WAYS.iter().find(|(name, ..)| *name == converter)?;
    let module = emit::torch::module(&trial.graph).ok()?;
    // The example inputs of the module make way for those of the finding.
    let (class, _) = module.split_once("\n\ndef inputs")?;
    let body = class.split_once("import torch.nn.functional as F\n")?.1.trim_end();
    let tensors: Vec<String> = trial.inputs.iter().map(literal).collect::<Option<_>>()?;
    Some(format!(
        "\"\"\"{converter}: {}\n\nNeeds: pip install {packages}\n\"\"\"\nimport torch\nimport torch.nn.functional as F\n\
         import litert_torch\nfrom ai_edge_litert.interpreter import Interpreter\n{body}\n\n\n\
         inputs = ({},)\nmodel = Model().eval()\nexpected = model(*inputs)\n{conversion}\
         interpreter = Interpreter(model_content=converted)\ninterpreter.allocate_tensors()\n\
         details = sorted(interpreter.get_input_details(), key=lambda d: d[\"name\"])\n\
         for detail, x in zip(details, inputs):\n    \
         interpreter.set_tensor(detail[\"index\"], x.numpy().astype(detail[\"dtype\"]))\ninterpreter.invoke()\n\
         print(\"PyTorch float32:\", expected)\n\
         print(\"LiteRT:\", [interpreter.get_tensor(d[\"index\"]) for d in interpreter.get_output_details()])\n",
        title.replace(['"', '\\'], "'"),
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
    use halfproof_ir::{Precision, Request, text};
    use halfproof_wire::onnx::Opset;

    fn trial() -> Trial {
        let graph = text::parse("x = input f32[2]\ny = Selu(x)\noutput y").unwrap();
        let inputs = vec![Tensor::f32(vec![2], vec![0.5, f32::NAN])];
        let opset = Opset::of(&graph);
        Trial { graph, request: Request::new(Precision::Full), kind: InputKind::Gaussian, inputs, opset }
    }

    #[test]
    fn a_repro_holds_the_module_the_inputs_and_the_conversion_in_few_lines() {
        for (converter, ..) in WAYS {
            let script = script(converter, "wrong \"here\"", &trial()).unwrap();
            for part in
                ["F.selu(x0)", "torch.tensor([0.5, float('nan')]", "litert_torch.convert", "wrong 'here'"]
            {
                assert!(script.contains(part), "{converter}: no {part} in\n{script}");
            }
            assert!(script.lines().count() < 40, "{}", script.lines().count());
        }
        assert_eq!(script("in-tree", "", &trial()), None);
    }
}
