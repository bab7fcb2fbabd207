"""onnx2tf 2.6.9 (flatbuffer_direct): ScatterElements gives a file in which an operator writes a constant.

Exits 1 when the defect is there, 0 otherwise. Needs: pip install onnx2tf==2.6.9, in Python 3.12
"""
import sys, tempfile
import onnx, onnx2tf
from ai_edge_litert import schema_py_generated as schema
from onnx import helper

info = lambda name, kind, shape: helper.make_tensor_value_info(name, kind, shape)
indices = helper.make_tensor("i", onnx.TensorProto.INT64, [1, 3], [0, 0, 0])
updates = helper.make_tensor("u", onnx.TensorProto.FLOAT, [1, 3], [3, 1, -2])
node = helper.make_node("ScatterElements", ["x", "i", "u"], ["y"])
x, y = (info(name, onnx.TensorProto.FLOAT, [1, 5]) for name in "xy")
graph = helper.make_graph([node], "g", [x], [y], [indices, updates])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
with tempfile.TemporaryDirectory() as folder:
    onnx.save(model, folder + "/m.onnx")
    onnx2tf.convert(input_onnx_file_path=folder + "/m.onnx", output_folder_path=folder, non_verbose=True)
    file = schema.Model.GetRootAs(open(folder + "/m_float32.tflite", "rb").read(), 0)
main = file.Subgraphs(0)
results = [main.Tensors(int(t)) for i in range(main.OperatorsLength()) for t in main.Operators(i).OutputsAsNumpy()]
constants = [t.Name().decode() for t in results if file.Buffers(t.Buffer()).DataLength() > 0]
print("constants that operators write:", constants)
sys.exit(bool(constants))
