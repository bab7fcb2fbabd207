"""Counts the tensors of .tflite files by type, with the schema classes of the ai-edge-litert wheel, which share nothing
with halfproof.

    python purity.py FILE...

One line of JSON per file: tensors that are computed or given, and bytes of constants, by type name.
"""

import json
import sys

from ai_edge_litert import schema_py_generated as schema

NAMES = {v: k for k, v in vars(schema.TensorType).items() if k.isupper()}


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
                largest[name] = max(largest.get(name, 0), size)
            else:
                activations[name] = activations.get(name, 0) + 1
    return {"activations": activations, "constants": constants, "largest": largest}


for path in sys.argv[1:]:
    print(json.dumps(read(path)))
