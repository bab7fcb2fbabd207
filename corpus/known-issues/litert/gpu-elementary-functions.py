"""WebGPU accelerator: EXP, LOGISTIC, ELU and TANH lose digits that the CPU kernels keep.

EXP and what is made of it multiply by log2(e) in the precision of the run; ELU and TANH of small numbers cancel.
Exits 1 when the defect is there, 0 otherwise. Needs: pip install ai-edge-litert==2.3.0, and a Vulkan driver (lavapipe).
"""
import sys
import flatbuffers, numpy as np
from ai_edge_litert import compiled_model as cm, schema_py_generated as tfl

def run(builtin, x, float32):
    code, op, graph, model = tfl.OperatorCodeT(), tfl.OperatorT(), tfl.SubGraphT(), tfl.ModelT()
    code.builtinCode, code.version = getattr(tfl.BuiltinOperator, builtin), 1
    code.deprecatedBuiltinCode, model.buffers = code.builtinCode, [tfl.BufferT()]
    graph.tensors = [tfl.TensorT(), tfl.TensorT()]
    for name, t in zip("xy", graph.tensors):
        t.name, t.shape, t.type = name, list(x.shape), tfl.TensorType.FLOAT32
    op.inputs, op.outputs = [0], [1]
    graph.inputs, graph.outputs = [0], [1]
    graph.operators, model.version, model.operatorCodes, model.subgraphs = [op], 3, [code], [graph]
    b = flatbuffers.Builder(); b.Finish(model.Pack(b), b"TFL3")
    options = cm.Options(cm.HardwareAccelerator.GPU, gpu_options=cm.GpuOptions(enforce_f32=float32))
    m = cm.CompiledModel.from_buffer(bytes(b.Output()), options=options)
    ins, outs = m.create_input_buffers(0), m.create_output_buffers(0)
    ins[0].write(x), m.run_by_index(0, ins, outs)
    return outs[0].read(x.size, np.float32)

worst = 0
for name, at, exact in [("EXP", 10.375, np.exp), ("LOGISTIC", -8.34375, lambda x: 1 / (1 + np.exp(-x))),
                        ("ELU", -1.220703125e-4, np.expm1), ("TANH", -5.960464477539063e-8, np.tanh)]:
    got = [float(run(name, np.float32([[at]]), f)[0]) for f in (True, False)]
    print(f"{name}({at}): float32 {got[0]:.8g}, float16 {got[1]:.8g}, exact {exact(at):.8g}")
    worst = max(worst, abs(got[1] / exact(at) - 1))
sys.exit(int(worst > 3e-3))
