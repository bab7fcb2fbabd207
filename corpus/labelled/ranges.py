"""Reports of wrong numbers: values beyond float16 or below it, and kernels or rewrites that compute something else."""

import numpy as np
from case import *

GAIN30 = "gain = const f32[] {30}\nx = Mul(u, gain)"


def write():
    constants()
    reductions()
    functions()
    kernels()
    storage()


def constants():
    masks = {"all": {"mask": np.ones((1, 1, 1, 4)), "scores": grid(1, 2, 4, 4)}}
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
        masks,
        [
            policy("1e30 becomes inf, and inf times 0 is NaN where the source has 0", precision="full"),
            policy(FORCES, precision="weights", system=FORCED),
            policy(FORCES, precision="mixed", system=FORCED),
            right("the mask is cut, or a float32 island holds the product", precision="mixed"),
            right("a constant that float16 would ruin stays float32"),
        ],
        notes="""
The label first said that `mixed` cuts this mask. It is multiplied before it is added, so the converter keeps a float32
island instead, which a runtime that forces float16 narrows again: that run, and no other, overflows.
""",
    )
    case(
        "written/mask-of-minus-1e30", "an additive mask of -1e30 over a whole row", TF + "43719",
        """
scores = input f32[1,1,2,4]
mask = const f32[1,1,2,4] {-1e30, -1e30, -1e30, -1e30, 0, 0, -1e30, 0}
s = Add(scores, mask)
y = Softmax(s)
output y
""",
        {"grid": {"scores": grid(1, 1, 2, 4)}},
        [
            policy("the masked row is -inf throughout, and its softmax NaN where the source has 0.25", precision="full"),
            policy(FORCES, precision="weights", system=FORCED),
            right("the mask is cut to a float16 number that excludes as well", precision="mixed"),
            right("a constant that float16 would ruin stays float32"),
        ],
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
        [
            policy("the masked row is -inf throughout, and its softmax NaN where the source has 0.25", precision="full"),
            policy(FORCES, precision="weights", system=FORCED),
            right("the mask is cut to a float16 number that excludes as well", precision="mixed"),
            right("a constant that float16 would ruin stays float32"),
        ],
    )
    case(
        "coremltools/2669-constant-that-is-an-output", "a huge constant that only goes to an output",
        "https://github.com/apple/coremltools/pull/2669",
        """
x = input f32[4]
c = const f32[4] {1, 1000, -3.4028235e38, 3.14}
y = Identity(c)
z = Relu(x)
output y
output z
""",
        {"grid": {"x": grid(4)}},
        [
            expect(["explained"], "the output itself is not representable in float16", precision="full"),
            expect(["explained"], "the interface is float16 in mixed too", precision="mixed"),
            policy(FORCES, precision="weights", system=FORCED),
            right("nothing narrows a constant that only a float32 output reads"),
        ],
        notes="""
The label first forgot the runtime that forces float16: it narrows the constant too, which is no fault of the file.
""",
    )
    case(
        "tensorrt/2466-bounds-at-infinity", "a minimum with inf, then a maximum with 0",
        "https://github.com/NVIDIA/TensorRT/issues/2466",
        """
x = input f32[1,8]
top = const f32[] {inf}
zero = const f32[] {0}
m = Min(x, top)
y = Max(m, zero)
output y
""",
        {"grid": {"x": grid(1, 8)}}, right("an infinite bound is legal and bounds nothing"),
    )
    case(
        "tensorrt/2466-factor-of-minus-1e12", "a mask multiplied by -999999995904, nothing masked",
        "https://github.com/NVIDIA/TensorRT/issues/2466",
        """
mask = input f32[1,8]
one = const f32[] {1}
large = const f32[] {-999999995904}
h = Sub(one, mask)
y = Mul(h, large)
output y
""",
        {"ones": {"mask": np.ones((1, 8))}}, overflow("-1e12 becomes -inf, and -inf times 0 is NaN"),
    )
    case(
        "pytorch/86580-epsilon-of-1e-8", "a layer normalisation spelt out with an epsilon of 1e-8, one row constant",
        "https://github.com/pytorch/pytorch/issues/86580",
        """
x = input f32[8,4]
axes = const i64[1] {-1}
two = const f32[] {2}
e = const f32[] {1e-8}
m = ReduceMean(x, axes)
d = Sub(x, m)
p = Pow(d, two)
v = ReduceMean(p, axes)
ve = Add(v, e)
r = Sqrt(ve)
y = Div(d, r)
output y
""",
        {"row": {"x": np.concatenate([np.full((1, 4), 3.0), grid(7, 4)])}},
        overflow("1e-8 is 0 in float16, and 0 / 0 is NaN where the source has 0"),
    )
    case(
        "onnxruntime/12726-epsilon-of-1e-12", "a layer normalisation with an epsilon of 1e-12 over a constant row", ORT + "12726",
        """
x = input f32[3,8]
g = const f32[8] fill(1)
b = const f32[8] lattice(1)
y = LayerNormalization(x, g, b) axis=-1 epsilon=1e-12
output y
""",
        {"row": {"x": np.concatenate([np.full((1, 8), 2.0), grid(2, 8)])}},
        overflow("1e-12 is 0 in float16, and 0 times inf is NaN where the source has 0"),
    )
    case(
        "onnxruntime/12726-normalisation-of-large-rows", "a layer normalisation and a dense layer behind values around 100",
        ORT + "12726",
        """
u = input f32[4,32]
gain = const f32[] {100}
g = const f32[32] gaussian(1)
b = const f32[32] gaussian(2)
w = const f32[32,8] gaussian(3)
c = const f32[8] gaussian(4)
x = Mul(u, gain)
n = LayerNormalization(x, g, b) axis=-1 epsilon=1e-12
m = MatMul(n, w)
y = Add(m, c)
output y
""",
        {"normal": {"u": np.round(normal(1, 4, 32) * 8) / 8 + 3 * (np.arange(32) == 5)}},
        FUSED + overflow("a square of more than 256 is beyond float16, and 1 / sqrt(inf) makes every row equal to the bias"),
        notes=FUSED_NOTES,
    )
    case(
        "onnxconverter/153-division-by-1e-12", "0 divided by a small constant",
        "https://github.com/microsoft/onnxconverter-common/pull/153",
        """
x = input f32[1,8]
c = const f32[] {1e-12}
y = Div(x, c)
output y
""",
        {"zeros": {"x": np.zeros((1, 8))}}, overflow("1e-12 is 0 in float16, and 0 / 0 is NaN"),
    )
    case(
        "onnxconverter/153-norm-with-a-floor", "a vector divided by its norm, which is at least 1e-12",
        "https://github.com/microsoft/onnxconverter-common/pull/153",
        """
x = input f32[2,4]
axes = const i64[1] {-1}
floor = const f32[] {1e-12}
n = ReduceL2(x, axes)
f = Max(n, floor)
y = Div(x, f)
output y
""",
        {"row": {"x": [[0, 0, 0, 0], [1, -2, 2, 4]]}}, overflow("the floor is 0 in float16, and 0 / 0 is NaN"),
    )
    case(
        "onnxconverter/153-small-divisors", "divisions by constants around the smallest float16 number",
        "https://github.com/microsoft/onnxconverter-common/pull/153",
        """
x = input f32[1,3]
c = const f32[3] {3e-8, 6e-8, 1e-7}
y = Div(x, c)
output y
""",
        {"one": {"x": [[0.0009765625, 0.001953125, 0.00390625]]}},
        right("each divisor is the nearest float16 number: what that loses is a loss, not an error"),
    )
    case(
        "onnxconverter/295-weights-beyond-1e4", "finite weights that a default clamps to 1e4", COMMON + "295",
        """
x = input f32[1,4]
c = const f32[4] {9999, 20000, 60000, -30000}
y = Mul(x, c)
output y
""",
        {"ones": {"x": np.ones((1, 4))}}, right("all four are within float16; a clamp would be off by half and more"),
    )
    case(
        "model-optimizer/194-tiny-weight", "a weight below the smallest float16 number",
        "https://github.com/NVIDIA/Model-Optimizer/issues/194",
        """
x = input f32[1,4]
c = const f32[4] {5.6e-9, 1e-7, 5.96e-8, 1}
y = Mul(x, c)
output y
""",
        {"1000": {"x": np.full((1, 4), 1000)}}, right("5.6e-9 rounds to 0, never to 1e-7"),
    )
    case(
        "nntrainer/4318-floor-under-an-epsilon", "an RMS normalisation of small values, epsilon 1e-6",
        "https://github.com/nntrainer/nntrainer/pull/4318",
        """
x = input f32[1,2048]
g = const f32[2048] fill(1)
y = RMSNormalization(x, g) axis=-1 epsilon=1e-6
output y
""",
        {"small": {"x": np.where(np.arange(2048) % 3 == 0, -1, 1).reshape(1, 2048) * 0.01416015625}},
        right("the epsilon is a two-hundredth of the mean square; a floor of 1e-4 would be off by 18 %"),
    )


