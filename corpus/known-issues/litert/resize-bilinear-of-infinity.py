"""RESIZE_BILINEAR: an inf in a tensor of one row becomes NaN; builtin kernels multiply it by the weight 0 of a second row.

Exits 1 when the defect is there, 0 otherwise. Needs: pip install ai-edge-litert==2.3.0
"""
import sys
import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as tfl
from ai_edge_litert.interpreter import Interpreter, OpResolverType


def tensor(name, shape, kind=tfl.TensorType.FLOAT32, buffer=0):
    t = tfl.TensorT()
    t.name, t.shape, t.type, t.buffer = name, shape, kind, buffer
    return t


code, op, graph, model, size = (f() for f in [tfl.OperatorCodeT, tfl.OperatorT, tfl.SubGraphT, tfl.ModelT, tfl.BufferT])
code.deprecatedBuiltinCode = code.builtinCode = tfl.BuiltinOperator.RESIZE_BILINEAR
code.version, op.inputs, op.outputs = 3, [0, 1], [2]
op.builtinOptionsType, op.builtinOptions = tfl.BuiltinOptions.ResizeBilinearOptions, tfl.ResizeBilinearOptionsT()
op.builtinOptions.halfPixelCenters = True
size.data = np.frombuffer(np.int32([1, 6]).tobytes(), np.uint8)
graph.tensors = [tensor("x", [1, 1, 2, 1]), tensor("size", [2], tfl.TensorType.INT32, 1), tensor("y", [1, 1, 6, 1])]
graph.inputs, graph.outputs, graph.operators = [0], [2], [op]
model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [code], [graph], [tfl.BufferT(), size]
builder = flatbuffers.Builder()
builder.Finish(model.Pack(builder), b"TFL3")
runner = Interpreter(model_content=bytes(builder.Output()), experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
runner.allocate_tensors()
runner.set_tensor(0, np.float32([1, np.inf]).reshape(1, 1, 2, 1))
runner.invoke()
got = runner.get_tensor(2).ravel()
print("inputs 1, inf; results", got, "want inf from the third on")
sys.exit(int(np.isnan(got).any()))
