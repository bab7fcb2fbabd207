"""onnx2tf 1.29.24: ConvTranspose of a constant image ends the process.

Exits 1 when the defect is there, 0 otherwise. Needs: pip install onnx2tf==1.29.24
"""
import subprocess, sys, tempfile
import numpy as np, onnx
from onnx import helper, numpy_helper

constants = {"s": np.array([1, 1, 1, 9]), "w": np.ones((1, 1, 2, 4), np.float32)}
weights = [numpy_helper.from_array(a, n) for n, a in constants.items()]
nodes = [
    helper.make_node("ConstantOfShape", ["s"], ["x"]),
    helper.make_node("ConvTranspose", ["x", "w"], ["y"], kernel_shape=[2, 4]),
]
result = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, 1, 2, 12])
graph = helper.make_graph(nodes, "g", [], [result], weights)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
CONVERT = "import sys, onnx2tf; onnx2tf.convert(input_onnx_file_path=sys.argv[1] + '/m.onnx', output_folder_path=sys.argv[1], not_use_onnxsim=True, non_verbose=True)"
with tempfile.TemporaryDirectory() as folder:
    onnx.save(model, folder + "/m.onnx")
    run = subprocess.run([sys.executable, "-c", CONVERT, folder], capture_output=True, text=True)
print("exit code of the conversion:", run.returncode, run.stderr.strip().splitlines()[-1:])
# A negative code is the number of the signal that ended the process.
sys.exit(int(run.returncode < 0))
