"""onnx2tf 2.6.9 (flatbuffer_direct): a scalar input becomes a vector of one element.

Exits 1 when the defect is there, 0 otherwise. Needs: pip install onnx2tf==2.6.9, in Python 3.12
"""
import sys, tempfile
import onnx, onnx2tf
from ai_edge_litert.interpreter import Interpreter
from onnx import helper

info = lambda name: helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [])
graph = helper.make_graph([helper.make_node("Abs", ["x"], ["y"])], "g", [info("x")], [info("y")])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
with tempfile.TemporaryDirectory() as folder:
    onnx.save(model, folder + "/m.onnx")
    onnx2tf.convert(input_onnx_file_path=folder + "/m.onnx", output_folder_path=folder, keep_shape_absolutely_input_names=["x"], non_verbose=True)
    interpreter = Interpreter(folder + "/m_float32.tflite")
    shape = interpreter.get_input_details()[0]["shape"]
print("ONNX: [] TFLite:", shape)
sys.exit(int(shape.size))
