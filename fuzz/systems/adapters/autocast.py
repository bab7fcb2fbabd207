"""NVIDIA's ModelOpt AutoCast: an .onnx file becomes one in which most operators compute in float16.

It classifies operators by the magnitudes of a run of ONNX Runtime on random inputs; inputs and outputs become float16, as
`mixed` has them.
"""

import os
import re
import tempfile
from importlib.metadata import version

import numpy as np
import onnx
import onnxruntime
from modelopt.onnx.autocast import convert_to_mixed_precision

from protocol import Unusable, serve


def convert(path, _precision):
    model = onnx.load(path)
    if any(d.dim_value < 1 for value in model.graph.input for d in value.type.tensor_type.shape.dim):
        raise Unusable("a shape that is not static, or empty")
    try:
        return convert_to_mixed_precision(path, low_precision_type="fp16").SerializeToString()
    except Exception:
        # It asks ONNX Runtime first, which does not run everything that ONNX has.
        runs(path, model)
        raise


def runs(path, model):
    def zeros(value):
        kind = value.type.tensor_type
        return np.zeros([d.dim_value for d in kind.shape.dim], onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type))

    try:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        session.run(None, {value.name: zeros(value) for value in model.graph.input})
    except Exception as error:
        operator = re.search(r"(?:running|implementation for|Op \(|node_name: \S+) ?(\w+)", str(error))
        raise Unusable(f"ONNX Runtime does not run {operator[1] if operator else 'it'}") from error


# AutoCast and ONNX leave files where they run.
with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    serve("modelopt-autocast", version("nvidia-modelopt"), "onnx", ["mixed"], convert, gives="onnx")
