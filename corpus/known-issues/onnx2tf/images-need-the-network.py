"""onnx2tf 1.29.24: a model whose inputs are images is not converted without a connection to the network.

Exits 1 when the defect is there, 0 otherwise. Needs: pip install onnx2tf==1.29.24
"""
import os, sys, tempfile

# No connection: nothing listens there.
os.environ["HTTPS_PROXY"] = os.environ["https_proxy"] = "http://127.0.0.1:9"
import onnx, onnx2tf
from onnx import helper

info = lambda name: helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 3, 8, 8])
graph = helper.make_graph([helper.make_node("Sigmoid", ["x"], ["y"])], "g", [info("x")], [info("y")])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
with tempfile.TemporaryDirectory() as folder:
    # The pictures may lie in the working directory.
    os.chdir(folder)
    onnx.save(model, "m.onnx")
    try:
        onnx2tf.convert(input_onnx_file_path="m.onnx", output_folder_path="out", not_use_onnxsim=True, non_verbose=True)
        print("converted:", os.listdir("out"))
        code = 0
    except BaseException as error:
        print("the conversion fails:", repr(error)[:100])
        code = 1
    os.chdir("/")
sys.exit(code)
