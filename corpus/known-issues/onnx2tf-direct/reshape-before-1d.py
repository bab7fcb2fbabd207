"""onnx2tf 2.6.9 (flatbuffer_direct): a Reshape before a pool or a convolution over one axis forgets its shape.

Exits 1 when the defect is there, 0 otherwise. Needs: pip install onnx2tf==2.6.9, in Python 3.12
"""
import sys, tempfile
import numpy as np, onnx, onnx2tf
from ai_edge_litert.interpreter import Interpreter
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

x = np.arange(12, dtype=np.float32).reshape(3, 4)
constants = {"s": np.int64([2, 2, 3])}
nodes = [helper.make_node("Reshape", ["x", "s"], ["a"]), helper.make_node("AveragePool", ["a"], ["y"], kernel_shape=[2])]
info = lambda name, array: helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
weights = [numpy_helper.from_array(a, n) for n, a in constants.items()]
outputs = [onnx.ValueInfoProto(name=name) for name in ["y"]]
graph = lambda results: helper.make_graph(nodes, "g", [info("x", x)], results, weights)
build = lambda results: helper.make_model(graph(results), opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
expected = ReferenceEvaluator(build(outputs)).run(None, {"x": x})
model = build([info(o.name, e) for o, e in zip(outputs, expected)])
with tempfile.TemporaryDirectory() as folder:
    onnx.save(model, folder + "/m.onnx")
    onnx2tf.convert(input_onnx_file_path=folder + "/m.onnx", output_folder_path=folder, keep_shape_absolutely_input_names=["x"], non_verbose=True)
    interpreter = Interpreter(folder + "/m_float32.tflite")
    try:
        interpreter.allocate_tensors()
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
        interpreter.invoke()
    except Exception as error:
        print("the converted model does not run:", str(error)[:200])
        sys.exit(1)
    actual = [interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()]
print("ONNX:", *(e.ravel()[:8] for e in expected), "TFLite:", *(a.ravel()[:8] for a in actual))
sys.exit(int(not all(np.allclose(e.ravel(), a.ravel(), rtol=1e-3, atol=1e-3) for e, a in zip(expected, actual))))
