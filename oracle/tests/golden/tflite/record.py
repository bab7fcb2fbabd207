"""Records what LiteRT's builtin float32 kernels compute for one-operator models.

    python -m venv venv && venv/bin/pip install ai-edge-litert==2.3.0
    venv/bin/python oracle/tests/golden/tflite/record.py oracle/tests/golden/tflite/cases.zip

Models are written with the schema classes of the wheel, never with halfproof's own writer. cases.zip holds one entry per
operator; an entry is a sequence of cases, each four length-prefixed (u32, little-endian) blobs: name, model, inputs,
outputs. Inputs and outputs are the raw little-endian elements of all tensors, one tensor after another in interface
order; their types and shapes are in the model. Names of cases whose inputs are small integers end in `lattice`.
"""

import itertools
import struct
import sys
import zipfile

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

TYPES = {
    "float32": schema.TensorType.FLOAT32,
    "float16": schema.TensorType.FLOAT16,
    "int32": schema.TensorType.INT32,
    "int64": schema.TensorType.INT64,
    "int16": schema.TensorType.INT16,
    "bool": schema.TensorType.BOOL,
}
CASES = {}


def tensor(shape, dtype, buffer):
    t = schema.TensorT()
    t.shape = None if shape is None else np.array(shape, np.int32)
    t.hasRank = shape is not None
    t.type = TYPES[dtype]
    t.buffer = buffer
    return t


def build(op, options, operands, results):
    """A model; operands are arrays (constants), (shape, dtype) pairs (inputs) or None, results (shape, dtype)."""
    model, graph = schema.ModelT(), schema.SubGraphT()
    model.version = 3
    model.buffers = [schema.BufferT()]
    graph.tensors, graph.inputs, graph.outputs = [], [], []
    operator = schema.OperatorT()
    operator.inputs, operator.outputs = [], []
    for x in operands:
        if x is None:
            operator.inputs.append(-1)
            continue
        operator.inputs.append(len(graph.tensors))
        if isinstance(x, np.ndarray):
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(x.tobytes(), np.uint8)
            model.buffers.append(buffer)
            graph.tensors.append(tensor(x.shape, str(x.dtype), len(model.buffers) - 1))
        else:
            graph.inputs.append(len(graph.tensors))
            graph.tensors.append(tensor(x[0], x[1], 0))
    for shape, dtype in results:
        operator.outputs.append(len(graph.tensors))
        graph.outputs.append(len(graph.tensors))
        graph.tensors.append(tensor(shape, dtype, 0))
    code = schema.OperatorCodeT()
    number = getattr(schema.BuiltinOperator, op)
    code.builtinCode, code.deprecatedBuiltinCode, code.version = number, min(number, 127), VERSIONS.get(op, 1)
    model.operatorCodes = [code]
    if options is not None:
        name, fields = options
        table = getattr(schema, name + "T")()
        for key, value in fields.items():
            assert hasattr(table, key), (name, key)
            setattr(table, key, value)
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, name)
        operator.builtinOptions = table
    graph.operators = [operator]
    model.subgraphs = [graph]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


VERSIONS = {"BROADCAST_TO": 2, "DEPTHWISE_CONV_2D": 2, "FULLY_CONNECTED": 2, "BATCH_MATMUL": 1}


def run(model, inputs):
    interpreter = Interpreter(
        model_content=model, experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    )
    interpreter.allocate_tensors()
    for detail, x in zip(interpreter.get_input_details(), inputs, strict=True):
        interpreter.set_tensor(detail["index"], x)
    interpreter.invoke()
    return [np.array(interpreter.get_tensor(d["index"])) for d in interpreter.get_output_details()]


class In:
    """A runtime input, to be filled by the kind of case: multiples of `step`, or normal numbers times `scale`."""

    def __init__(self, *shape, dtype="float32", low=None, high=None, scale=1.0, step=1.0):
        self.shape, self.dtype, self.low, self.high, self.scale, self.step = shape, dtype, low, high, scale, step

    def fill(self, kind, rng):
        low = -8 if self.low is None else self.low
        high = 8 if self.high is None else self.high
        if self.dtype == "bool":
            return rng.integers(0, 2, self.shape).astype(bool)
        if self.dtype.startswith("int") or kind == "lattice":
            return np.array(rng.integers(low, high + 1, self.shape) * self.step, self.dtype)
        x = rng.standard_normal(self.shape) * self.scale
        if self.low is not None or self.high is not None:
            x = np.clip(x, self.low, self.high)
        return np.array(x, self.dtype)


