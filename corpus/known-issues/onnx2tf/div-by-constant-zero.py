"""onnx2tf 1.29.24: Div by a constant 0 is 65504 times the dividend.

Exits 1 when the defect is there, 0 otherwise. Needs: pip install onnx2tf==1.29.24
"""
import sys, tempfile
import numpy as np, onnx, onnx2tf, tensorflow as tf
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

inputs = {"x0": np.float32([[[[[1]]]]])}
constants = {"c": np.float32([[[[[0]]]]]), "flat": np.array([-1])}
# Flat, since onnx2tf turns the axes of results.
nodes = [
    helper.make_node("Div", ["x0", "c"], ["v0_0"]),
    helper.make_node("Reshape", ["v0_0", "flat"], ["flattened"]),
]
info = lambda name, dtype, shape: helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape)
weights = [numpy_helper.from_array(a, n) for n, a in constants.items()]
graph = helper.make_graph(nodes, "g", [info(n, x.dtype, x.shape) for n, x in inputs.items()], [info("flattened", np.float32, [1])], weights)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
expected = ReferenceEvaluator(model).run(None, inputs)[0]
with tempfile.TemporaryDirectory() as folder:
    onnx.save(model, folder + "/m.onnx")
    onnx2tf.convert(input_onnx_file_path=folder + "/m.onnx", output_folder_path=folder, not_use_onnxsim=True,
                    copy_onnx_input_output_names_to_tflite=True, keep_ncw_or_nchw_or_ncdhw_input_names=["x0"], non_verbose=True)
    interpreter = tf.lite.Interpreter(folder + "/m_float16.tflite")
    interpreter.allocate_tensors()
    for detail in interpreter.get_input_details():
        x = next(x for n, x in inputs.items() if n in detail["name"])
        interpreter.set_tensor(detail["index"], x.reshape(detail["shape"]))
    interpreter.invoke()
    actual = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
print("ONNX:", expected[:8], "TFLite:", actual[:8])
sys.exit(int(not np.array_equal(expected, actual)))
