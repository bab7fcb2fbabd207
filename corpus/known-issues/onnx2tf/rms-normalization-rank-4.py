"""onnx2tf 1.29.24: RMSNormalization of the last axis of a tensor of rank 4 scales channels.

Exits 1 when the defect is there, 0 otherwise. Needs: pip install onnx2tf==1.29.24
"""
import sys, tempfile
import numpy as np, onnx, onnx2tf, tensorflow as tf
from onnx import helper, numpy_helper

x = np.float32([1, 2, 3, 5, 7, 11, 13, 17] * 4).reshape(1, 4, 2, 4)
expected = x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-5) * np.float32([1, 2, 3, 4])
constants = {"s": np.float32([1, 2, 3, 4])}
node = helper.make_node("RMSNormalization", ["x", "s"], ["y"], axis=-1)
info = lambda name, shape: helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
weights = [numpy_helper.from_array(a, n) for n, a in constants.items()]
graph = helper.make_graph([node], "g", [info("x", x.shape)], [info("y", expected.shape)], weights)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23)], ir_version=10)
with tempfile.TemporaryDirectory() as folder:
    onnx.save(model, folder + "/m.onnx")
    try:
        onnx2tf.convert(input_onnx_file_path=folder + "/m.onnx", output_folder_path=folder, keep_ncw_or_nchw_or_ncdhw_input_names=["x"], non_verbose=True)
    except BaseException as error:
        print("the conversion fails:", repr(error)[:300])
        sys.exit(1)
    interpreter = tf.lite.Interpreter(folder + "/m_float16.tflite")
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    actual = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
if actual.ndim == 4:
    actual = actual.transpose(0, 3, 1, 2)  # onnx2tf gives results with channels last
print("ONNX:", expected.shape, expected.ravel()[:8], "TFLite:", actual.shape, actual.ravel()[:8])
same = expected.shape == actual.shape and np.allclose(expected, actual, rtol=1e-2, atol=1e-2)
sys.exit(int(not same))
