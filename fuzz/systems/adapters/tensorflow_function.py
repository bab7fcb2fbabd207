"""TFLiteConverter: a tf.function becomes a .tflite with float16 weights, the way TensorFlow's guide says it."""

import re
import runpy
from importlib.metadata import version

import tensorflow as tf

from protocol import Refused, Unusable, first_line, serve

# What the converter says of an operator that TFLite has not, or has not in that type.
NO_OPERATOR = re.compile(r"'tf\.(\w+)' op is neither a custom op nor a flex op")


def function(source):
    try:
        model = runpy.run_path(source)["model"]
        concrete = model.get_concrete_function()
        model(*(tf.ones(spec.shape, spec.dtype) for spec in model.input_signature))
    except Exception as error:
        raise Unusable(f"TensorFlow itself does not run it: {type(error).__name__}: {first_line(error)}") from error
    return concrete


def convert(source, _precision):
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function(source)])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    try:
        return converter.convert()
    except Exception as error:
        if found := NO_OPERATOR.search(str(error)):
            raise Refused(f"'tf.{found[1]}' op is neither a custom op nor a flex op", found[1]) from error
        raise


if __name__ == "__main__":
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    serve("tensorflow", version("tensorflow-cpu"), "tensorflow", ["weights"], convert)
