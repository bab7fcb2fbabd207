"""onnx2tf 1.29.24: LpPool with padding is the root of a mean times the size of the window.

Exits 1 when the defect is there, 0 otherwise. Needs: pip install onnx2tf==1.29.24
"""
import sys, tempfile
import numpy as np, onnx, onnx2tf, tensorflow as tf
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

x = np.float32([[[[1, 1]]]])
constants = {}
node = helper.make_node("LpPool", ["x"], ["y"], auto_pad="SAME_UPPER", kernel_shape=[5, 4])
info = lambda name, dtype, shape: helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape)
weights = [numpy_helper.from_array(a, n) for n, a in constants.items()]
graph = lambda shape: helper.make_graph([node], "g", [info("x", x.dtype, x.shape)], [info("y", x.dtype, shape)], weights)
build = lambda shape: helper.make_model(graph(shape), opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
expected = ReferenceEvaluator(build(None)).run(None, {"x": x})[0]
model = build(expected.shape)
with tempfile.TemporaryDirectory() as folder:
    onnx.save(model, folder + "/m.onnx")
    try:
        onnx2tf.convert(input_onnx_file_path=folder + "/m.onnx", output_folder_path=folder, keep_shape_absolutely_input_names=["x"], non_verbose=True)
    except BaseException as error:
        print("the conversion fails:", repr(error)[:300])
        sys.exit(1)
    interpreter = tf.lite.Interpreter(folder + "/m_float16.tflite")
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    actual = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
print("ONNX:", expected.ravel()[:8], "TFLite:", actual.ravel()[:8])
same = expected.size == actual.size and np.allclose(expected.ravel(), actual.ravel(), rtol=1e-2, atol=1e-2)
sys.exit(int(not same))
