"""TFLiteConverter 2.21.0, float16: is_inf of infinity is false.

Exits 1 when the defect is there, 0 otherwise. Needs: pip install tensorflow-cpu==2.21.0
"""
import sys
import numpy as np
import tensorflow as tf


@tf.function(input_signature=[tf.TensorSpec((2,), tf.float32)])
def model(x):
    return tf.cast(tf.math.is_inf(x), tf.float32)


x = np.float32([np.inf, 1.0]).reshape((2,))
expected = model(tf.constant(x)).numpy()
converter = tf.lite.TFLiteConverter.from_concrete_functions([model.get_concrete_function()])
converter.optimizations = [tf.lite.Optimize.DEFAULT]
converter.target_spec.supported_types = [tf.float16]
try:
    interpreter = tf.lite.Interpreter(model_content=converter.convert())
except Exception as error:
    print("the conversion fails:", str(error).splitlines()[0][-300:])
    sys.exit(1)
interpreter.allocate_tensors()
interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
try:
    interpreter.invoke()
except RuntimeError as error:
    print("the converted model does not run:", error)
    sys.exit(1)
actual = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
print("TensorFlow:", expected.ravel()[:8], "TFLite:", actual.ravel()[:8])
same = expected.shape == actual.shape and np.allclose(expected, actual, rtol=1e-2, atol=1e-2)
sys.exit(int(not same))
