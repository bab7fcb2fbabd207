"""TensorFlow 2.21.0, TFLiteConverter: a constant minus (or divided by) a transposed tensor has its operands swapped.

Exits 1 when the defect is there, 0 otherwise. Needs: pip install tensorflow-cpu==2.21.0
"""
import sys
import numpy as np
import tensorflow as tf

x = np.float32([[1, 2], [4, 8]])
wrong = False
for name, f in ("2 - transpose(x)", lambda x: 2 - tf.transpose(x)), ("1 / transpose(x)", lambda x: 1 / tf.transpose(x)):
    function = tf.function(f, input_signature=[tf.TensorSpec([2, 2], tf.float32)])
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()])
    interpreter = tf.lite.Interpreter(model_content=converter.convert())
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    want, got = f(x).numpy(), interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    print(name, "TensorFlow:", want.tolist(), "TFLite:", got.tolist())
    wrong |= not np.allclose(want, got)
sys.exit(int(wrong))