def reductions():
    case(
        "litert/9249-sum-then-scale", "a mean of 12544 sixes written as a sum and a scale", LITERT + "9249",
        """
x = input f32[1,2,112,112]
axes = const i64[2] {2, 3}
n = const f32[] {7.9719387755e-5}
sum = ReduceSum(x, axes)
y = Mul(sum, n)
output y
""",
        {"6": {"x": np.full((1, 2, 112, 112), 6)}, "5": {"x": np.full((1, 2, 112, 112), 5)}},
        [right("62720 is within float16", inputs="5")]
        + overflow("the sum is 75264, beyond 65504; the mean of 6 is not"),
        notes="""
The first version of this case had 256 values of 600 and labelled `full` alone, because `mixed` promises nothing for
inputs beyond 16. This one has the extents and the value of the report, for which `mixed` has to keep the sum in
float32.
""",
    )
    case(
        "litert/9249-mean", "the same mean as one operator", LITERT + "9249",
        """
x = input f32[1,2,112,112]
axes = const i64[2] {2, 3}
y = ReduceMean(x, axes)
output y
""",
        {"6": {"x": np.full((1, 2, 112, 112), 6)}},
        [
            expect(["pass", "undecidable"], "a float16 running sum may overflow, and so it may not be judged",
                   system="interp-f16+acc16", precision="full"),
            right("a float32 sum is divided before it is stored"),
        ],
        notes="""
The label once admitted `undecidable` for every system. Only a contract with float16 sums has a reason to: all systems
that are replayed here sum in float32.
""",
    )
    for n in [65504, 65519, 65520, 65536]:
        case(
            f"tensorflow/115732-mean-of-{n}", f"mean and variance of {n} numbers", TF + "115732",
            f"""
x = input f32[{n}]
axes = const i64[1] {{0}}
m = ReduceMean(x, axes)
d = Sub(x, m)
s = Mul(d, d)
v = ReduceMean(s, axes)
output m
output v
""",
            {"grid": {"x": grid(n)}}, right("the count is no float16 number, and nobody needs it to be"),
        )
    case(
        "ncnn/2698-large-window", "an average over a window of 256 by 256", "https://github.com/Tencent/ncnn/pull/2698",
        """
x = input f32[1,1,256,256]
y = GlobalAveragePool(x)
output y
""",
        {"1.5": {"x": np.full((1, 1, 256, 256), 1.5)}}, right("1.5; the sum of 98304 is never stored in float16"),
    )
    case(
        "tensorrt/1196-variance-that-overflows", "a layer normalisation spelt out, deviations up to 300",
        "https://github.com/NVIDIA/TensorRT/issues/1196",
        f"""
u = input f32[1,4,32]
{GAIN30}
axes = const i64[1] {{-1}}
two = const f32[] {{2}}
e = const f32[] {{1e-5}}
m = ReduceMean(x, axes)
d = Sub(x, m)
p = Pow(d, two)
v = ReduceMean(p, axes)
ve = Add(v, e)
r = Sqrt(ve)
y = Div(d, r)
output y
""",
        {"ten": {"u": np.where(np.arange(128) % 2, 10, -10).reshape(1, 4, 32)}},
        FUSED + overflow("90000 is beyond float16: the variance is inf and every result 0, without an inf or NaN to see"),
        notes=FUSED_NOTES,
    )
    case(
        "onnxruntime/29034-rows-of-zeros", "an RMS normalisation behind a sum, values of 300", ORT + "29034",
        f"""
u = input f32[1,1,64]
skip = input f32[1,1,64]
{GAIN30}
g = const f32[64] gaussian(1)
a = Add(x, skip)
y = RMSNormalization(a, g) axis=-1
output y
""",
        {"ten": {"u": np.where(np.arange(64) % 3, 10, -10).reshape(1, 1, 64), "skip": np.zeros((1, 1, 64))}},
        FUSED + overflow("the mean square of 90000 is inf, its inverse root 0, and every result 0 where the source has 1"),
        notes=FUSED_NOTES,
    )
    case(
        "nntrainer/3935-sum-of-squares", "an RMS normalisation of 1024 tens",
        "https://github.com/nntrainer/nntrainer/issues/3935",
        """
x = input f32[1,1,1,1024]
g = const f32[1024] fill(1)
y = RMSNormalization(x, g) axis=-1
output y
""",
        {"tens": {"x": np.full((1, 1, 1, 1024), 10)}, "tiny": {"x": (np.arange(1024) % 20 + 1).reshape(1, 1, 1, 1024) / 1000}},
        right("a float32 sum of 102400 is divided before it is stored"),
    )
    case(
        "ncnn/2882-local-response", "a local response normalisation of values up to 480",
        "https://github.com/Tencent/ncnn/issues/2882",
        f"""
u = input f32[1,6,3,3]
{GAIN30}
y = LRN(x) size=5 alpha=1e-4 beta=0.75 bias=1.0
output y
""",
        {"large": {"u": grid(1, 6, 3, 3) * 2 + 6}},
        overflow("a square of more than 256 is beyond float16, and the result 0"),
    )
    case(
        "tensorflow/42694-variance", "a variance by deviations, of values around 128", TF + "42694",
        """
x = input f32[64,64]
axes = const i64[2] {0, 1}
m = ReduceMean(x, axes)
d = Sub(x, m)
s = Mul(d, d)
y = ReduceMean(s, axes)
output y
""",
        {"128": {"x": np.round(normal(11, 64, 64) * 4) / 4 + 128}}, right("deviations are small and exact enough"),
    )
    case(
        "xla/7112-minimum-of-ones", "the least of 16385 ones", "https://github.com/openxla/xla/issues/7112",
        """
x = input f16[2,16385,1]
axes = const i64[2] {1, 2}
y = ReduceMin(x, axes)
output y
""",
        {"ones": {"x": np.ones((2, 16385, 1), np.float16)}}, right("1, not the 0 of a padding"),
    )


