"""XNNPACK: a NaN in a dense layer comes out as -inf, because the kernel clamps its results.

Exits 1 when the defect is there, 0 otherwise. Needs: pip install ai-edge-litert==2.3.0
"""
import sys
import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as tfl
from ai_edge_litert.compiled_model import CompiledModel
from ai_edge_litert.options import CpuOptions, Options


def tensor(name, shape, buffer=0):
    t = tfl.TensorT()
    t.name, t.shape, t.buffer = name, shape, buffer
    return t


code, op, graph, model, weights = (f() for f in [tfl.OperatorCodeT, tfl.OperatorT, tfl.SubGraphT, tfl.ModelT, tfl.BufferT])
code.deprecatedBuiltinCode = code.builtinCode = tfl.BuiltinOperator.FULLY_CONNECTED
code.version, op.inputs, op.outputs = 1, [0, 1, -1], [2]
op.builtinOptionsType = tfl.BuiltinOptions.FullyConnectedOptions
op.builtinOptions = tfl.FullyConnectedOptionsT()
weights.data = np.frombuffer(np.float32([1, 1]).tobytes(), np.uint8)
graph.tensors = [tensor("x", [1, 2]), tensor("w", [1, 2], 1), tensor("y", [1, 1])]
graph.inputs, graph.outputs, graph.operators = [0], [2], [op]
model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [code], [graph], [tfl.BufferT(), weights]
builder = flatbuffers.Builder()
builder.Finish(model.Pack(builder), b"TFL3")
m = CompiledModel.from_buffer(bytes(builder.Output()), options=Options(cpu_options=CpuOptions(xnnpack_flags=4)))
ins, outs = m.create_input_buffers(0), m.create_output_buffers(0)
ins[0].write(np.float32([1, np.nan])); m.run_by_index(0, ins, outs)
got = outs[0].read(1, np.float32)
print("inputs 1, nan result", got, "want nan")
sys.exit(int(not np.isnan(got[0])))