class W(In):
    """A constant, filled like an input."""


def case(op, name, operands, options=None, results=("float32",), kinds=("lattice", "gaussian")):
    """Records one case per kind. Operands are In, W, arrays or None."""
    for kind in kinds:
        full = f"{name} {kind}".strip()
        rng = np.random.default_rng(sum(map(ord, op + full)))
        filled = [x.fill(kind, rng) if isinstance(x, In) else x for x in operands]
        constant = [isinstance(x, W) or isinstance(x, np.ndarray) or x is None for x in operands]
        inputs = [x for x, c in zip(filled, constant) if not c]
        written = [x if c else (x.shape, str(x.dtype)) for x, c in zip(filled, constant)]
        try:
            outputs = run(build(op, options, written, [(None, r) for r in results]), inputs)
        except (RuntimeError, ValueError) as error:
            print("refused:", op, full, str(error).splitlines()[0])
            continue
        declared = [(o.shape, str(o.dtype)) for o in outputs]
        assert tuple(d for _, d in declared) == tuple(results), (op, name, declared)
        model = build(op, options, written, declared)
        again = run(model, inputs)
        assert all(np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in zip(outputs, again)), (op, full)
        blobs = [full.encode(), model, b"".join(x.tobytes() for x in inputs), b"".join(x.tobytes() for x in outputs)]
        CASES.setdefault(op, []).append(b"".join(struct.pack("<I", len(b)) + b for b in blobs))


def i32(*x):
    return np.array(x, np.int32)


def scalar(x, dtype=np.int32):
    return np.array(x, dtype)


SAME, VALID = schema.Padding.SAME, schema.Padding.VALID
PADDINGS = [("same", SAME), ("valid", VALID)]
ACT = schema.ActivationFunctionType

# Elementwise, one operand.
UNARY = "ABS NEG EXP SIN COS TANH LOGISTIC FLOOR CEIL ROUND SIGN SQUARE ZEROS_LIKE RELU RELU6 RELU_N1_TO_1 RELU_0_TO_1 ELU HARD_SWISH"
UNARY_OPTIONS = {"ABS": "AbsOptions", "NEG": "NegOptions", "EXP": "ExpOptions", "SQUARE": "SquareOptions", "COS": "CosOptions",
                 "ZEROS_LIKE": "ZerosLikeOptions", "HARD_SWISH": "HardSwishOptions", "SIGN": "SignOptions"}
for op in UNARY.split():
    options = (UNARY_OPTIONS[op], {}) if op in UNARY_OPTIONS else None
    case(op, "", [In(3, 11, scale=3.0)], options)
    case(op, "scalar", [In()], options, kinds=("gaussian",))
for op in ("LOG", "SQRT", "RSQRT"):
    case(op, "", [In(3, 11, low=0.0625 if op != "SQRT" else 0, high=9, scale=3.0)], kinds=("gaussian",))
    case(op, "", [In(3, 11, low=1, high=16)], kinds=("lattice",))
for op in ("ROUND", "FLOOR", "CEIL"):
    case(op, "quarters", [In(4, 10, low=-12, high=12, step=0.25)], kinds=("lattice",))
for alpha in (0.0, 0.25, 1.5):
    case("LEAKY_RELU", f"alpha {alpha}", [In(3, 11)], ("LeakyReluOptions", {"alpha": alpha}))
for approximate in (False, True):
    case("GELU", f"approximate {approximate}", [In(3, 11, scale=2.0)], ("GeluOptions", {"approximate": approximate}))
for alpha in ((1, 1, 3), (3,), (4, 5, 3)):
    case("PRELU", f"alpha {alpha}", [In(2, 4, 5, 3), W(*alpha)])
case("LOGICAL_NOT", "", [In(7, dtype="bool")], ("LogicalNotOptions", {}), ("bool",), ("lattice",))

