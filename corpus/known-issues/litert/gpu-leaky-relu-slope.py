"""WebGPU: LEAKY_RELU with a slope below 0 or above 1 is another function.

Exits 1 when the defect is there, 0 otherwise. Needs: pip install ai-edge-litert==2.3.0, and a Vulkan driver (without
a GPU: the lavapipe of Mesa 25, named in VK_DRIVER_FILES).
"""
import sys
import flatbuffers
import numpy as np
from ai_edge_litert import compiled_model as cm, schema_py_generated as tfl

def run(builtin, options, x, gpu):
    code, op, graph, model = tfl.OperatorCodeT(), tfl.OperatorT(), tfl.SubGraphT(), tfl.ModelT()
    code.deprecatedBuiltinCode = code.builtinCode = getattr(tfl.BuiltinOperator, builtin)
    code.version, op.inputs, op.outputs = 1, [0], [1]
    op.builtinOptionsType = getattr(tfl.BuiltinOptions, type(options).__name__[:-1])
    op.builtinOptions, model.buffers, graph.tensors = options, [tfl.BufferT()], [tfl.TensorT(), tfl.TensorT()]
    for name, t in zip("xy", graph.tensors):
        t.name, t.shape, t.type = name, list(x.shape), tfl.TensorType.FLOAT32
    graph.inputs, graph.outputs, graph.operators = [0], op.outputs, [op]
    model.version, model.operatorCodes, model.subgraphs = 3, [code], [graph]
    b = flatbuffers.Builder()
    b.Finish(model.Pack(b), b"TFL3")
    gpu_only = cm.Options(cm.HardwareAccelerator.GPU, gpu_options=cm.GpuOptions(enforce_f32=True))
    m = cm.CompiledModel.from_buffer(bytes(b.Output()), options=gpu_only if gpu else cm.Options())
    ins, outs = m.create_input_buffers(0), m.create_output_buffers(0)
    ins[0].write(x)
    m.run_by_index(0, ins, outs)
    return outs[0].read(x.size, np.float32)

options, x, wrong = tfl.LeakyReluOptionsT(), np.float32([[-2, 3]]), False
for slope in (-0.5, 0.5, 2.0):
    options.alpha = slope
    cpu, gpu = (run("LEAKY_RELU", options, x, gpu) for gpu in (False, True))
    want = np.where(x < 0, slope * x, x).ravel()
    print("slope", slope, "CPU:", cpu, "GPU:", gpu, "want", want)
    wrong |= not np.allclose(gpu, want)
sys.exit(int(wrong))
