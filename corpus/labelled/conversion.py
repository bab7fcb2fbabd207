"""Reports of conversions that fail, or that lose a shape: the right conversion exists, so the label is that of a right
one. Shapes and ranks are compared by the judge."""

import numpy as np
from case import *

OK = right("every operator has a form in TFLite")
SPEC = "https://github.com/onnx/onnx/blob/main/docs/Operators.md"


def write():
    case(
        "litert-torch/1053-transpose-of-float16", "a float16 convolution and a transpose", TORCH + "1053",
        """
x = input f16[1,3,16,16]
w = const f16[8,3,3,3] lattice(1)
c = Conv(x, w) pads=[1,1,1,1] strides=[2,2]
y = Transpose(c) perm=[0,2,3,1]
output y
""",
        {"grid": {"x": half(1, 3, 16, 16)}}, OK,
    )
    case(
        "litert-torch/875-conv-relu-linear", "the report that this project starts from, small", TORCH + "875",
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
        {"grid": {"x": grid(1, 3, 32, 32)}}, right("every operator has a float16 form"),
    )
    case(
        "litert-torch/305-power-of-other-types", "powers whose exponent has another type than the base", TORCH + "305",
        """
x = input f32[1,8]
n = input i32[1,8]
whole = const i64[] {3}
short = const i32[8] {0, 1, 2, 3, 2, 1, 0, 2}
half = const f16[] {0.5}
long = const f64[] {2}
a = Abs(x)
p = Pow(x, whole)
q = Pow(x, short)
r = Pow(a, half)
s = Pow(x, long)
t = Pow(x, n)
output p
output q
output r
output s
output t
""",
        {"grid": {"x": grid(1, 8), "n": np.arange(8, dtype=np.int32).reshape(1, 8) % 4}},
        right("ONNX lets the exponent have any numeric type"),
    )
    case(
        "litert-torch/305-power-of-integers", "a power of integers", TORCH + "305",
        """
x = input i32[1,6]
n = input i32[1,6]
y = Pow(x, n)
output y
""",
        {"small": {"x": np.array([[0, 1, 2, 3, -2, 7]], np.int32), "n": np.array([[2, 5, 3, 4, 3, 0]], np.int32)}},
        right("the power of integers is exact"),
    )
    case(
        "litert-torch/263-six-axes", "slices stacked to six axes, and one of them gathered", TORCH + "263",
        """
x = input f32[1,9,10,2]
s0 = const i64[1] {0}
s3 = const i64[1] {3}
s6 = const i64[1] {6}
s9 = const i64[1] {9}
one = const i64[1] {1}
last = const i64[1] {-1}
zero = const i64[] {0}
h = const f32[] {-0.5}
k = const f32[] {0.8660254}
a = Slice(x, s0, s3, one)
b = Slice(x, s3, s6, one)
c = Slice(x, s6, s9, one)
a1 = Unsqueeze(a, last)
b1 = Unsqueeze(b, last)
c1 = Unsqueeze(c, last)
abc = Concat(a1, b1, c1) axis=-1
six = Unsqueeze(abc, last)
g = Gather(six, zero) axis=-2
m = Mul(g, h)
n = Mul(g, k)
y = Add(m, n)
output y
""",
        {"grid": {"x": grid(1, 9, 10, 2)}}, right("six axes of which some have extent 1 are ordinary"),
    )
    case(
        "litert-torch/711-dynamic-batch", "a layer normalisation over a batch of unknown size", TORCH + "711",
        """
x = input f32[batch,5,10]
g = const f32[10] fill(1)
b = const f32[10] fill(0)
y = LayerNormalization(x, g, b) axis=-1
output y
""",
        {"two": {"x": grid(2, 5, 10)}},
        expect(["legalization"], "a static shape is asked for by name (--dim batch=N): a clear refusal is the right answer here",
               blame="converter"),
    )
    case(
        "litert-torch/827-attention", "attention spelt out", TORCH + "827",
        """
q = input f32[1,2,10,8]
k = input f32[1,2,10,8]
v = input f32[1,2,10,8]
s = const f32[] {0.35355339}
kt = Transpose(k) perm=[0,1,3,2]
qk = MatMul(q, kt)
scaled = Mul(qk, s)
p = Softmax(scaled)
y = MatMul(p, v)
output y
""",
        {"normal": {"q": normal(1, 1, 2, 10, 8), "k": normal(2, 1, 2, 10, 8), "v": normal(3, 1, 2, 10, 8)}}, OK,
    )
    case(
        "pytorch/110306-float16-attention-mask", "float16 attention with a float16 mask",
        "https://github.com/pytorch/pytorch/pull/110306",
        """
q = input f16[1,2,10,8]
k = input f16[1,2,10,8]
v = input f16[1,2,10,8]
mask = input f16[1,1,10,10]
kt = Transpose(k) perm=[0,1,3,2]
qk = MatMul(q, kt)
masked = Add(qk, mask)
p = Softmax(masked)
y = MatMul(p, v)
output y
""",
        {"causal": {"q": normal(1, 1, 2, 10, 8).astype(np.float16), "k": normal(2, 1, 2, 10, 8).astype(np.float16),
                    "v": normal(3, 1, 2, 10, 8).astype(np.float16),
                    "mask": np.triu(np.full((1, 1, 10, 10), -10000.0), 1).astype(np.float16)}},
        right("-10000 is a float16 number and excludes"),
    )
    case(
        "litert-torch/808-lstm", "an LSTM of one step with all three results", TORCH + "808",
        """
x = input f32[1,1,20]
w = const f32[1,40,20] gaussian(1)
r = const f32[1,40,10] gaussian(2)
y, h, c = LSTM(x, w, r) hidden_size=10
output y
output h
output c
""",
        {"grid": {"x": grid(1, 1, 20) / 4}}, right("one step of an LSTM is matrix products and gates"),
    )
    case(
        "litert/9191-expand-then-add", "an expansion of one axis, and nothing added", LITERT + "9191",
        """
x = input f32[1,4,1,64]
shape = const i64[4] {1, 4, 8, 64}
zero = const f32[] {0}
e = Expand(x, shape)
y = Add(e, zero)
output y
""",
        {"grid": {"x": grid(1, 4, 1, 64)}}, right("an expansion copies"),
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
        {"grid": {"x": grid(1, 8, 16)}}, right("five axes are ordinary"),
    )
    case(
        "litert/9022-product-with-a-broadcast-constant", "a product with an expanded constant, and a bias of one axis more",
        LITERT + "9022",
        """
x = input f32[1,2]
two = const f32[] {2}
shape = const i64[2] {1, 2}
column = const i64[2] {2, 1}
four = const f32[1,1,2] {4, 4}
a = Add(x, two)
r = Relu(a)
e = Expand(two, shape)
t = Reshape(e, column)
m = MatMul(r, t)
y = Add(m, four)
output y
""",
        {"ones": {"x": np.ones((1, 2))}}, right("(3 * 2 + 3 * 2) + 4 = 16, twice, in [1,1,2]"),
    )
    case(
        "tensorflow/124103-two-products-through-one", "two matrix products, the first of depth 1", TF + "124103",
        """
x = input f32[4,4,1]
w1 = const f32[1,2] {3, -2}
w2 = const f32[2,4] {1, 2, 3, 4, 5, 6, 7, 8}
m = MatMul(x, w1)
y = MatMul(m, w2)
output y
""",
        {"grid": {"x": grid(4, 4, 1)}}, right("both products may be one, but not by scaling rows"),
    )
    case(
        "tensorflow/124048-leading-axis-of-a-bias", "a bias with one axis more than the product", TF + "124048",
        """
x = input f32[3,2]
w = const f32[2,2] {1, 2, 3, 4}
b = const f32[1,1,2] {5, 6}
m = MatMul(x, w)
y = Add(m, b)
output y
""",
        {"reported": {"x": np.arange(1, 7).reshape(3, 2)}}, right("[[[12,16],[20,28],[28,40]]], of rank 3"),
    )
    case(
        "tensorflow/65769-product-of-an-unsqueezed-row", "a row times a matrix, through an axis of extent 1", TF + "65769",
        """
x = input f32[1,5]
y = input f32[1,5,7]
one = const i64[1] {1}
u = Unsqueeze(x, one)
m = MatMul(u, y)
z = Squeeze(m, one)
output z
""",
        {"grid": {"x": grid(1, 5), "y": grid(1, 5, 7)}}, right("a product of rank 3"),
    )
    case(
        "onnx2tf/410-float16-filter", "a float16 filter through Identity, on a float32 input", ONNX2TF + "410",
        """
x = input f32[1,2,6,6]
w = const f16[3,2,3,3] lattice(2)
h = Cast(x) to=f16
i = Identity(w)
c = Conv(h, i) pads=[1,1,1,1]
y = Cast(c) to=f32
output y
""",
        {"grid": {"x": grid(1, 2, 6, 6)}}, OK,
    )
    case(
        "onnx2tf/681-float16-constant", "a float16 tensor plus a float16 constant", ONNX2TF + "681",
        """
x = input f16[1,10,24]
c = const f16[1,10,24] gaussian(1)
y = Add(x, c)
output y
""",
        {"grid": {"x": half(1, 10, 24)}}, OK,
    )
    for mode in ["nearest", "linear"]:
        case(
            f"onnxconverter/207-resize-{mode}", f"a {mode} resize of a float16 tensor, its scales float32", COMMON + "207",
            f"""
x = input f16[1,1,2,2]
scales = const f32[4] {{1, 1, 2, 2}}
y = Resize(x, _, scales) mode="{mode}"
output y
""",
            {"grid": {"x": half(1, 1, 2, 2)}}, right("scales are no elements: they stay float32"),
        )
    case(
        "onnxconverter/320-integers-to-floats", "identifiers cast to floats", COMMON + "320",
        """
ids = input i64[1,6]
h = const f32[] {0.5}
f = Cast(ids) to=f32
y = Mul(f, h)
output y
""",
        {"ids": {"ids": np.array([[0, 1, 2, 77, 1000, -5]])}}, OK,
    )
    case(
        "onnxmltools/446-concat-behind-a-resize", "a sequence pooled, convolved, resized and joined",
        "https://github.com/onnx/onnxmltools/issues/446",
        """
x = input f32[1,2,20]
w = const f32[4,2,3] gaussian(1)
scales = const f32[3] {1, 1, 2}
p = MaxPool(x) kernel_shape=[2] strides=[2]
c = Conv(p, w) pads=[1,1]
r = Resize(c, _, scales) mode="nearest"
y = Concat(x, r) axis=1
output y
""",
        {"grid": {"x": grid(1, 2, 20)}}, OK,
    )
    case(
        "onnxruntime/20346-two-casts-in-a-row", "float32 to float16 and back in the source", ORT + "20346",
        """
x = input f32[2,4]
k = const f32[] {3}
e = Exp(x)
h = Cast(e) to=f16
s = Cast(h) to=f32
y = Mul(s, k)
output y
""",
        {"small": {"x": [[-3, -1, 0, 0.5], [1, 1.5, 2, 3]]}},
        right("the casts round what they pass on, and nothing else"),
    )
    case(
        "coremltools/2470-float16-batch-normalisation", "float16 statistics and a float attribute", COREML + "2470",
        """
x = input f16[1,4,4,4]
s = const f16[4] {1, 0.5, 2, -1}
b = const f16[4] {0, 1, -1, 0.25}
m = const f16[4] {0.5, -0.5, 0, 1}
v = const f16[4] {1, 0.25, 4, 2}
y = BatchNormalization(x, s, b, m, v) epsilon=0.001
output y
""",
        {"grid": {"x": half(1, 4, 4, 4)}}, OK,
    )
    case(
        "coremltools/100-constants-of-odd-length", "float16 constants of 1, 3 and 5 elements",
        "https://github.com/apple/coremltools/pull/100",
        """
x = input f32[3,5]
a = const f32[1] {0.3}
b = const f32[3,1] {0.1, 0.2, 0.3}
c = const f32[5] {1.1, 2.2, 3.3, 4.4, 5.5}
p = Add(x, a)
q = Mul(p, b)
y = Add(q, c)
output y
""",
        {"grid": {"x": grid(3, 5)}}, right("two bytes per element, and what follows is still aligned"),
    )
    case(
        "tract/1103-float16-comparison", "PRelu, a comparison and a choice in float16",
        "https://github.com/sonos/tract/issues/1103",
        """
x = input f16[1,8,4,4]
slope = const f16[8,1,1] {0.25, 0.5, -1, 0, 1, 2, 0.1, 0.01}
zero = const f16[] {0}
p = PRelu(x, slope)
g = Greater(x, zero)
n = Neg(x)
y = Where(g, p, n)
output p
output y
""",
        {"grid": {"x": half(1, 8, 4, 4)}}, OK,
    )
    case(
        "tvm/12763-normalisation-behind-a-convolution", "patches embedded, then normalised",
        "https://github.com/apache/tvm/issues/12763",
        """
x = input f32[2,3,8,8]
w = const f32[6,3,4,4] gaussian(1)
b = const f32[6] gaussian(2)
g = const f32[6] gaussian(3)
h = const f32[6] gaussian(4)
c = Conv(x, w, b) strides=[4,4]
t = Transpose(c) perm=[0,2,3,1]
y = LayerNormalization(t, g, h) axis=-1
output y
""",
        {"normal": {"x": normal(5, 2, 3, 8, 8)}}, OK,
    )
    case(
        "executorch/9534-rotary-embedding", "a float32 product with a float16 table",
        "https://github.com/pytorch/executorch/issues/9534",
        """
x = input f16[1,4,8]
cos = const f16[4,8] gaussian(1)
a = Cast(x) to=f32
b = Cast(cos) to=f32
m = Mul(a, b)
y = Cast(m) to=f16
output y
""",
        {"grid": {"x": half(1, 4, 8)}}, OK,
    )
    case(
        "executorch/16672-float16-gelu", "both forms of GELU in float16",
        "https://github.com/pytorch/executorch/issues/16672",
        """
x = input f16[1,64]
e = Gelu(x)
t = Gelu(x) approximate="tanh"
output e
output t
""",
        {"range": {"x": np.linspace(-5, 5, 64).reshape(1, 64).astype(np.float16)}}, OK,
    )
    case(
        "onnxruntime/32186-bias-and-gelu", "a float16 product, bias and GELU spelt out", ORT + "32186",
        """
x = input f16[4,16]
w = const f16[16,8] gaussian(1)
b = const f16[8] gaussian(2)
root = const f16[] {1.4142135}
one = const f16[] {1}
h = const f16[] {0.5}
m = MatMul(x, w)
a = Add(m, b)
d = Div(a, root)
e = Erf(d)
f = Add(e, one)
g = Mul(a, f)
y = Mul(g, h)
output y
""",
        {"grid": {"x": half(4, 16) / np.float16(4)}}, OK,
    )
    case(
        "tensorflow/32101-between-two-convolutions", "an operator that delegates refuse between two convolutions", TF + "32101",
        """
x = input f32[1,3,6,6]
v = const f32[4,3,3,3] gaussian(1)
w = const f32[2,4,1,1] gaussian(2)
b = const f32[4] gaussian(3)
axes = const i64[2] {2, 3}
c = Conv(x, v, b) pads=[1,1,1,1]
p = ReduceMean(c, axes)
y = Conv(p, w)
output y
""",
        {"grid": {"x": grid(1, 3, 6, 6)}}, OK,
    )
    case(
        "coreai-torch/78-padding-beyond-the-stride", "a transposed convolution whose output padding is not below its stride",
        "https://github.com/apple/coreai-torch/issues/78",
        """
x = input f32[1,2,4,4]
w = const f32[2,2,3,3] lattice(1)
y = ConvTranspose(x, w) output_padding=[1,1]
output y
""",
        {"grid": {"x": grid(1, 2, 4, 4)}},
        expect(["legalization"], "there is no such convolution: the output padding must be below the stride or dilation",
               blame="converter"),
    )
    case(
        "onnx2tf/742-global-response-normalisation", "a normalisation over spatial axes, then over channels", ONNX2TF + "742",
        """
x = input f32[1,8,8,8]
space = const i64[2] {2, 3}
channels = const i64[1] {1}
e = const f32[] {1e-4}
n = ReduceL2(x, space)
m = ReduceMean(n, channels)
me = Add(m, e)
d = Div(n, me)
y = Mul(x, d)
output y
""",
        {"grid": {"x": grid(1, 8, 8, 8)}}, right("equal extents do not make axes equal"),
    )
    case(
        "onnx2tf/470-transposed-convolution-of-a-sequence", "a transposed convolution along one axis", ONNX2TF + "470",
        """
x = input f32[1,6,5]
w = const f32[6,1,8] gaussian(1)
y = ConvTranspose(x, w) strides=[4]
output y
""",
        {"grid": {"x": grid(1, 6, 5)}}, OK,
    )
    case(
        "tensorflow/58607-dense-layer-of-rank-3", "a dense layer on three axes, after a reshape", TF + "58607",
        """
x = input f32[1,7,7,16]
shape = const i64[3] {1, 49, 16}
w = const f32[16,32] gaussian(1)
b = const f32[32] gaussian(2)
r = Reshape(x, shape)
m = MatMul(r, w)
y = Add(m, b)
output y
""",
        {"grid": {"x": grid(1, 7, 7, 16)}}, OK,
    )
