"""onnx2tf 1.29.24: LpNormalization of zeros is NaN.

Exits 1 when the defect is there, 0 otherwise. Needs: pip install onnx2tf==1.29.24
"""
import sys, tempfile
import numpy as np, onnx, onnx2tf, tensorflow as tf
from onnx import helper

x = np.float32([[0, 0], [3, 4]])
info = lambda name: helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, x.shape)
graph = helper.make_graph([helper.make_node("LpNormalization", ["x"], ["y"])], "g", [info("x")], [info("y")])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)
with tempfile.TemporaryDirectory() as folder:
    onnx.save(model, folder + "/m.onnx")
    onnx2tf.convert(input_onnx_file_path=folder + "/m.onnx", output_folder_path=folder, not_use_onnxsim=True, keep_shape_absolutely_input_names=["x"], non_verbose=True)
    interpreter = tf.lite.Interpreter(folder + "/m_float16.tflite")
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    actual = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
# The text of version 22: "When the Lp norm is zero [...], the output is defined to be zero".
expected = np.float32([[0, 0], [0.6, 0.8]])
print("ONNX:", expected.ravel(), "TFLite:", actual.ravel())
sys.exit(int(not np.allclose(expected, actual, atol=1e-2)))
