"""WebGPU accelerator: BATCH_MATMUL whose second operand has fewer batches is zeros beyond the first on the GPU.

Exits 1 when the defect is there, 0 otherwise. Needs: pip install ai-edge-litert==2.3.0, and a Vulkan driver (lavapipe).
"""
import sys
import flatbuffers, numpy as np
from ai_edge_litert import compiled_model as cm, schema_py_generated as tfl

def run(builtin, options, inputs, constants, operands, shape, gpu):
    code, op, graph, model = tfl.OperatorCodeT(), tfl.OperatorT(), tfl.SubGraphT(), tfl.ModelT()
    code.builtinCode, code.version = getattr(tfl.BuiltinOperator, builtin), 1
    code.deprecatedBuiltinCode = min(127, code.builtinCode)
    graph.tensors, model.buffers = [], [tfl.BufferT()]
    for i, x in enumerate([*inputs, *constants, np.zeros(shape, np.float32)]):
        t = tfl.TensorT()
        t.name, t.shape, t.type = f"t{i}", list(x.shape), 2 if x.dtype == np.int32 else 0
        if len(inputs) <= i < len(inputs) + len(constants):
            t.buffer = len(model.buffers)
            model.buffers.append(tfl.BufferT())
            model.buffers[-1].data = np.frombuffer(x.tobytes(), np.uint8)
        graph.tensors.append(t)
    op.inputs, op.outputs = operands, [len(graph.tensors) - 1]
    op.builtinOptionsType = getattr(tfl.BuiltinOptions, type(options).__name__[:-1])
    op.builtinOptions, graph.inputs, graph.outputs = options, list(range(len(inputs))), op.outputs
    graph.operators, model.version, model.operatorCodes, model.subgraphs = [op], 3, [code], [graph]
    b = flatbuffers.Builder(); b.Finish(model.Pack(b), b"TFL3")
    hardware = cm.HardwareAccelerator.GPU if gpu else cm.HardwareAccelerator.CPU
    options = cm.Options(hardware, gpu_options=cm.GpuOptions(enforce_f32=True))
    m = cm.CompiledModel.from_buffer(bytes(b.Output()), options=options)
    ins, outs = m.create_input_buffers(0), m.create_output_buffers(0)
    [buffer.write(x) for buffer, x in zip(ins, inputs)], m.run_by_index(0, ins, outs)
    return outs[0].read(int(np.prod(shape)), np.float32)

options, x, y = tfl.BatchMatMulOptionsT(), np.float32([[[1, 2]], [[3, 4]]]), np.float32([[[3], [5]]])
cpu, gpu = (run("BATCH_MATMUL", options, [x, y], [], [0, 1], (2, 1, 1), g) for g in (False, True))
print("CPU:", cpu, "GPU:", gpu, "want", (x @ y).ravel())
sys.exit(int(not np.array_equal(gpu, (x @ y).ravel())))
