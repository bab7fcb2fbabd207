"""XNNPACK in float16: a SUM whose result is multiplied or divided by a scalar constant is 0, or whatever is in memory.

Exits 1 when the defect is there, 0 otherwise. Needs: pip install ai-edge-litert==2.3.0
The model is written here: SUM over all of a float16 vector, then MUL by the constant 0.5.
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

half, empty = tfl.TensorType.FLOAT16, make(tfl.BufferT)
axis = make(tfl.BufferT, data=np.frombuffer(np.int32([0]).tobytes(), np.uint8))
factor = make(tfl.BufferT, data=np.frombuffer(np.float16([0.5]).tobytes(), np.uint8))
tensors = [make(tfl.TensorT, name=n.encode(), shape=s, type=t, buffer=b) for n, s, t, b in [
    ("x", [4], half, 0), ("axis", [1], tfl.TensorType.INT32, 1), ("sum", [1], half, 0),
    ("factor", [1], half, 2), ("y", [1], half, 0)]]
operators = [
    make(tfl.OperatorT, opcodeIndex=0, inputs=[0, 1], outputs=[2], builtinOptionsType=tfl.BuiltinOptions.ReducerOptions,
         builtinOptions=make(tfl.ReducerOptionsT, keepDims=True)),
    make(tfl.OperatorT, opcodeIndex=1, inputs=[2, 3], outputs=[4], builtinOptionsType=tfl.BuiltinOptions.MulOptions,
         builtinOptions=make(tfl.MulOptionsT))]
codes = [make(tfl.OperatorCodeT, deprecatedBuiltinCode=c, builtinCode=c, version=1) for c in (74, 18)]
graph = make(tfl.SubGraphT, tensors=tensors, inputs=[0], outputs=[4], operators=operators)
builder = flatbuffers.Builder()
builder.Finish(make(tfl.ModelT, version=3, operatorCodes=codes, subgraphs=[graph], buffers=[empty, axis, factor]).Pack(builder), b"TFL3")
m = Interpreter(model_content=bytes(builder.Output()), experimental_op_resolver_type=OpResolverType.BUILTIN)
m.allocate_tensors()
m.set_tensor(0, np.float16([1, 2, 3, 4]))
m.invoke()
print("(1 + 2 + 3 + 4) * 0.5 =", m.get_tensor(4)[0], "expected 5.0")
sys.exit(int(m.get_tensor(4)[0] != 5))
