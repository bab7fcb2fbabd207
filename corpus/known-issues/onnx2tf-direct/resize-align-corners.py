"""onnx2tf 2.6.9 (flatbuffer_direct): Resize by 1.5 of one row, linear with align_corners, gives two rows.

Exits 1 when the defect is there, 0 otherwise. Needs: pip install onnx2tf==2.6.9, in Python 3.12
"""
import sys, tempfile
import onnx, onnx2tf
from ai_edge_litert.interpreter import Interpreter
from onnx import helper

info = lambda name, shape: helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
scales = helper.make_tensor("s", onnx.TensorProto.FLOAT, [4], [1, 1, 1.5, 1.5])
node = helper.make_node("Resize", ["x", "", "s"], ["y"], mode="linear", coordinate_transformation_mode="align_corners")
graph = helper.make_graph([node], "g", [info("x", [1, 16, 1, 4])], [info("y", [1, 16, 1, 6])], [scales])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
with tempfile.TemporaryDirectory() as folder:
    onnx.save(model, folder + "/m.onnx")
    onnx2tf.convert(input_onnx_file_path=folder + "/m.onnx", output_folder_path=folder, non_verbose=True)
    interpreter = Interpreter(folder + "/m_float32.tflite")
    shape = [int(extent) for extent in interpreter.get_output_details()[0]["shape"]]
print("ONNX: [1, 16, 1, 6], channels last [1, 1, 6, 16]; TFLite:", shape)
sys.exit(int(shape[1] * shape[2] * shape[3] != 96))
