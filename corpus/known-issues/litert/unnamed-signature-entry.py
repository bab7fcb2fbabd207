"""A signature whose input has no name makes std::logic_error leave the C interface.

The file is valid for the flatbuffer verifier, so the answer should be a status. The Python binding catches the exception
(RuntimeError: basic_string...); a C or Rust client is ended by SIGABRT in LiteRtGetCompiledModelInputBufferRequirements.
Exits 1 when the exception comes through, 0 otherwise. Needs: pip install ai-edge-litert==2.3.0
"""
import sys
import flatbuffers
from ai_edge_litert import schema_py_generated as tfl
from ai_edge_litert.compiled_model import CompiledModel

code, op, graph, model, x, y = (f() for f in [tfl.OperatorCodeT, tfl.OperatorT, tfl.SubGraphT, tfl.ModelT] + 2 * [tfl.TensorT])
x.name, y.name, x.shape, y.shape = "x", "y", [1, 4], [1, 4]
code.deprecatedBuiltinCode = code.builtinCode = tfl.BuiltinOperator.NEG
code.version, op.inputs, op.outputs = 1, [0], [1]
signature, source, result = tfl.SignatureDefT(), tfl.TensorMapT(), tfl.TensorMapT()
source.tensorIndex, result.name, result.tensorIndex = 0, "y", 1  # source.name stays absent
signature.signatureKey, signature.inputs, signature.outputs = "main", [source], [result]
graph.tensors, graph.inputs, graph.outputs, graph.operators = [x, y], [0], [1], [op]
model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [code], [graph], [tfl.BufferT()]
model.signatureDefs = [signature]
builder = flatbuffers.Builder()
builder.Finish(model.Pack(builder), b"TFL3")
try:
    CompiledModel.from_buffer(bytes(builder.Output())).create_input_buffers(0)
    print("no exception")
except Exception as error:
    print(repr(error))
    sys.exit(int("basic_string" in str(error)))
