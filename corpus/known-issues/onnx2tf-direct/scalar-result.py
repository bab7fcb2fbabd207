"""onnx2tf 2.6.9 (flatbuffer_direct): a reduction to a scalar is declared as a vector of one element.

Exits 1 when the defect is there, 0 otherwise. Needs: pip install onnx2tf==2.6.9, in Python 3.12
"""
import sys, tempfile
import onnx, onnx2tf
from ai_edge_litert import schema_py_generated as schema
from onnx import helper

info = lambda name, shape: helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
node = helper.make_node("ReduceSum", ["x"], ["y"], keepdims=0)
graph = helper.make_graph([node], "g", [info("x", [1, 3, 8])], [info("y", [])])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
with tempfile.TemporaryDirectory() as folder:
    onnx.save(model, folder + "/m.onnx")
    onnx2tf.convert(input_onnx_file_path=folder + "/m.onnx", output_folder_path=folder, non_verbose=True)
    main = schema.Model.GetRootAs(open(folder + "/m_float32.tflite", "rb").read(), 0).Subgraphs(0)
operator = main.Operators(main.OperatorsLength() - 1)
shape = list(main.Tensors(operator.Outputs(0)).ShapeAsNumpy()) if main.Tensors(operator.Outputs(0)).ShapeLength() else []
print("ONNX: [] TFLite:", [int(extent) for extent in shape])
sys.exit(len(shape))
