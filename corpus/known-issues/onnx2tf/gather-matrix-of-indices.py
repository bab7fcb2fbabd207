"""onnx2tf 1.29.24: Gather by a matrix of indices leaves the result turned.

Exits 1 when the defect is there, 0 otherwise. Needs: pip install onnx2tf==1.29.24
"""
import sys, tempfile
import numpy as np, onnx, onnx2tf, tensorflow as tf
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

x = np.arange(6, dtype=np.float32).reshape(1, 2, 3, 1)
constants = {"i": np.array([[0], [1]]), "flat": np.array([-1])}
# Flat, since onnx2tf turns the axes of results.
nodes = [helper.make_node("Gather", ["x", "i"], ["z"], axis=1), helper.make_node("Reshape", ["z", "flat"], ["y"])]
info = lambda name, dtype, shape: helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape)
weights = [numpy_helper.from_array(a, n) for n, a in constants.items()]
graph = helper.make_graph(nodes, "g", [info("x", x.dtype, x.shape)], [info("y", np.float32, [6])], weights)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
expected = ReferenceEvaluator(model).run(None, {"x": x})[0]
with tempfile.TemporaryDirectory() as folder:
    onnx.save(model, folder + "/m.onnx")
    onnx2tf.convert(input_onnx_file_path=folder + "/m.onnx", output_folder_path=folder, not_use_onnxsim=True, keep_ncw_or_nchw_or_ncdhw_input_names=["x"], non_verbose=True)
    interpreter = tf.lite.Interpreter(folder + "/m_float16.tflite")
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    actual = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
print("ONNX:", expected[:8], "TFLite:", actual[:8])
sys.exit(int(not np.allclose(expected, actual, rtol=1e-2, atol=1e-2)))
