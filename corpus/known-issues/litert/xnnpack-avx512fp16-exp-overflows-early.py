"""XNNPACK on a processor with AVX512-FP16 (Sapphire Rapids and later): EXP is infinite from 10.75 on.

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

got = run("EXP", [10.7, 10.75, 11, 11.08])
print("exp of 10.7, 10.75, 11, 11.08:", got, "want 44384, 46624, 59872, 64800")
sys.exit(int(np.isinf(got).any()))
