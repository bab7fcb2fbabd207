"""XNNPACK: BATCH_MATMUL of a TRANSPOSE by itself multiplies something else, in float32 too.

Exits 1 when the defect is there, 0 otherwise. Needs: pip install ai-edge-litert==2.3.0
The model is written here: t = TRANSPOSE(x, [1, 0, 2]), y = BATCH_MATMUL(t, t).
"""
import sys
import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as tfl
from ai_edge_litert.interpreter import Interpreter, OpResolverType

def make(kind, **fields):
    table = kind()
    for name, value in fields.items():
        setattr(table, name, value)
    return table

perm = make(tfl.BufferT, data=np.frombuffer(np.int32([1, 0, 2]).tobytes(), np.uint8))
tensors = [make(tfl.TensorT, name=n.encode(), shape=s, type=t, buffer=b) for n, s, t, b in [
    ("x", [2, 2, 2], 0, 0), ("perm", [3], tfl.TensorType.INT32, 1), ("t", [2, 2, 2], 0, 0), ("y", [2, 2, 2], 0, 0)]]
operators = [
    make(tfl.OperatorT, opcodeIndex=0, inputs=[0, 1], outputs=[2]),
    make(tfl.OperatorT, opcodeIndex=1, inputs=[2, 2], outputs=[3],
         builtinOptionsType=tfl.BuiltinOptions.BatchMatMulOptions, builtinOptions=tfl.BatchMatMulOptionsT())]
codes = [make(tfl.OperatorCodeT, deprecatedBuiltinCode=c, builtinCode=c, version=1) for c in (39, 126)]
graph = make(tfl.SubGraphT, tensors=tensors, inputs=[0], outputs=[3], operators=operators)
builder = flatbuffers.Builder()
builder.Finish(make(tfl.ModelT, version=3, operatorCodes=codes, subgraphs=[graph], buffers=[make(tfl.BufferT), perm]).Pack(builder), b"TFL3")
x = np.arange(8, dtype=np.float32).reshape(2, 2, 2)
m = Interpreter(model_content=bytes(builder.Output()), experimental_op_resolver_type=OpResolverType.BUILTIN)
m.allocate_tensors()
m.set_tensor(0, x)
m.invoke()
t = x.transpose(1, 0, 2)
print("got     ", m.get_tensor(3).ravel(), "\nexpected", (t @ t).ravel())
sys.exit(int(not np.array_equal(m.get_tensor(3), t @ t)))