# Elementwise, two operands.
SHAPES = [((2, 3, 4), (2, 3, 4)), ((2, 3, 4), (4,)), ((3, 1), (2, 1, 4)), ((), (2, 3)), ((1, 1), (5,)), ((2, 1, 3, 1), (1, 4, 1, 2))]
FUSED = {"ADD": "AddOptions", "SUB": "SubOptions", "MUL": "MulOptions", "DIV": "DivOptions"}
for op, table in FUSED.items():
    for a, b in SHAPES:
        second = In(*b, low=1, high=4) if op == "DIV" else In(*b)
        case(op, f"{a} {b}", [In(*a), second], (table, {}))
    for act in (ACT.RELU, ACT.RELU6, ACT.RELU_N1_TO_1):
        second = In(3, 4, low=1, high=4) if op == "DIV" else In(3, 4)
        case(op, f"activation {act}", [In(3, 4), second], (table, {"fusedActivationFunction": act}))
    second = In(3, 4, dtype="int32", low=1, high=5) if op == "DIV" else In(3, 4, dtype="int32")
    case(op, "int32", [In(3, 4, dtype="int32"), second], (table, {}), ("int32",), ("lattice",))
for op, table in {"MAXIMUM": "MaximumMinimumOptions", "MINIMUM": "MaximumMinimumOptions", "SQUARED_DIFFERENCE": "SquaredDifferenceOptions"}.items():
    for a, b in SHAPES:
        case(op, f"{a} {b}", [In(*a), In(*b)], (table, {}))
case("POW", "", [In(2, 3, 4, low=0.125, high=4), In(4)], ("PowOptions", {}), kinds=("gaussian",))
case("POW", "", [In(2, 3, low=1, high=4), In(3, low=-2, high=3)], ("PowOptions", {}), kinds=("lattice",))
for dtype in ("float32", "int32"):
    for op in ("FLOOR_DIV", "FLOOR_MOD"):
        case(op, dtype, [In(4, 9, dtype=dtype), In(4, 9, dtype=dtype, low=1, high=5)], (op.title().replace("_", "") + "Options", {}), (dtype,), ("lattice",))
        case(op, dtype + " negative", [In(4, 9, dtype=dtype), In(9, dtype=dtype, low=-5, high=-1)], (op.title().replace("_", "") + "Options", {}), (dtype,), ("lattice",))
case("FLOOR_MOD", "", [In(4, 9, scale=5.0), In(9, low=0.5, high=4)], ("FloorModOptions", {}), kinds=("gaussian",))
for op in ("LOGICAL_AND", "LOGICAL_OR"):
    case(op, "", [In(4, 9, dtype="bool"), In(9, dtype="bool")], (op.title().replace("_", "") + "Options", {}), ("bool",), ("lattice",))
for op in ("LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL", "EQUAL", "NOT_EQUAL"):
    table = (op.title().replace("_", "") + "Options", {})
    for a, b in SHAPES[:3]:
        case(op, f"{a} {b}", [In(*a, low=-2, high=2), In(*b, low=-2, high=2)], table, ("bool",))
    case(op, "int32", [In(4, 9, dtype="int32", low=-2, high=2), In(9, dtype="int32", low=-2, high=2)], table, ("bool",), ("lattice",))
for n in (2, 5):
    case("ADD_N", f"{n}", [In(3, 4) for _ in range(n)], ("AddNOptions", {}))
for c, a, b in (((2, 3), (2, 3), (2, 3)), ((3,), (2, 3), (1,)), ((2, 1), (3,), (4, 1, 1)), ((), (2,), (2,))):
    case("SELECT_V2", f"{c} {a} {b}", [In(*c, dtype="bool"), In(*a), In(*b)], ("SelectV2Options", {}), kinds=("lattice",))
for c in ((2, 3), (2,), ()):
    case("SELECT", f"{c}", [In(*c, dtype="bool"), In(2, 3), In(2, 3)], ("SelectOptions", {}), kinds=("lattice",))
