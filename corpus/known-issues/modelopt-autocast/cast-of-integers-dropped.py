"""nvidia-modelopt 0.47.0: AutoCast bypasses a Cast of integers whose result is also an output of the graph.

Exits 1 when the defect is there, 0 otherwise. Needs: pip install nvidia-modelopt==0.47.0 onnx onnxruntime
"""
import sys
import tempfile
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from modelopt.onnx.autocast import convert_to_mixed_precision

value = helper.make_tensor_value_info
limit = numpy_helper.from_array(np.array(0.5, np.float32), "limit")
nodes = [
    helper.make_node("Size", ["x"], ["n"], name="size"),
    helper.make_node("Cast", ["n"], ["y"], name="cast", to=TensorProto.FLOAT),
    helper.make_node("Mul", ["y", "limit"], ["z"], name="mul"),
]
outputs = [value("y", TensorProto.FLOAT, []), value("z", TensorProto.FLOAT, [])]
graph = helper.make_graph(nodes, "g", [value("x", TensorProto.FLOAT, [600])], outputs, [limit])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
onnx.checker.check_model(model, full_check=True)
with tempfile.TemporaryDirectory() as folder:
    onnx.save(model, folder + "/m.onnx")
    converted = convert_to_mixed_precision(folder + "/m.onnx", low_precision_type="fp16")
print([f"{n.op_type}({', '.join(n.input)})" for n in converted.graph.node])
try:
    onnx.checker.check_model(converted, full_check=True)
except Exception as error:
    print("AutoCast's model is invalid:", error)
    sys.exit(1)
