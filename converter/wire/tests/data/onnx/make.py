"""Makes the .onnx files of this folder with the `onnx` package, so that the reader meets an outside writer.

Each file holds operators in the form they had at its opset. Run with onnx 1.23 or later: python make.py
The expected text beside each file (NAME.txt) is ours; `UPDATE_EXPECT=1 cargo test -p halfproof-wire` rewrites it.
"""

import pathlib

import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper

HERE = pathlib.Path(__file__).parent


def value(name, shape, dtype=T.FLOAT):
    return h.make_tensor_value_info(name, dtype, shape)


def save(name, opset, ir, nodes, inputs, outputs, constants=(), full=True, extra=(), known=()):
    graph = h.make_graph(nodes, name, inputs, outputs, list(constants))
    imports = [h.make_opsetid("", opset), *extra]
    model = h.make_model(graph, opset_imports=imports, ir_version=ir, producer_name="make.py")
    if not extra:
        # The checker wants a shape for every output: those that inference finds.
        inferred = onnx.shape_inference.infer_shapes(model).graph.output
        for ours, found in zip(model.graph.output, inferred):
            ours.CopyFrom(found)
            if ours.name in known:
                ours.CopyFrom(value(ours.name, known[ours.name]))
        onnx.checker.check_model(model, full_check=full)
    (HERE / f"{name}.onnx").write_bytes(model.SerializeToString(deterministic=True))


n = h.make_node

# Constants are inputs too, sizes are attributes, dropout has no operands, batch norm may not be spatial.
save(
    "opset7", 7, 3,
    [
        n("Upsample", ["x"], ["up"], mode="nearest", scales=[1.0, 1.0, 2.0, 2.0]),
        n("BatchNormalization", ["up", "s", "b", "m", "v"], ["bn"], spatial=1, momentum=0.5, epsilon=0.25),
        n("BatchNormalization", ["up", "s", "b", "m", "v"], ["odd"], spatial=0, name="odd"),
        n("Dropout", ["bn"], ["drop", "mask"], ratio=0.25),
        n("Reshape", ["drop", "shape"], ["flat"]),
        n("Softmax", ["flat"], ["y"]),
    ],
    [value("x", [1, 2, 2, 2]), *[value(c, [2]) for c in "sbmv"], value("shape", [2], T.INT64)],
    [value("y", [1, 32]), value("odd", [1, 2, 4, 4])],
    [
        *[h.make_tensor(c, T.FLOAT, [2], [float(i), 1.0]) for i, c in enumerate("sbmv")],
        h.make_tensor("shape", T.INT64, [2], [1, -1]),
    ],
    full=False,  # the checker insists on [8] for a norm that is not spatial; the shape does not matter here
)

# Attributes that are operands today.
save(
    "opset9", 9, 4,
    [
        n("Clip", ["x"], ["clip"], min=-1.0, max=6.0, name="clip"),
        n("Clip", ["clip"], ["upper"], max=5.5),
        n("Pad", ["upper"], ["pad"], pads=[0, 0, 1, 1, 0, 0, 1, 1], value=0.5),
        n("Pad", ["pad"], ["reflect"], pads=[0, 0, 1, 0, 0, 0, 0, 1], mode="reflect"),
        n("Slice", ["reflect"], ["slice"], starts=[0, 1], ends=[9, -1], axes=[2, 3]),
        n("Upsample", ["slice", "scales"], ["up"], mode="linear"),
        n("ReduceSum", ["up"], ["sum"], axes=[1], keepdims=0),
        n("ReduceMean", ["up"], ["mean"], axes=[2, 3]),
        n("ReduceMax", ["up"], ["all"], keepdims=0),
        n("Squeeze", ["mean"], ["squeeze"], axes=[2]),
        n("Unsqueeze", ["sum"], ["unsqueeze"], axes=[0, 4]),
        n("Split", ["x"], ["a", "b"], axis=2, split=[1, 3]),
        n("Split", ["x"], ["c", "d"], axis=3),
        n("LogSoftmax", ["x"], ["soft"], axis=2),
        n("Softmax", ["x"], ["last"], axis=3),
        n("Cast", ["x"], ["half"], to=T.FLOAT16),
        n("Cast", ["x"], ["text"], to=T.STRING, name="to_text"),
        n("Constant", [], ["k"], value=h.make_tensor("", T.FLOAT16, [2], np.float16([1.5, -2]))),
        n("MaxPool", ["x"], ["pool", "at"], kernel_shape=[2, 2], strides=[2, 2]),
        n("ConstantOfShape", ["shape"], ["filled"], value=h.make_tensor("", T.INT64, [1], [7])),
        n("Gemm", ["filled32", "filled32", "filled32"], ["gemm"], transB=1, beta=0.5),
    ],
    [value("x", [1, 2, 4, 4]), value("filled32", [2, 2])],
    [value(o, None) for o in ["squeeze", "unsqueeze", "all", "a", "b", "c", "d", "soft", "last", "gemm", "pool"]]
    + [value("half", None, T.FLOAT16), value("k", [2], T.FLOAT16), value("at", None, T.INT64)]
    + [value("filled", None, T.INT64)],
    [
        h.make_tensor("scales", T.FLOAT, [4], [1, 1, 2, 2]),
        h.make_tensor("shape", T.INT64, [2], [2, 2]),
    ],
)

