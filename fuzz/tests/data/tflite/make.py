"""Makes the float32 .tflite files of this folder with other people's converters.

    python make.py tensorflow      TFLiteConverter of tensorflow-cpu 2.21.0
    python make.py quantizer       ai-edge-quantizer 0.10.0 on cnn.tflite
    python make.py torch           litert-torch 0.10.0, litert-converter 0.5.0, torch 2.14.1

Weights come from a fixed seed. The files are committed; the tests need none of these tools.
"""

import pathlib
import sys

HERE = pathlib.Path(__file__).parent


def write(name, content):
    (HERE / f"{name}.tflite").write_bytes(content)
    print(name, len(content))


def tensorflow():
    import numpy as np
    import tensorflow as tf

    rng = np.random.default_rng(1)

    def weights(*shape):
        return tf.constant((rng.standard_normal(shape) / np.sqrt(np.prod(shape[:-1]))).astype(np.float32))

    def converted(functions, module=None, **options):
        converter = tf.lite.TFLiteConverter.from_concrete_functions(functions, module)
        for key, value in options.items():
            setattr(converter, key, value)
        return converter.convert()

    class Cnn(tf.Module):
        def __init__(self):
            super().__init__()
            self.a, self.d, self.p, self.w = weights(3, 3, 3, 8), weights(3, 3, 8, 1), weights(1, 1, 8, 16), weights(16, 5)
            self.mean, self.variance = weights(8), tf.abs(weights(8)) + 0.5

        @tf.function(input_signature=[tf.TensorSpec([1, 16, 16, 3], tf.float32, name="image")])
        def __call__(self, x):
            x = tf.nn.conv2d(x, self.a, 2, "SAME")
            x = tf.nn.relu6(tf.nn.batch_normalization(x, self.mean, self.variance, None, None, 1e-3))
            x = tf.nn.relu(tf.nn.depthwise_conv2d(x, self.d, [1, 1, 1, 1], "SAME"))
            x = tf.nn.relu(tf.nn.conv2d(x, self.p, 1, "VALID"))
            x = tf.reduce_mean(x, [1, 2])
            return {"scores": tf.nn.softmax(tf.matmul(x, self.w))}

    cnn = Cnn()
    write("cnn", converted([cnn.__call__.get_concrete_function()], cnn))

    class Dense(tf.Module):
        """Weights large enough that TFLiteConverter quantizes them (1024 elements), and an operator that it leaves alone."""

        def __init__(self):
            super().__init__()
            self.a, self.b = weights(32, 64), weights(64, 4)

        @tf.function(input_signature=[tf.TensorSpec([1, 32], tf.float32, name="x")])
        def __call__(self, x):
            return {"y": tf.tanh(tf.matmul(tf.nn.relu(tf.matmul(x, self.a)), self.b))}

    dense = Dense()
    dynamic = converted([dense.__call__.get_concrete_function()], dense, optimizations=[tf.lite.Optimize.DEFAULT])
    write("dense_dynamic_int8", dynamic)

    class Block(tf.Module):
        """A transformer block with a padding mask and layer normalization, spelled out as TensorFlow does."""

        def __init__(self):
            super().__init__()
            self.q, self.k, self.v, self.o = (weights(16, 16) for _ in range(4))
            self.up, self.down, self.g, self.b = weights(16, 32), weights(32, 16), weights(16) + 1.0, weights(16)

        def norm(self, x):
            mean, variance = tf.nn.moments(x, [-1], keepdims=True)
            return tf.nn.batch_normalization(x, mean, variance, self.b, self.g, 1e-6)

        @tf.function(input_signature=[tf.TensorSpec([1, 8, 16], tf.float32, name="x"), tf.TensorSpec([1, 8], tf.float32, name="mask")])
        def __call__(self, x, mask):
            y = self.norm(x)
            scores = tf.matmul(y @ self.q, y @ self.k, transpose_b=True) * 0.25
            scores += (1.0 - mask[:, tf.newaxis, :]) * -1e9
            x += tf.matmul(tf.nn.softmax(scores), y @ self.v) @ self.o
            return {"y": x + tf.nn.gelu(self.norm(x) @ self.up) @ self.down}

    block = Block()
    write("block", converted([block.__call__.get_concrete_function()], block))

    class Coder(tf.Module):
        """Two signatures that share weights."""

        def __init__(self):
            super().__init__()
            self.w = tf.Variable(weights(8, 8))

        @tf.function(input_signature=[tf.TensorSpec([1, 8], tf.float32, name="x")])
        def encode(self, x):
            return {"code": tf.tanh(tf.matmul(x, self.w))}

        @tf.function(input_signature=[tf.TensorSpec([1, 8], tf.float32, name="code")])
        def decode(self, code):
            return {"x": tf.matmul(code, self.w, transpose_b=True)}

    coder = Coder()
    saved = HERE / "saved"
    tf.saved_model.save(coder, str(saved), signatures={"encode": coder.encode, "decode": coder.decode})
    converter = tf.lite.TFLiteConverter.from_saved_model(str(saved))
    write("signatures", converter.convert())
    import shutil

    shutil.rmtree(saved)

    class Loop(tf.Module):
        """Control flow: a body and a condition in subgraphs of their own."""

        def __init__(self):
            super().__init__()
            self.w = weights(4, 4)

        @tf.function(input_signature=[tf.TensorSpec([1, 4], tf.float32, name="x"), tf.TensorSpec([], tf.int32, name="n")])
        def __call__(self, x, n):
            _, y = tf.while_loop(lambda i, y: i < n, lambda i, y: (i + 1, tf.tanh(y @ self.w)), [0, x])
            return {"y": y}

    loop = Loop()
    write("loop", converted([loop.__call__.get_concrete_function()], loop))

    write("cnn_offset_buffers", converted([cnn.__call__.get_concrete_function()], cnn, _experimental_use_buffer_offset=True))


def quantizer():
    from ai_edge_quantizer import algorithm_manager, qtyping, quantizer as q, recipe_manager

    recipe = recipe_manager.RecipeManager()
    recipe.add_weight_only_config(
        regex=".*", operation_name=qtyping.TFLOperationName.ALL_SUPPORTED, num_bits=16,
        algorithm_key=algorithm_manager.AlgorithmName.FLOAT_CASTING,
    )
    out = q.Quantizer(str(HERE / "cnn.tflite"), recipe.get_quantization_recipe()).quantize()
    write("cnn_float16_weights", bytes(out.quantized_model))


def torch():
    import litert_torch
    import torch

    torch.manual_seed(1)

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = torch.nn.Conv2d(3, 8, 3, stride=2, padding=1)
            self.norm = torch.nn.GroupNorm(2, 8)
            self.up = torch.nn.ConvTranspose2d(8, 4, 2, stride=2)

        def forward(self, x):
            x = torch.nn.functional.silu(self.norm(self.conv(x)))
            return self.up(x).mean((2, 3)), torch.nn.functional.interpolate(x, scale_factor=2, mode="bilinear")

    write("torch_net", litert_torch.convert(Net().eval(), (torch.randn(1, 3, 16, 16),)).model_content())
    block = torch.nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, activation="gelu").eval()
    write("torch_block", litert_torch.convert(block, (torch.randn(1, 6, 16),)).model_content())


if __name__ == "__main__":
    {"tensorflow": tensorflow, "quantizer": quantizer, "torch": torch}[sys.argv[1]]()
