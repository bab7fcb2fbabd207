"""XNNPACK on a processor with AVX512-FP16 (Sapphire Rapids and later): LOG of a subnormal or a large number is the logarithm of another one.

Exits 1 when the defect is there, 0 otherwise (always 0 on processors without AVX512-FP16).
Needs: pip install ai-edge-litert==2.3.0
"""
import sys
import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as tfl
from ai_edge_litert.interpreter import Interpreter

def run(name, inputs):
    code, op, graph, model, x, y = (f() for f in [tfl.OperatorCodeT, tfl.OperatorT, tfl.SubGraphT, tfl.ModelT] + 2 * [tfl.TensorT])
    x.name, y.name = "x", "y"
    x.shape = y.shape = [len(inputs)]
    x.type = y.type = tfl.TensorType.FLOAT16
    code.builtinCode = getattr(tfl.BuiltinOperator, name)
    code.deprecatedBuiltinCode, code.version, op.inputs, op.outputs = min(code.builtinCode, 127), 1, [0], [1]
    graph.tensors, graph.inputs, graph.outputs, graph.operators = [x, y], [0], [1], [op]
    model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [code], [graph], [tfl.BufferT()]
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    m = Interpreter(model_content=bytes(builder.Output()))
    m.allocate_tensors()
    m.set_tensor(0, np.float16(inputs))
    m.invoke()
    return m.get_tensor(1)

inputs = np.float16([2**-24, 2**-20, 2**-16, 50000, 65504])
got, want = run("LOG", inputs), np.log(inputs.astype(float))
print("log of", inputs, ":", got, "want", want.astype(np.float16))
sys.exit(int(not np.allclose(got.astype(float), want, atol=0.02)))