# Resize by scales only; slices with steps.
save(
    "opset10", 10, 5,
    [
        n("Resize", ["x", "scales"], ["near"], mode="nearest"),
        n("Resize", ["x", "scales"], ["linear"], mode="linear"),
        n("Slice", ["x", "starts", "ends", "", "steps"], ["slice"]),
        n("Dropout", ["x"], ["drop", "mask"]),
        n("And", ["mask", "mask"], ["both"]),
        n("MaxPool", ["x"], ["pool"], kernel_shape=[2, 2], dilations=[1, 2], ceil_mode=1),
    ],
    [value("x", [1, 1, 4, 4])],
    [value(o, None) for o in ["near", "linear", "slice", "drop", "pool"]] + [value("both", None, T.BOOL)],
    [
        h.make_tensor("scales", T.FLOAT, [4], np.float32([1, 1, 2, 2]).tobytes(), raw=True),
        h.make_tensor("starts", T.INT32, [4], [0, 0, 0, 0]),
        h.make_tensor("ends", T.INT32, [4], [1, 1, 4, 4]),
        h.make_tensor("steps", T.INT32, [4], [1, 1, 2, 2]),
    ],
)

# Resize as today but for its empty operands; negative axes.
save(
    "opset11", 11, 6,
    [
        n("Constant", [], ["roi"], value=h.make_tensor("", T.FLOAT, [0], [])),
        n("Constant", [], ["sizes"], value=h.make_tensor("", T.INT64, [4], [1, 1, 3, 5])),
        n("Resize", ["x", "roi", "scales"], ["asym"], coordinate_transformation_mode="asymmetric", nearest_mode="floor"),
        n("Resize", ["x", "roi", "roi", "sizes"], ["sized"], mode="cubic", coordinate_transformation_mode="align_corners"),
        n("Resize", ["x", "roi", "scales"], ["tf"], coordinate_transformation_mode="tf_half_pixel_for_nn", name="tf"),
        n("Clip", ["x", "", "six"], ["clip"]),
        n("Pad", ["x", "pads"], ["pad"], mode="edge"),
        n("Softmax", ["x"], ["last"], axis=-1),
        n("Softmax", ["x"], ["soft"], axis=-2),
        n("Unsqueeze", ["x"], ["more"], axes=[-1]),
        n("ReduceL2", ["x"], ["norm"], axes=[-1]),
        n("Round", ["x"], ["round"]),
    ],
    [value("x", [1, 1, 4, 4])],
    [value(o, None) for o in ["asym", "sized", "tf", "clip", "pad", "last", "soft", "more", "norm", "round"]],
    [
        h.make_tensor("scales", T.FLOAT, [4], [1, 1, 2, 2]),
        h.make_tensor("six", T.FLOAT, [], [6]),
        h.make_tensor("pads", T.INT64, [8], [0, 0, 1, 1, 0, 0, 2, 2]),
    ],
)

# Every form of a constant, every element type in its own field, training switches.
typed = [
    (T.FLOAT, [1.5]), (T.DOUBLE, [-2.5]), (T.FLOAT16, [0.5]), (T.INT8, [-128]), (T.INT16, [-300]), (T.INT32, [-70000]),
    (T.INT64, [-(1 << 40)]), (T.UINT8, [200]), (T.UINT16, [60000]), (T.UINT32, [4000000000]), (T.UINT64, [1 << 63]),
    (T.BOOL, [True]),
]
save(
    "opset13", 13, 7,
    [
        n("Constant", [], ["f"], value_float=0.5),
        n("Constant", [], ["fs"], value_floats=[1.0, 2.0]),
        n("Constant", [], ["i"], value_int=-3),
        n("Constant", [], ["is"], value_ints=[4, 5]),
        n("Dropout", ["x", "f", "no"], ["drop"]),
        n("Dropout", ["x", "f", "yes"], ["training"], name="training"),
        n("BatchNormalization", ["x", "one", "one", "one", "one"], ["norm"], name="later"),
        n("Squeeze", ["x", "axes"], ["squeeze"]),
        n("ReduceSum", ["x"], ["same"], noop_with_empty_axes=1),
        n("ReduceMin", ["x"], ["min"], axes=[0]),
        n("Split", ["x"], ["left", "right"], axis=3),
        n("Softmax", ["x"], ["soft"]),
        n("If", ["yes"], ["branch"], name="if",
          then_branch=h.make_graph([n("Relu", ["x"], ["t"])], "then", [], [value("t", None)]),
          else_branch=h.make_graph([n("Abs", ["x"], ["e"])], "else", [], [value("e", None)])),
    ],
    [value("x", ["batch", 1, None, 4])],
    [value(o, None) for o in
     ["f", "fs", "drop", "training", "norm", "squeeze", "same", "min", "left", "right", "soft", "branch"]]
    + [value("i", None, T.INT64), value("is", None, T.INT64)]
    + [value(f"typed{d}", [1], d) for d, _ in typed],
    [
        h.make_tensor("no", T.BOOL, [], [False]), h.make_tensor("yes", T.BOOL, [], [True]),
        h.make_tensor("one", T.FLOAT, [1], [1]), h.make_tensor("axes", T.INT64, [1], [1]),
        *[h.make_tensor(f"typed{d}", d, [1], v) for d, v in typed],
    ],
    full=False,  # inference does not accept constants as outputs of that many types
)