case("CAST", "float32 to int32", [In(4, 9, scale=20.0)], ("CastOptions", {"inDataType": 0, "outDataType": 2}), ("int32",))
case("CAST", "float32 to bool", [In(4, 9, low=-1, high=1)], ("CastOptions", {"inDataType": 0, "outDataType": 6}), ("bool",), ("lattice",))
case("CAST", "int32 to float32", [In(4, 9, dtype="int32")], ("CastOptions", {"inDataType": 2, "outDataType": 0}), kinds=("lattice",))
case("CAST", "bool to float32", [In(4, 9, dtype="bool")], ("CastOptions", {"inDataType": 6, "outDataType": 0}), kinds=("lattice",))
case("CAST", "int64 to int32", [In(4, 9, dtype="int64")], ("CastOptions", {"inDataType": 4, "outDataType": 2}), ("int32",), ("lattice",))
case("CAST", "float16 to float32", [In(4, 9, dtype="float16")], ("CastOptions", {"inDataType": 1, "outDataType": 0}))
case("CAST", "float32 to float16", [In(4, 9)], ("CastOptions", {"inDataType": 0, "outDataType": 1}), ("float16",))
case("DEQUANTIZE", "float16", [W(4, 9, dtype="float16")], ("DequantizeOptions", {}))

# Convolutions.
for (pad, p), stride, dilation, (kh, kw), (h, w) in itertools.product(
    PADDINGS, ((1, 1), (2, 3)), ((1, 1), (2, 1)), ((1, 1), (3, 2), (2, 4)), ((5, 6), (6, 9))
):
    fields = {"padding": p, "strideH": stride[0], "strideW": stride[1], "dilationHFactor": dilation[0], "dilationWFactor": dilation[1]}
    name = f"{pad} stride {stride} dilation {dilation} kernel {kh}x{kw} on {h}x{w}"
    kinds = ("lattice",) if (h, w) == (5, 6) else ("gaussian",)
    case("CONV_2D", name, [In(1, h, w, 2), W(3, kh, kw, 2), W(3)], ("Conv2DOptions", fields), kinds=kinds)
    case("DEPTHWISE_CONV_2D", name, [In(1, h, w, 2), W(1, kh, kw, 4), W(4)], ("DepthwiseConv2DOptions", {**fields, "depthMultiplier": 2}), kinds=kinds)
case("CONV_2D", "grouped", [In(2, 4, 4, 6), W(4, 3, 3, 3), W(4)], ("Conv2DOptions", {"strideH": 1, "strideW": 1}))
case("CONV_2D", "runtime filter", [In(2, 4, 4, 3), In(2, 3, 3, 3), In(2)], ("Conv2DOptions", {"strideH": 1, "strideW": 1}))
for act in (ACT.RELU, ACT.RELU6, ACT.RELU_N1_TO_1):
    case("CONV_2D", f"activation {act}", [In(1, 4, 4, 1), W(2, 3, 3, 1), W(2)], ("Conv2DOptions", {"strideH": 1, "strideW": 1, "fusedActivationFunction": act}))
case("DEPTHWISE_CONV_2D", "multiplier 1", [In(2, 5, 5, 8), W(1, 3, 3, 8), W(8)], ("DepthwiseConv2DOptions", {"strideH": 1, "strideW": 1, "depthMultiplier": 1}))
case("DEPTHWISE_CONV_2D", "one channel", [In(2, 5, 5, 1), W(1, 3, 3, 3), W(3)], ("DepthwiseConv2DOptions", {"strideH": 1, "strideW": 1, "depthMultiplier": 3}))
for (pad, p), stride, (kh, kw), extra in itertools.product(PADDINGS, ((1, 1), (2, 2), (3, 2)), ((1, 1), (3, 3), (2, 4)), (0, 1)):
    h, w = 3, 4
    oh, ow = (h * stride[0], w * stride[1]) if p == SAME else ((h - 1) * stride[0] + kh, (w - 1) * stride[1] + kw)
    oh, ow = (oh - (extra if stride[0] > 1 else 0), ow - (extra if stride[1] > 1 else 0)) if p == SAME else (oh + (extra if stride[0] > 1 else 0), ow)
    case("TRANSPOSE_CONV", f"{pad} stride {stride} kernel {kh}x{kw} extra {extra}", [i32(1, oh, ow, 2), W(2, kh, kw, 3), In(1, h, w, 3)],
         ("TransposeConvOptions", {"padding": p, "strideH": stride[0], "strideW": stride[1]}))