def functions():
    case(
        "coremltools/2687-softplus", "softplus where its exponential overflows float16", COREML + "2687",
        """
x = input f32[7]
y = Softplus(x)
output y
""",
        {"reported": {"x": [-20, 0, 10, 10.5, 11, 11.125, 20]}}, right("softplus of x is about x, far within float16"),
    )
    case(
        "tensorflow/118524-softplus-of-large-values", "softplus where its exponential overflows float32", TF + "118524",
        """
x = input f32[5]
y = Softplus(x)
output y
""",
        {"reported": {"x": [20, 88, 95, 150, 500]}}, right("softplus of x is x"),
    )
    case(
        "coremltools/2359-mish", "mish over the whole range", COREML + "2359",
        """
x = input f32[41]
y = Mish(x)
output y
""",
        {"range": {"x": np.arange(-20, 21)}}, right("x times tanh(softplus(x)) tends to x and to 0"),
    )
    case(
        "coreai-torch/21-log-sum-exp", "the logarithm of a sum of 32 exponentials of 8",
        "https://github.com/apple/coreai-torch/issues/21",
        """
x = input f32[1,32]
axes = const i64[1] {-1}
y = ReduceLogSumExp(x, axes)
output y
""",
        {"eights": {"x": np.full((1, 32), 8)}}, right("8 + log 32; the sum of the exponentials would be 95390"),
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
        right("tanh never leaves [-1, 1]; gelu of a large negative value is 0"),
    )
    case(
        "executorch/22323-gelu-below-minus-13", "the tanh form of gelu below -13",
        "https://github.com/pytorch/executorch/issues/22323",
        """
x = input f32[5]
y = Gelu(x) approximate="tanh"
output y
""",
        {"reported": {"x": [-5, -8, -13, -13.24, -20]}}, right("0, not NaN: both exponentials may not be formed"),
    )
    case(
        "tensorflow/118529-silu-of-large-values", "x times sigmoid of x for -7e29", TF + "118529",
        """
x = input f32[3]
s = Sigmoid(x)
y = Mul(x, s)
output y
""",
        {"reported": {"x": [-7e29, -2.5e30, 1]}},
        [
            policy("the input is -inf in float16, and -inf times 0 is NaN", system=FORCED),
            right("-0: the sigmoid is 0 in float32"),
        ],
        ["weights"],
    )
    case(
        "tensorflow/120301-log-of-one-plus", "log(1 + x) as the source says it", TF + "120301",
        """
x = input f32[4]
one = const f32[] {1}
a = Add(x, one)
y = Log(a)
output y
""",
        {"reported": {"x": [5e-25, 3e-18, 2e-10, 0.5]}}, right("the source itself adds 1 first: its rounding is not judged"),
    )


