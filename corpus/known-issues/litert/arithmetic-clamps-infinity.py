"""Builtin and reference kernels: a SUB that overflows gives the largest finite float32, and so do ADD, MUL and DIV.

Exits 1 when the defect is there, 0 otherwise. Needs: pip install ai-edge-litert==2.3.0
"""
import sys
import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as tfl
from ai_edge_litert.interpreter import Interpreter, OpResolverType

inputs = [np.float32([3e38, -np.inf]), np.float32([-3e38, 1])]
code, op, graph, model = tfl.OperatorCodeT(), tfl.OperatorT(), tfl.SubGraphT(), tfl.ModelT()
tensors = [tfl.TensorT() for _ in range(len(inputs) + 1)]
for i, t in enumerate(tensors):
    t.name, t.shape = f"t{i}", [len(inputs[0])]
code.deprecatedBuiltinCode, code.builtinCode = min(tfl.BuiltinOperator.SUB, 127), tfl.BuiltinOperator.SUB
code.version, op.inputs, op.outputs = 1, list(range(len(inputs))), [len(inputs)]
graph.tensors, graph.inputs, graph.outputs, graph.operators = tensors, op.inputs, op.outputs, [op]
model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [code], [graph], [tfl.BufferT()]
builder = flatbuffers.Builder()
builder.Finish(model.Pack(builder), b"TFL3")
m = Interpreter(model_content=bytes(builder.Output()), experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
m.allocate_tensors()
for i, x in enumerate(inputs):
    m.set_tensor(m.get_input_details()[i]["index"], x)
m.invoke()
got = m.get_tensor(m.get_output_details()[0]["index"])
print("inputs", *inputs, "results", got, "want inf, -inf")
sys.exit(int(np.isfinite(got).any()))
