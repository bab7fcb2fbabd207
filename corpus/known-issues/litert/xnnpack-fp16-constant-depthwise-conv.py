"""XNNPACK with float16 forced (flag 4) does not prepare a float32 DEPTHWISE_CONV_2D of a constant, nor fall back.

Exits 1 when the model is refused with flag 4 although it runs with flag 0, and 0 otherwise.
Needs: pip install ai-edge-litert==2.3.0
"""
import sys
import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as tfl
from ai_edge_litert.compiled_model import CompiledModel
from ai_edge_litert.options import CpuOptions, Options

codes = [tfl.OperatorCodeT(), tfl.OperatorCodeT()]
for code, builtin in zip(codes, [tfl.BuiltinOperator.DEPTHWISE_CONV_2D, tfl.BuiltinOperator.ADD]):
    code.deprecatedBuiltinCode, code.builtinCode, code.version = builtin, builtin, 1
tensors, buffers = [tfl.TensorT() for _ in range(6)], [tfl.BufferT()]
for i, (t, shape) in enumerate(zip(tensors, [[1, 4, 4, 3], [1, 4, 4, 3], [1, 1, 1, 3], [3], [1, 4, 4, 3], [1, 4, 4, 3]])):
    t.name, t.shape = f"t{i}", shape
    if i in (1, 2, 3):
        t.buffer, buffers = len(buffers), [*buffers, tfl.BufferT()]
        buffers[-1].data = np.ones(shape, np.float32).view(np.uint8).ravel()
conv, add, graph, model, builder = tfl.OperatorT(), tfl.OperatorT(), tfl.SubGraphT(), tfl.ModelT(), flatbuffers.Builder()
conv.inputs, conv.outputs = [1, 2, 3], [4]
conv.builtinOptionsType, conv.builtinOptions = tfl.BuiltinOptions.DepthwiseConv2DOptions, tfl.DepthwiseConv2DOptionsT()
options = conv.builtinOptions
options.padding, options.depthMultiplier, options.strideW, options.strideH = tfl.Padding.VALID, 1, 1, 1
add.opcodeIndex, add.inputs, add.outputs = 1, [0, 4], [5]
graph.tensors, graph.inputs, graph.outputs, graph.operators = tensors, [0], [5], [conv, add]
model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, codes, [graph], buffers
builder.Finish(model.Pack(builder), b"TFL3")
def run(flags):
    m = CompiledModel.from_buffer(bytes(builder.Output()), options=Options(cpu_options=CpuOptions(xnnpack_flags=flags)))
    inputs, outputs = m.create_input_buffers(0), m.create_output_buffers(0)
    inputs[0].write(np.ones(48, np.float32)); m.run_by_index(0, inputs, outputs)
    return outputs[0].read(3, np.float32)
print("flag 0:", run(0))
try:
    print("flag 4:", run(4))
except Exception as error:
    print("flag 4:", error); sys.exit(1)
