"""A model that lists an output twice: CompiledModel fills one of the two buffers only.

Exits 1 when the defect is there, 0 otherwise. Needs: pip install ai-edge-litert==2.3.0
"""
import sys
import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as tfl
from ai_edge_litert.compiled_model import CompiledModel
from ai_edge_litert.interpreter import Interpreter

code, op, graph, model, *tensors = (f() for f in [tfl.OperatorCodeT, tfl.OperatorT, tfl.SubGraphT, tfl.ModelT] + 3 * [tfl.TensorT])
for name, tensor in zip(["x0", "x1", "y"], tensors):
    tensor.name, tensor.shape = name, [2]
code.deprecatedBuiltinCode = code.builtinCode = tfl.BuiltinOperator.MUL
code.version, op.inputs, op.outputs = 1, [0, 1], [2]
op.builtinOptionsType, op.builtinOptions = tfl.BuiltinOptions.MulOptions, tfl.MulOptionsT()
graph.tensors, graph.inputs, graph.outputs, graph.operators = tensors, [0, 1], [2, 2], [op]
model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [code], [graph], [tfl.BufferT()]
builder = flatbuffers.Builder()
builder.Finish(model.Pack(builder), b"TFL3")
values = [np.float32([2, 3]), np.float32([5, 7])]
interpreter = Interpreter(model_content=bytes(builder.Output()))
interpreter.allocate_tensors()
interpreter.set_tensor(0, values[0]), interpreter.set_tensor(1, values[1])
interpreter.invoke()
print("Interpreter:", *(interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()))
m = CompiledModel.from_buffer(bytes(builder.Output()))
ins, outs = m.create_input_buffers(0), m.create_output_buffers(0)
ins[0].write(values[0]), ins[1].write(values[1])
m.run_by_index(0, ins, outs)
got = [buffer.read(2, np.float32) for buffer in outs]
print("CompiledModel:", *got, "want [10. 21.] twice")
sys.exit(int(not all(np.array_equal(g, [10, 21]) for g in got)))
