"""XNNPACK: the minimum of a NaN is inf, the number that the reduction starts from.

Exits 1 when the defect is there, 0 otherwise. Needs: pip install ai-edge-litert==2.3.0
"""
import sys
import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as tfl
from ai_edge_litert.compiled_model import CompiledModel
from ai_edge_litert.options import CpuOptions, Options


def tensor(name, shape, buffer=0, dtype=tfl.TensorType.FLOAT32):
    t = tfl.TensorT()
    t.name, t.shape, t.buffer, t.type = name, shape, buffer, dtype
    return t


code, op, graph, model, axes = (f() for f in [tfl.OperatorCodeT, tfl.OperatorT, tfl.SubGraphT, tfl.ModelT, tfl.BufferT])
code.deprecatedBuiltinCode = code.builtinCode = tfl.BuiltinOperator.REDUCE_MIN
code.version, op.inputs, op.outputs = 1, [0, 1], [2]
op.builtinOptionsType, op.builtinOptions = tfl.BuiltinOptions.ReducerOptions, tfl.ReducerOptionsT()
axes.data = np.frombuffer(np.int32([1]).tobytes(), np.uint8)
graph.tensors = [tensor("x", [1, 1]), tensor("axes", [1], 1, tfl.TensorType.INT32), tensor("y", [1])]
graph.inputs, graph.outputs, graph.operators = [0], [2], [op]
model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [code], [graph], [tfl.BufferT(), axes]
builder = flatbuffers.Builder()
builder.Finish(model.Pack(builder), b"TFL3")
m = CompiledModel.from_buffer(bytes(builder.Output()), options=Options(cpu_options=CpuOptions(xnnpack_flags=4)))
ins, outs = m.create_input_buffers(0), m.create_output_buffers(0)
ins[0].write(np.float32([np.nan])); m.run_by_index(0, ins, outs)
got = outs[0].read(1, np.float32)
print("minimum of nan", got, "want nan")
sys.exit(int(not np.isnan(got[0])))
