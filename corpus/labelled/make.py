"""Writes the cases of this folder: graphs rebuilt by hand from published reports, with the verdict that a careful
person would give. Nothing is taken over from the reports but the operators, shapes and values that they name.

Run with NumPy: python make.py. A change here is a change of what the judge must say: review it as such.
"""

import pathlib

import numpy as np

HERE = pathlib.Path(__file__).parent
RIGHT = '[[expect]]\nclass = ["pass", "explained"]\nbecause = "{}"\n'
RANGE = """[[expect]]
precision = "full"
class = ["nonfinite"]
blame = "precision policy"
because = "{}"

[[expect]]
precision = "mixed"
class = ["pass", "explained"]
because = "a float32 island holds the values"
"""


def case(name, title, link, graph, inputs, expect, precisions=()):
    folder = HERE / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "graph.txt").write_text(graph.strip() + "\n")
    np.savez(folder / "inputs.npz", **{f"{s}/{k}": np.float32(v) for s, xs in inputs.items() for k, v in xs.items()})
    lines = [f'title = "{title}"']
    if precisions:
        lines.append("precisions = [" + ", ".join(f'"{p}"' for p in precisions) + "]")
    lines += ["", "[origin]", 'kind = "report"', f'link = "{link}"', "", expect]
    (folder / "case.toml").write_text("\n".join(lines))


def grid(*shape):
    """Small distinct multiples of a quarter, exact in float16."""
    n = int(np.prod(shape))
    return ((np.arange(n) * 7 % 41) / 4 - 5).reshape(shape)


TF = "https://github.com/tensorflow/tensorflow/issues/"
LITERT = "https://github.com/google-ai-edge/LiteRT/issues/"

