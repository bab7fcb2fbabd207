"""XNNPACK with float16 forced (flag 4) does not prepare a float32 BATCH_MATMUL with a constant operand, nor fall back.

Exits 1 when the model is refused with flag 4 although it runs with flag 0, and 0 otherwise.
Needs: pip install ai-edge-litert==2.3.0
"""
import sys
import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as tfl
from ai_edge_litert.compiled_model import CompiledModel
from ai_edge_litert.options import CpuOptions, Options

code, op, graph, model, x, w, y = (f() for f in [tfl.OperatorCodeT, tfl.OperatorT, tfl.SubGraphT, tfl.ModelT] + 3 * [tfl.TensorT])
x.name, w.name, y.name, w.buffer = "x", "w", "y", 1
x.shape = w.shape = y.shape = [1, 2, 2]
empty, weights = tfl.BufferT(), tfl.BufferT()
weights.data = np.eye(2, dtype=np.float32).view(np.uint8).ravel()
code.deprecatedBuiltinCode = code.builtinCode = tfl.BuiltinOperator.BATCH_MATMUL
code.version, op.inputs, op.outputs = 1, [0, 1], [2]
op.builtinOptionsType, op.builtinOptions = tfl.BuiltinOptions.BatchMatMulOptions, tfl.BatchMatMulOptionsT()
graph.tensors, graph.inputs, graph.outputs, graph.operators = [x, w, y], [0], [2], [op]
model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [code], [graph], [empty, weights]
builder = flatbuffers.Builder()
builder.Finish(model.Pack(builder), b"TFL3")

def run(flags):
    m = CompiledModel.from_buffer(bytes(builder.Output()), options=Options(cpu_options=CpuOptions(xnnpack_flags=flags)))
    inputs, outputs = m.create_input_buffers(0), m.create_output_buffers(0)
    inputs[0].write(np.arange(4, dtype=np.float32)); m.run_by_index(0, inputs, outputs)
    return outputs[0].read(4, np.float32)

print("flag 0:", run(0))
try:
    print("flag 4:", run(4))
except Exception as error:
    print("flag 4:", error); sys.exit(1)