case("TRANSPOSE_CONV", "bias", [i32(1, 4, 6, 2), W(2, 3, 3, 3), In(1, 2, 3, 3), W(2)], ("TransposeConvOptions", {"padding": SAME, "strideH": 2, "strideW": 2}))
for (pad, p), stride, dilation in itertools.product(PADDINGS, ((1, 1, 1), (2, 1, 2)), ((1, 1, 1), (1, 2, 1))):
    fields = {"padding": p, "strideD": stride[0], "strideH": stride[1], "strideW": stride[2], "dilationDFactor": dilation[0], "dilationHFactor": dilation[1], "dilationWFactor": dilation[2]}
    case("CONV_3D", f"{pad} stride {stride} dilation {dilation}", [In(1, 3, 5, 4, 2), W(2, 3, 2, 2, 2), W(2)], ("Conv3DOptions", fields))

# Products of matrices.
for keep in (False, True):
    case("FULLY_CONNECTED", f"keep {keep}", [In(2, 3, 5), W(4, 5), W(4)], ("FullyConnectedOptions", {"keepNumDims": keep}))
case("FULLY_CONNECTED", "flattening", [In(2, 3, 2, 2), W(5, 12), None], ("FullyConnectedOptions", {}))
case("FULLY_CONNECTED", "no bias", [In(1, 7), W(3, 7)], ("FullyConnectedOptions", {"fusedActivationFunction": ACT.RELU}))
for x, y in (((2, 3), (3, 4)), ((2, 2, 3), (2, 3, 4)), ((2, 1, 2, 3), (3, 3, 4)), ((1, 2, 3), (4, 3, 2))):
    for adj_x, adj_y in itertools.product((False, True), repeat=2):
        a = x[:-2] + (x[-1], x[-2]) if adj_x else x
        b = y[:-2] + (y[-1], y[-2]) if adj_y else y
        case("BATCH_MATMUL", f"{a} {b} {adj_x} {adj_y}", [In(*a), In(*b)], ("BatchMatMulOptions", {"adjX": adj_x, "adjY": adj_y}))

# Pooling.
for op, (pad, p), stride, (kh, kw) in itertools.product(
    ("MAX_POOL_2D", "AVERAGE_POOL_2D", "L2_POOL_2D"), PADDINGS, ((1, 1), (2, 3)), ((1, 1), (3, 2), (5, 4))
):
    fields = {"padding": p, "strideH": stride[0], "strideW": stride[1], "filterHeight": kh, "filterWidth": kw}
    case(op, f"{pad} stride {stride} filter {kh}x{kw}", [In(2, 5, 6, 2)], ("Pool2DOptions", fields))
case("AVERAGE_POOL_2D", "activation", [In(1, 4, 4, 3)], ("Pool2DOptions", {"padding": VALID, "strideH": 2, "strideW": 2, "filterHeight": 2, "filterWidth": 2, "fusedActivationFunction": ACT.RELU}))

