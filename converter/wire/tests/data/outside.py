"""Writes .tflite files with the schema classes of ai-edge-litert (2.3.0), and compares files by them.

    python outside.py write DIR          the files of this directory, and what halfproof should see in them
    python outside.py compare A B        exit 0 when both files hold the same object tree
    python outside.py run FILE           loads FILE in LiteRT's interpreter and runs it on small integers
"""

import inspect
import re
import sys
from pathlib import Path

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as s

TYPES = {v: "".join(p.capitalize() for p in k.split("_")) for k, v in vars(s.TensorType).items() if k.isupper()}
ENUMS = {
    "padding": (1, "Valid"),
    "fused_activation_function": (3, "Relu6"),
    "mode": (1, "Symmetric"),
}
SUBGRAPHS = {"subgraph", "then_subgraph_index", "else_subgraph_index", "cond_subgraph_index", "body_subgraph_index", "init_subgraph_index"}


def snake(name):
    return re.sub(r"([A-Z])", lambda m: "_" + m[1].lower(), name)


def away_from_default(field, index, default):
    """A value that is not the default, and how halfproof prints it."""
    if field in ENUMS:
        return ENUMS[field]
    if field.endswith("_type") and field not in ("kernel_type", "type") or field.endswith("dtype"):
        return 4, TYPES[4]
    if field in SUBGRAPHS:
        return 1, "1"
    if field in ("container", "shared_name"):
        return f"s{index}", f'"s{index}"'
    if field == "boundaries":
        return [0.5, 1.5], "[0.5, 1.5]"
    if default is None:
        return [index, 7], f"[{index}, 7]"
    if isinstance(default, bool):
        return not default, str(not default).lower()
    if isinstance(default, float):
        return index + 0.5, f"{index + 0.5}"
    return index + 20, str(index + 20)


def options():
    """(union number, table name, object, text) for every option table."""
    names = sorted((v, k) for k, v in vars(s.BuiltinOptions).items() if isinstance(v, int) and v)
    for tag, name in names:
        made = getattr(s, name + "T")()
        text = ""
        # Tables without fields have no constructor of their own.
        fields = inspect.signature(type(made).__init__).parameters if "__init__" in vars(type(made)) else {}
        for index, (field, p) in enumerate((f, p) for f, p in fields.items() if f not in ("self", "args", "kwargs", "quantSpec")):
            value, shown = away_from_default(snake(field), index, p.default)
            setattr(made, field, value)
            text += f" {snake(field).replace('type', 'kind') if name == 'LSHProjectionOptions' else snake(field)}={shown}"
        yield tag, name, made, text


def tensor(name, shape, dtype, buffer=0, **more):
    t = s.TensorT()
    t.name, t.shape, t.type, t.buffer, t.hasRank = name, shape, dtype, buffer, True
    for key, value in more.items():
        setattr(t, key, value)
    return t


def code(number, version=1, old_only=False):
    c = s.OperatorCodeT()
    c.deprecatedBuiltinCode, c.builtinCode, c.version = min(number, 127), 0 if old_only else number, version
    return c


def operator(index, inputs, outputs, tag=0, options=None):
    o = s.OperatorT()
    o.opcodeIndex, o.inputs, o.outputs = index, inputs, outputs
    o.builtinOptionsType, o.builtinOptions = tag, options
    return o


def subgraph(name, tensors, inputs, outputs, operators):
    g = s.SubGraphT()
    g.name, g.tensors, g.inputs, g.outputs, g.operators = name, tensors, inputs, outputs, operators
    return g


def buffer(data=None):
    b = s.BufferT()
    b.data = None if data is None else np.frombuffer(data, np.uint8)
    return b


def model(codes, subgraphs, buffers):
    m = s.ModelT()
    m.version, m.description, m.operatorCodes, m.subgraphs, m.buffers = 3, "outside", codes, subgraphs, buffers
    return m


