"""WebGPU accelerator: POW of a negative number by a tensor is NaN, and of 0 by 0 is 0 on the GPU.

Exits 1 when the defect is there, 0 otherwise. Needs: pip install ai-edge-litert==2.3.0, and a Vulkan driver (lavapipe).
"""
import sys
import flatbuffers, numpy as np
from ai_edge_litert import compiled_model as cm, schema_py_generated as tfl

def run(ops, values, inputs, outputs, hardware):
    graph, model, made = tfl.SubGraphT(), tfl.ModelT(), [r for op in ops for r in op[3]]
    graph.tensors, graph.operators, model.operatorCodes = [], [], []
    model.buffers = [tfl.BufferT() for _ in range(len(values) + 1)]
    for i, x in enumerate(values):
        t = tfl.TensorT()
        t.name, t.shape, t.type = f"t{i}", list(x.shape), {"f4": 0, "f2": 1, "i4": 2, "b1": 6}[x.dtype.str[1:]]
        if i not in [*inputs, *made]:
            t.buffer, model.buffers[i + 1].data = i + 1, np.frombuffer(x.tobytes(), np.uint8)
        graph.tensors.append(t)
    for builtin, options, operands, results in ops:
        code, op = tfl.OperatorCodeT(), tfl.OperatorT()
        code.builtinCode, code.version = getattr(tfl.BuiltinOperator, builtin), 1
        code.deprecatedBuiltinCode, op.opcodeIndex = min(127, code.builtinCode), len(model.operatorCodes)
        op.inputs, op.outputs, op.builtinOptions = operands, results, options
        op.builtinOptionsType = getattr(tfl.BuiltinOptions, type(options).__name__[:-1])
        graph.operators.append(op), model.operatorCodes.append(code)
    graph.inputs, graph.outputs, model.version, model.subgraphs = inputs, outputs, 3, [graph]
    b = flatbuffers.Builder(); b.Finish(model.Pack(b), b"TFL3")
    options = cm.Options(getattr(cm.HardwareAccelerator, hardware), gpu_options=cm.GpuOptions(enforce_f32=True))
    m = cm.CompiledModel.from_buffer(bytes(b.Output()), options=options)
    ins, outs = m.create_input_buffers(0), m.create_output_buffers(0)
    [buffer.write(values[i]) for buffer, i in zip(ins, inputs)], m.run_by_index(0, ins, outs)
    return outs[0].read(values[outputs[0]].size, values[outputs[0]].dtype.type)

options, x, y = tfl.PowOptionsT(), np.float32([[-2, 0, 2]]), np.float32([[3, 0, 3]])
values = [x, y, np.zeros((1, 3), np.float32)]
cpu, gpu = (run([("POW", options, [0, 1], [2])], values, [0, 1], [2], h) for h in ("CPU", "GPU"))
print("CPU:", cpu, "GPU:", gpu, "want [-8 1 8]")
sys.exit(int(not np.allclose(gpu, [-8, 1, 8])))
