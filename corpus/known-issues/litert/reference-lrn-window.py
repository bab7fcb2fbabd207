"""LOCAL_RESPONSE_NORMALIZATION: the reference kernel leaves the last channel out of its window.

With radius r, output[c] = input[c] / (bias + alpha * sum(input[c-r .. c+r] ** 2)) ** beta. BUILTIN_REF sums up to c+r-1.
Exits 1 when the defect is there, 0 when it is not. Needs: pip install ai-edge-litert==2.3.0
"""
import sys
import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as tfl
from ai_edge_litert.interpreter import Interpreter, OpResolverType as R

def tensor(name):
    t = tfl.TensorT()
    t.name, t.shape, t.type = name, [1, 1, 1, 4], tfl.TensorType.FLOAT32
    return t

code, op, graph, model = tfl.OperatorCodeT(), tfl.OperatorT(), tfl.SubGraphT(), tfl.ModelT()
code.deprecatedBuiltinCode = code.builtinCode = tfl.BuiltinOperator.LOCAL_RESPONSE_NORMALIZATION
code.version = 1
op.inputs, op.outputs = [0], [1]
op.builtinOptionsType = tfl.BuiltinOptions.LocalResponseNormalizationOptions
op.builtinOptions = tfl.LocalResponseNormalizationOptionsT()
op.builtinOptions.radius, op.builtinOptions.bias, op.builtinOptions.alpha, op.builtinOptions.beta = 1, 1.0, 1.0, 1.0
graph.tensors, graph.inputs, graph.outputs, graph.operators = [tensor("x"), tensor("y")], [0], [1], [op]
model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [code], [graph], [tfl.BufferT()]
builder = flatbuffers.Builder()
builder.Finish(model.Pack(builder), b"TFL3")

x = np.array([1, 2, 3, 4], np.float32)
squares = np.pad(x * x, 1)
want = x / (1 + squares[:-2] + squares[1:-1] + squares[2:])
for name in "BUILTIN_WITHOUT_DEFAULT_DELEGATES", "BUILTIN_REF":
    run = Interpreter(model_content=bytes(builder.Output()), experimental_op_resolver_type=R[name])
    run.allocate_tensors(); run.set_tensor(0, x.reshape(1, 1, 1, 4)); run.invoke()
    got = run.get_tensor(1).ravel()
    print(f"{name}: {got}, largest error {abs(got - want).max():.3g}, want {want}")
sys.exit(int(abs(got - want).max() > 1e-3))
