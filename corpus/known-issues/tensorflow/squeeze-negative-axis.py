"""tensorflow-cpu 2.21.0: squeeze of an axis counted from the end, behind a transpose, makes an invalid TRANSPOSE.

Exits 1 when the defect is there, 0 otherwise. Needs: pip install tensorflow-cpu==2.21.0
"""
import sys
import numpy as np
import tensorflow as tf


def convert(axis):
    @tf.function(input_signature=[tf.TensorSpec([1, 3, 4, 2], tf.float32)])
    def model(x):
        return tf.squeeze(tf.transpose(x, [0, 3, 1, 2]), [axis])

    x = tf.constant(np.arange(24, dtype=np.float32).reshape(1, 3, 4, 2))
    try:
        converter = tf.lite.TFLiteConverter.from_concrete_functions([model.get_concrete_function()])
        interpreter = tf.lite.Interpreter(model_content=converter.convert())
        interpreter.allocate_tensors()
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
        interpreter.invoke()
        actual = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
        return "right" if np.array_equal(actual, model(x)) else "wrong"
    except Exception as error:
        lines = [line for line in str(error).splitlines() if "'tfl." in line]
        return lines[0].split("error: ")[-1] if lines else str(error)


first, last = convert(0), convert(-4)
print("axis 0:", first)
print("axis -4:", last)
sys.exit(int(last != "right"))
