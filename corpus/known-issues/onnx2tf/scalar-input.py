"""onnx2tf 1.29.24: a scalar input becomes a vector of one element.

Exits 1 when the defect is there, 0 otherwise. Needs: pip install onnx2tf==1.29.24
"""
import sys, tempfile
import onnx, onnx2tf, tensorflow as tf
from onnx import helper

info = lambda name: helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [])
graph = helper.make_graph([helper.make_node("Sigmoid", ["x"], ["y"])], "g", [info("x")], [info("y")])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
with tempfile.TemporaryDirectory() as folder:
    onnx.save(model, folder + "/m.onnx")
    onnx2tf.convert(input_onnx_file_path=folder + "/m.onnx", output_folder_path=folder, not_use_onnxsim=True, keep_shape_absolutely_input_names=["x"], non_verbose=True)
    interpreter = tf.lite.Interpreter(folder + "/m_float16.tflite")
    shape = interpreter.get_input_details()[0]["shape"]
print("ONNX: [] TFLite:", shape)
sys.exit(int(shape.size))
