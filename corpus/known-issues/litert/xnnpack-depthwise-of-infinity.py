"""XNNPACK float32: a depthwise convolution with a 1x1 kernel of ones makes NaN of an inf.

Exits 1 when the defect is there, 0 otherwise. Needs: pip install ai-edge-litert==2.3.0
"""
import sys
import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as tfl
from ai_edge_litert.interpreter import Interpreter, OpResolverType


def tensor(name, shape, buffer=0):
    t = tfl.TensorT()
    t.name, t.shape, t.buffer = name, shape, buffer
    return t


code, op, graph, model, weights, bias = (
    f() for f in [tfl.OperatorCodeT, tfl.OperatorT, tfl.SubGraphT, tfl.ModelT, tfl.BufferT, tfl.BufferT])
code.deprecatedBuiltinCode = code.builtinCode = tfl.BuiltinOperator.DEPTHWISE_CONV_2D
code.version, op.inputs, op.outputs = 1, [0, 1, 2], [3]
op.builtinOptionsType, op.builtinOptions = tfl.BuiltinOptions.DepthwiseConv2DOptions, tfl.DepthwiseConv2DOptionsT()
o = op.builtinOptions
o.padding, o.strideW, o.strideH, o.depthMultiplier, o.dilationWFactor, o.dilationHFactor = tfl.Padding.VALID, 1, 1, 1, 1, 1
weights.data = np.frombuffer(np.ones(8, np.float32).tobytes(), np.uint8)
bias.data = np.frombuffer(np.zeros(8, np.float32).tobytes(), np.uint8)
graph.tensors = [tensor("x", [1, 1, 1, 8]), tensor("w", [1, 1, 1, 8], 1), tensor("b", [8], 2), tensor("y", [1, 1, 1, 8])]
graph.inputs, graph.outputs, graph.operators = [0], [3], [op]
model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [code], [graph], [tfl.BufferT(), weights, bias]
builder = flatbuffers.Builder()
builder.Finish(model.Pack(builder), b"TFL3")
m = Interpreter(model_content=bytes(builder.Output()), experimental_op_resolver_type=OpResolverType.AUTO)
m.allocate_tensors()
m.set_tensor(0, np.float32([1, 1, 1, 1, 1, np.inf, 1, 1]).reshape(1, 1, 1, 8))
m.invoke()
got = m.get_tensor(3).ravel()
print("inputs 1, ..., inf, 1, 1; results", got, "want the same")
sys.exit(int(np.isnan(got).any()))
