"""onnx2tf: an .onnx file becomes a .tflite with float16 weights, or, by version 2, one in float16 throughout.

    python onnx2tf_file.py [direct]

onnx2tf is free to turn the axes of what it is given and of what it answers, and sorts by name. Inputs are told to stay as
they are; outputs are flattened and given their shape again inside the program, which onnx2tf does in ONNX's order of
elements; both get names by which the file's lists are put into order again.
"""

import pathlib
import re
import sys
import tempfile
from importlib.metadata import version

import numpy as np
import onnx
import onnx2tf
from onnx import TensorProto, helper
from ai_edge_litert import schema_py_generated as schema

from protocol import Unusable, serve


def pictures():
    """What onnx2tf 1.29 compares a model of images on; it fetches its own from the network, and fails where there is none."""
    return np.random.default_rng(0).random((20, 128, 128, 3), np.float32)


def dims(value):
    sizes = [d.dim_value for d in value.type.tensor_type.shape.dim]
    if not value.type.tensor_type.HasField("shape") or any(size < 1 for size in sizes):
        raise Unusable("a shape that is not static, or empty")
    return sizes


def renamed(graph, old, new):
    for node in graph.node:
        node.output[:] = [new if name == old else name for name in node.output]
        node.input[:] = [new if name == old else name for name in node.input]
    # An input may be an output.
    for value in [*graph.input, *graph.output]:
        value.name = new if value.name == old else value.name


def upright(model, inputs):
    """The program with outputs whose axes have one meaning only, and names in order."""
    graph = model.graph
    for i, value in enumerate(inputs):
        renamed(graph, value.name, f"in{i:04}")
    for i, output in enumerate(graph.output):
        sizes, inner, name = dims(output), output.name, f"out{i:04}"
        output.name = name
        if not 3 <= len(sizes) <= 5:
            graph.node.append(helper.make_node("Identity", [inner], [name]))
            continue
        graph.initializer.extend([
            helper.make_tensor(f"{name}_flat", TensorProto.INT64, [1], [-1]),
            helper.make_tensor(f"{name}_back", TensorProto.INT64, [len(sizes)], sizes),
        ])
        graph.node.extend([
            helper.make_node("Reshape", [inner, f"{name}_flat"], [f"{name}_line"]),
            helper.make_node("Reshape", [f"{name}_line", f"{name}_back"], [name]),
        ])
    return model


def in_order(file):
    """The file with its inputs and outputs listed as the program lists them."""
    file = bytearray(file)
    graph = schema.Model.GetRootAs(file, 0).Subgraphs(0)
    # Of a list that is empty flatbuffers makes the number 0.
    inputs = graph.InputsAsNumpy() if graph.InputsLength() else []
    for kind, listed in ((r"in(\d+)", inputs), (r"(?:PartitionedCall:|out)(\d+)", graph.OutputsAsNumpy())):
        names = [graph.Tensors(int(i)).Name().decode() for i in listed]
        found = [re.search(kind, name) for name in names]
        if len(names) > 1 and not all(found):
            raise Unusable(f"no telling which is which of {', '.join(names)}")
        if len(names) > 1:
            # The array is the file's own memory.
            listed[:] = [i for _, i in sorted((int(f[1]), int(i)) for f, i in zip(found, listed))]
    return bytes(file)


def kinds(problems):
    """What is wrong, without the tensors of which it is."""
    return ", ".join(sorted(set(re.findall(r"'(\w+):", problems[1]))))


def convert(source, _precision):
    model = onnx.load(source)
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in constants]
    upright(model, inputs)
    channelled = [value.name for value in inputs if 3 <= len(dims(value)) <= 5]
    others = [value.name for value in inputs if value.name not in channelled]
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "model.onnx"
        onnx.save(model, path)
        try:
            onnx2tf.convert(
                input_onnx_file_path=str(path),
                output_folder_path=folder,
                keep_ncw_or_nchw_or_ncdhw_input_names=channelled or None,
                keep_shape_absolutely_input_names=others or None,
                not_use_onnxsim=True,
                copy_onnx_input_output_names_to_tflite=True,
                non_verbose=True,
            )
        except SystemExit as error:
            raise RuntimeError("it ends its own process") from error
        except Exception as error:
            # Version 2 says of every failure inside that its fast path failed, and keeps what failed as the cause.
            error = error.__cause__ if "fast path failed" in str(error) and error.__cause__ else error
            # The same failure of another node, or noticed by another pass, is the same failure.
            text = re.sub(r"\b(op|node)=n\d+\b", r"\1=…", str(error))
            text = re.sub(r"pass_id=\S+ problems=\[(.*)\]", kinds, text)
            error.args = (text,)
            raise error
        return in_order((pathlib.Path(folder) / "model_float16.tflite").read_bytes())


if __name__ == "__main__":
    if "direct" in sys.argv:
        # The back end of version 2 makes float16 inputs and outputs, too.
        name, precisions = "onnx2tf-direct", ["full"]
    else:
        name, precisions = "onnx2tf", ["weights"]
        sys.modules["onnx2tf.onnx2tf"].download_test_image_data = pictures
    serve(name, version("onnx2tf"), "onnx", precisions, convert)
