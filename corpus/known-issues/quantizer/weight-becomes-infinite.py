"""ai-edge-quantizer 0.10.0: float casting turns a finite weight beyond 65504 into infinity without a word.

Exits 1 when the defect is there, 0 otherwise. Needs: pip install ai-edge-quantizer==0.10.0 ai-edge-litert==2.3.0
"""
import sys
import flatbuffers, numpy as np
from ai_edge_litert import schema_py_generated as tfl
from ai_edge_litert.interpreter import Interpreter
from ai_edge_quantizer import qtyping, quantizer, recipe_manager

code, op, graph, model, weights, *tensors = (f() for f in [tfl.OperatorCodeT, tfl.OperatorT, tfl.SubGraphT, tfl.ModelT, tfl.BufferT] + 3 * [tfl.TensorT])
for name, shape, tensor in zip(["x", "w", "y"], [[1, 2], [1, 2], [1, 1]], tensors):
    tensor.name, tensor.shape = name, shape
tensors[1].buffer, weights.data = 1, np.frombuffer(np.float32([1e5, 1]).tobytes(), np.uint8)
code.deprecatedBuiltinCode = code.builtinCode = tfl.BuiltinOperator.FULLY_CONNECTED
code.version, op.inputs, op.outputs = 1, [0, 1, -1], [2]
op.builtinOptionsType, op.builtinOptions = tfl.BuiltinOptions.FullyConnectedOptions, tfl.FullyConnectedOptionsT()
graph.tensors, graph.inputs, graph.outputs, graph.operators = tensors, [0], [2], [op]
model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [code], [graph], [tfl.BufferT(), weights]
builder = flatbuffers.Builder()
builder.Finish(model.Pack(builder), b"TFL3")
manager = recipe_manager.RecipeManager()
manager.add_weight_only_config(regex=".*", operation_name=qtyping.TFLOperationName.ALL_SUPPORTED, num_bits=16, algorithm_key="float_casting")
half = quantizer.Quantizer(bytearray(builder.Output()), manager.get_quantization_recipe()).quantize().quantized_model
interpreter = Interpreter(model_content=bytes(half))
interpreter.allocate_tensors()
interpreter.set_tensor(interpreter.get_input_details()[0]["index"], np.float32([[1e-3, 1]]))
interpreter.invoke()
got = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
print("got", got, "want 101")
sys.exit(int(not np.isfinite(got).all()))