# Scales per group; nodes out of order; two nodes of one name; other domains.
save(
    "opset18", 18, 8,
    [
        n("Relu", ["gn"], ["y"], name="twice"),
        n("GroupNormalization", ["x", "s", "s"], ["gn"], num_groups=2, name="twice"),
        n("Split", ["x"], ["a", "b", "c"], axis=3, num_outputs=3),
        n("Mish", ["x"], ["mish"]),
        n("Gelu", ["x"], ["gelu"], domain="com.microsoft"),
        n("FusedConv", ["x", "x"], ["fused"], domain="com.microsoft", activation="Relu"),
        n("Pad", ["x", "pads", "", "axes"], ["pad"]),
    ],
    [value("x", [1, 4, 2, 5])],
    [value(o, None) for o in ["y", "a", "b", "c", "mish", "gelu", "fused", "pad"]],
    [h.make_tensor("s", T.FLOAT, [2], [1, 2]), h.make_tensor("pads", T.INT64, [2], [1, 1]),
     h.make_tensor("axes", T.INT64, [1], [-1])],
    extra=[h.make_opsetid("com.microsoft", 1)],
)

save(
    "opset21", 21, 10,
    [
        n("GroupNormalization", ["x", "s", "s"], ["gn"], num_groups=2, epsilon=0.5),
        n("Gelu", ["gn"], ["gelu"], approximate="tanh"),
        n("LayerNormalization", ["x", "w"], ["ln"], axis=-1),
        n("Cast", ["x"], ["cast"], to=T.FLOAT16, saturate=0),
        n("AveragePool", ["x"], ["pool"], kernel_shape=[2, 2], dilations=[1, 2], count_include_pad=1, auto_pad="VALID"),
        n("Cast", ["x"], ["brain"], to=T.BFLOAT16, name="brain"),
        n("Cast", ["brain"], ["back"], to=T.FLOAT),
    ],
    [value("x", [1, 4, 2, 5])],
    [value(o, None) for o in ["gelu", "ln", "pool", "back"]] + [value("cast", None, T.FLOAT16)],
    [h.make_tensor("s", T.FLOAT, [4], [1, 2, 3, 4]), h.make_tensor("w", T.FLOAT, [5], [1, 1, 1, 1, 1])],
    known={"gelu": [1, 4, 2, 5]},  # inference does not look into group norm
)

save(
    "opset24", 24, 11,
    [
        n("RMSNormalization", ["x", "w"], ["rms"], axis=-1),
        n("Cast", ["rms"], ["cast"], to=T.FLOAT16, round_mode="up"),
        n("Swish", ["x"], ["swish"]),
        n("Reshape", ["x", "shape"], ["flat"]),
    ],
    [value("x", [2, 3])],
    [value("cast", None, T.FLOAT16), value("swish", None), value("flat", None)],
    [h.make_tensor("w", T.FLOAT, [3], [1, 2, 3]), h.make_tensor("shape", T.INT64, [1], [-1])],
)

# Constants in a file beside the model.
weights = numpy_helper.from_array(np.arange(6, dtype=np.float32).reshape(2, 3), "w")
(HERE / "external.bin").write_bytes(b"\0" * 8 + weights.raw_data)
weights.ClearField("raw_data")
weights.data_location = T.EXTERNAL
for key, text in [("location", "external.bin"), ("offset", "8"), ("length", "24")]:
    entry = weights.external_data.add()
    entry.key, entry.value = key, text
graph = h.make_graph([n("MatMul", ["x", "w"], ["y"])], "external", [value("x", [1, 2])], [value("y", [1, 3])], [weights])
model = h.make_model(graph, opset_imports=[h.make_opsetid("", 17)], ir_version=8, producer_name="make.py")
(HERE / "external.onnx").write_bytes(model.SerializeToString(deterministic=True))
