"""The reference LOGISTIC is exp(x) below -9, 2,029 units in the last place off.

Exits 1 when the defect is there, 0 otherwise. Needs: pip install ai-edge-litert==2.3.0
"""
import sys
import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as tfl
from ai_edge_litert.interpreter import Interpreter, OpResolverType

inputs = np.float32([-9.015625])
code, op, graph, model, x, y = (f() for f in [tfl.OperatorCodeT, tfl.OperatorT, tfl.SubGraphT, tfl.ModelT] + 2 * [tfl.TensorT])
x.name, y.name = "x", "y"
x.shape = y.shape = [len(inputs)]
code.deprecatedBuiltinCode, code.builtinCode = min(tfl.BuiltinOperator.LOGISTIC, 127), tfl.BuiltinOperator.LOGISTIC
code.version, op.inputs, op.outputs = 1, [0], [1]
graph.tensors, graph.inputs, graph.outputs, graph.operators = [x, y], [0], [1], [op]
model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [code], [graph], [tfl.BufferT()]
builder = flatbuffers.Builder()
builder.Finish(model.Pack(builder), b"TFL3")
run = Interpreter(model_content=bytes(builder.Output()), experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
run.allocate_tensors(); run.set_tensor(0, inputs); run.invoke()
got = run.get_tensor(1)
print("inputs", inputs, "results", got, "want 1.2148175e-04")
sys.exit(int(abs(got[0] - 1.214817528e-4) > 1e-9))
