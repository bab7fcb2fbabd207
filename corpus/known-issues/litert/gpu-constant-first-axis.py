"""WebGPU: a constant of rank 1 to 3 is read at the first index of its first axis only.

The first axis of an activation becomes the batch; a constant has none there. A product with the constant [5, 7] multiplies
both elements by 5.
Exits 1 when the defect is there, 0 otherwise. Needs: pip install ai-edge-litert==2.3.0, and a Vulkan driver (without
a GPU: the lavapipe of Mesa 25, named in VK_DRIVER_FILES).
"""
import sys
import flatbuffers, numpy as np
from ai_edge_litert import compiled_model as cm, schema_py_generated as tfl

def run(builtin, options, constants, x, shape, gpu):
    code, op, graph, model = tfl.OperatorCodeT(), tfl.OperatorT(), tfl.SubGraphT(), tfl.ModelT()
    code.deprecatedBuiltinCode = code.builtinCode = getattr(tfl.BuiltinOperator, builtin)
    code.version, op.inputs, op.outputs = 1, list(range(1 + len(constants))), [1 + len(constants)]
    op.builtinOptionsType = getattr(tfl.BuiltinOptions, type(options).__name__[:-1])
    op.builtinOptions, model.buffers = options, [tfl.BufferT() for _ in range(len(constants) + 1)]
    for i, s in enumerate([x.shape, *(c.shape for c in constants), shape]):
        t = tfl.TensorT()
        t.name, t.shape, t.type, t.buffer = f"t{i}", list(s), tfl.TensorType.FLOAT32, i if 0 < i <= len(constants) else 0
        if t.buffer:
            model.buffers[i].data = np.frombuffer(constants[i - 1].tobytes(), np.uint8)
        graph.tensors = (graph.tensors or []) + [t]
    graph.inputs, graph.outputs, graph.operators = [0], op.outputs, [op]
    model.version, model.operatorCodes, model.subgraphs = 3, [code], [graph]
    b = flatbuffers.Builder(); b.Finish(model.Pack(b), b"TFL3")
    hardware = cm.HardwareAccelerator
    options = cm.Options(hardware.GPU if gpu else hardware.CPU, gpu_options=cm.GpuOptions(enforce_f32=True))
    m = cm.CompiledModel.from_buffer(bytes(b.Output()), options=options)
    ins, outs = m.create_input_buffers(0), m.create_output_buffers(0)
    ins[0].write(x), m.run_by_index(0, ins, outs)
    return outs[0].read(int(np.prod(shape)), np.float32)

options, x = tfl.MulOptionsT(), np.float32([[3], [4]])
for constant in [[[5], [7]], [[5, 6], [7, 8]]]:
    c = np.float32(constant)
    cpu, gpu = (run("MUL", options, [c], x, c.shape, gpu) for gpu in (False, True))
    print(constant, "CPU:", cpu, "GPU:", gpu, "want", (x * c).ravel())
sys.exit(int(not np.allclose(gpu, (x * c).ravel())))