def kernels():
    case(
        "tensorflow/56983-squared-differences", "mean, squared difference and mean", TF + "56983",
        """
x = input f32[8,96]
axes = const i64[1] {1}
m = ReduceMean(x, axes)
d = Sub(x, m)
s = Mul(d, d)
v = ReduceMean(s, axes)
output v
""",
        {"grid": {"x": grid(8, 96)}}, right("sums of 96 small numbers"),
    )
    case(
        "litert-torch/718-normalisation-over-channels", "a 1x1 convolution, normalised over its channels", TORCH + "718",
        """
x = input f32[1,4,4,4]
w = const f32[4,4,1,1] gaussian(1)
g = const f32[4] fill(1)
b = const f32[4] fill(0)
c = Conv(x, w)
t = Transpose(c) perm=[0,2,3,1]
n = LayerNormalization(t, g, b) axis=-1
y = Transpose(n) perm=[0,3,1,2]
output y
""",
        {"ones": {"x": np.ones((1, 4, 4, 4))}}, right("all 64 elements, not the first four"),
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
        {"grid": {"x": grid(1, 10, 3), "column": grid(1, 10, 1)}}, right("broadcasting is the same from both sides"),
    )
    case(
        "tensorflow/44060-mean-of-all-rows", "a mean over two axes of a matrix with distinct rows", TF + "44060",
        """
x = input f32[1,16,16]
axes = const i64[2] {1, 2}
y = ReduceMean(x, axes) keepdims=0
output y
""",
        {"rows": {"x": np.repeat(np.arange(16), 16).reshape(1, 16, 16)}}, right("7.5, not the mean of the first row"),
    )
    case(
        "litert/4847-stride-beyond-input", "a convolution whose SAME padding would be negative", LITERT + "4847",
        """
x = input f32[1,7,17,18]
w = const f32[16,7,3,3] lattice(3)
y = Conv(x, w) auto_pad="SAME_UPPER" strides=[10,10]
output y
""",
        {"grid": {"x": grid(1, 7, 17, 18)}}, right("no padding is needed; the result is not zero"),
    )
    for filters in [16, 32]:
        case(
            f"tensorflow/55799-dilation-with-{filters}-filters", f"three convolutions of {filters} filters, one dilated", TF + "55799",
            f"""
x = input f32[1,3,8,8]
u = const f32[{filters},3,3,3] gaussian(1)
v = const f32[{filters},{filters},3,3] gaussian(2)
w = const f32[2,{filters},3,3] gaussian(3)
s = const f32[] {{0.125}}
a = Conv(x, u) pads=[1,1,1,1]
as = Mul(a, s)
b = Conv(as, v) pads=[2,1,2,1] dilations=[2,1]
bs = Mul(b, s)
y = Conv(bs, w) pads=[1,1,1,1]
output y
""",
            {"normal": {"x": normal(1, 1, 3, 8, 8)}}, right("the number of filters changes nothing"),
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
        {"one": {"x": np.ones((1, 1, 2))}}, right("both elements are 0.7071: the axis moves with the transpose"),
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
        {"grid": {"x": grid(1, 6, 1)}}, right("it may become a reshape but not vanish: the result is [1,1,6]"),
    )
    case(
        "onnxruntime/18992-convolution-of-one-element", "a convolution of one element with a bias", ORT + "18992",
        """
x = input f32[1,1,1,1]
w = const f32[1,1,1,1] {0.5}
b = const f32[1] {0.5}
y = Conv(x, w, b)
output y
""",
        {"one": {"x": np.ones((1, 1, 1, 1))}}, expect(["pass"], "0.5 + 0.5 is 1, exactly"),
    )


