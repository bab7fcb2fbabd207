"""tensorflow 2.21.0: tf.nn.softplus of 100 is infinite in the converted model.

Exits 1 when the defect is there, 0 otherwise. Needs: pip install tensorflow-cpu==2.21.0
"""
import sys
import numpy as np
import tensorflow as tf


@tf.function(input_signature=[tf.TensorSpec([2], tf.float32)])
def model(x):
    return tf.nn.softplus(x)


x = np.float32([100, 1])
converter = tf.lite.TFLiteConverter.from_concrete_functions([model.get_concrete_function()])
converter.optimizations = [tf.lite.Optimize.DEFAULT]
converter.target_spec.supported_types = [tf.float16]
interpreter = tf.lite.Interpreter(model_content=converter.convert())
interpreter.allocate_tensors()
interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
interpreter.invoke()
expected, actual = model(x).numpy(), interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
print("TensorFlow:", expected, "TFLite:", actual)
sys.exit(int(not np.allclose(expected, actual, rtol=1e-2)))
