"""LOCAL_RESPONSE_NORMALIZATION: the builtin kernel forgets small channels behind a large one.

It slides its window by adding the square that enters and subtracting the one that leaves: behind 65504 the sum has lost what
was smaller than 256, though the large element has long left the window.
Exits 1 when the defect is there, 0 when it is not. Needs: pip install ai-edge-litert==2.3.0
"""
import sys
import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as tfl
from ai_edge_litert.interpreter import Interpreter, OpResolverType as R

def tensor(name):
    t = tfl.TensorT()
    t.name, t.shape, t.type = name, [1, 1, 1, 7], tfl.TensorType.FLOAT32
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

x = np.array([1, 65504, 9, 1, 1, 1, 1], np.float32)
squares = np.pad(x.astype(np.float64) ** 2, 1)
want = x / (1 + squares[:-2] + squares[1:-1] + squares[2:])
run = Interpreter(model_content=bytes(builder.Output()), experimental_op_resolver_type=R.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
run.allocate_tensors(); run.set_tensor(0, x.reshape(1, 1, 1, 7)); run.invoke()
got = run.get_tensor(1).ravel()
print("kernel:", got, "exact:", want)
sys.exit(int(not np.allclose(got[3:], want[3:], rtol=1e-3)))