case(
    "tensorflow/43719-mask-of-1e30", "an attention mask multiplied by 1e30, nothing masked", TF + "43719",
    """
mask = input f32[1,1,1,4]
scores = input f32[1,2,4,4]
one = const f32[] {1}
large = const f32[] {1e30}
hidden = Sub(one, mask)
penalty = Mul(hidden, large)
s = Sub(scores, penalty)
y = Softmax(s)
output y
""",
    {"all": {"mask": np.ones((1, 1, 1, 4)), "scores": grid(1, 2, 4, 4)}},
    RANGE.format("1e30 becomes inf, and inf times 0 is NaN where the source has 0"), ["full", "mixed"],
)
case(
    "coremltools/2669-fully-masked-row", "a row of scores masked by the lowest float32",
    "https://github.com/apple/coremltools/pull/2669",
    """
scores = input f32[1,1,2,4]
keep = const bool[1,1,2,4] {0, 0, 0, 0, 1, 1, 0, 1}
zero = const f32[] {0}
lowest = const f32[] {-3.4028235e38}
mask = Where(keep, zero, lowest)
s = Add(scores, mask)
y = Softmax(s)
output y
""",
    {"grid": {"scores": grid(1, 1, 2, 4)}},
    RANGE.format("the masked row is -inf throughout, and softmax of it NaN where the source has 0.25"),
    ["full", "mixed"],
)
case(
    "litert/9249-sum-then-scale", "a mean written as a sum and a scale, the sum beyond float16", LITERT + "9249",
    """
x = input f32[1,2,16,16]
axes = const i64[2] {2, 3}
n = const f32[] {0.00390625}
sum = ReduceSum(x, axes)
y = Mul(sum, n)
output y
""",
    {"600": {"x": np.full((1, 2, 16, 16), 600)}},
    # Only the inputs make the sum overflow, and no conversion sees those: what mixed does is not labelled.
    RANGE.split("\n\n")[0].format("the sum is 153600, beyond 65504; the mean of 600 is not") + "\n", ["full"],
)
case(
    "litert/9249-mean", "the same mean as one operator", LITERT + "9249",
    """
x = input f32[1,2,16,16]
axes = const i64[2] {2, 3}
y = ReduceMean(x, axes)
output y
""",
    {"600": {"x": np.full((1, 2, 16, 16), 600)}},
    '[[expect]]\nsystem = "interp-f32"\nclass = ["pass", "explained"]\nbecause = "a mean divides before it is stored"\n\n'
    '[[expect]]\nclass = ["pass", "explained", "undecidable"]\n'
    'because = "the sum overflows in a kernel that accumulates in float16, and not every contract says which one does"\n',
)
case(
    "tensorflow/120289-associativity", "a product of three matrices in two orders", TF + "120289",
    """
x = input f32[2,512]
a = const f32[512,256] gaussian(1)
b = const f32[256,128] gaussian(2)
s = const f32[] {0.04}
xs = Mul(x, s)
xa = MatMul(xs, a)
xas = Mul(xa, s)
y = MatMul(xas, b)
output y
""",
    {"grid": {"x": grid(2, 512)}},
    RIGHT.format("orders of rounded sums differ, and the bound says by how much"),
)
case(
    "onnxconverter/295-weights-beyond-1e4", "finite weights that a default clamps to 1e4",
    "https://github.com/microsoft/onnxconverter-common/issues/295",
    """
x = input f32[1,4]
c = const f32[4] {9999, 20000, 60000, -30000}
y = Mul(x, c)
output y
""",
    {"ones": {"x": np.ones((1, 4))}},
    RIGHT.format("all four are within float16; a clamp would be off by half and more"),
)
case(
    "coremltools/2687-softplus", "softplus where its exponential overflows float16",
    "https://github.com/apple/coremltools/issues/2687",
    """
x = input f32[7]
y = Softplus(x)
output y
""",
    {"reported": {"x": [-20, 0, 10, 10.5, 11, 11.125, 20]}},
    RIGHT.format("softplus of x is about x, far within float16"),
)
case(
    "ncnn/6979-gelu-of-large-values", "tanh and the tanh form of gelu far from zero",
    "https://github.com/Tencent/ncnn/pull/6979",
    """
x = input f32[8]
t = Tanh(x)
y = Gelu(x) approximate="tanh"
output t
output y
""",
    {"reported": {"x": [-1500, -100, -9, -4, 2, 6, 12, 100]}},
    RIGHT.format("tanh never leaves [-1, 1]; gelu of a large negative value is 0"),
)
case(
    "litert/4847-stride-beyond-input", "a convolution whose SAME padding would be negative", LITERT + "4847",
    """
x = input f32[1,7,17,18]
w = const f32[16,7,3,3] lattice(3)
y = Conv(x, w) auto_pad="SAME_UPPER" strides=[10,10]
output y
""",
    {"grid": {"x": grid(1, 7, 17, 18)}},
    RIGHT.format("no padding is needed; the result is not zero"),
)
case(
    "tensorflow/61968-normalise-after-transpose", "an L2 normalisation along a transposed axis", TF + "61968",
    """
x = input f32[1,1,2]
one = const f32[] {1}
a = Add(x, one)
t = Transpose(a) perm=[2,1,0]
y = LpNormalization(t) axis=0
output y
""",
    {"one": {"x": np.ones((1, 1, 2))}},
    RIGHT.format("both elements are 0.7071: the axis moves with the transpose"),
)
case(
    "tensorflow/44060-mean-of-all-rows", "a mean over two axes of a matrix with distinct rows", TF + "44060",
    """
x = input f32[1,16,16]
axes = const i64[2] {1, 2}
y = ReduceMean(x, axes) keepdims=0
output y
""",
    {"rows": {"x": np.repeat(np.arange(16), 16).reshape(1, 16, 16)}},
    RIGHT.format("7.5, not the mean of the first row"),
)
case(
    "tensorflow/48206-transpose-of-unit-axis", "a transpose that only moves an axis of extent 1", TF + "48206",
    """
x = input f32[1,6,1]
mean = const f32[6] lattice(4)
t = Transpose(x) perm=[0,2,1]
y = Sub(t, mean)
output y
""",
    {"grid": {"x": grid(1, 6, 1)}},
    RIGHT.format("it may become a reshape but not vanish: the result is [1,1,6]"),
)
case(
    "litert/141-broadcast-multiply", "products that broadcast either operand", LITERT + "141",
    """
x = input f32[1,10,3]
column = input f32[1,10,1]
row = const f32[3] lattice(1)
both = Mul(x, x)
right = Mul(x, column)
left = Mul(column, x)
outer = Mul(column, row)
output both
output right
output left
output outer
""",
    {"grid": {"x": grid(1, 10, 3), "column": grid(1, 10, 1)}},
    RIGHT.format("broadcasting is the same from both sides"),
)
case(
    "litert/2540-five-axes", "additions and divisions of tensors with five axes", LITERT + "2540",
    """
x = input f32[1,8,16]
five = const i64[5] {1, 2, 4, 4, 4}
three = const i64[3] {1, 8, 16}
c = const f32[1,2,4,4,4] lattice(5)
d = const f32[] {2}
a = Reshape(x, five)
b = Add(a, c)
e = Div(b, d)
y = Reshape(e, three)
output y
""",
    {"grid": {"x": grid(1, 8, 16)}},
    RIGHT.format("five axes are ordinary"),
)
case(
    "litert-torch/875-conv-relu-linear", "the report that this project starts from, small",
    "https://github.com/google-ai-edge/litert-torch/issues/875",
    """
x = input f32[1,3,32,32]
w = const f32[1,3,8,8] gaussian(1)
b = const f32[1] {0.5}
l = const f32[10,16] gaussian(2)
m = const f32[10] gaussian(3)
c = Conv(x, w, b) pads=[2,2,2,2] strides=[8,8]
r = Relu(c)
f = Flatten(r)
y = Gemm(f, l, m) transB=1
output y
""",
    {"grid": {"x": grid(1, 3, 32, 32)}},
    RIGHT.format("every operator has a float16 form"),
)
