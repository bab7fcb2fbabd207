"""Counts the tensors of .tflite files by type, with the schema classes of the ai-edge-litert wheel, which share nothing
with halfproof.

    python purity.py FILE...

One line of JSON per file: tensors that are computed or given, bytes of constants, and bytes of the largest constant, by
type name. Of FLOAT32 constants `largest` leaves out those that float16 cannot hold: an element overflows, or all that is not
zero becomes zero.
"""

import json
import sys

import numpy
from ai_edge_litert import schema_py_generated as schema

NAMES = {v: k for k, v in vars(schema.TensorType).items() if k.isupper()}


def beyond_float16(data):
    """True when float16 would ruin these float32 elements."""
    wide = numpy.frombuffer(bytes(data), dtype="<f4")
    with numpy.errstate(over="ignore"):
        half = wide.astype(numpy.float16)
    overflows = numpy.isinf(half) & numpy.isfinite(wide)
    return bool(overflows.any() or (wide.any() and not half.any()))


def read(path):
    data = open(path, "rb").read()
    model = schema.ModelT.InitFromPackedBuf(data, 0)
    activations, constants, largest = {}, {}, {}
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            name = NAMES[tensor.type]
            buffer = model.buffers[tensor.buffer]
            size = buffer.size if buffer.offset and buffer.offset > 1 else 0 if buffer.data is None else len(buffer.data)
            if size:
                constants[name] = constants.get(name, 0) + size
                held = buffer.data if name == "FLOAT32" else None
                if held is None or not beyond_float16(held):
                    largest[name] = max(largest.get(name, 0), size)
            else:
                activations[name] = activations.get(name, 0) + 1
    return {"activations": activations, "constants": constants, "largest": largest}


for path in sys.argv[1:]:
    print(json.dumps(read(path)))
