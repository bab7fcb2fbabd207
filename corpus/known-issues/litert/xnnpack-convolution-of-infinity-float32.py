"""XNNPACK: in float32 an inf makes results of a one-channel convolution NaN that do not depend on it, or are inf.

Exits 1 when the defect is there, 0 otherwise. Needs: pip install ai-edge-litert==2.3.0
"""
import sys
import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as tfl
from ai_edge_litert.compiled_model import CompiledModel


def tensor(name, shape, buffer=0):
    t = tfl.TensorT()
    t.name, t.shape, t.buffer, t.type = name, shape, buffer, tfl.TensorType.FLOAT32
    return t


code, op, graph, model, weights, bias = (
    f() for f in [tfl.OperatorCodeT, tfl.OperatorT, tfl.SubGraphT, tfl.ModelT, tfl.BufferT, tfl.BufferT])
code.deprecatedBuiltinCode = code.builtinCode = tfl.BuiltinOperator.CONV_2D
code.version, op.inputs, op.outputs = 1, [0, 1, 2], [3]
op.builtinOptionsType, op.builtinOptions = tfl.BuiltinOptions.Conv2DOptions, tfl.Conv2DOptionsT()
op.builtinOptions.padding, op.builtinOptions.strideW, op.builtinOptions.strideH = tfl.Padding.VALID, 1, 1
weights.data = np.frombuffer(np.ones(1, np.float32).tobytes(), np.uint8)
bias.data = np.frombuffer(np.zeros(1, np.float32).tobytes(), np.uint8)
graph.tensors = [tensor("x", [1, 1, 3, 1]), tensor("w", [1, 1, 1, 1], 1), tensor("b", [1], 2), tensor("y", [1, 1, 3, 1])]
graph.inputs, graph.outputs, graph.operators = [0], [3], [op]
model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [code], [graph], [tfl.BufferT(), weights, bias]
builder = flatbuffers.Builder()
builder.Finish(model.Pack(builder), b"TFL3")
m = CompiledModel.from_buffer(bytes(builder.Output()))
ins, outs = m.create_input_buffers(0), m.create_output_buffers(0)
ins[0].write(np.float32([1, 1, np.inf])); m.run_by_index(0, ins, outs)
got = outs[0].read(3, np.float32)
print("inputs 1, 1, inf; results", got, "want the same")
sys.exit(int(got[0] != 1))
