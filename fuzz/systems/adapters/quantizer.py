"""ai-edge-quantizer: the weights of a float32 .tflite become float16 ("float casting")."""

import pathlib
from importlib.metadata import version

from ai_edge_quantizer import qtyping, quantizer, recipe_manager
from ai_edge_quantizer.algorithm_manager import AlgorithmName

from protocol import serve


def recipe():
    manager = recipe_manager.RecipeManager()
    manager.add_weight_only_config(
        regex=".*",
        operation_name=qtyping.TFLOperationName.ALL_SUPPORTED,
        num_bits=16,
        algorithm_key=AlgorithmName.FLOAT_CASTING,
    )
    return manager.get_quantization_recipe()


def convert(source, _precision):
    model = bytearray(pathlib.Path(source).read_bytes())
    return bytes(quantizer.Quantizer(model, recipe()).quantize().quantized_model)


if __name__ == "__main__":
    serve("quantizer", version("ai-edge-quantizer"), "tflite", ["weights"], convert)
