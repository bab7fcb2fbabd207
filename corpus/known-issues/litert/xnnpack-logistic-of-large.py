"""XNNPACK: LOGISTIC of a large negative number is NaN on processors with AVX-512.

Exits 1 when the defect is there, 0 otherwise. Needs: pip install ai-edge-litert==2.3.0
"""
import sys
import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as tfl
from ai_edge_litert.compiled_model import CompiledModel

inputs = np.float32([-7e29, -200])
code, op, graph, model, x, y = (f() for f in [tfl.OperatorCodeT, tfl.OperatorT, tfl.SubGraphT, tfl.ModelT] + 2 * [tfl.TensorT])
x.name, y.name = "x", "y"
x.shape = y.shape = [len(inputs)]
code.deprecatedBuiltinCode, code.builtinCode = min(tfl.BuiltinOperator.LOGISTIC, 127), tfl.BuiltinOperator.LOGISTIC
code.version, op.inputs, op.outputs = 1, [0], [1]
graph.tensors, graph.inputs, graph.outputs, graph.operators = [x, y], [0], [1], [op]
model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [code], [graph], [tfl.BufferT()]
builder = flatbuffers.Builder()
builder.Finish(model.Pack(builder), b"TFL3")
m = CompiledModel.from_buffer(bytes(builder.Output()))
ins, outs = m.create_input_buffers(0), m.create_output_buffers(0)
ins[0].write(inputs); m.run_by_index(0, ins, outs)
got = outs[0].read(len(inputs), np.float32)
print("inputs", inputs, "results", got, "want zeros")
sys.exit(int(np.isnan(got[0])))
