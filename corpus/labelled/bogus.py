"""Reports of bugs that are none: rounding, or the source graph itself. The label is that of a right model; where the
report's own graph overflows in float16, the choice of float16 is to blame, and nobody's code."""

import numpy as np
from case import *

EXPLAINED = ["explained"]


def write():
    case(
        "tensorflow/120289-associativity", "a product of three matrices in two orders, subtracted", TF + "120289",
        """
x = input f32[2,512]
a = const f32[512,256] gaussian(1)
b = const f32[256,128] gaussian(2)
w = const f32[128,64] gaussian(3)
xa = MatMul(x, a)
left = MatMul(xa, b)
ab = MatMul(a, b)
right = MatMul(x, ab)
d = Sub(left, right)
y = MatMul(d, w)
output y
""",
        {"normal": {"x": normal(42, 2, 512)}},
        expect(EXPLAINED, "pure cancellation: the exact difference is 0, so every bit of the result is rounding"),
        notes="""
The exact result is 0, so no relative tolerance means anything. The verdict shows the bound and how much the
subtraction and the products amplify rounding. The factors of the report (2, 5, 5, 10) are left out here and stand in
120289-associativity-as-reported.
""",
    )
    case(
        "tensorflow/120289-associativity-as-reported", "the same with the factors of the report", TF + "120289",
        """
x = input f32[2,512]
a1 = const f32[512,256] gaussian(1)
b1 = const f32[256,128] gaussian(2)
w1 = const f32[128,64] gaussian(3)
two = const f32[] {2}
five = const f32[] {5}
ten = const f32[] {10}
x2 = Mul(x, two)
a = Mul(a1, five)
b = Mul(b1, five)
w = Mul(w1, ten)
xa = MatMul(x2, a)
left = MatMul(xa, b)
ab = MatMul(a, b)
right = MatMul(x2, ab)
d = Sub(left, right)
y = MatMul(d, w)
output y
""",
        {"normal": {"x": normal(42, 2, 512)}},
        expect(EXPLAINED, "pure cancellation, and the converter folds a b before it rounds", precision="weights"),
        ["weights"], systems=["interp-*", "litert-reference", "litert-builtin", "litert-xnnpack"],
        notes="""
In `weights` the difference is some thousands: the product of the constants is folded and then rounded, which the
judge's exact value knows. Forced float16 overflows in one of the products, depending on the numbers drawn, so nothing
is said of it.
""",
    )
    case(
        "tensorflow/117543-transpose-product-transpose", "a matrix product between two transposes", TF + "117543",
        """
x = input f32[64,16]
w = const f32[64,32] gaussian(1)
t = Transpose(x) perm=[1,0]
m = MatMul(t, w)
y = Transpose(m) perm=[1,0]
output y
""",
        {"normal": {"x": normal(1, 64, 16, scale=2)}}, right("rounding of weights and sums explains it"),
    )
    case(
        "tensorflow/117541-attention-with-softcap", "attention scores squashed by tanh", TF + "117541",
        """
x = input f32[1,8,16]
wq = const f32[16,16] gaussian(1)
wk = const f32[16,16] gaussian(2)
wv = const f32[16,16] gaussian(3)
cap = const f32[] {50}
q = MatMul(x, wq)
k = MatMul(x, wk)
v = MatMul(x, wv)
kt = Transpose(k) perm=[0,2,1]
s = MatMul(q, kt)
d = Div(s, cap)
t = Tanh(d)
c = Mul(t, cap)
p = Softmax(c)
y = MatMul(p, v)
output y
""",
        {"normal": {"x": normal(4, 1, 8, 16)}},
        right("a saturated softmax between near ties multiplies the rounding of its scores"),
    )
    case(
        "tensorflow/43393-long-sum", "a sum of a thousand numbers", TF + "43393",
        """
x = input f32[1,2,2,1024]
axes = const i64[1] {-1}
y = ReduceSum(x, axes)
output y
""",
        {"uniform": {"x": np.random.RandomState(1).rand(1, 2, 2, 1024).round(3)}}, right("n roundings explain 1e-3"),
    )
    case(
        "tensorflow/48671-near-ties", "the largest of logits that differ by less than float16 can tell", TF + "48671",
        """
x = input f32[4,8]
w = const f32[8,3] {1, 1.0001, 0.5, 2, 2, 1, -1, -1.0001, 0, 1, 1, 3, 0.5, 0.5, 1, 2, 2.0001, -1, 1, 1, 1, 3, 3, 2}
z = MatMul(x, w)
y = ArgMax(z) axis=-1
output z
output y
""",
        {"normal": {"x": normal(3, 4, 8)}},
        right("logits within rounding are ties: which of them is largest is nobody's fault"),
    )
    case(
        "iree/12605-sum-of-threes", "two thousand threes", "https://github.com/iree-org/iree/issues/12605",
        """
x = input f32[1,2,2000]
axes = const i64[1] {2}
y = ReduceSum(x, axes)
output y
""",
        {"threes": {"x": np.full((1, 2, 2000), 3)}},
        [
            expect(EXPLAINED, "a float16 running sum gives 7316: rounding, which a float32 sum would avoid",
                   system="interp-f16+acc16", precision="full"),
            expect(["pass"], "6000 is a float16 number, and a float32 sum finds it"),
        ],
    )
    for n in [2050, 10000]:
        case(
            f"numpy/22208-sum-of-{n}-ones", f"a sum of {n} ones", "https://github.com/numpy/numpy/issues/22208",
            f"""
x = input f32[{n}]
axes = const i64[1] {{0}}
y = ReduceSum(x, axes)
output y
""",
            {"ones": {"x": np.ones(n)}},
            [
                expect(EXPLAINED, "2048 + 1 is 2048 in float16", system="interp-f16+acc16", precision="full"),
                expect(["pass"], f"{n} is a float16 number, and a float32 sum finds it"),
            ],
        )
    case(
        "pytorch/182131-casts-left-out", "a float16 cast before an addition and a sum",
        "https://github.com/pytorch/pytorch/issues/182131",
        """
x = input f32[24]
h = const f32[] {0.5}
axes = const i64[1] {0}
c = Cast(x) to=f16
s = Cast(c) to=f32
a = Add(s, h)
y = ReduceSum(a, axes)
sq = Mul(s, s)
q = Mul(sq, s)
z = Sub(q, q)
output y
output z
""",
        {"tenths": {"x": np.arange(24) / 10}}, right("a cast that is left out only adds precision"),
    )
    case(
        "pytorch/183607-square-divided-by-itself", "a square that overflows, divided again",
        "https://github.com/pytorch/pytorch/issues/183607",
        """
x = input f32[4]
s = Mul(x, x)
y = Div(s, x)
output y
""",
        {"300": {"x": [1, 16, 200, 300]}},
        [
            expect(["nonfinite", "pass", "explained"],
                   "excess precision between two operators may hide the overflow: both are allowed executions",
                   system="litert-xnnpack*", precision="full"),
            policy("90000 is stored as inf, though 300 comes out of it", precision="full"),
            policy(FORCES, precision="weights", system=FORCED),
            right("float32 tensors hold the square"),
        ],
        ["full", "weights"],
        notes="300 is outside what `mixed` assumes of inputs (16), so `mixed` is not labelled here.",
    )
    case(
        "tensorrt/2980-results-near-zero", "a small network with results on both sides of 0",
        "https://github.com/NVIDIA/TensorRT/issues/2980",
        """
x = input f32[8,16]
v = const f32[16,32] gaussian(1)
b = const f32[32] gaussian(2)
w = const f32[32,4] gaussian(3)
m = MatMul(x, v)
a = Add(m, b)
r = Relu(a)
y = MatMul(r, w)
output y
""",
        {"normal": {"x": normal(6, 8, 16)}}, right("a relative error next to 0 means nothing: the bound is absolute there"),
    )
    case(
        "onnxruntime/15977-float16-addition", "a float16 addition with a factor", ORT + "15977",
        """
a = input f16[5,5]
b = input f16[5,5]
alpha = const f16[] {0.7}
m = Mul(b, alpha)
y = Add(a, m)
output y
""",
        {"normal": {"a": normal(7, 5, 5, scale=4).astype(np.float16), "b": normal(8, 5, 5, scale=4).astype(np.float16)}},
        right("one unit of the larger operand"),
    )
    case(
        "onnxruntime/23272-float16-linear", "a float16 dense layer", ORT + "23272",
        """
x = input f16[4,64]
w = const f16[64,64] gaussian(1)
b = const f16[64] gaussian(2)
m = MatMul(x, w)
y = Add(m, b)
output y
""",
        {"normal": {"x": normal(9, 4, 64).astype(np.float16)}}, right("sums rounded once or often"),
    )
    case(
        "onnxruntime/29611-overflow-that-is-not-there", "a product of depth 2048 whose sums stay small",
        "https://github.com/microsoft/onnxruntime/pull/29611",
        """
x = input f32[1,2048]
w = const f32[2048,4] gaussian(1)
y = MatMul(x, w)
output y
""",
        {"small": {"x": np.round(normal(10, 1, 2048, scale=0.05), 3)}}, right("partial sums stay far below 65504"),
    )
    case(
        "written/log-of-softmax", "the logarithm of a softmax, written by the user", COREML + "2747",
        """
x = input f32[1,4]
p = Softmax(x)
y = Log(p)
output y
""",
        {"far": {"x": [[-8, 0, 3, 14]]}},
        overflow("a probability of 2.8e-10 is 0 in float16, and its logarithm -inf",
                 mixed="inputs within 16 are promised: the softmax or its logarithm must stay in float32"),
    )
    case(
        "written/difference-of-squares", "a variance as a difference of two large numbers", TF + "42694",
        """
x = input f32[64,64]
axes = const i64[2] {0, 1}
sq = Mul(x, x)
m2 = ReduceMean(sq, axes)
m = ReduceMean(x, axes)
mm = Mul(m, m)
y = Sub(m2, mm)
output y
""",
        {"128": {"x": np.round(normal(11, 64, 64) * 4) / 4 + 128}}, right("16385 - 16384 keeps one digit, by cancellation"),
    )
    case(
        "written/softmax-without-shift", "a softmax spelt out without subtracting the maximum", COREML + "2725",
        """
x = input f32[1,4]
axes = const i64[1] {-1}
e = Exp(x)
s = ReduceSum(e, axes)
y = Div(e, s)
output y
""",
        {"12": {"x": [[12, 11, 0, -12]]}},
        overflow("exp(12) is beyond float16, and inf / inf is NaN"),
    )