def pack(m):
    builder = flatbuffers.Builder(1024)
    builder.Finish(m.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def every_option():
    """One operator per option table, every field away from its default."""
    tensors = [tensor("x", [1], 0), tensor("y", [1], 0)]
    operators, text = [], "subgraph 0 main(0 x) -> (1 y)\n  tensor 0 x: FLOAT32 [1]\n  tensor 1 y: FLOAT32 [1]\n"
    for i, (tag, _, made, shown) in enumerate(options()):
        operators.append(operator(0, [0, -1], [1], tag, made))
        text += f"  op {i} ADD(0 x, -) -> (1 y){shown} version=2\n"
    text += "subgraph 1 branch() -> ()\n"
    graphs = [subgraph("main", tensors, [0], [1], operators), subgraph("branch", [], [], [], [])]
    return model([code(0, 2)], graphs, [buffer()]), text


def plain():
    """CONV_2D from before builtin_code, float16 weights, quantized tensor, metadata, signature, variable."""
    q = s.QuantizationParametersT()
    q.scale, q.zeroPoint, q.quantizedDimension = [0.5, 0.25], [0, -3], 3
    tensors = [
        tensor("x", [1, 4, 4, 1], 0, shapeSignature=[-1, 4, 4, 1]),
        tensor("w16", [2, 1, 1, 1], 1, 2),
        tensor("w", [2, 1, 1, 1], 0, 1),
        tensor("y", [1, 4, 4, 2], 0, 1),
        tensor("q", [1, 1, 1, 2], 9, 4, quantization=q),
        tensor("state", [3], 0, isVariable=True),
        tensor("b", [2], 0, 5),
    ]
    conv = s.Conv2DOptionsT()
    conv.strideW = conv.strideH = 1
    conv.fusedActivationFunction = 1
    operators = [operator(1, [1], [2], 38, s.DequantizeOptionsT()), operator(0, [0, 2, 6], [3], 1, conv)]
    weights = np.array([1, -2], np.float16).tobytes()
    buffers = [buffer(), buffer(), buffer(weights), buffer(b"1.13.0"), buffer(b"\x01\xff"), buffer(np.array([0.5, -0.25], np.float32).tobytes())]
    m = model([code(3, old_only=True), code(6, 5)], [subgraph("main", tensors, [0], [3], operators)], buffers)
    meta = s.MetadataT()
    meta.name, meta.buffer = "min_runtime_version", 3
    m.metadata = [meta]
    a, b, sig = s.TensorMapT(), s.TensorMapT(), s.SignatureDefT()
    a.name, a.tensorIndex, b.name, b.tensorIndex = "image", 0, "scores", 3
    sig.inputs, sig.outputs, sig.signatureKey, sig.subgraphIndex = [a], [b], "serving_default", 0
    m.signatureDefs = [sig]
    return m, """main(0 x) -> (3 y)
  tensor 0 x: FLOAT32 [-1, 4, 4, 1]
  tensor 1 w16: FLOAT16 [2, 1, 1, 1] = buffer 2, 4 bytes
  tensor 2 w: FLOAT32 [2, 1, 1, 1]
  tensor 3 y: FLOAT32 [1, 4, 4, 2]
  tensor 4 q: INT8 [1, 1, 1, 2] = buffer 4, 2 bytes scale=[0.5, 0.25] zero_point=[0, -3]
  tensor 5 state: FLOAT32 [3] variable
  tensor 6 b: FLOAT32 [2] = buffer 5, 8 bytes
  op 0 DEQUANTIZE(1 w16) -> (2 w) version=5
  op 1 CONV_2D(0 x, 2 w, 6 b) -> (3 y) stride_w=1 stride_h=1 fused_activation_function=Relu
signature serving_default of subgraph 0: (image = 0) -> (scores = 3)
"""


def with_tensor(change):
    t = tensor("t", [4], 0)
    change(t)
    return model([], [subgraph("main", [t], [], [], [])], [buffer()])


def sparse():
    def change(t):
        t.sparsity = s.SparsityParametersT()
        t.sparsity.traversalOrder = [0]
    return with_tensor(change), 'not supported: subgraph 0, tensor 0 "t": sparsity'


def blockwise():
    def change(t):
        t.quantization = s.QuantizationParametersT()
        t.quantization.detailsType, t.quantization.details = 2, s.BlockwiseQuantizationT()
    return with_tensor(change), 'not supported: subgraph 0, tensor 0 "t": blockwise quantization'


def variant():
    def change(t):
        t.type, t.variantTensors = 14, [s.VariantSubTypeT()]
    return with_tensor(change), 'not supported: subgraph 0, tensor 0 "t": variant_tensors'


def external():
    def change(t):
        t.externalBuffer = 1
    return with_tensor(change), 'not supported: subgraph 0, tensor 0 "t": external_buffer: data in another file'


def stablehlo():
    o = operator(0, [0], [1])
    o.builtinOptions2Type, o.builtinOptions2 = 19, s.StableHLOCompositeOptionsT()
    graph = subgraph("main", [tensor("x", [1], 0), tensor("y", [1], 0)], [0], [1], [o])
    return model([code(206)], [graph], [buffer()]), (
        "not supported: subgraph 0, operator 0 STABLEHLO_COMPOSITE: builtin_options_2 of kind 19"
    )


def quant_spec():
    """A field that came into the schema after halfproof's tables were written."""
    options = s.FullyConnectedOptionsT()
    options.quantSpec = [1]
    graph = subgraph("main", [tensor("x", [1], 0)], [0], [0], [operator(0, [0], [0], 8, options)])
    return model([code(9)], [graph], [buffer()]), (
        "not supported: subgraph 0, operator 0 FULLY_CONNECTED: field 5 of its options, new in the schema"
    )


def future():
    graph = subgraph("main", [tensor("x", [1], 0)], [0], [0], [operator(0, [0], [0])])
    return model([code(1000)], [graph], [buffer()]), "not supported: operator code 0: builtin operator number 1000"


FILES = [every_option, plain, sparse, blockwise, variant, external, stablehlo, quant_spec, future]


def write(folder):
    for make in FILES:
        made, expected = make()
        Path(folder, make.__name__ + ".tflite").write_bytes(pack(made))
        Path(folder, make.__name__ + ".txt").write_text(expected.rstrip("\n") + "\n")


def tree(value, codes=None):
    """The object tree as plain data; operator codes by content, since their order is the writer's choice."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, list):
        return [tree(v, codes) for v in value]
    if isinstance(value, bytes):
        return value.decode()
    if type(value).__module__ == s.__name__:
        fields = {k: tree(v, codes) for k, v in vars(value).items()}
        if isinstance(value, s.OperatorT):
            fields["opcodeIndex"] = codes[value.opcodeIndex]
        if isinstance(value, s.OperatorCodeT):
            fields["builtinCode"] = max(value.builtinCode, value.deprecatedBuiltinCode)
        fields.pop("operatorCodes", None)
        # Absent and empty mean the same for these.
        return {k: None if v in ([], "") else v for k, v in fields.items()}
    return value


def compare(a, b):
    trees = []
    for path in (a, b):
        m = s.ModelT.InitFromObj(s.Model.GetRootAsModel(Path(path).read_bytes(), 0))
        trees.append(tree(m, [tree(c) for c in m.operatorCodes or []]))
    if trees[0] != trees[1]:
        for key in trees[0]:
            if trees[0][key] != trees[1][key]:
                print(f"{key}:\n  {trees[0][key]}\n  {trees[1][key]}")
        sys.exit(1)


def run(path):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(path)
    interpreter.allocate_tensors()
    for d in interpreter.get_input_details():
        interpreter.set_tensor(d["index"], (np.arange(np.prod(d["shape"])) % 7 - 3).reshape(d["shape"]).astype(d["dtype"]))
    interpreter.invoke()
    for d in interpreter.get_output_details():
        print(d["name"], d["dtype"].__name__, d["shape"], interpreter.get_tensor(d["index"]).ravel().tolist())


if __name__ == "__main__":
    {"write": write, "compare": compare, "run": run}[sys.argv[1]](*sys.argv[2:])