# Reductions and order.
for op in ("SUM", "MEAN", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD"):
    for axes, keep in (((1,), False), ((-1,), True), ((0, 2), False), ((2, 0), True), ((0, 1, 2), False), ((1, 2), True), ((), False)):
        low, high = (-2, 2) if op == "REDUCE_PROD" else (-8, 8)
        case(op, f"{axes} {keep}", [In(2, 3, 4, low=low, high=high), i32(*axes)], ("ReducerOptions", {"keepDims": keep}))
    case(op, "four axes", [In(2, 3, 2, 4, low=-2, high=2), i32(1, 2)], ("ReducerOptions", {"keepDims": False}))
    if op != "MEAN":
        case(op, "int32", [In(2, 3, dtype="int32", low=-3, high=3), i32(1)], ("ReducerOptions", {}), ("int32",), ("lattice",))
for op in ("REDUCE_ANY", "REDUCE_ALL"):
    case(op, "", [In(5, 3, dtype="bool"), i32(1)], ("ReducerOptions", {}), ("bool",), ("lattice",))
for exclusive, reverse, axis in itertools.product((False, True), (False, True), (0, 1, -1)):
    case("CUMSUM", f"{exclusive} {reverse} {axis}", [In(2, 5, 3), scalar(axis)], ("CumsumOptions", {"exclusive": exclusive, "reverse": reverse}))
for op in ("ARG_MAX", "ARG_MIN"):
    for axis in (0, 1, -1):
        case(op, f"{axis}", [In(3, 5, 4, low=-3, high=3), scalar(axis)], (op.title().replace("_", "") + "Options", {"outputType": schema.TensorType.INT32}), ("int32",))
for k in (1, 3, 6):
    case("TOPK_V2", f"{k}", [In(4, 6, low=-3, high=3), scalar(k)], ("TopKV2Options", {}), ("float32", "int32"))

# Softmax and normalisation.
for shape in ((3, 5), (2, 2, 7), (1, 2, 3, 4), (6,)):
    for beta in (1.0, 0.5):
        case("SOFTMAX", f"{shape} {beta}", [In(*shape, scale=4.0)], ("SoftmaxOptions", {"beta": beta}))
    case("LOG_SOFTMAX", f"{shape}", [In(*shape, scale=4.0)], ("LogSoftmaxOptions", {}))
    case("L2_NORMALIZATION", f"{shape}", [In(*shape)], ("L2NormOptions", {}))
for radius, beta in ((0, 1.0), (1, 0.5), (2, 0.75), (9, 0.75)):
    case("LOCAL_RESPONSE_NORMALIZATION", f"radius {radius} beta {beta}", [In(1, 2, 2, 6)], ("LocalResponseNormalizationOptions", {"radius": radius, "bias": 2.0, "alpha": 0.25, "beta": beta}))

# Movements: lattice inputs only, because nothing is rounded.
L = ("lattice",)
for axis, shapes in ((0, ((2, 3), (1, 3))), (1, ((2, 3), (2, 1), (2, 2))), (-1, ((2, 2, 3), (2, 2, 1))), (1, ((1, 2, 2, 2), (1, 3, 2, 2)))):
    case("CONCATENATION", f"{axis} {shapes}", [In(*s) for s in shapes], ("ConcatenationOptions", {"axis": axis}), kinds=L)
for axis in (0, 1, -1, 2):
    case("PACK", f"{axis}", [In(2, 3) for _ in range(3)], ("PackOptions", {"axis": axis, "valuesCount": 3}), kinds=L)
for axis, n in ((0, 2), (1, 3), (-1, 4)):
    case("UNPACK", f"{axis}", [In(2, 3, 4)], ("UnpackOptions", {"axis": axis, "num": n}), ("float32",) * n, L)
for axis, n in ((0, 2), (1, 3), (-1, 2)):
    case("SPLIT", f"{axis} {n}", [scalar(axis), In(4, 3, 6)], ("SplitOptions", {"numSplits": n}), ("float32",) * n, L)
for axis, sizes in ((0, (1, 3)), (2, (2, -1, 1)), (-1, (6,))):
    case("SPLIT_V", f"{axis} {sizes}", [In(4, 3, 6), i32(*sizes), scalar(axis)], ("SplitVOptions", {"numSplits": len(sizes)}), ("float32",) * len(sizes), L)
for begin, size in (((0, 0, 0), (2, 3, 4)), ((1, 0, 2), (1, -1, 2)), ((0, 2, 1), (-1, 1, -1))):
    case("SLICE", f"{begin} {size}", [In(2, 3, 4), i32(*begin), i32(*size)], ("SliceOptions", {}), kinds=L)
STRIDED = [
    ((0, 1), (2, 3), (1, 1), {}), ((1, -1), (2, -4), (1, -1), {}), ((-9, 0), (9, 9), (1, 2), {}), ((0, 4), (2, 0), (1, -2), {}),
    ((1, 1), (2, 2), (1, 1), {"beginMask": 1, "endMask": 2}), ((1, 3), (0, 0), (1, -1), {"beginMask": 2, "endMask": 3}),
    ((1, 1), (2, 2), (1, 1), {"shrinkAxisMask": 1}), ((-1, 2), (0, 9), (1, 1), {"shrinkAxisMask": 1}), ((1, 2), (2, 3), (1, 1), {"shrinkAxisMask": 3}),
    ((0, 1, 1), (0, 2, 4), (1, 1, 1), {"newAxisMask": 1}), ((0, 0, 1), (2, 0, 4), (1, 1, 1), {"newAxisMask": 2}),
    ((0, 1), (0, 3), (1, 1), {"ellipsisMask": 1}), ((1, 0, 1), (2, 0, 3), (1, 1, 1), {"ellipsisMask": 2, "shrinkAxisMask": 1}),
    ((0, 0, 2), (0, 0, 4), (1, 1, 1), {"ellipsisMask": 1, "newAxisMask": 2}), ((1,), (2,), (1,), {}), ((1, 1), (1, 2), (1, 1), {"offset": True}),
]
for begin, end, step, masks in STRIDED:
    for shape in ((2, 5), (2, 5, 4)):
        if "offset" in masks and len(begin) < len(shape):
            continue  # LiteRT 2.3.0 reads `end` beyond its end here: the result's extent is whatever lies there.
        case("STRIDED_SLICE", f"{begin} {end} {step} {masks} of {shape}", [In(*shape), i32(*begin), i32(*end), i32(*step)], ("StridedSliceOptions", masks), kinds=L)
for pads in (((0, 0), (1, 2), (0, 0)), ((1, 0), (0, 3), (2, 2))):
    array = np.array(pads, np.int32)
    case("PAD", f"{pads}", [In(2, 3, 2), array], ("PadOptions", {}), kinds=L)
    case("PADV2", f"{pads}", [In(2, 3, 2), array, W()], ("PadV2Options", {}), kinds=L)
for mode, pads in ((0, ((1, 0), (2, 2))), (1, ((2, 1), (3, 3))), (1, ((0, 0), (0, 1)))):
    case("MIRROR_PAD", f"{mode} {pads}", [In(2, 3), np.array(pads, np.int32)], ("MirrorPadOptions", {"mode": mode}), kinds=L)
for perm in ((0, 1, 2), (2, 1, 0), (1, 0, 2), (0, 2, 1), (0, 3, 1, 2), (0, 2, 3, 1), (3, 0, 2, 1), (4, 0, 2, 3, 1)):
    case("TRANSPOSE", f"{perm}", [In(*range(2, 2 + len(perm))), i32(*perm)], ("TransposeOptions", {}), kinds=L)
for shape in ((6, 4), (-1,), (2, -1, 2), (1, 24, 1)):
    case("RESHAPE", f"{shape}", [In(2, 3, 4), i32(*shape)], ("ReshapeOptions", {"newShape": list(shape)}), kinds=L)
for dims in ((), (0,), (-1,), (0, 2)):
    case("SQUEEZE", f"{dims}", [In(1, 3, 1)], ("SqueezeOptions", {"squeezeDims": list(dims)}), kinds=L)
for axis in (0, 1, -1, -2):
    case("EXPAND_DIMS", f"{axis}", [In(2, 3), scalar(axis)], ("ExpandDimsOptions", {}), kinds=L)
for axis, batch, x, i in ((0, 0, (4, 3), (2,)), (1, 0, (2, 4, 3), (2, 2)), (-1, 0, (2, 4), ()), (1, 1, (2, 4, 3), (2, 3)), (2, 1, (2, 3, 4), (2, 2)), (2, 2, (2, 3, 4), (2, 3, 1))):
    extent = x[axis]
    case("GATHER", f"{axis} {batch} {x} {i}", [In(*x), In(*i, dtype="int32", low=0, high=extent - 1)], ("GatherOptions", {"axis": axis, "batchDims": batch}), kinds=L)
for x, i in (((4, 4, 3), (2, 2)), ((4, 4), (3, 2)), ((4, 3), (2, 2, 1))):
    case("GATHER_ND", f"{x} {i}", [In(*x), In(*i, dtype="int32", low=0, high=3)], ("GatherNdOptions", {}), kinds=L)
for i, u, s in (((3, 1), (3,), (5,)), ((4, 2), (4, 3), (3, 2, 3)), ((2, 2, 1), (2, 2, 2), (4, 2))):
    case("SCATTER_ND", f"{i} {s}", [In(*i, dtype="int32", low=0, high=1), In(*u), i32(*s)], ("ScatterNdOptions", {}), kinds=L)
case("EMBEDDING_LOOKUP", "", [In(4, dtype="int32", low=0, high=4), W(5, 3, 2)], kinds=L)
for times in ((1, 2), (3, 1), (2, 3)):
    case("TILE", f"{times}", [In(2, 3), i32(*times)], ("TileOptions", {}), kinds=L)
for x, shape in (((3,), (2, 3)), ((2, 1), (2, 4)), ((1, 3, 1), (2, 3, 2)), ((), (2, 2))):
    case("BROADCAST_TO", f"{x} {shape}", [In(*x), i32(*shape)], ("BroadcastToOptions", {}), kinds=L)
case("BROADCAST_ARGS", "", [i32(2, 1), i32(3, 1, 4)], results=("int32",), kinds=L)
for block in (2, 3):
    case("DEPTH_TO_SPACE", f"{block}", [In(2, 2, 3, 2 * block * block)], ("DepthToSpaceOptions", {"blockSize": block}), kinds=L)
    case("SPACE_TO_DEPTH", f"{block}", [In(2, 2 * block, block, 2)], ("SpaceToDepthOptions", {"blockSize": block}), kinds=L)
case("BATCH_TO_SPACE_ND", "4d", [In(12, 2, 3, 2), i32(2, 3), np.array([[1, 0], [0, 2]], np.int32)], ("BatchToSpaceNDOptions", {}), kinds=L)
case("BATCH_TO_SPACE_ND", "3d", [In(4, 3, 2), i32(2), np.array([[1, 1]], np.int32)], ("BatchToSpaceNDOptions", {}), kinds=L)
case("SPACE_TO_BATCH_ND", "4d", [In(2, 3, 4, 2), i32(2, 3), np.array([[1, 0], [0, 2]], np.int32)], ("SpaceToBatchNDOptions", {}), kinds=L)
case("SPACE_TO_BATCH_ND", "3d", [In(2, 3, 2), i32(2), np.array([[1, 0]], np.int32)], ("SpaceToBatchNDOptions", {}), kinds=L)
for axes in ((0,), (1,), (-1,)):
    case("REVERSE_V2", f"{axes}", [In(2, 3, 4), i32(*axes)], ("ReverseV2Options", {}), kinds=L)
for x, u, s in (((4, 5), (2, 2), (1, 2)), ((4, 5), (2, 2), (3, 9)), ((6,), (2,), (-1,))):
    case("DYNAMIC_UPDATE_SLICE", f"{x} {u} {s}", [In(*x), In(*u), i32(*s)], ("DynamicUpdateSliceOptions", {}), kinds=L)
for out_type, dtype in ((2, "int32"), (4, "int64")):
    case("SHAPE", dtype, [In(2, 5, 1)], ("ShapeOptions", {"outType": out_type}), (dtype,), L)
case("RANK", "", [In(2, 5, 1)], ("RankOptions", {}), ("int32",), L)
case("FILL", "", [i32(2, 3), In()], ("FillOptions", {}), kinds=L)
for start, limit, delta in ((0, 5, 1), (5, -2, -3), (1, 2, 5)):
    case("RANGE", f"int32 {start} {limit} {delta}", [scalar(start), scalar(limit), scalar(delta)], ("RangeOptions", {}), ("int32",), L)
    f = np.float32
    case("RANGE", f"float32 {start} {limit} {delta}", [scalar(start, f), scalar(limit, f), scalar(delta / 2, f)], ("RangeOptions", {}), kinds=L)
for axis in (-1, 0, 1):
    case("ONE_HOT", f"{axis}", [In(2, 3, dtype="int32", low=-1, high=5), scalar(4), W(), W()], ("OneHotOptions", {"axis": axis}), kinds=L)

# Resizing.
SIZES = [((2, 3), (4, 6)), ((3, 4), (5, 7)), ((5, 6), (3, 2)), ((2, 2), (1, 1)), ((1, 1), (3, 2)), ((4, 5), (4, 5)), ((5, 3), (15, 9))]
for (h, w), size in SIZES:
    for align, half in ((False, False), (True, False), (False, True)):
        x, new = In(1, h, w, 2), i32(*size)
        name = f"{(h, w)} to {size} align {align} half {half}"
        fields = {"alignCorners": align, "halfPixelCenters": half}
        case("RESIZE_BILINEAR", name, [x, new], ("ResizeBilinearOptions", fields))
        case("RESIZE_NEAREST_NEIGHBOR", name, [x, new], ("ResizeNearestNeighborOptions", fields), kinds=L)

with zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
    for op in sorted(CASES):
        entry = zipfile.ZipInfo(op, (1980, 1, 1, 0, 0, 0))
        entry.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(entry, b"".join(CASES[op]))
print(sum(map(len, CASES.values())), "cases of", len(CASES), "operators")