def storage():
    case(
        "tensorflow/55785-computed-weight", "a dense layer whose weight is the product of two constants", TF + "55785",
        """
x = input f32[2,8]
a = const f32[8,4] gaussian(1)
b = const f32[4,6] gaussian(2)
v = const f32[6,3] gaussian(3)
w = MatMul(a, b)
m = MatMul(x, w)
r = Relu(m)
y = MatMul(r, v)
output y
""",
        {"grid": {"x": grid(2, 8)}}, right("the folded weight is a float16 constant as every other"),
    )
    case(
        "opennmt/905-tied-weights", "an embedding table that is the output layer too",
        "https://github.com/OpenNMT/OpenNMT-tf/issues/905",
        """
ids = input i64[1,3]
table = const f32[50,8] gaussian(1)
e = Gather(table, ids)
t = Transpose(table) perm=[1,0]
y = MatMul(e, t)
output y
""",
        {"ids": {"ids": np.array([[0, 7, 49]])}}, right("one table, read twice"),
    )
    case(
        "tensorflow/56075-constant-that-unfolds", "a small constant expanded to a large one", TF + "56075",
        """
x = input f32[1,32,32,8]
c = const f32[1] {0.1}
shape = const i64[4] {1, 32, 32, 8}
e = Expand(c, shape)
y = Add(x, e)
output y
""",
        {"grid": {"x": grid(1, 32, 32, 8)}}, right("the value is right, whether or not the constant is unfolded"),
    )
