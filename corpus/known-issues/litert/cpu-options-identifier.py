"""CpuOptions(kernel_mode=REFERENCE) of a CompiledModel runs the optimized builtin kernels.

LOCAL_RESPONSE_NORMALIZATION tells them apart: the reference kernel of 2.3.0 leaves the last channel out of its window.
Exits 1 when REFERENCE computes as BUILTIN does and not as the reference Interpreter does, 0 otherwise.
Needs: pip install ai-edge-litert==2.3.0
"""
import sys
import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as tfl
from ai_edge_litert.compiled_model import CompiledModel
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from ai_edge_litert.options import CpuKernelMode, CpuOptions, Options

code, op, graph, model, x, y = (f() for f in [tfl.OperatorCodeT, tfl.OperatorT, tfl.SubGraphT, tfl.ModelT] + 2 * [tfl.TensorT])
x.name, y.name, x.shape, y.shape = "x", "y", [1, 1, 1, 4], [1, 1, 1, 4]
code.deprecatedBuiltinCode = code.builtinCode = tfl.BuiltinOperator.LOCAL_RESPONSE_NORMALIZATION
code.version, op.inputs, op.outputs = 1, [0], [1]
op.builtinOptionsType = tfl.BuiltinOptions.LocalResponseNormalizationOptions
op.builtinOptions = o = tfl.LocalResponseNormalizationOptionsT()
o.radius, o.bias, o.alpha, o.beta = 1, 1.0, 1.0, 1.0
graph.tensors, graph.inputs, graph.outputs, graph.operators = [x, y], [0], [1], [op]
model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [code], [graph], [tfl.BufferT()]
builder = flatbuffers.Builder()
builder.Finish(model.Pack(builder), b"TFL3")
data = bytes(builder.Output())

def compiled(mode):
    m = CompiledModel.from_buffer(data, options=Options(cpu_options=CpuOptions(kernel_mode=mode)))
    inputs, outputs = m.create_input_buffers(0), m.create_output_buffers(0)
    inputs[0].write(np.array([1, 2, 3, 4], np.float32)); m.run_by_index(0, inputs, outputs)
    return outputs[0].read(4, np.float32)

run = Interpreter(model_content=data, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
run.allocate_tensors(); run.set_tensor(0, np.float32([[[[1, 2, 3, 4]]]])); run.invoke()
builtin, reference, interpreter = compiled(CpuKernelMode.BUILTIN), compiled(CpuKernelMode.REFERENCE), run.get_tensor(1).ravel()
print(f"builtin {builtin}\nreference {reference}\nreference Interpreter {interpreter}")
sys.exit(int((reference == builtin).all() and not np.allclose(reference, interpreter)))
