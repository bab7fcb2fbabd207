"""Under XNNPACK an output that is DEQUANTIZE of a float16 constant is never written.

Exits 1 when the output differs from the constant, 0 otherwise. Needs: pip install ai-edge-litert==2.3.0
"""
import sys
import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as tfl
from ai_edge_litert.compiled_model import CompiledModel

def tensor(name, kind, buffer=0):
    t = tfl.TensorT()
    t.name, t.shape, t.type, t.buffer = name, [4], kind, buffer
    return t

def operator(index, inputs, outputs):
    op = tfl.OperatorT()
    op.opcodeIndex, op.inputs, op.outputs = index, inputs, outputs
    return op

codes = [tfl.OperatorCodeT(), tfl.OperatorCodeT()]
for code, number in zip(codes, [tfl.BuiltinOperator.DEQUANTIZE, tfl.BuiltinOperator.ADD]):
    code.deprecatedBuiltinCode, code.builtinCode, code.version = number, number, 1
graph, model, empty, data = tfl.SubGraphT(), tfl.ModelT(), tfl.BufferT(), tfl.BufferT()
data.data = np.float16([1, 2, 3, 4]).view(np.uint8)
F16, F32 = tfl.TensorType.FLOAT16, tfl.TensorType.FLOAT32
graph.tensors = [tensor("x", F32), tensor("half", F16, 1), tensor("constant", F32), tensor("sum", F32)]
graph.inputs, graph.outputs = [0], [3, 2]
graph.operators = [operator(0, [1], [2]), operator(1, [0, 2], [3])]
model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, codes, [graph], [empty, data]
builder = flatbuffers.Builder()
builder.Finish(model.Pack(builder), b"TFL3")
m = CompiledModel.from_buffer(bytes(builder.Output()))
inputs, outputs = m.create_input_buffers(0), m.create_output_buffers(0)
inputs[0].write(np.zeros(4, np.float32)); outputs[1].write(np.full(4, -7, np.float32)); m.run_by_index(0, inputs, outputs)
print("sum", outputs[0].read(4, np.float32), "constant", got := outputs[1].read(4, np.float32))
sys.exit(not (got == [1, 2, 3, 4]).all())
